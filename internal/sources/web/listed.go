package web

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources/web/fetch"
)

// maxAtOnce is how many sitemaps are in memory at the same time.
const maxAtOnce = 4

// collected is what the sitemaps that were read so far list.
type collected struct {
	found    map[string]string // addresses of pages, and the sitemap that lists them first
	visited  map[string]bool   // sitemaps
	next     []string          // those that are to be read after this level
	bytes    int               // of addresses
	failed   bool              // one of them was not read
	foreign  int               // addresses on hosts that the configuration does not name
	strange  int               // entries that are no address
	examples []string          // of both
}

// readSitemaps lists what the sitemap and those that it leads to name. Trouble makes the listing incomplete, and what the other files
// list is looked at all the same; the error is for what ends the look.
func (l *look) readSitemaps(ctx context.Context) error {
	root, ok := parseAddress(l.cfg.Sitemap)
	if !ok {
		return nil
	}
	c := &collected{found: map[string]string{}, visited: map[string]bool{root.String(): true}}
	level := []string{root.String()}
	for depth := 0; len(level) > 0; depth++ {
		if depth > maxNesting || len(c.visited) > maxSitemaps {
			l.lacks(fault.New(fault.ErrIncomplete, "the sitemap leads to more than %d others, or nests deeper than %d; nothing is deleted", maxSitemaps, maxNesting))
			return nil
		}
		c.next = nil
		for some := range slices.Chunk(level, min(max(l.cfg.Concurrency, 1), maxAtOnce)) {
			if err := l.readFiles(ctx, c, some, depth > 0); err != nil {
				return err
			}
			if len(c.found) > maxAddresses || c.bytes > 2*maxListed {
				l.lacks(fault.New(fault.ErrIncomplete, "the sitemap lists %s", errTooMany))
				return nil
			}
		}
		level = c.next
	}
	l.checkDropped(c)
	if !c.failed {
		l.next.sitemap = l.trust(l.next.sitemap, "sitemap", len(c.found))
	}
	for _, address := range slices.Sorted(maps.Keys(c.found)) {
		if u, ok := parseAddress(address); ok && l.globs.keeps(u) {
			l.add(u, bySitemap, c.found[address])
		}
	}
	return nil
}

