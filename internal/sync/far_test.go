package sync_test

import (
	"slices"
	"strings"
	"testing"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sync"
)

// Content that is far away is fetched at once for all documents that are read, and for no other.
func TestFarContentIsFetchedTogether(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		for _, name := range []string{"a.md", "b.md", "c.md", "film.mp4"} {
			w.sources[1].Put(name, []byte("# "+name+"\n"))
			w.truth[kb.NewKey("site", name)] = "# " + name + "\n"
		}
		delete(w.truth, "site/film.mp4")
		if e := w.pass(w.t.Context(), sync.Options{}); e.Uploaded != 3 {
			w.fatalf("%d uploads: %s %v", e.Uploaded, e.Error, e.Failed)
		}
		if got := w.far.Fetches(); !slices.Equal(got, []int{3}) {
			w.fatalf("fetched in batches of %v", got)
		}
		w.checkEqual(kb.NewScope("test", "support"))
		if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || len(w.far.Fetches()) != 1 {
			w.fatalf("an unchanged pass ended %s and fetched %v", e.Outcome, w.far.Fetches())
		}
		// A listing that agrees with the records needs no content either.
		if e := w.pass(w.t.Context(), sync.Options{Reconcile: true}); e.Outcome != sync.OutcomeOK || len(w.far.Fetches()) != 1 {
			w.fatalf("a pass that lists ended %s and fetched %v", e.Outcome, w.far.Fetches())
		}
	})
}

// Content that cannot be fetched is a failure of its source: nothing of it is deleted, and the other source goes on.
func TestFarContentThatCannotBeHad(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		w.sources[1].Put("old.md", []byte("# old\n"))
		if e := w.pass(w.t.Context(), sync.Options{}); e.Uploaded != 1 {
			w.fatalf("%+v", e)
		}
		w.sources[1].Put("new.md", []byte("# new\n"))
		w.sources[1].Remove("old.md")
		w.put("more.md", "# more\n")
		w.far.FailFetch(fault.New(fault.ErrIncomplete, "the line is dead"))
		e := w.pass(w.t.Context(), sync.Options{AllowDeletes: true})
		if e.Outcome != sync.OutcomeIncomplete || e.Uploaded != 1 || e.Deleted != 0 || !strings.Contains(e.Error, "the line is dead") {
			w.fatalf("%s, %d uploads, %d deletions: %s", e.Outcome, e.Uploaded, e.Deleted, e.Error)
		}
		w.far.FailFetch(nil)
		if e := w.pass(w.t.Context(), sync.Options{AllowDeletes: true}); e.Outcome != sync.OutcomeOK || e.Uploaded != 1 || e.Deleted != 1 {
			w.fatalf("%s, %d uploads, %d deletions: %s", e.Outcome, e.Uploaded, e.Deleted, e.Error)
		}
		delete(w.truth, "site/old.md")
		w.truth["site/new.md"] = "# new\n"
		w.checkEqual(kb.NewScope("test", "support"))
	})
}
