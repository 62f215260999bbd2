package office

import (
	"bytes"
	"context"
	"strconv"
	"unicode/utf16"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

// RTF reads rich text. It is a markup.Reader.
func RTF(ctx context.Context, src []byte, l markup.Limits) (markup.Result, error) {
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	if !bytes.HasPrefix(bytes.TrimLeft(src, " \t\r\n"), []byte(`{\rtf`)) {
		return markup.Result{}, fault.New(fault.ErrUnsupported, "it is not rich text").WithHint("save it as RTF, or give it the extension of what it is")
	}
	r := &rtf{
		story: story{w: markup.NewWriter(l.Output)}, src: src, maxDepth: l.Depth, charset: charmap.Windows1252,
		fonts: map[int]*rtfFont{}, styles: map[int]*rtfStyle{}, entry: new(rtfStyle), font: new(rtfFont),
	}
	r.out = r.w
	r.state.uc = 1
	if err := r.read(ctx); err != nil {
		return markup.Result{}, err
	}
	return r.result(r.title)
}

// destination is where the text of a group goes.
type destination uint8

const (
	toText destination = iota
	toNowhere
	toFonts
	toStyles
	toTitle
	toInfo   // a group of which only the title counts
	toField  // the instruction of a field
	toLabel  // the number or bullet of an item
	toUnless // the form for old readers of what \ud has in Unicode
)

// rtfState is what a group inherits and gives back at its end.
type rtfState struct {
	to     destination
	uc     int // how many characters follow \u for old readers
	style  markup.Style
	font   int
	hidden bool
	link   string
	field  *string // the instruction of the field around
	par    rtfParagraph
}

// rtfParagraph are the properties of a paragraph.
type rtfParagraph struct {
	style   int
	outline int // of headings, from 1; 0 for none
	table   bool
	level   int // of its list
	indent  int
	hanging bool // the first line begins left of the others
}

// rtf is one document being read.
type rtf struct {
	story
	src      []byte
	pos      int
	maxDepth int
	state    rtfState
	stack    []rtfState
	starred  bool // the next word, when unknown, makes its group one to skip

	charset encoding.Encoding // of the document
	fonts   map[int]*rtfFont
	font    *rtfFont // being defined
	base    int      // the font of text that names none
	styles  map[int]*rtfStyle
	entry   *rtfStyle // being defined
	title   string

	bytes []byte // characters in the code page of the font, not decoded yet
	high  rune   // the first half of a character of two
	skip  int    // characters for old readers still to come

	rtfText
	aside    []rtfAside // the texts around this one, when it is a note or a text box
	tooLarge bool       // a table has too many cells
}

// rtfText is what was read of a text and waits for the end of its paragraph, cell or table.
type rtfText struct {
	out   markup.Blocks
	text  markup.Inline
	label string // the number or bullet of the paragraph
	boxes []markup.Inline
	cell  markup.Flat
	row   []markup.Inline
	table table
}

// rtfAside is a text that waits while a note or a text box within it is read.
type rtfAside struct {
	rtfText
	depth  int // of the group that is the note
	box    bool
	flat   *markup.Flat // what the note becomes
	levels outline
	code   []string
}

// read goes through the document.
func (r *rtf) read(ctx context.Context) error {
	for steps := 0; r.pos < len(r.src); steps++ {
		if steps%4096 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		c := r.src[r.pos]
		r.pos++
		switch c {
		case '{':
			r.flushText()
			r.skip = 0
			if len(r.stack) >= r.maxDepth {
				return fault.New(fault.ErrUnsupported, "its parts are nested more than %d deep", r.maxDepth).WithHint("save it again in a simpler form")
			}
			r.stack = append(r.stack, r.state)
			if r.state.to == toStyles {
				r.entry = new(rtfStyle)
			}
		case '}':
			r.close()
		case '\\':
			r.control()
		case '\r', '\n', 0:
		default:
			r.byte(c)
		}
	}
	for len(r.stack) > 0 { // cut short: what was read counts
		r.close()
	}
	r.endParagraph()
	r.endTable()
	r.flush(r.out)
	if r.tooLarge {
		return errCells()
	}
	return nil
}

// close ends a group.
func (r *rtf) close() {
	r.flushText()
	r.skip, r.starred = 0, false
	if r.state.to == toStyles {
		r.endStyle()
	}
	if n := len(r.aside); n > 0 && r.aside[n-1].depth == len(r.stack) {
		r.endAside()
	}
	if n := len(r.stack); n > 0 {
		r.state = r.stack[n-1]
		r.stack = r.stack[:n-1]
	}
}

// control reads a control word or symbol after its backslash.
func (r *rtf) control() {
	if r.pos >= len(r.src) {
		return
	}
	c := r.src[r.pos]
	if c|0x20 < 'a' || c|0x20 > 'z' {
		r.pos++
		r.symbol(c)
		return
	}
	start := r.pos
	for r.pos < len(r.src) && r.src[r.pos]|0x20 >= 'a' && r.src[r.pos]|0x20 <= 'z' && r.pos-start < 32 {
		r.pos++
	}
	word := string(r.src[start:r.pos])
	start = r.pos
	if r.pos < len(r.src) && r.src[r.pos] == '-' {
		r.pos++
	}
	for r.pos < len(r.src) && r.src[r.pos] >= '0' && r.src[r.pos] <= '9' && r.pos-start < 11 {
		r.pos++
	}
	n, err := strconv.Atoi(string(r.src[start:r.pos]))
	given := err == nil
	if r.pos < len(r.src) && r.src[r.pos] == ' ' {
		r.pos++
	}
	if word == "bin" { // raw bytes
		r.pos = min(len(r.src), r.pos+max(n, 0))
		return
	}
	r.flushText()
	if _, shown := rtfShown[word]; shown && r.skip > 0 { // it stands in for \u
		r.skip--
		return
	}
	r.skip = 0
	r.word(word, n, given)
}

// symbol obeys a control symbol.
func (r *rtf) symbol(c byte) {
	switch c {
	case '\'':
		if r.pos+2 > len(r.src) {
			return
		}
		n, err := strconv.ParseUint(string(r.src[r.pos:r.pos+2]), 16, 8)
		if err == nil {
			r.pos += 2
			r.byte(byte(n))
		}
	case '*':
		r.starred = true
	case '\\', '{', '}':
		r.byte(c)
	case '~':
		r.write(" ")
	case '_':
		r.write("-")
	case '\r', '\n':
		r.flushText()
		r.endParagraph()
	default: // a soft hyphen, marks of an index
		r.flushText()
	}
}

// byte takes one character in the code page of the font.
func (r *rtf) byte(c byte) {
	if r.skip > 0 {
		r.skip--
		return
	}
	r.starred = false
	if r.state.to != toNowhere {
		r.bytes = append(r.bytes, c)
	}
}

// flushText decodes the characters that wait.
func (r *rtf) flushText() {
	if len(r.bytes) == 0 {
		return
	}
	text := r.decode(r.bytes)
	r.bytes = r.bytes[:0]
	r.write(text)
}

// unicode takes \u, whose number is a signed UTF-16 unit.
func (r *rtf) unicode(n int) {
	u := rune(uint16(n))
	r.skip = r.state.uc
	switch {
	case utf16.IsSurrogate(u) && u < 0xdc00:
		r.high = u
		return
	case utf16.IsSurrogate(u):
		u = utf16.DecodeRune(r.high, u)
	case n > 0xffff && n <= 0x10ffff:
		u = rune(n)
	}
	r.high = 0
	if f := r.fonts[r.state.font]; u >= 0xf000 && u <= 0xf0ff && f != nil {
		r.write(symbol(f.name, u))
		return
	}
	r.write(string(u))
}

// write adds text where the group says.
func (r *rtf) write(text string) {
	if len(r.bytes) > 0 {
		r.flushText()
	}
	switch r.state.to {
	case toText:
		if r.state.hidden {
			return
		}
		style := r.state.style
		if r.mono(r.state.font) {
			style = markup.Code
		}
		r.text.Add(markup.Run{Text: text, Style: style, Link: r.state.link})
	case toFonts:
		r.defineFont(text)
	case toStyles:
		if len(r.entry.name) < maxInstruction {
			r.entry.name += text
		}
	case toTitle:
		if len(r.title) < maxInstruction {
			r.title += text
		}
	case toField:
		if r.state.field != nil && len(*r.state.field) < maxInstruction {
			*r.state.field += text
		}
	case toLabel:
		if len(r.label) < 64 {
			r.label += text
		}
	case toNowhere, toInfo, toUnless:
	}
}