// readFiles reads some sitemaps at the same time, and takes what they list in order.
func (l *look) readFiles(ctx context.Context, c *collected, addresses []string, child bool) error {
	files := make([]sitemapFile, len(addresses))
	var wg sync.WaitGroup
	for i, address := range addresses {
		wg.Go(func() { files[i] = l.getSitemap(ctx, address, child) })
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	for i := range files {
		f := &files[i]
		if _, disk := errors.AsType[errCache](f.err); disk {
			return f.err
		}
		if f.err != nil {
			l.lacks(f.err)
			c.failed = c.failed || f.missing == 0
		} else {
			n := l.takeSitemap(c, f)
			if child && f.missing == 0 {
				l.trustFile(f, n)
			}
		}
		if f.now != nil {
			l.noteSitemap(f.address, f.now)
		}
	}
	return nil
}

// trust asks whether a listing may be believed, and notes it when not.
func (l *look) trust(t tally, what string, n int) tally {
	t, err := t.believe(what, n, l.cfg.MissingAfter)
	if err != nil {
		l.lacks(err)
	}
	return t
}

// trustFile asks whether one of several sitemaps may be believed: its loss may be a small one for the whole site. One that never listed
// anything is nothing that was lost.
func (l *look) trustFile(f *sitemapFile, n int) {
	if t := fileTally(f.old); n > 0 || t.had > 0 {
		f.now.setTally(l.trust(t, "sitemap "+kb.Printable(shown(f.address)), n))
	}
}

// takeSitemap sorts out what one file lists, and gives the number of addresses that may be looked at.
func (l *look) takeSitemap(c *collected, f *sitemapFile) (own int) {
	c.strange += f.unreadable
	for _, e := range f.examples {
		c.example(e)
	}
	for _, address := range f.pages {
		if !l.mayAsk(address, c) {
			continue
		}
		own++
		if c.found[address] == "" {
			c.bytes += len(address)
			c.found[address] = f.address
		}
	}
	for _, address := range f.maps {
		if c.visited[address] || !l.mayAsk(address, c) {
			continue
		}
		own++
		c.visited[address] = true
		c.next = append(c.next, address)
	}
	return own
}

// mayAsk tells whether an address is on a host that the configuration names, and counts the others.
func (l *look) mayAsk(address string, c *collected) bool {
	u, err := url.Parse(address)
	if err == nil && l.hosts[u.Host] {
		return true
	}
	c.foreign++
	c.example(example(address))
	return false
}

func (c *collected) example(s string) {
	if len(c.examples) < maxExamples {
		c.examples = append(c.examples, s)
	}
}

// checkDropped tells what is listed and not looked at. When that is most of the listing, the generator was set up wrongly, or is broken:
// a wrong host in its settings is no reason to empty a knowledge base.
func (l *look) checkDropped(c *collected) {
	n := c.foreign + c.strange
	if n == 0 {
		return
	}
	l.log.Warn("the sitemap lists addresses that are not looked at", "other_hosts", c.foreign, "unreadable", c.strange, "examples", c.examples)
	if n > len(c.found) {
		l.lacks(fault.New(fault.ErrIncomplete, "%d of %d addresses in the sitemap are on other hosts or cannot be read, such as %s; nothing is deleted",
			n, n+len(c.found), c.examples[0]).WithHint("correct the sitemap; a host that is meant must be named by an address under urls"))
	}
}

// sitemapFile is one sitemap in a look.
type sitemapFile struct {
	sitemap
	address string
	old     *entry // what was known of it; may be nil
	now     *entry // what is to be remembered; nil: nothing
	missing int    // answers in a row that there is no such file; with an error it is not believed yet
	err     error  // why nothing is known of it
}

// failed is a sitemap of which nothing is known; what was remembered of it stays, but for what is counted in a row.
func (f *sitemapFile) failed(err *fault.Error) {
	f.sitemap, f.err = sitemap{}, err
	if f.old == nil && f.missing == 0 {
		return
	}
	f.now = &entry{}
	if f.old != nil {
		*f.now = *f.old
	}
	f.now.gone = f.missing
}

// getSitemap gets one sitemap, from the cache when it did not change.
func (l *look) getSitemap(ctx context.Context, address string, child bool) (f sitemapFile) {
	f.address, f.old = address, l.old.maps[address]
	name := kb.Printable(shown(address))
	r := fetch.Request{URL: address, MaxBytes: maxSitemap, Accept: "application/xml,text/xml,text/plain;q=0.8,*/*;q=0.5"}
	if f.old.held() && f.old.settings == keptForm && l.cache.has(f.old.print, f.old.size) {
		r.ETag, r.LastModified = f.old.etag, f.old.modified
	}
	got, err := l.client.Get(ctx, r)
	if err == nil && got.Status == http.StatusNotModified {
		if kept, ok := l.keptSitemap(f.old); ok && got.URL == f.old.at(address) {
			e := *f.old
			e.gone = 0
			f.sitemap, f.now = kept, &e
			return f
		}
		r.ETag, r.LastModified = "", ""
		got, err = l.client.Get(ctx, r)
	}
	switch {
	case err != nil:
		f.failed(fault.New(fault.ErrIncomplete, "the sitemap %s cannot be had; nothing is deleted", name).Because(neutral(err)))
	case got.Status == http.StatusOK:
		l.readAnswer(&f, got, name)
	case child:
		l.missingSitemap(&f, got.Status, name)
	default:
		f.failed(fault.New(fault.ErrIncomplete, "the sitemap %s answers %d; nothing is deleted", name, got.Status).
			WithHint("correct the address of the sitemap"))
	}
	return f
}

// readAnswer reads a sitemap that came.
func (l *look) readAnswer(f *sitemapFile, got *fetch.Page, name string) {
	defer func() { _ = got.Body.Close() }()
	base, _ := parseAddress(got.URL)
	s, err := readSitemap(got.Body, got.ContentType, base)
	if err != nil {
		f.failed(fault.New(fault.ErrIncomplete, "the sitemap %s cannot be read; nothing is deleted", name).Because(neutral(err)))
		return
	}
	f.sitemap, f.now = s, &entry{settings: keptForm, etag: got.ETag, modified: got.LastModified}
	if got.URL != f.address {
		f.now.final = got.URL
	}
	if f.old != nil {
		f.now.way = f.old.way
	}
	f.err = l.keepAnswer(&s, f.now, f.old)
}

// missingSitemap counts how often in a row a file that an index names was not there. An index that goes on naming it must not hold up
// the site for ever.
func (l *look) missingSitemap(f *sitemapFile, status int, name string) {
	f.missing = 1
	if f.old != nil {
		f.missing = min(f.old.gone+1, l.cfg.MissingAfter)
	}
	f.failed(fault.New(fault.ErrIncomplete, "the sitemap %s answers %d (%d of %d in a row); nothing is deleted", name, status, f.missing, l.cfg.MissingAfter).
		WithHint("it counts as gone after %d such answers", l.cfg.MissingAfter))
	if f.missing >= l.cfg.MissingAfter {
		l.log.Warn("a sitemap that the index names is gone", "sitemap", name, "status", status)
		f.err = nil
	}
}
