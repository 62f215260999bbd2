package hamsa

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
)

const pageAt = "https://site.example/a?x=1"

// link is a rendition that is an address; version stands for what is there.
func link(key, address, version string) targets.Rendition {
	k, sum := kb.Key("src/"+key), kb.Sum([]byte(version))
	m := kb.Mark{Scope: kb.NewScope("test", "hamsa"), Key: k.Hash(), Hash: sum.Short()}
	return targets.Rendition{Document: k, Name: kb.RemoteName(k, m, ".url", nameChars), Digest: sum, Link: address}
}

func TestLinkIsAnItemOfItsOwnType(t *testing.T) {
	in(t, nil, func(t *testing.T, target *Target, f *fake) {
		if !target.Limits().Links {
			t.Error("the vendor fetches pages")
		}
		r := link("a.html", pageAt, "v1")
		id := send(t, target, r)[0]
		var body struct{ Items []map[string]string }
		if err := json.Unmarshal([]byte(f.bodies[0]), &body); err != nil || len(body.Items) != 1 {
			t.Fatalf("%q, %v", f.bodies, err)
		}
		if one := body.Items[0]; one["itemName"] != r.Name || one["type"] != "URL" || one["itemUrl"] != pageAt || len(one) != 3 {
			t.Errorf("sent %v", one)
		}
		if got := listed(t, target)[id]; got.Name != r.Name || got.Link != "" || got.Status != targets.StatusDone {
			t.Errorf("listed as %+v", got)
		}
		if again := send(t, target, r)[0]; again != id || len(f.names()) != 1 {
			t.Errorf("the same again became %s, and there are %q", again, f.names())
		}
		// A text that is empty still has a content.
		send(t, target, doc("empty.md", ""))
		if last := f.bodies[len(f.bodies)-1]; !strings.Contains(last, `"content":""`) || strings.Contains(last, "itemUrl") {
			t.Errorf("sent %s", last)
		}
	})
}

func TestLinksThatAreNotSent(t *testing.T) {
	in(t, nil, func(t *testing.T, target *Target, f *fake) {
		before := len(f.requests)
		for _, address := range []string{"ftp://site.example/a", "/a", "https://user:secret@site.example/a?x", "https:///a", "mailto:a@site.example"} {
			res, err := target.Upload(t.Context(), []targets.Rendition{link("a.html", address, "v1")})
			if err != nil || !errors.Is(res[0].Err, fault.ErrRejected) || strings.Contains(res[0].Err.Error(), "secret") {
				t.Errorf("%s: %v, %v", address, res[0].Err, err)
			}
		}
		if len(f.requests) != before {
			t.Errorf("%q", f.requests[before:])
		}
	})
}

// A page that changed is another item, and the old one is retired under its name like any other.
func TestLinkThatChanged(t *testing.T) {
	in(t, nil, func(t *testing.T, target *Target, f *fake) {
		old, now := link("a.html", pageAt, "v1"), link("a.html", pageAt, "v2")
		ids := send(t, target, old, now)
		if ids[0] == ids[1] {
			t.Fatalf("one item for two versions: %q", ids)
		}
		if err := target.Assign(t.Context(), agent1, ids[:1], nil); err != nil {
			t.Fatal(err)
		}
		if err := target.Assign(t.Context(), agent1, ids[1:], ids[:1]); err != nil {
			t.Fatal(err)
		}
		if res := remove(t, target, ids[0]); !res[0].Left {
			t.Errorf("%+v", res)
		}
		if held := f.held(agent1); held != `["`+string(ids[1])+`"]` {
			t.Errorf("held: %s", held)
		}
		if names := f.names(); !slices.Equal(names, []string{old.Name + retiredMark, now.Name}) {
			t.Errorf("%q", names)
		}
		if got := listed(t, target); !got[ids[0]].Retired || got[ids[0]].Name != old.Name || got[ids[1]].Retired {
			t.Errorf("%+v", got)
		}
		moved := link("b.html", pageAt, "v2")
		if r, err := target.Rename(t.Context(), ids[1], moved.Name); err != nil || r.Name != moved.Name {
			t.Errorf("rename: %+v, %v", r, err)
		}
	})
}

func TestLinkCreationInDoubt(t *testing.T) {
	for _, effect := range []bool{true, false} {
		for _, answer := range []struct {
			status int
			body   string
		}{{200, ``}, {200, `{"data":{"id":""}}`}, {500, ``}, {502, `<html>`}, {409, `{"message":"exists"}`}} {
			in(t, nil, func(t *testing.T, target *Target, f *fake) {
				answerOnce(f, http.MethodPost, itemsPath, effect, answer.status, answer.body)
				r := link("a.html", pageAt, "v1")
				res, err := target.Upload(t.Context(), []targets.Rendition{r})
				if answer.status == 409 && !effect { // taken, and not there
					if !errors.Is(res[0].Err, fault.ErrConflict) || len(f.names()) != 0 {
						t.Errorf("%+v, %q", res, f.names())
					}
					return
				}
				if names := f.names(); err != nil || res[0].Err != nil || len(names) != 1 || string(res[0].ID) != f.items[0]["id"] {
					t.Errorf("%v (effect %v): %+v, %v, %q", answer, effect, res, err, names)
				}
			})
		}
	}
}

// A page that the vendor cannot fetch is a failed item with the vendor's reason.
func TestLinkThatCannotBeFetched(t *testing.T) {
	for _, word := range []string{"READING_FAILURE", "INGESTION_FAILURE", "FAILED"} {
		in(t, nil, func(t *testing.T, target *Target, f *fake) {
			f.status = word
			r := link("a.html", pageAt, "v1")
			id := send(t, target, r)[0]
			f.items[0]["failureReason"] = "the page\nanswered 404"
			var got []targets.Remote
			err := target.Statuses(t.Context(), map[targets.RemoteID]string{id: r.Name}, func(r targets.Remote) { got = append(got, r) })
			if err != nil || len(got) != 1 || got[0].Status != targets.StatusFailed || got[0].Detail != "the page answered 404" || got[0].Word != word {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
