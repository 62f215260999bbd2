package office

import (
	"strings"

	"kbsyncd/internal/convert/markup"
)

// odtStyle is what matters of a style.
type odtStyle struct {
	parent  string
	outline int // of headings, from 1; 0 for none
	run     markup.Style
	code    bool
	hidden  bool
}

// odtLevel is one level of a style of lists.
type odtLevel struct {
	known    bool
	numbered bool
	blank    bool // its items show nothing before their text
	start    int
	last     int // the last number that was given, for lists that go on counting
}

// odtList is a style of lists.
type odtList struct{ levels [10]odtLevel }

// level is the one at depth, or the nearest above it that the style tells; otherwise items have bullets.
func (l *odtList) level(depth int) *odtLevel {
	at := min(depth, len(l.levels)-1)
	for at > 0 && !l.levels[at].known {
		at--
	}
	return &l.levels[at]
}

// style resolves a style with those that it is based on.
func (d *odt) style(name string) odtStyle {
	var out odtStyle
	for range maxBase {
		s, ok := d.styles[name]
		if !ok {
			s = namedStyle(name) // it is not in the document, but well known
		}
		if out.outline == 0 {
			out.outline = s.outline
		}
		out.run |= s.run
		out.code = out.code || s.code
		out.hidden = out.hidden || s.hidden
		if name = s.parent; name == "" {
			break
		}
	}
	return out
}

// namedStyle is what the name of a style tells, as people see it.
func namedStyle(name string) odtStyle {
	s := odtStyle{code: isCode(name)}
	if strings.EqualFold(name, "title") {
		s.outline = 1
	}
	return s
}

// readStyle keeps one style. Automatic styles of the content have names of their own beside those of styles.xml; where one hides
// another of the same name, the content's counts, which is read last.
func (d *odt) readStyle(x *markup.XML, e markup.Element) error {
	name := e.Attr("name")
	if len(d.styles)+len(d.lists) >= maxNames {
		return nil
	}
	switch e.Name {
	case "style":
		shown := e.Attr("display-name")
		if shown == "" {
			shown = strings.ReplaceAll(name, "_20_", " ")
		}
		s := namedStyle(shown)
		s.parent = e.Attr("parent-style-name")
		err := x.Each(func(e markup.Element) error {
			if e.Name == "text-properties" {
				s.run, s.hidden = odtRun(e), e.Attr("display") == "none"
			}
			return nil
		}, nil)
		d.styles[name] = s
		return err
	case "list-style":
		l := new(odtList)
		d.lists[name] = l
		return x.Each(func(e markup.Element) error {
			at := number(e.Attr("level"), 0) - 1
			if at < 0 || at >= len(l.levels) {
				return nil
			}
			switch e.Name {
			case "list-level-style-number":
				l.levels[at] = odtLevel{known: true, numbered: e.Attr("num-format") != "", blank: e.Attr("num-format") == "", start: number(e.Attr("start-value"), 1)}
			case "list-level-style-bullet":
				l.levels[at].known = true
				l.levels[at].blank = strings.TrimSpace(e.Attr("bullet-char")) == ""
			}
			return nil
		}, nil)
	}
	return nil
}

func odtRun(e markup.Element) markup.Style {
	var s markup.Style
	if w := e.Attr("font-weight"); w == "bold" || w >= "600" && w <= "900" {
		s |= markup.Bold
	}
	if e.Attr("font-style") == "italic" {
		s |= markup.Italic
	}
	if line := e.Attr("text-line-through-style"); line != "" && line != "none" {
		s |= markup.Strike
	}
	return scriptStyle(s, e.Attr("text-position"))
}
