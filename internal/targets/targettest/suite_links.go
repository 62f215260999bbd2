package targettest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
)

// LinkPages is the backend of a target with Limits.Links.
type LinkPages interface {
	// SetPage says what stands at an address from now on.
	SetPage(address, text string)
	// BreakPage says that nothing can be fetched from an address from now on.
	BreakPage(address string)
	// PutLink adds a document of somebody else for an address; the name counts where such documents have one.
	PutLink(name, address string) targets.RemoteID
}

// linksCase is a case for targets that take addresses.
func linksCase(name string, run func(*env, LinkPages)) testCase {
	return testCase{"links: " + name, func(e *env) {
		if !e.Target.Limits().Links {
			e.Skip("takes no addresses")
		}
		b, ok := e.Backend.(LinkPages)
		if !ok {
			e.Fatalf("the backend %T is no LinkPages", e.Backend)
		}
		e.connect()
		run(e, b)
	}}
}

// link makes a rendition of a page as the engine does: without bytes, and with a digest that is another when the page is.
func link(key, address, text string) targets.Rendition {
	k := kb.Key("src/" + key)
	sum := kb.Sum([]byte(address + "\n" + text))
	m := kb.Mark{Scope: kb.NewScope("test", "suite"), Key: k.Hash(), Hash: sum.Short()}
	return targets.Rendition{Document: k, Name: kb.RemoteName(k, m, ".url", 255), Digest: sum, Link: address}
}

// page sets a page and makes a rendition of it.
func (e *env) page(b LinkPages, key, text string) targets.Rendition {
	address := "https://docs.example.com/" + key + "?lang=en&v=1"
	b.SetPage(address, text)
	return link(key, address, text)
}

// ofPage are the documents in the store that are this rendition's, of whatever version: they have a name of ours for its
// document, or no name but its address.
func (e *env) ofPage(r targets.Rendition) (out []Stored) {
	for _, d := range e.stored() {
		m, _, ours := kb.ParseName(d.Name)
		if d.Name == "" && d.Link == r.Link || d.Name == r.Link || ours && m.Key == r.Document.Hash() {
			out = append(out, d)
		}
	}
	return out
}

// knows checks that the store holds one document for a page, with this content.
func (e *env) knows(r targets.Rendition, text string) {
	e.Helper()
	switch got := e.ofPage(r); {
	case len(got) != 1:
		e.Errorf("%s is in the store %d times", r.Link, len(got))
	case string(got[0].Content) != text:
		e.Errorf("%s is in the store with %q instead of %q", r.Link, got[0].Content, text)
	}
}

// lists checks how a page is listed: by its name, or by nothing but its address.
func (e *env) lists(id targets.RemoteID, r targets.Rendition) {
	e.Helper()
	got, ok := e.mustList()[id]
	switch {
	case !ok:
		e.Errorf("%s is not listed as %s", r.Link, id)
	case got.Link == "" && got.Name != r.Name, got.Link != "" && got.Link != r.Link:
		e.Errorf("%s is listed as %+v", r.Name, got)
	}
	if _, _, marked := kb.ParseName(got.Name); marked && got.Link != "" {
		e.Errorf("both a name of ours and an address are listed: %+v", got)
	}
}

// bare tells whether the listing gives a document by its address only.
func (e *env) bare(id targets.RemoteID) bool {
	e.Helper()
	return e.mustList()[id].Link != ""
}

// neverDone looks for a good while at a document whose page cannot be fetched. Vendors that tell of failures tell why; from
// others it is enough that it never becomes searchable.
func (e *env) neverDone(id targets.RemoteID, r targets.Rendition) {
	e.Helper()
	s, ok := e.Target.(targets.Settler)
	if !ok {
		return
	}
	if _, err := s.Start(e.Context(), []targets.RemoteID{id}); e.note(err) != nil {
		e.Fatal(err)
	}
	for range 100 {
		var got targets.Remote
		err := s.Statuses(e.Context(), map[targets.RemoteID]string{id: r.Name}, func(r targets.Remote) { got = r })
		switch {
		case e.note(err) != nil:
			e.Fatal(err)
		case got.Status == targets.StatusDone:
			e.Fatalf("it is searchable: %+v", got)
		case got.Status == targets.StatusFailed && got.Detail == "":
			e.Fatalf("it failed without a reason: %+v", got)
		case got.Status == targets.StatusFailed:
			return
		}
		after(15 * time.Second)
	}
}

