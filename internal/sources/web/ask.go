package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources/web/fetch"
)

// Bounds of answers, and of how long a site may forbid to ask.
const (
	maxHTML  = 16 << 20
	maxFile  = 64 << 20
	maxFresh = time.Hour
)

// ask finds out what a page is now. An error is trouble with the page, or with the disk.
func (l *look) ask(ctx context.Context, p *page) error {
	if ok, err := l.welcome(ctx, p, p.address); !ok || err != nil {
		return err
	}
	if p.old.held() && p.old.settings == l.pageSettings && !l.known.Anew && l.isFresh(p) {
		return l.same(p)
	}
	got, err := l.get(ctx, p)
	if err != nil {
		p.unlinked = !p.old.held() && !lasting(err)
		return err
	}
	if got.Body != nil {
		defer func() { _ = got.Body.Close() }()
	}
	switch got.Status {
	case http.StatusNotModified:
		p.unmodified = true
		l.noteFresh(p.address, got.Fresh)
		return l.same(p)
	case http.StatusOK:
		l.noteFresh(p.address, got.Fresh)
		return l.take(ctx, p, got)
	case http.StatusNotFound, http.StatusGone:
		l.missing(p, got.Status)
		return nil
	}
	return fault.New(errPage, "answers %d", got.Status)
}

// stateless tells that nothing is known of earlier looks: then what a page was cannot be told, and what the targets hold of it stays.
func (l *look) stateless() bool { return len(l.old.pages) == 0 }

// errPage is the class of trouble with one page. It is none of package fault, because it says nothing about a target.
var errPage = errors.New("page cannot be had")

// neutral keeps the text of an error, and its class only when that says nothing about a target.
func neutral(err error) error {
	if fault.StopsTarget(err) {
		return errors.New(err.Error())
	}
	return err
}

// lasting tells an error that will be the same the next time, such as a link to what is not for everybody: a crawl that waited for
// such pages would never be complete.
func lasting(err error) bool {
	return errors.Is(err, fault.ErrDenied) || errors.Is(err, fault.ErrUnsupported) || errors.Is(err, fault.ErrTooLarge)
}

// welcome asks robots.txt about the address of a page that nobody listed by hand: its own, or the one that it leads to.
func (l *look) welcome(ctx context.Context, p *page, address string) (bool, error) {
	if p.rule == byURLs || l.cfg.IgnoreRobots {
		return true, nil
	}
	ok, why, err := l.client.Allowed(ctx, address)
	if err != nil {
		p.unlinked = !p.old.held()
		return false, err
	}
	if ok {
		return true, nil
	}
	if p.old.held() {
		return false, fault.New(errPage, "%s, and did allow it before", kb.Printable(why)).
			WithHint("leave it out with exclude, or set ignore_robots if the site is yours")
	}
	err = fault.New(errPage, "%s", kb.Printable(why)).WithHint("leave it out with exclude, or set ignore_robots if the site is yours")
	if p.rule == bySitemap {
		p.aside(err)
		return false, nil
	}
	if l.neverHad(p, err) {
		return false, nil
	}
	p.nothing("%s; ignore_robots: true asks nevertheless", why)
	return false, nil
}

// get asks for a page: where it moved to, with what validators there are, and once more from the beginning when that leads nowhere.
func (l *look) get(ctx context.Context, p *page) (*fetch.Page, error) {
	r := fetch.Request{URL: p.address, MaxBytes: maxFile}
	moved := ""
	if p.old.held() && p.old.settings == l.pageSettings && !l.known.Anew {
		r.ETag, r.LastModified = p.old.etag, p.old.modified
		if moved = l.movedTo(p); moved != "" {
			r.URL = moved
		}
	}
	got, err := l.fetch(ctx, p, r)
	if moved != "" && (err != nil || got.Status == http.StatusNotFound || got.Status == http.StatusGone) {
		moved, r = "", fetch.Request{URL: p.address, MaxBytes: maxFile}
		got, err = l.fetch(ctx, p, r)
	}
	if err == nil && got.Status == http.StatusNotModified && (r.ETag == "" && r.LastModified == "" || !l.sameAddress(got.URL, p.old.at(p.address))) {
		if r.ETag == "" && r.LastModified == "" {
			return nil, fault.New(errPage, "answers 304 to a request without a condition").WithHint("the server or a cache before it is at fault")
		}
		r.ETag, r.LastModified = "", ""
		if got, err = l.fetch(ctx, p, r); err == nil && got.Status == http.StatusNotModified {
			return nil, fault.New(errPage, "answers 304 to a request without a condition").WithHint("the server or a cache before it is at fault")
		}
	}
	if err == nil && got.Moved == "" {
		got.Moved = moved
	}
	if err == nil && moved == "" {
		l.noteMove(p, got.Moved)
	}
	return got, err
}

// move is where a permanent redirect led when it was last asked for.
type move struct {
	to    string
	asked time.Time
}

// maxMove is how long a permanent redirect is taken at its word: one that was set up by mistake must be undone some day.
const maxMove = 24 * time.Hour

