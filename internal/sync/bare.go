package sync

import (
	"fmt"

	"kbsyncd/internal/convert"
	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/state"
	"kbsyncd/internal/targets"
)

// Some vendors know a page that they fetch themselves by its address alone. The records tell which of them are ours, and which
// version of the page they saw. Where the flow has no state at all, one that stands at the address of a document is taken for the document's
// current version, because nothing can tell; where it has, one that the records do not name was left by a pass that died, and
// is made anew. Any other one is a stranger's.

// indexLinks puts such documents into the index: those in the records under their keys, the others under their addresses.
func (p *pass) indexLinks(links []targets.Remote) error {
	if len(links) == 0 {
		return nil
	}
	byID := make(map[targets.RemoteID]targets.Remote, len(links))
	for _, r := range links {
		byID[r.ID] = r
	}
	for reader := p.DB.Records(p.id, ""); ; {
		k, v, ok, err := reader.Next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		key := kb.Key(k)
		rec, err := state.DecodeRecord(key, v)
		if err != nil {
			return fmt.Errorf("%w: record of %s", state.ErrDamaged, kb.Printable(string(k)))
		}
		for _, pt := range rec.Parts {
			id := targets.RemoteID(pt.ID)
			r, there := byID[id]
			if !there || pt.Ext != convert.LinkExt {
				continue
			}
			delete(byID, id)
			r.Name = pt.Ext
			if !p.index.add(r, kb.Mark{Scope: p.scope, Key: key.Hash(), Part: pt.N, Hash: pt.Hash}, false) {
				return fault.New(fault.ErrIncomplete, "the listing gives a document of ours without a usable id; nothing was changed")
			}
			p.index.entries[len(p.index.entries)-1].name = 0 // it has none
		}
	}
	p.index.links = make(map[string]targets.Remote, len(byID))
	for _, r := range byID {
		if old, twice := p.index.links[r.Link]; !twice || r.ID < old.ID {
			p.index.links[r.Link] = r
		}
	}
	return nil
}

// takeLink claims the document at an address; current says that it is taken for the current version.
func (x *index) takeLink(address string, current bool) []remotePart {
	r, ok := x.links[address]
	if !ok {
		return nil
	}
	delete(x.links, address)
	return []remotePart{{id: r.ID, known: true, bare: current, status: r.Status, size: -1, ext: convert.LinkExt}}
}
