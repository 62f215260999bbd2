package office

import (
	"strconv"
	"strings"

	"kbsyncd/internal/convert/markup"
)

// maxBase bounds how many styles one may be based on, one after the other: they may go in circles.
const maxBase = 16

// docxStyle is what matters of a paragraph's style.
type docxStyle struct {
	name    string
	base    string
	outline int // of headings, from 0; -1 when it does not tell, 9 for plain text
	list    int // 0 when it does not tell
	level   int
	code    bool
}

type docxStyles struct {
	paragraphs map[string]docxStyle
	run        map[string]markup.Style
	standard   string // the style of paragraphs that name none
}

// paragraph resolves a style with those that it is based on.
func (s docxStyles) paragraph(id string) docxStyle {
	if id == "" {
		id = s.standard
	}
	out := docxStyle{outline: -1}
	for range maxBase {
		style, ok := s.paragraphs[id]
		if !ok {
			break
		}
		if out.outline < 0 {
			out.outline = style.outline
		}
		if out.list == 0 {
			out.list, out.level = style.list, max(out.level, style.level)
		}
		out.code = out.code || style.code
		id = style.base
	}
	return out
}

func (d *docx) readStyles(part string) (docxStyles, error) {
	s := docxStyles{paragraphs: map[string]docxStyle{}, run: map[string]markup.Style{}}
	if part == "" || !d.Has(part) {
		return s, nil
	}
	err := d.each(part, func(x *markup.XML, e markup.Element) error {
		if e.Name != "style" || len(s.paragraphs)+len(s.run) >= maxNames {
			return nil
		}
		id := e.Attr("styleId")
		if e.Attr("default") == "1" && e.Attr("type") == "paragraph" {
			s.standard = id
		}
		p := paragraph{docx: d, x: x, outline: -1}
		style, run := docxStyle{}, markup.Style(0)
		kind := e.Attr("type")
		err := x.Each(func(e markup.Element) error {
			switch e.Name {
			case "name":
				style.name = strings.ToLower(e.Attr("val"))
			case "basedOn":
				style.base = e.Attr("val")
			case "pPr":
				return x.Each(p.property, nil)
			case "rPr":
				return x.Each(func(e markup.Element) error {
					run = setStyle(run, e.Name, toggled(e))
					return nil
				}, nil)
			}
			return nil
		}, nil)
		style.outline, style.list, style.level = p.outline, max(p.list, 0), p.level
		style.code = isCode(style.name)
		if level, ok := headingLevel(style.name); ok {
			style.outline = level
		}
		if kind == "character" {
			if style.code {
				run = markup.Code
			}
			s.run[id] = run
		} else {
			s.paragraphs[id] = style
		}
		return err
	})
	return s, err
}

// headingLevel tells from the name of a built-in style, which is the same in all languages, what heading it is for.
func headingLevel(name string) (int, bool) {
	switch name {
	case "title":
		return 0, true
	case "subtitle":
		return 9, true
	}
	if n, ok := strings.CutPrefix(name, "heading "); ok {
		level, err := strconv.Atoi(n)
		return level - 1, err == nil && level >= 1 && level <= 9
	}
	return 0, false
}

// What a paragraph is to a list.
const (
	listNone = iota
	listItem
	listMore // one more paragraph of the item before
)

type docxLevel struct {
	known  bool
	bullet bool
	blank  bool // a bullet that shows nothing
	start  int
}

type docxList struct {
	abstract string
	counter  string      // which items it counts with
	restart  map[int]int // where levels begin that the list begins anew
}

// docxLists counts the items. Lists that share their definition go on counting, unless one begins anew.
type docxLists struct {
	lists  map[int]*docxList
	levels map[string]*[9]docxLevel
	counts map[string]*[9]int // how many items came, by counter
}

// next is the number of the next item, below 0 for a bullet, and what the paragraph is.
func (l *docxLists) next(id, level int) (number, kind int) {
	list, ok := l.lists[id]
	if id <= 0 || !ok {
		return 0, listNone
	}
	def, ok := l.levels[list.abstract]
	if !ok || !def[level].known {
		return -1, listItem
	}
	if def[level].blank {
		return 0, listMore
	}
	counts := l.counts[list.counter]
	if counts == nil {
		counts = new([9]int)
		l.counts[list.counter] = counts
	}
	counts[level]++
	clear(counts[level+1:])
	if def[level].bullet {
		return -1, listItem
	}
	start := def[level].start
	if at, ok := list.restart[level]; ok {
		start = at
	}
	return start + counts[level] - 1, listItem
}

func (d *docx) readLists(part string) (docxLists, error) {
	l := docxLists{lists: map[int]*docxList{}, levels: map[string]*[9]docxLevel{}, counts: map[string]*[9]int{}}
	if part == "" || !d.Has(part) {
		return l, nil
	}
	return l, d.each(part, func(x *markup.XML, e markup.Element) error {
		if len(l.levels)+len(l.lists) >= maxNames {
			return nil
		}
		switch e.Name {
		case "abstractNum":
			levels := new([9]docxLevel)
			l.levels[e.Attr("abstractNumId")] = levels
			return x.Each(func(e markup.Element) error {
				if at := number(e.Attr("ilvl"), 9); e.Name == "lvl" && at < 9 {
					return readLevel(x, &levels[at])
				}
				return nil
			}, nil)
		case "num":
			id := e.Attr("numId")
			list := &docxList{restart: map[int]int{}}
			l.lists[number(id, 0)] = list
			return x.Each(func(e markup.Element) error {
				switch e.Name {
				case "abstractNumId":
					list.abstract = e.Attr("val")
					list.counter = list.abstract
				case "lvlOverride":
					at := number(e.Attr("ilvl"), 9)
					return x.Each(func(e markup.Element) error {
						if e.Name == "startOverride" && at < 9 {
							list.restart[at] = number(e.Attr("val"), 1)
							list.counter = "list " + id
						}
						return nil
					}, nil)
				}
				return nil
			}, nil)
		}
		return nil
	})
}

func readLevel(x *markup.XML, level *docxLevel) error {
	level.known = true
	empty := false
	err := x.Each(func(e markup.Element) error {
		switch e.Name {
		case "start":
			level.start = number(e.Attr("val"), 0)
		case "numFmt":
			level.bullet = e.Attr("val") == "bullet" || e.Attr("val") == "none"
		case "lvlText":
			empty = strings.TrimSpace(e.Attr("val")) == ""
		}
		return nil
	}, nil)
	level.blank = level.bullet && empty
	return err
}
