package convert

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"unicode/utf8"

	"kbsyncd/internal/kb"
)

// How good a place is to cut; more is better. Below rankFence the place is inside a code block.
const (
	rankNone       uint8 = iota
	rankFenceLine        // a line inside a code block
	rankFenceBlank       // the same after an empty line
	rankFence            // before a code block that reaches beyond the window
	rankWrapped          // a line that goes on with the sentence of the line before
	rankSentence         // a sentence in the middle of a line
	rankLine             // any other line
	rankParagraph        // a line after an empty line
	rankHeading          // + 6 - the heading's level
)

const (
	headingLevels = 6
	lineHead      = 64      // how much of a line decides what it is
	headingHead   = 256     // how much of a heading is repeated at most
	lookBack      = 4 << 10 // how far back a white space is looked for in an endless line
	lookAhead     = 128     // what must follow a place inside an endless line before it can be judged
)

// layout says what the lines of a text mean.
type layout struct {
	heading byte // what headings begin with; 0: the text has none that are known
	prose   bool // it consists of sentences
}

// splitter cuts a text into parts of at most max bytes while it streams by. It looks for the best place in the last
// half of each window. Among places of the same rank the content behind the place decides, not its position, so that an edit
// moves the cuts near it and later parts stay what they were. It keeps no text: a second hash runs from
// the best place found so far, and becomes the next part's when the cut falls there. Parts of white space alone are left out: vendors
// refuse them.
type splitter struct {
	layout
	max   int64
	parts []Part

	prefix string    // what stands before the present part
	window int64     // bytes of the text that fit into it
	start  int64     // where it begins
	pos    int64     // how far the hashes are
	part   hash.Hash // of the prefix and start … pos
	tail   hash.Hash // of what will be the prefix and best.at … pos
	best   place
	next   []byte // the prefix of the part that would begin at best

	filled     bool // part has more than white space
	tailFilled bool // tail has

	midLine   bool // the next byte is not the first of its line
	solid     bool // the present line has no places inside
	prevBlank bool // true at the beginning of the text
	prevTitle bool // the line before is underlined by this one
	prevEnded bool // the line before ends with a sentence
	fence     fence
	path      headings
}

type place struct {
	at     int64
	rank   uint8 // rankNone: no place found yet
	key    uint64
	digest kb.Digest // of the part, when it is cut here
	filled bool      // the part has more than white space then
}

func newSplitter() *splitter { return &splitter{part: sha256.New(), tail: sha256.New()} }

// reset begins a text at an offset of its source. The first part begins with title, which is a heading line of its own or "".
func (s *splitter) reset(limit, offset int64, title string, l layout) {
	s.part.Reset()
	*s = splitter{layout: l, max: limit, start: offset, pos: offset, part: s.part, tail: s.tail, next: s.next, path: s.path}
	s.path.clear()
	s.prevBlank = true
	if title != "" {
		s.path.enter(1, []byte(title), false)
	}
	s.begin(offset, title)
	s.part.Write([]byte(title))
}

// begin starts a part; its hash has the prefix already.
func (s *splitter) begin(at int64, prefix string) {
	s.start, s.prefix, s.window = at, prefix, s.max-int64(len(prefix))
}

// take goes through buf, which continues the text, and tells how much of it is done with; the rest must come again with
// what follows it. With last set nothing follows and everything is used.
func (s *splitter) take(buf []byte, last bool) int {
	base := s.pos // offset of buf[0]
	for i := 0; i < len(buf); {
		line := buf[i:]
		eol := bytes.IndexByte(line, '\n')
		if !s.midLine {
			if !last && !s.sees(line, eol) {
				return s.hash(buf, base, i)
			}
			s.look(buf, base, i, eol)
			s.midLine = true
		}
		limit := int(s.start + s.window - base) // in buf
		next, known := len(buf), len(buf)       // how far the line goes, and how far it can be judged
		switch {
		case eol >= 0:
			next = i + eol + 1
			known = next
		case !last:
			known -= lookAhead
		}
		s.sentences(buf, base, i, min(known, limit), next)
		i = max(i, int(s.pos-base))
		switch {
		case eol < 0 && !last && (next <= limit || known < limit): // what a cut may have to look back at stays
			return s.hash(buf, base, max(i, min(known, limit-s.back())))
		case next > limit:
			i = max(i, s.cut(buf, base, limit))
		case eol >= 0:
			s.prevEnded = s.prose && base+int64(next) >= s.half() && endsSentence(line[:eol]) // nobody asks before
			i, s.midLine = next, false
		default:
			i = next
		}
	}
	return s.hash(buf, base, len(buf))
}

// finish gives the parts after the last bytes were taken.
func (s *splitter) finish() []Part {
	if s.pos > s.start {
		p := s.piece(s.pos)
		s.part.Sum(p.Digest[:0])
		s.keep(p, s.filled)
	}
	return s.parts
}

func (s *splitter) keep(p Part, filled bool) {
	if filled {
		s.parts = append(s.parts, p)
	}
}

// piece is the present part when it ends at a place.
func (s *splitter) piece(end int64) Part {
	return Part{Offset: s.start, Prefix: s.prefix, Size: int64(len(s.prefix)) + end - s.start}
}

// back is how much of an endless line stays in the buffer before the end of the window.
func (s *splitter) back() int { return int(max(1, min(lookBack, s.max/2))) }

// sees tells whether enough follows a line's beginning to judge it.
func (s *splitter) sees(line []byte, eol int) bool {
	if eol < 0 {
		return len(line) >= headingHead
	}
	next := line[eol+1:]
	return s.heading != '#' || len(next) >= lineHead || bytes.IndexByte(next, '\n') >= 0
}

