package web

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"slices"

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
	e := &entry{settings: l.pageSettings, etag: got.ETag, modified: got.LastModified, rule: p.rule, from: p.from, fresh: l.capFresh(got.Fresh)}
	if f := final.String(); f != p.address {
		e.final = f
	}
	if got.Moved != "" && canonicalForm(got.Moved) != p.address {
		e.moved = canonicalForm(got.Moved)
	}
	err := l.takeContent(ctx, p, e, got, final)
	p.received, p.content = got.Received(), true
	if err != nil {
		return err
	}
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

// equal tells whether all that a look can learn from a page is the same; when it must be asked again does not count.
func (e *entry) equal(o *entry) bool {
	a, b := *e, *o
	a.fresh, b.fresh = 0, 0
	return bytes.Equal(a.encode(), b.encode())
}

// astray tells whether redirects led to where the page cannot be.
func (l *look) astray(p *page, final *url.URL) (bool, error) {
	switch {
	case toLogin(p.url, final):
		p.unlinked = !p.old.held() && p.loud()
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
	src, err := io.ReadAll(io.LimitReader(body, maxHTML+1))
	if err != nil {
		p.unlinked = !p.old.held() && !lasting(err)
		return err
	}
	if len(src) > maxHTML {
		return fault.New(fault.ErrTooLarge, "is a page of more than %d MB", maxHTML>>20).WithHint("leave it out with exclude")
	}
	a, err := article.Read(ctx, src, got.ContentType, final, article.Options{Whole: l.cfg.Content == "page", Selector: l.cfg.Selector})
	if err != nil {
		return err
	}
	if err := l.suspicious(p, a); err != nil {
		return err
	}
	l.describe(p, e, a)
	p.outcome = isDocument
	if e.noIndex && p.rule != byURLs {
		p.nothing("the page asks not to be indexed")
	}
	if l.cfg.Content == "raw" {
		e.typ, e.way = extensionFor(p.path, media, head), ""
		err = l.keepBytes(e, src)
	} else {
		e.typ = ".md"
		err = l.keepBytes(e, a.Markdown)
	}
	return err
}

// suspicious is the error for a page that is not what its address promises.
func (l *look) suspicious(p *page, a article.Page) error {
	p.unlinked = !p.old.held() && p.loud()
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
	p.unlinked = false
	return nil
}

// describe fills in what a page says of itself.
func (l *look) describe(p *page, e *entry, a article.Page) {
	e.noIndex, e.way = a.NoIndex, a.Way
	if c := canonicalForm(a.Canonical); a.Canonical != "" && c != p.address && c != e.at(p.address) {
		e.canonical = c
	}
	if r := canonicalForm(a.Refresh); a.Refresh != "" && r != p.address && r != e.at(p.address) {
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
