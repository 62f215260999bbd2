// Package links gives the links of a Markdown text other destinations: those of inline links and images, of reference definitions, and
// of <a>, <img> and the like in the HTML between them. Every other byte stays as it is.
//
// It finds blocks and spans as CommonMark has them, with the tables and footnotes of GitHub and the indented blocks of MkDocs, so that
// what stands in code, in comments and between < and > is left alone. Where that is not certain it leaves a link as it is.
// It takes linear time, whatever the text is, and does no I/O.
package links

import (
	"bytes"
	"sort"
)

// Rewrite gives the text with each destination replaced by what resolve makes of it; resolve is given a destination without its escapes, and
// what it gives is escaped again. The text itself comes back, and false, when nothing differs or when more than most bytes would come out.
func Rewrite(text []byte, most int, resolve func(string) string) ([]byte, bool) {
	if !bytes.Contains(text, []byte("](")) && !bytes.Contains(text, []byte("]:")) && bytes.IndexByte(text, '<') < 0 {
		return text, false
	}
	s := scanner{text: text, resolve: resolve, size: len(text), most: most}
	s.blocks()
	if s.out == nil || s.full() {
		return text, false
	}
	return append(s.out, text[s.done:]...), true
}

// scanner goes through a text once.
type scanner struct {
	text    []byte
	resolve func(string) string
	out     []byte // what comes out of the text up to done; nil before the first difference
	done    int
	size    int // of all that is to come out
	most    int

	open  []container
	leaf  leaf
	fence fence
	until func(line []byte) bool // ends a leaf of kind leafRaw

	spans []span // the lines of the open paragraph, or of what is read for links
	buf   []byte // the spans, joined by line ends
	in    inline
}

// span is a piece of the text, and where it begins in the joined ones.
type span struct{ from, to, at int }

// full tells that what would come out is above the bound, so that nothing more is worth finding.
func (s *scanner) full() bool { return s.size > s.most }

// replace has the joined bytes from one to another place, which are on one line, replaced.
func (s *scanner) replace(from, to int, with string) {
	i := sort.Search(len(s.spans), func(i int) bool { return s.spans[i].at > from }) - 1
	shift := s.spans[i].from - s.spans[i].at
	if s.size += len(with) - (to - from); s.full() {
		return
	}
	if s.out == nil {
		s.out = make([]byte, 0, min(s.most, len(s.text)+len(s.text)/4+len(with)))
	}
	s.out = append(append(s.out, s.text[s.done:from+shift]...), with...)
	s.done = to + shift
}

// read looks for links in the spans, as they stand in the leaf.
func (s *scanner) read() {
	s.buf = s.buf[:0]
	for i := range s.spans {
		p := &s.spans[i]
		if i > 0 {
			s.buf = append(s.buf, '\n')
		}
		p.at = len(s.buf)
		s.buf = append(s.buf, s.text[p.from:p.to]...)
	}
	s.in.reset(s, s.buf)
	switch s.leaf {
	case leafHTML:
		s.in.tags()
	case leafParagraph:
		s.in.run(s.in.definitions())
	default:
		s.in.run(0)
	}
	s.spans = s.spans[:0]
}
