package links

// tabStop is the columns between the stops of tabs.
const tabStop = 4

// cursor is a place in a line, in bytes and in columns: a tab may belong to what stands before it with some of its columns.
type cursor struct {
	line []byte
	pos  int
	col  int // of pos, or within the tab at pos
	// The first byte that is no space or tab, and its column; they hold while pos is not behind it.
	next, nextCol int
}

func newCursor(line []byte) cursor {
	c := cursor{line: line}
	c.find()
	return c
}

// find looks for the first byte that is no space or tab.
func (c *cursor) find() {
	c.next, c.nextCol = c.pos, c.col
	for c.next < len(c.line) {
		switch c.line[c.next] {
		case ' ':
			c.nextCol++
		case '\t':
			c.nextCol += tabStop - c.nextCol%tabStop
		default:
			return
		}
		c.next++
	}
}

// indent is the columns of white space from here.
func (c *cursor) indent() int { return c.nextCol - c.col }

func (c *cursor) blank() bool { return c.next == len(c.line) }

// rest is the line from the first byte that is no space or tab.
func (c *cursor) rest() []byte { return c.line[c.next:] }

// skip passes over columns of white space.
func (c *cursor) skip(columns int) {
	to := c.col + columns
	for c.pos < c.next && c.col < to {
		width := 1
		if c.line[c.pos] == '\t' {
			width = tabStop - c.col%tabStop
		}
		if c.col+width > to {
			c.col = to
			return
		}
		c.col += width
		c.pos++
	}
}

// pass goes behind the white space and n bytes more.
func (c *cursor) pass(n int) {
	c.pos, c.col = c.next+n, c.nextCol+n
	c.find()
}
