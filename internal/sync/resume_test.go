package sync_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/sync"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/targettest"
)

// unsettled is a world in which the last pass sent three documents and left while the vendor was busy with them.
func unsettled(t *testing.T) *world {
	w := newWorld(t, 1)
	w.vendor = targettest.NewMemory(targettest.MemoryOptions{ParseLooks: 2, Limits: targets.Limits{SettleTimeout: time.Minute}})
	w.foreign = map[string]string{}
	for i := range 3 {
		name := fmt.Sprintf("%d.md", i)
		w.truth[kb.NewKey("docs", name)] = "# " + name + "\n"
		w.sources[0].Put(name, []byte("# "+name+"\n"))
	}
	if e := w.pass(t.Context(), sync.Options{NoWait: true}); len(e.Pending) != 3 {
		w.fatalf("%d documents are pending, want 3", len(e.Pending))
	}
	return w
}

// A pass that waits for what an earlier one sent finds the store first: a vendor that is reached anew does not know it.
func TestSettlingBeginsWithTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := unsettled(t)
		connected := false
		w.vendor.SetHook(func(c targettest.Call) targettest.Verdict {
			if connected = connected || c.Op == targettest.OpConnect; !connected {
				t.Errorf("%s comes before the store is known", c.Op)
			}
			return targettest.Verdict{}
		})
		if e := w.pass(t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK {
			t.Errorf("outcome %s, pending %v, error %q", e.Outcome, e.Pending, e.Error)
		}
	})
}

// What a pass finds in the listing while it is being parsed is recorded as settled once it is.
func TestWhatSettlesAfterListingStaysSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := unsettled(t)
		removeState(w)
		w.pass(t.Context(), sync.Options{})
		calls := len(w.vendor.Calls())
		e := w.pass(t.Context(), sync.Options{})
		if n := len(w.vendor.Calls()) - calls; n > 0 || e.Outcome != sync.OutcomeOK {
			t.Errorf("P6: %d calls in an unchanged pass, outcome %s", n, e.Outcome)
		}
	})
}

// A rename that needs a new upload may be cut off between the upload and the parsing, with the state lost, and what was
// renamed may have older versions beside it. The next pass then sees a document that is gone and another one; it keeps the first until the
// second is searchable.
func TestContentStaysUntilItIsSearchableElsewhere(t *testing.T) {
	for name, edited := range map[string]bool{"renamed": false, "edited and renamed": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { contentStays(t, edited) })
		})
	}
}

func contentStays(t *testing.T, edited bool) {
	w := unsettled(t)
	w.pass(t.Context(), sync.Options{})
	text := "# 0.md\n"
	if edited { // the version before stays, because nobody waits for its successor
		text = "# edited\n"
		w.sources[0].Put("0.md", []byte(text))
		w.pass(t.Context(), sync.Options{NoWait: true})
		for _, d := range w.vendor.Documents() {
			w.vendor.SetStatus(d.ID, targets.StatusDone)
		}
	} else {
		w.sources[0].Rename("0.md", "0.txt")
		w.pass(t.Context(), sync.Options{NoWait: true})
	}
	removeState(w)
	if edited {
		w.sources[0].Rename("0.md", "0.txt")
	}
	for _, o := range []sync.Options{{NoWait: true, AllowDeletes: true}, {AllowDeletes: true}} {
		e := w.pass(t.Context(), o)
		found := 0
		for _, have := range w.vendor.Searchable() {
			if have == text {
				found++
			}
		}
		if found != 1 {
			w.fatalf("the renamed document can be found %d times, pending: %v", found, e.Pending)
		}
	}
	if n := len(w.vendor.Documents()); n != 3 {
		t.Errorf("%d documents are left, want 3", n)
	}
}
