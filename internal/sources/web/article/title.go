package article

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// separators part the title of a page from the name of its site; the name comes last with the first five.
var separators = []string{" | ", " — ", " – ", " - ", " · ", " :: ", " » ", " « ", ": ", " • "}

// titleOf finds the title of a page: the heading of its content when there is one, else what the head says without the name of the site.
func (h *head) titleOf(c content, body *html.Node) string {
	heading := headingOf(firstNamed(c.node, "h1"))
	if c.title != nil && !inside(c.title, c.node) {
		if t := headingOf(c.title); t != "" {
			return t
		}
	}
	if heading != "" && (h.agrees(heading) || len(outermost(c.node, isH1)) == 1) {
		return heading
	}
	if heading == "" {
		if t := h.titleBeside(c, body); t != "" {
			return t
		}
	}
	switch {
	case h.ogTitle != "" && (h.title == "" || strings.Contains(h.title, h.ogTitle)):
		return h.withoutSite(h.ogTitle)
	case h.title != "":
		return h.withoutSite(h.title)
	}
	return heading
}

// titleBeside finds the title of a content that has no heading of the first level: its first heading, or one of the page
// outside of it, where the head says the same.
func (h *head) titleBeside(c content, body *html.Node) string {
	inner := headingOf(first(c.node, isHeading))
	if inner != "" && h.begins(inner) {
		return inner
	}
	outside := headingOf(first(body, isHeadingOfPage))
	switch page := h.before(outside); {
	case outside == "":
		return ""
	case h.begins(outside), inner == outside:
		return outside
	case page != "":
		return page
	case h.agrees(outside):
		return outside
	}
	return ""
}

func isH1(n *html.Node) bool { return n.Data == "h1" }

// siteTitles are classes of headings that name the site.
var siteTitles = set("menu-title site-title navbar-brand logo brand")

// before is the title of the head without the name of the site behind it.
func (h *head) before(site string) string {
	for _, s := range separators[:5] {
		if i := strings.LastIndex(h.title, s); i > 0 && strings.EqualFold(h.title[i+len(s):], site) {
			return strings.TrimSpace(h.title[:i])
		}
	}
	return ""
}

// begins tells whether the title of the head is a heading with, perhaps, the name of the site behind it.
func (h *head) begins(heading string) bool {
	rest, ok := strings.CutPrefix(same(h.title), same(heading))
	if !ok || rest == "" {
		return ok
	}
	return strings.HasPrefix(rest, " (") || slices.ContainsFunc(separators, func(s string) bool { return strings.HasPrefix(rest, s) })
}

// isHeadingOfPage tells a heading that is not one of the site.
func isHeadingOfPage(n *html.Node) bool {
	return isH1(n) && !hasClass(n, siteTitles) && within(n, func(p *html.Node) bool {
		return p.Data == "nav" || p.Data == "footer" || p.Data == "aside" || p.Data == "a"
	}) == nil
}

func headingOf(n *html.Node) string {
	if n == nil {
		return ""
	}
	return oneLine(strings.TrimRight(textOf(n), "¶#§🔗 \u200b"))
}

// agrees tells whether the head says the same as a heading.
func (h *head) agrees(heading string) bool {
	return h.title == "" || strings.Contains(same(h.title), same(heading)) || h.ogTitle != "" && strings.Contains(same(h.ogTitle), same(heading))
}

// same is a title by which two are compared.
func same(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// withoutSite cuts the name of the site off a title.
func (h *head) withoutSite(t string) string {
	if h.site == "" {
		return t
	}
	for _, s := range separators {
		if cut, ok := strings.CutSuffix(t, s+h.site); ok && cut != "" {
			return cut
		}
		if cut, ok := strings.CutPrefix(t, h.site+s); ok && cut != "" {
			return cut
		}
	}
	return t
}

// parts are a title's, without the name of the site where the title has one.
func (h *head) parts(t string) []string {
	all := []string{t}
	for _, s := range separators {
		if strings.Contains(t, s) {
			all = append(all, strings.Split(t, s)...)
		}
	}
	return slices.DeleteFunc(all, func(p string) bool { return strings.TrimSpace(p) == "" })
}

// firstBlock is the element that the text begins in; nil when that is none that holds only a line.
func firstBlock(root *html.Node) *html.Node {
	n := root
	for {
		c := n.FirstChild
		for c != nil && fewer(c, 1) {
			c = c.NextSibling
		}
		switch {
		case c == nil:
			return nil
		case c.Type == html.TextNode:
			if n.Data == "p" || n.Data == "div" || n.Data == "header" || isHeading(n) {
				return n
			}
			return nil
		}
		n = c
	}
}

// putTitle makes the content begin with its title, unless it has a heading of the first level.
func putTitle(c content, title string) {
	if c.title != nil && inside(c.title, c.node) {
		retag(c.title, "h1")
	}
	if h1 := outermost(c.node, isH1); len(h1) > 1 && same(headingOf(h1[0])) == same(headingOf(h1[1])) {
		remove(h1[0])
	}
	if title == "" || first(c.node, isH1) != nil && (c.title == nil || inside(c.title, c.node)) {
		return
	}
	if h := first(c.node, func(n *html.Node) bool { return headings[n.Data] }); h != nil && same(headingOf(h)) == same(title) {
		retag(h, "h1")
		return
	}
	if b := firstBlock(c.node); b != nil && b != c.node && same(headingOf(b)) == same(title) {
		retag(b, "h1")
		return
	}
	c.node.InsertBefore(element("h1", text(title)), c.node.FirstChild)
}
