package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
)

// look is one look at the whole site: what is listed, and what each page is now.
type look struct {
	*Site
	known   sources.Known
	started time.Time
	old     *remembered
	pages   map[string]*page // by address; owned by the goroutine that runs the look
	order   []*page          // as they were listed, which depends on nothing but the site
	before  map[string]*page // those of the last look; its keys are the same
	seen    atomic.Int64
	wrote   atomic.Bool // something was added to the cache

	mu      sync.Mutex
	maps    map[string]*entry // of sitemaps
	lacking []error           // why the listing is not complete
	unsure  []error           // why nothing that is missing may be taken for gone, though nothing has failed
	broken  int               // links that lead nowhere
	next    listing
}

// outcome is what a look made of a page.
type outcome uint8

const (
	isNothing  outcome = iota // no document, and nothing to complain about
	isDocument                // its content is known
	isTrouble                 // it cannot be had now
)

func (o outcome) String() string { return [...]string{"nothing", "document", "trouble"}[o] }

// page is one address in one look. Only the goroutine that looks at it writes to it.
type page struct {
	address string
	url     *url.URL
	path    string // of its key
	rule    rule
	from    string // over which page or sitemap it was found
	rank    int    // in what was listed
	old     *entry // what was known of it; may be nil
	hidden  bool   // it is only looked through for links

	outcome    outcome
	now        *entry // what is to be remembered; nil: nothing
	said       *entry // what the page itself said this time; nil when it did not, or nothing new
	err        error  // with isTrouble
	note       string // why it is no document, or what else there is to know, for people
	quiet      bool   // its trouble is no failure, and says nothing about the site
	unlinked   bool   // its links are not known
	requests   int
	unmodified bool
	received   int64 // of its body
	content    bool  // its content was transferred
	took       time.Duration
}

// loud tells whether trouble with a page is a failure: what only some link leads to may never have been a document.
func (p *page) loud() bool { return !p.quiet && (p.rule != byLink || (p.old.held() && !p.old.noIndex)) }

// aside notes that a page is no document, and that what the targets may hold of it stays.
func (p *page) aside(err error) { p.outcome, p.err, p.quiet = isTrouble, err, true }

// trouble notes that a page cannot be had. What was remembered of it stays. most is how often in a row that may happen to a link before
// it counts as one that leads nowhere.
func (p *page) trouble(err error, most int) {
	p.outcome, p.err, p.now = isTrouble, err, p.old
	switch {
	case p.now == nil || p.now.gone == 0:
	case p.now.held():
		again := *p.now
		again.gone = 0
		p.now = &again
	default:
		p.now = nil
	}
	if p.rule == byLink && !p.old.held() && p.unlinked {
		p.hopeless(most)
	}
}

// neverHad sets a link aside that leads to what was never had, as far as is remembered: after the memory was lost nobody can tell whether it
// was a document, and what hung on it. It is false once that was seen often enough, or when the link is new.
func (l *look) neverHad(p *page, err error) bool {
	first := l.stateless()
	if !first && (p.old == nil || p.old.gone >= l.cfg.MissingAfter) {
		p.now = p.old
		return false
	}
	p.aside(err)
	p.hopeless(l.cfg.MissingAfter)
	return first || p.unlinked
}

// hopeless counts how often in a row a page could not be had that never was. A crawl must not wait for it for ever, since links to what
// is not for everybody are common.
func (p *page) hopeless(most int) {
	e := entry{gone: 1}
	if p.old != nil {
		e = *p.old
		e.gone = min(e.gone+1, most)
	}
	p.now = &e
	p.unlinked = e.gone < most
}

// nothing notes that a page is no document.
func (p *page) nothing(format string, args ...any) {
	p.outcome, p.note = isNothing, fmt.Sprintf(format, args...)
}

// look looks at the site. A failure of the listing is part of the result; the error is for what makes a result impossible.
func (s *Site) look(ctx context.Context, known sources.Known) (*result, error) {
	old, err := load(s.memory, s.loaded)
	if err != nil {
		return nil, fmt.Errorf("read what is remembered of the site: %w", err)
	}
	s.loaded = old
	l := s.newLook()
	l.known, l.old, l.next = known, old, old.listing
	if l.next.settings != s.listingSettings {
		l.next = listing{settings: s.listingSettings}
	}
	if r := s.last(); r != nil {
		l.before = r.pages
		l.pages, l.order = make(map[string]*page, len(r.pages)), make([]*page, 0, len(r.pages))
	}
	before := s.traffic()
	if err := l.run(ctx); err != nil {
		return nil, err
	}
	l.doubt()
	l.missed()
	r := l.resolve()
	r.cost = s.traffic().since(before)
	r.cost.Duration = time.Since(l.started)
	r.cost.Pages = r.costs
	if err := l.remember(r); err != nil {
		return nil, err
	}
	l.summary(r)
	return r, nil
}

