package hamsa

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// answerOnce lets the fake answer the next requests to a path with these bodies, after their effect if it should have one.
func answerOnce(f *fake, method, path string, effect bool, status int, bodies ...string) {
	f.hook = func(w http.ResponseWriter, r *http.Request, body string) bool {
		if r.Method != method || r.URL.Path != path || len(bodies) == 0 {
			return false
		}
		answer := bodies[0]
		bodies = bodies[1:]
		if effect {
			f.route(r, []byte(body))
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
		return true
	}
}

// vague are answers of a creation that name no item.
var vague = []string{
	``, `{}`, `[]`, `null`, `"ok"`, `12`, `{"success":true,"message":"done"}`, `{"success":false,"message":"done"}`, `{"data":null}`, `{"data":[]}`,
	`{"data":{"items":[]}}`, `{"data":{"itemName":"x"}}`, `{"data":{"id":""}}`, `{"data":{"id":null}}`, `{"data":{"id":".."}}`, `}{`, `<html>`,
	`{"data":{"id":{"$oid":"x"}}}`, `{"data":[1,2]}`, `{"data":"created"}`,
}

func TestCreationAnsweredVaguely(t *testing.T) {
	for _, effect := range []bool{true, false} {
		for _, answer := range vague {
			in(t, nil, func(t *testing.T, target *Target, f *fake) {
				answerOnce(f, http.MethodPost, itemsPath, effect, 200, answer)
				r := doc("a.md", "a")
				id := send(t, target, r)[0]
				if names := f.names(); len(names) != 1 || names[0] != r.Name || string(id) != f.items[0]["id"] {
					t.Errorf("%q (effect %v): %s, %q", answer, effect, id, names)
				}
				want := 2
				if effect {
					want = 1
				}
				if n := f.count("POST"); n != want {
					t.Errorf("%q (effect %v): sent %d times", answer, effect, n)
				}
			})
		}
	}
}

func TestCreationAnsweredOtherwise(t *testing.T) {
	r := doc("a.md", "a")
	for answer, want := range map[string]string{
		`{"id":"n1","itemName":%q}`:                                             "n1",
		`{"data":{"id":17,"itemName":%q}}`:                                      "17",
		`{"data":[{"id":"n1","itemName":%q}]}`:                                  "n1",
		`{"data":{"items":[{"id":"n0","itemName":"z"},{"id":"n1","name":%q}]}}`: "n1",
		`{"data":{"item":{"id":"n1","itemName":%q,"extension":7}}}`:             "n1",
		`[{"id":"n1","itemName":%q,"fileSize":{"a":1},"wordsNumber":"many"}]`:   "n1",
	} {
		in(t, nil, func(t *testing.T, target *Target, f *fake) {
			answerOnce(f, http.MethodPost, itemsPath, false, 200, fmt.Sprintf(answer, r.Name))
			if id := send(t, target, r)[0]; string(id) != want {
				t.Errorf("%s: %s instead of %s", answer, id, want)
			}
		})
	}
	in(t, nil, func(t *testing.T, target *Target, f *fake) {
		answerOnce(f, http.MethodPost, itemsPath, false, 200, `{"data":{"id":"n1","itemName":"a"}}`)
		res, err := target.Upload(t.Context(), []targets.Rendition{r})
		if err != nil || !errors.Is(res[0].Err, fault.ErrRejected) || f.count("POST") != 1 {
			t.Errorf("another name: %+v, %v, sent %d times", res, err, f.count("POST"))
		}
	})
}

func TestCreationRefused(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		class  error
		sent   int
	}{
		{400, `{"success":false,"message":"Content is empty","messageKey":"ValidationError"}`, fault.ErrRejected, 1},
		{422, `{"statusCode":422,"message":["content must be shorter","and plain"],"error":"Unprocessable Entity"}`, fault.ErrRejected, 1},
		{413, `{}`, fault.ErrTooLarge, 1},
		{402, `{"message":"upgrade"}`, fault.ErrQuota, 1},
		{404, `{"statusCode":404,"message":"Cannot POST","error":"Not Found"}`, fault.ErrSetup, 1},
		{401, `{}`, fault.ErrDenied, 1},
		{409, `{"message":"itemName is taken"}`, fault.ErrConflict, 1},
		{200, `{"statusCode":401,"message":"no"}`, fault.ErrDenied, 1},
	} {
		in(t, nil, func(t *testing.T, target *Target, f *fake) {
			answerOnce(f, http.MethodPost, itemsPath, false, c.status, c.body)
			res, err := target.Upload(t.Context(), []targets.Rendition{doc("a.md", "a")})
			if !errors.Is(res[0].Err, c.class) || f.count("POST") != c.sent || (err != nil) != fault.StopsTarget(c.class) {
				t.Errorf("%d %s: %v, %v, sent %d times", c.status, c.body, res[0].Err, err, f.count("POST"))
			}
		})
	}
	// A refusal inside a 200 may be one or not; what is in the store decides.
	for _, effect := range []bool{true, false} {
		in(t, nil, func(t *testing.T, target *Target, f *fake) {
			answerOnce(f, http.MethodPost, itemsPath, effect, 200, `{"statusCode":500,"message":"timeout"}`, `{"error":"timeout"}`)
			r := doc("a.md", "a")
			res, err := target.Upload(t.Context(), []targets.Rendition{r})
			if err != nil || len(f.names()) > 1 || effect && res[0].Err != nil {
				t.Errorf("effect %v: %+v, %v, %q", effect, res, err, f.names())
			}
		})
	}
	in(t, nil, func(t *testing.T, target *Target, f *fake) {
		r := doc("a.md", "a")
		there := f.put(r.Name, "FAILED")
		good := f.put(r.Name, "PROCESSED")
		answerOnce(f, http.MethodPost, itemsPath, false, 409, `{"message":"itemName is taken"}`)
		if id := send(t, target, r)[0]; string(id) != good {
			t.Errorf("adopted %s of %s and %s", id, there, good)
		}
	})
}