// movedTo is where a page can be asked for without the way over a permanent redirect; "" when the redirect must be asked.
func (l *look) movedTo(p *page) string {
	l.Site.mu.Lock()
	defer l.Site.mu.Unlock()
	if m := l.moves[p.address]; l.started.Sub(m.asked) < maxMove {
		return m.to
	}
	return ""
}

// noteMove notes where a page moved. It is kept in the process only, where it costs no write, and where no address with a signature is
// seen.
func (l *look) noteMove(p *page, to string) {
	l.Site.mu.Lock()
	defer l.Site.mu.Unlock()
	if to == "" {
		delete(l.moves, p.address)
	} else {
		l.moves[p.address] = move{to, l.started}
	}
}

func (l *look) fetch(ctx context.Context, p *page, r fetch.Request) (*fetch.Page, error) {
	got, err := l.client.Get(ctx, r)
	if err != nil {
		p.requests++
		return nil, err
	}
	p.requests += got.Requests
	return got, nil
}

// sameAddress tells whether an answer came from the address that is remembered. It spares the parsing, which for an unchanged page would
// be most of the work.
func (l *look) sameAddress(a, noted string) bool {
	if a == noted {
		return true
	}
	u, ok := parseAddress(a)
	return ok && (u.String() == noted || l.noted(u) == noted)
}

// signed stands before the digest that takes the place of a query.
const signed = "?sha256="

// noted is an address as it is remembered. The query of one that nobody listed may be a signature or a token; its digest tells as well
// whether it is another one.
func (l *look) noted(u *url.URL) string {
	if a := u.String(); u.RawQuery == "" || l.pages[a] != nil {
		return a
	}
	return bare(u).String() + signed + kb.Sum([]byte(u.RawQuery)).String()
}

func bare(u *url.URL) *url.URL {
	b := *u
	b.RawQuery = ""
	return &b
}

func canonicalForm(address string) string {
	if u, ok := parseAddress(address); ok {
		return u.String()
	}
	return address
}

// same takes a page for what it was.
func (l *look) same(p *page) error {
	p.now = p.old
	if p.old.gone > 0 {
		e := *p.old
		e.gone = 0
		p.now = &e
	}
	p.outcome = isDocument
	if p.now.noIndex && p.rule != byURLs {
		p.nothing("the page asks not to be indexed")
	}
	return nil
}

// missing counts how often a page has answered that it is not there.
func (l *look) missing(p *page, status int) {
	if p.rule == byLink && !p.old.held() {
		if !l.neverHad(p, fault.New(fault.ErrNotFound, "a broken link: it answers %d; that is believed when it was seen often enough", status).
			WithHint("correct the link, or leave the page out with exclude")) {
			p.nothing("a broken link: it answers %d", status)
		}
		l.log.Debug("a link leads nowhere", "address", kb.Printable(shown(p.address)), "from", kb.Printable(shown(p.from)), "status", status)
		l.mu.Lock()
		l.broken++
		l.mu.Unlock()
		return
	}
	e := entry{}
	if p.old != nil {
		e = *p.old
	}
	before := e.gone
	e.gone = min(before+1, l.cfg.MissingAfter)
	p.now = &e
	if e.gone == before {
		p.now = p.old
	}
	if e.gone >= l.cfg.MissingAfter {
		p.nothing("it answers %d, and has done so %d times in a row", status, e.gone)
		if p.rule == byURLs {
			l.log.Warn("a page under urls is gone; remove it there", "address", kb.Printable(shown(p.address)), "status", status)
		}
		return
	}
	p.outcome = isTrouble
	if !p.old.held() {
		p.err = fault.New(fault.ErrNotFound, "answers %d (%d of %d in a row)", status, e.gone, l.cfg.MissingAfter).WithHint("correct the address, or the page that lists it")
		return
	}
	p.err = fault.New(fault.ErrNotFound, "answers %d (%d of %d in a row); it is removed after that", status, e.gone, l.cfg.MissingAfter)
}

// isFresh tells whether the site said that the page need not be asked yet.
func (l *look) isFresh(p *page) bool {
	until := p.old.fresh
	l.Site.mu.Lock()
	if t, ok := l.freshUntil[p.address]; ok {
		until = t
	}
	l.Site.mu.Unlock()
	// A time beyond what is ever noted comes from a clock that was wrong.
	return until > l.started.Unix() && until <= l.started.Add(maxFresh).Unix()
}

// noteFresh notes until when a page need not be asked. It is kept in the process; on disk it goes with the next change of the page, so that
// an unchanged look writes nothing.
func (l *look) noteFresh(address string, until time.Time) {
	l.Site.mu.Lock()
	defer l.Site.mu.Unlock()
	if u := l.capFresh(until); u > 0 {
		l.freshUntil[address] = u
	} else {
		delete(l.freshUntil, address)
	}
}

func (l *look) capFresh(until time.Time) int64 {
	if until.IsZero() || !until.After(l.started) {
		return 0
	}
	if most := l.started.Add(maxFresh); until.After(most) {
		until = most
	}
	return until.Unix()
}

func bytesReader(b []byte) io.Reader { return bytes.NewReader(b) }
