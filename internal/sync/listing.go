package sync

import (
	"context"
	"fmt"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/state"
	"kbsyncd/internal/targets"
)

// list reads the whole store and keeps what carries our mark.
func (p *pass) list(ctx context.Context) error {
	store, err := p.flow.To.Connect(ctx, false)
	if err != nil {
		return err
	}
	p.index = &index{}
	p.entry.Store = store.Name
	p.entry.StoreMissing = store.ID == ""
	p.facts.Store, p.facts.StoreName = store.ID, store.Name
	if store.ID == "" {
		return nil
	}
	unusable := 0
	var links []targets.Remote
	p.facts.Orphans = 0
	err = p.flow.To.List(ctx, func(r targets.Remote) error {
		p.progress.Listed.Add(1)
		m, copied, ok := kb.ParseName(r.Name)
		switch {
		case r.Link != "":
			links = append(links, r)
		case !ok || m.Scope != p.scope:
		case r.Retired:
			p.facts.Orphans++
			p.index.retired = append(p.index.retired, r.ID)
		case !p.index.add(r, m, copied):
			unusable++
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot list %q: %w", store.Name, err)
	}
	if unusable > 0 {
		return fmt.Errorf("the listing of %q gives %d documents of ours without a usable id; nothing was changed", store.Name, unusable)
	}
	if err := p.indexLinks(links); err != nil {
		return err
	}
	p.index.seal()
	return nil
}

// doubt looks once more when a listing lacks most of what the records, which were trusted until now, say is there. A
// listing that stays so is believed, and the next pass looks again.
func (p *pass) doubt(ctx context.Context) error {
	lacks, err := p.lacksMost()
	if err != nil || !lacks {
		return err
	}
	p.log.Warn("the vendor's listing lacks most of the documents that were there; it is asked once more")
	if err := p.list(ctx); err != nil {
		return err
	}
	lacks, err = p.lacksMost()
	p.unsure = p.unsure || lacks
	return err
}

// lacksMost tells whether more than half of the recorded documents are not in the listing.
func (p *pass) lacksMost() (bool, error) {
	known, missing := 0, 0
	for reader := p.DB.Records(p.id, ""); ; {
		k, v, ok, err := reader.Next()
		if err != nil || !ok {
			return missing*2 > known, err
		}
		rec, err := state.DecodeRecord(kb.Key(k), v)
		if err != nil {
			return false, fmt.Errorf("%w: record of %s", state.ErrDamaged, kb.Printable(string(k)))
		}
		if len(rec.Parts) == 0 {
			continue
		}
		known++
		if len(p.index.of(kb.Key(k))) == 0 {
			missing++
		}
	}
}