// newLook is a look that knows nothing yet.
func (s *Site) newLook() *look {
	return &look{Site: s, started: time.Now(), old: &remembered{}, pages: map[string]*page{}, maps: map[string]*entry{}}
}

// run finds all addresses and looks at them.
func (l *look) run(ctx context.Context) error {
	for _, a := range l.urls {
		l.addAs(a.text, a.url, byURLs, "")
	}
	if l.cfg.Sitemap != "" {
		if err := l.readSitemaps(ctx); err != nil {
			return err
		}
	}
	if err := l.visit(ctx, l.order); err != nil {
		return err
	}
	if l.start != nil {
		return l.crawl(ctx)
	}
	return nil
}

// add lists an address, unless it is listed already.
func (l *look) add(u *url.URL, by rule, from string) (*page, bool) {
	return l.addAs(u.String(), u, by, from)
}

func (l *look) addAs(address string, u *url.URL, by rule, from string) (*page, bool) {
	if p := l.pages[address]; p != nil {
		return p, false
	}
	p := &page{address: address, url: u, rule: by, from: from, rank: len(l.order), old: l.old.pages[address]}
	if before := l.before[address]; before != nil {
		p.path = before.path
	} else {
		p.path = keyPath(u, l.host)
	}
	l.pages[address] = p
	l.order = append(l.order, p)
	return p, true
}

// visit looks at pages, several at a time.
func (l *look) visit(ctx context.Context, pages []*page) error {
	g, gctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	// As many as the client lets through: more would only wait for one another, which costs more than what they could do meanwhile.
	for range min(len(pages), l.cfg.Concurrency*min(len(l.hosts), 16)) {
		g.Go(func() error {
			for gctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(pages) {
					return nil
				}
				if err := l.visitOne(gctx, pages[i]); err != nil {
					return err
				}
			}
			return gctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// visitOne looks at a page. Its error ends the look.
func (l *look) visitOne(ctx context.Context, p *page) error {
	started := time.Now()
	err := l.ask(ctx, p)
	p.took = time.Since(started)
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, disk := errors.AsType[errCache](err); disk {
		return err
	}
	if err != nil {
		p.trouble(err, l.cfg.MissingAfter)
		l.askAgain(p)
	}
	l.noteFound(p)
	if l.log.Enabled(ctx, slog.LevelDebug) {
		l.log.Debug("looked at a page", "address", kb.Printable(shown(p.address)), "outcome", p.outcome.String(), "requests", p.requests,
			"not_modified", p.unmodified, "bytes", p.received, "err", p.err)
	}
	n := l.seen.Add(1)
	if l.known.Looked != nil {
		l.known.Looked(int(n))
	}
	return nil
}

// noteFound puts into the memory of a page over what it was found.
func (l *look) noteFound(p *page) {
	if p.now != nil && (p.now.rule != p.rule || p.now.from != p.from) {
		e := *p.now
		e.rule, e.from = p.rule, p.from
		p.now = &e
	}
}

// lacks notes that the listing is not complete.
func (l *look) lacks(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lacking = append(l.lacking, err)
}

// doubts notes that what is missing may not be gone.
func (l *look) doubts(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unsure = append(l.unsure, err)
}

// complete tells that what is not listed is gone.
func (l *look) complete() bool { return len(l.lacking)+len(l.unsure) == 0 }

// missed notes that most pages could not be had: then the site is at fault, and not the pages.
func (l *look) missed() {
	failed, last := 0, error(nil)
	for _, p := range l.order {
		switch {
		case p.outcome == isTrouble && (p.loud() || p.unlinked):
			failed, last = failed+1, p.err
		case p.outcome == isDocument && p.now.size == 0:
			failed, last = failed+1, errNothing
		}
	}
	if failed > 1 && 2*failed > len(l.order) {
		l.lacks(fault.New(fault.ErrIncomplete, "%d of %d pages cannot be had; nothing is deleted", failed, len(l.order)).Because(neutral(last)))
	}
}

// sortedPages are pages in the order of their addresses.
func sortedPages(pages []*page) []*page {
	return slices.SortedFunc(slices.Values(pages), func(a, b *page) int {
		switch {
		case a.address < b.address:
			return -1
		case a.address > b.address:
			return 1
		}
		return 0
	})
}
