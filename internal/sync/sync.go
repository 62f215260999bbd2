// Package sync makes a target equal to its sources: it scans, compares with the records, plans, guards against mass
// deletion, applies, waits until the vendor is done, and reports.
//
// It is level-triggered and crash-only. Before the first request that changes anything the flow is marked dirty, durably; a
// pass that finds the mark, or no records, lists the store first and believes the listing. The order of a
// replacement is always: the new version is searchable, then the old one is deleted. A scan that failed deletes nothing.
//
// The package knows sources and targets by their interfaces only, and one process as the owner of the state.
package sync

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/state"
	"kbsyncd/internal/targets"
)

// Flow is one sync at one target, opened and ready.
type Flow struct {
	Sync, Target string
	Owner        string   // part of every remote name's mark
	Sources      []Source // in any order
	To           targets.Target
	Kind         string  // the vendor, for people
	Agents       []Agent // who gets the documents, at vendors that hand them out
	// Side tells flows of one sync and target apart that have records of their own: the agent whose copy this is, or the vendor's mode.
	Side string
	// Copy is the agent whose own copy the target is; "" at vendors with one store for all.
	Copy Agent
	// Leaving: the agent is no longer in the configuration, so nothing belongs into its copy any more.
	Leaving bool
	// Peers are the agents with copies of their own, this one among them. A document that several of them hold counts for the first.
	Peers           []Agent
	KeepFrontMatter bool
	Secrets         string // what happens to documents that seem to hold one: block, warn or off
	Delete          bool   // false: nothing is ever deleted
	MaxDelete       Limit
	Reconcile       time.Duration // how long the records are trusted without a listing
}

// Agent is an agent at the vendor.
type Agent struct {
	ID string
	// Match tells which documents it should have; nil means all. Rule is the same for people and for comparing: another rule means
	// that its documents are to be looked at again.
	Match func(kb.Key) bool
	Rule  string
}

func (a Agent) wants(k kb.Key) bool { return a.Match == nil || a.Match(k) }

// Source is an opened source under its configured name.
type Source struct {
	Name string
	sources.Source
}

// Limit is the most that one day may delete without consent.
type Limit struct {
	Percent float64 // share of the documents, 0 to 100; used when Count is negative
	Count   int     // number of documents; negative: Percent counts
	Floor   int     // this many are always allowed
}

// DefaultLimit is a quarter of the documents, but at least ten.
func DefaultLimit() Limit { return Limit{Percent: 25, Count: -1, Floor: 10} }

// Options are the wishes of one pass.
type Options struct {
	DryRun       bool // plan only: nothing is sent and nothing is written
	Reconcile    bool // list the store first even when the records are trusted
	AllowDeletes bool // pass the guard
	NoWait       bool // do not wait until the vendor is done
	KeepChanges  bool // list every change in the report
	// Run numbers the run of the program that the pass belongs to; passes of one run share one look at sources that are far away. 0: alone.
	Run uint64
}

// Engine runs passes. It may run several at once, but one flow at a time and no two flows of the same store.
type Engine struct {
	DB  *state.DB
	Log *slog.Logger
}

// errRestart tells that the store is another one than the records speak of.
var errRestart = errors.New("the store has changed")

// Run makes one pass over a flow. It never panics the caller with a vendor's surprises: whatever goes wrong is in the entry.
// When ctx is cancelled, the requests in flight are finished and recorded and the entry says Interrupted.
func (e *Engine) Run(ctx context.Context, f Flow, o Options, pr *Progress) *Entry {
	if pr == nil {
		pr = &Progress{}
	}
	start := time.Now()
	p := newPass(e, f, o, pr)
	run := (*pass).run
	if _, ok := f.To.(targets.Bundler); ok {
		run = (*pass).runBundle
	}
	err := run(p, ctx)
	if errors.Is(err, errRestart) {
		o.Reconcile = true
		p = newPass(e, f, o, pr)
		err = run(p, ctx)
	}
	if errors.Is(err, errRestart) {
		err = fault.New(fault.ErrSetup, "the store at the vendor becomes another one again and again").WithHint("is somebody deleting and creating it?")
	}
	if f.Leaving && !o.DryRun && errors.Is(err, fault.ErrNotFound) {
		if err = p.goneToo(err); err == nil {
			p.entry = newEntry(f, o)
		}
	}
	p.entry.finish(ctx, p, err)
	p.entry.Duration = time.Since(start)
	if serr := p.saveRun(); serr != nil && err == nil {
		p.entry.fail(serr)
	}
	pr.stage(StageDone)
	return p.entry
}

// goneToo forgets the copy of an agent that left the configuration and is gone at the vendor as well, once two passes were told so.
func (p *pass) goneToo(err error) error {
	if slices.Contains(p.facts.Missing, p.id.Side) {
		return p.DB.Forget(p.id)
	}
	p.facts.Missing = append(p.facts.Missing, p.id.Side)
	return errors.Join(err, p.writeFacts())
}

func newPass(e *Engine, f Flow, o Options, pr *Progress) *pass {
	p := &pass{
		Engine: e, flow: f, opt: o, progress: pr,
		id:      state.Flow{Sync: f.Sync, Target: f.Target, Side: f.Side},
		scope:   kb.NewScope(f.Owner, f.Sync),
		limits:  f.To.Limits(),
		entry:   newEntry(f, o),
		sources: map[string]*sourceTally{},
		awaited: map[kb.PartHash]bool{}, unread: map[string]bool{}, selfless: map[string]int{},
	}
	p.log = e.Log.With("sync", f.Sync, "target", f.Target)
	if f.Copy.ID != "" {
		p.log = p.log.With("agent", f.Copy.ID)
	}
	if a, ok := f.To.(targets.Assigner); ok {
		p.roster = newRoster(a, f.Agents)
	}
	p.sender = newSender(p)
	return p
}
