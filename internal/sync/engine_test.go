package sync_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/state"
	"kbsyncd/internal/sync"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/targettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func removeState(w *world) {
	if err := os.Remove(filepath.Join(w.dir, "state.db")); err != nil && !os.IsNotExist(err) {
		w.fatalf("%v", err)
	}
}

// inWorld runs fn in a world with n documents, already synced once.
func inWorld(t *testing.T, n int, fn func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 7)
		if n > 1000 {
			// Each batch is a commit; what is tested here has nothing to do with them.
			w.vendor = targettest.NewMemory(targettest.MemoryOptions{Limits: targets.Limits{BatchFiles: 500}})
			w.foreign = nil
		}
		for i := range n {
			w.put(fmt.Sprintf("page-%05d.md", i), fmt.Sprintf("# Page %d\n", i))
		}
		if e := w.pass(t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || e.Uploaded != n {
			w.fatalf("the first pass ended %s with %d uploads: %s", e.Outcome, e.Uploaded, e.Error)
		}
		fn(w)
	})
}

func (w *world) put(path, text string) {
	w.sources[0].Put(path, []byte(text))
	w.truth[kb.NewKey("docs", path)] = text
}

func (w *world) remove(path string) {
	w.sources[0].Remove(path)
	delete(w.truth, kb.NewKey("docs", path))
}

func (w *world) stateBytes() string {
	b, err := os.ReadFile(filepath.Join(w.dir, "state.db"))
	if err != nil {
		w.fatalf("%v", err)
	}
	return string(b)
}

// P6: an unchanged pass makes no vendor request, no read and no write.
func TestUnchangedPassIsFree(t *testing.T) {
	inWorld(t, 30, func(w *world) {
		calls, opens, before := len(w.vendor.Calls()), w.sources[0].Opens(), w.stateBytes()
		e := w.pass(w.t.Context(), sync.Options{})
		if e.Outcome != sync.OutcomeOK || e.Unchanged != 30 || e.Changed() != 0 {
			w.fatalf("%+v", e)
		}
		if n := len(w.vendor.Calls()); n != calls {
			w.fatalf("%d requests", n-calls)
		}
		if n := w.sources[0].Opens(); n != opens {
			w.fatalf("%d documents were read", n-opens)
		}
		if w.stateBytes() != before {
			w.fatalf("the state was written")
		}
	})
}

// Waves bound what is unsettled; the store is complete all the same.
func TestManyDocumentsSettleInWaves(t *testing.T) {
	inWorld(t, 20_500, func(w *world) { w.checkEqual(kb.NewScope("test", "support")) })
}

// P4: an emptied source is held; approving lets exactly what is held go.
func TestHeldDeletionsWaitForApproval(t *testing.T) {
	inWorld(t, 5, func(w *world) {
		for i := range 5 {
			w.remove(fmt.Sprintf("page-%05d.md", i))
		}
		for range 2 {
			e := w.pass(w.t.Context(), sync.Options{})
			if e.Outcome != sync.OutcomeHeld || len(e.Held) != 5 || e.Deleted != 0 {
				w.fatalf("%s, %d held, %d deleted", e.Outcome, len(e.Held), e.Deleted)
			}
		}
		w.approve()
		if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || e.Deleted != 5 {
			w.fatalf("%s, %d deleted: %s", e.Outcome, e.Deleted, e.Error)
		}
		w.checkEqual(kb.NewScope("test", "support"))
		w.checkForeign()
	})
}

func (w *world) approve() {
	db, _, err := state.Open(filepath.Join(w.dir, "state.db"), state.Options{})
	if err != nil {
		w.fatalf("%v", err)
	}
	defer db.Close()
	f := state.Flow{Sync: "support", Target: "memory"}
	facts, _, err := db.Facts(f)
	if err != nil {
		w.fatalf("%v", err)
	}
	facts.Approved = true
	if err := db.Update(f, func(wr *state.Writer) error { return wr.SetFacts(facts) }); err != nil {
		w.fatalf("%v", err)
	}
}

