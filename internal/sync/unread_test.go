package sync_test

import (
	"testing"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sync"
)

// P2: a document that was renamed and cannot be read under its new name keeps its old version.
func TestRenamedDocumentThatCannotBeReadStays(t *testing.T) {
	inWorld(t, 4, func(w *world) {
		w.sources[0].Rename("page-00001.md", "moved.md")
		w.remove("page-00002.md")
		w.put("new.txt", "a new text\n")
		w.sources[0].FailOpen("moved.md", fault.New(fault.ErrChanged, "it grows"))
		for _, list := range []bool{false, true} {
			e := w.pass(w.t.Context(), sync.Options{AllowDeletes: true, Reconcile: list})
			if e.Outcome != sync.OutcomeIncomplete || e.Deleted != 0 || len(e.Pending) != 3 {
				w.fatalf("%s, %d deleted, pending %v", e.Outcome, e.Deleted, e.Pending)
			}
		}
		w.sources[0].FailOpen("moved.md", nil)
		w.truth["docs/moved.md"] = w.truth["docs/page-00001.md"]
		delete(w.truth, "docs/page-00001.md")
		if e := w.pass(w.t.Context(), sync.Options{AllowDeletes: true}); e.Outcome != sync.OutcomeOK || e.Renamed != 1 || e.Deleted != 1 {
			w.fatalf("%+v", e)
		}
		w.checkEqual(kb.NewScope("test", "support"))
	})
}

// What cannot be read for now is no reason to keep documents of another kind.
func TestUnreadDocumentKeepsItsKindOnly(t *testing.T) {
	inWorld(t, 4, func(w *world) {
		w.remove("page-00002.md")
		w.sources[0].Put("new.txt", []byte("a new text\n"))
		w.sources[0].FailOpen("new.txt", fault.New(fault.ErrChanged, "it grows"))
		if e := w.pass(w.t.Context(), sync.Options{AllowDeletes: true}); e.Deleted != 1 || len(e.Pending) != 1 {
			w.fatalf("%d deleted, pending %v", e.Deleted, e.Pending)
		}
	})
}
