package targettest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/targets"
)

// assignCase is a case for targets that are an Assigner. The agent "ann" holds a document of somebody else.
func assignCase(name string, run func(e *env, a *assignment)) testCase {
	return testCase{"assign: " + name, func(e *env) {
		t, ok := e.Target.(targets.Assigner)
		b, can := e.Backend.(AgentDocuments)
		if !ok || !can {
			e.Skip("is no Assigner")
		}
		e.connect()
		b.AddAgent("ann")
		b.AddAgent("bob")
		theirs := e.Backend.Put("theirs.md", []byte("by hand"))
		b.Give("ann", theirs)
		run(e, &assignment{e, t, b, theirs})
	}}
}

// assignment is what such a case works with.
type assignment struct {
	*env
	target  targets.Assigner
	backend AgentDocuments
	theirs  targets.RemoteID
}

// must assigns without a failure.
func (a *assignment) must(agent string, add, drop []targets.RemoteID) {
	a.Helper()
	if err := a.note(a.target.Assign(a.Context(), agent, add, drop)); err != nil {
		a.Fatalf("assign %v to %s and take %v: %v", add, agent, drop, err)
	}
}

// holds checks what an agent holds, at the vendor and as the target tells it.
func (a *assignment) holds(agent string, want ...targets.RemoteID) {
	a.Helper()
	slices.Sort(want)
	if got := slices.Sorted(slices.Values(a.backend.Held(agent))); !slices.Equal(got, want) {
		a.Errorf("%s holds %v instead of %v", agent, got, want)
	}
	told, err := a.target.Assigned(a.Context(), agent)
	if a.note(err) != nil {
		a.Fatalf("assigned: %v", err)
	}
	if told == nil {
		a.Errorf("the target cannot tell what %s holds", agent)
	}
	for _, id := range want {
		if !told[id] {
			a.Errorf("%s holds %s, and the target does not tell", agent, id)
		}
	}
	if len(told) != len(want) {
		a.Errorf("the target tells %v instead of %v", told, want)
	}
}

// keeps checks that a swap which failed took nothing before everything was given.
func (a *assignment) keeps(agent string, add, drop []targets.RemoteID) {
	a.Helper()
	held := a.backend.Held(agent)
	has := func(id targets.RemoteID) bool { return slices.Contains(held, id) }
	if !slices.ContainsFunc(add, func(id targets.RemoteID) bool { return !has(id) }) {
		return
	}
	for _, id := range drop {
		if !has(id) {
			a.Errorf("%s was taken away before everything was given", id)
		}
	}
}

