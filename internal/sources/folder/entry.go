package folder

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// kindProblem marks an entry that is reported and not given.
const kindProblem = kindOther + 1

// The flags of an entry.
const (
	notASCII = 1 << iota
	hasUpper
	isOdd // there is an oddity
)

// entry is one kept name of a directory; a million of them are 16 MB.
type entry struct {
	order uint64 // eight bytes of the name, from where the names of the directory begin to differ
	off   uint32 // in the table of names
	size  uint16
	kind  kind
	flags uint8
}

// oddity is what few entries have.
type oddity struct {
	shown   string // the name in the key, where it is not the name itself
	notText bool
	link    bool
	real    string // where a link leads
	st      stat   // of what a link leads to
	err     error
}

// nameTable holds the names of one directory, each followed by a NUL byte, in blocks, so that it grows without copying.
type nameTable struct {
	blocks [][]byte
	last   int
}

const nameBlock = 64 << 10

func (t *nameTable) reset() {
	t.last = 0
	if len(t.blocks) > 1 {
		t.blocks = t.blocks[:1]
	}
	if len(t.blocks) > 0 {
		t.blocks[0] = t.blocks[0][:0]
	}
}

func (t *nameTable) add(name []byte) uint32 {
	switch {
	case len(t.blocks) == 0:
		t.blocks = append(t.blocks, make([]byte, 0, nameBlock))
	case len(t.blocks[t.last])+len(name)+1 > nameBlock:
		t.blocks = append(t.blocks, make([]byte, 0, nameBlock))
		t.last++
	}
	b := t.blocks[t.last]
	at := len(b)
	b = append(b, name...)
	t.blocks[t.last] = append(b, 0)
	return uint32(t.last<<16 | at)
}

// get is the name as the system knows it.
func (t *nameTable) get(e *entry) []byte {
	at := e.off & (nameBlock - 1)
	return t.blocks[e.off>>16][at : at+uint32(e.size)]
}

// sortName is the name as it stands in the key.
func (t *nameTable) sortName(e *entry, odd map[uint32]*oddity) []byte {
	if e.flags&isOdd != 0 {
		if o := odd[e.off]; o.shown != "" {
			return []byte(o.shown)
		}
	}
	return t.get(e)
}

// sort brings the entries into the order of their keys, in which a directory is its name and a slash.
func (w *lister) sort(n *node) {
	w.setOrder()
	slices.SortFunc(w.entries, w.compare)
	check, twins := 0, false
	for i := range w.entries {
		if w.entries[i].flags&(hasUpper|notASCII) != 0 {
			check++
		}
		twins = twins || i > 0 && w.entries[i].flags&isOdd+w.entries[i-1].flags&isOdd != 0 &&
			w.compare(w.entries[i-1], w.entries[i]) == 0
	}
	if twins {
		w.separateTwins()
	}
	if check > 0 && check <= 2*chunkSize {
		w.warnOfCase(n)
	}
}

// setOrder finds the beginning that all names share and keeps the eight bytes behind it, which decide almost every comparison.
func (w *lister) setOrder() {
	if len(w.entries) == 0 {
		return
	}
	common := w.names.sortName(&w.entries[0], w.odd)
	for i := 1; i < len(w.entries) && len(common) > 0; i++ {
		name := w.names.sortName(&w.entries[i], w.odd)
		j := 0
		for j < len(common) && j < len(name) && common[j] == name[j] {
			j++
		}
		common = common[:j]
	}
	for i := range w.entries {
		e := &w.entries[i]
		rest := w.names.sortName(e, w.odd)[len(common):]
		if len(rest) >= 8 {
			e.order = binary.BigEndian.Uint64(rest)
			continue
		}
		var b [8]byte
		k := copy(b[:], rest)
		if e.kind == kindDir {
			b[k] = '/'
		}
		e.order = binary.BigEndian.Uint64(b[:])
	}
}

