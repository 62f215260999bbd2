package sync

import (
	"errors"
	"slices"

	"kbsyncd/internal/convert"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/state"
)

// These mark, in a record, a document that is not meant for this copy: forPeers when another copy of the sync has it. They are no
// reasons for people.
var errOthers = errors.New("its front matter names other agents than those of this sync")

const (
	forOthers = "\x00for other agents"
	forPeers  = "\x00for another copy"
)

// dismiss sorts out documents that are in the sources and not meant for this target: their front matter says so. What the target holds
// of them goes, like that of documents that are gone.
func (p *pass) dismiss(r rendered) bool {
	reason := ""
	switch {
	case errors.Is(r.err, convert.ErrSkip):
		reason = oneLine(r.err)
		p.entry.skip(r.doc.Key, reason, r.doc.Size)
	case r.err == nil && p.flow.Copy.ID != "" && r.narrowed() && !slices.Contains(r.agents(), p.flow.Copy.ID):
		reason = forOthers
		if slices.ContainsFunc(p.flow.Peers, func(a Agent) bool { return a.wants(r.doc.Key) && slices.Contains(r.agents(), a.ID) }) {
			reason = forPeers
		} else {
			p.entry.skip(r.doc.Key, oneLine(errOthers), r.doc.Size)
		}
	default:
		return false
	}
	p.refused++
	p.selfless[r.doc.Key.Source()]++
	p.discount(r.doc.Key, reason)
	if len(r.have) == 0 {
		p.puts = append(p.puts, recordPut{r.doc.Key, state.Record{Fingerprint: r.doc.Fingerprint, Convert: convert.Version, Skipped: reason}})
		return true
	}
	g := gone{key: r.doc.Key, hash: r.doc.Key.Hash(), count: len(r.have), unwanted: true}
	g.sig, g.ext, g.sure = signed(r.have)
	p.dismissed = append(p.dismissed, g)
	return true
}

func (r rendered) narrowed() bool {
	if r.parts != nil {
		return r.rec.Narrowed
	}
	return r.rendition.Narrowed
}

func (r rendered) agents() []string {
	if r.parts != nil {
		return r.rec.Agents
	}
	return r.rendition.Agents
}

// warnOfSecrets tells of what looks like a secret in a document that is sent all the same.
func (p *pass) warnOfSecrets(r rendered) {
	for _, l := range r.rendition.Leaks {
		p.log.Warn("the document seems to hold a secret; exclude it, or set `secrets: block` to hold such documents back",
			"key", kb.Printable(string(r.doc.Key)), "kind", l.Rule, "line", l.Line)
	}
}
