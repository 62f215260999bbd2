// Package daemon puts the parts together: it opens what a configuration names and runs passes over it. Each store is
// worked on by one pass at a time, different stores at the same time.
package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sort"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"kbsyncd/internal/config"
	"kbsyncd/internal/convert"
	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/state"
	kbsync "kbsyncd/internal/sync"
	"kbsyncd/internal/targets"
)

// Program is a configuration that can be run.
type Program struct {
	Config    *config.Config
	Log       *slog.Logger
	UserAgent string
	Transport http.RoundTripper // for tests; nil is the network
}

// Once says how to make one pass over everything.
type Once struct {
	kbsync.Options
	Only []string // these syncs only; all when empty
}

// Live is a flow under way, for those who show progress.
type Live struct {
	Sync, Target string
	Progress     *kbsync.Progress
}

// runs numbers the runs of this process.
var runs atomic.Uint64

// set is what one run has open.
type set struct {
	*Program
	sources map[string]sources.Source
	targets map[opened]targets.Target
	memory  *memory
}

// opened names an open target: by itself, or as the copy of one agent.
type opened struct{ target, agent string }

// memory is what targets remember between processes. It is nothing until the state is open.
type memory struct{ db *state.DB }

// Recall implements targets.Memory.
func (m *memory) Recall(key string) ([]byte, error) {
	if m.db == nil {
		return nil, nil
	}
	return m.db.Recall(key)
}

// Remember implements targets.Memory.
func (m *memory) Remember(key string, value []byte) error {
	if m.db == nil || m.db.ReadOnly() {
		return nil
	}
	return m.db.Remember(key, value)
}

// RunOnce makes one pass over the syncs. Watch, when not nil, is called once before the first pass. The error is about what
// kept the run from starting, of class fault.ErrSetup when the configuration
// causes it; everything else is in the report.
func (p *Program) RunOnce(ctx context.Context, o Once, watch func([]Live)) (*kbsync.Report, error) {
	started := time.Now()
	cache := p.cacheDir(o.DryRun)
	convert.SetCacheDir(cache)
	defer func() { _ = convert.Close() }() //nolint:contextcheck // it ends what is left also after an interruption
	s, err := p.open(o.Only, cache)
	if err != nil {
		return nil, fault.New(fault.ErrSetup, "%s", p.Config.File).Because(err)
	}
	defer s.close()
	db, err := p.openState(o.DryRun)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	if len(p.Config.Notify) > 0 {
		p.Log.Warn("notify has no effect yet: nobody is told about this pass")
	}
	s.memory.db = db
	o.Run = runs.Add(1)
	flows, err := s.flows(db, o.Only)
	if err != nil {
		return nil, err
	}
	live := make([]Live, len(flows))
	for i, f := range flows {
		live[i] = Live{f.Sync, f.Target, &kbsync.Progress{}}
		if f.Copy.ID != "" {
			live[i].Target += " (" + kb.Printable(f.Copy.ID) + ")"
		}
	}
	if watch != nil {
		watch(live)
	}
	entries := s.run(ctx, db, flows, live, o.Options)
	if damaged(entries) && !o.DryRun {
		_ = db.Close()
		aside, err := state.SetAside(p.Config.State)
		if err != nil {
			return nil, err
		}
		p.warnAside(aside)
		if db, err = p.openState(false); err != nil {
			return nil, err
		}
		s.memory.db = db
		entries = s.run(ctx, db, flows, live, o.Options)
	}
	return kbsync.NewReport(started, o.DryRun, kbsync.Merge(entries)), nil
}

// cacheDir is where things are kept that are expensive to get again: the engine for PDF files, repositories, pages of websites. A dry run
// uses what is there and makes no directory.
func (p *Program) cacheDir(dryRun bool) string {
	dir := p.Config.State + ".cache"
	if _, err := os.Stat(dir); dryRun && err != nil {
		return ""
	}
	return dir
}

func damaged(entries []*kbsync.Entry) bool {
	for _, e := range entries {
		if e.Damaged {
			return true
		}
	}
	return false
}

func (p *Program) openState(readOnly bool) (*state.DB, error) {
	db, aside, err := state.Open(p.Config.State, state.Options{ReadOnly: readOnly})
	if aside != "" {
		p.warnAside(aside)
	}
	return db, err
}

func (p *Program) warnAside(aside string) {
	p.Log.Warn("the state file was damaged; it is set aside and rebuilt from the vendor's listing", "aside", aside)
}

// sourceMemory is what one source remembers between processes. It is nothing until the state is open.
type sourceMemory struct {
	*memory
	name string
}

// Load implements sources.Memory.
func (m sourceMemory) Load(fn func(key string, value []byte) error) error {
	if m.db == nil {
		return nil
	}
	return m.db.LoadSource(m.name, fn)
}

// Save implements sources.Memory.
func (m sourceMemory) Save(changes map[string][]byte) error {
	if m.db == nil || m.db.ReadOnly() {
		return nil
	}
	return m.db.SaveSource(m.name, changes)
}

// open opens the sources and targets that the syncs use.
func (p *Program) open(only []string, cache string) (*set, error) {
	s := &set{Program: p, sources: map[string]sources.Source{}, targets: map[opened]targets.Target{}, memory: &memory{}}
	for _, sy := range p.Config.Syncs {
		if !wanted(sy.Name, only) {
			continue
		}
		for _, name := range sy.From {
			if s.sources[name] == nil {
				src, err := p.openSource(name, s.memory, cache)
				if err != nil {
					s.close()
					return nil, err
				}
				s.sources[name] = src
			}
		}
		for _, name := range sy.To {
			for _, agent := range p.copiesOf(sy, name) {
				if _, err := s.target(name, agent); err != nil {
					s.close()
					return nil, err
				}
			}
		}
	}
	return s, nil
}

