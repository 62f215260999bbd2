package article

import (
	"context"
	"net/url"

	"github.com/andybalholm/cascadia"

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
		return fault.New(fault.ErrSetup, "%q is no CSS selector", s).Because(err)
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

// Read takes a page apart. contentType is what the server said, address where the page came from.
func Read(ctx context.Context, src []byte, contentType string, address *url.URL, o Options) (Page, error) {
	res, err := htmlmd.Read(ctx, src, markup.DefaultLimits())
	if err != nil {
		return Page{}, err
	}
	return Page{Title: res.Title, Markdown: res.Markdown, Way: "page"}, nil
}
