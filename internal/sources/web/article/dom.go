package article

import (
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key })
}

func setAttr(n *html.Node, key, value string) {
	for i := range n.Attr {
		if n.Attr[i].Key == key {
			n.Attr[i].Val = value
			return
		}
	}
	n.Attr = append(n.Attr, html.Attribute{Key: key, Val: value})
}

func removeAttr(n *html.Node, keys ...string) {
	n.Attr = slices.DeleteFunc(n.Attr, func(a html.Attribute) bool { return slices.Contains(keys, a.Key) })
}

// hasClass tells whether one of the classes of n is in the set.
func hasClass(n *html.Node, names map[string]bool) bool {
	for c := range strings.FieldsSeq(attr(n, "class")) {
		if names[c] {
			return true
		}
	}
	return false
}

func set(names string) map[string]bool {
	m := make(map[string]bool)
	for n := range strings.FieldsSeq(names) {
		m[n] = true
	}
	return m
}

func element(name string, children ...*html.Node) *html.Node {
	n := &html.Node{Type: html.ElementNode, Data: name, DataAtom: atom.Lookup([]byte(name))}
	for _, c := range children {
		n.AppendChild(c)
	}
	return n
}

func text(s string) *html.Node { return &html.Node{Type: html.TextNode, Data: s} }

func retag(n *html.Node, name string) { n.Data, n.DataAtom = name, atom.Lookup([]byte(name)) }

func remove(n *html.Node) {
	if n.Parent != nil {
		n.Parent.RemoveChild(n)
	}
}

// moveChildren puts all that is in from at the end of to.
func moveChildren(to, from *html.Node) {
	for from.FirstChild != nil {
		c := from.FirstChild
		from.RemoveChild(c)
		to.AppendChild(c)
	}
}

// walk calls fn for every element below n, in order; fn says whether to look into it. What fn removes from the tree is not looked into.
func walk(n *html.Node, fn func(*html.Node) bool) {
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		if c.Type == html.ElementNode && fn(c) && c.Parent == n {
			walk(c, fn)
		}
		c = next
	}
}

// first is the first element below n that fits.
func first(n *html.Node, fits func(*html.Node) bool) *html.Node {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.ElementNode && fits(c) {
			return c
		}
		if f := first(c, fits); f != nil {
			return f
		}
	}
	return nil
}

func firstNamed(n *html.Node, name string) *html.Node {
	return first(n, func(c *html.Node) bool { return c.Data == name })
}

// outermost are the elements below n that fit and are in no other that does.
func outermost(n *html.Node, fits func(*html.Node) bool) (found []*html.Node) {
	walk(n, func(c *html.Node) bool {
		if !fits(c) {
			return true
		}
		found = append(found, c)
		return false
	})
	return found
}

// within is the innermost element around n that fits.
func within(n *html.Node, fits func(*html.Node) bool) *html.Node {
	for p := n.Parent; p != nil; p = p.Parent {
		if p.Type == html.ElementNode && fits(p) {
			return p
		}
	}
	return nil
}

func isHeading(n *html.Node) bool { return headings[n.Data] }

func isListing(n *html.Node) bool { return n.Data == "pre" }

func inside(n, outer *html.Node) bool {
	return n == outer || within(n, func(p *html.Node) bool { return p == outer }) != nil
}

// unseen elements have text that is not of the page.
var unseen = set("head script style template title")

// letters counts the letters and digits below n, but for those of what skip fits.
func letters(n *html.Node, skip func(*html.Node) bool) int { return lettersUpTo(n, skip, math.MaxInt) }

// fewer tells whether there are fewer letters and digits below n than so many. It does not read more than it must, since it is asked of
// many elements that are in each other.
func fewer(n *html.Node, many int) bool { return lettersUpTo(n, nil, many) < many }

// lettersUpTo is letters that stops where there are enough.
func lettersUpTo(n *html.Node, skip func(*html.Node) bool, enough int) (size int) {
	switch {
	case n.Type == html.TextNode:
		return lettersIn(n.Data, enough)
	case unseen[n.Data]:
		return 0
	}
	for c := n.FirstChild; c != nil && size < enough; c = c.NextSibling {
		if c.Type != html.ElementNode || skip == nil || !skip(c) {
			size += lettersUpTo(c, skip, enough-size)
		}
	}
	return size
}

func lettersIn(s string, enough int) (size int) {
	for i, r := range s {
		if r >= utf8.RuneSelf {
			for _, r := range s[i:] {
				if unicode.IsLetter(r) || unicode.IsDigit(r) {
					size++
				}
			}
			return size
		}
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' {
			if size++; size >= enough {
				return size
			}
		}
	}
	return size
}

// textOf is the text below n on one line.
func textOf(n *html.Node) string {
	var b strings.Builder
	writeText(&b, n)
	return strings.Join(strings.Fields(b.String()), " ")
}

func writeText(b *strings.Builder, n *html.Node) {
	switch {
	case n.Type == html.TextNode:
		b.WriteString(n.Data)
	case n.Data == "br":
		b.WriteByte(' ')
	case unseen[n.Data] || hasClass(n, anchors):
		return
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Data != "button" || c.Type == html.TextNode {
			writeText(b, c)
		}
	}
}

// copyOf is a copy of the tree below n.
func copyOf(n *html.Node) *html.Node {
	c := &html.Node{Type: n.Type, Data: n.Data, DataAtom: n.DataAtom, Attr: slices.Clone(n.Attr)}
	for k := n.FirstChild; k != nil; k = k.NextSibling {
		c.AppendChild(copyOf(k))
	}
	return c
}

// effort counts the nodes below n, and the bytes that are read when each of them reads all that is below it.
func effort(n *html.Node, depth int) (nodes, reading int) {
	nodes, reading = 1, depth*(nodeSize+len(n.Data))
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		some, more := effort(c, depth+1)
		nodes, reading = nodes+some, reading+more
	}
	return nodes, reading
}

// nodeSize is what an element costs besides its text, in bytes.
const nodeSize = 16
