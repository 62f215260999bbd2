package sync_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sync"
	"kbsyncd/internal/targets/targettest"
)

// inAssigner runs fn in a world whose vendor hands documents to the agents a and b, with n documents synced.
func inAssigner(t *testing.T, n int, fn func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		w.to = w.vendor.AsAssigner()
		w.vendor.AddAgent("a", "")
		w.vendor.AddAgent("b", "")
		w.agents, w.match = []string{"a", "b"}, map[string]string{}
		for i := range n {
			w.put(string(rune('a'+i))+".md", "# "+strings.Repeat(string(rune('a'+i)), 5)+"\n")
		}
		if e := w.pass(t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || e.Assigned != 2*n {
			w.fatalf("%+v", e)
		}
		fn(w)
	})
}

func (w *world) agentFinds(agent, text string) (n int) {
	for _, content := range w.vendor.Finds(agent) {
		if strings.Contains(content, text) {
			n++
		}
	}
	return n
}

// P2, P7: an agent that the vendor does not know for a moment keeps the older version until it has the new one.
func TestOneUnknownAgentProvesNothing(t *testing.T) {
	inAssigner(t, 3, func(w *world) {
		w.put("a.md", "# new\n")
		w.vendor.SetHook(func(c targettest.Call) (v targettest.Verdict) {
			if c.Op == targettest.OpAssigned && c.Name == "a" {
				v.Before = fault.New(fault.ErrNotFound, "no such agent")
			}
			return v
		})
		if e := w.pass(w.t.Context(), sync.Options{}); e.ExitCode() != 1 || w.agentFinds("a", "aaaaa") != 1 || w.agentFinds("b", "new") != 1 {
			w.fatalf("%+v; a finds %v, b finds %v", e, w.vendor.Finds("a"), w.vendor.Finds("b"))
		}
		w.vendor.SetHook(nil)
		if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || w.agentFinds("a", "new") != 1 || w.agentFinds("a", "aaaaa") != 0 {
			w.fatalf("%+v; a finds %v", e, w.vendor.Finds("a"))
		}
		w.checkEqual(kb.NewScope("test", "support"))
	})
}

// P1: an agent that does not exist is one error, and older versions do not pile up because of it.
func TestAnAgentThatDoesNotExist(t *testing.T) {
	inAssigner(t, 3, func(w *world) {
		w.agents = []string{"a", "nobody", "b"}
		for i := range 3 {
			w.put("a.md", "# version "+string(rune('1'+i))+"\n")
			e := w.pass(w.t.Context(), sync.Options{})
			if e.ExitCode() != 1 || strings.Count(e.Error, "nobody") == 0 || strings.Contains(e.Error, "|") || len(e.Failed) != 0 {
				w.fatalf("%+v", e)
			}
			if w.agentFinds("a", "version "+string(rune('1'+i))) != 1 || w.agentFinds("b", "version "+string(rune('1'+i))) != 1 {
				w.fatalf("a finds %v, b %v", w.vendor.Finds("a"), w.vendor.Finds("b"))
			}
		}
		w.checkEqual(kb.NewScope("test", "support"))
	})
}

// P2: a slip in the id of an agent takes nothing from the one that was meant.
func TestASlipInAnAgentsID(t *testing.T) {
	inAssigner(t, 3, func(w *world) {
		w.agents = []string{"a", "bb"}
		w.put("a.md", "# new\n")
		for range 3 {
			e := w.pass(w.t.Context(), sync.Options{})
			if e.ExitCode() != 1 || e.Unassigned != 0 || !strings.Contains(e.Error, "agent b keeps") || w.agentFinds("b", "aaaaa") != 1 || len(w.vendor.Finds("b")) != 3 || w.agentFinds("a", "new") != 1 {
				w.fatalf("%+v; b finds %v", e, w.vendor.Finds("b"))
			}
		}
		w.agents = []string{"a", "b"}
		if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || w.agentFinds("b", "new") != 1 || w.agentFinds("b", "aaaaa") != 0 {
			w.fatalf("%+v; b finds %v", e, w.vendor.Finds("b"))
		}
		w.checkEqual(kb.NewScope("test", "support"))
		w.agents = []string{"a"}
		if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || e.Unassigned != 3 || len(w.vendor.Finds("b")) != 0 {
			w.fatalf("%+v; b finds %v", e, w.vendor.Finds("b"))
		}
	})
}

// P1, P4, P6: front matter that says skip takes the document away, with the guard's consent, and then costs nothing.
func TestSkipTakesADocumentAway(t *testing.T) {
	inAssigner(t, 3, func(w *world) {
		w.sources[0].Put("a.md", []byte("---\nkbsync: {skip: true}\n---\n# aaaaa\n"))
		delete(w.truth, "docs/a.md")
		if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || e.Deleted != 1 || e.Documents != 2 || len(e.Skipped) != 1 {
			w.fatalf("%+v", e)
		}
		w.checkEqual(kb.NewScope("test", "support"))
		w.pass(w.t.Context(), sync.Options{})
		w.free()
		for _, name := range []string{"b.md", "c.md"} {
			w.sources[0].Put(name, []byte("---\nkbsync: {skip: true}\n---\n"))
		}
		if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeHeld || e.Deleted != 0 {
			w.fatalf("all documents are skipped, and: %+v", e)
		}
	})
}

