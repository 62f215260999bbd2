package article

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"

	"kbsyncd/internal/convert/htmlmd"
	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

// Options are what the reader of a page may be told.
type Options struct {
	Whole    bool   // the whole page instead of its main content
	Selector string // CSS selector of the main content; "" finds it
}

// CheckSelector is nil when a selector can be used.
func CheckSelector(s string) error {
	if _, err := cascadia.ParseGroup(s); err != nil {
		return fault.New(fault.ErrSetup, "%q is no CSS selector", oneLine(s)).Because(err).
			WithHint("write one such as main, #content or article.post")
	}
	return nil
}

// Suspect is what a page may be in place of what its address promises.
type Suspect uint8

// What a page may be.
const (
	None     Suspect = iota
	NotFound         // it says that there is no such page
	Login            // it asks to sign in
)

// Page is what a page holds.
type Page struct {
	Title     string
	Markdown  []byte   // UTF-8, begins with the title as a heading when the content has no h1 of its own; links and images absolute
	Links     []string // absolute http(s) addresses without fragment that the page links to, each once, in order; empty with nofollow
	Canonical string   // absolute; "" when there is none
	NoIndex   bool     // the page asks robots not to index it
	Refresh   string   // where an immediate refresh leads; "" for none
	Way       string   // how the main content was found: "selector", a generator's name, "semantic", "readability", "page"
	Suspect   Suspect
	Reason    string // why it is suspect, for people
}

// maxMarkdown bounds what comes of a page.
const maxMarkdown = 16 << 20

// Read takes a page apart. contentType is what the server said, address where the page came from; neither is changed, nor is src.
// A page without text of its own that leads elsewhere at once, or that is suspect, is no error. Other pages without text, pages above the limits and those
// that the selector does not fit are of class fault.ErrUnsupported; what the page says besides its content is told all the same where it
// could be read. It may be called concurrently.
func Read(ctx context.Context, src []byte, contentType string, address *url.URL, o Options) (p Page, err error) {
	defer func() {
		if r := recover(); r != nil {
			p, err = Page{}, fault.New(fault.ErrUnsupported, "the page cannot be read: %v", r).WithHint("exclude it")
		}
	}()
	l := markup.DefaultLimits()
	l.Output = maxMarkdown
	if int64(len(src)) > l.Unpacked {
		return Page{}, fault.New(fault.ErrUnsupported, "the page has %d bytes, more than %d", len(src), l.Unpacked).WithHint("exclude it")
	}
	root, err := htmlmd.Tree(ctx, decode(src, contentType), l)
	if err != nil {
		return Page{}, err
	}
	if address == nil {
		address = &url.URL{}
	}
	h := survey(root, address)
	p = Page{Links: h.links(root), Canonical: h.canonical, NoIndex: h.noIndex, Refresh: h.refresh}
	if err := p.read(ctx, h, root, address, o, l); err != nil {
		if p.Refresh != "" && errors.Is(err, fault.ErrUnsupported) {
			return p, nil
		}
		return p, err
	}
	return p, nil
}

// read finds the content, and what is in it.
func (p *Page) read(ctx context.Context, h *head, root *html.Node, address *url.URL, o Options, l markup.Limits) error {
	body := firstNamed(root, "body")
	p.Title = h.withoutSite(h.title)
	if h.isShell(body) {
		return h.empty(body)
	}
	c, err := choose(h, root, body, address, o)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	p.Way = c.way
	p.Title = h.titleOf(c, body)
	p.Suspect, p.Reason = h.suspect(body, c, headingOf(first(body, isHeadingOfPage)))
	shape(c.node)
	if !o.Whole {
		clean(c)
	}
	h.absolute(c.node, address)
	if letters(c.node, nil) == 0 && !holdsImage(c.node) {
		if p.Suspect != None {
			return nil // what it is counts more than that it says nothing
		}
		return h.empty(body)
	}
	putTitle(c, p.Title)
	for _, n := range outermost(c.node, func(n *html.Node) bool { return unseen[n.Data] }) {
		remove(n)
	}
	if p.Markdown, err = htmlmd.Render(ctx, c.node, l); err != nil {
		return err
	}
	if len(bytes.TrimSpace(p.Markdown)) == 0 {
		return h.empty(body)
	}
	return nil
}

// holdsImage tells whether there is an image that says what it shows.
func holdsImage(n *html.Node) bool {
	return first(n, func(c *html.Node) bool { return c.Data == "img" && strings.TrimSpace(attr(c, "alt")) != "" }) != nil
}
