package htmlmd

import (
	"context"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"kbsyncd/internal/convert/markup"
)

// maxName is the longest name of an element that is kept.
const maxName = 40

// Tree parses a whole page and keeps all that a choice of its content may depend on: every element with every attribute, the
// head's as well, under a root that is html and has the body among its children. What a script, a style sheet or a control of a
// form holds is left out, but for the source of formulas. src is UTF-8. The tree is bounded as that of Read is.
func Tree(ctx context.Context, src []byte, l markup.Limits) (*html.Node, error) {
	b := newBuilder(src, l)
	b.full = true
	b.depth += 2 // html and body
	b.root.Data, b.root.DataAtom = "html", atom.Html
	p, err := b.build(ctx, l)
	if err != nil {
		return nil, err
	}
	b.needBody()
	return p.root, nil
}

// Render writes what is below n as Markdown, all of it; nothing when there is no text. The tree is spent by it. A math element
// is written as its alttext, which is TeX.
func Render(ctx context.Context, n *html.Node, l markup.Limits) ([]byte, error) {
	return render(ctx, n, l)
}

var (
	// heads are the elements that may come before the body.
	heads = set("head title meta link base script style noscript template")
	// leaves are kept, and hold nothing.
	leaves = set("meta link base basefont area frame source track col embed param")
)

// known tells whether the tree has elements of a name.
func (b *builder) known(name string) bool {
	return blocks[name] || inlines[name] || void[name] || b.full && name != "" && len(name) <= maxName
}

// startFull takes the start tags that only the tree of a whole page has elements for.
func (b *builder) startFull(t tag) bool {
	if !heads[t.name] && t.name != "html" && t.name != "body" {
		b.needBody()
	}
	switch t.name {
	case "html":
		if b.root.Attr == nil {
			b.root.Attr = t.attrs
		}
	case "head":
		if !b.body && b.open["head"] == 0 {
			b.push(t.node())
		}
	case "body":
		b.beginBody(t)
	case "title":
		b.leaf(t, true)
	case "script":
		b.flush()
		b.leaf(t, len(attrOf(t.attrs, "type")) >= 8 && attrOf(t.attrs, "type")[:8] == "math/tex")
	case "annotation":
		b.flush()
		b.push(t.node())
		if t.closed {
			b.pop(len(b.stack) - 1)
		}
	default:
		if !leaves[t.name] {
			return false
		}
		b.flush()
		b.put(t.node())
	}
	return true
}

// leaf puts an element that holds nothing but text, with the text when it is wanted.
func (b *builder) leaf(t tag, wanted bool) {
	n := t.node()
	if !t.closed && b.z.Next() == html.TextToken && wanted {
		if text := b.z.Text(); len(text) <= maxAttr {
			n.AppendChild(&html.Node{Type: html.TextNode, Data: cleanText(string(text))})
		}
	}
	b.put(n)
}

// needBody begins the body where its tag is left out.
func (b *builder) needBody() {
	if b.full && !b.body {
		b.beginBody(tag{name: "body"})
	}
}

func (b *builder) beginBody(t tag) {
	if b.body {
		return
	}
	b.body = true
	for len(b.stack) > 1 {
		b.stack = b.stack[:len(b.stack)-1]
	}
	clear(b.open)
	b.push(t.node())
}