// P4: with the state lost, an empty source is no reason to delete what the listing shows.
func TestEmptySourceWithoutStateIsHeld(t *testing.T) {
	inWorld(t, 5, func(w *world) {
		for i := range 5 {
			w.remove(fmt.Sprintf("page-%05d.md", i))
		}
		removeState(w)
		for range 2 {
			if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeHeld || e.Deleted != 0 {
				w.fatalf("%s, %d deleted", e.Outcome, e.Deleted)
			}
		}
		w.approve()
		if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || e.Deleted != 5 {
			w.fatalf("%s, %d deleted: %s", e.Outcome, e.Deleted, e.Error)
		}
	})
}

// P4: deletions of one day count together.
func TestDeletionsBitByBitAreHeld(t *testing.T) {
	inWorld(t, 40, func(w *world) {
		n := 0
		drop := func(k int) {
			for range k {
				w.remove(fmt.Sprintf("page-%05d.md", n))
				n++
			}
		}
		drop(6)
		if e := w.pass(w.t.Context(), sync.Options{}); e.Deleted != 6 {
			w.fatalf("%d deleted", e.Deleted)
		}
		drop(6)
		if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeHeld || e.Deleted != 0 {
			w.fatalf("%s, %d deleted", e.Outcome, e.Deleted)
		}
		time.Sleep(25 * time.Hour)
		if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || e.Deleted != 6 {
			w.fatalf("the next day: %s, %d deleted", e.Outcome, e.Deleted)
		}
	})
}

// A clock that went back must not freeze the interval of the listing.
func TestClockGoingBackListsOnce(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		db, _, err := state.Open(filepath.Join(w.dir, "state.db"), state.Options{})
		if err != nil {
			w.fatalf("%v", err)
		}
		f := state.Flow{Sync: "support", Target: "memory"}
		facts, _, _ := db.Facts(f)
		facts.Reconciled = time.Now().Add(1000 * time.Hour)
		if err := db.Update(f, func(wr *state.Writer) error { return wr.SetFacts(facts) }); err != nil {
			w.fatalf("%v", err)
		}
		_ = db.Close()
		if e := w.pass(w.t.Context(), sync.Options{}); !e.Listed || e.Outcome != sync.OutcomeOK || e.Changed() != 0 {
			w.fatalf("listed %v, %s", e.Listed, e.Outcome)
		}
		if e := w.pass(w.t.Context(), sync.Options{}); e.Listed {
			w.fatalf("listed again")
		}
	})
}

// A dry run says what would happen, and nothing happens.
func TestDryRunChangesNothing(t *testing.T) {
	inWorld(t, 12, func(w *world) {
		w.put("page-00003.md", "# Edited\n")
		w.put("new.md", "# New\n")
		w.sources[0].Rename("page-00004.md", "moved.md")
		w.remove("page-00005.md")
		calls, before := w.mutations(), w.stateBytes()
		e := w.pass(w.t.Context(), sync.Options{DryRun: true, KeepChanges: true})
		if e.Uploaded != 1 || e.Replaced != 1 || e.Renamed != 1 || e.Deleted != 1 || len(e.Changes) != 4 {
			w.fatalf("%+v", e)
		}
		if w.mutations() != calls || w.stateBytes() != before {
			w.fatalf("a dry run changed something")
		}
	})
}

func (w *world) mutations() (n int) {
	for _, c := range w.vendor.Calls() {
		switch c.Op {
		case targettest.OpList, targettest.OpStatuses, targettest.OpConnect:
		default:
			n++
		}
	}
	return n
}

