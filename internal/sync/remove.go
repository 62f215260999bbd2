package sync

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/state"
	"kbsyncd/internal/targets"
)

// remove passes the lost documents through the guard and deletes those that it lets go.
func (p *pass) remove(ctx context.Context, lost []gone) error {
	lost, err := p.forget(lost)
	if err != nil || !p.flow.Delete {
		return err
	}
	if lost, err = p.keepAwaited(lost); err != nil {
		return err
	}
	lost = p.keepUnread(lost)
	free, err := p.guardLost(lost)
	if err != nil {
		return err
	}
	if p.opt.DryRun {
		for _, g := range free {
			p.entry.Deleted++
			p.planRetire += g.count
			p.noteDeleted(g)
			p.planRelease(g)
		}
		return nil
	}
	p.facts.Approved = false
	if free, err = p.witnessed(ctx, free); err != nil {
		return err
	}
	return p.erase(ctx, free)
}

// guardLost asks the guard, and notes what it holds; the rest may be deleted.
func (p *pass) guardLost(lost []gone) ([]gone, error) {
	var recent int
	p.facts.Deleted, recent = recentDeletions(p.facts.Deleted, time.Now())
	approved := map[kb.Key]bool{}
	if p.facts.Approved {
		held, err := p.DB.Held(p.id)
		if err != nil {
			return nil, err
		}
		for _, k := range held {
			approved[k] = true
		}
	}
	p.guarded = true
	free, held, reasons := guard(guardInput{
		gone: lost, base: p.base, recent: recent, limit: p.flow.MaxDelete, allowed: p.opt.AllowDeletes,
		approved: approved, emptied: p.emptied,
	})
	for i, g := range held {
		p.entry.Held = append(p.entry.Held, Held{g.label(), reasons[i]})
		p.heldKeys = append(p.heldKeys, g.name())
		known, err := p.fullyRecorded(g)
		if err != nil {
			return nil, err
		}
		p.unrecorded(!known)
	}
	return free, nil
}

// keepAwaited leaves out the lost documents whose content is on its way to the target under another name and not searchable
// there yet. Such a rename was begun by a pass that died, or it is more than a rename; either way the content must not vanish.
func (p *pass) keepAwaited(lost []gone) ([]gone, error) {
	if len(p.awaited) == 0 {
		return lost, nil
	}
	left := lost[:0:0]
	for _, g := range lost {
		have, err := p.holdings(g)
		if err != nil {
			return nil, err
		}
		// Any of its versions counts: a pass that died may have left more than one.
		if !slices.ContainsFunc(have, func(h remotePart) bool { return h.known && h.part <= 1 && p.awaited[h.hash] }) {
			left = append(left, g)
			continue
		}
		p.entry.Pending = append(p.entry.Pending, Pending{g.label(), "its content is not searchable under another name yet; until then it stays"})
		known, err := p.fullyRecorded(g)
		if err != nil {
			return nil, err
		}
		p.unrecorded(!known)
	}
	return left, nil
}

// kindOf names the source and the extension of a document.
func kindOf(k kb.Key) string { return k.Source() + "/" + strings.ToLower(path.Ext(k.Base())) }

// keepUnread leaves out the lost documents that may be there under another name: a new document of their kind could not be read, so
// that its content could not be compared. They wait for the next pass.
func (p *pass) keepUnread(lost []gone) []gone {
	if len(p.unread) == 0 {
		return lost
	}
	left := lost[:0:0]
	for _, g := range lost {
		if g.unwanted || g.key != "" && !p.unread[kindOf(g.key)] {
			left = append(left, g)
			continue
		}
		p.entry.Pending = append(p.entry.Pending, Pending{g.label(), "a new document that could not be read may be this one under another name; until it is read it stays"})
		p.unrecorded(true)
	}
	return left
}

// fullyRecorded tells whether the records name everything that the target holds of a lost document. Otherwise only a
// listing finds the rest again.
func (p *pass) fullyRecorded(g gone) (bool, error) {
	if p.index == nil {
		return true, nil
	}
	r, ok, err := p.DB.Record(p.id, g.key)
	if err != nil || !ok {
		return false, err
	}
	ids := map[targets.RemoteID]bool{}
	for _, h := range remembered(r) {
		ids[h.id] = true
	}
	have, err := p.holdings(g)
	for _, h := range have {
		if !ids[h.id] {
			return false, err
		}
	}
	return err == nil, err
}

// emptied tells why a document's source is no witness for its deletion.
func (p *pass) emptied(g gone) string {
	if g.key == "" {
		for _, s := range sortedKeys(p.sources) {
			if t := p.sources[s]; t.meant == 0 && p.hasSource(s) {
				return fmt.Sprintf("source %s is empty, and these documents may have been in it", s)
			}
		}
		return ""
	}
	s := g.key.Source()
	switch t := p.sources[s]; {
	case !p.hasSource(s):
		return fmt.Sprintf("source %s is no longer part of the sync", s)
	case t != nil && t.seen > 0 && t.meant == 0 && t.known > 0 && !p.flow.Leaving:
		return fmt.Sprintf("nothing in source %s matches what agent %s should have", s, kb.Printable(p.flow.Copy.ID))
	case t != nil && t.meant > 0 && t.meant == t.aside+p.selfless[s]:
		return fmt.Sprintf("every document of source %s says in its front matter that it is not meant for here", s)
	case t != nil && t.seen == 0 && t.known > 0:
		if t.known == 1 {
			return fmt.Sprintf("source %s had one document and now has none", s)
		}
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
	if g.remote != "" {
		return kb.Printable(g.remote)
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
	kept, err := p.release(ctx, ids)
	if err != nil {
		return err
	}
	bad, err := p.deleteIDs(ctx, slices.DeleteFunc(ids, func(id targets.RemoteID) bool { return kept[id] != nil }))
	if err != nil {
		return err
	}
	maps.Copy(bad, kept)
	var done []gone
	for i, g := range chunk {
		if len(owner[i]) == 0 {
			continue
		}
		if why := firstOf(bad, owner[i]); why != nil {
			p.entry.Failed = append(p.entry.Failed, Failed{g.label(), "cannot be deleted: " + oneLine(why), 1})
			p.unrecorded(true)
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
	p.factsWritten()
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
	if g.unwanted || !p.flow.Copy.wants(g.key) {
		return false
	}
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
