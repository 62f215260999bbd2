package web

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/semaphore"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources/web/article"
	"kbsyncd/internal/sources/web/fetch"
)

// take makes a document of an answer, or says why it is none.
func (l *look) take(ctx context.Context, p *page, got *fetch.Page) error {
	final, ok := parseAddress(got.URL)
	if !ok {
		return fault.New(errPage, "a redirect leads to what is no address of a page")
	}
	if stop, err := l.astray(p, final); stop {
		return err
	}
	if final.String() != p.address {
		if ok, err := l.welcome(ctx, p, final.String()); !ok || err != nil {
			return err
		}
	}
	e := &entry{settings: l.pageSettings, etag: got.ETag, modified: got.LastModified, rule: p.rule, from: p.from, fresh: l.capFresh(got.Fresh)}
	e.noIndex = robotsForbid(got.Robots)
	if final.String() != p.address {
		e.final = l.noted(final)
	}
	if moved, ok := parseAddress(got.Moved); ok && moved.String() != p.address {
		e.moved = l.noted(moved)
	}
	err := l.takeContent(ctx, p, e, got, final)
	p.received, p.content = got.Received(), true
	if err != nil {
		return err
	}
	if e.size == 0 && p.old.held() && p.old.size > 0 {
		return errNothing
	}
	if e.noIndex && p.rule != byURLs {
		p.nothing("the page asks not to be indexed")
	}
	p.said = e
	e.changed = l.started.Unix()
	if p.old.held() && p.old.print == e.print {
		e.changed = p.old.changed
		if p.old.equal(e) {
			p.now = p.old
			return nil
		}
	}
	p.now = e
	return nil
}

// errNothing is for a page that had content and has none.
var errNothing = fault.New(errPage, "answers 200 with nothing in it").WithHint("the server is at fault; if it is meant so, leave the page out with exclude")

// equal tells whether all that a look can learn from a page is the same; when it must be asked again does not count.
func (e *entry) equal(o *entry) bool {
	a, b := *e, *o
	a.fresh, b.fresh = 0, 0
	if a.print == b.print {
		// A signature is another one each time.
		a.final, b.final = unsigned(a.final), unsigned(b.final)
		a.moved, b.moved = unsigned(a.moved), unsigned(b.moved)
	}
	return bytes.Equal(a.encode(), b.encode())
}

func unsigned(noted string) string {
	address, _, _ := strings.Cut(noted, signed)
	return address
}

// astray tells whether redirects led to where the page cannot be.
func (l *look) astray(p *page, final *url.URL) (bool, error) {
	switch {
	case toLogin(p.url, final):
		p.unlinked = !p.old.held()
		return true, fault.New(errPage, "leads to a page to sign in at %s", kb.Printable(final.Host)).
			WithHint("give what the site wants under headers, or leave the page out with exclude")
	case p.rule != byLink || l.isStart(p):
		return false, nil
	case below(l.start, final):
		return false, nil
	}
	if p.old.held() {
		return true, fault.New(errPage, "now leads to %s, which is outside of the crawl", kb.Printable(shown(final.String()))).
			WithHint("leave it out with exclude, or list it under urls")
	}
	p.nothing("it leads to %s, which is outside of the crawl", shown(final.String()))
	return true, nil
}

func (l *look) isStart(p *page) bool { return l.start != nil && p.address == l.start.String() }

// takeContent reads the body and fills in what the entry says of it.
func (l *look) takeContent(ctx context.Context, p *page, e *entry, got *fetch.Page, final *url.URL) error {
	body := bufio.NewReaderSize(got.Body, sniffed)
	head, err := body.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		p.unlinked = !p.old.held() && !lasting(err)
		return err
	}
	media := mediaOf(got.ContentType, head)
	if !isHTML(media) {
		e.typ = extensionFor(p.path, media, head)
		p.outcome = isDocument
		return l.keep(e, body)
	}
	src, done, err := l.readPage(ctx, body)
	if err != nil {
		p.unlinked = !p.old.held() && !lasting(err)
		return err
	}
	defer done()
	if len(src) > maxHTML {
		return fault.New(fault.ErrTooLarge, "is a page of more than %d MB", maxHTML>>20).WithHint("leave it out with exclude")
	}
	a, err := l.parse(ctx, p, src, got.ContentType, final)
	l.describe(p, e, a, final)
	if err == nil {
		err = l.suspicious(a)
	}
	if err != nil {
		if a.Suspect == article.None && len(e.links) > 0 {
			p.said = e
		}
		p.unlinked = !p.old.held() && p.said == nil
		return err
	}
	p.outcome = isDocument
	if l.cfg.Content == "raw" {
		e.typ, e.way = extensionFor(p.path, media, head), ""
		err = l.keepBytes(e, src)
	} else {
		e.typ = ".md"
		err = l.keepBytes(e, a.Markdown)
	}
	return err
}

