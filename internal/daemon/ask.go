package daemon

import (
	"context"
	"fmt"
	"slices"

	"github.com/bmatcuk/doublestar/v4"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/state"
	"kbsyncd/internal/targets"
)

// Found is a passage that a search gave.
type Found struct {
	targets.Hit
	Document kb.Key // the document that it is from; "" when no record tells
}

// Search asks a target a question; it gives at most top passages. fault.ErrUnsupported: the vendor offers no search.
func (p *Program) Search(ctx context.Context, target, question string, top int) ([]Found, error) {
	t, err := p.OpenTarget(target, "", nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = t.Close() }()
	s, ok := t.(targets.Searcher)
	if !ok {
		return nil, fault.New(fault.ErrUnsupported, "%s offers no search of its knowledge base", p.Config.Targets[target].Type).
			WithHint("ask the agent itself in the vendor's dashboard")
	}
	if _, err := t.Connect(ctx, false); err != nil {
		return nil, err
	}
	hits, err := s.Search(ctx, question, top)
	out := make([]Found, len(hits))
	wanted := map[kb.KeyHash][]int{}
	for i, h := range hits {
		out[i].Hit = h
		if m, _, ok := kb.ParseName(h.Name); ok {
			wanted[m.Key] = append(wanted[m.Key], i)
		}
	}
	if len(wanted) > 0 {
		p.nameDocuments(target, wanted, out)
	}
	return out, err
}

// nameDocuments looks up which documents the passages are from. Without a state that can be read they keep the vendor's names.
func (p *Program) nameDocuments(target string, wanted map[kb.KeyHash][]int, out []Found) {
	db, err := p.openState(true)
	if err != nil {
		return
	}
	defer func() { _ = db.Close() }()
	for _, sy := range p.Config.Syncs {
		sides, err := p.Sides(db, sy, target)
		if err != nil || !slices.Contains(sy.To, target) {
			continue
		}
		for _, side := range sides {
			for reader := db.Records(side, ""); ; {
				k, _, ok, err := reader.Next()
				if err != nil || !ok {
					break
				}
				for _, i := range wanted[kb.Key(k).Hash()] {
					out[i].Document = kb.Key(string(k))
				}
			}
		}
	}
}

// Reindex asks a target to index anew the documents whose keys match one of the globs; all when there are none. It gives how
// many documents that are. The next pass waits until they are searchable again.
func (p *Program) Reindex(ctx context.Context, target string, globs []string) (documents int, failed []error, err error) {
	db, err := p.openState(false)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = db.Close() }()
	for _, sy := range p.Config.Syncs {
		if !slices.Contains(sy.To, target) {
			continue
		}
		sides, err := p.Sides(db, sy, target)
		if err != nil {
			return documents, failed, err
		}
		for _, side := range sides {
			n, bad, err := p.reindexFlow(ctx, db, side, globs)
			documents, failed = documents+n, append(failed, bad...)
			if err != nil {
				return documents, failed, err
			}
		}
	}
	return documents, failed, nil
}

// reindexChunk is how many remote documents are asked for at a time.
const reindexChunk = 100

func (p *Program) reindexFlow(ctx context.Context, db *state.DB, f state.Flow, globs []string) (documents int, failed []error, err error) {
	agent := ""
	if p.Config.Targets[f.Target].Kind.AgentCopies {
		agent = f.Side
	}
	t, err := p.OpenTarget(f.Target, agent, &memory{db})
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = t.Close() }()
	r, ok := t.(targets.Reindexer)
	if !ok {
		return 0, nil, fault.New(fault.ErrUnsupported, "%s cannot be asked to index anew", p.Config.Targets[f.Target].Type).
			WithHint("documents are indexed when they are sent; change or send them again")
	}
	ids, documents, err := chosen(db, f, globs)
	if err != nil || len(ids) == 0 {
		return 0, nil, err
	}
	if _, err := t.Connect(ctx, false); err != nil {
		return 0, nil, err
	}
	facts, _, err := db.Facts(f)
	if err != nil {
		return 0, nil, err
	}
	// The next pass looks at the store instead of trusting that everything is searchable.
	facts.Dirty = true
	if err := db.Update(f, func(w *state.Writer) error { return w.SetFacts(facts) }); err != nil {
		return 0, nil, err
	}
	for chunk := range slices.Chunk(ids, reindexChunk) {
		results, err := r.Reindex(ctx, chunk)
		for _, res := range results {
			if res.Err != nil {
				failed = append(failed, res.Err)
			}
		}
		if err != nil {
			return documents, failed, err
		}
	}
	return documents, failed, nil
}

// chosen are the remote documents of the recorded documents that match.
func chosen(db *state.DB, f state.Flow, globs []string) (ids []targets.RemoteID, documents int, err error) {
	for reader := db.Records(f, ""); ; {
		k, v, ok, err := reader.Next()
		if err != nil || !ok {
			return ids, documents, err
		}
		key := kb.Key(k)
		if len(globs) > 0 && !slices.ContainsFunc(globs, func(g string) bool { return doublestar.MatchUnvalidated(g, string(key)) }) {
			continue
		}
		rec, err := state.DecodeRecord(key, v)
		if err != nil {
			return nil, 0, fmt.Errorf("record of %s: %w", kb.Printable(string(key)), err)
		}
		if rec.Skipped == "" && len(rec.Parts) > 0 {
			documents++
		}
		for _, pt := range rec.Parts {
			if pt.ID != "" {
				ids = append(ids, targets.RemoteID(pt.ID))
			}
		}
	}
}
