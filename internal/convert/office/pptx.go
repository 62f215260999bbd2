package office

import (
	"context"
	"strings"

	"kbsyncd/internal/convert/markup"
)

// PPTX reads a PowerPoint presentation (Office Open XML): the slides in their order, each with its title as a heading, then its shapes, its tables, the
// text of its diagrams, and the speaker's notes. Hidden slides are left out. It is a markup.Reader.
func PPTX(ctx context.Context, src []byte, l markup.Limits) (markup.Result, error) {
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
	slides, err := p.slides(related(rels, "officeDocument", "ppt/presentation.xml"))
	if err != nil {
		return markup.Result{}, err
	}
	w := markup.NewWriter(l.Output)
	for i, part := range slides {
		level := 2
		if i == 0 { // the title of the presentation
			level = 1
		}
		if err := p.slide(part, level, w); err != nil {
			return markup.Result{}, err
		}
		if w.Full() {
			break
		}
	}
	return w.Result(title)
}

// slides are the parts of the slides in the order of the presentation.
func (p *pack) slides(part string) ([]string, error) {
	rels, err := p.relations(part)
	if err != nil {
		return nil, err
	}
	var slides []string
	err = p.each(part, func(x *markup.XML, e markup.Element) error {
		if e.Name != "sldIdLst" {
			return nil
		}
		return x.Each(func(e markup.Element) error {
			if r := rels[e.AttrNS("relationships", "id")]; r.kind == "slide" && p.Has(r.target) {
				slides = append(slides, r.target)
			}
			return nil
		}, nil)
	})
	return slides, err
}

// slide writes one slide. Its title is a heading of the level.
func (p *pack) slide(part string, level int, w *markup.Writer) error {
	s, err := p.readSlide(part, false)
	if err != nil || s.hidden {
		return err
	}
	w.Leave(0)
	w.Heading(level, s.title)
	for _, write := range s.blocks {
		write(w)
	}
	notes := related(s.rels, "notesSlide", "")
	if !p.Has(notes) {
		return nil
	}
	n, err := p.readSlide(notes, true)
	if err != nil {
		return err
	}
	var f markup.Flat
	for _, write := range n.blocks {
		write(&f)
	}
	w.Leave(0)
	if !f.Inline.Blank() {
		w.Paragraph(append(markup.Inline{{Text: "Notes:", Style: markup.Italic}, {Text: " "}}, f.Inline...))
	}
	return nil
}

// slide is one slide, or one page of notes, that was read.
type slide struct {
	*pack
	x      *markup.XML
	rels   map[string]relation
	hidden bool
	notes  bool // only the notes are wanted
	title  markup.Inline
	blocks []func(markup.Blocks) // what follows the title
	shape  shape                 // the innermost open one
}

// shape is what decides how the paragraphs of a shape are written.
type shape struct {
	kind   string // of placeholder; "" for none, "body" where it does not tell
	counts [9]int // of numbered paragraphs, by level
	levels outline
}

func (p *pack) readSlide(part string, notes bool) (*slide, error) {
	rels, err := p.relations(part)
	if err != nil {
		return nil, err
	}
	src, err := p.Read(part)
	if err != nil {
		return nil, err
	}
	s := &slide{pack: p, x: p.xml(src), rels: rels, notes: notes}
	return s, s.x.Each(func(e markup.Element) error {
		s.hidden = e.Attr("show") == "0" || e.Attr("show") == "false"
		return s.x.Each(s.child, nil)
	}, nil)
}

// child reads shapes, in whatever groups they are.
func (s *slide) child(e markup.Element) error {
	switch e.Name {
	case "sp":
		s.shape = shape{}
		return s.x.Each(s.child, nil)
	case "ph":
		if s.shape.kind = e.Attr("type"); s.shape.kind == "" || s.shape.kind == "obj" {
			s.shape.kind = "body"
		}
	case "txBody":
		return s.body()
	case "tbl":
		var t table
		err := s.x.Each(func(e markup.Element) error { return s.row(e, &t) }, nil)
		s.blocks = append(s.blocks, func(out markup.Blocks) { out.Leave(0); out.Table(t.rows) })
		return err
	case "relIds":
		return s.diagram(s.rels[e.Attr("dm")].target)
	case "cNvPr":
		if alt := e.Attr("descr"); alt != "" && !s.notes {
			s.blocks = append(s.blocks, func(out markup.Blocks) { out.Leave(0); out.Paragraph(markup.Text("[" + alt + "]")) })
		}
	case "AlternateContent":
		return alternative(s.x, s.child)
	case "timing", "transition", "extLst", "clrMapOvr":
		// how it looks and moves
	default:
		return s.x.Each(s.child, nil)
	}
	return nil
}

