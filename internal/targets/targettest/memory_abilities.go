package targettest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/targets"
)

// abilities are what the other shapes of Memory have in common.
type abilities interface {
	targets.Target
	targets.Settler
	targets.Reindexer
	targets.Searcher
	targets.Metered
	targets.Placed
}

type replacer struct {
	abilities
	m *Memory
}

type assigner struct {
	abilities
	m *Memory
}

var (
	_ targets.Replacer = replacer{}
	_ targets.Assigner = assigner{}
)

// AsReplacer is the same store behind a client that updates documents in place. It neither renames nor connects agents.
func (m *Memory) AsReplacer() targets.Target { return replacer{m, m} }

// AsAssigner is the same store behind a client that hands documents to agents one by one. It does not rename. Agents are made with
// AddAgent.
func (m *Memory) AsAssigner() targets.Target { return assigner{m, m} }

// AsLeaving makes Delete take documents out of use without removing them, for this and every other shape of the store.
func (m *Memory) AsLeaving() targets.Target {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opts.Leaves = true
	return m
}

// holding is what one agent was given.
type holding struct {
	ids     map[targets.RemoteID]bool
	history []map[targets.RemoteID]bool // after every change, oldest first
}

func (h *holding) give(id targets.RemoteID) {
	if !h.ids[id] {
		h.ids[id] = true
		h.history = append(h.history, maps.Clone(h.ids))
	}
}

func (h *holding) take(id targets.RemoteID) {
	if h.ids[id] {
		delete(h.ids, id)
		h.history = append(h.history, maps.Clone(h.ids))
	}
}

func (m *Memory) holding(agent string) *holding {
	if m.held[agent] == nil {
		m.held[agent] = &holding{ids: map[targets.RemoteID]bool{}}
	}
	return m.held[agent]
}

// Give hands a document to an agent behind the engine's back; the store need not hold it.
func (m *Memory) Give(agent string, id targets.RemoteID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.holding(agent).give(id)
}

// Take takes a document away from an agent behind the engine's back.
func (m *Memory) Take(agent string, id targets.RemoteID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.holding(agent).take(id)
}

// Held is what an agent holds, sorted.
func (m *Memory) Held(agent string) []targets.RemoteID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.holding(agent).ids))
}

// HeldSoFar is what an agent has held after every change, oldest first.
func (m *Memory) HeldSoFar(agent string) []map[targets.RemoteID]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.holding(agent).history)
}

// Finds is what an agent finds among the documents that it was given one by one: the live versions, contents by name.
func (m *Memory) Finds(agent string) map[string]string {
	held := m.Held(agent)
	out := map[string]string{}
	for _, d := range m.Documents() {
		if _, ok := slices.BinarySearch(held, d.ID); ok && d.Live != nil {
			out[d.Live.Name] = d.Live.Content
		}
	}
	return out
}

// Live tells whether agents find a version with this name and content.
func (m *Memory) Live(name, content string) bool {
	got, ok := m.Searchable()[name]
	return ok && got == content
}

// Replace implements targets.Replacer.
func (r replacer) Replace(ctx context.Context, id targets.RemoteID, rd targets.Rendition) targets.Result {
	res := targets.Result{ID: id}
	if res.Err = r.m.allowed(rd); res.Err != nil {
		return res
	}
	if rd.Link != "" && r.m.bare {
		return r.m.replaceBare(ctx, id, rd)
	}
	content, broken, err := r.m.fetched(ctx, rd)
	if err != nil {
		return targets.Result{ID: id, Err: err}
	}
	if err := r.m.waitIdle(ctx, id); err != nil {
		return targets.Result{ID: id, Err: err}
	}
	res.Err = r.m.call(ctx, Call{Op: OpReplace, ID: id, Name: rd.Name}, func(v Verdict) error {
		m := r.m
		m.sent += rd.Size
		d, err := m.find(id)
		if err != nil {
			return err
		}
		if d.Foreign {
			m.violate("replaced %s %q, which is somebody else's", id, d.Name)
		}
		if other := m.names[rd.Name]; other != nil && other != d {
			return fault.New(fault.ErrConflict, "memory: %s has the name %q already", other.ID, rd.Name)
		}
		if d.Name == rd.Name && string(d.Content) == string(content) {
			res.Status = d.Status
			return nil
		}
		d.old = d.live()
		m.unname(d)
		d.Name, d.Link, d.Content, d.Status, m.names[rd.Name] = rd.Name, rd.Link, content, targets.StatusWaiting, d
		d.fail, d.stall, d.broken = v.ParseFails, v.ParseStalls, broken
		res.Status = d.Status
		return nil
	})
	return res
}

