package targettest

import (
	"errors"
	"strings"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/targets"
)

var leaving = []testCase{
	{"what cannot be deleted is out of use", func(e *env) {
		e.connect()
		all := docs(2, "a")
		ids := e.mustUpload(all...)
		if !e.mustDelete(ids[0]) {
			e.Skip("documents are deleted")
		}
		r, ok := e.listed(ids[0])
		if !ok || !r.Retired || r.Name != all[0].Name {
			e.Errorf("listed as %+v", r)
		}
		if r, ok := e.listed(ids[1]); !ok || r.Retired {
			e.Errorf("the other one is listed as %+v", r)
		}
		if e.copies(all[0]) != 0 {
			e.Error("it counts as a copy")
		}
		e.exactly(all[1])
		e.mustDelete(ids[0])
		e.mustUpload(all[0])
		e.exactly(all...)
	}},
	{"reindex", func(e *env) {
		x, ok := e.Target.(targets.Reindexer)
		if !ok {
			e.Skip("is no Reindexer")
		}
		e.connect()
		all := docs(3, "a")
		ids := e.live(all...)
		if res, err := x.Reindex(e.Context(), nil); err != nil || len(res) != 0 {
			e.Errorf("nothing to index: %v, %v", res, err)
		}
		left := e.mustDelete(ids[1])
		res, err := x.Reindex(e.Context(), ids)
		if e.note(err) != nil || len(res) != 3 || e.note(res[0].Err) != nil || e.note(res[2].Err) != nil {
			e.Fatalf("%+v, %v", res, err)
		}
		if !left && !errors.Is(e.note(res[1].Err), fault.ErrNotFound) {
			e.Errorf("the absent one: %+v", res[1])
		}
		if s, ok := e.Target.(targets.Settler); ok {
			e.settle(s, []targets.RemoteID{ids[0], ids[2]}, []targets.Rendition{all[0], all[2]})
		}
		e.exactly(all[0], all[2])
	}},
	{"search", func(e *env) {
		s, ok := e.Target.(targets.Searcher)
		if !ok {
			e.Skip("is no Searcher")
		}
		e.connect()
		const question = "zebra crossing"
		ids := e.live(doc("zebra.md", "The zebra crossing is closed on Mondays.\n"), doc("other.md", "Nothing of that kind.\n"))
		for _, top := range []int{1, 5} {
			hits, err := s.Search(e.Context(), question, top)
			if e.note(err) != nil {
				e.Fatal(err)
			}
			if len(hits) == 0 || len(hits) > top {
				e.Fatalf("%d hits of at most %d", len(hits), top)
			}
			if h := hits[0]; !strings.Contains(h.Text, "zebra") || h.ID != "" && h.ID != ids[0] {
				e.Errorf("found %+v", h)
			}
		}
	}},
}

// listed is how a document is listed, in use or not.
func (e *env) listed(id targets.RemoteID) (targets.Remote, bool) {
	e.Helper()
	all, err := e.listAll()
	if err != nil {
		e.Fatalf("list: %v", err)
	}
	r, ok := all[id]
	return r, ok
}
