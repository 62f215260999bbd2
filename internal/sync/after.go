package sync

import (
	"context"
	"slices"

	"kbsyncd/internal/kb"
)

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
	failed, unsure := false, error(nil)
	for _, s := range sortedKeys(p.sources) {
		t := p.sources[s]
		failed = failed || t.failed
		switch {
		case t.unsure != nil:
			unsure = t.unsure
			for _, g := range t.gone {
				p.keepUnsure(g, t.unsure)
			}
		case !t.failed:
			out = append(out, t.gone...)
		}
	}
	out = append(out, p.dismissed...)
	if p.index != nil && !failed {
		p.index.rest(func(h kb.KeyHash, parts []remotePart) {
			g := gone{hash: h, count: len(parts), remote: parts[0].name}
			g.sig, g.ext, g.sure = signed(parts)
			if unsure != nil {
				p.keepUnsure(g, unsure)
				return
			}
			out = append(out, g)
		})
	}
	return out
}

// keepUnsure keeps a document that was not found by a source which cannot tell whether it is gone.
func (p *pass) keepUnsure(g gone, why error) {
	if g.count == 0 {
		return
	}
	p.entry.Pending = append(p.entry.Pending, Pending{g.label(), "it was not found, and it stays: " + oneLine(why)})
	p.unrecorded(true)
}

func sortedKeys(m map[string]*sourceTally) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
