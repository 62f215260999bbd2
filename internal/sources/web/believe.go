package web

import (
	"kbsyncd/internal/fault"
)

// plenty is up to how many addresses one sitemap of several may lose most of at once, and up to how many pages a site that was never seen may have
// one text for most of them.
const plenty = 10

// Names of whole listings.
const (
	theSitemap = "sitemap"
	theCrawl   = "crawl"
)

// believe decides whether a listing with so many addresses may be what the site really has. One that is empty, or has fewer than half of
// what it had, must come so several times in a row, give or take a few: a generator that broke and a site that was reset look just like that.
func (t tally) believe(what string, n, runs int) (tally, error) {
	least := few
	if what != theSitemap && what != theCrawl {
		least = plenty + 1 // a part; there is a tally of the whole too
	}
	if n > 0 && (t.had < least || 2*n >= t.had) {
		return tally{had: n}, nil
	}
	next := tally{had: t.had, low: n, runs: 1}
	if t.runs > 0 && near(t.low, n) {
		next.runs = min(t.runs+1, runs)
	}
	if next.runs >= runs {
		if n > 0 {
			return tally{had: n}, nil
		}
		return next, nil
	}
	if n == 0 {
		return next, fault.New(fault.ErrIncomplete, "the %s lists no page (%d of %d in a row); nothing is deleted", what, next.runs, runs).
			WithHint("if the site is empty, it is believed after %d such looks", runs)
	}
	return next, fault.New(fault.ErrIncomplete, "the %s lists %d pages and had %d (%d of %d in a row); nothing is deleted", what, n, t.had, next.runs, runs).
		WithHint("if the site shrank, it is believed after %d such looks", runs)
}

// near tells whether two numbers of addresses may be those of one site that goes on living: within two, or a tenth.
func near(a, b int) bool { return max(a, b)-min(a, b) <= max(2, min(a, b)/10) && (a == 0) == (b == 0) }