// parsed bounds the pages that are being taken apart at once, in all sites together: it takes thirty times their size of memory.
var parsed = semaphore.NewWeighted(maxParsed)

const maxParsed = 8 << 20

// parse takes a page apart. Its address is left without what redirects added to it, which may be a signature.
func (l *look) parse(ctx context.Context, p *page, src []byte, contentType string, final *url.URL) (article.Page, error) {
	size := min(int64(len(src)), maxParsed)
	if err := parsed.Acquire(ctx, size); err != nil {
		return article.Page{}, err
	}
	defer parsed.Release(size)
	at := final
	if final.String() != p.address {
		at = bare(final)
	}
	return article.Read(ctx, src, contentType, at, article.Options{Whole: l.cfg.Content == "page", Selector: l.cfg.Selector})
}

// large is from how many bytes on pages of a site are read and taken apart one after the other.
const large = 1 << 20

// readPage reads a page, and a large one in its turn, which ends with done. Then what it took is collected: the next one would double it.
func (l *look) readPage(ctx context.Context, body io.Reader) (src []byte, done func(), err error) {
	done = func() {}
	if src, err = io.ReadAll(io.LimitReader(body, large)); err != nil || len(src) < large {
		return src, done, err
	}
	if err := l.largeTurn.Acquire(ctx, 1); err != nil {
		return nil, done, err
	}
	rest, err := io.ReadAll(io.LimitReader(body, maxHTML+1-large))
	if err != nil {
		l.largeTurn.Release(1)
		return nil, done, err
	}
	return append(src, rest...), func() {
		runtime.GC()
		l.largeTurn.Release(1)
	}, nil
}

// suspicious is the error for a page that is not what its address promises.
func (l *look) suspicious(a article.Page) error {
	why := kb.Printable(a.Reason)
	switch {
	case a.Suspect == article.NotFound:
		return fault.New(errPage, "looks like a page that says that there is no such page (%s), yet answers 200", why).
			WithHint("if it is gone, leave it out; if it is a real page, content: raw takes it as it is")
	case a.Suspect == article.Login:
		return fault.New(errPage, "asks to sign in (%s)", why).
			WithHint("give what the site wants under headers, or leave the page out with exclude")
	case l.cfg.Content != "raw" && a.Refresh == "" && len(bytes.TrimSpace(a.Markdown)) == 0:
		return fault.New(errPage, "holds no text; a script may fill it in, and scripts are not run").
			WithHint("name the article with selector, or leave the page out with exclude")
	}
	return nil
}

// describe fills in what a page says of itself.
func (l *look) describe(p *page, e *entry, a article.Page, final *url.URL) {
	e.noIndex, e.way = e.noIndex || a.NoIndex, a.Way
	here := []string{p.address, final.String()}
	if c := canonicalForm(a.Canonical); a.Canonical != "" && !slices.Contains(here, c) {
		e.canonical = c
	}
	if r := canonicalForm(a.Refresh); a.Refresh != "" && !slices.Contains(here, r) {
		e.refresh = r
	}
	if l.start == nil {
		return
	}
	seen := map[string]bool{}
	for _, link := range append(a.Links, a.Refresh) {
		u, ok := parseAddress(link)
		if !ok || !below(l.start, u) || len(e.links) >= maxLinks {
			continue
		}
		if _, ok := followable(u); ok && !seen[u.String()] {
			seen[u.String()] = true
			e.links = append(e.links, u.String())
		}
	}
	slices.Sort(e.links)
}

// keepBytes is keep for content that is in memory, and writes nothing that is there already.
func (l *look) keepBytes(e *entry, content []byte) error {
	if d := kb.Sum(content); l.cache.has(d, int64(len(content))) {
		e.print, e.size = d, int64(len(content))
		return nil
	}
	return l.keep(e, bytes.NewReader(content))
}

// keep puts the content of a document into the cache.
func (l *look) keep(e *entry, content io.Reader) error {
	var err error
	if e.print, e.size, err = l.cache.add(content); err == nil {
		l.wrote.Store(true)
	}
	return err
}
