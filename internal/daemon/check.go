package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/targets"
)

// Check is what `check --connect` learnt about one target.
type Check struct {
	Target, Kind string
	Agent        string // whose copy this is about; "" at vendors with one store for all
	Store        targets.Store
	Err          error
	Problems     []error     // about agents
	Routes       *RouteCheck // for the first copy of a target whose vendor publishes a document
}

// Connect asks every target whether its key, store and agents are good, and compares its routes with the document that its vendor
// publishes. It changes nothing at the vendors.
func (p *Program) Connect(ctx context.Context) []Check {
	routes, m, done := p.probes(ctx)
	defer done()
	var out []Check
	for _, name := range slices.Sorted(maps.Keys(p.Config.Targets)) {
		c := Check{Target: name, Kind: p.Config.Targets[name].Type, Routes: routes[name]}
		if !p.Config.Targets[name].Kind.AgentCopies {
			out = append(out, c)
			continue
		}
		for _, c.Agent = range p.agents(name) {
			out = append(out, c)
			c.Routes = nil
		}
	}
	var wg sync.WaitGroup
	for i := range out {
		wg.Go(func() { out[i] = p.connect(ctx, out[i], m) })
	}
	wg.Wait()
	return out
}

// SourceCheck is what `check --connect` learnt about one source.
type SourceCheck struct {
	Source, Kind string
	Err          error
}

// Reach asks every source whether its place is there and can be read.
func (p *Program) Reach(ctx context.Context) []SourceCheck {
	var out []SourceCheck
	for _, name := range slices.Sorted(maps.Keys(p.Config.Sources)) {
		out = append(out, SourceCheck{Source: name, Kind: p.Config.Sources[name].Type})
	}
	var wg sync.WaitGroup
	for i := range out {
		wg.Go(func() { out[i].Err = p.reach(ctx, out[i].Source) })
	}
	wg.Wait()
	return out
}

func (p *Program) reach(ctx context.Context, name string) (err error) {
	src, err := p.OpenSource(name, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	if s, ok := src.(sources.Prober); ok {
		return s.Probe(ctx)
	}
	return nil
}

// agents are those that any sync has at a target.
func (p *Program) agents(target string) (out []string) {
	for _, sy := range p.Config.Syncs {
		if !slices.Contains(sy.To, target) {
			continue
		}
		for _, a := range sy.AgentsAt(target) {
			out = append(out, a.ID)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (p *Program) connect(ctx context.Context, c Check, m targets.Memory) Check {
	t, err := p.OpenTarget(c.Target, c.Agent, m)
	if err != nil {
		c.Err = err
		return c
	}
	defer func() { c.Err = errors.Join(c.Err, t.Close()) }()
	if c.Store, c.Err = t.Connect(ctx, false); c.Err != nil || c.Store.ID == "" {
		return c
	}
	agents := p.agents(c.Target)
	switch t := t.(type) {
	case targets.Linker:
		if len(agents) > 0 {
			res, err := t.Link(ctx, targets.LinkRequest{Want: agents, Searchable: true, DryRun: true})
			c.Err, c.Problems = err, res.Problems
		}
	case targets.Assigner:
		for _, a := range agents {
			if _, err := t.Assigned(ctx, a); err != nil {
				c.Problems = append(c.Problems, fmt.Errorf("agent %s: %w", kb.Printable(a), err))
			}
		}
	}
	return c
}
