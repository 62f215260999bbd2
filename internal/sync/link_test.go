package sync_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/sync"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/targettest"
)

const siteAddress = "https://docs.example.com/"

// pageOf is what stands at an address of the second source.
func (w *world) pageOf(address string) (string, bool) {
	path, ok := strings.CutPrefix(address, siteAddress)
	text, there := w.truth[kb.NewKey("site", path)]
	return text, ok && there
}

// linking makes the second source hand out addresses.
func (w *world) linking() {
	w.sources[1].SetLinks(siteAddress)
	w.vendor.SetPages(w.pageOf)
}

func (w *world) page(path, text string) {
	w.sources[1].Put(path, []byte(text))
	w.truth[kb.NewKey("site", path)] = text
}

// inLinkWorld runs fn for vendors whose links have names and for those whose links have none.
func inLinkWorld(t *testing.T, fn func(w *world)) {
	t.Helper()
	for name, shape := range map[string]func(*targettest.Memory) targets.Target{
		"named": (*targettest.Memory).AsLinks, "bare": (*targettest.Memory).AsBareLinks,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 7)
				w.to = shape(w.vendor)
				w.linking()
				w.put("text.md", "# text\n")
				w.page("a", "# a\n")
				w.page("b", "# b\n")
				if e := w.pass(t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || e.Uploaded != 3 {
					w.fatalf("the first pass ended %s with %d uploads: %s %v", e.Outcome, e.Uploaded, e.Error, e.Failed)
				}
				w.checkLinks(2)
				fn(w)
				w.checkEqual(kb.NewScope("test", "support"))
				w.checkForeign()
			})
		})
	}
}

// checkLinks holds that so many documents of ours were made of addresses.
func (w *world) checkLinks(want int) {
	w.t.Helper()
	n := 0
	for _, d := range w.vendor.Documents() {
		if d.Link != "" && !d.Foreign {
			n++
		}
	}
	if n != want {
		w.fatalf("%d documents were made of addresses, want %d", n, want)
	}
}

func (w *world) quiet() {
	w.t.Helper()
	before := len(w.vendor.Calls())
	if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || e.Changed() != 0 || len(w.vendor.Calls()) != before {
		w.fatalf("an unchanged pass ended %s with %d changes and %d requests", e.Outcome, e.Changed(), len(w.vendor.Calls())-before)
	}
}

func TestLinksAreHandedOver(t *testing.T) {
	inLinkWorld(t, func(w *world) {
		if w.sources[1].Opens() != 0 {
			w.fatalf("%d pages were read", w.sources[1].Opens())
		}
		w.quiet()
		w.page("a", "# a, edited\n")
		if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || e.Replaced != 1 {
			w.fatalf("an edit: %+v", e)
		}
		w.checkEqual(kb.NewScope("test", "support"))
		w.sources[1].Remove("b")
		delete(w.truth, "site/b")
		if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || e.Deleted != 1 {
			w.fatalf("a deletion: %+v", e)
		}
		w.checkLinks(1)
		w.quiet()
		if e := w.pass(w.t.Context(), sync.Options{Reconcile: true}); e.Outcome != sync.OutcomeOK || e.Changed() != 0 {
			w.fatalf("a pass that lists: %+v", e)
		}
	})
}

func TestLinksAreFoundAgainWithoutState(t *testing.T) {
	inLinkWorld(t, func(w *world) {
		removeState(w)
		if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || e.Uploaded+e.Replaced+e.Deleted != 0 || e.Adopted != 3 {
			w.fatalf("without state: %+v", e)
		}
		w.quiet()
		w.page("a", "# a, edited\n")
		if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || e.Replaced != 1 {
			w.fatalf("an edit: %+v", e)
		}
	})
}

// A link of somebody else stays, also when everything of ours goes.
func TestLinksOfStrangersStay(t *testing.T) {
	inLinkWorld(t, func(w *world) {
		id := w.vendor.PutLink("theirs", "https://docs.example.com/theirs")
		w.sources[1].Remove("a")
		w.sources[1].Remove("b")
		delete(w.truth, "site/a")
		delete(w.truth, "site/b")
		if e := w.pass(w.t.Context(), sync.Options{AllowDeletes: true, Reconcile: true}); e.Outcome != sync.OutcomeOK || e.Deleted != 2 {
			w.fatalf("%+v", e)
		}
		if v := w.vendor.Violations(); len(v) > 0 {
			w.fatalf("%q", v)
		}
		for _, d := range w.vendor.Documents() {
			if d.ID == id {
				w.foreign[d.Name] = string(d.Content)
				return
			}
		}
		w.fatalf("their link is gone")
	})
}

// Another way of delivery makes the documents anew, and the old ones go once the new ones are searchable.
func TestLinksAndContentTakeTurns(t *testing.T) {
	inLinkWorld(t, func(w *world) {
		for _, links := range []string{"", siteAddress, ""} {
			w.sources[1].SetLinks(links)
			if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || e.Replaced != 2 || e.Uploaded != 0 {
				w.fatalf("links %q: %+v", links, e)
			}
			n := 2
			if links == "" {
				n = 0
			}
			w.checkLinks(n)
			w.checkEqual(kb.NewScope("test", "support"))
			w.quiet()
		}
	})
}

// A vendor that fetches no pages is sent the content, and the report says so.
func TestContentGoesWhereNoLinksAreTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 7)
		w.linking()
		w.page("a", "# a\n")
		e := w.pass(t.Context(), sync.Options{})
		if e.Outcome != sync.OutcomeOK || e.Uploaded != 1 || len(e.Notes) != 2 || !strings.Contains(e.Notes[0], "deliver: link") ||
			!strings.Contains(e.Notes[1], "source docs has no document") {
			w.fatalf("%+v", e)
		}
		w.checkLinks(0)
		w.checkEqual(kb.NewScope("test", "support"))
	})
}
