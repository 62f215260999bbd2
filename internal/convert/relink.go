package convert

import (
	"bytes"
	"unicode/utf8"

	"kbsyncd/internal/convert/links"
	"kbsyncd/internal/kb"
)

// linked is the plan with the address that makes relative links absolute, where there is one and what is sent is Markdown.
func (p plan) linked(d kb.Document) plan {
	switch {
	case d.Public == "":
	case p.made.way == wayRead && !selfContained(p.made.ext):
		p.made.public = d.Public
	case p.front && (p.made.way == wayDecode || p.made.way == wayAsIs && d.Size <= maxSource):
		p.made.public = d.Public
	}
	return p
}

// selfContained tells kinds of documents whose relative links lead to something in the same file.
func selfContained(ext string) bool { return ext == ".epub" || ext == ".eml" }

// vetAsIs tells of Markdown that is read for its links what streaming it would tell.
func (p plan) vetAsIs(src []byte) error {
	head := src[:min(len(src), bufferSize)]
	if err := p.inspect(head, len(head) == len(src)); err != nil {
		return err
	}
	if p.utf8 && !utf8.Valid(src) {
		return errEncoding
	}
	return nil
}

// link makes the product of a document of Markdown. Its front matter stays as it is.
func (p *product) link(k kb.Key, src []byte, public kb.PublicURL) {
	from := 0
	if public != "" {
		if bytes.HasPrefix(src, bomUTF8) {
			from = len(bomUTF8)
		}
		f, _ := readFront(src[from:]) // what is wrong with it is told when the product is read
		from += f.size
	}
	p.relink(k, src, from, maxSource, public)
}

// relink makes the product of a text by the destinations that its links have from a place on; all stay where more than most bytes
// would come of it.
func (p *product) relink(k kb.Key, text []byte, from int, most int64, public kb.PublicURL) {
	p.data = text
	if public == "" {
		return
	}
	out, changed := links.Rewrite(text[from:], int(most)-from, func(ref string) string { return public.Resolve(k.Path(), ref) })
	if changed {
		p.data, p.linked = append(text[:from:from], out...), true
	}
}
