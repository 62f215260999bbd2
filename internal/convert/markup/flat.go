package markup

import (
	"strconv"
	"strings"
)

// Flat gathers blocks as lines of one text, for places that take no blocks: a table cell, a footnote, a text box. The zero value is empty.
type Flat struct {
	// Inline is what was gathered.
	Inline Inline
}

// Heading implements Blocks.
func (f *Flat) Heading(_ int, p Inline) { f.Paragraph(p) }

// Paragraph implements Blocks.
func (f *Flat) Paragraph(p Inline) {
	if p.Blank() {
		return
	}
	if len(f.Inline) > 0 {
		f.Inline.Add(Run{Text: "\n"})
	}
	for _, r := range p {
		f.Inline.Add(r)
	}
}

// Item implements Blocks.
func (f *Flat) Item(_, number int, p Inline) {
	if p.Blank() {
		return
	}
	mark := "• "
	if number >= 0 {
		mark = strconv.Itoa(number) + ". "
	}
	f.Paragraph(append(Text(mark), p...))
}

// Leave implements Blocks.
func (f *Flat) Leave(int) {}

// Code implements Blocks.
func (f *Flat) Code(_, text string) {
	for line := range strings.SplitSeq(text, "\n") {
		f.Paragraph(Inline{{Text: line, Style: Code}})
	}
}

// Table implements Blocks. The cells of a row go on one line.
func (f *Flat) Table(rows [][]Inline) {
	for _, row := range rows {
		var line Inline
		for _, cell := range row {
			if cell.Blank() {
				continue
			}
			if len(line) > 0 {
				line.Add(Run{Text: " "})
			}
			for _, r := range cell {
				line.Add(r)
			}
		}
		f.Paragraph(line)
	}
}