var assigning = []testCase{
	assignCase("what others gave stays", func(e *env, a *assignment) {
		ids := e.live(docs(3, "a")...)
		a.holds("ann", a.theirs)
		a.holds("bob")
		a.must("ann", ids, nil)
		a.must("bob", ids[:1], nil)
		a.holds("ann", append(ids[:3:3], a.theirs)...)
		a.holds("bob", ids[0])
		a.must("ann", nil, ids[1:2])
		a.holds("ann", ids[0], ids[2], a.theirs)
		a.holds("bob", ids[0])
	}),
	assignCase("a swap leaves no gap", func(e *env, a *assignment) {
		old, now := e.live(doc("page.md", "old text")), e.live(doc("page.md", "new text"))
		a.must("ann", old, nil)
		a.must("ann", now, old)
		a.holds("ann", now[0], a.theirs)
		if h, ok := e.Backend.(AgentHistory); ok {
			begun := false
			for _, held := range h.HeldSoFar("ann") {
				begun = begun || held[old[0]]
				if begun && !held[old[0]] && !held[now[0]] || !held[a.theirs] {
					e.Errorf("the agent held only %v", held)
				}
			}
		}
	}),
	assignCase("repeating changes nothing and is cheap", func(e *env, a *assignment) {
		ids := e.live(docs(6, "a")...)
		before := e.Backend.Requests()
		a.must("ann", ids[:4], ids[4:])
		first := e.Backend.Requests() - before
		a.must("ann", ids[:4], ids[4:])
		if again := e.Backend.Requests() - before - first; again > first {
			e.Errorf("%d requests, then %d", first, again)
		}
		a.holds("ann", append(ids[:4:4], a.theirs)...)
		before = e.Backend.Requests()
		a.must("ann", nil, nil)
		if n := e.Backend.Requests() - before; n != 0 {
			e.Errorf("%d requests to do nothing", n)
		}
	}),
	assignCase("an agent that does not exist", func(e *env, a *assignment) {
		ids := e.live(docs(2, "a")...)
		if held, err := a.target.Assigned(e.Context(), "nobody"); !errors.Is(e.note(err), fault.ErrNotFound) {
			e.Errorf("assigned: %v, %v", held, err)
		}
		if err := a.target.Assign(e.Context(), "nobody", ids, nil); !errors.Is(e.note(err), fault.ErrNotFound) {
			e.Errorf("assign: %v", err)
		}
	}),
	assignCase("a document that does not exist", func(e *env, a *assignment) {
		ids := e.live(docs(2, "a")...)
		if left := e.mustDelete(ids[0]); left {
			return
		}
		if err := a.target.Assign(e.Context(), "ann", ids, nil); errors.Is(e.note(err), fault.ErrNotFound) {
			e.Errorf("the agent is there: %v", err)
		}
		a.must("ann", ids[1:], ids[:1])
		a.holds("ann", ids[1], a.theirs)
	}),
	assignCase("faults that pass", func(e *env, a *assignment) {
		versions := e.live(docs(len(passing)+1, "a")...)
		a.must("ann", versions[:1], nil)
		for i, f := range passing {
			add, drop := versions[i+1:i+2], versions[i:i+1]
			for _, f.Op = range []string{OpAssign, OpUnassign, OpAssigned} {
				f.Times = 1
				if !e.Backend.Inject(f) {
					continue
				}
				e.overcome(f, a.target.Assign(e.Context(), "ann", add, drop))
				_, err := a.target.Assigned(e.Context(), "ann")
				e.overcome(f, err)
				a.keeps("ann", add, drop)
				e.Backend.Heal()
			}
			a.must("ann", add, drop)
			a.holds("ann", add[0], a.theirs)
		}
	}),
	assignCase("a fault that stays takes nothing away", func(e *env, a *assignment) {
		old, now := e.live(docs(2, "old")...), e.live(docs(2, "new")...)
		a.must("ann", old, nil)
		e.inject(Fault{Op: OpAssign, Status: http.StatusServiceUnavailable})
		err := a.target.Assign(e.Context(), "ann", now, old)
		if e.note(err) == nil {
			e.Fatal("succeeded")
		}
		e.classed(err)
		a.keeps("ann", now, old)
		e.Backend.Heal()
		a.must("ann", now, old)
		a.holds("ann", now[0], now[1], a.theirs)
	}),
	assignCase("random faults, then quiet", func(e *env, a *assignment) {
		old, now := e.live(docs(8, "old")...), e.live(docs(8, "new")...)
		a.must("ann", old, nil)
		e.inject(Fault{Chance: 0.2})
		for i := range now {
			err := a.target.Assign(e.Context(), "ann", now[i:i+1], old[i:i+1])
			if e.note(err) != nil {
				e.classed(err)
			}
			a.keeps("ann", now[i:i+1], old[i:i+1])
		}
		e.Backend.Heal()
		a.must("ann", now, old)
		a.holds("ann", append(now[:8:8], a.theirs)...)
	}),
	assignCase("at the same time", func(e *env, a *assignment) {
		old, now := e.live(docs(8, "old")...), e.live(docs(8, "new")...)
		a.must("ann", old, nil)
		var wg sync.WaitGroup
		for i := range now {
			wg.Go(func() {
				if err := a.target.Assign(e.Context(), "ann", now[i:i+1], old[i:i+1]); err != nil {
					e.Errorf("assign: %v", err)
				}
			})
			wg.Go(func() {
				if err := a.target.Assign(e.Context(), "bob", now[i:i+1], nil); err != nil {
					e.Errorf("assign: %v", err)
				}
			})
		}
		wg.Wait()
		a.holds("ann", append(now[:8:8], a.theirs)...)
		a.holds("bob", now...)
	}),
	assignCase("denied", func(e *env, a *assignment) {
		ids := e.live(docs(1, "a")...)
		e.inject(Fault{Status: http.StatusUnauthorized})
		if err := a.target.Assign(e.Context(), "ann", ids, nil); !fault.StopsTarget(e.note(err)) {
			e.Errorf("assign: %v", err)
		}
		if _, err := a.target.Assigned(e.Context(), "ann"); !fault.StopsTarget(e.note(err)) {
			e.Errorf("assigned: %v", err)
		}
	}),
	assignCase("a cancelled context starts nothing", func(e *env, a *assignment) {
		ids := e.live(docs(1, "a")...)
		ctx, cancel := context.WithCancel(e.Context())
		cancel()
		before := e.Backend.Requests()
		if err := a.target.Assign(ctx, "ann", ids, nil); err == nil {
			e.Error("assign went through")
		}
		if _, err := a.target.Assigned(ctx, "ann"); err == nil {
			e.Error("assigned went through")
		}
		if n := e.Backend.Requests() - before; n != 0 {
			e.Errorf("%d requests", n)
		}
	}),
}
