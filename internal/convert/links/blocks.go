package links

import "bytes"

const (
	// maxDepth bounds containers in containers. What lies deeper is left alone.
	maxDepth = 100
	// maxLines bounds the lines of a paragraph, because each is remembered. A longer one is left alone.
	maxLines = 100_000
)

// container is an open block quotation or list item.
type container struct {
	quote  bool
	indent int  // columns that a line of an item begins with
	empty  bool // an item that has nothing so far
}

// leaf is what the present line may go on with.
type leaf uint8

const (
	leafNone leaf = iota
	leafParagraph
	leafTable
	leafFence
	leafRaw  // HTML, and what else nothing is looked for in
	leafHTML // in which only tags are looked for
)

// fence is the run of ` or ~ that a code block was opened with.
type fence struct {
	char byte
	run  int
}

// blocks goes through the lines.
func (s *scanner) blocks() {
	ends := lineEnds{text: s.text, lf: -1, cr: -1}
	for at := 0; at < len(s.text) && !s.full(); {
		end, after := ends.next(at)
		s.line(at, end)
		at = after
	}
	s.shut(0)
}

// lineEnds finds the ends of lines: \n, \r\n, or \r.
type lineEnds struct {
	text   []byte
	lf, cr int // the next of each, or one that is behind already
}

// next finds where a line ends and where the one after it begins.
func (e *lineEnds) next(at int) (end, after int) {
	e.lf, e.cr = e.find(e.lf, at, '\n'), e.find(e.cr, at, '\r')
	end = min(e.lf, e.cr)
	after = min(end+1, len(e.text))
	if e.cr+1 == e.lf && e.lf < len(e.text) {
		after++
	}
	return end, after
}

func (e *lineEnds) find(known, at int, c byte) int {
	if known >= at {
		return known
	}
	if i := bytes.IndexByte(e.text[at:], c); i >= 0 {
		return at + i
	}
	return len(e.text)
}

// line goes on with one line.
func (s *scanner) line(from, to int) {
	c := newCursor(s.text[from:to])
	matched := s.match(&c)
	whole := matched == len(s.open)
	if s.leaf == leafFence || s.leaf == leafRaw {
		if whole {
			s.inside(&c)
			return
		}
		s.leaf = leafNone
	}
	switch {
	case s.leaf == leafHTML && whole && !c.blank():
		s.add(span{from: from + c.next, to: to})
		return
	case (s.leaf == leafHTML || s.leaf == leafTable) && !whole:
		s.shut(matched)
	}
	for !c.blank() && c.indent() < tabStop {
		interrupts := s.leaf == leafParagraph && matched == len(s.open)
		if s.leafStarts(&c, from, matched, interrupts) {
			return
		}
		n, ok := enter(&c, interrupts)
		if !ok {
			break
		}
		s.shut(matched)
		if matched++; matched > maxDepth {
			s.leaf, s.until = leafRaw, never
			return
		}
		s.open = append(s.open, n)
	}
	s.words(&c, from, to, matched)
}

// words goes on with a line that begins no block of its own: a paragraph, a row, code by its indent, or nothing.
func (s *scanner) words(c *cursor, from, to, matched int) {
	here := span{from: from + c.next, to: to}
	switch {
	case c.blank():
		s.shut(matched)
	case s.leaf == leafParagraph: // also one in containers that the line does not show
		if c.indent() < tabStop && matched == len(s.open) && s.header(here) {
			return
		}
		s.add(here)
	case c.indent() >= tabStop:
		s.shut(matched)
	case s.leaf == leafTable:
		s.row(here)
	default:
		s.shut(matched)
		s.leaf = leafParagraph
		s.add(here)
	}
}

// add has a line belong to the leaf.
func (s *scanner) add(line span) {
	if len(s.spans) <= maxLines {
		s.spans = append(s.spans, line)
	}
}

// match counts the open containers that a line belongs to, and goes behind what shows it.
func (s *scanner) match(c *cursor) int {
	for i := range s.open {
		ct := &s.open[i]
		switch {
		case ct.quote && !c.blank() && c.indent() < tabStop && c.line[c.next] == '>':
			c.pass(1)
			c.skip(1)
		case ct.quote:
			return i
		case c.blank() && !ct.empty:
		case !c.blank() && c.indent() >= ct.indent:
			ct.empty = false
			c.skip(ct.indent)
		default:
			return i
		}
	}
	return len(s.open)
}

// shut ends the leaf, and the containers but for some.
func (s *scanner) shut(keep int) {
	if len(s.spans) > 0 && len(s.spans) <= maxLines {
		s.read()
	}
	s.leaf, s.spans = leafNone, s.spans[:0]
	s.open = s.open[:keep]
}

