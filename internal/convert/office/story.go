package office

import (
	"strconv"
	"strings"

	"kbsyncd/internal/convert/markup"
)

// story is the text of a document on its way to Markdown: what waits for the next block, and the notes for the end.
type story struct {
	w      *markup.Writer
	cited  []markup.Inline // in the order of their marks
	levels outline         // of the list that is open
	code   []string        // lines of code that wait for the next block
}

// flush writes the code that waits.
func (s *story) flush(out markup.Blocks) {
	if len(s.code) > 0 {
		out.Code("", strings.Join(s.code, "\n"))
		s.code = nil
	}
}

// leave ends the open list.
func (s *story) leave(out markup.Blocks) {
	s.levels = s.levels[:0]
	out.Leave(0)
}

// codeLine keeps a paragraph of code, with its line breaks and blanks.
func (s *story) codeLine(p markup.Inline) {
	var b strings.Builder
	for _, r := range p {
		b.WriteString(r.Text)
	}
	if b.Len() > 0 || len(s.code) > 0 {
		s.code = append(s.code, b.String())
	}
}

// apart reads a text within the text: a cell, a note, a text box.
func (s *story) apart(fn func(out markup.Blocks) error) (markup.Inline, error) {
	code, levels := s.code, s.levels
	s.code, s.levels = nil, nil
	var f markup.Flat
	err := fn(&f)
	s.flush(&f)
	s.code, s.levels = code, levels
	return f.Inline, err
}

// cite keeps a note for the end and gives its mark.
func (s *story) cite(note markup.Inline) markup.Run {
	if note.Blank() {
		return markup.Run{}
	}
	s.cited = append(s.cited, note)
	return markup.Run{Text: "[^" + strconv.Itoa(len(s.cited)) + "]", Style: markup.Raw}
}

// result ends the document.
func (s *story) result(title string) (markup.Result, error) {
	for i, n := range s.cited {
		s.w.Note(strconv.Itoa(i+1), n)
	}
	return s.w.Result(title)
}

// outline turns levels of lists, of which a document may skip some, into depths that grow by one.
type outline []int

// depth of an item of this level.
func (o *outline) depth(level int) int {
	for n := len(*o); n > 0 && (*o)[n-1] > level; n-- {
		*o = (*o)[:n-1]
	}
	if n := len(*o); n == 0 || (*o)[n-1] < level {
		*o = append(*o, level)
	}
	return len(*o) - 1
}

// table gathers the rows of a table, which is held in memory until it ends.
type table struct {
	rows  [][]markup.Inline
	cells int
}

// row begins a row.
func (t *table) row() {
	t.rows = append(t.rows, nil)
	t.cells++
}

// add adds a cell to the last row, and empty ones for the columns that it spans besides its own.
func (t *table) add(cell markup.Inline, span int) error {
	span = min(max(span, 1), 100)
	if t.cells += span; t.cells > maxCells {
		return errCells()
	}
	if len(t.rows) == 0 {
		t.row()
	}
	last := &t.rows[len(t.rows)-1]
	*last = append(append(*last, cell), make([]markup.Inline, span-1)...)
	return nil
}