// body reads the text of a shape.
func (s *slide) body() error {
	switch kind := s.shape.kind; {
	case kind == "dt" || kind == "ftr" || kind == "hdr" || kind == "sldNum" || kind == "sldImg", s.notes && kind != "body":
		return nil
	}
	if s.notes { // they have no bullets of their own accord
		s.shape.kind = ""
	}
	return s.x.Each(func(e markup.Element) error {
		if e.Name != "p" {
			return nil
		}
		p, err := s.paragraph()
		if err != nil || p.text.Blank() {
			return err
		}
		if s.shape.kind == "title" || s.shape.kind == "ctrTitle" {
			if len(s.title) > 0 {
				s.title.Add(markup.Run{Text: " "})
			}
			s.title = append(s.title, p.text...)
			return nil
		}
		s.blocks = append(s.blocks, s.shape.block(p))
		return nil
	}, nil)
}

// block decides whether a paragraph is an item of a list. In the body of a slide it is one unless it says otherwise.
func (s *shape) block(p *slideParagraph) func(markup.Blocks) {
	if p.bullet == bulletNone || p.bullet == bulletUnsaid && s.kind != "body" {
		s.levels, s.counts = nil, [9]int{}
		return func(out markup.Blocks) { out.Leave(0); out.Paragraph(p.text) }
	}
	number := -1
	if p.bullet == bulletNumber {
		s.counts[p.level]++
		number = p.start + s.counts[p.level] - 1
	} else {
		s.counts[p.level] = 0
	}
	clear(s.counts[p.level+1:])
	first := len(s.levels) == 0
	depth := s.levels.depth(p.level)
	return func(out markup.Blocks) {
		if first {
			out.Leave(0)
		}
		out.Item(depth, number, p.text)
	}
}

func (s *slide) row(e markup.Element, t *table) error {
	if e.Name != "tr" {
		return nil
	}
	t.row()
	return s.x.Each(func(e markup.Element) error {
		if e.Name != "tc" {
			return nil
		}
		var f markup.Flat
		outer := s.blocks
		s.blocks, s.shape = nil, shape{}
		err := s.x.Each(s.child, nil)
		for _, write := range s.blocks {
			write(&f)
		}
		s.blocks = outer
		if err != nil {
			return err
		}
		return t.add(f.Inline, 1) // cells under one that spans several are there, and empty
	}, nil)
}

// diagram reads the text of a diagram, which has a part of its own.
func (s *slide) diagram(part string) error {
	if s.notes || !s.Has(part) {
		return nil
	}
	return s.each(part, func(x *markup.XML, e markup.Element) error {
		inner := slide{pack: s.pack, x: x, rels: s.rels}
		var find func(markup.Element) error
		find = func(e markup.Element) error {
			if e.Name != "p" {
				return x.Each(find, nil)
			}
			p, err := inner.paragraph()
			if err == nil && !p.text.Blank() {
				s.blocks = append(s.blocks, func(out markup.Blocks) { out.Item(0, -1, p.text) })
			}
			return err
		}
		s.blocks = append(s.blocks, func(out markup.Blocks) { out.Leave(0) })
		return find(e)
	})
}

// The bullets of a paragraph.
const (
	bulletUnsaid = iota
	bulletNone
	bulletSign
	bulletNumber
)

type slideParagraph struct {
	text   markup.Inline
	level  int
	bullet int
	start  int // of the numbers
}

func (s *slide) paragraph() (*slideParagraph, error) {
	p := &slideParagraph{start: 1}
	err := s.x.Each(func(e markup.Element) error {
		switch e.Name {
		case "pPr":
			p.level = min(number(e.Attr("lvl"), 0), 8)
			return s.x.Each(func(e markup.Element) error {
				switch e.Name {
				case "buNone":
					p.bullet = bulletNone
				case "buChar", "buBlip":
					p.bullet = bulletSign
				case "buAutoNum":
					p.bullet, p.start = bulletNumber, number(e.Attr("startAt"), 1)
				}
				return nil
			}, nil)
		case "r":
			return s.run(p)
		case "fld":
			if kind := e.Attr("type"); kind == "slidenum" || strings.HasPrefix(kind, "datetime") {
				return nil
			}
			return s.run(p)
		case "br":
			p.text.Add(markup.Run{Text: "\n"})
		}
		return nil
	}, nil)
	return p, err
}

func (s *slide) run(p *slideParagraph) error {
	var r markup.Run
	return s.x.Each(func(e markup.Element) (err error) {
		switch e.Name {
		case "rPr":
			for _, attr := range []string{"b", "i"} {
				r.Style = setStyle(r.Style, attr, e.Attr(attr) == "1" || e.Attr(attr) == "true")
			}
			if strike := e.Attr("strike"); strike != "" && strike != "noStrike" {
				r.Style |= markup.Strike
			}
			switch raise := e.Attr("baseline"); {
			case strings.HasPrefix(raise, "-"):
				r.Style |= markup.Sub
			case raise != "" && raise != "0":
				r.Style |= markup.Super
			}
			return s.x.Each(func(e markup.Element) error {
				if e.Name == "hlinkClick" {
					r.Link = s.rels[e.Attr("id")].target
				}
				return nil
			}, nil)
		case "t":
			r.Text, err = s.x.Text()
			p.text.Add(r)
		}
		return err
	}, nil)
}
