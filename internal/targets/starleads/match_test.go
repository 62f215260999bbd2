package starleads

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/targets"
)

// stored is a document at the hostile vendor.
type stored struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Size *int   `json:"size,omitempty"`
}

// hostile is a vendor with a list of documents that answers uploads as it likes.
type hostile struct {
	docs    []stored
	upload  func(n int, names []string) []stored // the n-th upload; what it gives is not stored
	uploads int
	deleted []string
}

func (h *hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodDelete:
		id := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		h.deleted = append(h.deleted, id)
		h.docs = slices.DeleteFunc(h.docs, func(d stored) bool { return d.ID == id })
	case http.MethodPost:
		h.uploads++
		var names []string
		if err := r.ParseMultipartForm(1 << 20); err == nil {
			for _, f := range r.MultipartForm.File["files"] {
				names = append(names, f.Filename)
			}
		}
		_ = json.NewEncoder(w).Encode(h.upload(h.uploads, names))
	default:
		if r.FormValue("Keywords") != "" {
			_, _ = io.WriteString(w, "[]")
			return
		}
		_ = json.NewEncoder(w).Encode(append([]stored{}, h.docs...))
	}
}

const (
	nameA = "a.kbaaaaaaaaaaaaaaa-0000000000.md"
	nameB = "b.kbaaaaaaaaaaaaaab-0000000000.md"
)

func (h *hostile) send(t *testing.T, names ...string) []targets.Result {
	t.Helper()
	var batch []targets.Rendition
	for _, n := range names {
		batch = append(batch, rendition(n, "text"))
	}
	res, err := fake(t, nil, h.ServeHTTP).Upload(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// What an answer tells twice, or about files that were not sent, is looked up.
func TestUploadAnswersThatCannotBe(t *testing.T) {
	for what, answer := range map[string][]stored{
		"one id for two names": {{ID: "foreign", Name: nameA}, {ID: "foreign", Name: nameB}},
		"too many":             {{ID: "foreign", Name: nameA}, {ID: "foreign2", Name: nameB}, {ID: "x", Name: "x.md"}},
		"a name twice":         {{ID: "foreign", Name: nameA}, {ID: "foreign2", Name: nameA}},
		"a copy twice":         {{ID: "1", Name: nameA}, {ID: "foreign", Name: "a.kbaaaaaaaaaaaaaaa-0000000000(1).md"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := &hostile{docs: []stored{{ID: "foreign", Name: "theirs.md"}, {ID: "foreign2", Name: theirName}}}
			h.upload = func(n int, names []string) []stored {
				if n == 1 {
					h.docs = append(h.docs, stored{ID: "1", Name: nameA}, stored{ID: "2", Name: nameB})
				}
				return answer
			}
			res := h.send(t, nameA, nameB)
			if res[0].ID != "1" || res[1].ID != "2" || h.uploads != 1 || len(h.deleted) > 0 {
				t.Errorf("%s: %+v, %d uploads, deleted %q", what, res, h.uploads, h.deleted)
			}
		})
	}
}

// A copy is deleted only when it is listed as one.
func TestCopyWithTheIDOfAnother(t *testing.T) {
	const copyA = "a.kbaaaaaaaaaaaaaaa-0000000000(1).md"
	for listed, deleted := range map[string]int{copyA: 1, theirName: 0, "a.kbaaaaaaaaaaaaaaa-0000000000-b.md": 0} {
		synctest.Test(t, func(t *testing.T) {
			h := &hostile{docs: []stored{{ID: "1", Name: nameA}, {ID: "second", Name: listed}}}
			h.upload = func(int, []string) []stored { return []stored{{ID: "second", Name: copyA}} }
			if res := h.send(t, nameA); res[0].ID != "1" || res[0].Err != nil || len(h.deleted) != deleted {
				t.Errorf("%s: %+v, deleted %q", listed, res, h.deleted)
			}
		})
	}
}

// The mark is what counts in a name that the vendor changed, in the answer and in the list.
func TestNamesThatTheVendorChanges(t *testing.T) {
	const sent, kept = "übersicht.kbaaaaaaaaaaaaaaa-0000000000.md", "ubersicht.kbaaaaaaaaaaaaaaa-0000000000.md"
	for _, lost := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := &hostile{}
			h.upload = func(int, []string) []stored {
				h.docs = append(h.docs, stored{ID: "1", Name: kept})
				if lost {
					return nil
				}
				return h.docs
			}
			if res := h.send(t, sent); res[0].ID != "1" || res[0].Name != kept || h.uploads != 1 {
				t.Errorf("lost %v: %+v, %d uploads", lost, res, h.uploads)
			}
		})
	}
}

// A name without a mark cannot be told from others later, so the document goes again, unless it may be somebody else's.
func TestNamesThatLoseTheirMark(t *testing.T) {
	size := func(n int) *int { return &n }
	for what, c := range map[string]struct {
		listed  stored
		deleted bool
	}{
		"ours":                {stored{"1", "upload.md", size(4)}, true},
		"another size":        {stored{"1", "upload.md", size(5)}, false},
		"no size":             {stored{"1", "upload.md", nil}, false},
		"listed by a name":    {stored{"1", "other.md", size(4)}, false},
		"listed by our names": {stored{"1", theirName, size(4)}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := &hostile{docs: []stored{c.listed}}
			h.upload = func(int, []string) []stored { return []stored{{ID: "1", Name: "upload.md"}} }
			res := h.send(t, nameA)
			if !errors.Is(res[0].Err, fault.ErrRejected) || h.uploads != 1 || (len(h.deleted) == 1) != c.deleted {
				t.Errorf("%s: %v, %d uploads, deleted %q", what, res[0].Err, h.uploads, h.deleted)
			}
			if s := fmt.Sprint(res[0].Err); !strings.Contains(s, "upload.md") || strings.Contains(s, "left over") == c.deleted {
				t.Errorf("%s: %s", what, s)
			}
		})
	}
}