func TestUploadRefusesWhatCannotBeSent(t *testing.T) {
	in(t, func(c *Config) { c.MaxChars = 1000 }, func(t *testing.T, target *Target, f *fake) {
		long, big, binary := doc("a.md", "a"), doc("b.md", strings.Repeat("b", 1001)), doc("c.md", "\xff\xfe")
		long.Name = strings.Repeat("x", nameChars+1)
		before := len(f.requests)
		res, err := target.Upload(t.Context(), []targets.Rendition{long, big, binary})
		if err != nil {
			t.Fatal(err)
		}
		for i, class := range []error{fault.ErrRejected, fault.ErrTooLarge, fault.ErrRejected} {
			if !errors.Is(res[i].Err, class) {
				t.Errorf("%d: %v", i, res[i].Err)
			}
		}
		if len(f.requests) != before {
			t.Errorf("asked %q", f.requests[before:])
		}
	})
}

func TestListAnsweredBadly(t *testing.T) {
	for _, answer := range append(vague,
		`{"data":{"items":null}}`, `{"data":{"total":3,"items":[]}}`, `{"data":{"total":1,"filtered":1,"items":[{"itemName":"x"}]}}`,
		`{"data":{"total":1,"items":["x"]}}`, `{"data":{"total":2,"filtered":2,"items":[{"id":"a"},{"id":"a"}]}}`, `{"data":{"items":{"a":1}}}`,
	) {
		if answer == `{"data":[]}` || answer == `{"data":{"items":[]}}` {
			continue // empty lists without a count
		}
		in(t, nil, func(t *testing.T, target *Target, f *fake) {
			f.put("theirs", "PROCESSED")
			answers := make([]string, 100)
			for i := range answers {
				answers[i] = answer
			}
			answerOnce(f, http.MethodGet, itemsPath+"/list", false, 200, answers...)
			err := target.List(t.Context(), func(targets.Remote) error { return nil })
			if !errors.Is(err, fault.ErrIncomplete) {
				t.Errorf("%s: %v", answer, err)
			}
		})
	}
}

