package links

import "bytes"

// maxLabel bounds the name of a reference.
const maxLabel = 999

// bracket is an open [.
type bracket struct{ image bool }

// inline goes through the joined lines of one block.
type inline struct {
	s        *scanner
	b        []byte
	brackets []bracket
	dead     int         // brackets below it, but those of images, are around a link and so begin none
	ticks    map[int]int // where the last run of as many ` begins; nil until it is needed
	absent   map[string]bool
}

func (in *inline) reset(s *scanner, b []byte) {
	in.s, in.b, in.brackets, in.dead, in.ticks = s, b, in.brackets[:0], 0, nil
	clear(in.absent)
}

// run looks for links from a place to the end.
func (in *inline) run(at int) {
	b := in.b
	if bytes.IndexByte(b[at:], '<') < 0 && !bytes.Contains(b[at:], []byte("](")) {
		return
	}
	for at < len(b) {
		switch b[at] {
		case '\\':
			at += 2
		case '`':
			at = in.code(at)
		case '<':
			at = in.angle(at)
		case '!':
			if at++; at < len(b) && b[at] == '[' {
				in.brackets = append(in.brackets, bracket{image: true})
				at++
			}
		case '[':
			in.brackets = append(in.brackets, bracket{})
			at++
		case ']':
			at = in.closes(at)
		default:
			at++
		}
	}
}

// tags looks for links in HTML.
func (in *inline) tags() {
	for at := 0; ; {
		n := bytes.IndexByte(in.b[at:], '<')
		if n < 0 {
			return
		}
		at = in.angle(at + n)
	}
}

// code goes behind a code span, or behind the run of ` that begins none.
func (in *inline) code(at int) int {
	n := run(in.b[at:])
	if in.ticks == nil {
		in.ticks = map[int]int{}
		for i := at; i < len(in.b); {
			if in.b[i] != '`' {
				i++
				continue
			}
			m := run(in.b[i:])
			in.ticks[m] = i
			i += m
		}
	}
	if in.ticks[n] <= at {
		return at + n
	}
	for i := at + n; ; {
		i += bytes.IndexByte(in.b[i:], '`')
		m := run(in.b[i:])
		if i += m; m == n {
			return i
		}
	}
}

// closes handles a ].
func (in *inline) closes(at int) int {
	top := len(in.brackets) - 1
	if top < 0 {
		return at + 1
	}
	open := in.brackets[top]
	in.brackets = in.brackets[:top]
	alive := open.image || top >= in.dead
	in.dead = min(in.dead, top)
	if !alive || at+1 == len(in.b) || in.b[at+1] != '(' {
		return at + 1
	}
	from, to, after, ok := in.tail(at + 2)
	if !ok {
		return at + 1
	}
	in.s.lead(in.b, from, to, false, false)
	if !open.image {
		in.dead = top
	}
	return after
}

// tail reads what stands behind the ( of a link.
func (in *inline) tail(at int) (from, to, after int, ok bool) {
	b := in.b
	from, to, after, ok = destination(b, blanks(b, at))
	if !ok {
		return 0, 0, 0, false
	}
	end := blanks(b, after)
	if end > after {
		if i, ok := title(b, end); ok {
			end = blanks(b, i)
		}
	}
	if end == len(b) || b[end] != ')' {
		return 0, 0, 0, false
	}
	return from, to, end + 1, true
}

// definitions reads the reference definitions that a paragraph begins with and gives where they end.
func (in *inline) definitions() int {
	at := 0
	for {
		after, ok := in.definition(at)
		if !ok {
			return at
		}
		at = after
	}
}

func (in *inline) definition(at int) (after int, ok bool) {
	b := in.b
	at, ok = label(b, at)
	if !ok {
		return 0, false
	}
	from, to, end, ok := destination(b, blanks(b, at))
	if !ok || end == blanks(b, at) {
		return 0, false
	}
	after, ends := endOfLine(b, end)
	if begin := blanks(b, end); begin > end {
		if i, ok := title(b, begin); ok {
			if i, ok := endOfLine(b, i); ok {
				after, ends = i, true
			}
		}
	}
	if !ends {
		return 0, false
	}
	in.s.lead(b, from, to, false, false)
	return after, true
}

// label goes behind the name of a reference and the colon.
func label(b []byte, at int) (after int, ok bool) {
	if at+1 >= len(b) || b[at] != '[' || b[at+1] == '^' { // with ^ it is a footnote
		return 0, false
	}
	filled := false
	for i := at + 1; i < len(b) && i-at <= maxLabel+1; i++ {
		switch c := b[i]; c {
		case '\\':
			i++
			filled = true
		case '[':
			return 0, false
		case ']':
			return i + 2, filled && i+1 < len(b) && b[i+1] == ':'
		default:
			filled = filled || !space(c) && c != '\n'
		}
	}
	return 0, false
}

// endOfLine goes to the next line when nothing but white space stands before it.
func endOfLine(b []byte, at int) (after int, ok bool) {
	for at < len(b) && space(b[at]) {
		at++
	}
	if at == len(b) {
		return at, true
	}
	return at + 1, b[at] == '\n'
}
