package folder

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	"golang.org/x/text/unicode/norm"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources/filter"
)

// maxKey bounds the length of a key: a tree that is nested deeper is no place for documents, and what holds keys has limits.
const maxKey = 16 << 10

// lister is one worker of a scan. Its buffers serve one directory after the other.
type lister struct {
	scan      *scan
	buf       []byte // for the system's directory entries
	path      []byte
	entries   []entry
	names     nameTable
	odd       map[uint32]*oddity
	hasIgnore bool
}

func newLister(s *scan) *lister { return &lister{scan: s, buf: make([]byte, direntBuffer)} }

func (w *lister) run() {
	for {
		switch n, c := w.scan.take(); {
		case n != nil:
			w.list(n)
		case c != nil:
			w.fillBig(c)
		default:
			return
		}
	}
}

// list reads a directory and publishes what it found, whatever goes wrong.
func (w *lister) list(n *node) {
	var only *chunk
	defer func() { w.scan.publishNode(n, only) }()
	if w.scan.ctx.Err() != nil {
		return
	}
	d, err := w.scan.h.openDir(strings.TrimSuffix(n.real, "/"), w.buf)
	if err != nil {
		w.scan.trouble.add(n.raw, err)
		return
	}
	defer d.close()
	w.reset()
	if err := d.read(w.add); err != nil {
		w.scan.trouble.add(n.raw, err)
	}
	if w.hasIgnore {
		rs, err := w.scan.h.readRules(n.real, n.prefix[w.scan.skip:], n.rules)
		if err != nil {
			w.scan.trouble.add(n.raw+filter.IgnoreName, err)
			return
		}
		n.rules = rs
	}
	w.choose(d, n)
	w.sort(n)
	if len(w.entries) <= 2*chunkSize {
		only = &chunk{node: n}
		w.fill(d, only, w.entries, &w.names, w.odd)
		return
	}
	self, err := d.self()
	if err != nil {
		w.scan.trouble.add(n.raw, err)
		return
	}
	n.big = &bigDir{entries: slices.Clip(w.entries), names: w.names, odd: w.odd, self: self}
	w.entries, w.names, w.odd = nil, nameTable{}, nil
}

func (w *lister) reset() {
	w.entries, w.hasIgnore = w.entries[:0], false
	w.names.reset()
	clear(w.odd)
}

// add takes one entry of the directory, unless its name alone keeps it out.
func (w *lister) add(name []byte, k kind) {
	s := unsafe.String(unsafe.SliceData(name), len(name))
	if !w.scan.f.filter.WantsName(s) {
		w.hasIgnore = w.hasIgnore || s == filter.IgnoreName
		return
	}
	var mixed byte
	upper := false
	for _, c := range name {
		mixed |= c
		upper = upper || c-'A' < 26
	}
	e := entry{off: w.names.add(name), size: uint16(len(name)), kind: k}
	if mixed >= utf8.RuneSelf {
		e.flags |= notASCII
	}
	if upper {
		e.flags |= hasUpper
	}
	w.entries = append(w.entries, e)
}

// choose drops the entries that are no documents and finds out what the odd ones are.
func (w *lister) choose(d dirReader, n *node) {
	fltr := w.scan.f.filter
	w.path = append(w.path[:0], n.prefix[w.scan.skip:]...)
	base, all := len(w.path), fltr.Open() && n.rules == nil
	kept := w.entries[:0]
	for _, e := range w.entries {
		name := w.names.get(&e)
		if e.kind == kindUnknown {
			st, err := d.stat(name)
			if err != nil {
				w.scan.trouble.add(n.raw+string(name), err)
				continue
			}
			e.kind = st.kind
		}
		if e.flags&notASCII != 0 {
			w.normalise(&e, name)
		}
		simple := e.kind == kindFile || e.kind == kindDir
		if simple && all && e.flags&isOdd == 0 && base+len(name) < maxKey {
			kept = append(kept, e)
			continue
		}
		w.path = append(w.path[:base], w.names.sortName(&e, w.odd)...)
		// The matchers keep no part of the path, so they can be shown the buffer itself.
		path := unsafe.String(unsafe.SliceData(w.path), len(w.path))
		switch {
		case simple && e.flags&isOdd == 0 && base+len(name) < maxKey:
			dir := e.kind == kindDir
			if (dir && fltr.WantsDir(path) || !dir && fltr.WantsFile(path)) && !n.rules.Ignored(path, dir) {
				kept = append(kept, e)
			}
		case w.wanted(&e, path, n, name):
			kept = append(kept, e)
		}
	}
	w.entries = kept
}

// wanted applies the filters to one entry and turns what cannot be a document into a problem.
func (w *lister) wanted(e *entry, path string, n *node, name []byte) bool {
	fltr := w.scan.f.filter
	asFile := func() bool { return fltr.WantsFile(path) && !n.rules.Ignored(path, false) }
	asDir := func() bool { return fltr.WantsDir(path) && !n.rules.Ignored(path, true) }
	problem := func(err error) {
		o := w.oddity(e)
		o.err = err
		e.kind = kindProblem
	}
	if e.kind == kindLink {
		if !asFile() && !asDir() {
			return false
		}
		real, st, err := w.follow(n, string(name))
		switch {
		case err == nil:
			o := w.oddity(e)
			o.link, o.real, o.st = true, real, st
			e.kind = st.kind
		case !isProblem(err):
			w.scan.trouble.add(n.raw+string(name), err)
			return false
		case errors.Is(err, errBroken) && !asFile():
			return false
		default:
			problem(err)
			return true
		}
	}
	if e.kind == kindDir && !asDir() || e.kind != kindDir && !asFile() {
		return false
	}
	switch {
	case w.odd[e.off] != nil && w.odd[e.off].notText:
		problem(errNotText)
	case len(n.prefix)+len(path) >= maxKey:
		problem(fault.New(fault.ErrUnsupported, "the path is longer than %d bytes", maxKey))
	case e.kind != kindFile && e.kind != kindDir:
		problem(errKind(e.kind))
	}
	return true
}

// normalise notes a name whose key differs from its bytes.
func (w *lister) normalise(e *entry, name []byte) {
	switch {
	case !utf8.Valid(name):
		o := w.oddity(e)
		o.notText, o.shown = true, kb.Printable(string(name))
	case !norm.NFC.IsNormal(name):
		w.oddity(e).shown = string(norm.NFC.Bytes(name))
	}
}

func (w *lister) oddity(e *entry) *oddity {
	if w.odd == nil {
		w.odd = map[uint32]*oddity{}
	}
	if w.odd[e.off] == nil {
		w.odd[e.off] = &oddity{}
	}
	e.flags |= isOdd
	return w.odd[e.off]
}
