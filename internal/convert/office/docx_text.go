package office

import (
	"strconv"
	"strings"

	"kbsyncd/internal/convert/markup"
)

// field is an open field: an instruction, then a separator, then the result that people see.
type field struct {
	instruction string
	result      bool
	link        string
}

// maxInstruction bounds the instruction of a field.
const maxInstruction = 4096

// paragraph is one paragraph of a Word document being read.
type paragraph struct {
	*docx
	x       *markup.XML
	style   string
	outline int // of headings, from 0; -1 for none
	list    int // id of its list; -1 when only the style tells, 0 for none
	level   int
	text    markup.Inline
	boxes   []markup.Inline // text boxes that are anchored here
	link    string          // of the hyperlink around
}

// child reads a child of the paragraph, or of something within it that holds runs.
func (p *paragraph) child(e markup.Element) error {
	switch e.Name {
	case "pPr":
		return p.x.Each(p.property, nil)
	case "r":
		return p.run()
	case "hyperlink":
		outer := p.link
		p.link = p.links[e.Attr("id")].target
		err := p.x.Each(p.child, nil)
		p.link = outer
		return err
	case "fldSimple":
		p.fields = append(p.fields, field{instruction: e.Attr("instr"), result: true, link: hyperlink(e.Attr("instr"))})
		err := p.x.Each(p.child, nil)
		p.endField()
		return err
	case "sdt", "sdtContent", "ins", "moveTo", "smartTag", "customXml", "bdo", "dir", "oMathPara":
		return p.x.Each(p.child, nil)
	case "AlternateContent":
		return alternative(p.x, p.child)
	case "oMath":
		return p.x.Each(p.math, nil)
	}
	return nil
}

func (p *paragraph) property(e markup.Element) error {
	switch e.Name {
	case "pStyle":
		p.style = e.Attr("val")
	case "outlineLvl":
		p.outline = number(e.Attr("val"), -1)
	case "numPr":
		return p.x.Each(func(e markup.Element) error {
			switch e.Name {
			case "numId":
				p.list = number(e.Attr("val"), 0)
			case "ilvl":
				p.level = min(max(number(e.Attr("val"), 0), 0), 8)
			}
			return nil
		}, nil)
	}
	return nil
}

func number(s string, otherwise int) int {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && n < 1<<31 {
		return n
	}
	return otherwise
}

// run reads a run: text of one look.
func (p *paragraph) run() error {
	var style markup.Style
	hidden := false
	var child func(markup.Element) error
	add := func(text string) {
		if !hidden {
			p.add(text, style)
		}
	}
	child = func(e markup.Element) error {
		switch e.Name {
		case "rPr":
			return p.x.Each(func(e markup.Element) error {
				switch on := toggled(e); e.Name {
				case "vanish":
					hidden = on
				case "vertAlign":
					style = scriptStyle(style, e.Attr("val"))
				case "rStyle":
					style |= p.styles.run[e.Attr("val")]
				default:
					style = setStyle(style, e.Name, on)
				}
				return nil
			}, nil)
		case "t":
			text, err := p.x.Text()
			add(text)
			return err
		case "tab", "ptab":
			add("\t")
		case "br", "cr":
			add("\n")
		case "noBreakHyphen":
			add("-")
		case "sym":
			code, _ := strconv.ParseUint(e.Attr("char"), 16, 32)
			add(symbol(e.Attr("font"), rune(code)))
		case "fldChar":
			p.fieldChar(e.Attr("fldCharType"))
		case "instrText":
			text, err := p.x.Text()
			if n := len(p.fields); n > 0 && !p.fields[n-1].result && len(p.fields[n-1].instruction) < maxInstruction {
				p.fields[n-1].instruction += text
			}
			return err
		case "footnoteReference", "endnoteReference":
			p.text.Add(p.cite(p.notes[strings.TrimSuffix(e.Name, "Reference")+e.Attr("id")]))
		case "drawing", "pict", "object":
			return p.x.Each(p.drawing, nil)
		case "ruby", "rubyBase":
			return p.x.Each(child, nil)
		case "r": // within ruby
			return p.x.Each(child, nil)
		case "AlternateContent":
			return alternative(p.x, child)
		}
		return nil
	}
	return p.x.Each(child, nil)
}

