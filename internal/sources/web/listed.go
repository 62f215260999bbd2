package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"

	"golang.org/x/sync/errgroup"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources/web/fetch"
)

// readSitemaps lists what the sitemap and those that it leads to name. Trouble makes the listing incomplete; the error is for what ends
// the look.
func (l *look) readSitemaps(ctx context.Context) error {
	root, ok := parseAddress(l.cfg.Sitemap)
	if !ok {
		return nil
	}
	found, foreign := map[string]string{}, 0
	visited := map[string]bool{root.String(): true}
	level := []string{root.String()}
	for depth := 0; len(level) > 0; depth++ {
		if depth > maxNesting || len(visited) > maxSitemaps {
			l.lacks(fault.New(fault.ErrIncomplete, "the sitemap leads to more than %d others, or nests deeper than %d; nothing is deleted", maxSitemaps, maxNesting))
			return nil
		}
		files := make([]sitemap, len(level))
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(l.cfg.Concurrency)
		for i, address := range level {
			g.Go(func() (err error) {
				files[i], err = l.getSitemap(gctx, address)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			if _, disk := errors.AsType[errCache](err); disk || ctx.Err() != nil {
				return errors.Join(ctx.Err(), err)
			}
			l.lacks(err)
		}
		var next []string
		for i, f := range files {
			foreign += l.takeSitemap(f, level[i], found, visited, &next)
			if len(found) > maxAddresses {
				l.lacks(fault.New(fault.ErrIncomplete, "the sitemap lists %s", errTooMany))
				return nil
			}
		}
		level = next
	}
	if foreign > 0 {
		l.log.Info("the sitemap lists addresses on other hosts, which are left out", "addresses", foreign)
	}
	if len(l.lacking) == 0 {
		l.next.sitemap = l.trust(l.next.sitemap, "sitemap", len(found))
	}
	for _, address := range slices.Sorted(keysOf(found)) {
		if u, ok := parseAddress(address); ok && l.globs.keeps(u) {
			l.add(u, bySitemap, found[address])
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

func keysOf(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// takeSitemap sorts out what one file lists, and counts what is on foreign hosts.
func (l *look) takeSitemap(f sitemap, at string, found map[string]string, visited map[string]bool, next *[]string) (foreign int) {
	for _, a := range f.pages {
		u, ok := parseAddress(a)
		switch {
		case !ok:
			l.log.Debug("the sitemap lists what is no address of a page", "sitemap", shown(at))
		case !l.hosts[u.Host]:
			foreign++
		default:
			if address := u.String(); found[address] == "" {
				found[address] = at
			}
		}
	}
	for _, a := range f.maps {
		u, ok := parseAddress(a)
		switch {
		case !ok || visited[u.String()]:
		case !l.hosts[u.Host]:
			foreign++
		default:
			visited[u.String()] = true
			*next = append(*next, u.String())
		}
	}
	return foreign
}

// getSitemap gets one sitemap, from the cache when it did not change.
func (l *look) getSitemap(ctx context.Context, address string) (sitemap, error) {
	old := l.old.maps[address]
	r := fetch.Request{URL: address, MaxBytes: maxSitemap, Accept: "application/xml,text/xml,text/plain;q=0.8,*/*;q=0.5"}
	if old.held() && l.cache.has(old.print, old.size) {
		r.ETag, r.LastModified = old.etag, old.modified
	}
	got, err := l.client.Get(ctx, r)
	if err == nil && got.Status == http.StatusNotModified {
		if kept, ok := l.keptSitemap(old); ok {
			l.noteSitemap(address, old)
			return kept, nil
		}
		r.ETag, r.LastModified = "", ""
		got, err = l.client.Get(ctx, r)
	}
	if err != nil {
		return sitemap{}, fault.New(fault.ErrIncomplete, "the sitemap %s cannot be had; nothing is deleted", kb.Printable(shown(address))).Because(neutral(err))
	}
	if got.Status != http.StatusOK {
		return sitemap{}, fault.New(fault.ErrIncomplete, "the sitemap %s answers %d; nothing is deleted", kb.Printable(shown(address)), got.Status).
			WithHint("correct the address of the sitemap")
	}
	defer func() { _ = got.Body.Close() }()
	s, err := readSitemap(got.Body, got.ContentType)
	if err != nil {
		return sitemap{}, fault.New(fault.ErrIncomplete, "the sitemap %s cannot be read; nothing is deleted", kb.Printable(shown(address))).Because(neutral(err))
	}
	e := &entry{etag: got.ETag, modified: got.LastModified}
	if e.etag == "" && e.modified == "" {
		return s, nil
	}
	encoded := s.encode()
	if old == nil || kb.Sum(encoded) != old.print || !l.cache.has(old.print, old.size) {
		l.wrote.Store(true)
	}
	if e.print, e.size, err = l.cache.add(bytesReader(encoded)); err != nil {
		return sitemap{}, err
	}
	l.noteSitemap(address, e)
	return s, nil
}

func (l *look) noteSitemap(address string, e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.maps[address] = e
}

// keptSitemap is what the cache has of a sitemap.
func (l *look) keptSitemap(e *entry) (sitemap, bool) {
	if !e.held() {
		return sitemap{}, false
	}
	f, ok := l.cache.open(e.print)
	if !ok {
		return sitemap{}, false
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, 4*maxSitemap))
	return decodeSitemap(b), err == nil
}
