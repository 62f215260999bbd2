package office

import (
	"bytes"
	"context"
	"strings"

	"kbsyncd/internal/convert/markup"
)

// ODT reads an OpenDocument text. It is a markup.Reader.
func ODT(ctx context.Context, src []byte, l markup.Limits) (markup.Result, error) {
	p, err := openPack(ctx, src, l)
	if err != nil {
		return markup.Result{}, err
	}
	if manifest, err := p.optional("META-INF/manifest.xml"); err != nil {
		return markup.Result{}, err
	} else if bytes.Contains(manifest, []byte("encryption-data")) {
		return markup.Result{}, markup.Protected()
	}
	d := &odt{pack: p, story: story{w: markup.NewWriter(l.Output)}, styles: map[string]odtStyle{}, lists: map[string]*odtList{}}
	if err := d.readAll("styles.xml", nil); err != nil {
		return markup.Result{}, err
	}
	title, err := d.metaTitle()
	if err != nil {
		return markup.Result{}, err
	}
	if err := d.readAll("content.xml", d.w); err != nil {
		return markup.Result{}, err
	}
	return d.result(title)
}

// optional reads a part that need not be there.
func (p *pack) optional(part string) ([]byte, error) {
	if !p.Has(part) {
		return nil, nil
	}
	return p.Read(part)
}

// odt is one OpenDocument text being read.
type odt struct {
	*pack
	story
	styles map[string]odtStyle
	lists  map[string]*odtList // the styles of lists
	open   []odtOpenList       // the lists that are open, innermost last
}

// odtOpenList is a list being read.
type odtOpenList struct {
	style string
	count int // the number of the last item
}

// readAll reads the styles of a part and, given where it goes, its text.
func (d *odt) readAll(part string, out markup.Blocks) error {
	if out == nil && !d.Has(part) {
		return nil
	}
	return d.each(part, func(x *markup.XML, e markup.Element) error {
		switch e.Name {
		case "styles", "automatic-styles":
			return x.Each(func(e markup.Element) error { return d.readStyle(x, e) }, nil)
		case "body":
			if out == nil {
				return nil
			}
			return x.Each(func(e markup.Element) error {
				if e.Name != "text" {
					return nil
				}
				return d.blocks(x, out)
			}, nil)
		}
		return nil
	})
}

func (d *odt) metaTitle() (string, error) {
	title := ""
	if !d.Has("meta.xml") {
		return "", nil
	}
	err := d.each("meta.xml", func(x *markup.XML, e markup.Element) error {
		return x.Each(func(e markup.Element) (err error) {
			if e.Name == "title" {
				title, err = x.Text()
			}
			return err
		}, nil)
	})
	return title, err
}

// blocks reads paragraphs, lists and tables, up to the end of the element that holds them.
func (d *odt) blocks(x *markup.XML, out markup.Blocks) error {
	err := x.Each(func(e markup.Element) error { return d.block(x, e, out) }, nil)
	d.flush(out)
	return err
}

func (d *odt) block(x *markup.XML, e markup.Element, out markup.Blocks) error {
	switch e.Name {
	case "h", "p":
		return d.paragraph(x, e, out)
	case "list":
		return d.list(x, e, out)
	case "table":
		d.flush(out)
		d.leave(out)
		var t table
		err := d.rows(x, &t)
		out.Table(t.rows)
		return err
	case "section", "numbered-paragraph", "bibliography", "index-body", "index-title":
		return x.Each(func(e markup.Element) error { return d.block(x, e, out) }, nil)
	case "frame", "custom-shape", "g", "rect", "ellipse": // anchored to the page
		p := odtParagraph{odt: d, x: x}
		if err := p.inline(e); err != nil {
			return err
		}
		p.writeBoxes(out)
	}
	return nil
}

