package article

import (
	"strings"

	"golang.org/x/net/html"
)

// clean takes out of the content what is on the page but not of it.
func clean(found content) {
	c := cleaner{all: letters(found.node, surrounds), also: found.drop}
	c.drop(found.node)
	dropBars(found.node)
	c.dropTelling(found.node)
}

type cleaner struct {
	all  int             // letters of the content
	also map[string]bool // classes that are noise on this page
}

// drop removes what is judged. What is doubtful and holds more than a third of the text is the content itself, whatever it is
// called: whole sites are one form.
func (c *cleaner) drop(root *html.Node) {
	walk(root, func(n *html.Node) bool {
		if j := judge(n); j == noise || len(c.also) > 0 && hasClass(n, c.also) || j == doubt && letters(n, surrounds)*3 <= c.all {
			if within(n, isListing) == nil {
				n.Parent.InsertBefore(text(" "), n)
			}
			remove(n)
			return false
		}
		return true
	})
}

// dropBars removes the links in a row that stand above the first heading.
func dropBars(root *html.Node) {
	done := false
	walk(root, func(n *html.Node) bool {
		switch {
		case done || isHeading(n) || n.Data == "pre":
			done = true
		case n.Data == "p" || n.Data == "table" || n.Data == "ul" || n.Data == "div":
			if fewer(n, 200) && first(n, isHeading) == nil && len(outermost(n, func(c *html.Node) bool { return c.Data == "a" })) >= 3 && linked(n)*10 >= letters(n, nil)*9 {
				remove(n)
				return false
			}
		}
		return !done
	})
}

// dropTelling removes what tells itself by what it holds: lists of what is on the page, links for those who edit it, questions whether
// it was of use.
func (c *cleaner) dropTelling(root *html.Node) {
	walk(root, func(n *html.Node) bool {
		switch n.Data {
		case "a":
			if isEditLink(n) {
				remove(n)
			}
		case "ul", "ol":
			if isContents(n) && letters(n, nil)*3 <= c.all {
				removeLabelled(n)
			}
			return n.Parent != nil
		case "aside", "footer":
			if !hasClass(n, notes) && linked(n)*2 > letters(n, nil) {
				remove(n)
			}
		case "p", "div", "span", "h2", "h3", "h4", "h5", "strong", "small", "i", "em":
			if isQuestion(n) {
				removeSmall(n)
			} else if isHeading(n) && isLabel(n) && labelsNothing(n) {
				remove(n)
			}
		}
		return n.Parent != nil
	})
}

// linked counts the letters in links.
func linked(n *html.Node) (size int) {
	for _, a := range outermost(n, func(c *html.Node) bool { return c.Data == "a" }) {
		size += letters(a, nil)
	}
	return size
}

// editing are what links are called that are for those who write a page.
var editing = []string{"edit this page", "edit on ", "edit page", "improve this page", "view page source", "view source", "show source", "page source",
	"report an issue", "report a bug", "suggest edits", "suggest changes", "edit source", "create documentation issue", "create project issue", "create child page",
	"back to top", "go to top", "return to top", "copy page", "print this page", "skip to content", "skip to main content", "jump to content",
	"seite bearbeiten", "diese seite bearbeiten", "modifier cette page", "editar esta página", "modifica questa pagina"}

func isEditLink(a *html.Node) bool {
	for _, rel := range []string{"prev", "next", "edit"} {
		if attr(a, "rel") == rel {
			return true
		}
	}
	t := strings.ToLower(textOf(a))
	if t == "" || len(t) > 50 {
		return false
	}
	if strings.Trim(t, "↩↑⤴⏎^ \ufe0e") == "" || t == "[source]" || t == "[src]" || t == "permalink" {
		return true
	}
	for _, e := range editing {
		if strings.HasPrefix(t, e) {
			return true
		}
	}
	return false
}

// isContents tells a list of links to places on the page itself.
func isContents(list *html.Node) bool {
	links, local := 0, 0
	for _, a := range outermost(list, func(c *html.Node) bool { return c.Data == "a" }) {
		if links++; strings.HasPrefix(attr(a, "href"), "#") && len(attr(a, "href")) > 1 {
			local += letters(a, nil)
		}
	}
	return links >= 2 && local*10 >= letters(list, nil)*9
}

