package article

import (
	"net/url"

	"codeberg.org/readeck/go-readability/v2"
	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"

	"kbsyncd/internal/fault"
)

// Bounds of a page that is weighed paragraph by paragraph. That reads the text below each element again for all that are around it, and
// takes time that grows faster than the page: about a second at these bounds.
const (
	maxReadable = 12_000   // nodes
	maxReading  = 32 << 20 // bytes that are read when each element reads all that is in it
)

// content is the part of a page that is wanted.
type content struct {
	node  *html.Node
	title *html.Node      // the title where it is outside of node; may be nil
	drop  map[string]bool // classes of what is not content on such pages
	way   string
}

// choose finds the content of a page.
func choose(h *head, root, body *html.Node, address *url.URL, o Options) (content, error) {
	switch {
	case o.Selector != "":
		return chosen(root, o.Selector)
	case o.Whole:
		return content{node: body, way: "page"}, nil
	}
	if c := h.made(root); c.node != nil {
		return c, nil
	}
	all := letters(body, surrounds)
	if n := marked(body); n != nil && letters(n, surrounds)*4 >= all {
		return content{node: n, way: "semantic"}, nil
	}
	all = letters(body, frames)
	if n := readable(root, address); n != nil && letters(n, nil)*5 >= all*4 {
		return content{node: n, way: "readability"}, nil
	}
	dropFrames(body)
	return content{node: body, way: "page"}, nil
}

// chosen is what a selector of the user picks, all of it in order.
func chosen(root *html.Node, selector string) (content, error) {
	sel, err := cascadia.ParseGroup(selector)
	if err != nil {
		return content{}, CheckSelector(selector)
	}
	found := outermost(root, sel.Match)
	if len(found) == 0 || found[0].Data == "head" {
		return content{}, fault.New(fault.ErrUnsupported, "nothing on the page fits the selector %q of its content", selector).
			WithHint("correct the selector, or leave it out to have the content found; exclude the page when it has none")
	}
	if len(found) == 1 {
		return content{node: found[0], way: "selector"}, nil
	}
	all := element("div")
	for _, n := range found {
		remove(n)
		all.AppendChild(n)
	}
	return content{node: all, way: "selector"}, nil
}

// marked is the one element that is marked as the content, if there is exactly one. An article counts when it is the only one, and
// within a main element as well.
func marked(body *html.Node) *html.Node {
	isArticle := func(n *html.Node) bool { return n.Data == "article" || attr(n, "role") == "article" }
	for _, fits := range []func(*html.Node) bool{
		func(n *html.Node) bool { return n.Data == "main" || attr(n, "role") == "main" },
		isArticle,
	} {
		found := outermost(body, fits)
		if len(found) != 1 {
			continue
		}
		if inner := outermost(found[0], isArticle); len(inner) == 1 && letters(inner[0], surrounds)*4 >= letters(found[0], surrounds)*3 {
			return inner[0]
		}
		return found[0]
	}
	return nil
}

// readable weighs the paragraphs of a page; nil when that tells nothing or would take too long.
func readable(root *html.Node, address *url.URL) *html.Node {
	if nodes, reading := effort(root, 0); nodes > maxReadable || reading > maxReading {
		return nil
	}
	doc := &html.Node{Type: html.DocumentNode}
	doc.AppendChild(copyOf(root))
	p := readability.NewParser()
	p.KeepClasses = true
	p.DisableJSONLD = true
	found, err := p.ParseAndMutate(doc, address)
	if err != nil {
		return nil
	}
	return found.Node
}