func TestListAnsweredOtherwise(t *testing.T) {
	for _, answer := range []string{
		`{"data":{"total":2,"filtered":2,"items":[{"id":1},{"id":"2","itemName":null,"status":5}]}}`,
		`{"data":{"total":"2","filtered":"2","items":[{"id":"1"},{"id":"2"}]}}`,
		`{"total":2,"items":[{"id":"1"},{"id":"2"}]}`,
		`{"total":2,"data":[{"id":"1"},{"id":"2"}]}`,
		`{"success":false,"message":"x","data":{"total":2,"items":[{"id":"1"},{"id":"2"},{"id":"2"}]}}`,
	} {
		in(t, nil, func(t *testing.T, target *Target, f *fake) {
			answerOnce(f, http.MethodGet, itemsPath+"/list", false, 200, answer)
			if got := listed(t, target); len(got) != 2 {
				t.Errorf("%s: %+v", answer, got)
			}
		})
	}
	in(t, nil, func(t *testing.T, target *Target, f *fake) {
		answerOnce(f, http.MethodGet, itemsPath+"/list", false, 200, `{"data":{"total":0,"filtered":0,"items":null}}`)
		if got := listed(t, target); len(got) != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// Items that go while the list is read shift others to pages that were read before.
func TestListWhileItemsGo(t *testing.T) {
	in(t, nil, func(t *testing.T, target *Target, f *fake) {
		for i := range 250 {
			f.put(fmt.Sprintf("theirs %d", i), "PROCESSED")
		}
		pages := 0
		f.after = func(string, string) {
			if pages++; pages == 1 || pages == 4 {
				f.items = f.items[3:]
			}
		}
		got := listed(t, target)
		for _, it := range f.items {
			if _, ok := got[targets.RemoteID(it["id"].(string))]; !ok {
				t.Errorf("%v is not listed", it["itemName"])
			}
		}
	})
}

// A page that holds the texts of its items may be too long for one answer.
func TestListOfLongTexts(t *testing.T) {
	in(t, nil, func(t *testing.T, target *Target, f *fake) {
		for range 5 {
			f.add("theirs", "", "PROCESSED")
		}
		big := strings.Repeat("x", mostAnswer/4)
		f.hook = func(_ http.ResponseWriter, r *http.Request, _ string) bool {
			for i := range f.items {
				f.items[i]["content"] = ""
				if r.URL.Query().Get("take") == "100" {
					f.items[i]["content"] = big
				}
			}
			return false
		}
		if got := listed(t, target); len(got) != 5 || target.take.Load() != 25 {
			t.Errorf("%d items, pages of %d", len(got), target.take.Load())
		}
	})
}

func TestRenameAnsweredBadly(t *testing.T) {
	now := doc("now.md", "a").Name
	for answer, good := range map[string]bool{
		``: true, `{"success":false}`: true, `{"data":{}}`: true, `{"data":{"id":"other","itemName":"x"}}`: true,
		`{"data":{"id":"item-0001","itemName":"cut"}}`: false, `{"statusCode":404,"message":"gone"}`: false,
	} {
		in(t, nil, func(t *testing.T, target *Target, f *fake) {
			id := send(t, target, doc("old.md", "a"))[0]
			answerOnce(f, http.MethodPatch, itemsPath+"/"+string(id), true, 200, answer)
			r, err := target.Rename(t.Context(), id, now)
			if (err == nil) != good || good && (r.Name != now || r.ID != id) {
				t.Errorf("%q: %+v, %v", answer, r, err)
			}
		})
	}
}

func TestNames(t *testing.T) {
	k := kb.Key("src/" + strings.Repeat("日本語", 60) + ".md")
	m := kb.Mark{Scope: kb.NewScope("a", "b"), Key: k.Hash(), Part: 3, Hash: kb.Sum([]byte("x")).Short()}
	for _, max := range []int{60, 100, 239, 240, 241, 245, 249, 250} {
		name := kb.RemoteName(k, m, ".md", max)
		gone := retiredName(name)
		former, older, ok := formerName(gone)
		if !ok || len(gone) > nameChars || !adapter.SameDocument(name, former) || !kb.NamedFor(k, former) {
			t.Errorf("%q became %q and came back as %q", name, gone, former)
		}
		if got, _, ok := kb.ParseName(older); !ok || got.Key != m.Key || got.Part != m.Part || got.Hash == m.Hash {
			t.Errorf("%q as an older version is %q", name, older)
		}
	}
	for _, name := range []string{"", retiredMark, "x" + retiredMark, "notes (retired) (retired)", kb.RemoteName(k, m, ".md", 250)} {
		if _, _, ok := formerName(name); ok {
			t.Errorf("%q counts as retired", name)
		}
	}
}
