package web

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
)

// crawl follows links from the start, one distance after the other, so that what is found does not depend on which page answers first.
// What is not found because a page failed makes the listing incomplete, unless it is remembered what that page links to.
func (l *look) crawl(ctx context.Context) error {
	start, added := l.add(l.start, byLink, "")
	if added {
		if err := l.visit(ctx, []*page{start}); err != nil {
			return err
		}
		start.hidden = !l.globs.keeps(l.start)
	}
	if !l.canStart(start) {
		return nil
	}
	reached := map[string]bool{start.address: true}
	level := []*page{start}
	for depth := 0; depth < l.cfg.Crawl.Depth && len(level) > 0; depth++ {
		var next, fresh []*page
		for _, p := range level {
			for _, u := range l.linked(p) {
				address := u.String()
				if reached[address] {
					continue
				}
				reached[address] = true
				if len(reached) > l.cfg.Crawl.MaxPages {
					l.lacks(fault.New(fault.ErrIncomplete, "the crawl found more than %d pages; nothing is deleted", l.cfg.Crawl.MaxPages).
						WithHint("raise crawl.max_pages, or leave parts out with exclude"))
					return l.visit(ctx, fresh)
				}
				q, added := l.add(u, byLink, p.address)
				if added {
					fresh = append(fresh, q)
				}
				next = append(next, q)
			}
		}
		if err := l.visit(ctx, fresh); err != nil {
			return err
		}
		level = sortedPages(next)
	}
	if l.complete() {
		l.next.crawl = l.trust(l.next.crawl, theCrawl, len(reached))
	}
	return nil
}

// canStart tells whether the start is a page to begin at, and notes the listing as incomplete when it is not.
func (l *look) canStart(start *page) bool {
	why := start.err
	switch {
	case start.outcome == isTrouble && (start.old.held() && len(start.old.links) > 0 || start.said != nil):
		return true
	case start.outcome == isTrouble:
	case !start.now.held():
		why = fault.New(fault.ErrIncomplete, "%s", start.note)
	case start.now.final != "":
		if final, err := url.Parse(start.now.final); err == nil && below(l.start, final) {
			return true
		}
		why = fault.New(fault.ErrIncomplete, "it leads to %s", kb.Printable(shown(start.now.final))).WithHint("write that in crawl.start")
	default:
		return true
	}
	l.lacks(fault.New(fault.ErrIncomplete, "the page that the crawl starts at cannot be used; nothing is deleted").Because(neutral(why)))
	return false
}

// lost notes that pages may hang on one that cannot be had. When the site itself is out of order the crawl has failed; a link to what is
// not there, or not for everybody, is common, and only nothing can be taken for gone.
func (l *look) lost(p *page) {
	at := kb.Printable(shown(p.address))
	if errors.Is(p.err, fault.ErrIncomplete) {
		l.lacks(fault.New(fault.ErrIncomplete, "where %s leads is not known; nothing is deleted", at).Because(neutral(p.err)))
		return
	}
	l.doubts(fmt.Errorf("%w, because where %s leads is not known: %w", sources.ErrUnsure, at, neutral(p.err)))
}

// linked are the addresses that a page leads the crawl to. A page that cannot be had now still links to what it linked to.
func (l *look) linked(p *page) []*url.URL {
	e := p.now
	if p.outcome == isTrouble {
		e = p.old
		if p.unlinked {
			l.lost(p)
		}
	}
	if e == nil && p.said == nil || (p.outcome == isNothing && e != nil && e.gone >= l.cfg.MissingAfter) {
		return nil
	}
	var to []*url.URL
	for _, link := range l.linksOf(p, e) {
		u, ok := parseAddress(link)
		if ok && below(l.start, u) && l.globs.keeps(u) {
			to = append(to, u)
		}
	}
	return to
}

// linksOf are the links of what is known of a page, and those that it has besides: without a text of its own it may have links, and while it
// leads elsewhere for now, those that it had count still.
func (l *look) linksOf(p *page, e *entry) []string {
	var links []string
	if e != nil {
		links = e.links
	}
	switch {
	case p.outcome == isTrouble && p.said != nil:
		links = slices.Concat(links, p.said.links)
	case p.movedForNow():
		links = slices.Concat(links, p.old.links)
	}
	return links
}
