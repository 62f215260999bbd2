package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
)

// result is what a look came to. It is not written to once it is there.
type result struct {
	run    uint64
	items  []item           // in the order in which they are given
	byPath map[string]*page // what is there, also when it cannot be had now
	pages  map[string]*page // by address
	err    error            // why the listing is not complete
	cost   sources.Cost
	costs  []sources.PageCost
}

// item is a document, or a problem when err is not nil.
type item struct {
	path, address string
	print         kb.Digest
	size          int64
	typ           string
	modified      time.Time
	err           error
	present       bool
}

// resolve decides which pages are documents, and under which key. It goes by what the site says; what is remembered only tells
// what to wait for.
func (l *look) resolve() *result {
	r := &result{byPath: make(map[string]*page, len(l.order)), pages: l.pages, items: make([]item, 0, len(l.order))}
	crowded := l.crowded()
	for _, p := range l.order {
		if p.hidden || p.outcome == isNothing {
			continue
		}
		if to := l.real(p, crowded); to != p {
			p.nothing("it is the same page as %s", shown(to.address))
			continue
		}
		if p.outcome == isDocument && p.now.refresh != "" {
			p.outcome = isTrouble
			p.err = fault.New(errPage, "only sends its readers on to %s", kb.Printable(shown(p.now.refresh))).WithHint("list that address instead")
		}
		path := p.path
		if first := r.byPath[path]; first == nil {
			r.byPath[path] = p
			r.items = append(r.items, p.item(path))
		} else if it, ok := p.second(path, first); ok {
			r.items = append(r.items, it)
		}
	}
	for path, p := range r.byPath {
		if p.content && p.outcome == isDocument {
			r.costs = append(r.costs, sources.PageCost{Key: kb.NewKey(l.name, path), Bytes: p.received, Requests: p.requests, Duration: p.took})
		}
		if p.outcome == isTrouble && !p.loud() {
			delete(r.byPath, path)
		}
	}
	slices.SortFunc(r.costs, func(a, b sources.PageCost) int { return cmp.Compare(a.Key, b.Key) })
	slices.SortStableFunc(r.items, func(a, b item) int {
		if c := cmp.Compare(a.path, b.path); c != 0 {
			return c
		}
		return cmp.Compare(number(a.err != nil), number(b.err != nil))
	})
	why := l.lacking
	if len(why) == 0 {
		why = l.unsure
	}
	if n := len(why); n > 0 {
		r.err = why[0]
		if n > 1 {
			r.err = fmt.Errorf("%w (and %d more)", r.err, n-1)
		}
	}
	return r
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// item is what the page is for the engine.
func (p *page) item(path string) item {
	if p.outcome == isTrouble {
		return item{path: path, address: p.address, err: neutral(p.err), present: p.loud()}
	}
	it := item{path: path, address: p.address, print: p.now.print, size: p.now.size, typ: p.now.typ}
	if p.now.modified == "" {
		return it
	}
	if t, err := http.ParseTime(p.now.modified); err == nil {
		it.modified = t
	}
	return it
}

// second is what to say of a page whose key another page has that was listed before it; ok is false when they are the same.
func (p *page) second(path string, first *page) (it item, ok bool) {
	switch {
	case p.outcome == isTrouble:
		return p.item(path), true
	case first.now != nil && (first.now.print == p.now.print || first.now.at(first.address) == p.now.at(p.address)):
		p.nothing("it is the same page as %s", shown(first.address))
		return item{}, false
	}
	p.nothing("%s has the same key", shown(first.address))
	return item{path: path, address: p.address, err: fault.New(errPage, "the addresses %s and %s give the same key and are different pages; the first one is taken",
		kb.Printable(shown(first.address)), kb.Printable(shown(p.address))).WithHint("leave one of them out with exclude")}, true
}

// leads is the listed page that a page says it is only another address of; nil when it stands for itself.
func (l *look) leads(p *page, crowded map[string]bool) *page {
	if p.outcome != isDocument || p.now == nil {
		return nil
	}
	// What it leads to must be a document, or have been one that is waited for: else nothing would stand for the page.
	stands := func(t *page) bool { return t.outcome == isDocument || (t.outcome == isTrouble && t.old.held()) }
	for _, address := range []string{p.now.final, p.now.refresh, p.now.canonical, l.directoryOf(p)} {
		if address == "" || (address == p.now.canonical && crowded[address]) {
			continue
		}
		if t := l.pages[address]; t != nil && t != p && !t.hidden && stands(t) {
			return t
		}
	}
	return nil
}

// directoryOf is the address of the directory whose index a page is by its name and by its content: servers of files give it under
// both. "" when it is no such page.
func (l *look) directoryOf(p *page) string {
	dir, last := path.Split(p.url.Path)
	if !strings.HasPrefix(last, "index.") || p.url.RawQuery != "" || p.url.RawPath != "" {
		return ""
	}
	address := (&url.URL{Scheme: p.url.Scheme, Host: p.url.Host, Path: dir}).String()
	if t := l.pages[address]; t == nil || t.outcome != isDocument || t.now.print != p.now.print {
		return ""
	}
	return address
}

// real is the page that a page is an address of, in the end. Of pages that lead in a circle it is the one that was listed first.
func (l *look) real(p *page, crowded map[string]bool) *page {
	way := []*page{p}
	for {
		t := l.leads(p, crowded)
		if t == nil {
			return p
		}
		if i := slices.Index(way, t); i >= 0 {
			return slices.MinFunc(way[i:], func(a, b *page) int { return a.rank - b.rank })
		}
		if len(way) > 100 {
			return way[0]
		}
		way = append(way, t)
		p = t
	}
}

// crowded are canonical addresses that most pages name: a template that was filled in wrongly, not one page with a thousand addresses.
func (l *look) crowded() map[string]bool {
	count := map[string]int{}
	for _, p := range l.order {
		if p.now != nil && p.now.canonical != "" {
			count[p.now.canonical]++
		}
	}
	crowded := map[string]bool{}
	for address, n := range count {
		if n >= few && 2*n > len(l.order) {
			crowded[address] = true
			l.log.Warn("most pages name the same canonical address, which is not believed", "address", kb.Printable(shown(address)), "pages", n)
		}
	}
	return crowded
}