// paragraph reads a heading or paragraph outside of lists.
func (d *odt) paragraph(x *markup.XML, e markup.Element, out markup.Blocks) error {
	p, err := d.readParagraph(x, e)
	if err != nil {
		return err
	}
	style := d.style(e.Attr("style-name"))
	if style.code && e.Name == "p" && style.outline == 0 {
		d.leave(out)
		d.codeLine(p.text)
		return nil
	}
	d.flush(out)
	d.leave(out)
	level := style.outline
	if e.Name == "h" {
		level = number(e.Attr("outline-level"), max(level, 1))
	}
	if level > 0 {
		out.Heading(level, p.text)
	} else {
		out.Paragraph(p.text)
	}
	p.writeBoxes(out)
	return nil
}

func (d *odt) readParagraph(x *markup.XML, e markup.Element) (*odtParagraph, error) {
	style := d.style(e.Attr("style-name"))
	p := &odtParagraph{odt: d, x: x, hidden: style.hidden, blank: true}
	return p, x.Each(p.inline, p.write)
}

// list reads a list. Its style may be the one of the list around it. Lists that follow each other are one to the reader: programs begin a
// new one, within empty ones, to change the style of a level.
func (d *odt) list(x *markup.XML, e markup.Element, out markup.Blocks) error {
	d.flush(out)
	name := e.Attr("style-name")
	depth := len(d.open)
	if name == "" && depth > 0 {
		name = d.open[depth-1].style
	}
	l := odtOpenList{style: name}
	style := d.lists[name]
	if style == nil {
		style = &odtList{}
		if len(d.lists) < maxNames {
			d.lists[name] = style
		}
	}
	level := style.level(depth)
	if l.count = level.start - 1; e.Attr("continue-numbering") == "true" || e.Attr("continue-list") != "" {
		l.count = max(l.count, level.last)
	}
	d.open = append(d.open, l)
	err := x.Each(func(e markup.Element) error {
		switch e.Name {
		case "list-item":
			if n := number(e.Attr("start-value"), -1); n >= 0 {
				d.open[depth].count = n - 1
			}
			return d.item(x, out, depth, level)
		case "list-header":
			return d.item(x, out, depth, &odtLevel{blank: true})
		}
		return nil
	}, nil)
	level.last = d.open[depth].count
	d.open = d.open[:depth]
	return err
}

// item reads an item. Its first paragraph carries the number.
func (d *odt) item(x *markup.XML, out markup.Blocks, depth int, level *odtLevel) error {
	first := !level.blank
	err := x.Each(func(e markup.Element) error {
		if e.Name != "p" {
			return d.block(x, e, out) // a heading or table within a list ends it on the page as well
		}
		p, err := d.readParagraph(x, e)
		if err != nil {
			return err
		}
		if style := d.style(e.Attr("style-name")); style.code && !first {
			d.codeLine(p.text)
			return nil
		}
		d.flush(out)
		if p.text.Blank() && len(p.boxes) == 0 {
			return nil
		}
		if first {
			number := -1
			if level.numbered {
				d.open[depth].count++
				number = d.open[depth].count
			}
			out.Item(d.levels.depth(depth), number, p.text)
			first = false
		} else {
			out.Paragraph(p.text)
		}
		for _, box := range p.boxes {
			out.Paragraph(box)
		}
		return nil
	}, nil)
	d.flush(out)
	return err
}

// rows reads the rows of a table, in whatever groups they are.
func (d *odt) rows(x *markup.XML, t *table) error {
	return x.Each(func(e markup.Element) error {
		switch e.Name {
		case "table-header-rows", "table-rows", "table-row-group":
			return d.rows(x, t)
		case "table-row":
			if t.row(); t.cells > maxCells {
				return errCells()
			}
			return x.Each(func(e markup.Element) error {
				switch e.Name {
				case "table-cell":
					open := d.open
					d.open = nil
					cell, err := d.apart(func(out markup.Blocks) error { return d.blocks(x, out) })
					d.open = open
					if err != nil {
						return err
					}
					return t.add(cell, 1)
				case "covered-table-cell": // under one that spans several
					return t.add(nil, 1)
				}
				return nil
			}, nil)
		}
		return nil
	}, nil)
}