// contentsLabels are what stands above a list of what is on a page.
var contentsLabels = set("contents on-this-page table-of-contents in-this-article in-this-section in-this-page page-contents summary index auf-dieser-seite " +
	"inhalt inhaltsverzeichnis sur-cette-page sommaire table-des-matières en-esta-página contenido indice in-questa-pagina nesta-página conteúdo " +
	"op-deze-pagina на-этой-странице содержание 目次 このページの内容 目录 本页目录 이-페이지의-내용")

func isLabel(n *html.Node) bool {
	t := strings.ToLower(strings.TrimRight(textOf(n), ": "))
	return len(t) < 60 && contentsLabels[strings.ReplaceAll(t, " ", "-")]
}

// labelsNothing tells a heading that another one of its level, or a higher one, follows at once.
func labelsNothing(n *html.Node) bool {
	at := n
	for up := 0; at != nil && up < 3; at, up = at.Parent, up+1 {
		for s := at.NextSibling; s != nil; s = s.NextSibling {
			if fewer(s, 1) {
				continue
			}
			if !isHeading(s) {
				if s = firstBlock(s); s == nil || !isHeading(s) {
					return false
				}
			}
			return s.Data <= n.Data
		}
	}
	return false
}

// removeLabelled removes a list with the label in front of it.
func removeLabelled(list *html.Node) {
	for n, up := list, 0; n != nil && up < 2; n, up = n.Parent, up+1 {
		p := n.PrevSibling
		for p != nil && p.Type == html.TextNode && strings.TrimSpace(p.Data) == "" {
			p = p.PrevSibling
		}
		if p != nil {
			if p.Type == html.ElementNode && isLabel(p) {
				remove(p)
			}
			break
		}
	}
	remove(list)
}

// questions are how pages ask whether they were of use, and how they begin to tell when they were written.
var questions = []string{"was this page helpful", "was this helpful", "was this article helpful", "was this content helpful", "was this information helpful",
	"did this answer your question", "is this page helpful", "was this page useful", "were you able to find", "how helpful was this", "did you find it helpful",
	"did you find this helpful", "rate this page", "war diese seite hilfreich", "war dieser artikel hilfreich", "war dieser beitrag hilfreich",
	"available languages", "last updated", "last modified", "last update:", "this page last modified", "this page was last", "page last ", "last edited", "zuletzt aktualisiert",
	"dernière mise à jour", "última actualización",
	"cette page vous a-t-elle", "cet article vous a-t-il", "¿te resultó útil", "¿fue útil", "¿le ha resultado útil", "esta página foi útil", "questa pagina è stata utile"}

func isQuestion(n *html.Node) bool {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type != html.TextNode {
			continue
		}
		t := strings.ToLower(strings.TrimSpace(c.Data))
		for _, q := range questions {
			if strings.HasPrefix(t, q) {
				return true
			}
		}
	}
	return false
}

// removeSmall removes an element and with it the box that holds little more.
func removeSmall(n *html.Node) {
	for n.Parent != nil && n.Parent.Parent != nil && n.Parent.Data != "body" && n.Parent.Data != "main" && n.Parent.Data != "article" && fewer(n.Parent, 150) &&
		firstNamed(n.Parent, "pre") == nil && firstNamed(n.Parent, "h1") == nil {
		n = n.Parent
	}
	remove(n)
}

// dropFrames takes from a page that does not mark its content what surrounds it, but for its heading.
func dropFrames(body *html.Node) {
	heading := firstNamed(body, "h1")
	all := letters(body, surrounds)
	walk(body, func(n *html.Node) bool {
		if isFrame(n) && letters(n, surrounds)*3 <= all {
			remove(n)
			return false
		}
		return true
	})
	if heading != nil && !inside(heading, body) && within(heading, func(p *html.Node) bool { return p.Data == "nav" }) == nil {
		remove(heading)
		body.InsertBefore(heading, body.FirstChild)
	}
}
