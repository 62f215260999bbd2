package sync

import (
	"context"
	"fmt"
	"slices"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/state"
	"kbsyncd/internal/targets"
)

// deleteChunk is how many remote documents go between two commits.
const deleteChunk = 64

// tidy deletes leftovers of documents that are complete: older versions of a pass that died, and second copies.
func (p *pass) tidy(ctx context.Context) error {
	if p.opt.DryRun {
		for _, j := range p.cleanups {
			p.planRetire += len(j.retire)
		}
		p.cleanups = nil
		return nil
	}
	jobs := p.cleanups
	p.cleanups = nil
	if err := p.settled(jobs); err != nil {
		return err
	}
	return p.retire(ctx)
}

// retire gives the documents that are searchable now to their agents, and deletes their older versions.
func (p *pass) retire(ctx context.Context) error {
	jobs := p.ready
	p.ready = nil
	if len(jobs) == 0 {
		return nil
	}
	if err := p.connect(ctx); err != nil {
		return err
	}
	jobs, err := p.handOver(ctx, jobs)
	if err != nil {
		return err
	}
	jobs = slices.DeleteFunc(jobs, func(j *job) bool { return len(j.retire) == 0 })
	for len(jobs) > 0 {
		var ids []targets.RemoteID
		n := 0
		for n < len(jobs) && (n == 0 || len(ids)+len(jobs[n].retire) <= deleteChunk) {
			ids = append(ids, jobs[n].retire...)
			n++
		}
		bad, err := p.deleteIDs(ctx, ids)
		if err != nil {
			return err
		}
		for _, j := range jobs[:n] {
			left := j.retire[:0:0]
			for _, id := range j.retire {
				if why := bad[id]; why != nil {
					left = append(left, id)
					p.entry.failDocument(j.doc.Key, fmt.Errorf("an older version could not be deleted: %w", why))
				}
			}
			j.retire = left
		}
		done := jobs[:n]
		jobs = jobs[n:]
		err = p.DB.Update(p.id, func(w *state.Writer) error {
			for _, j := range done {
				if err := w.Put(j.doc.Key, j.final(true)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		p.changed = true
	}
	return nil
}

// deleteIDs deletes remote documents and gives those for which it failed.
func (p *pass) deleteIDs(ctx context.Context, ids []targets.RemoteID) (map[targets.RemoteID]error, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	bad := map[targets.RemoteID]error{}
	if len(ids) == 0 {
		return bad, nil
	}
	if err := p.owe(); err != nil {
		return nil, err
	}
	results, err := p.flow.To.Delete(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		switch {
		case i >= len(results):
			bad[id] = fault.New(fault.ErrUnknown, "no answer")
		case results[i].Err != nil:
			bad[id] = results[i].Err
		case results[i].Left:
			p.facts.Orphans++
		}
	}
	return bad, nil
}
