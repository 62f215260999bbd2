package article

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// What the classes of panels and of the lists of their labels are.
var (
	panels     = set("tabbed-block tabbed-content sd-tab-content tab-pane tab-content tabs-content tabpanel tab-panel")
	labelLists = set("tabbed-labels nav-tabs tabs")
	labelled   = set("tabbed-content sd-tab-content")
	// blocksOfTabs are panels in one container, which follow the list of all their labels.
	blocksOfTabs = set("tabbed-block")
	panelBlocks  = set("tabbed-content blocks tab-content")
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
	if n != nil && hasClass(n, labelled) && first(n, func(c *html.Node) bool { return hasClass(c, blocksOfTabs) }) == nil {
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