// hash feeds the hashes up to buf[i] and returns i.
func (s *splitter) hash(buf []byte, base int64, i int) int {
	b := buf[s.pos-base : i]
	s.part.Write(b)
	s.filled = s.filled || !blank(b)
	if s.best.rank != rankNone {
		s.tail.Write(b)
		s.tailFilled = s.tailFilled || !blank(b)
	}
	s.pos += int64(len(b))
	return i
}

// look judges the place before the line that begins at buf[i] and ends before buf[i+eol], if eol is not below 0.
func (s *splitter) look(buf []byte, base int64, i, eol int) {
	line, next := buf[i:], []byte(nil)
	if eol >= 0 {
		line, next = line[:eol], line[eol+1:]
	}
	line = line[:min(len(line), headingHead)]
	head := line[:min(len(line), lineHead)]
	at := base + int64(i)
	blank := len(bytes.TrimSpace(head)) == 0
	level, underlined := 0, false
	if s.fence.char == 0 && s.heading != 0 {
		if level = headingLevel(head, s.heading); level == 0 && s.heading == '#' && !blank && s.prevBlank && !startsBlock(head) && underline(line) == 0 {
			level = underline(next)
			underlined = level > 0
		}
	}
	rank := s.rank(head, level)
	opens := s.heading == '#' && s.fence.step(head)
	switch {
	case at <= s.start || at > s.start+s.window || s.prevTitle:
	case at >= s.half() && rank >= s.best.rank:
		if key := fnv(head); s.better(at, rank, key) {
			s.mark(buf, base, i, rank, key, level)
		}
	case opens && at < s.half():
		s.mark(buf, base, i, rankFence, 0, level)
	}
	if s.fence.char == 0 && s.best.rank == rankFence {
		s.best = place{} // the block ended inside the window: no reason to cut before it
	}
	if level > 0 {
		s.path.enter(level, line, underlined)
	}
	s.prevBlank, s.prevTitle = blank, underlined
	s.solid = !s.prose || level > 0 || s.fence.char != 0 || bytes.HasPrefix(head, []byte("|"))
}

// half is where the search begins. It does not depend on the prefix, so that what was passed over with the last
// window is never needed for the next.
func (s *splitter) half() int64 { return s.start + s.max - s.max/2 }

func (s *splitter) better(at int64, rank uint8, key uint64) bool {
	if rank != s.best.rank {
		return rank > s.best.rank
	}
	// Of equal lines a later one fills the part better; a good deal later, because each mark costs a digest.
	return key > s.best.key || key == s.best.key && at-s.best.at >= s.max/64
}

// rank tells how good it is to cut before a line.
func (s *splitter) rank(head []byte, level int) uint8 {
	switch {
	case s.fence.char != 0 && s.prevBlank:
		return rankFenceBlank
	case s.fence.char != 0:
		return rankFenceLine
	case level > 0:
		return rankHeading + headingLevels - uint8(level)
	}
	blank := len(bytes.TrimSpace(head)) == 0
	switch {
	case s.prevBlank && !blank:
		return rankParagraph
	case s.prose && !blank && !s.prevEnded && !startsBlock(head):
		return rankWrapped
	default:
		return rankLine
	}
}

// sentences judges the places after the sentences that end in buf[from:to], a stretch of the line that goes to buf[end].
func (s *splitter) sentences(buf []byte, base int64, from, to, end int) {
	if s.solid || s.best.rank > rankSentence {
		return
	}
	limit := s.start + s.window
	for i := max(from, int(s.half()-base)-lineHead, int(s.pos-base)); i < to; i++ { // the mark stands before the place
		n := sentenceEnd(buf[i:end])
		at := base + int64(i+n)
		if n == 0 || at > limit || at < s.half() {
			continue
		}
		if key := fnv(buf[i+n : min(i+n+lineHead, end)]); s.better(at, rankSentence, key) {
			s.mark(buf, base, i+n, rankSentence, key, 0)
		}
	}
}

func (s *splitter) mark(buf []byte, base int64, i int, rank uint8, key uint64, level int) {
	s.hash(buf, base, i)
	s.best = place{at: s.pos, rank: rank, key: key, filled: s.filled}
	s.part.Sum(s.best.digest[:0])
	s.next = s.path.prefix(s.next[:0], level, s.mostPrefix())
	s.tail.Reset()
	s.tail.Write(s.next)
	s.tailFilled = false
}

// mostPrefix keeps heading paths from crowding out the text.
func (s *splitter) mostPrefix() int { return int(min(s.max/4, 1<<10)) }

// cut ends the present part: at the best place, or, in an endless line, at a white space or at least between two characters
// not beyond buf[limit]. It returns how far in buf the text is done with at least.
func (s *splitter) cut(buf []byte, base int64, limit int) int {
	if s.best.rank != rankNone {
		p := s.piece(s.best.at)
		p.Digest = s.best.digest
		s.keep(p, s.best.filled)
		s.begin(s.best.at, string(s.next))
		s.best = place{}
		s.part, s.tail = s.tail, s.part
		s.filled = s.tailFilled
		return 0
	}
	i := s.hash(buf, base, s.inLine(buf, int(s.pos-base), limit))
	p := s.piece(s.pos)
	s.part.Sum(p.Digest[:0])
	s.keep(p, s.filled)
	s.filled = false
	s.next = s.path.prefix(s.next[:0], 0, s.mostPrefix())
	s.begin(s.pos, string(s.next))
	s.part.Reset()
	s.part.Write(s.next)
	return i
}

// inLine finds a place in the middle of a line, in buf[from:limit].
func (s *splitter) inLine(buf []byte, from, limit int) int {
	low := max(from, limit-s.back())
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
