package web

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answer is what the server of a test gives at one path.
type answer struct {
	status int // 0: 200
	header map[string]string
	body   string
	listed bool // in the sitemap
	plain  bool // without an ETag
	cut    bool // the connection breaks in the middle
	handle http.HandlerFunc
}

// server is a website whose pages a test changes while it runs.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	pages   map[string]answer // by escaped path, with a query where there is one
	asked   map[string]int
	bodies  int // answers with a body to anything but robots.txt and sitemaps
	matched int // 304
}

func newServer(t testing.TB) *server {
	s := &server{pages: map[string]answer{}, asked: map[string]int{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) set(path string, a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[path] = a
}

func (s *server) drop(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pages, path)
}

// html puts an article at a path, with links to others.
func (s *server) html(path, text string, links ...string) {
	s.set(path, article0(text, links...))
}

func article0(text string, links ...string) answer {
	var b strings.Builder
	for _, l := range links {
		fmt.Fprintf(&b, "<li><a href=%q>to %s</a></li>", l, "there")
	}
	return answer{
		header: map[string]string{"Content-Type": "text/html; charset=utf-8"}, listed: true,
		body: fmt.Sprintf("<!doctype html><html><head><title>%s</title></head><body><nav><ul>%s</ul></nav><main><article><h1>%s</h1><p>%s</p></article></main></body></html>",
			text, b.String(), text, strings.Repeat("This page is about "+text+". ", 12)),
	}
}

func (s *server) with(path string, change func(*answer)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.pages[path]
	change(&a)
	s.pages[path] = a
}

func (s *server) counts() (asked, bodies, matched int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.asked {
		asked += n
	}
	return asked, s.bodies, s.matched
}

func (s *server) askedFor(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[path]
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	s.mu.Lock()
	a, ok := s.pages[path]
	s.asked[path]++
	s.mu.Unlock()
	switch {
	case !ok && path == "/sitemap.xml":
		s.sitemap(w, r)
		return
	case !ok:
		http.Error(w, "there is no such thing", http.StatusNotFound)
		return
	case a.handle != nil:
		a.handle(w, r)
		return
	}
	for k, v := range a.header {
		w.Header().Set(k, v)
	}
	tag := fmt.Sprintf("%q", kb.Sum([]byte(a.body)).String()[:16])
	if !a.plain {
		w.Header().Set("ETag", tag)
	}
	s.mu.Lock()
	if !a.plain && a.status == 0 && r.Header.Get("If-None-Match") == tag {
		s.matched++
		s.mu.Unlock()
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if path != "/robots.txt" {
		s.bodies++
	}
	s.mu.Unlock()
	if a.cut {
		w.Header().Set("Content-Length", fmt.Sprint(len(a.body)+10))
	}
	w.WriteHeader(max(a.status, 200))
	io.WriteString(w, a.body)
}

// sitemap lists the pages that are meant to be listed, and one that sources leave out: an empty sitemap is not believed.
func (s *server) sitemap(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">`)
	paths := []string{"/.left-out"}
	for _, p := range slices.Sorted(maps.Keys(s.pages)) {
		if s.pages[p].listed {
			paths = append(paths, p)
		}
	}
	for _, p := range paths {
		b.WriteString("<url><loc>")
		xml.EscapeText(&b, []byte(s.URL+p))
		b.WriteString("</loc></url>")
	}
	b.WriteString("</urlset>")
	w.Header().Set("Content-Type", "application/xml")
	w.Write(b.Bytes())
}

// spy is a memory that counts what is written.
type spy struct {
	processMemory
	saves int
}

// Save implements sources.Memory.
func (m *spy) Save(changes map[string][]byte) error {
	m.saves++
	return m.processMemory.Save(changes)
}

func newSpy() *spy { return &spy{processMemory: processMemory{values: map[string][]byte{}}} }

// opening is how a test opens a source.
type opening struct {
	cache  string
	memory sources.Memory
}

// open opens a site on a server.
func open(t testing.TB, o opening, change func(*Config)) *Site {
	t.Helper()
	c := NewConfig()
	c.Timeout = 5 * time.Second
	change(c)
	if bad := c.Validate(); len(bad) > 0 {
		t.Fatalf("the configuration is wrong: %v", bad)
	}
	src, err := c.Open(sources.Options{Name: "site", CacheDir: o.cache, Memory: o.memory, UserAgent: "kbsyncd/test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	})
	return src.(*Site)
}

func TestSuite(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) sourcetest.Fixture {
		srv := newServer(t)
		at := func(p string) string {
			var b strings.Builder
			for s := range strings.SplitSeq(p, "/") {
				b.WriteString("/" + url.PathEscape(s))
			}
			return b.String()
		}
		put := func(p string, content []byte) {
			srv.set(at(p), answer{body: string(content), listed: true, header: map[string]string{"Content-Type": "application/octet-stream"}})
		}
		return sourcetest.Fixture{
			Name: "site",
			Source: open(t, opening{}, func(c *Config) {
				c.Sitemap, c.Content, c.Exclude, c.IgnoreRobots = srv.URL+"/sitemap.xml", "raw", []string{"/.left-out"}, true
			}),
			Put:    put,
			Remove: func(p string) { srv.drop(at(p)) },
			Rename: func(from, to string) {
				srv.mu.Lock()
				defer srv.mu.Unlock()
				srv.pages[at(to)] = srv.pages[at(from)]
				delete(srv.pages, at(from))
			},
			Break: func() func() {
				srv.set("/sitemap.xml", answer{body: "<html><body>We will be back soon</body></html>", header: map[string]string{"Content-Type": "text/html"}})
				return func() { srv.drop("/sitemap.xml") }
			},
			AddProblem: func() kb.Key {
				srv.set("/secret", answer{status: http.StatusForbidden, listed: true})
				return "site/secret"
			},
			Opens: func() int {
				_, bodies, _ := srv.counts()
				return bodies
			},
			Snapshots: true,
			OddPaths:  []string{"UPPER/Case.md", "a?b.md", "a#b.md", "a&amp;b.md", "~x.md"},
		}
	})
}

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, s)
	z.Close()
	return b.String()
}