// OpenSource opens one source of the configuration, to be asked about what the state, which may be nil, and the cache know of it.
func (p *Program) OpenSource(name string, db *state.DB) (sources.Source, error) {
	return p.openSource(name, &memory{db}, p.cacheDir(true))
}

func (p *Program) openSource(name string, m *memory, cache string) (sources.Source, error) {
	c, ok := p.Config.Sources[name]
	if !ok {
		return nil, fault.New(fault.ErrSetup, "no source is called %q", name)
	}
	src, err := c.Config.Open(sources.Options{
		Name: name, Dir: p.Config.Dir, Logger: p.Log.With("source", name), UserAgent: p.UserAgent,
		CacheDir: cache, Memory: sourceMemory{m, name},
	})
	if err != nil {
		return nil, fmt.Errorf("sources.%s: %w", name, err)
	}
	return src, nil
}

// target gives an open target, and opens it when it is not.
func (s *set) target(name, agent string) (targets.Target, error) {
	at := opened{name, agent}
	if t := s.targets[at]; t != nil {
		return t, nil
	}
	t, err := s.OpenTarget(name, agent, s.memory)
	if err == nil {
		s.targets[at] = t
	}
	return t, err
}

// copiesOf are the agents whose copies a sync keeps at a target; [""] where there is one store for all.
func (p *Program) copiesOf(sy config.Sync, target string) []string {
	if !p.Config.Targets[target].Kind.AgentCopies {
		return []string{""}
	}
	var out []string
	for _, a := range sy.AgentsAt(target) {
		out = append(out, a.ID)
	}
	return out
}

// OpenTarget opens one target of the configuration; no request is made. Agent is whose copy it is, at vendors with a copy for
// each agent, and "" elsewhere; m may be nil.
func (p *Program) OpenTarget(name, agent string, m targets.Memory) (targets.Target, error) {
	c, ok := p.Config.Targets[name]
	if !ok {
		return nil, fault.New(fault.ErrSetup, "no target is called %q", name)
	}
	t, err := c.Config.Open(targets.Options{
		Name: name, UserAgent: p.UserAgent, Logger: p.Log.With("target", name), Agent: agent, Memory: m,
		Transport: p.Transport,
	})
	if err != nil {
		return nil, fmt.Errorf("targets.%s: %w", name, err)
	}
	return t, nil
}

func (s *set) close() {
	for _, src := range s.sources {
		_ = src.Close()
	}
	for _, t := range s.targets {
		_ = t.Close()
	}
}

func wanted(name string, only []string) bool { return len(only) == 0 || slices.Contains(only, name) }

func limit(m config.MaxDelete) kbsync.Limit {
	switch {
	case m.Default:
		return kbsync.DefaultLimit()
	case m.Percent > 0:
		return kbsync.Limit{Percent: m.Percent, Count: -1}
	}
	return kbsync.Limit{Count: m.Count}
}

// run makes the passes: one after the other for each target, targets side by side.
func (s *set) run(ctx context.Context, db *state.DB, flows []kbsync.Flow, live []Live, o kbsync.Options) []*kbsync.Entry {
	e := &kbsync.Engine{DB: db, Log: s.Log}
	entries := make([]*kbsync.Entry, len(flows))
	byTarget := map[string][]int{}
	for i, f := range flows {
		byTarget[f.Target] = append(byTarget[f.Target], i)
	}
	var g errgroup.Group
	for _, name := range sortedNames(byTarget) {
		g.Go(func() error {
			for _, i := range byTarget[name] {
				if flows[i].Leaving && troubled(flows, entries, i) {
					entries[i] = kbsync.Postponed(flows[i], o, "agent "+kb.Printable(flows[i].Side)+
						" keeps its documents, because another agent of the sync cannot be reached; put that right, or remove it from the configuration")
					continue
				}
				entries[i] = e.Run(ctx, flows[i], o, live[i].Progress)
				s.forget(db, flows[i], entries[i])
			}
			return nil
		})
	}
	_ = g.Wait()
	return entries
}

// troubled tells whether an agent of the configuration could not be served: its id may be a slip, and the agent that seems to leave
// the one that was meant.
func troubled(flows []kbsync.Flow, entries []*kbsync.Entry, leaving int) bool {
	for i, f := range flows {
		if e := entries[i]; e != nil && !f.Leaving && f.Sync == flows[leaving].Sync && f.Target == flows[leaving].Target && e.Outcome == kbsync.OutcomeError {
			return true
		}
	}
	return false
}

// forget drops the records of an agent's copy that is empty now and will not be filled again.
func (s *set) forget(db *state.DB, f kbsync.Flow, e *kbsync.Entry) {
	if !f.Leaving || e.DryRun || e.Outcome != kbsync.OutcomeOK {
		return
	}
	if err := db.Forget(state.Flow{Sync: f.Sync, Target: f.Target, Side: f.Side}); err != nil {
		s.Log.Warn("the records of an agent that left the configuration could not be dropped", "agent", f.Side, "err", err)
	}
}

func sortedNames(m map[string][]int) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
