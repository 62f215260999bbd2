package convert

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"unicode/utf8"

	"kbsyncd/internal/kb"
)

// How good a place is to cut before a line; more is better. Below rankFence the place is inside a code block.
const (
	rankNone       uint8 = iota
	rankFenceLine        // a line inside a code block
	rankFenceBlank       // the same after an empty line
	rankFence            // before a code block that reaches beyond the window
	rankLine             // a line
	rankParagraph        // a line after an empty line
	rankHeading          // + 6 - the number of # signs
	headingLevels  = 6
	lineHead       = 64      // how much of a line decides what it is
	lookBack       = 4 << 10 // how far back a white space is looked for in an endless line
	offsetBasis    = 14695981039346656037
	fnvPrime       = 1099511628211
)

// splitter cuts a text into parts of at most max bytes while it streams by. It looks for the best place in the last
// half of each window. Among places of the same rank the content of the line decides, not its position, so that an edit
// moves the cuts near it and later parts stay what they were. It keeps no text: a second hash runs from
// the best place found so far, and becomes the next part's when the cut falls there.
type splitter struct {
	max      int64
	markdown bool
	parts    []Part

	start int64     // where the present part begins
	pos   int64     // how far the hashes are
	part  hash.Hash // of start … pos
	tail  hash.Hash // of best.at … pos
	best  place

	midLine   bool // the next byte is not the first of its line
	prevBlank bool
	fence     fence
}

type place struct {
	at     int64
	rank   uint8 // rankNone: no place found yet
	key    uint64
	digest kb.Digest // of the part, when it is cut here
}

// fence is the code block that the present line is in.
type fence struct {
	char byte // 0 outside
	run  int
}

func newSplitter() *splitter { return &splitter{part: sha256.New(), tail: sha256.New()} }

func (s *splitter) reset(limit int64, markdown bool) {
	s.part.Reset()
	s.tail.Reset()
	*s = splitter{max: limit, markdown: markdown, part: s.part, tail: s.tail}
}

// take goes through buf, which continues the text, and tells how much of it is done with; the rest must come again with
// what follows it. With last set nothing follows and everything is used.
func (s *splitter) take(buf []byte, last bool) int {
	base := s.pos // offset of buf[0]
	for i := 0; i < len(buf); {
		line := buf[i:]
		eol := bytes.IndexByte(line, '\n')
		if !s.midLine {
			if eol < 0 && len(line) < lineHead && !last {
				return s.hash(buf, base, i)
			}
			s.look(buf, base, i, line[:lineEnd(line, eol)])
			s.midLine = true
		}
		limit := s.start + s.max - base // in buf
		next := len(buf)
		if eol >= 0 {
			next = i + eol + 1
		}
		switch {
		case int64(next) > limit:
			i = max(i, s.cut(buf, base, int(limit)))
		case eol >= 0:
			i, s.midLine = next, false
		case last:
			i = next
		default: // an endless line: what the cut may have to look back at stays
			i = max(i, min(next, int(max(0, limit-s.back()))))
			return s.hash(buf, base, i)
		}
	}
	return s.hash(buf, base, len(buf))
}

// finish gives the parts after the last bytes were taken.
func (s *splitter) finish() []Part {
	if s.pos > s.start {
		p := Part{Offset: s.start, Size: s.pos - s.start}
		s.part.Sum(p.Digest[:0])
		s.parts = append(s.parts, p)
	}
	return s.parts
}

// back is how much of an endless line stays in the buffer before the end of the window.
func (s *splitter) back() int64 { return max(1, min(lookBack, s.max/2)) }

func lineEnd(line []byte, eol int) int {
	if eol < 0 || eol > lineHead {
		return min(len(line), lineHead)
	}
	return eol
}

// hash feeds the hashes up to buf[i] and returns i.
func (s *splitter) hash(buf []byte, base int64, i int) int {
	b := buf[s.pos-base : i]
	s.part.Write(b)
	if s.best.rank != rankNone {
		s.tail.Write(b)
	}
	s.pos += int64(len(b))
	return i
}

// look judges the place before the line that begins at buf[i].
func (s *splitter) look(buf []byte, base int64, i int, head []byte) {
	rank := s.rank(head)
	at := base + int64(i)
	half := s.start + s.max - s.max/2
	blank := len(bytes.TrimSpace(head)) == 0
	opens := s.markdown && s.step(head)
	switch {
	case at <= s.start || at > s.start+s.max:
	case at >= half:
		key := fnv(head)
		// Of equal lines a later one fills the part better; a good deal later, because each mark costs a digest.
		later := key == s.best.key && at-s.best.at >= s.max/64
		if rank > s.best.rank || rank == s.best.rank && (key > s.best.key || later) {
			s.mark(buf, base, i, rank, key)
		}
	case opens:
		s.mark(buf, base, i, rankFence, 0)
	}
	if s.fence.char == 0 && s.best.rank == rankFence {
		s.best = place{} // the block ended inside the window: no reason to cut before it
	}
	s.prevBlank = blank
}

