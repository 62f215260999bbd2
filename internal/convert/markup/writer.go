package markup

import (
	"bytes"
	"strconv"
	"strings"

	"kbsyncd/internal/fault"
)

// Blocks takes the blocks of a document in their order. A Writer makes Markdown of them, a Flat the text of one table cell or note.
type Blocks interface {
	// Heading is of level 1 to 6; other levels are brought into that range.
	Heading(level int, p Inline)
	Paragraph(p Inline)
	// Item is an item of a list within depth others; depth 0 is the outermost. Its number is written when it is not below 0.
	// What follows belongs to the item until Leave.
	Item(depth, number int, p Inline)
	// Leave ends the lists at depth and deeper; Leave(0) ends all.
	Leave(depth int)
	// Code is text as it stands.
	Code(lang, text string)
	// Table has its head in the first row. Rows may be of different lengths.
	Table(rows [][]Inline)
}

// Writer writes Markdown: one blank line between blocks, text escaped, never more than its limit. After the limit it takes
// everything and keeps nothing; Result tells. The zero value is of no use.
type Writer struct {
	out    []byte
	limit  int64
	full   bool
	first  string   // the first heading
	indent []string // of the open items
	tight  bool     // the last block was an item
}

var (
	_ Blocks = (*Writer)(nil)
	_ Blocks = (*Flat)(nil)
)

// NewWriter makes a writer of at most limit bytes.
func NewWriter(limit int64) *Writer { return &Writer{limit: limit} }

// Full tells that the limit was reached, so that a reader may stop early.
func (w *Writer) Full() bool { return w.full }

// Heading implements Blocks.
func (w *Writer) Heading(level int, p Inline) {
	text := strings.Join(p.Unstyled().lines(), " ")
	if text == "" {
		return
	}
	if w.first == "" {
		w.first = p.Plain()
	}
	w.begin(false)
	w.write(strings.Repeat("#", min(max(level, 1), 6)), " ", text, "\n")
}

// Paragraph implements Blocks.
func (w *Writer) Paragraph(p Inline) {
	if lines := p.lines(); len(lines) > 0 {
		w.begin(false)
		w.lines(lines, w.prefix())
	}
}

// Item implements Blocks.
func (w *Writer) Item(depth, number int, p Inline) {
	lines := p.lines()
	if len(lines) == 0 {
		return
	}
	mark := "- "
	if number >= 0 {
		mark = strconv.Itoa(number) + ". "
	}
	w.indent = w.indent[:min(max(depth, 0), len(w.indent))]
	w.begin(w.tight)
	w.indent = append(w.indent, strings.Repeat(" ", len(mark)))
	w.write(mark)
	w.lines(lines, w.prefix())
	w.tight = true
}

// Leave implements Blocks.
func (w *Writer) Leave(depth int) {
	if depth < len(w.indent) {
		w.indent = w.indent[:max(depth, 0)]
	}
	w.tight = w.tight && depth > 0
}

// Code implements Blocks. The fence is longer than any in the text.
func (w *Writer) Code(lang, text string) {
	text = strings.Trim(Clean(strings.ReplaceAll(text, "\r\n", "\n")), "\n")
	if strings.TrimSpace(text) == "" {
		return
	}
	fence := strings.Repeat("`", max(3, longestRun(text, '`')+1))
	w.begin(false)
	w.write(fence, strings.Map(langRune, lang), "\n")
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimRight(line, " \t"); line != "" {
			w.write(w.prefix(), line)
		}
		w.write("\n")
	}
	w.write(w.prefix(), fence, "\n")
}

func langRune(r rune) rune {
	if r < 0x7f && (letter(byte(r)) || digit(byte(r)) || r == '+' || r == '-' || r == '#' || r == '_') {
		return r
	}
	return -1
}

// Table implements Blocks. A table of one cell is a frame around text, and is written as that. Empty rows are left out.
func (w *Writer) Table(rows [][]Inline) {
	kept, width := make([][]Inline, 0, len(rows)), 0
	for _, row := range rows {
		filled := len(row)
		for filled > 0 && row[filled-1].Blank() {
			filled--
		}
		if filled > 0 {
			kept, width = append(kept, row), max(width, filled)
		}
	}
	if len(kept) == 0 {
		return
	}
	if len(kept) == 1 && width == 1 {
		w.Paragraph(kept[0][0])
		return
	}
	w.begin(false)
	for i, row := range kept {
		if i > 0 {
			w.write(w.prefix())
		}
		w.write("|")
		for col := range width {
			cell := ""
			if col < len(row) {
				cell = cellText(row[col])
			}
			w.write(" ", cell, " |")
		}
		w.write("\n")
		if i == 0 {
			w.write(w.prefix(), "|", strings.Repeat(" --- |", width), "\n")
		}
	}
}

// cellText is a cell on one line, its lines with a blank between them: the tag for a line break would be one more word, and
// readers that drop it glue words together. Pipes are escaped last, for a table is divided before anything in it is read.
func cellText(p Inline) string {
	return strings.ReplaceAll(strings.Join(p.render(), " "), "|", `\|`)
}

// Note writes the text of a footnote; the mark in the text is a Raw run of "[^label]".
func (w *Writer) Note(label string, p Inline) {
	if lines := p.lines(); len(lines) > 0 {
		w.Leave(0)
		w.begin(false)
		w.write("[^", label, "]: ")
		w.lines(lines, "    ")
	}
}

// Markdown writes blocks that are Markdown already. Line ends and blank lines at the edges are brought in order.
func (w *Writer) Markdown(md []byte) {
	md = bytes.Trim(bytes.ReplaceAll(bytes.ToValidUTF8(md, []byte("\uFFFD")), []byte("\r\n"), []byte("\n")), "\n")
	if len(bytes.TrimSpace(md)) == 0 {
		return
	}
	w.Leave(0)
	w.begin(false)
	w.write(string(md), "\n")
}

// Result ends the document. Without a title, the first heading is it. The error says that there was no text or too much of it.
func (w *Writer) Result(title string) (Result, error) {
	switch {
	case w.full:
		return Result{}, fault.New(fault.ErrUnsupported, "its text is larger than %d MB", w.limit>>20).WithHint("divide the document")
	case len(w.out) == 0:
		return Result{}, fault.New(fault.ErrUnsupported, "it has no text").WithHint("if it holds scanned pages or pictures, add a version with text")
	}
	if title = Text(title).Plain(); title == "" {
		title = w.first
	}
	return Result{Title: title, Markdown: w.out}, nil
}

func (w *Writer) prefix() string { return strings.Join(w.indent, "") }

// begin starts a block, after a blank line unless it is tight.
func (w *Writer) begin(tight bool) {
	if len(w.out) > 0 && !tight {
		w.write("\n")
	}
	w.tight = false
	w.write(w.prefix())
}

// lines writes the lines of a paragraph with hard breaks between them.
func (w *Writer) lines(lines []string, prefix string) {
	for i, line := range lines {
		if i > 0 {
			w.write("  \n", prefix)
		}
		w.write(line)
	}
	w.write("\n")
}

func (w *Writer) write(parts ...string) {
	for _, s := range parts {
		if w.full = w.full || int64(len(w.out)+len(s)) > w.limit; w.full {
			w.out = nil
			return
		}
		w.out = append(w.out, s...)
	}
}
