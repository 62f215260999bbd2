package sync_test

import (
	"slices"
	"strings"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/sync"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/targettest"
)

// flowAgents are the agents of the configuration.
func (w *world) flowAgents() (out []sync.Agent) {
	for _, id := range w.agents {
		a := sync.Agent{ID: id}
		if prefix := w.match[id]; prefix != "" {
			a.Rule = prefix
			a.Match = func(k kb.Key) bool { return strings.HasPrefix(string(k), prefix) }
		}
		out = append(out, a)
	}
	return out
}

// client is the target of the flow.
func (w *world) client() targets.Target {
	if w.to == nil {
		return w.vendor
	}
	return w.to
}

func (w *world) wants(agent string, k kb.Key) bool {
	return slices.Contains(w.agents, agent) && strings.HasPrefix(string(k), w.match[agent])
}

var everyone = []string{"left", "middle", "right"}

// populate makes agents that hold something of somebody else's, where documents are handed out one by one.
func (w *world) populate() {
	if _, ok := w.client().(targets.Assigner); !ok {
		return
	}
	for _, id := range everyone {
		w.vendor.AddAgent(id, "")
		for _, d := range w.vendor.Documents() {
			w.vendor.Give(id, d.ID)
		}
	}
}

// shuffleAgents changes now and then who should have what.
func (w *world) shuffleAgents() {
	if _, ok := w.client().(targets.Assigner); !ok || w.rng.IntN(3) > 0 {
		return
	}
	w.agents, w.match = nil, map[string]string{}
	for _, id := range everyone {
		if w.rng.IntN(3) > 0 {
			w.agents = append(w.agents, id)
			w.match[id] = []string{"", "docs/", "site/d/"}[w.rng.IntN(3)]
		}
	}
	w.logf("  agents %v %v", w.agents, w.match)
}

// heldLive is what each agent answers from: the documents of which it holds a searchable version.
func (w *world) heldLive(scope kb.Scope) map[string]map[kb.KeyHash]bool {
	out := map[string]map[kb.KeyHash]bool{}
	if _, ok := w.client().(targets.Assigner); !ok {
		return out
	}
	live := map[targets.RemoteID]kb.KeyHash{}
	for h, ds := range w.stored(scope) {
		for _, d := range ds {
			if d.Live != nil {
				live[d.ID] = h
			}
		}
	}
	for _, agent := range everyone {
		out[agent] = map[kb.KeyHash]bool{}
		for _, id := range w.vendor.Held(agent) {
			if h, ok := live[id]; ok {
				out[agent][h] = true
			}
		}
	}
	return out
}

// checkHeld is P2 for agents: what an agent should have and had, it has.
func (w *world) checkHeld(before, now map[string]map[kb.KeyHash]bool) {
	for agent, had := range before {
		for k := range w.truth {
			if w.wants(agent, k) && had[k.Hash()] && !now[agent][k.Hash()] {
				w.t.Errorf("seed %d: P2: agent %s is without %s\n%s", w.seed, agent, k, strings.Join(w.lines, "\n"))
				w.vendor.SetWatch(nil)
				return
			}
		}
	}
}

// checkAgents is P1 for agents: each holds exactly what it should, in the present version, and everything of somebody else's.
func (w *world) checkAgents(scope kb.Scope) {
	w.t.Helper()
	if _, ok := w.client().(targets.Assigner); !ok {
		return
	}
	byID := map[targets.RemoteID]targettest.Stored{}
	for _, d := range w.vendor.Documents() {
		byID[d.ID] = d
	}
	for _, agent := range everyone {
		if w.forgotten[agent] {
			continue
		}
		want := map[targets.RemoteID]bool{}
		for id, d := range byID {
			m, _, ok := kb.ParseName(d.Name)
			if d.Foreign {
				want[id] = true
			} else if ok && m.Scope == scope && !d.Retired {
				for k := range w.truth {
					want[id] = want[id] || k.Hash() == m.Key && w.wants(agent, k)
				}
			}
		}
		held := w.vendor.Held(agent)
		for id, ok := range want {
			if ok && !slices.Contains(held, id) {
				w.fatalf("agent %s lacks %s", agent, byID[id].Name)
			}
		}
		for _, id := range held {
			if !want[id] {
				w.fatalf("agent %s holds %s %q, which it should not", agent, id, byID[id].Name)
			}
		}
	}
}
