package sync

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
)

// index is the listing of a store, reduced to the documents of one scope and to what the planner needs: about 60
// bytes a document, so that a listing of a million fits beside the rest of the program.
type index struct {
	entries []entry // sorted by key once sealed
	ids     [][]byte
	exts    []string
	extNo   map[string]uint8
	keys    int                       // distinct keys
	retired []targets.RemoteID        // of the scope, out of use
	links   map[string]targets.Remote // documents that are known by their address only and in no record, by address
}

type entry struct {
	key    kb.KeyHash
	block  uint32 // where the id is
	off    uint32
	size   uint32
	hash   kb.PartHash
	part   uint16
	idLen  uint8
	name   uint8 // length of the name behind the id; 0: not kept
	ext    uint8
	status targets.Status
	flags  uint8
}

// namesKept is for how many remote documents the names are kept, so that people recognise those that no document claims.
const namesKept = 50_000

const (
	entryTaken  = 1 // claimed by a document of the sources
	entryCopied = 2 // the vendor put a counter into its name
	idBlock     = 1 << 18
)

// add takes a remote document of the scope. Ids longer than 255 bytes are not kept, and said so.
func (x *index) add(r targets.Remote, m kb.Mark, copied bool) bool {
	if len(r.ID) == 0 || len(r.ID) > 255 {
		return false
	}
	if n := len(x.ids); n == 0 || len(x.ids[n-1])+len(r.ID)+255 > idBlock {
		x.ids = append(x.ids, make([]byte, 0, idBlock))
	}
	b := len(x.ids) - 1
	e := entry{
		key: m.Key, block: uint32(b), off: uint32(len(x.ids[b])), idLen: uint8(len(r.ID)),
		hash: m.Hash, part: uint16(m.Part), status: r.Status, ext: x.ext(path.Ext(r.Name)),
		size: uint32(min(max(r.Size, -1)+1, 1<<32-1)),
	}
	if copied {
		e.flags |= entryCopied
	}
	x.ids[b] = append(x.ids[b], r.ID...)
	if len(x.entries) < namesKept && len(r.Name) < 256 {
		e.name = uint8(len(r.Name))
		x.ids[b] = append(x.ids[b], r.Name...)
	}
	x.entries = append(x.entries, e)
	return true
}

func (x *index) ext(s string) uint8 {
	s = strings.ToLower(s)
	if n, ok := x.extNo[s]; ok {
		return n
	}
	if x.extNo == nil {
		x.extNo = map[string]uint8{}
	}
	if len(x.exts) == 255 {
		return 254
	}
	n := uint8(len(x.exts))
	x.exts = append(x.exts, s)
	x.extNo[s] = n
	return n
}

func (x *index) id(e *entry) targets.RemoteID {
	return targets.RemoteID(x.ids[e.block][e.off : e.off+uint32(e.idLen)])
}

func (x *index) remoteName(e *entry) string {
	return string(x.ids[e.block][e.off+uint32(e.idLen) : e.off+uint32(e.idLen)+uint32(e.name)])
}

// seal sorts the entries; documents that the listing gave twice are dropped.
func (x *index) seal() {
	slices.SortFunc(x.entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.part, b.part),
			cmp.Compare(x.id(&a), x.id(&b)))
	})
	x.entries = slices.CompactFunc(x.entries, func(a, b entry) bool {
		return a.key == b.key && x.id(&a) == x.id(&b)
	})
	for i := range x.entries {
		if i == 0 || x.entries[i].key != x.entries[i-1].key {
			x.keys++
		}
	}
}

// take claims the entries of a key.
func (x *index) take(k kb.Key) []remotePart {
	lo, hi := x.find(k.Hash())
	for i := lo; i < hi; i++ {
		x.entries[i].flags |= entryTaken
	}
	return x.of(k)
}

// of gives the entries of a key.
func (x *index) of(k kb.Key) (out []remotePart) {
	lo, hi := x.find(k.Hash())
	for i := lo; i < hi; i++ {
		r := x.remote(&x.entries[i])
		r.alien = r.name != "" && !kb.NamedFor(k, r.name)
		out = append(out, r)
	}
	return out
}

func (x *index) find(h kb.KeyHash) (lo, hi int) {
	lo, _ = slices.BinarySearchFunc(x.entries, h, func(e entry, h kb.KeyHash) int { return cmp.Compare(e.key, h) })
	for hi = lo; hi < len(x.entries) && x.entries[hi].key == h; hi++ {
	}
	return lo, hi
}

func (x *index) remote(e *entry) remotePart {
	return remotePart{
		id: x.id(e), part: int(e.part), hash: e.hash, known: true, status: e.status, size: int64(e.size) - 1,
		ext: x.exts[min(int(e.ext), len(x.exts)-1)], name: x.remoteName(e), copied: e.flags&entryCopied != 0,
	}
}

// rest calls fn for every key that no document claimed.
func (x *index) rest(fn func(h kb.KeyHash, parts []remotePart)) {
	for i := 0; i < len(x.entries); {
		h := x.entries[i].key
		_, hi := x.find(h)
		if x.entries[i].flags&entryTaken == 0 {
			var parts []remotePart
			for ; i < hi; i++ {
				parts = append(parts, x.remote(&x.entries[i]))
			}
			fn(h, parts)
		}
		i = hi
	}
}
