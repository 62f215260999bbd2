package office

import (
	"strings"

	"kbsyncd/internal/convert/markup"
)

// rtfSkipped are groups that are no text: pictures, headers and footers, comments, indexes, data of programs.
var rtfSkipped = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq("colortbl pict header headerl headerr headerf footer footerl footerr footerf annotation atnid atnauthor atntime atndate " +
		"atnicn atnref atnparent nonshppict shprslt sn sv sp objdata objclass objname objalias objsect bkmkstart bkmkend ftnsep ftnsepc ftncn aftnsep aftnsepc aftncn " +
		"tc tcn xe rxe txe pnseclvl pntxta pntxtb filetbl listtable listoverridetable revtbl rsidtbl generator themedata colorschememapping " +
		"datastore latentstyles mmathPr xmlnstbl nonesttables falt panose docvar fname private template comment hl hlsrc userprops formfield datafield") {
		m[w] = true
	}
	return m
}()

// rtfShown are words that stand for text.
var rtfShown = map[string]string{
	"tab": "\t", "line": "\n", "lbr": "\n", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”", "bullet": "•",
	"emspace": " ", "enspace": " ", "qmspace": " ", "zwj": "\u200d", "zwnj": "\u200c", "page": "\n", "column": "\n",
}

// word obeys a control word. n is its number; given tells whether there is one.
func (r *rtf) word(word string, n int, given bool) {
	starred := r.starred
	r.starred = false
	if r.state.to == toNowhere {
		return
	}
	if r.state.to == toUnless && word != "ud" {
		return
	}
	if text, ok := rtfShown[word]; ok {
		r.write(text)
		return
	}
	if rtfSkipped[word] {
		r.state.to = toNowhere
		return
	}
	if r.group(word) || r.look(word, n, !given || n != 0) || r.place(word, n) || r.setting(word, n) {
		return
	}
	if starred {
		r.state.to = toNowhere
	}
}

// group obeys a word that says what its group is.
func (r *rtf) group(word string) bool {
	switch word {
	case "fonttbl":
		r.state.to = toFonts
	case "stylesheet":
		r.state.to = toStyles
		r.entry = new(rtfStyle)
	case "info":
		r.state.to = toInfo
	case "title":
		if r.state.to == toInfo {
			r.state.to = toTitle
		}
	case "upr":
		r.state.to = toUnless
	case "ud":
		if n := len(r.stack); r.state.to == toUnless && n > 1 {
			r.state.to = r.stack[n-2].to
		}
	case "field":
		r.state.field = new(string)
	case "fldinst":
		r.state.to = toField
	case "fldrslt":
		if r.state.field == nil {
			break
		}
		if link := hyperlink(*r.state.field); link != "" {
			r.state.link = link
		}
		if isContents(*r.state.field) {
			r.state.to = toNowhere
		}
	case "listtext", "pntext":
		r.label, r.state.to = "", toLabel
	case "footnote":
		r.beginAside(false)
	case "shptxt", "dptxbxtext":
		r.beginAside(true)
	case "shp", "shpinst", "do", "shpgrp", "result", "object", "shppict", "rtf", "nesttableprops", "ftnalt", "pn":
		// groups around what is told apart by their own words
	default:
		return false
	}
	return true
}

// look obeys a word for the look of characters.
func (r *rtf) look(word string, n int, on bool) bool {
	s := &r.state
	switch word {
	case "b":
		s.style = setStyle(s.style, "b", on)
	case "i":
		s.style = setStyle(s.style, "i", on)
	case "strike", "striked":
		s.style = setStyle(s.style, "strike", on)
	case "super", "sub", "nosupersub":
		s.style = scriptStyle(s.style, word)
	case "v", "deleted":
		s.hidden = on
	case "plain":
		s.style, s.hidden, s.font = 0, false, r.base
	case "f":
		s.font = n
		if s.to == toFonts {
			r.font = &rtfFont{}
			if len(r.fonts) < maxNames {
				r.fonts[n] = r.font
			}
		}
	case "fcharset":
		r.font.charset = n
	case "cpg":
		r.font.page = n
	case "fmodern":
		r.font.modern = true
	case "uc":
		s.uc = min(max(n, 0), 8)
	case "u":
		r.unicode(n)
	default:
		return false
	}
	return true
}

// place obeys a word for paragraphs and tables.
func (r *rtf) place(word string, n int) bool {
	p := &r.state.par
	switch word {
	case "par", "sect":
		r.endParagraph()
	case "pard":
		*p = rtfParagraph{}
	case "s":
		p.style = n
		r.entry.number = n
	case "sbasedon":
		r.entry.base, r.entry.based = n, true
	case "cs", "ds", "ts":
		r.entry.other = true
	case "outlinelevel":
		p.outline = min(max(n, 0), 9) + 1
		r.entry.outline = p.outline
	case "ilvl":
		p.level = min(max(n, 0), 8)
	case "li", "lin":
		p.indent = n
	case "fi":
		p.hanging = n < 0
	case "intbl":
		p.table = true
	case "cell":
		r.endCell()
	case "nestcell", "nestrow":
		r.endLine()
	case "row":
		r.endRow()
	case "trowd":
		// what the row looks like
	default:
		return false
	}
	return true
}

// setting obeys a word for the whole document.
func (r *rtf) setting(word string, n int) bool {
	switch word {
	case "ansicpg":
		r.charset = codePage(n)
	case "mac":
		r.charset = codePage(10000)
	case "pc":
		r.charset = codePage(437)
	case "pca":
		r.charset = codePage(850)
	case "deff":
		r.base = n
		r.state.font = n
	default:
		return false
	}
	return true
}

// beginAside begins a note or a text box: a text of its own.
func (r *rtf) beginAside(box bool) {
	if r.state.to != toText || len(r.stack) == 0 {
		r.state.to = toNowhere
		return
	}
	flat := new(markup.Flat)
	r.aside = append(r.aside, rtfAside{r.rtfText, len(r.stack), box, flat, r.levels, r.code})
	r.rtfText, r.levels, r.code = rtfText{out: flat}, nil, nil
	r.state.par, r.state.style, r.state.link = rtfParagraph{}, 0, ""
}

func (r *rtf) endAside() {
	r.endParagraph()
	r.endTable()
	r.flush(r.out)
	a := r.aside[len(r.aside)-1]
	r.aside = r.aside[:len(r.aside)-1]
	r.rtfText, r.levels, r.code = a.rtfText, a.levels, a.code
	switch {
	case !a.box:
		r.text.Add(r.cite(a.flat.Inline))
	case !a.flat.Inline.Blank():
		r.boxes = append(r.boxes, a.flat.Inline)
	}
}
