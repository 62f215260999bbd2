package sync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/state"
	"kbsyncd/internal/targets"
)

// deleteChunk is how many remote documents go between two commits.
const deleteChunk = 64

// after does what needs the whole scan: renames, the new documents that were held back, deletions, agents.
func (p *pass) after(ctx context.Context) error {
	lost := p.lost()
	lost, err := p.pair(ctx, lost)
	if err != nil {
		return err
	}
	if err := p.settleUp(ctx); err != nil {
		return err
	}
	if err := p.tidy(ctx); err != nil {
		return err
	}
	if err := p.flushPuts(); err != nil {
		return err
	}
	if err := p.remove(ctx, lost); err != nil {
		return err
	}
	return p.link(ctx)
}

// lost gathers the documents that no source has any more. What the listing alone knows counts only when
// every source could be scanned, since it does not tell the source.
func (p *pass) lost() []gone {
	var out []gone
	failed := false
	for _, s := range sortedKeys(p.sources) {
		t := p.sources[s]
		failed = failed || t.failed
		if !t.failed {
			out = append(out, t.gone...)
		}
	}
	if p.index != nil && !failed {
		p.index.rest(func(h kb.KeyHash, parts []remotePart) {
			g := gone{hash: h, count: len(parts)}
			g.sig, g.ext, g.sure = signed(parts)
			out = append(out, g)
		})
	}
	return out
}

func sortedKeys(m map[string]*sourceTally) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

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

// holdings is what the target holds of a lost document.
func (p *pass) holdings(g gone) ([]remotePart, error) {
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

// retire deletes the older versions of documents whose new version is searchable.
func (p *pass) retire(ctx context.Context) error {
	jobs := p.ready
	p.ready = nil
	if len(jobs) == 0 {
		return nil
	}
	if err := p.connect(ctx); err != nil {
		return err
	}
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
		}
	}
	return bad, nil
}

// remove passes the lost documents through the guard and deletes those that it lets go.
func (p *pass) remove(ctx context.Context, lost []gone) error {
	lost, err := p.forget(lost)
	if err != nil || !p.flow.Delete {
		return err
	}
	var recent int
	p.facts.Deleted, recent = recentDeletions(p.facts.Deleted, time.Now())
	approved := map[kb.Key]bool{}
	if p.facts.Approved {
		held, err := p.DB.Held(p.id)
		if err != nil {
			return err
		}
		for _, k := range held {
			approved[k] = true
		}
	}
	free, held, reasons := guard(guardInput{
		gone: lost, base: p.base, recent: recent, limit: p.flow.MaxDelete, allowed: p.opt.AllowDeletes,
		approved: approved, emptied: p.emptied,
	})
	for i, g := range held {
		p.entry.Held = append(p.entry.Held, Held{g.label(), reasons[i]})
		p.heldKeys = append(p.heldKeys, g.name())
		// What only the listing knows has no record, so the next pass must list again to find it.
		p.unsure = p.unsure || g.key == ""
	}
	if p.opt.DryRun {
		for _, g := range free {
			p.entry.Deleted++
			p.planRetire += g.count
			p.noteDeleted(g)
		}
		return nil
	}
	p.facts.Approved = false
	return p.erase(ctx, free)
}

// emptied tells why a document's source is no witness for its deletion.
func (p *pass) emptied(g gone) string {
	if g.key == "" {
		for _, s := range sortedKeys(p.sources) {
			if t := p.sources[s]; t.seen == 0 && p.hasSource(s) {
				return fmt.Sprintf("source %s is empty, and these documents may have been in it", s)
			}
		}
		return ""
	}
	s := g.key.Source()
	switch t := p.sources[s]; {
	case !p.hasSource(s):
		return fmt.Sprintf("source %s is no longer part of the sync", s)
	case t != nil && t.seen == 0 && t.known > 0:
		return fmt.Sprintf("source %s had %d documents and now has none", s, t.known)
	}
	return ""
}

func (p *pass) hasSource(name string) bool {
	return slices.ContainsFunc(p.flow.Sources, func(s Source) bool { return s.Name == name })
}

// name identifies the document among the held ones.
func (g gone) name() kb.Key {
	if g.key != "" {
		return g.key
	}
	return kb.Key(fmt.Sprintf("?/%013x", uint64(g.hash)))
}

// label is the document's key, or what the listing tells of it.
func (g gone) label() string {
	if g.key != "" {
		return kb.Printable(string(g.key))
	}
	return "(unknown document, version " + g.sig.hash.String() + ")"
}