// toggled tells whether an on/off property is on: it is when it is there and does not say otherwise.
func toggled(e markup.Element) bool {
	switch e.Attr("val") {
	case "0", "false", "off", "none":
		return false
	}
	return true
}

func setStyle(s markup.Style, property string, on bool) markup.Style {
	bit := map[string]markup.Style{"b": markup.Bold, "i": markup.Italic, "strike": markup.Strike, "dstrike": markup.Strike}[property]
	if on {
		return s | bit
	}
	return s &^ bit
}

// isContents tells whether a field is a table of contents: headings once more, and numbers of pages.
func isContents(instruction string) bool {
	name, _, _ := strings.Cut(strings.TrimSpace(instruction), " ")
	return name == "TOC"
}

// scriptStyle sets what is called superscript or subscript, or begins so.
func scriptStyle(s markup.Style, name string) markup.Style {
	s &^= markup.Super | markup.Sub
	switch {
	case strings.HasPrefix(name, "super"):
		s |= markup.Super
	case strings.HasPrefix(name, "sub"):
		s |= markup.Sub
	}
	return s
}

// add appends text unless it is the instruction of a field.
func (p *paragraph) add(text string, style markup.Style) {
	link := p.link
	for _, f := range p.fields {
		if !f.result || isContents(f.instruction) {
			return
		}
		if f.link != "" {
			link = f.link
		}
	}
	p.text.Add(markup.Run{Text: text, Style: style, Link: link})
}

func (p *paragraph) fieldChar(kind string) {
	n := len(p.fields)
	switch {
	case kind == "begin" && n < maxNames:
		p.fields = append(p.fields, field{})
	case kind == "separate" && n > 0:
		p.fields[n-1].result = true
		p.fields[n-1].link = hyperlink(p.fields[n-1].instruction)
	case kind == "end":
		p.endField()
	}
}

func (p *paragraph) endField() {
	if n := len(p.fields); n > 0 {
		p.fields = p.fields[:n-1]
	}
}

// hyperlink is the address in the instruction of a field, as in: HYPERLINK "https://example.com" \o "tip".
func hyperlink(instruction string) string {
	rest, ok := strings.CutPrefix(strings.TrimSpace(instruction), "HYPERLINK")
	if !ok {
		return ""
	}
	if quoted := strings.SplitN(rest, `"`, 3); len(quoted) == 3 && !strings.Contains(quoted[0], `\l`) {
		return quoted[1]
	}
	if words := strings.Fields(rest); len(words) > 0 {
		return words[0]
	}
	return ""
}

// drawing looks for what can be read in a drawing: descriptions of pictures, and text boxes.
func (p *paragraph) drawing(e markup.Element) error {
	switch e.Name {
	case "docPr":
		alt := e.Attr("descr")
		if alt == "" {
			alt = e.Attr("title")
		}
		if alt != "" {
			p.add("["+alt+"]", 0)
		}
	case "txbxContent":
		fields := p.fields
		p.fields = nil
		box, err := p.apart(func(out markup.Blocks) error { return p.blocks(p.x, out) })
		p.fields = fields
		p.boxes = append(p.boxes, box)
		return err
	case "AlternateContent":
		return alternative(p.x, p.drawing)
	}
	return p.x.Each(p.drawing, nil)
}

// math reads a formula as one line.
func (p *paragraph) math(e markup.Element) error {
	switch e.Name {
	case "t":
		text, err := p.x.Text()
		p.add(text, 0)
		return err
	case "den":
		p.add("/", 0)
	case "sup":
		p.add("^", 0)
	case "sub":
		p.add("_", 0)
	}
	return p.x.Each(p.math, nil)
}
