package sync_test

import (
	"testing"

	"kbsyncd/internal/sync"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/targettest"
)

func (w *world) finishes() (n int) {
	for _, c := range w.vendor.Calls() {
		if c.Op == targettest.OpFinish {
			n++
		}
	}
	return n
}

// A target that is still busy with an earlier Finish is asked again until it took the last change; that is no failure.
func TestFinishLater(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		w.vendor.SetHook(func(c targettest.Call) (v targettest.Verdict) {
			if c.Op == targettest.OpFinish {
				v.Before = targets.ErrLater
			}
			return v
		})
		w.put("new.md", "# New\n")
		for n := range 2 {
			before := w.finishes()
			if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || w.finishes() != before+1 {
				w.fatalf("pass %d ended %s after %d calls: %s", n, e.Outcome, w.finishes()-before, e.Error)
			}
		}
		w.vendor.SetHook(nil)
		for _, want := range []int{1, 0} {
			before := w.finishes()
			if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || w.finishes()-before != want {
				w.fatalf("ended %s after %d calls of Finish, want %d: %s", e.Outcome, w.finishes()-before, want, e.Error)
			}
		}
	})
}
