package web

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/url"
	"sync"

	"golang.org/x/sync/semaphore"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/web/fetch"
)

// extraction is raised when the same page gives other Markdown than before: then all pages are asked for anew.
const extraction = 1

// Site is a website as a source.
type Site struct {
	name   string
	cfg    *Config
	log    *slog.Logger
	client *fetch.Client
	memory sources.Memory
	cache  *cache
	globs  globs
	urls   []address       // as configured
	start  *url.URL        // of the crawl; nil without one
	host   string          // that keys leave out
	hosts  map[string]bool // that the configuration names
	// What pages and listings that were seen with other settings are not compared with.
	pageSettings, listingSettings uint64

	largeTurn *semaphore.Weighted // of large pages

	turn chan struct{} // held by the one look that is under way; it owns results and loaded

	loaded *remembered // what the last look began with

	mu         sync.Mutex
	freshUntil map[string]int64 // by address: seconds since 1970
	moves      map[string]move  // by address
	results    []*result        // of the last looks, the newest last; replaced, never written to
}

var (
	_ sources.Source    = (*Site)(nil)
	_ sources.Checker   = (*Site)(nil)
	_ sources.Explainer = (*Site)(nil)
	_ sources.Metered   = (*Site)(nil)
	_ kb.Opener         = (*Site)(nil)
)

// address is a clean address in both of its forms.
type address struct {
	text string
	url  *url.URL
}

// Open implements sources.Config. It asks nothing of the site.
func (c *Config) Open(o sources.Options) (sources.Source, error) {
	s := &Site{
		name: o.Name, cfg: c, log: o.Logger, memory: o.Memory, cache: newCache(o.CacheDir, o.Name),
		globs: globs{c.Include, c.Exclude}, hosts: map[string]bool{}, turn: make(chan struct{}, 1), largeTurn: semaphore.NewWeighted(1),
		freshUntil: map[string]int64{}, moves: map[string]move{},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.memory == nil {
		s.memory = &processMemory{values: map[string][]byte{}}
	}
	var named []string
	for _, a := range append([]string{c.Crawl.Start, c.Sitemap}, c.URLs...) {
		u, ok := parseAddress(a)
		if !ok {
			continue
		}
		if s.host == "" {
			s.host = u.Host
		}
		s.hosts[u.Host] = true
		named = append(named, u.Scheme+"://"+u.Host)
	}
	for _, a := range c.URLs {
		if u, ok := parseAddress(a); ok {
			s.urls = append(s.urls, address{u.String(), u})
		}
	}
	if u, ok := parseAddress(c.Crawl.Start); ok {
		s.start = u
	}
	s.pageSettings = digest(c.Content, c.Selector, c.Crawl.Start, fmt.Sprint(extraction))
	s.listingSettings = digest(fmt.Sprintf("%q %q %d %q %q %v", c.Sitemap, c.Crawl.Start, c.Crawl.Depth, c.Include, c.Exclude, c.IgnoreRobots))
	var err error
	s.client, err = fetch.New(fetch.Options{
		Hosts: named, Headers: c.Headers, AllowPrivate: c.AllowPrivate, UserAgent: o.UserAgent,
		Concurrency: c.Concurrency, Rate: c.Rate, Timeout: c.Timeout, Logger: s.log,
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func digest(parts ...string) uint64 {
	h := fnv.New64a()
	for _, p := range parts {
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return h.Sum64()
}

// Close implements sources.Source.
func (s *Site) Close() error {
	s.client.Close()
	return s.cache.close()
}

// kept is how many results are remembered: passes over several targets may overlap with the next ones.
const kept = 2

// looked gives the result of a look for a scan: that of a scan of the same run, or a new one.
func (s *Site) looked(ctx context.Context, known sources.Known) (*result, error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.turn }()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r := s.ofRun(known.Run); r != nil {
		return r, nil
	}
	r, err := s.look(ctx, known)
	if err != nil {
		return nil, err
	}
	r.run = known.Run
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results = append(s.results[max(0, len(s.results)-kept+1):len(s.results):len(s.results)], r)
	return r, nil
}

func (s *Site) ofRun(run uint64) *result {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.results {
		if run != 0 && r.run == run {
			return r
		}
	}
	return nil
}

func (s *Site) last() *result {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.results) == 0 {
		return nil
	}
	return s.results[len(s.results)-1]
}

// Scan implements sources.Source.
func (s *Site) Scan(ctx context.Context, known sources.Known, sink sources.Sink) error {
	r, err := s.looked(ctx, known)
	if err != nil {
		return err
	}
	for i := range r.items {
		if err := ctx.Err(); err != nil {
			return err
		}
		it := &r.items[i]
		if it.err != nil {
			err = sink.Problem(kb.Problem{Key: kb.NewKey(s.name, it.path), Err: it.err, Present: it.present})
		} else {
			err = sink.Document(s.document(it))
		}
		if err != nil {
			return err
		}
	}
	if r.err != nil {
		return r.err
	}
	return ctx.Err()
}

// document is how the engine sees an item.
func (s *Site) document(it *item) kb.Document {
	d := kb.Document{
		Key: kb.NewKey(s.name, it.path), Raw: it.address, Fingerprint: kb.Fingerprint(it.print[:]), Size: it.size, Modified: it.modified,
		From: s, Type: it.typ,
	}
	if s.cfg.Deliver == deliverLink {
		d.Link = it.address
	}
	return d
}

// Exists implements sources.Checker. It answers from the last look.
func (s *Site) Exists(ctx context.Context, k kb.Key) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	r := s.last()
	if r == nil {
		return false, errors.New("the site was not looked at yet")
	}
	if k.Source() != s.name {
		return false, nil
	}
	if _, ok := r.byPath[k.Path()]; ok {
		return true, nil
	}
	return false, r.err
}

// Cost implements sources.Metered.
func (s *Site) Cost(run uint64) sources.Cost {
	r := s.ofRun(run)
	if r == nil && run == 0 {
		r = s.last()
	}
	if r == nil {
		return sources.Cost{}
	}
	return r.cost
}

// traffic is what the client has asked so far.
type traffic struct{ requests, notModified, bytes int64 }

func (s *Site) traffic() traffic {
	var t traffic
	t.requests, t.notModified, t.bytes = s.client.Traffic()
	return t
}

func (t traffic) since(before traffic) sources.Cost {
	return sources.Cost{Requests: t.requests - before.requests, NotModified: t.notModified - before.notModified, BytesReceived: t.bytes - before.bytes}
}
