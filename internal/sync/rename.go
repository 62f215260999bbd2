package sync

import (
	"context"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/targets"
)

// pair finds new documents with the content of lost ones: they were renamed. Those that the vendor can rename in place are;
// the others are sent, and the old one is retired once the new one is searchable. It returns what is really lost.
func (p *pass) pair(ctx context.Context, lost []gone) ([]gone, error) {
	bySig := map[signature][]int{}
	for i, g := range lost {
		if g.sure && g.count > 0 && g.sig.parts > 0 {
			bySig[g.sig] = append(bySig[g.sig], i)
		}
	}
	paired := map[int]bool{}
	var renames, sends []*job
	for _, j := range p.freshJobs {
		sig := signatureOf(j.parts)
		i := pick(bySig[sig], lost, j)
		if i < 0 {
			sends = append(sends, j)
			continue
		}
		bySig[sig] = slices.DeleteFunc(bySig[sig], func(k int) bool { return k == i })
		paired[i] = true
		j.action, j.from, j.drop = ActionRename, lost[i].key, lost[i].key
		have, err := p.holdings(lost[i])
		if err != nil {
			return nil, err
		}
		if p.renamable(j, have) {
			renames = append(renames, j)
		} else {
			for _, h := range have {
				j.retire = append(j.retire, h.id)
			}
			sends = append(sends, j)
		}
	}
	p.freshJobs = nil
	left := lost[:0:0]
	for i, g := range lost {
		if !paired[i] {
			left = append(left, g)
		}
	}
	if err := p.rename(ctx, renames, &sends); err != nil {
		return left, err
	}
	for _, j := range sends {
		if err := p.send(ctx, j); err != nil {
			return left, err
		}
	}
	return left, nil
}

// pick prefers, among lost documents of equal content, the one with the same base name.
func pick(candidates []int, lost []gone, j *job) int {
	for _, i := range candidates {
		if lost[i].key != "" && lost[i].key.Base() == j.doc.Key.Base() {
			return i
		}
	}
	if len(candidates) > 0 {
		return candidates[0]
	}
	return -1
}

// ours leaves out what somebody else named.
func ours(have []remotePart) []remotePart {
	return slices.DeleteFunc(have, func(h remotePart) bool { return h.alien })
}

// holdings is what the target holds of a lost document.
func (p *pass) holdings(g gone) ([]remotePart, error) {
	if p.index != nil && g.key != "" {
		return ours(p.index.of(g.key)), nil
	}
	if p.index != nil {
		lo, hi := p.index.find(g.hash)
		var out []remotePart
		for i := lo; i < hi; i++ {
			out = append(out, p.index.remote(&p.index.entries[i]))
		}
		return out, nil
	}
	r, ok, err := p.DB.Record(p.id, g.key)
	if err != nil || !ok {
		return nil, err
	}
	return remembered(r), nil
}

// renamable takes over the remote parts of the earlier name, when the vendor can rename and the extension stays.
func (p *pass) renamable(j *job, have []remotePart) bool {
	if _, ok := p.flow.To.(targets.Renamer); !ok {
		return false
	}
	parts := slices.Clone(j.parts)
	v := decide(parts, have)
	if v.missing > 0 || p.index == nil && len(v.retire) == 0 && len(have) != len(parts) {
		return false
	}
	for _, h := range have {
		if h.known && !strings.EqualFold(h.ext, path.Ext(p.remoteName(j.doc.Key, parts[0]))) {
			return false
		}
	}
	j.parts, j.retire = parts, v.retire
	return true
}

// rename renames in place. What the vendor refuses to rename is added to sends.
func (p *pass) rename(ctx context.Context, jobs []*job, sends *[]*job) error {
	if len(jobs) == 0 {
		return nil
	}
	if p.opt.DryRun {
		for _, j := range jobs {
			p.entry.Renamed++
			p.planRenames += len(j.parts)
			p.note(j, ActionRename)
		}
		return nil
	}
	if err := p.connect(ctx); err != nil {
		return err
	}
	if err := p.owe(); err != nil {
		return err
	}
	renamer := p.flow.To.(targets.Renamer)
	var mu sync.Mutex
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, p.limits.Concurrency))
	var done []*job
	for _, j := range jobs {
		g.Go(func() error {
			if gctx.Err() != nil {
				return gctx.Err()
			}
			err := p.renameOne(gctx, renamer, j)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case fault.StopsTarget(err) || gctx.Err() != nil:
				return err
			case err != nil:
				p.log.Warn("rename failed, sending instead", "key", j.doc.Key, "err", err)
				for i := range j.parts {
					j.retire = append(j.retire, j.parts[i].id)
					j.parts[i].id = ""
				}
				*sends = append(*sends, j)
			default:
				done = append(done, j)
			}
			return nil
		})
	}
	err := g.Wait()
	slices.SortFunc(done, compareKeys)
	if serr := p.sent(done); serr != nil {
		return serr
	}
	slices.SortFunc(*sends, compareKeys)
	return err
}

func (p *pass) renameOne(ctx context.Context, r targets.Renamer, j *job) error {
	for i := range j.parts {
		pt := &j.parts[i]
		rem, err := r.Rename(ctx, pt.id, p.remoteName(j.doc.Key, *pt))
		if err != nil {
			return err
		}
		pt.status = rem.Status
	}
	return nil
}
