package starleads

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"kbsyncd/internal/targets"
)

const (
	ourName   = "mine.kbaaaaaaaaaaaaaaa-0000000000.md"
	theirName = "theirs.kbaaaaaaaaaaaaaab-0000000000.md"
)

// An id that is listed under the name of another document is not the document that was asked for.
func TestStatusesOfAnotherDocument(t *testing.T) {
	for listed, want := range map[string]int{
		ourName: 1, "MINE.KBaaaaaaaaaaaaaaa-0000000000.txt": 1, "mine.kbaaaaaaaaaaaaaaa-0000000000(1).md": 1, "m.kbaaaaaaaaaaaaaaa-0000000000.md": 1,
		theirName: 0, "mine.kbaaaaaaaaaaaaaaa-p0001-0000000000.md": 0, "mine.kbaaaaaaaaaaaaaaa-0000000001.md": 0, "mine.md": 0, "": 0,
	} {
		for _, more := range []int{0, 5} { // found by name, found in the list
			synctest.Test(t, func(t *testing.T) {
				target := fake(t, nil, func(w http.ResponseWriter, _ *http.Request) {
					fmt.Fprintf(w, `[{"id":"x","name":%q,"run":"FAIL"},{"id":"y","name":"plain.md"}]`, listed)
				})
				ids := map[targets.RemoteID]string{"x": ourName, "y": "another.md"}
				for i := range more {
					ids[targets.RemoteID(fmt.Sprint(i))] = "a.md"
				}
				n := 0
				if err := target.Statuses(t.Context(), ids, func(targets.Remote) { n++ }); err != nil || n != want {
					t.Errorf("%s: %d given, %v", listed, n, err)
				}
			})
		}
	}
}

// Whatever a deletion worked for before, only a listing proves that a document is gone.
func TestDeletionsThatDidNothing(t *testing.T) {
	for answer, listings := range map[string]int{
		"404": 1, `{"status":404,"title":"Not Found"}`: 1, "<html><title>Log in</title></html>": 0, "Log in": 0, `{"status":403,"title":"No"}`: 0,
	} {
		synctest.Test(t, func(t *testing.T) {
			lists := 0
			target := fake(t, nil, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodGet:
					lists++
					_, _ = io.WriteString(w, `[{"id":"b","name":"b.md"},{"id":"c","name":"c.md"}]`)
				case strings.HasSuffix(r.URL.Path, "/a"):
				case answer == "404":
					w.WriteHeader(http.StatusNotFound)
				default:
					_, _ = io.WriteString(w, answer)
				}
			})
			res, err := target.Delete(t.Context(), []targets.RemoteID{"a"})
			if err != nil || res[0].Err != nil || lists != 0 {
				t.Fatalf("%+v, %v, %d listings", res, err, lists)
			}
			res, err = target.Delete(t.Context(), []targets.RemoteID{"b", "c"})
			if err != nil || res[0].Err == nil || res[1].Err == nil || lists != listings {
				t.Errorf("%s: %+v, %v, %d listings", answer, res, err, lists)
			}
		})
	}
}

func TestKeyInTheWordsOfADocument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := fake(t, func(c *Config) { c.Dataset, c.DatasetID = "d", "" }, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/document") {
				fmt.Fprintf(w, `[{"id":"x","name":"%[1]s.md","run":"bad %[1]s","error":"for %[1]s"}]`, testKey)
				return
			}
			fmt.Fprintf(w, `[{"id":"ds","name":"d","chunkMethod":"%s"}]`, testKey)
		})
		mustConnect(t, target)
		err := target.List(t.Context(), func(r targets.Remote) error {
			if s := fmt.Sprintf("%+v", r); strings.Contains(s, testKey) || !strings.Contains(s, "for [redacted]") {
				t.Error(s)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}
