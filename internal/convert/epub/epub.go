// Package epub reads electronic books. Chapters come in the order of the spine, which is the order of reading; the table of contents, covers and pictures
// are left out. Links within the book lead nowhere outside of it and become text.
package epub

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"kbsyncd/internal/convert/htmlmd"
	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

var _ markup.Reader = Read

// Read reads an EPUB of version 2 or 3. It is a markup.Reader.
func Read(ctx context.Context, src []byte, l markup.Limits) (markup.Result, error) {
	a, err := markup.OpenArchive(src, l)
	if err != nil {
		return markup.Result{}, err
	}
	b := book{
		Archive: a, xml: func(src []byte) *markup.XML { return markup.NewXML(ctx, src, l) },
		items: map[string]item{}, locked: map[string]bool{},
	}
	if err := b.open(l); err != nil {
		return markup.Result{}, err
	}
	w := markup.NewWriter(l.Output)
	read := map[string]bool{}
	for _, chapter := range b.spine {
		if read[chapter] || !a.Has(chapter) {
			continue
		}
		read[chapter] = true
		if b.locked[strings.ToLower(chapter)] {
			return markup.Result{}, fault.New(fault.ErrUnsupported, "it is encrypted").WithHint("add a copy without digital rights management")
		}
		html, err := a.Read(chapter)
		if err != nil {
			return markup.Result{}, err
		}
		md, err := htmlmd.Fragment(ctx, detach(html), l)
		if err != nil {
			return markup.Result{}, err
		}
		if w.Markdown(md); w.Full() {
			break
		}
	}
	return w.Result(b.title)
}

// item is an entry of the manifest.
type item struct {
	member string
	kind   string // media type
	nav    bool
}

// book is what a book says about itself.
type book struct {
	*markup.Archive
	xml    func(src []byte) *markup.XML // within the limits, until the context ends
	title  string
	items  map[string]item // by id
	spine  []string        // members of the archive
	locked map[string]bool // members that are encrypted, in lower case
}

// open finds the package document and reads it.
func (b *book) open(l markup.Limits) error {
	root := ""
	err := b.elements("META-INF/container.xml", func(_ *markup.XML, e markup.Element) error {
		if e.Name == "rootfile" && root == "" {
			root = markup.MemberName("", e.Attr("full-path"))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if b.Has("META-INF/encryption.xml") {
		err := b.elements("META-INF/encryption.xml", func(_ *markup.XML, e markup.Element) error {
			if e.Name == "CipherReference" && len(b.locked) < l.Members {
				b.locked[strings.ToLower(member("", e.Attr("URI")))] = true
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	var order []string
	err = b.elements(root, func(x *markup.XML, e markup.Element) (err error) {
		switch e.Name {
		case "title":
			if b.title == "" {
				b.title, err = x.Text()
			}
		case "item":
			if len(b.items) >= l.Members {
				return nil
			}
			b.items[e.Attr("id")] = item{
				member: member(root, e.Attr("href")), kind: e.Attr("media-type"),
				nav: slices.Contains(strings.Fields(e.Attr("properties")), "nav"),
			}
		case "itemref":
			if e.Attr("linear") != "no" && len(order) < l.Members {
				order = append(order, e.Attr("idref"))
			}
		}
		return err
	})
	for _, id := range order {
		if it := b.items[id]; !it.nav && strings.Contains(it.kind, "html") {
			b.spine = append(b.spine, it.member)
		}
	}
	return err
}

// elements calls fn for every element of a member, at whatever depth.
func (b *book) elements(name string, fn func(*markup.XML, markup.Element) error) error {
	src, err := b.Read(name)
	if err != nil {
		return err
	}
	x := b.xml(src)
	var each func(markup.Element) error
	each = func(e markup.Element) error {
		if err := fn(x, e); err != nil || e.Name == "title" {
			return err
		}
		return x.Each(each, nil)
	}
	return x.Each(each, nil)
}

// member is the name in the archive of what a reference leads to.
func member(from, ref string) string {
	ref, _, _ = strings.Cut(ref, "#")
	if plain, err := url.PathUnescape(ref); err == nil {
		ref = plain
	}
	return markup.MemberName(from, ref)
}
