package daemon

import (
	"fmt"
	"slices"

	"github.com/bmatcuk/doublestar/v4"

	"kbsyncd/internal/config"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/state"
	kbsync "kbsyncd/internal/sync"
	"kbsyncd/internal/targets"
)

// flows is every sync at every one of its targets; where a vendor keeps a copy for each agent, every copy.
func (s *set) flows(db *state.DB, only []string) ([]kbsync.Flow, error) {
	var out []kbsync.Flow
	for _, sy := range s.Config.Syncs {
		if !wanted(sy.Name, only) {
			continue
		}
		for _, to := range sy.To {
			f := kbsync.Flow{
				Sync: sy.Name, Target: to, Owner: s.Config.Owner, Kind: s.Config.Targets[to].Type,
				Delete: sy.Delete, Reconcile: sy.Reconcile, MaxDelete: limit(sy.MaxDelete),
				KeepFrontMatter: sy.KeepFrontMatter, Secrets: sy.Secrets, Side: s.side(to),
			}
			for _, name := range sy.From {
				f.Sources = append(f.Sources, kbsync.Source{Name: name, Source: s.sources[name]})
			}
			agents := AgentsOf(sy, to)
			if !s.Config.Targets[to].Kind.AgentCopies {
				t, err := s.target(to, "")
				if err != nil {
					return nil, err
				}
				f.To, f.Agents = t, agents
				out = append(out, f)
				continue
			}
			copies, err := s.copies(db, f, agents)
			if err != nil {
				return nil, err
			}
			out = append(out, copies...)
		}
	}
	return out, nil
}

// copies are the flows of a sync to a vendor with a copy for each agent. Agents that are no longer in the configuration and
// whose copy we kept have a flow to which nothing belongs any more.
func (s *set) copies(db *state.DB, f kbsync.Flow, agents []kbsync.Agent) ([]kbsync.Flow, error) {
	left, err := leftAgents(db, f.Sync, f.Target, agents)
	if err != nil {
		return nil, err
	}
	var out []kbsync.Flow
	for i, a := range slices.Concat(agents, left) {
		t, err := s.target(f.Target, a.ID)
		if err != nil {
			return nil, err
		}
		f.To, f.Side, f.Copy, f.Leaving = t, a.ID, a, i >= len(agents)
		f.Peers = agents
		out = append(out, f)
	}
	return out, nil
}

// leftAgents are agents that have records and are no longer in the configuration.
func leftAgents(db *state.DB, sync, target string, agents []kbsync.Agent) ([]kbsync.Agent, error) {
	known, err := db.Flows()
	if err != nil {
		return nil, err
	}
	var out []kbsync.Agent
	for _, k := range known {
		if k.Sync != sync || k.Target != target || k.Side == "" || slices.ContainsFunc(agents, func(a kbsync.Agent) bool { return a.ID == k.Side }) {
			continue
		}
		has, err := hasCopy(db, k)
		if err != nil {
			return nil, err
		}
		if has {
			out = append(out, kbsync.Agent{ID: k.Side, Match: func(kb.Key) bool { return false }, Rule: "no longer in the configuration"})
		}
	}
	return out, nil
}

// hasCopy tells whether an agent may hold something of ours. One that was never reached, such as a misspelt one, does not.
func hasCopy(db *state.DB, f state.Flow) (bool, error) {
	facts, _, err := db.Facts(f)
	if err != nil || facts.Dirty {
		return err == nil, err
	}
	_, _, ok, err := db.Records(f, "").Next()
	return ok, err
}

// AgentsOf are the agents of a sync at a target.
func AgentsOf(sy config.Sync, target string) []kbsync.Agent {
	var out []kbsync.Agent
	for _, a := range sy.AgentsAt(target) {
		agent := kbsync.Agent{ID: a.ID}
		if len(a.Match) > 0 {
			globs := slices.Clone(a.Match)
			agent.Rule = fmt.Sprintf("%q", globs)
			agent.Match = func(k kb.Key) bool {
				return slices.ContainsFunc(globs, func(g string) bool { return doublestar.MatchUnvalidated(g, string(k)) })
			}
		}
		out = append(out, agent)
	}
	return out
}

// side names the mode of a target whose records are kept apart.
func (p *Program) side(target string) string {
	if s, ok := p.Config.Targets[target].Config.(targets.Sided); ok {
		return s.Side()
	}
	return ""
}

// Sides are the records that a sync has at one of its targets: usually one, and one for each agent where the vendor keeps a
// copy for each.
func (p *Program) Sides(db *state.DB, sy config.Sync, target string) ([]state.Flow, error) {
	f := state.Flow{Sync: sy.Name, Target: target, Side: p.side(target)}
	if !p.Config.Targets[target].Kind.AgentCopies {
		return []state.Flow{f}, nil
	}
	agents := AgentsOf(sy, target)
	left, err := leftAgents(db, sy.Name, target, agents)
	if err != nil {
		return nil, err
	}
	var out []state.Flow
	for _, a := range slices.Concat(agents, left) {
		f.Side = a.ID
		out = append(out, f)
	}
	return out, nil
}
