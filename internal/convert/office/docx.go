package office

import (
	"context"

	"kbsyncd/internal/convert/markup"
)

// DOCX reads a Word document (Office Open XML). It is a markup.Reader.
func DOCX(ctx context.Context, src []byte, l markup.Limits) (markup.Result, error) {
	p, err := openPack(ctx, src, l)
	if err != nil {
		return markup.Result{}, err
	}
	rels, err := p.relations("")
	if err != nil {
		return markup.Result{}, err
	}
	title, err := p.title(rels)
	if err != nil {
		return markup.Result{}, err
	}
	d := &docx{pack: p, story: story{w: markup.NewWriter(l.Output)}}
	main := related(rels, "officeDocument", "word/document.xml")
	if err := d.open(main); err != nil {
		return markup.Result{}, err
	}
	err = d.part(main, func(x *markup.XML, e markup.Element) error {
		if e.Name != "body" {
			return nil
		}
		return d.blocks(x, d.w)
	})
	if err != nil {
		return markup.Result{}, err
	}
	return d.result(title)
}

// docx is one Word document being read.
type docx struct {
	*pack
	story
	styles docxStyles
	lists  docxLists
	notes  map[string]markup.Inline // by kind and id
	links  map[string]relation      // of the part being read
	fields []field                  // open ones, innermost last; they may go over paragraphs
}

// open reads what stands beside the text: styles, lists and notes.
func (d *docx) open(main string) error {
	rels, err := d.relations(main)
	if err != nil {
		return err
	}
	if d.styles, err = d.readStyles(related(rels, "styles", "")); err != nil {
		return err
	}
	if d.lists, err = d.readLists(related(rels, "numbering", "")); err != nil {
		return err
	}
	d.notes = map[string]markup.Inline{}
	for _, kind := range []string{"footnote", "endnote"} {
		part := related(rels, kind+"s", "")
		if part == "" || !d.Has(part) {
			continue
		}
		err := d.part(part, func(x *markup.XML, e markup.Element) error {
			if e.Name != kind || e.Attr("type") == "separator" || e.Attr("type") == "continuationSeparator" {
				return nil
			}
			note, err := d.apart(func(out markup.Blocks) error { return d.blocks(x, out) })
			if len(d.notes) < maxNames {
				d.notes[kind+e.Attr("id")] = note
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// part reads a part that has text.
func (d *docx) part(part string, fn func(*markup.XML, markup.Element) error) (err error) {
	if d.links, err = d.relations(part); err != nil {
		return err
	}
	d.fields = nil
	return d.each(part, fn)
}

// blocks reads paragraphs and tables, up to the end of the element that holds them.
func (d *docx) blocks(x *markup.XML, out markup.Blocks) error {
	err := x.Each(func(e markup.Element) error { return d.block(x, e, out) }, nil)
	d.flush(out)
	return err
}

func (d *docx) block(x *markup.XML, e markup.Element, out markup.Blocks) error {
	inner := func(e markup.Element) error { return d.block(x, e, out) }
	switch e.Name {
	case "p":
		return d.paragraph(x, out)
	case "tbl":
		d.flush(out)
		d.leave(out)
		rows, err := d.table(x)
		if err == nil {
			out.Table(rows)
		}
		return err
	case "sdt":
		return d.control(x, inner)
	case "ins", "moveTo", "customXml", "smartTag":
		return x.Each(inner, nil)
	case "AlternateContent":
		return alternative(x, inner)
	}
	return nil
}

// control reads the content of a content control, unless it is a table of contents.
func (d *docx) control(x *markup.XML, fn func(markup.Element) error) error {
	contents := false
	return x.Each(func(e markup.Element) error {
		switch {
		case e.Name == "sdtContent" && !contents:
			return x.Each(fn, nil)
		case e.Name == "sdtPr":
			return x.Each(func(e markup.Element) error {
				if e.Name != "docPartObj" {
					return nil
				}
				return x.Each(func(e markup.Element) error {
					contents = contents || e.Name == "docPartGallery" && e.Attr("val") == "Table of Contents"
					return nil
				}, nil)
			}, nil)
		}
		return nil
	}, nil)
}

// alternative reads the first choice of several forms of one content.
func alternative(x *markup.XML, fn func(markup.Element) error) error {
	taken := false
	return x.Each(func(e markup.Element) error {
		if taken || e.Name != "Choice" && e.Name != "Fallback" {
			return nil
		}
		taken = true
		return x.Each(fn, nil)
	}, nil)
}

func (d *docx) paragraph(x *markup.XML, out markup.Blocks) error {
	p := paragraph{docx: d, x: x, outline: -1, list: -1}
	if err := x.Each(p.child, nil); err != nil {
		return err
	}
	d.write(&p, out)
	for _, box := range p.boxes {
		d.leave(out)
		out.Paragraph(box)
	}
	return nil
}

// write decides what a paragraph is: a heading, an item of a list, code, or text.
func (d *docx) write(p *paragraph, out markup.Blocks) {
	style := d.styles.paragraph(p.style)
	if style.code {
		d.codeLine(p.text)
		return
	}
	d.flush(out)
	if p.text.Blank() {
		return
	}
	if p.outline < 0 {
		p.outline = style.outline
	}
	if p.outline >= 0 && p.outline < 9 {
		d.leave(out)
		out.Heading(p.outline+1, p.text)
		return
	}
	if p.list < 0 {
		p.list = style.list
		p.level = max(p.level, style.level)
	}
	switch number, kind := d.lists.next(p.list, p.level); kind {
	case listItem:
		out.Item(d.levels.depth(p.level), number, p.text)
	case listMore:
		out.Paragraph(p.text)
	default:
		d.leave(out)
		out.Paragraph(p.text)
	}
}

// table reads the rows of a table. A cell that goes on from the row above is empty.
func (d *docx) table(x *markup.XML) ([][]markup.Inline, error) {
	var t table
	deleted := false
	var child func(markup.Element) error
	child = func(e markup.Element) error {
		switch e.Name {
		case "tr":
			t.row()
			deleted = false
			err := x.Each(child, nil)
			if t.cells > maxCells {
				return errCells()
			}
			if deleted {
				t.rows = t.rows[:len(t.rows)-1]
			}
			return err
		case "trPr":
			return x.Each(func(e markup.Element) error {
				deleted = deleted || e.Name == "del" // by a tracked change
				return nil
			}, nil)
		case "tc":
			span := 1
			cell, err := d.apart(func(out markup.Blocks) error { return d.cell(x, out, &span) })
			if err != nil {
				return err
			}
			return t.add(cell, span)
		case "sdt", "sdtContent", "ins", "customXml":
			return x.Each(child, nil)
		}
		return nil
	}
	err := x.Each(child, nil)
	return t.rows, err
}

func (d *docx) cell(x *markup.XML, out markup.Blocks, span *int) error {
	return x.Each(func(e markup.Element) error {
		if e.Name != "tcPr" {
			return d.block(x, e, out)
		}
		return x.Each(func(e markup.Element) error {
			if e.Name == "gridSpan" {
				*span = number(e.Attr("val"), 1)
			}
			return nil
		}, nil)
	}, nil)
}