// odtParagraph is one paragraph of an OpenDocument text being read.
type odtParagraph struct {
	*odt
	x      *markup.XML
	text   markup.Inline
	style  markup.Style
	link   string
	hidden bool
	blank  bool // the text so far ends in a blank, or there is none: the next blanks do not count
	boxes  []markup.Inline
}

// write adds text as it stands in the XML, where any number of blanks are one.
func (p *odtParagraph) write(s string) {
	var b strings.Builder
	for _, r := range s {
		if r == ' ' || r == '\t' || r == '\n' || r == '\r' {
			if !p.blank {
				b.WriteByte(' ')
			}
			p.blank = true
			continue
		}
		p.blank = false
		b.WriteRune(r)
	}
	p.add(b.String())
}

// add adds text that is meant as it is.
func (p *odtParagraph) add(s string) {
	if !p.hidden {
		p.text.Add(markup.Run{Text: s, Style: p.style, Link: p.link})
	}
}

// inline reads what stands within a paragraph.
func (p *odtParagraph) inline(e markup.Element) error {
	switch e.Name {
	case "span":
		style, hidden := p.style, p.hidden
		s := p.odt.style(e.Attr("style-name"))
		p.hidden = hidden || s.hidden
		if p.style |= s.run; s.code {
			p.style = markup.Code
		}
		err := p.x.Each(p.inline, p.write)
		p.style, p.hidden = style, hidden
		return err
	case "a":
		link := p.link
		p.link = e.Attr("href")
		err := p.x.Each(p.inline, p.write)
		p.link = link
		return err
	case "s":
		p.add(strings.Repeat(" ", min(max(number(e.Attr("c"), 1), 1), 100)))
		p.blank = false
	case "tab":
		p.add("\t")
		p.blank = false
	case "line-break":
		p.add("\n")
		p.blank = false
	case "note":
		return p.x.Each(func(e markup.Element) error {
			if e.Name != "note-body" {
				return nil
			}
			note, err := p.part()
			p.text.Add(p.cite(note))
			return err
		}, nil)
	case "frame", "custom-shape", "rect", "ellipse", "line", "path", "polygon":
		return p.shape()
	case "g":
		return p.x.Each(p.inline, nil)
	case "annotation", "annotation-end", "tracked-changes", "ruby-text", "page-number", "page-count", "script", "note-citation":
		// beside the text
	default: // fields and marks of all kinds: what they show is text
		return p.x.Each(p.inline, p.write)
	}
	return nil
}

// shape reads a frame or a shape: a text box, text on the shape itself, or a picture with its description.
func (p *odtParagraph) shape() error {
	var alt, title string
	box, err := p.apartFromLists(func(out markup.Blocks) error {
		return p.x.Each(func(e markup.Element) (err error) {
			switch e.Name {
			case "text-box":
				return p.blocks(p.x, out)
			case "desc":
				alt, err = p.x.Text()
			case "title":
				title, err = p.x.Text()
			default:
				return p.block(p.x, e, out)
			}
			return err
		}, nil)
	})
	if alt == "" {
		alt = title
	}
	if alt != "" {
		p.add("[" + alt + "]")
	}
	if !box.Blank() {
		p.boxes = append(p.boxes, box)
	}
	return err
}

// part reads blocks as one text, up to the end of the element that holds them.
func (p *odtParagraph) part() (markup.Inline, error) {
	return p.apartFromLists(func(out markup.Blocks) error { return p.blocks(p.x, out) })
}

func (d *odt) apartFromLists(fn func(markup.Blocks) error) (markup.Inline, error) {
	open := d.open
	d.open = nil
	text, err := d.apart(fn)
	d.open = open
	return text, err
}

func (p *odtParagraph) writeBoxes(out markup.Blocks) {
	for _, box := range p.boxes {
		p.leave(out)
		out.Paragraph(box)
	}
}