// free checks that a pass makes no request, no read and no write.
func (w *world) free() {
	w.t.Helper()
	calls, opens, before := len(w.vendor.Calls()), w.sources[0].Opens(), w.stateBytes()
	w.pass(w.t.Context(), sync.Options{})
	if n := len(w.vendor.Calls()) - calls; n > 0 {
		w.fatalf("P6: %d calls: %+v", n, w.vendor.Calls()[calls:])
	}
	if n := w.sources[0].Opens() - opens; n > 0 {
		w.fatalf("P6: %d documents were read", n)
	}
	if w.stateBytes() != before {
		w.fatalf("P6: the state was written")
	}
}

// P6, P7: a version that cannot be sent leaves the one before at the vendor, says so in every pass, and costs nothing, also after a listing.
func TestAVersionThatCannotBeSentKeepsTheOneBefore(t *testing.T) {
	inAssigner(t, 3, func(w *world) {
		w.sources[0].Put("a.md", []byte("   "))
		for i := range 3 {
			e := w.pass(w.t.Context(), sync.Options{Reconcile: i == 1})
			if e.Outcome != sync.OutcomeOK || len(e.Skipped) != 1 || !strings.Contains(e.Skipped[0].Reason, "stays at the vendor") || e.Documents != 2 {
				w.fatalf("pass %d: %+v", i, e)
			}
		}
		w.free()
		if w.agentFinds("a", "aaaaa") != 1 {
			w.fatalf("a finds %v", w.vendor.Finds("a"))
		}
		w.put("a.md", "# mended\n")
		if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || e.Replaced != 1 {
			w.fatalf("%+v", e)
		}
		w.checkEqual(kb.NewScope("test", "support"))
		w.sources[0].Put("a.md", []byte("   "))
		w.pass(w.t.Context(), sync.Options{})
		w.remove("a.md")
		if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || e.Deleted != 1 {
			w.fatalf("%+v", e)
		}
		w.checkEqual(kb.NewScope("test", "support"))
	})
}

// P1: front matter that names other agents moves the document between them, though what is sent stays the same.
func TestFrontMatterMovesADocumentBetweenAgents(t *testing.T) {
	inAssigner(t, 3, func(w *world) {
		for _, c := range []struct {
			text string
			a, b int
		}{
			{"---\nkbsync: {agents: [a]}\n---\n# aaaaa\n", 1, 0},
			{"---\nkbsync: {agents: [b]}\n---\n# aaaaa\n", 0, 1},
			{"---\nkbsync: {agents: []}\n---\n# aaaaa\n", 0, 0},
			{"# aaaaa\n", 1, 1},
		} {
			w.sources[0].Put("a.md", []byte(c.text))
			e := w.pass(w.t.Context(), sync.Options{})
			if e.Outcome != sync.OutcomeOK || e.Uploaded+e.Replaced+e.Deleted != 0 || w.agentFinds("a", "aaaaa") != c.a || w.agentFinds("b", "aaaaa") != c.b {
				w.fatalf("%q: %+v; a finds %v, b finds %v", c.text, e, w.vendor.Finds("a"), w.vendor.Finds("b"))
			}
			w.free()
		}
	})
}

// P4: a match that fits nothing takes nothing from an agent, unless that is what is wanted.
func TestAMatchThatFitsNothingTakesNothing(t *testing.T) {
	inAssigner(t, 3, func(w *world) {
		w.match["a"] = "dosc/"
		for range 2 {
			if e := w.pass(w.t.Context(), sync.Options{}); e.ExitCode() != 1 || !strings.Contains(e.Error, "match") || len(w.vendor.Finds("a")) != len(w.vendor.Finds("b")) {
				w.fatalf("%+v; a finds %v", e, w.vendor.Finds("a"))
			}
		}
		w.match["a"] = "docs/b"
		if e := w.pass(w.t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || e.Unassigned != 2 || w.agentFinds("a", "bbbbb") != 1 {
			w.fatalf("%+v; a finds %v", e, w.vendor.Finds("a"))
		}
		w.match["a"] = "dosc/"
		if e := w.pass(w.t.Context(), sync.Options{AllowDeletes: true}); e.Outcome != sync.OutcomeOK || e.Unassigned != 1 || w.agentFinds("a", "#") != 0 {
			w.fatalf("%+v; a finds %v", e, w.vendor.Finds("a"))
		}
	})
}

// P1, P2: content that a vendor failed to take in place is sent again by the next pass, and the version before answers until then.
func TestContentThatFailedInPlaceIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		w.to = w.vendor.AsReplacer()
		w.put("a.md", "# old\n")
		w.pass(t.Context(), sync.Options{})
		w.vendor.SetHook(func(c targettest.Call) (v targettest.Verdict) {
			v.ParseFails = c.Op == targettest.OpReplace || c.Op == targettest.OpStart || c.Op == targettest.OpRestart
			return v
		})
		w.put("a.md", "# new\n")
		if e := w.pass(t.Context(), sync.Options{}); e.ExitCode() != 1 || !w.finds("# old\n") {
			w.fatalf("%+v; %v", e, w.vendor.Searchable())
		}
		w.vendor.SetHook(nil)
		if e := w.pass(t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || e.Replaced != 1 || !w.finds("# new\n") || w.finds("# old\n") {
			w.fatalf("%+v; %v", e, w.vendor.Searchable())
		}
		w.checkEqual(kb.NewScope("test", "support"))
	})
}

func (w *world) finds(text string) bool {
	for _, content := range w.vendor.Searchable() {
		if content == text {
			return true
		}
	}
	return false
}
