package sync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
)

// link hands the store to the agents, when there is reason to look.
func (p *pass) link(ctx context.Context) error {
	l, ok := p.flow.To.(targets.Linker)
	if ok {
		if err := p.linkAgents(ctx, l); err != nil {
			return err
		}
	}
	if p.roster != nil {
		if err := p.assignAll(ctx); err != nil {
			return err
		}
		p.noteAgents()
	}
	if p.opt.DryRun {
		return nil
	}
	f, ok := p.flow.To.(targets.Finisher)
	if !ok || !p.changed && !p.facts.Finish {
		return nil
	}
	p.facts.Finish = true
	if len(p.entry.Pending) > 0 || p.opt.NoWait {
		return nil // the work is done once everything settled
	}
	if err := p.meet(ctx); err != nil {
		return err
	}
	if err := f.Finish(ctx); err != nil {
		if errors.Is(err, targets.ErrLater) {
			return nil // the next pass asks again
		}
		if fault.StopsTarget(err) {
			return err
		}
		p.entry.fail(err)
		return nil
	}
	p.facts.Finish = false
	return nil
}

// meet makes sure that the target has found its store, also in a pass that neither listed nor sent anything.
func (p *pass) meet(ctx context.Context) error {
	if p.index != nil || p.opt.DryRun {
		return nil
	}
	return p.connect(ctx)
}

func (p *pass) linkAgents(ctx context.Context, l targets.Linker) error {
	var want []string
	for _, a := range p.flow.Agents {
		want = append(want, a.ID)
	}
	slices.Sort(want)
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %s", want, p.place()))
	digest := hex.EncodeToString(sum[:8])
	if p.facts.Link == digest && p.index == nil {
		return nil
	}
	if p.entry.StoreMissing && p.opt.DryRun {
		p.linked(targets.LinkResult{Assigned: want})
		return nil
	}
	if p.facts.Store == "" {
		return nil // nothing was ever sent
	}
	if err := p.meet(ctx); err != nil {
		return err
	}
	p.progress.stage(StageLinking)
	res, err := l.Link(ctx, targets.LinkRequest{
		Want: want, Ours: p.facts.Linked, Searchable: p.searchable || p.base > 0 || p.opt.DryRun, DryRun: p.opt.DryRun,
	})
	if err != nil {
		return err
	}
	p.linked(res)
	for _, problem := range res.Problems {
		p.entry.fail(problem)
	}
	p.facts.Linked = res.Ours
	p.facts.Link = digest
	if res.Waiting || len(res.Problems) > 0 {
		p.facts.Link = ""
	}
	return nil
}

func (p *pass) linked(res targets.LinkResult) {
	p.entry.Assigned, p.entry.Unassigned = len(res.Assigned), len(res.Unassigned)
	if !p.opt.KeepChanges {
		return
	}
	for _, a := range res.Assigned {
		p.entry.Changes = append(p.entry.Changes, Change{Action: ActionAssign, Document: kb.Printable(a)})
	}
	for _, a := range res.Unassigned {
		p.entry.Changes = append(p.entry.Changes, Change{Action: ActionUnassign, Document: kb.Printable(a)})
	}
}
