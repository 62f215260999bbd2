package article

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// shape rewrites what generators make of tabs, notes, listings and formulas, so that it is what Markdown has.
func shape(root *html.Node) {
	labelTabs(root)
	walk(root, func(n *html.Node) bool {
		switch {
		case n.Data == "math", n.Data == "script" && strings.HasPrefix(attr(n, "type"), "math/tex"), hasClass(n, formulas):
			return !shapeFormula(n)
		case n.Data == "pre" || n.Data == "code":
			shapeLanguage(n)
		case n.Data == "div" && hasClass(n, listings):
			retag(n, "pre")
		case n.Data == "summary":
			emphasise(n)
		case hasClass(n, grids):
			shapeGrid(n)
		case hasClass(n, admonitions), isDocBookNote(n):
			shapeAdmonition(n)
		case n.Data == "input" && attr(n, "type") == "checkbox":
			shapeTask(n)
		}
		return true
	})
}

var (
	formulas    = set("math katex katex-display mathjax MathJax MathJax_Preview mjx-container arithmatex math-inline math-display")
	displayed   = set("katex-display math-display")
	listings    = set("fragment") // Doxygen's
	grids       = set("summary-table")
	gridHeads   = set("table-header")
	iconTables  = set("admonitionblock")
	icons       = set("icon")
	iconTexts   = set("content")
	admonitions = set("admonition admonitionblock custom-block markdown-alert callout theme-admonition starlight-aside alert hint-container confluence-information-macro")
	titles      = set("admonition-title custom-block-title markdown-alert-title alert-heading callout-title starlight-aside__title hint-container-title title")
	docbook     = set("note warning tip caution important")
)

// shapeFormula puts the source of a formula in its place, where the page has it.
func shapeFormula(n *html.Node) bool {
	display := attr(n, "display") == "block" || attr(n, "mode") == "display" || strings.Contains(attr(n, "type"), "mode=display") ||
		hasClass(n, displayed) || n.Data == "div"
	tex := attr(n, "alttext")
	if a := first(n, func(c *html.Node) bool {
		return c.Data == "annotation" && strings.Contains(attr(c, "encoding"), "tex")
	}); a != nil {
		tex = textOf(a)
	} else if tex == "" && n.Data == "math" {
		return false
	}
	if tex == "" {
		switch t := rawText(n); {
		case n.Data == "script":
			tex = t
		case strings.HasPrefix(t, `\(`) && strings.HasSuffix(t, `\)`):
			tex = t[2 : len(t)-2]
		case strings.HasPrefix(t, `\[`) && strings.HasSuffix(t, `\]`) && len(t) >= 4:
			tex, display = t[2:len(t)-2], true
		}
	}
	if tex = strings.TrimSpace(tex); tex == "" {
		return false
	}
	for n.FirstChild != nil {
		n.RemoveChild(n.FirstChild)
	}
	retag(n, "math")
	n.Attr = []html.Attribute{{Key: "alttext", Val: tex}}
	if display {
		setAttr(n, "display", "block")
	}
	// What holds the source is hidden where an image shows the formula.
	for p, up := n.Parent, 0; p != nil && p.Data == "span" && up < 2; p, up = p.Parent, up+1 {
		removeAttr(p, "style", "hidden", "aria-hidden")
	}
	return true
}

// rawText is the text of an element that holds only text.
func rawText(n *html.Node) string {
	if n.FirstChild == nil || n.FirstChild.NextSibling != nil || n.FirstChild.Type != html.TextNode {
		return ""
	}
	return strings.TrimSpace(n.FirstChild.Data)
}

// shapeLanguage names the language of a listing where the writer of Markdown looks for it.
func shapeLanguage(n *html.Node) {
	for _, key := range []string{"data-lang", "data-language"} {
		if l := attr(n, key); l != "" && !strings.Contains(attr(n, "class"), "language-") {
			setAttr(n, "class", strings.TrimSpace(attr(n, "class")+" language-"+l))
		}
	}
}

// shapeGrid makes a table of what Javadoc lays out as one.
func shapeGrid(grid *html.Node) {
	isHead := func(n *html.Node) bool { return hasClass(n, gridHeads) }
	cells := outermost(grid, func(n *html.Node) bool { return n.Parent == grid })
	columns := 0
	for columns < len(cells) && isHead(cells[columns]) {
		columns++
	}
	if columns < 2 || len(cells)%columns != 0 {
		return
	}
	for row := range slices.Chunk(cells, columns) {
		line := element("tr")
		for _, c := range row {
			remove(c)
			cell := element("td")
			moveChildren(cell, c)
			line.AppendChild(cell)
		}
		grid.AppendChild(line)
	}
	retag(grid, "table")
	grid.Attr = nil
}

// emphasise makes the text of an element bold.
func emphasise(n *html.Node) {
	if first(n, func(c *html.Node) bool { return headings[c.Data] || c.Data == "p" || c.Data == "div" }) != nil {
		return
	}
	strong := element("strong")
	moveChildren(strong, n)
	n.AppendChild(strong)
}

// isDocBookNote tells a note that is named by a class that may mean many things, by its title.
func isDocBookNote(n *html.Node) bool {
	return n.Data == "div" && hasClass(n, docbook) && first(n, func(c *html.Node) bool { return headings[c.Data] && hasClass(c, titles) }) != nil
}

// shapeAdmonition makes a quotation of a note beside the text, with its title in bold.
func shapeAdmonition(n *html.Node) {
	if n.Data == "details" || n.Data == "dl" || n.Data == "button" || n.Data == "a" || n.Data == "span" {
		return
	}
	title := first(n, func(c *html.Node) bool {
		return hasClass(c, titles) || strings.Contains(attr(c, "class"), "admonitionHeading")
	})
	if hasClass(n, iconTables) {
		n = shapeIconTable(n, &title)
	}
	if title != nil {
		t := textOf(title)
		if t == "" {
			if icon := first(title, func(c *html.Node) bool { return attr(c, "title") != "" }); icon != nil {
				t = attr(icon, "title")
			}
		}
		remove(title)
		if t != "" {
			n.InsertBefore(element("p", element("strong", text(t))), n.FirstChild)
		}
	}
	retag(n, "blockquote")
	n.Attr = nil
}

// shapeIconTable takes apart the table in which Asciidoctor puts the sign and the text of a note.
func shapeIconTable(n *html.Node, title **html.Node) *html.Node {
	icon := first(n, func(c *html.Node) bool { return c.Data == "td" && hasClass(c, icons) })
	body := first(n, func(c *html.Node) bool { return c.Data == "td" && hasClass(c, iconTexts) })
	if icon == nil || body == nil {
		return n
	}
	remove(icon)
	remove(body)
	for n.FirstChild != nil {
		n.RemoveChild(n.FirstChild)
	}
	moveChildren(n, body)
	if *title == nil || inside(*title, icon) {
		*title = icon
	}
	return n
}

// shapeTask writes the box of a task.
func shapeTask(n *html.Node) {
	if within(n, func(p *html.Node) bool { return p.Data == "li" }) == nil {
		return
	}
	mark := "[ ] "
	if has(n, "checked") {
		mark = "[x] "
	}
	n.Parent.InsertBefore(text(mark), n)
	remove(n)
}