// forget drops the records of lost documents of which the target holds nothing.
func (p *pass) forget(lost []gone) ([]gone, error) {
	var empty []gone
	left := lost[:0:0]
	for _, g := range lost {
		if g.count == 0 {
			empty = append(empty, g)
		} else {
			left = append(left, g)
		}
	}
	if len(empty) == 0 || p.opt.DryRun {
		return left, nil
	}
	return left, p.DB.Update(p.id, func(w *state.Writer) error {
		for _, g := range empty {
			if err := w.Delete(g.key); err != nil {
				return err
			}
		}
		return nil
	})
}

// erase deletes documents at the target, a chunk to a commit.
func (p *pass) erase(ctx context.Context, lost []gone) error {
	if len(lost) == 0 {
		return nil
	}
	if err := p.connect(ctx); err != nil {
		return err
	}
	p.progress.stage(StageDeleting)
	p.progress.ToDelete.Add(int64(len(lost)))
	for chunk := range slices.Chunk(lost, deleteChunk) {
		if err := p.eraseChunk(ctx, chunk); err != nil {
			return err
		}
	}
	return nil
}

func (p *pass) eraseChunk(ctx context.Context, chunk []gone) error {
	var ids []targets.RemoteID
	owner := make([][]targets.RemoteID, len(chunk))
	for i, g := range chunk {
		if p.isBack(ctx, g) {
			p.entry.wait(g.key, "it came back during the pass; the next pass looks again")
			continue
		}
		have, err := p.holdings(g)
		if err != nil {
			return err
		}
		for _, h := range have {
			owner[i] = append(owner[i], h.id)
		}
		ids = append(ids, owner[i]...)
	}
	if len(ids) == 0 {
		return nil
	}
	bad, err := p.deleteIDs(ctx, ids)
	if err != nil {
		return err
	}
	var done []gone
	for i, g := range chunk {
		if len(owner[i]) == 0 {
			continue
		}
		if why := firstOf(bad, owner[i]); why != nil {
			p.entry.Failed = append(p.entry.Failed, Failed{g.label(), "cannot be deleted: " + oneLine(why), 1})
			p.unsure = p.unsure || g.key == ""
			continue
		}
		done = append(done, g)
	}
	p.facts.Deleted = append(p.facts.Deleted, state.Deletion{At: time.Now().UTC().Truncate(time.Second), N: len(done)})
	err = p.DB.Update(p.id, func(w *state.Writer) error {
		for _, g := range done {
			if g.key != "" {
				if err := w.Delete(g.key); err != nil {
					return err
				}
			}
		}
		return w.SetFacts(p.facts)
	})
	if err != nil {
		return err
	}
	for _, g := range done {
		p.entry.Deleted++
		p.progress.Deleted.Add(1)
		p.noteDeleted(g)
		p.log.Info("deleted", "key", g.label())
	}
	p.changed = p.changed || len(done) > 0
	return nil
}

func firstOf(bad map[targets.RemoteID]error, ids []targets.RemoteID) error {
	for _, id := range ids {
		if bad[id] != nil {
			return bad[id]
		}
	}
	return nil
}

func (p *pass) noteDeleted(g gone) {
	if p.opt.KeepChanges {
		p.entry.Changes = append(p.entry.Changes, Change{Action: ActionDelete, Document: g.label(), Parts: g.count})
	}
}

// isBack looks at the source once more before a document is deleted.
func (p *pass) isBack(ctx context.Context, g gone) bool {
	for _, s := range p.flow.Sources {
		c, ok := s.Source.(sources.Checker)
		if !ok || g.key == "" || s.Name != g.key.Source() {
			continue
		}
		there, err := c.Exists(ctx, g.key)
		return there && err == nil
	}
	return false
}

// link hands the store to the agents, when there is reason to look.
func (p *pass) link(ctx context.Context) error {
	l, ok := p.flow.To.(targets.Linker)
	if ok {
		if err := p.linkAgents(ctx, l); err != nil {
			return err
		}
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
	if err := f.Finish(ctx); err != nil {
		if fault.StopsTarget(err) {
			return err
		}
		p.entry.fail(err)
		return nil
	}
	p.facts.Finish = false
	return nil
}

func (p *pass) linkAgents(ctx context.Context, l targets.Linker) error {
	want := slices.Clone(p.flow.Agents)
	slices.Sort(want)
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", want))
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