// A document that cannot be read fails alone, and what the vendor holds of it stays.
func TestUnreadableDocumentStays(t *testing.T) {
	inWorld(t, 5, func(w *world) {
		w.put("page-00001.md", "# Edited\n")
		w.put("page-00002.md", "# Edited as well\n")
		w.sources[0].FailOpen("page-00001.md", fault.New(fault.ErrRejected, "permission denied"))
		w.sources[0].Remove("page-00003.md")
		w.sources[0].AddProblem("page-00003.md", fault.New(fault.ErrRejected, "input/output error"), true)
		e := w.pass(w.t.Context(), sync.Options{})
		if len(e.Failed) != 2 || e.Replaced != 1 || e.Deleted != 0 || e.ExitCode() != 1 {
			w.fatalf("%+v", e)
		}
		if n := len(w.stored(kb.NewScope("test", "support"))); n != 5 {
			w.fatalf("%d documents left", n)
		}
	})
}

// A document that changes while it is read waits for the next pass.
func TestDocumentChangingWhileReadWaits(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		w.put("page-00001.md", "# First edit\n")
		w.sources[0].OnRead("page-00001.md", func() { w.put("page-00001.md", "# Second edit\n") })
		if e := w.pass(w.t.Context(), sync.Options{}); len(e.Pending) != 1 || e.ExitCode() != 1 {
			w.fatalf("%+v", e)
		}
		if e := w.pass(w.t.Context(), sync.Options{}); e.Replaced != 1 || e.Outcome != sync.OutcomeOK {
			w.fatalf("%+v", e)
		}
		w.checkEqual(kb.NewScope("test", "support"))
	})
}

// P2: a document that moves while the scan runs may be missed in both places; it is not deleted.
func TestDocumentMovingDuringTheScanIsNotDeleted(t *testing.T) {
	inWorld(t, 5, func(w *world) {
		w.put("page-00000.md", "# Edited\n")
		w.sources[0].Rename("page-00004.md", "elsewhere.md")
		hidden := w.sources[0]
		hidden.Remove("elsewhere.md") // the scan does not see it
		w.vendor.SetHook(func(targettest.Call) targettest.Verdict {
			hidden.Put("elsewhere.md", []byte("# Page 4\n")) // now it is there
			w.vendor.SetHook(nil)
			return targettest.Verdict{}
		})
		if e := w.pass(w.t.Context(), sync.Options{}); e.Deleted != 0 || len(e.Pending) != 1 || e.ExitCode() != 1 {
			w.fatalf("%+v", e)
		}
		if e := w.pass(w.t.Context(), sync.Options{}); e.Renamed != 1 || e.Outcome != sync.OutcomeOK {
			w.fatalf("%+v", e)
		}
	})
}

// A refused key stops the target at once.
func TestRefusedKeyStopsTheTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		for i := range 100 {
			w.put(fmt.Sprintf("%d.md", i), "# x\n")
		}
		w.vendor.SetHook(func(targettest.Call) targettest.Verdict {
			return targettest.Verdict{Before: fault.New(fault.ErrDenied, "the key is wrong")}
		})
		e := w.pass(t.Context(), sync.Options{})
		if e.Outcome != sync.OutcomeError || len(w.vendor.Calls()) > 3 || !strings.Contains(e.Error, "the key is wrong") {
			w.fatalf("%s after %d calls: %s", e.Outcome, len(w.vendor.Calls()), e.Error)
		}
	})
}

// An interruption finishes what is under way, and says so.
func TestInterruptedPassGoesOnNextTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		for i := range 50 {
			w.put(fmt.Sprintf("%d.md", i), fmt.Sprintf("# %d\n", i))
		}
		ctx, cancel := context.WithCancel(t.Context())
		w.vendor.SetHook(func(c targettest.Call) targettest.Verdict {
			if c.Op == targettest.OpUpload && c.N == 20 {
				cancel()
			}
			return targettest.Verdict{}
		})
		if e := w.pass(ctx, sync.Options{}); e.ExitCode() != 130 {
			w.fatalf("%+v", e)
		}
		w.vendor.SetHook(nil)
		if e := w.pass(t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK {
			w.fatalf("%+v", e)
		}
		w.checkEqual(kb.NewScope("test", "support"))
	})
}