func (w *lister) compare(a, b entry) int {
	if a.order != b.order {
		if a.order < b.order {
			return -1
		}
		return 1
	}
	an, bn := w.names.sortName(&a, w.odd), w.names.sortName(&b, w.odd)
	n := min(len(an), len(bn))
	if c := bytes.Compare(an[:n], bn[:n]); c != 0 {
		return c
	}
	return int(byteOrSlash(an, n, a.kind)) - int(byteOrSlash(bn, n, b.kind))
}

func byteOrSlash(name []byte, i int, k kind) byte {
	switch {
	case i < len(name):
		return name[i]
	case k == kindDir:
		return '/'
	}
	return 0
}

// separateTwins lets one of the entries with the same key be the document and makes problems of the others.
func (w *lister) separateTwins() {
	for i := 0; i < len(w.entries); {
		j := i + 1
		for j < len(w.entries) && w.compare(w.entries[i], w.entries[j]) == 0 {
			j++
		}
		if j > i+1 {
			w.chooseTwin(w.entries[i:j])
		}
		i = j
	}
	w.setOrder()
	slices.SortFunc(w.entries, w.compare)
}

// chooseTwin prefers the entry that is written as its key is, then the first by its bytes.
func (w *lister) chooseTwin(same []entry) {
	best := 0
	for i := range same {
		if same[i].kind == kindProblem {
			continue
		}
		a, b := w.names.get(&same[i]), w.names.get(&same[best])
		key := w.names.sortName(&same[i], w.odd)
		aExact, bExact := bytes.Equal(a, key), bytes.Equal(b, key)
		if same[best].kind == kindProblem || aExact && !bExact || aExact == bExact && bytes.Compare(a, b) < 0 {
			best = i
		}
	}
	winner := string(w.names.sortName(&same[best], w.odd))
	for i := range same {
		if i == best {
			continue
		}
		e := &same[i]
		o := w.oddity(e)
		name := string(w.names.get(e))
		o.shown = fmt.Sprintf("%s (written %s)", winner, strconv.QuoteToASCII(name))
		if e.kind != kindProblem {
			o.err = errTwin(winner)
			e.kind = kindProblem
		}
	}
}

// warnOfCase logs names that a file system without case could not tell apart, once for each directory.
func (w *lister) warnOfCase(n *node) {
	folded := map[string]*entry{}
	report := func(a, b *entry) {
		if w.scan.f.warnOnce(n.raw) {
			w.scan.f.log.Warn("names differ only in case", "directory", n.raw,
				"name", string(w.names.get(a)), "other", string(w.names.get(b)))
		}
	}
	for i := range w.entries {
		e := &w.entries[i]
		if e.flags&(hasUpper|notASCII) == 0 || e.kind == kindProblem {
			continue
		}
		name := foldCase(w.names.sortName(e, w.odd))
		if other := folded[name]; other != nil {
			report(other, e)
			return
		}
		folded[name] = e
	}
	for i := range w.entries {
		e := &w.entries[i]
		if e.flags&(hasUpper|notASCII) != 0 || e.kind == kindProblem {
			continue
		}
		if other := folded[string(w.names.get(e))]; other != nil {
			report(other, e)
			return
		}
	}
}

// foldCase maps names that differ only in case to the same string: each character to the smallest lower-case
// one of those that are equal to it but for case.
func foldCase(name []byte) string {
	out := make([]byte, 0, len(name))
	for i := 0; i < len(name); {
		r, n := rune(name[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(name[i:])
		}
		i += n
		switch {
		case r >= 'A' && r <= 'Z':
			r += 'a' - 'A'
		case r >= utf8.RuneSelf:
			r = foldRune(r)
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

func foldRune(r rune) rune {
	least := r
	for c := unicode.SimpleFold(r); c != r; c = unicode.SimpleFold(c) {
		least = min(least, c)
	}
	return unicode.ToLower(least)
}