// inside goes on in code, or in what else has no links.
func (s *scanner) inside(c *cursor) {
	if s.leaf == leafRaw {
		if s.until(c.line[c.pos:]) {
			s.leaf = leafNone
		}
		return
	}
	if c.blank() || c.indent() >= tabStop {
		return
	}
	rest := c.rest()
	if n := run(rest); rest[0] == s.fence.char && n >= s.fence.run && len(bytes.TrimLeft(rest[n:], " \t")) == 0 {
		s.leaf = leafNone
	}
}

// leafStarts handles a line that is a heading, a rule, the beginning of a code block, or HTML in which nothing is a link.
func (s *scanner) leafStarts(c *cursor, from, matched int, interrupts bool) bool {
	rest := c.rest()
	switch rest[0] {
	case '#':
		n := run(rest)
		if n > 6 || n < len(rest) && !space(rest[n]) {
			return false
		}
		s.shut(matched)
		s.add(span{from: from + c.next, to: from + len(c.line)})
		s.read()
		return true
	case '`', '~':
		n := run(rest)
		if n < 3 || rest[0] == '`' && bytes.IndexByte(rest[n:], '`') >= 0 {
			return false
		}
		s.shut(matched)
		s.leaf, s.fence = leafFence, fence{rest[0], n}
		return true
	case '<':
		until := rawBlock(rest)
		if until == nil {
			if !htmlBlock(rest, interrupts || s.leaf == leafTable) {
				return false
			}
			s.shut(matched)
			s.leaf = leafHTML
			s.add(span{from: from + c.next, to: from + len(c.line)})
			return true
		}
		s.shut(matched)
		if s.leaf, s.until = leafRaw, until; until(rest) {
			s.leaf = leafNone
		}
		return true
	}
	if rule(rest) || interrupts && underline(rest) {
		s.shut(matched)
		return true
	}
	return false
}

// run counts how often the first byte comes at the beginning.
func run(b []byte) int {
	n := 1
	for n < len(b) && b[n] == b[0] {
		n++
	}
	return n
}

func space(c byte) bool { return c == ' ' || c == '\t' }

// rule tells a line of three or more of the same sign.
func rule(line []byte) bool {
	sign, n := line[0], 0
	if sign != '*' && sign != '-' && sign != '_' {
		return false
	}
	for _, c := range line {
		switch {
		case c == sign:
			n++
		case !space(c):
			return false
		}
	}
	return n >= 3
}

// underline tells the line below a heading.
func underline(line []byte) bool {
	return (line[0] == '=' || line[0] == '-') && len(bytes.TrimLeft(line[run(line):], " \t")) == 0
}

// enter goes behind the sign of a container that begins here.
func enter(c *cursor, interrupts bool) (container, bool) {
	rest, indent := c.rest(), c.indent()
	if rest[0] == '>' {
		c.pass(1)
		c.skip(1)
		return container{quote: true}, true
	}
	if n := noted(rest); n > 0 && !interrupts {
		c.pass(n)
		return container{indent: indent + tabStop}, true
	}
	n := bullet(rest)
	if n == 0 {
		return container{}, false
	}
	blank := len(bytes.TrimLeft(rest[n:], " \t")) == 0
	if interrupts && (blank || n > 1 && (n != 2 || rest[0] != '1')) {
		return container{}, false
	}
	c.pass(n)
	wide := c.indent()
	if blank || wide > tabStop {
		wide = 1
	}
	c.skip(wide)
	return container{indent: indent + n + wide, empty: blank}, true
}

// bullet is the length of the sign of a list item.
func bullet(b []byte) int {
	n := 0
	for n < len(b) && n < 9 && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	switch {
	case n == 0 && b[0] != '-' && b[0] != '+' && b[0] != '*':
		return 0
	case n > 0 && (n == len(b) || b[n] != '.' && b[n] != ')'):
		return 0
	}
	if n++; n < len(b) && !space(b[n]) {
		return 0
	}
	return n
}

// noted is the length of what a footnote begins with, or a block of MkDocs; both go on in lines that are indented.
func noted(b []byte) int {
	for _, sign := range []string{"!!! ", "??? ", "???+ ", `=== "`} {
		if bytes.HasPrefix(b, []byte(sign)) {
			return len(b)
		}
	}
	if !bytes.HasPrefix(b, []byte("[^")) {
		return 0
	}
	n := bytes.IndexByte(b, ']')
	if n < 3 || n+1 == len(b) || b[n+1] != ':' {
		return 0
	}
	return n + 2
}