// Agents get the store once something is searchable, and only ours are taken away again.
func TestAgentsFollowTheConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.vendor.AddAgent("a", "")
		w.vendor.AddAgent("b", "somebody else's")
		w.put("1.md", "# 1\n")
		w.agents = []string{"a", "b"}
		if e := w.pass(t.Context(), sync.Options{}); e.Assigned != 1 || e.ExitCode() != 1 || !strings.Contains(e.Error, "b") {
			w.fatalf("%+v", e)
		}
		w.agents = nil
		if e := w.pass(t.Context(), sync.Options{}); e.Unassigned != 1 || e.Outcome != sync.OutcomeOK {
			w.fatalf("%+v", e)
		}
		if w.vendor.Agent("a") != "" || w.vendor.Agent("b") != "somebody else's" {
			w.fatalf("a has %q, b %q", w.vendor.Agent("a"), w.vendor.Agent("b"))
		}
	})
}

// P7: records of another place say nothing about this one.
func TestAnotherPlaceIsListed(t *testing.T) {
	inWorld(t, 5, func(w *world) {
		w.vendor = targettest.NewMemory(targettest.MemoryOptions{})
		w.vendor.SetPlace("elsewhere")
		w.foreign = nil
		if e := w.pass(w.t.Context(), sync.Options{}); e.Uploaded != 5 || !e.Listed || e.Outcome != sync.OutcomeOK {
			w.fatalf("%+v", e)
		}
		w.checkEqual(kb.NewScope("test", "support"))
		if e := w.pass(w.t.Context(), sync.Options{}); e.Listed || e.Changed() != 0 {
			w.fatalf("%+v", e)
		}
	})
}

// A store that somebody deleted is filled again as soon as there is something to do, even when its successor has the same id.
func TestStoreThatWasDeletedIsFilledAgain(t *testing.T) {
	inWorld(t, 5, func(w *world) {
		w.vendor = targettest.NewMemory(targettest.MemoryOptions{Missing: true})
		w.foreign = nil
		w.put("page-00000.md", "# Edited\n")
		if e := w.pass(w.t.Context(), sync.Options{}); e.Uploaded != 5 || e.Outcome != sync.OutcomeOK {
			w.fatalf("%+v", e)
		}
		w.checkEqual(kb.NewScope("test", "support"))
	})
}

// P2, P4: a vendor whose parser is down loses nothing of what was searchable.
func TestParserDownDeletesNothing(t *testing.T) {
	inWorld(t, 10, func(w *world) {
		for _, d := range w.vendor.Documents() {
			if !d.Foreign {
				w.vendor.SetStatus(d.ID, targets.StatusFailed)
			}
		}
		w.vendor.SetHook(func(targettest.Call) targettest.Verdict { return targettest.Verdict{ParseFails: true} })
		e := w.pass(w.t.Context(), sync.Options{Reconcile: true})
		if len(e.Failed) != 10 || e.ExitCode() != 1 {
			w.fatalf("%+v", e)
		}
		if n := len(w.stored(kb.NewScope("test", "support"))); n != 10 {
			w.fatalf("%d of 10 documents left", n)
		}
		w.vendor.SetHook(nil)
		if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK {
			w.fatalf("%+v", e)
		}
		w.checkEqual(kb.NewScope("test", "support"))
	})
}

// Held deletions stay held while the vendor is out of reach.
func TestHeldDeletionsOutliveAnOutage(t *testing.T) {
	inWorld(t, 5, func(w *world) {
		for i := range 5 {
			w.remove(fmt.Sprintf("page-%05d.md", i))
		}
		if e := w.pass(w.t.Context(), sync.Options{}); len(e.Held) != 5 {
			w.fatalf("%+v", e)
		}
		w.vendor.SetHook(func(targettest.Call) targettest.Verdict {
			return targettest.Verdict{Before: fault.New(fault.ErrDenied, "no")}
		})
		w.pass(w.t.Context(), sync.Options{Reconcile: true})
		w.vendor.SetHook(nil)
		w.approve()
		if e := w.pass(w.t.Context(), sync.Options{}); e.Deleted != 5 {
			w.fatalf("%+v", e)
		}
	})
}
