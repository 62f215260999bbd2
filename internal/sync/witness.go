package sync

import (
	"context"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
)

// tallySink counts documents.
type tallySink struct{ n int }

func (s *tallySink) Document(kb.Document) error { s.n++; return nil }
func (s *tallySink) Problem(kb.Problem) error   { return nil }

// witnessed leaves only those lost documents whose sources stand still. A document that moves during a scan, from a place that was
// not read yet to one that was, is in neither; a second scan sees it. So before anything is deleted, sources that can be
// scanned without cost are counted once more, and where the number differs the deletions wait for the next pass.
func (p *pass) witnessed(ctx context.Context, lost []gone) ([]gone, error) {
	if len(lost) == 0 {
		return lost, nil
	}
	concerned := map[string]bool{}
	for _, g := range lost {
		concerned[g.key.Source()] = true // "" concerns every source
	}
	moving := map[string]bool{}
	for _, s := range p.sortedSources() {
		if _, cheap := s.Source.(sources.Checker); !cheap || !concerned[s.Name] && !concerned[""] {
			continue
		}
		var count tallySink
		err := s.Scan(ctx, sources.Known{Run: p.opt.Run}, &count)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil || count.n != p.sources[s.Name].seen {
			moving[s.Name], moving[""] = true, true
		}
	}
	left := lost[:0:0]
	for _, g := range lost {
		if !moving[g.key.Source()] {
			left = append(left, g)
			continue
		}
		p.entry.Pending = append(p.entry.Pending, Pending{g.label(), "it is gone, but its source is changing right now; the next pass looks again"})
		p.unrecorded(true)
	}
	return left, nil
}
