package htmlmd

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/html"
)

// mainContent drops from the tree what is on the page but not of it, and gives the part that is its content.
func mainContent(root *html.Node) *html.Node {
	drop(root, textLen(root), isNoise)
	all := textLen(root)
	if r := mainRegion(root); r != nil && textLen(r)*4 >= all {
		return r
	}
	heading := first(root, func(n *html.Node) bool { return n.Data == "h1" })
	inHeader := heading != nil && within(heading, "header")
	drop(root, all, isFrame)
	if inHeader && first(root, func(n *html.Node) bool { return n.Data == "h1" }) == nil {
		heading.Parent.RemoveChild(heading)
		root.InsertBefore(heading, root.FirstChild)
	}
	return root
}

// mainRegion is the one element that is marked as the content, if there is exactly one. An article counts when no main is there.
func mainRegion(root *html.Node) *html.Node {
	is := func(n *html.Node) bool { return n.Data == "main" || attr(n, "role") == "main" }
	if n, count := only(root, is); count > 0 {
		return n
	}
	n, _ := only(root, func(n *html.Node) bool { return n.Data == "article" || attr(n, "role") == "article" })
	return n
}

// only gives the outermost element that fits, and nil when several fit that are not within each other.
func only(n *html.Node, fits func(*html.Node) bool) (found *html.Node, count int) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type != html.ElementNode {
			continue
		}
		if fits(c) {
			found = c
			count++
			continue
		}
		f, k := only(c, fits)
		if f != nil {
			found = f
		}
		count += k
	}
	if count > 1 {
		found = nil
	}
	return found, count
}

// judgement of an element when a page is reduced to its content.
type judgement int

const (
	keep  judgement = iota
	doubt           // goes unless it holds most of the page
	noise           // goes
)

// drop removes the elements below n that the judge says are not content. A doubtful element that holds more than
// a third of all the text is the page itself, whatever it is called: whole sites are one form.
func drop(n *html.Node, all int, judge func(*html.Node) judgement) {
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		if c.Type == html.ElementNode {
			switch j := judge(c); {
			case j == noise, j == doubt && textLen(c)*3 <= all:
				replace(c, &html.Node{Type: html.TextNode, Data: " "})
			default:
				drop(c, all, judge)
			}
		}
		c = next
	}
}

var (
	noiseNames = set("nav dialog button")
	noiseRoles = set("navigation dialog alertdialog search menu menubar toolbar")
	frameNames = set("header footer aside")
	frameRoles = set("banner contentinfo complementary")
	sections   = []string{"main", "article", "section", "blockquote"}
	// consents are how the common banners about cookies call themselves.
	consents = []string{"cookie-banner", "cookie-consent", "cookie-notice", "cookieconsent", "cookiebanner", "onetrust", "cybotcookiebot", "gdpr-"}
)

// isNoise judges what is never content, wherever it stands.
func isNoise(n *html.Node) judgement {
	style := strings.ReplaceAll(attr(n, "style"), " ", "")
	name := strings.ToLower(attr(n, "id") + " " + attr(n, "class"))
	switch {
	case noiseNames[n.Data], noiseRoles[attr(n, "role")], attr(n, "aria-modal") == "true":
		return noise
	case n.Data == "a" && strings.HasPrefix(attr(n, "href"), "#") && strings.Contains(name, "skip"):
		return noise
	case strings.Contains(strings.ToLower(attr(n, "aria-label")), "cookie"):
		return doubt
	case n.Data == "form", has(n, "hidden") && attr(n, "hidden") != "false", attr(n, "aria-hidden") == "true",
		strings.Contains(style, "display:none"), strings.Contains(style, "visibility:hidden"):
		return doubt
	}
	for _, c := range consents {
		if strings.Contains(name, c) {
			return doubt
		}
	}
	return keep
}

// isFrame judges what surrounds the content of a page that does not mark it.
func isFrame(n *html.Node) judgement {
	switch {
	case frameRoles[attr(n, "role")], frameNames[n.Data] && !within(n, sections...):
		return doubt
	}
	return keep
}

// heading is the title of the page: of its head, else its first heading, one line.
func (p *page) heading(content *html.Node) string {
	for _, t := range []string{p.title, p.ogTitle} {
		if t = oneLine(cleanText(t)); t != "" {
			return t
		}
	}
	for _, level := range []string{"h1", "h2"} {
		if h := first(content, func(n *html.Node) bool { return n.Data == level }); h != nil {
			return oneLine(strings.TrimRight(textOf(h), "¶# "))
		}
	}
	return ""
}

// textLen counts the letters and digits below n.
func textLen(n *html.Node) int {
	size := 0
	if n.Type == html.TextNode {
		for _, r := range n.Data {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				size++
			}
		}
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		size += textLen(c)
	}
	return size
}

// textOf is all text below n.
func textOf(n *html.Node) string {
	var b strings.Builder
	writeText(&b, n)
	return b.String()
}

func writeText(b *strings.Builder, n *html.Node) {
	switch {
	case n.Type == html.TextNode:
		b.WriteString(n.Data)
	case n.Data == "br":
		b.WriteByte('\n')
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		writeText(b, c)
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

// within tells whether n is in an element of one of the names.
func within(n *html.Node, names ...string) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		if slices.Contains(names, p.Data) {
			return true
		}
	}
	return false
}

func attr(n *html.Node, key string) string { return attrOf(n.Attr, key) }

func has(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

// replace puts a node in the place of another.
func replace(old, by *html.Node) {
	old.Parent.InsertBefore(by, old)
	old.Parent.RemoveChild(old)
}