// change brings a new version of a page as the engine does: in place where the target can replace a document that has no
// name of its own, else as a new document before the old one goes.
func (e *env) change(old targets.RemoteID, now targets.Rendition) (id targets.RemoteID) {
	e.Helper()
	if r, ok := e.Target.(targets.Replacer); ok {
		res := r.Replace(e.Context(), old, now)
		if e.note(res.Err) != nil || res.ID == "" {
			e.Fatalf("replace %s: %+v", old, res)
		}
		e.done([]targets.RemoteID{res.ID}, now)
		return res.ID
	}
	id = e.live(now)[0]
	if id == old {
		e.Fatalf("a new version of %s was taken for the old one", now.Link)
	}
	e.mustDelete(old)
	return id
}

var linking = []testCase{
	linksCase("a page becomes searchable and is listed", func(e *env, b LinkPages) {
		pages := []targets.Rendition{e.page(b, "a.html", "page a"), e.page(b, "b/", "page b")}
		ids := e.live(pages...)
		e.knows(pages[0], "page a")
		e.knows(pages[1], "page b")
		e.lists(ids[0], pages[0])
		e.lists(ids[1], pages[1])
	}),
	linksCase("pages and contents together", func(e *env, b LinkPages) {
		page, text := e.page(b, "a.html", "page a"), doc("a.md", "text a")
		ids := e.live(text, page)
		e.exactly(text)
		e.knows(page, "page a")
		e.lists(ids[0], text)
		e.lists(ids[1], page)
	}),
	linksCase("twice is once", func(e *env, b LinkPages) {
		page := e.page(b, "a.html", "page a")
		first, again := e.live(page), e.mustUpload(page)
		if first[0] != again[0] {
			e.Errorf("%s, then %s", first[0], again[0])
		}
		e.knows(page, "page a")
	}),
	linksCase("faults that pass leave one copy", func(e *env, b LinkPages) {
		for i, f := range passing {
			page := e.page(b, fmt.Sprintf("page-%d.html", i), "text")
			f.Op, f.Times = OpUpload, 1
			if !e.Backend.Inject(f) {
				continue
			}
			e.overcome(f, e.upload(e.Context(), []targets.Rendition{page})[0].Err)
			if n := len(e.ofPage(page)); n > 1 {
				e.Errorf("%+v left %d copies", f, n)
			}
			e.Backend.Heal()
			e.live(page)
			e.knows(page, "text")
		}
	}),
	linksCase("a change", func(e *env, b LinkPages) {
		other := e.page(b, "other.html", "stays")
		id, kept := e.live(e.page(b, "a.html", "text 0"))[0], e.live(other)[0]
		for i := range 3 {
			text := fmt.Sprintf("text %d", i+1)
			now := e.page(b, "a.html", text)
			id = e.change(id, now)
			e.knows(now, text)
			e.lists(id, now)
		}
		e.knows(other, "stays")
		e.lists(kept, other)
		if n := len(e.mustList()); n != 2 {
			e.Errorf("%d documents are listed instead of 2", n)
		}
	}),
	linksCase("a change that is interrupted", interruptedChange),
	linksCase("a page that cannot be fetched", func(e *env, b LinkPages) {
		page, text := e.page(b, "a.html", "page a"), doc("a.md", "text a")
		b.BreakPage(page.Link)
		res := e.upload(e.Context(), []targets.Rendition{page, text})
		if res[1].Err != nil {
			e.Errorf("the other document: %v", res[1].Err)
		}
		if res[0].Err != nil {
			if !errors.Is(res[0].Err, fault.ErrRejected) {
				e.Errorf("refused with another class: %v", res[0].Err)
			}
			return
		}
		e.neverDone(res[0].ID, page)
		e.mustDelete(res[0].ID)
		b.SetPage(page.Link, "there again")
		e.live(page)
		e.knows(page, "there again")
	}),
	linksCase("foreign pages are not touched", func(e *env, b LinkPages) {
		const address = "https://elsewhere.example.com/theirs"
		b.SetPage(address, "by hand")
		theirs := b.PutLink("theirs", address)
		page := e.page(b, "a.html", "text 0")
		id := e.live(page)[0]
		got, listed := e.mustList()[theirs]
		_, _, ours := kb.ParseName(got.Name)
		if !listed || ours || e.bare(id) && got.Link != address {
			e.Errorf("theirs is listed as %+v", got)
		}
		id = e.change(id, e.page(b, "a.html", "text 1"))
		e.mustDelete(id)
		if !slices.ContainsFunc(e.stored(), func(d Stored) bool { return d.ID == theirs && string(d.Content) == "by hand" }) {
			e.Errorf("theirs is gone or another one: %+v", e.stored())
		}
		if all := e.mustList(); len(all) != 1 || all[theirs].ID != theirs {
			e.Errorf("%v are listed", all)
		}
	}),
	linksCase("a page that is there already", func(e *env, b LinkPages) {
		page := e.page(b, "a.html", "page a")
		there := b.PutLink("theirs", page.Link)
		id := e.live(page)[0]
		e.knows(page, "page a")
		if bare := e.bare(id); bare != (id == there) {
			e.Errorf("known by its address only: %v; the one that was there, %s, was taken as %s", bare, there, id)
		}
	}),
	linksCase("a change of a page that is gone", func(e *env, b LinkPages) {
		r, ok := e.Target.(targets.Replacer)
		if !ok {
			e.Skip("is no Replacer")
		}
		id := e.live(e.page(b, "a.html", "old text"))[0]
		e.mustDelete(id)
		now := e.page(b, "a.html", "new text")
		if res := r.Replace(e.Context(), id, now); e.note(res.Err) != nil && !errors.Is(res.Err, fault.ErrNotFound) {
			e.Errorf("%+v", res)
		}
		e.live(now)
		e.knows(now, "new text")
	}),
	linksCase("delete", func(e *env, b LinkPages) {
		gone, kept := e.page(b, "a.html", "page a"), e.page(b, "b.html", "page b")
		ids := e.live(gone, kept)
		e.mustDelete(ids[0])
		e.mustDelete(ids[0])
		if n := len(e.ofPage(gone)); n != 0 {
			e.Errorf("%d copies are left", n)
		}
		e.knows(kept, "page b")
		e.live(gone)
		e.knows(gone, "page a")
	}),
	linksCase("a cancelled context starts nothing", func(e *env, b LinkPages) {
		ctx, cancel := context.WithCancel(e.Context())
		cancel()
		before := e.Backend.Requests()
		if res, _ := e.Target.Upload(ctx, []targets.Rendition{e.page(b, "a.html", "text")}); res[0].Err == nil || e.Backend.Requests() != before {
			e.Errorf("%+v", res)
		}
	}),
}

// interruptedChange ends a change while the old document may be gone and the new one cannot be made; the next one works.
func interruptedChange(e *env, b LinkPages) {
	old := e.page(b, "a.html", "old text")
	id := e.live(old)[0]
	now := e.page(b, "a.html", "new text")
	r, replaces := e.Target.(targets.Replacer)
	if replaces && !e.bare(id) {
		e.Skip("replaces pages in one step")
	}
	e.inject(Fault{Op: OpUpload, Status: http.StatusServiceUnavailable})
	if replaces {
		res := r.Replace(e.Context(), id, now)
		if e.note(res.Err) == nil {
			e.Fatalf("replaced while nothing can be created: %+v", res)
		}
		e.classed(res.Err)
	} else {
		res := e.upload(e.Context(), []targets.Rendition{now})
		if res[0].Err == nil {
			e.Fatal("uploaded while nothing can be created")
		}
		e.knows(old, "old text")
	}
	if n := len(e.ofPage(old)); n > 1 {
		e.Errorf("%d documents for one address", n)
	}
	e.Backend.Heal()

	if _, there := e.mustList()[id]; there {
		e.change(id, now)
	} else {
		e.live(now)
	}
	e.knows(now, "new text")
}
