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
		case hasClass(n, admonitions):
			shapeAdmonition(n)
		case isDocBookNote(n):
			shapeAdmonition(n)
		case n.Data == "input" && attr(n, "type") == "checkbox":
			shapeTask(n)
		}
		return true
	})
}

var (
	formulas    = set("math katex katex-display mathjax MathJax MathJax_Preview mjx-container arithmatex math-inline math-display")
	listings    = set("fragment")
	grids       = set("summary-table")
	admonitions = set("admonition admonitionblock custom-block markdown-alert callout theme-admonition starlight-aside alert hint-container confluence-information-macro")
	titles      = set("admonition-title custom-block-title markdown-alert-title alert-heading callout-title starlight-aside__title hint-container-title title")
	docbook     = set("note warning tip caution important")
)

// shapeFormula puts the source of a formula in its place, where the page has it.
func shapeFormula(n *html.Node) bool {
	display := attr(n, "display") == "block" || attr(n, "mode") == "display" || strings.Contains(attr(n, "type"), "mode=display") ||
		hasClass(n, set("katex-display math-display")) || n.Data == "div"
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
	isHead := func(n *html.Node) bool { return hasClass(n, set("table-header")) }
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
	if hasClass(n, set("admonitionblock")) {
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
	icon := first(n, func(c *html.Node) bool { return c.Data == "td" && hasClass(c, set("icon")) })
	body := first(n, func(c *html.Node) bool { return c.Data == "td" && hasClass(c, set("content")) })
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

// Tabs.

var (
	panels      = set("tabbed-block tabbed-content sd-tab-content tab-pane tab-content tabs-content tabpanel tab-panel")
	labelLists  = set("tabbed-labels nav-tabs tabs")
	labelled    = set("tabbed-content sd-tab-content")
	panelBlocks = set("tabbed-content blocks tab-content")
)

// isPanel tells what is shown when its tab is chosen.
func isPanel(n *html.Node) bool {
	return attr(n, "role") == "tabpanel" || hasClass(n, panels) || attr(n, "data-kept") != ""
}

// labelTabs gives each panel of tabs its label as a line of its own, since all of them are shown.
func labelTabs(root *html.Node) {
	byID := make(map[string]*html.Node)
	walk(root, func(n *html.Node) bool {
		if id := attr(n, "id"); id != "" && isPanel(n) && byID[id] == nil {
			byID[id] = n
		}
		return true
	})
	var spent []*html.Node
	walk(root, func(n *html.Node) bool {
		switch {
		case attr(n, "role") == "tablist", hasClass(n, labelLists) && n.Data != "body":
			if labelList(n, byID) {
				spent = append(spent, n)
				return false
			}
		case n.Data == "label":
			if labelNext(n) {
				spent = append(spent, n)
			}
		}
		return true
	})
	for _, n := range spent {
		remove(n)
	}
}

// labelList labels the panels of a list of tabs: those that the tabs name, else as many as there are tabs, after the list.
func labelList(list *html.Node, byID map[string]*html.Node) bool {
	tabs := outermost(list, func(n *html.Node) bool { return attr(n, "role") == "tab" })
	if len(tabs) == 0 {
		tabs = outermost(list, func(n *html.Node) bool { return n.Data == "label" || n.Data == "a" || n.Data == "button" })
	}
	if len(tabs) < 2 || len(tabs) > 100 {
		return false
	}
	var bodies []*html.Node
	for _, t := range tabs {
		if p := byID[controls(t)]; p != nil && !slices.Contains(bodies, p) {
			bodies = append(bodies, p)
		}
	}
	if len(bodies) != len(tabs) {
		bodies = panelsAfter(list)
	}
	if len(bodies) != len(tabs) {
		return false
	}
	for i, t := range tabs {
		label(bodies[i], textOf(t))
	}
	return true
}

// controls is the id of the panel that a tab names.
func controls(tab *html.Node) string {
	for n := tab; n != nil; n = firstNamed(n, "a") {
		for _, key := range []string{"aria-controls", "data-bs-target", "data-target", "href"} {
			if v := attr(n, key); v != "" && (key == "aria-controls" || strings.HasPrefix(v, "#")) {
				return strings.TrimPrefix(v, "#")
			}
		}
	}
	return ""
}

// panelsAfter are the panels that follow a list of tabs.
func panelsAfter(list *html.Node) (found []*html.Node) {
	for s := list.NextSibling; s != nil; s = s.NextSibling {
		switch {
		case s.Type != html.ElementNode:
		case attr(s, "role") == "tabpanel":
			found = append(found, s)
		case hasClass(s, panelBlocks):
			for c := s.FirstChild; c != nil; c = c.NextSibling {
				if c.Type == html.ElementNode {
					found = append(found, c)
				}
			}
			return found
		default:
			if inner := outermost(s, func(n *html.Node) bool { return attr(n, "role") == "tabpanel" }); len(found) == 0 && len(inner) > 0 {
				return inner
			}
		}
	}
	return found
}

// labelNext labels the panel that follows its own label.
func labelNext(l *html.Node) bool {
	n := l.NextSibling
	for n != nil && n.Type == html.TextNode && strings.TrimSpace(n.Data) == "" {
		n = n.NextSibling
	}
	if n != nil && hasClass(n, labelled) && first(n, func(c *html.Node) bool { return hasClass(c, set("tabbed-block")) }) == nil {
		label(n, textOf(l))
		return true
	}
	return false
}

// label writes the label of a panel into it, and keeps it although it is hidden.
func label(panel *html.Node, name string) {
	removeAttr(panel, "hidden", "aria-hidden", "style")
	setAttr(panel, "data-kept", "1")
	if panel.Data == "pre" {
		panel.Parent.InsertBefore(element("p", element("strong", text(name))), panel)
		return
	}
	panel.InsertBefore(element("p", element("strong", text(name))), panel.FirstChild)
}
