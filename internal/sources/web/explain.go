package web

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"kbsyncd/internal/kb"
)

// Explain implements sources.Explainer, from the last look and from what is remembered of earlier ones. A path is that of a key, or an
// address.
func (s *Site) Explain(path string) []string {
	var lines []string
	say := func(format string, args ...any) {
		lines = append(lines, kb.Printable(fmt.Sprintf(format, args...)))
	}
	var r *result
	if r = s.last(); r == nil {
		old, err := load(s.memory, nil)
		if err != nil {
			return []string{kb.Printable(err.Error())}
		}
		r = s.fromMemory(old)
	}
	found := s.at(r, path)
	if len(found) == 0 {
		s.explainUnlisted(r, path, say)
		return lines
	}
	for i, p := range found {
		if i > 0 {
			say("another address with this key:")
		}
		s.explainPage(p, say)
	}
	return lines
}

// fromMemory is a result made of what is remembered, for explanations.
func (s *Site) fromMemory(old *remembered) *result {
	r := &result{pages: map[string]*page{}}
	for address, e := range old.pages {
		u, ok := parseAddress(address)
		if !ok {
			continue
		}
		p := &page{address: address, url: u, path: keyPath(u, s.host), rule: e.rule, from: e.from, old: e, now: e, outcome: isDocument}
		switch {
		case e.gone > 0:
			p.nothing("it was not there %d times in a row", e.gone)
		case e.noIndex && e.rule != byURLs:
			p.nothing("the page asks not to be indexed")
		case !e.held():
			p.nothing("its content is not known")
		}
		r.pages[address] = p
	}
	return r
}

// at finds the pages that a path or an address stands for, documents first.
func (s *Site) at(r *result, path string) []*page {
	if u, ok := parseAddress(path); ok {
		if p := r.pages[u.String()]; p != nil {
			return []*page{p}
		}
		return nil
	}
	var found []*page
	for _, p := range r.pages {
		if p.path == strings.Trim(path, "/") {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b *page) int {
		if a.outcome != b.outcome {
			return int(b.outcome) - int(a.outcome)
		}
		return strings.Compare(a.address, b.address)
	})
	return found
}

// explainPage says what is known of a page, the decisive line last.
func (s *Site) explainPage(p *page, say func(string, ...any)) {
	say("its address is %s", shown(p.address))
	switch {
	case p.rule == byURLs:
		say("it is listed under urls")
	case p.rule == bySitemap:
		say("it is listed in the sitemap %s", shown(p.from))
	case p.from == "":
		say("the crawl starts at it")
	default:
		say("the crawl found it over a link on %s", shown(p.from))
	}
	if p.rule != byURLs {
		if keep, rule := s.globs.decide(p.url); rule != "" {
			say("%s %s it", rule, map[bool]string{true: "keeps", false: "leaves out"}[keep])
		}
	}
	if e := p.now; e != nil {
		explainEntry(e, say)
	}
	switch {
	case p.hidden:
		say("it is only looked through for links")
	case p.outcome == isTrouble:
		say("it cannot be had now: %s", neutral(p.err))
	case p.outcome == isNothing:
		say("it is no document: %s", p.note)
	default:
		say("it is a document")
	}
}

func explainEntry(e *entry, say func(string, ...any)) {
	if e.final != "" {
		kind := "a redirect"
		if e.moved != "" {
			kind = "a permanent redirect"
		}
		say("%s leads to %s", kind, shown(e.final))
	}
	if e.canonical != "" {
		say("it names %s as its canonical address", shown(e.canonical))
	}
	if e.noIndex {
		say("it asks robots not to index it")
	}
	if e.gone > 0 {
		say("it was not there %d times in a row", e.gone)
	}
	if !e.held() {
		return
	}
	switch {
	case e.etag != "":
		say("its version is %s", e.etag)
	case e.modified != "":
		say("it was modified on %s, the server says", e.modified)
	default:
		say("the server gives it no version (an ETag, or a date of change more than seconds old), so that it is fetched in full")
	}
	say("its content last changed, as far as was seen, on %s", time.Unix(e.changed, 0).UTC().Format(time.RFC3339))
	if e.way != "" {
		say("its main content was found by: %s", e.way)
	}
}

// explainUnlisted says what the rules would say of an address that was not listed.
func (s *Site) explainUnlisted(r *result, path string, say func(string, ...any)) {
	u, ok := parseAddress(path)
	if !ok {
		base := s.start
		if base == nil {
			for _, a := range append([]string{s.cfg.Sitemap}, s.cfg.URLs...) {
				if base, ok = parseAddress(a); ok {
					break
				}
			}
		}
		if base == nil {
			return
		}
		u = cleanAddress(&url.URL{Scheme: base.Scheme, Host: base.Host, Path: "/" + strings.Trim(path, "/")})
	}
	say("its address would be %s", shown(u.String()))
	if keep, rule := s.globs.decide(u); !keep {
		say("%s leaves it out", rule)
	}
	if s.start != nil {
		if why, ok := followable(u); !ok {
			say("%s", why)
		} else if !below(s.start, u) {
			say("it is not below the start of the crawl, %s", shown(s.start.String()))
		}
	}
	if len(r.pages) == 0 {
		say("the site was not looked at yet")
		return
	}
	say("no rule of the source listed it when the site was last looked at")
}
