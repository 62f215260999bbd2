package sync

import (
	"slices"
	"strings"

	"kbsyncd/internal/convert"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/state"
	"kbsyncd/internal/targets"
)

// remotePart is one remote document of ours, as the records or the listing tell it.
type remotePart struct {
	id     targets.RemoteID
	part   int
	hash   kb.PartHash
	known  bool // false: an older version of which only the id is remembered
	status targets.Status
	size   int64 // -1 unknown
	ext    string
	name   string // the remote name, where the listing kept it
	copied bool
	bare   bool // known by its address only: which version it is, nobody can tell
	alien  bool // it carries our mark behind a name that we did not give: used when there is nothing else, never deleted
}

// part is one part that a document should have at the target.
type part struct {
	convert.Part
	hash   kb.PartHash
	id     targets.RemoteID // "" while it is missing
	status targets.Status
	old    targets.RemoteID // while it is missing: the remote document that takes its content in place
	begun  bool             // we asked for its indexing in this pass
	sent   bool             // it was sent in this pass
}

// signature stands for the content of a document at a target: how many parts, and the beginning of the
// first one's digest.
type signature struct {
	hash  kb.PartHash
	parts int32
}

// verdict is what the planner says about one document. It is a pure function of what should be there and what is.
type verdict struct {
	parts   []part             // with ids where they exist
	retire  []targets.RemoteID // what must go once all parts are searchable
	missing int                // parts to be sent
	unready int                // parts that exist and are not searchable
	existed bool               // something of this document was there
}

// decide matches the parts that should be there with those that are.
func decide(want []part, have []remotePart) verdict {
	v := verdict{parts: want, existed: len(have) > 0}
	used := make([]bool, len(have))
	for i := range v.parts {
		w := &v.parts[i]
		best := -1
		for j, h := range have {
			if w.hash == (kb.PartHash{}) {
				break // its record says that it is out of date
			}
			if used[j] || !h.known || (h.part == 0) != (w.Index == 0) || h.hash != w.hash && !h.bare {
				continue
			}
			if best < 0 || better(h, have[best], w.Index) {
				best = j
			}
		}
		if best < 0 {
			v.missing++
			continue
		}
		used[best] = true
		// A part that only moved keeps the number in its name.
		w.id, w.status, w.Index = have[best].id, have[best].status, have[best].part
		if w.status != targets.StatusDone {
			v.unready++
		}
	}
	for j, h := range have {
		if !used[j] && !h.alien {
			v.retire = append(v.retire, h.id)
		}
	}
	return v
}

// decide is the verdict for the target of the pass.
func (p *pass) decide(want []part, have []remotePart) verdict {
	v := decide(want, have)
	if _, ok := p.flow.To.(targets.Replacer); ok {
		v.replace(have)
	}
	return v
}

// replace lets the one part that is missing take the place of the one remote part that is out of date, so that nothing but
// this part changes and it changes at once. With more than one of either there would be a moment with neither version whole. A part that
// the vendor failed to process takes its content once more.
func (v *verdict) replace(have []remotePart) {
	for i := range v.parts {
		w := &v.parts[i]
		ours := func(h remotePart) bool { return h.id == w.id && !h.alien }
		if w.id != "" && w.status == targets.StatusFailed && slices.ContainsFunc(have, ours) {
			w.old, w.id = w.id, ""
			v.missing++
			v.unready--
		}
	}
	old, stale := remotePart{}, 0
	for _, h := range have {
		if h.known && slices.Contains(v.retire, h.id) {
			old = h
			stale++
		}
	}
	if v.missing != 1 || stale != 1 {
		return
	}
	for i := range v.parts {
		if w := &v.parts[i]; w.id == "" && w.old == "" && (w.Index == 0) == (old.part == 0) && strings.EqualFold(w.Ext, old.ext) {
			w.old = old.id
			v.retire = slices.DeleteFunc(v.retire, func(id targets.RemoteID) bool { return id == old.id })
		}
	}
}

// better prefers, of two equal copies, our own, then the searchable one, the one with the number that is wanted, and the one with an
// unspoilt name.
func better(a, b remotePart, index int) bool {
	if a.alien != b.alien {
		return b.alien
	}
	if (a.status == targets.StatusDone) != (b.status == targets.StatusDone) {
		return a.status == targets.StatusDone
	}
	if (a.part == index) != (b.part == index) {
		return a.part == index
	}
	return !a.copied && b.copied
}

// wanted turns a rendition into the parts to have.
func wanted(r convert.Rendition) []part {
	out := make([]part, len(r.Parts))
	for i, p := range r.Parts {
		out[i] = part{Part: p, hash: p.Digest.Short()}
	}
	return out
}

// recorded turns a record into the parts to have, for a version that needs no reading. They lack what sending needs.
func recorded(r state.Record) []part {
	out := make([]part, len(r.Parts))
	for i, p := range r.Parts {
		out[i] = part{Part: convert.Part{Index: p.N, Ext: p.Ext}, hash: p.Hash}
	}
	return out
}

// remembered turns a record into what is at the target, when the record is trusted.
func remembered(r state.Record) []remotePart {
	status := targets.StatusUnknown
	if r.Settled {
		status = targets.StatusDone
	}
	out := make([]remotePart, 0, len(r.Parts)+len(r.Retire))
	for _, p := range r.Parts {
		if p.ID == "" {
			continue // missing
		}
		out = append(out, remotePart{id: targets.RemoteID(p.ID), part: p.N, hash: p.Hash, known: true, status: status, size: -1, ext: p.Ext})
	}
	for _, id := range r.Retire {
		out = append(out, remotePart{id: targets.RemoteID(id), size: -1})
	}
	return out
}

// signed is the signature of what is at the target: the parts of the newest version. ok is false when they are not all there,
// so that nothing can be concluded from them.
func signed(have []remotePart) (s signature, ext string, ok bool) {
	for _, h := range have {
		if !h.known || h.copied {
			return s, "", false
		}
		if h.part <= 1 {
			if s.parts > 0 && ok {
				return s, "", false // two versions
			}
			s.hash, ext, ok = h.hash, h.ext, true
		}
		s.parts++
	}
	return s, ext, ok
}

func signatureOf(parts []part) signature {
	return signature{parts[0].hash, int32(len(parts))}
}