// waitIdle waits until an earlier version of a document is no longer worked on; one that stalled keeps it busy.
func (m *Memory) waitIdle(ctx context.Context, id targets.RemoteID) error {
	m.mu.Lock()
	d := m.docs[id]
	if d == nil || d.Status != targets.StatusWorking {
		m.mu.Unlock()
		return nil
	}
	wait, stalled := m.opts.ParseTime-time.Since(d.since), d.stall
	m.mu.Unlock()
	if stalled {
		return &fault.RetryAfter{Err: fault.New(fault.ErrConflict, "memory: %s is busy with an earlier version", id)}
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if d.Status == targets.StatusWorking {
		d.finish()
	}
	return nil
}

// Assigned implements targets.Assigner.
func (a assigner) Assigned(ctx context.Context, agent string) (held map[targets.RemoteID]bool, err error) {
	err = a.m.call(ctx, Call{Op: OpAssigned, Name: agent}, func(Verdict) error {
		if _, known := a.m.agents[agent]; !known {
			return fault.New(fault.ErrNotFound, "memory: no agent %s", agent)
		}
		held = maps.Clone(a.m.holding(agent).ids)
		return nil
	})
	return held, err
}

// Assign implements targets.Assigner.
func (a assigner) Assign(ctx context.Context, agent string, add, drop []targets.RemoteID) error {
	for _, id := range add {
		err := a.m.call(ctx, Call{Op: OpAssign, ID: id, Name: agent}, func(Verdict) error {
			if _, known := a.m.agents[agent]; !known {
				return fault.New(fault.ErrNotFound, "memory: no agent %s", agent)
			}
			if _, err := a.m.find(id); err != nil {
				return fault.New(fault.ErrUnknown, "memory: no document %s to assign", id)
			}
			a.m.holding(agent).give(id)
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, id := range drop {
		err := a.m.call(ctx, Call{Op: OpUnassign, ID: id, Name: agent}, func(Verdict) error {
			if _, known := a.m.agents[agent]; !known {
				return fault.New(fault.ErrNotFound, "memory: no agent %s", agent)
			}
			if d := a.m.docs[id]; d != nil && d.Foreign {
				a.m.violate("took %s %q, which is somebody else's, from agent %s", id, d.Name, agent)
			}
			a.m.holding(agent).take(id)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Reindex implements targets.Reindexer. What was live stays so until the new index is there.
func (m *Memory) Reindex(ctx context.Context, ids []targets.RemoteID) ([]targets.Result, error) {
	return m.each(ctx, OpReindex, ids, func(id targets.RemoteID, v Verdict) (targets.Result, error) {
		d, err := m.find(id)
		if err != nil {
			return targets.Result{}, err
		}
		d.fail, d.stall, d.old = v.ParseFails, v.ParseStalls, d.live()
		m.begin(d)
		return targets.Result{ID: id, Status: d.Status}, nil
	})
}

// Search implements targets.Searcher: the live versions that hold the question, by name.
func (m *Memory) Search(ctx context.Context, question string, top int) (hits []targets.Hit, err error) {
	err = m.call(ctx, Call{Op: OpSearch}, func(Verdict) error {
		for _, id := range slices.Sorted(maps.Keys(m.docs)) {
			v := m.docs[id].live()
			if v != nil && len(hits) < top && strings.Contains(strings.ToLower(v.Content), strings.ToLower(question)) {
				hits = append(hits, targets.Hit{ID: id, Name: v.Name, Text: v.Content, Score: 1})
			}
		}
		return nil
	})
	return hits, err
}
