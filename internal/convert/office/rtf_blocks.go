package office

import (
	"strconv"
	"strings"

	"kbsyncd/internal/convert/markup"
)

// rtfStyle is a style of paragraphs.
type rtfStyle struct {
	name    string
	number  int
	base    int
	based   bool
	other   bool // not of paragraphs
	outline int
}

func (r *rtf) endStyle() {
	e := r.entry
	r.entry = new(rtfStyle)
	if e.name = strings.ToLower(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(e.name), ";"))); e.name == "" || e.other {
		return
	}
	if level, ok := headingLevel(e.name); ok {
		e.outline = level + 1
	}
	if len(r.styles) < maxNames {
		r.styles[e.number] = e
	}
}

// styleOf resolves the style of a paragraph with those that it is based on.
func (r *rtf) styleOf(number int) (outline int, code bool) {
	for range maxBase {
		s := r.styles[number]
		if s == nil {
			break
		}
		if outline == 0 {
			outline = s.outline
		}
		code = code || isCode(s.name)
		if !s.based || s.base == number {
			break
		}
		number = s.base
	}
	return outline, code
}

// endParagraph writes the paragraph that was read, into its cell when it is in a table.
func (r *rtf) endParagraph() {
	if r.state.to != toText {
		return
	}
	if r.state.par.table {
		r.endLine()
		return
	}
	r.endTable()
	text, label, boxes := r.take()
	r.paragraph(text, label)
	for _, box := range boxes {
		r.leave(r.out)
		r.out.Paragraph(box)
	}
}

// take takes what was read of a paragraph.
func (t *rtfText) take() (text markup.Inline, label string, boxes []markup.Inline) {
	text, label, boxes = t.text, t.label, t.boxes
	t.text, t.label, t.boxes = nil, "", nil
	return text, label, boxes
}

// paragraph decides what a paragraph is: a heading, an item of a list, code, or text.
func (r *rtf) paragraph(text markup.Inline, label string) {
	par := r.state.par
	outline, code := r.styleOf(par.style)
	if par.outline > 0 {
		outline = par.outline
	}
	code = code || allCode(text)
	if code && label == "" {
		r.codeLine(text)
		return
	}
	r.flush(r.out)
	if text.Blank() {
		return
	}
	if outline > 0 && outline < 10 {
		r.leave(r.out)
		r.out.Heading(outline, text)
		return
	}
	level := par.level
	if label == "" && par.hanging {
		label, text = cutLabel(text)
		level = par.indent
	}
	switch {
	case strings.TrimSpace(label) != "":
		r.out.Item(r.levels.depth(level), labelNumber(label), text)
	case label != "", len(r.levels) > 0 && par.indent > 0 && !par.hanging:
		r.out.Paragraph(text) // one more paragraph of the item
	default:
		r.leave(r.out)
		r.out.Paragraph(text)
	}
}

// allCode tells whether everything is in a font for code.
func allCode(p markup.Inline) bool {
	for _, run := range p {
		if run.Style&markup.Code == 0 && strings.TrimSpace(run.Text) != "" {
			return false
		}
	}
	return !p.Blank()
}

// cutLabel takes the bullet or number off a text that begins with one and a tab.
func cutLabel(p markup.Inline) (label string, rest markup.Inline) {
	if len(p) == 0 {
		return "", p
	}
	label, text, ok := strings.Cut(p[0].Text, "\t")
	if label = strings.TrimSpace(label); !ok || label == "" || len(label) > 8 {
		return "", p
	}
	if labelNumber(label) < 0 && !strings.Contains("•◦▪–—-*·○●■", label) {
		return "", p
	}
	rest = append(markup.Inline{}, p...)
	rest[0].Text = text
	return label, rest
}

// labelNumber is the number that a label shows, as in "3.", "2.1" (the last one counts) or "b)"; -1 when it shows none.
func labelNumber(label string) int {
	label = strings.Trim(strings.TrimSpace(label), ".()[] \t")
	if at := strings.LastIndexByte(label, '.'); at >= 0 {
		label = label[at+1:]
	}
	if n, err := strconv.Atoi(label); err == nil && n >= 0 && n < 1_000_000_000 {
		return n
	}
	if len(label) == 1 && label[0]|0x20 >= 'a' && label[0]|0x20 <= 'z' && label != "o" { // a small o is a bullet of Word's
		return int(label[0]|0x20-'a') + 1
	}
	return -1
}

// endLine ends a paragraph within a cell.
func (r *rtf) endLine() {
	if r.state.to != toText {
		return
	}
	text, label, boxes := r.take()
	if label != "" {
		r.cell.Item(0, labelNumber(label), text)
	} else {
		r.cell.Paragraph(text)
	}
	for _, box := range boxes {
		r.cell.Paragraph(box)
	}
}

func (r *rtf) endCell() {
	if r.state.to != toText {
		return
	}
	r.endLine()
	r.row = append(r.row, r.cell.Inline)
	r.cell = markup.Flat{}
}

func (r *rtf) endRow() {
	if r.state.to != toText {
		return
	}
	r.endLine()
	if !r.cell.Inline.Blank() {
		r.endCell()
	}
	r.table.row()
	if r.table.cells > maxCells {
		r.tooLarge = true
		r.table.rows = nil
	}
	for _, cell := range r.row {
		if r.table.add(cell, 1) != nil {
			r.tooLarge = true
			break
		}
	}
	r.row = nil
}

// endTable writes the table that was read.
func (r *rtf) endTable() {
	if len(r.row) > 0 || !r.cell.Inline.Blank() {
		r.endRow()
	}
	if len(r.table.rows) == 0 {
		return
	}
	r.flush(r.out)
	r.leave(r.out)
	r.out.Table(r.table.rows)
	r.table = table{}
}