// rank tells how good it is to cut before a line.
func (s *splitter) rank(head []byte) uint8 {
	switch level := headingLevel(head); {
	case s.fence.char != 0 && s.prevBlank:
		return rankFenceBlank
	case s.fence.char != 0:
		return rankFenceLine
	case s.markdown && level > 0:
		return rankHeading + headingLevels - uint8(level)
	case s.prevBlank && len(bytes.TrimSpace(head)) > 0:
		return rankParagraph
	default:
		return rankLine
	}
}

// step follows code blocks and tells whether the line opens one.
func (s *splitter) step(head []byte) (opens bool) {
	char, run, rest := fenceRun(head)
	if run == 0 {
		return false
	}
	if s.fence.char == 0 {
		if char == '`' && bytes.IndexByte(rest, '`') >= 0 {
			return false // code within a line
		}
		s.fence = fence{char, run}
		return true
	}
	if char == s.fence.char && run >= s.fence.run && len(bytes.TrimSpace(rest)) == 0 {
		s.fence = fence{}
	}
	return false
}

func (s *splitter) mark(buf []byte, base int64, i int, rank uint8, key uint64) {
	s.hash(buf, base, i)
	s.best = place{at: s.pos, rank: rank, key: key}
	s.part.Sum(s.best.digest[:0])
	s.tail.Reset()
}

// cut ends the present part: at the best place, or, in an endless line, at a white space or at least between two characters
// not beyond buf[limit]. It returns how far in buf the text is done with at least.
func (s *splitter) cut(buf []byte, base int64, limit int) int {
	if s.best.rank != rankNone {
		s.parts = append(s.parts, Part{Offset: s.start, Size: s.best.at - s.start, Digest: s.best.digest})
		s.start, s.best = s.best.at, place{}
		s.part, s.tail = s.tail, s.part
		return 0
	}
	i := s.hash(buf, base, s.inLine(buf, int(s.pos-base), limit))
	p := Part{Offset: s.start, Size: s.pos - s.start}
	s.part.Sum(p.Digest[:0])
	s.parts = append(s.parts, p)
	s.part.Reset()
	s.start = s.pos
	return i
}

// inLine finds a place in the middle of a line, in buf[from:limit].
func (s *splitter) inLine(buf []byte, from, limit int) int {
	low := max(from, limit-int(s.back()))
	if i := bytes.LastIndexAny(buf[low:limit], " \t"); i >= 0 && low+i+1 > from {
		return low + i + 1
	}
	i := limit
	if i > low+1 && buf[i] == '\n' && buf[i-1] == '\r' {
		i--
	}
	for n := 0; n < utf8.UTFMax-1 && i > low+1 && !utf8.RuneStart(buf[i]); n++ {
		i--
	}
	if !utf8.RuneStart(buf[i]) {
		return limit // no UTF-8
	}
	return i
}

// headingLevel counts the # signs of a Markdown heading; 0 is no heading.
func headingLevel(head []byte) int {
	head = dropIndent(head)
	n := 0
	for n < len(head) && head[n] == '#' {
		n++
	}
	if n > headingLevels || n < len(head) && head[n] != ' ' && head[n] != '\t' && head[n] != '\r' {
		return 0
	}
	return n
}

// fenceRun reads the run of ` or ~ that a code fence consists of.
func fenceRun(head []byte) (char byte, run int, rest []byte) {
	head = dropIndent(head)
	if len(head) < 3 || head[0] != '`' && head[0] != '~' {
		return 0, 0, nil
	}
	for run < len(head) && head[run] == head[0] {
		run++
	}
	if run < 3 {
		return 0, 0, nil
	}
	return head[0], run, head[run:]
}

func dropIndent(head []byte) []byte {
	for i := 0; i < 3 && len(head) > 0 && head[0] == ' '; i++ {
		head = head[1:]
	}
	return head
}

// fnv is the FNV-1a hash: it gives every line its own, stable weight.
func fnv(b []byte) uint64 {
	h := uint64(offsetBasis)
	for _, c := range b {
		h = (h ^ uint64(c)) * fnvPrime
	}
	return h
}
