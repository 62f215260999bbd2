package sync_test

import (
	"fmt"
	"testing"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sync"
)

// A source that cannot tell what is gone loses nothing, with records and without, and spoils nothing when nothing is missing.
func TestUnsureSource(t *testing.T) {
	unsure := fmt.Errorf("%w: a link is broken", sources.ErrUnsure)
	inWorld(t, 4, func(w *world) {
		w.sources[0].FailScan(4, unsure)
		if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || e.Unchanged != 4 {
			w.fatalf("nothing is missing: %+v", e)
		}
		w.sources[0].Remove("page-00001.md")
		w.put("page-00009.md", "# Page 9\n")
		for _, lost := range []bool{false, true} {
			if lost {
				removeState(w)
			}
			e := w.pass(w.t.Context(), sync.Options{AllowDeletes: true})
			if e.Outcome != sync.OutcomeIncomplete || e.Deleted != 0 || e.Renamed != 0 || len(e.Pending) != 1 || e.Error != "" {
				w.fatalf("state lost %t: %+v", lost, e)
			}
		}
		w.sources[0].FailScan(0, nil)
		delete(w.truth, "docs/page-00001.md")
		if e := w.pass(w.t.Context(), sync.Options{AllowDeletes: true}); e.Outcome != sync.OutcomeOK || e.Deleted != 1 {
			w.fatalf("%+v", e)
		}
		w.checkEqual(kb.NewScope("test", "support"))
	})
}
