// Package office reads office documents: DOCX, PPTX, ODT and RTF. It keeps what a reader of the document reads: text in its order, headings, lists, tables,
// links, notes; what was inserted by tracked changes, not what they deleted. It drops what repeats or surrounds it: headers and
// footers of pages, tables of contents, comments, hidden text, pictures but for their descriptions. Nothing that a document names is ever fetched or run.
package office

import (
	"context"
	"path"
	"strings"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

// The readers of this package.
var (
	_ markup.Reader = DOCX
	_ markup.Reader = PPTX
	_ markup.Reader = ODT
	_ markup.Reader = RTF
)

// maxCells bounds the cells of one table, which is held in memory until it ends.
const maxCells = 400_000

// maxNames bounds the definitions of one kind: styles, lists, relations, notes. More of them are ignored.
const maxNames = 50_000

// errCells says that a table is too large.
func errCells() error {
	return fault.New(fault.ErrUnsupported, "it has a table of more than %d cells", maxCells).WithHint("export the table as CSV")
}

// relation leads from one part of a package to another, or to an address.
type relation struct {
	kind   string // the last word of its type: "hyperlink", "slide"
	target string // a member of the archive, or an address when external
}

// pack is an Office Open XML package.
type pack struct {
	*markup.Archive
	xml func(src []byte) *markup.XML // within the limits, until the context ends
}

func openPack(ctx context.Context, src []byte, l markup.Limits) (*pack, error) {
	a, err := markup.OpenArchive(src, l)
	if err != nil {
		return nil, err
	}
	return &pack{Archive: a, xml: func(src []byte) *markup.XML { return markup.NewXML(ctx, src, l) }}, nil
}

// each reads a part and calls fn for the children of its root.
func (p *pack) each(part string, fn func(*markup.XML, markup.Element) error) error {
	src, err := p.Read(part)
	if err != nil {
		return err
	}
	x := p.xml(src)
	return x.Each(func(markup.Element) error {
		return x.Each(func(e markup.Element) error { return fn(x, e) }, nil)
	}, nil)
}

// relations are those of a part ("" for the package), by their ids.
func (p *pack) relations(part string) (map[string]relation, error) {
	name := path.Join(path.Dir(part), "_rels", path.Base(part)+".rels")
	if part == "" {
		name = "_rels/.rels"
	}
	rels := map[string]relation{}
	if !p.Has(name) {
		return rels, nil
	}
	err := p.each(name, func(_ *markup.XML, e markup.Element) error {
		r := relation{kind: path.Base(e.Attr("Type")), target: e.Attr("Target")}
		if e.Attr("TargetMode") != "External" {
			r.target = markup.MemberName(part, r.target)
		}
		if len(rels) < maxNames {
			rels[e.Attr("Id")] = r
		}
		return nil
	})
	return rels, err
}

// related is the target of the first relation of a kind, or fallback.
func related(rels map[string]relation, kind, fallback string) string {
	found := fallback
	for _, r := range rels {
		if r.kind == kind && (found == fallback || r.target < found) {
			found = r.target
		}
	}
	return found
}

// title is the one of the package's properties.
func (p *pack) title(rels map[string]relation) (string, error) {
	part := related(rels, "core-properties", "docProps/core.xml")
	if !p.Has(part) {
		return "", nil
	}
	title := ""
	err := p.each(part, func(x *markup.XML, e markup.Element) (err error) {
		if e.Name == "title" {
			title, err = x.Text()
		}
		return err
	})
	return title, err
}

// isCode tells from the name of a style that it is for code.
func isCode(style string) bool {
	style = strings.ReplaceAll(strings.ToLower(style), "_", " ")
	for _, s := range []string{"code", "preformatted", "verbatim", "source text", "macro text"} {
		if strings.Contains(style, s) {
			return true
		}
	}
	return false
}
