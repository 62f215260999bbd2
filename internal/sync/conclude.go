package sync

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/state"
)

// conclude records how far the pass came. It also runs after an interruption or an error: what was learnt is kept, and the
// dirty mark stays where an outcome is unknown. A pass that learnt nothing writes nothing.
func (p *pass) conclude(ctx context.Context, err error) error {
	p.entry.Orphans = p.facts.Orphans
	if p.opt.DryRun {
		p.estimate()
		return nil
	}
	if ctx.Err() != nil {
		// The answers of requests in flight are still to come, and they are recorded.
		if err := p.sender.wait(); err != nil && !errors.Is(err, context.Canceled) && !fault.StopsTarget(err) {
			p.unsure = true
		}
		for _, j := range p.settling {
			p.entry.wait(j.doc.Key, "interrupted; the next pass goes on")
		}
	}
	if err := p.flushPuts(); err != nil {
		return err
	}
	complete := ctx.Err() == nil && len(p.sourceErrs) == 0
	if p.index != nil && complete && err == nil {
		p.facts.Reconciled = time.Now().UTC().Truncate(time.Second)
	}
	if (err != nil || !complete) && (p.connected || p.index != nil) {
		p.unsure = true
	}
	switch {
	case p.unsure:
		p.facts.Dirty = true
	case p.connected, p.index != nil && complete:
		p.facts.Dirty = false
	}
	for name, id := range p.identities {
		was, err := p.DB.SourceIdentity(name)
		if err != nil {
			return err
		}
		if was != id {
			if err := p.DB.SetSourceIdentity(name, id); err != nil {
				return err
			}
		}
	}
	if err := p.saveHeld(complete); err != nil {
		return err
	}
	return p.writeFacts()
}

// saveHeld remembers what the guard holds, so that it can be shown and approved.
func (p *pass) saveHeld(complete bool) error {
	if !complete || !p.guarded {
		return nil
	}
	was, err := p.DB.Held(p.id)
	if err != nil {
		return err
	}
	now := slices.Clone(p.heldKeys)
	slices.Sort(now)
	if slices.Equal(was, now) {
		return nil
	}
	return p.DB.Update(p.id, func(w *state.Writer) error { return w.SetHeld(now) })
}

// estimate is what the plan costs: requests, and the time that the vendor's limits make it take at least.
func (p *pass) estimate() {
	if p.entry.Changed() == 0 && p.planRetire == 0 {
		return
	}
	l := p.limits
	batches := (p.planFiles + max(1, l.BatchFiles) - 1) / max(1, l.BatchFiles)
	calls := 1 + batches*max(1, l.RequestsPerBatch) + p.planRenames + p.planRetire + 2*(p.entry.Assigned+p.entry.Unassigned)
	if p.entry.StoreMissing {
		calls++
	}
	if p.planFiles > 0 {
		// Two looks at the statuses, a page of fifty at a time.
		calls += 2 * (1 + (p.base+p.planFiles)/50)
	}
	p.entry.PlanCalls = calls
	if l.Rate > 0 {
		p.entry.PlanTime = time.Duration(float64(calls) / l.Rate * float64(time.Second))
	}
	p.entry.PlanTime = max(p.entry.PlanTime, time.Second)
}

// saveRun keeps the entry for `status`, when it says something new.
func (p *pass) saveRun() error {
	if p.opt.DryRun || p.DB.ReadOnly() {
		return nil
	}
	was, err := p.DB.LastRun(p.id)
	if err != nil {
		return err
	}
	if p.entry.Changed() == 0 && p.entry.sameState(was) {
		return nil
	}
	p.entry.At = time.Now().UTC().Truncate(time.Second)
	now, err := p.entry.summary()
	p.entry.At = time.Time{}
	if err != nil {
		return err
	}
	return p.DB.Update(p.id, func(w *state.Writer) error { return w.SetRun(now) })
}

// sameState tells whether an earlier entry, as stored, leaves the flow in the same state as this one.
func (e *Entry) sameState(stored []byte) bool {
	var was Entry
	if json.Unmarshal(stored, &was) != nil {
		return false
	}
	state := func(e Entry) ([]byte, error) {
		return Entry{
			Outcome: e.Outcome, Documents: e.Documents, Skipped: e.Skipped, Pending: e.Pending, Held: e.Held, Failed: e.Failed,
			Error: e.Error,
		}.summary()
	}
	a, errA := state(was)
	b, errB := state(*e)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}
