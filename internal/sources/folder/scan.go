package folder

import (
	"context"
	"strings"
	"time"
	"unsafe"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
)

// rec is one entry that the consumer is given.
type rec struct {
	size, mtime int64
	off         uint32 // of the key in the chunk's text; the fingerprint follows it
	key         uint16
	print       uint8
	kind        kind
	extra       uint32 // 1 + index into the chunk's extras; 0 without
}

// extra is what few records have.
type extra struct {
	name string // as the system knows it
	link bool
	real string
	err  error
}

func (c *chunk) key(i int) string {
	r := &c.recs[i]
	return c.text[r.off : r.off+uint32(r.key)]
}

// fillBig looks at one chunk of a large directory, which is opened again for it.
func (w *lister) fillBig(c *chunk) {
	defer w.scan.publishChunk(c)
	n := c.node
	if w.scan.ctx.Err() != nil {
		return
	}
	d, err := w.scan.h.openDir(strings.TrimSuffix(n.real, "/"), w.buf)
	if err != nil {
		w.scan.trouble.add(n.raw, err)
		return
	}
	defer d.close()
	self, err := d.self()
	if err == nil && (self.ino != n.big.self.ino || self.dev != n.big.self.dev) {
		err = errReplaced
	}
	if err != nil {
		w.scan.trouble.add(n.raw, err)
		return
	}
	w.fill(d, c, n.big.entries[c.from:c.to], &n.big.names, n.big.odd)
}

// fill looks at each file and writes the records. All keys and fingerprints share one allocation.
func (w *lister) fill(d dirReader, c *chunk, entries []entry, names *nameTable, odd map[uint32]*oddity) {
	if len(entries) == 0 {
		return
	}
	room := 0
	for i := range entries {
		room += int(entries[i].size)
	}
	const usualFingerprint = 28
	text := make([]byte, 0, room+len(entries)*(len(c.node.prefix)+usualFingerprint))
	c.recs = make([]rec, 0, len(entries))
	for i := range entries {
		if i&255 == 255 && w.scan.ctx.Err() != nil {
			break
		}
		e := &entries[i]
		var o *oddity
		if e.flags&isOdd != 0 {
			o = odd[e.off]
		}
		st, ok := w.look(d, c.node, e, o, names.get(e))
		if !ok {
			continue
		}
		r := rec{size: st.size, mtime: st.mtime, off: uint32(len(text)), kind: e.kind}
		text = append(text, c.node.prefix...)
		text = append(text, names.sortName(e, odd)...)
		if e.kind == kindDir {
			text = append(text, '/')
			c.dirs = append(c.dirs, int32(len(c.recs)))
		}
		r.key = uint16(len(text) - int(r.off))
		if e.kind == kindFile {
			text = appendFingerprint(text, &st)
			r.print = uint8(len(text) - int(r.off) - int(r.key))
		}
		if o != nil {
			c.extras = append(c.extras, extra{name: string(names.get(e)), link: o.link, real: o.real, err: o.err})
			r.extra = uint32(len(c.extras))
		}
		c.recs = append(c.recs, r)
	}
	// The text is complete and never written again, so it can become a string without a copy.
	c.text = unsafe.String(unsafe.SliceData(text), len(text))
}

// look gives the metadata of a file; other entries need none.
func (w *lister) look(d dirReader, n *node, e *entry, o *oddity, name []byte) (stat, bool) {
	switch {
	case e.kind != kindFile:
		return stat{}, true
	case o != nil && o.link:
		return o.st, true
	}
	st, err := d.stat(name)
	if err == nil && st.kind != kindFile {
		err = errReplaced
	}
	if err != nil {
		w.scan.trouble.add(n.raw+string(name), err)
		return st, false
	}
	return st, true
}

// consume gives a directory's entries to the sink, in order, and goes down into its directories.
func (s *scan) consume(n *node) error {
	if n == nil {
		return nil
	}
	for i := 0; ; i++ {
		c := s.chunk(n, i)
		if c == nil {
			return nil
		}
		kids := 0
		for j := range c.recs {
			if j&63 == 0 && s.ctx.Err() != nil {
				return s.ctx.Err()
			}
			r := &c.recs[j]
			var err error
			switch r.kind {
			case kindDir:
				err = s.consume(s.kid(c, kids))
				kids++
			case kindProblem:
				err = s.sink.Problem(kb.Problem{Key: kb.Key(c.key(j)), Err: c.extras[r.extra-1].err})
			default:
				err = s.sink.Document(s.document(c, r))
			}
			if err != nil {
				return err
			}
		}
		s.consumed(c)
	}
}

func (s *scan) document(c *chunk, r *rec) kb.Document {
	end := r.off + uint32(r.key)
	key := c.text[r.off:end]
	raw := key[s.skip:]
	switch {
	case r.extra != 0:
		raw = c.node.raw + c.extras[r.extra-1].name
	case !c.node.plain:
		raw = c.node.raw + key[len(c.node.prefix):]
	}
	return kb.Document{
		Key:         kb.Key(key),
		Raw:         raw,
		Fingerprint: kb.Fingerprint(c.text[end : end+uint32(r.print)]),
		Size:        r.size,
		Modified:    time.Unix(0, r.mtime),
		From:        s.f,
		Public:      s.f.public,
	}
}

// Scan implements sources.Source. See the package comment for what makes it fail.
func (f *Folder) Scan(ctx context.Context, known sources.Known, sink sources.Sink) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	h, err := f.acquire(true)
	if err != nil {
		return f.rootError(err)
	}
	defer f.release(h)
	identity, moved, err := f.checkPlace(h, known)
	if err != nil {
		return err
	}
	s := &scan{f: f, h: h, ctx: ctx, sink: sink, skip: len(f.name) + 1}
	if err := s.run(); err != nil {
		return err
	}
	if err := s.trouble.err(); err != nil {
		return err
	}
	f.mu.Lock()
	f.identity = identity
	f.mu.Unlock()
	if moved {
		return f.movedError(known.Identity)
	}
	return nil
}
