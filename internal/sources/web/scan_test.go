package web

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/sourcetest"
)

// scan scans and says what came: the documents, the problems with a mark for those that are failures, and the error.
func scan(t *testing.T, s *Site, known sources.Known) (docs, problems []string, l *sourcetest.Listing, err error) {
	t.Helper()
	l = &sourcetest.Listing{}
	err = s.Scan(t.Context(), known, l)
	if !slices.IsSorted(l.Keys) {
		t.Errorf("keys are not in order: %q", l.Keys)
	}
	for _, p := range l.Problems {
		mark := ""
		if p.Present {
			mark = "!"
		}
		problems = append(problems, mark+p.Key.Path())
	}
	return l.Paths(), problems, l, err
}

// want scans and compares.
func want(t *testing.T, s *Site, docs, problems string) *sourcetest.Listing {
	t.Helper()
	d, p, l, err := scan(t, s, sources.Known{})
	if err != nil {
		t.Fatalf("Scan: %v", err)
	}
	compare(t, d, p, docs, problems)
	return l
}

func compare(t *testing.T, d, p []string, docs, problems string) {
	t.Helper()
	if diff := cmp.Diff(strings.Fields(docs), d, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(strings.Fields(problems), p, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// incomplete scans and wants an error that holds a text.
func incomplete(t *testing.T, s *Site, text string) *sourcetest.Listing {
	t.Helper()
	_, _, l, err := scan(t, s, sources.Known{})
	if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), text) || fault.StopsTarget(err) {
		t.Fatalf("Scan: %v, want an incomplete listing because %q", err, text)
	}
	return l
}

// unsure holds that a scan gave all that it found, and cannot tell whether what is missing is gone.
func unsure(t *testing.T, s *Site, text string) *sourcetest.Listing {
	t.Helper()
	_, _, l, err := scan(t, s, sources.Known{})
	if !errors.Is(err, sources.ErrUnsure) || errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), text) || fault.StopsTarget(err) {
		t.Fatalf("Scan: %v, want doubt because %q", err, text)
	}
	return l
}

func read(t *testing.T, l *sourcetest.Listing, path string) string {
	t.Helper()
	d, ok := l.Find(path)
	if !ok {
		t.Fatalf("there is no %s among %q", path, l.Paths())
	}
	b, _, err := sourcetest.Read(t.Context(), d)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return string(b)
}

func problem(t *testing.T, l *sourcetest.Listing, path string) string {
	t.Helper()
	for _, p := range l.Problems {
		if p.Key.Path() == path {
			return p.Err.Error()
		}
	}
	t.Fatalf("there is no problem with %s", path)
	return ""
}

func fromSitemap(srv *server) func(*Config) {
	return func(c *Config) {
		c.Sitemap, c.Exclude, c.IgnoreRobots = srv.URL+"/sitemap.xml", []string{"/.left-out"}, true
	}
}

func crawling(srv *server, start string) func(*Config) {
	return func(c *Config) { c.Crawl.Start = srv.URL + start }
}

// An unchanged scan asks once for each page, gets no body, and writes nothing; the same holds for the next process.
func TestUnchanged(t *testing.T) {
	srv := newServer(t)
	srv.html("/", "start", "/a", "/b/")
	srv.html("/a", "apples", "/b/")
	srv.html("/b/", "bananas", "/")
	m, dir := newSpy(), t.TempDir()
	s := open(t, opening{dir, m}, crawling(srv, "/"))
	first := want(t, s, "a b index", "")
	if got := read(t, first, "a"); !strings.HasPrefix(got, "# apples\n") {
		t.Errorf("the article reads %q", got)
	}
	if d := first.Documents[0]; d.Type != ".md" || d.Raw != srv.URL+"/a" || d.Link != "" {
		t.Errorf("got %+v", d)
	}
	for _, s := range []*Site{s, open(t, opening{dir, m}, crawling(srv, "/")), open(t, opening{t.TempDir(), m}, crawling(srv, "/"))} {
		saves := m.saves
		srv.askedFor("/robots.txt")
		asked, bodies, matched := srv.counts()
		robots := srv.askedFor("/robots.txt")
		again := want(t, s, "a b index", "")
		if diff := cmp.Diff(first.Documents, again.Documents, cmpopts.IgnoreFields(first.Documents[0], "From")); diff != "" {
			t.Errorf("documents differ (-first +again):\n%s", diff)
		}
		asked2, bodies2, matched2 := srv.counts()
		if n := asked2 - asked - (srv.askedFor("/robots.txt") - robots); n != 3 || bodies2 != bodies || matched2-matched != 3 {
			t.Errorf("%d requests, %d bodies, %d not modified", n, bodies2-bodies, matched2-matched)
		}
		if m.saves != saves {
			t.Error("an unchanged scan wrote to the memory")
		}
		if got := read(t, again, "b"); !strings.HasPrefix(got, "# bananas\n") { // also where the cache is empty
			t.Errorf("the article reads %q", got)
		}
		if c := s.Cost(0); len(c.Pages) != 0 || c.NotModified != 3 {
			t.Errorf("the cost is %+v", c)
		}
	}
}

// What surrounds the article changes with every request; the document does not.
func TestSameArticle(t *testing.T) {
	srv := newServer(t)
	srv.html("/a", "apples")
	s := open(t, opening{}, fromSitemap(srv))
	first := want(t, s, "a", "")
	srv.with("/a", func(a *answer) { a.body = strings.Replace(a.body, "<nav>", "<nav><!-- 12:00 --><a href=/x>x</a>", 1) })
	second := want(t, s, "a", "")
	if first.Documents[0].Fingerprint != second.Documents[0].Fingerprint {
		t.Error("the fingerprint changed with the page around the article")
	}
	if c := s.Cost(0); len(c.Pages) != 1 || c.Pages[0].Key != "site/a" || c.Pages[0].Bytes == 0 || c.Pages[0].Requests != 1 {
		t.Errorf("the cost is %+v", c)
	}
}

// Targets of one run are given the same look.
func TestOneLookARun(t *testing.T) {
	srv := newServer(t)
	srv.html("/a", "apples")
	s := open(t, opening{}, fromSitemap(srv))
	seen := 0
	for _, run := range []uint64{7, 7, 8} {
		if _, _, _, err := scan(t, s, sources.Known{Run: run, Looked: func(n int) { seen = max(seen, n) }}); err != nil {
			t.Fatal(err)
		}
	}
	if n := srv.askedFor("/a"); n != 2 || seen != 1 {
		t.Errorf("the page was asked for %d times, and %d seen", n, seen)
	}
	if a, b := s.Cost(7), s.Cost(8); a.NotModified != 0 || b.NotModified != 1 {
		t.Errorf("costs are %+v and %+v", a, b)
	}
}

func TestFreshness(t *testing.T) {
	srv := newServer(t)
	srv.html("/a", "apples")
	srv.with("/a", func(a *answer) { a.header["Cache-Control"] = "max-age=600" })
	s := open(t, opening{}, fromSitemap(srv))
	for _, tt := range []struct {
		anew  bool
		asked int
	}{{false, 1}, {false, 1}, {true, 2}, {false, 2}} {
		d, p, _, err := scan(t, s, sources.Known{Anew: tt.anew})
		if err != nil {
			t.Fatal(err)
		}
		compare(t, d, p, "a", "")
		if n := srv.askedFor("/a"); n != tt.asked {
			t.Errorf("asked %d times, want %d", n, tt.asked)
		}
	}
}

func TestGone(t *testing.T) {
	srv := newServer(t)
	srv.html("/a", "apples")
	srv.html("/b", "bananas")
	srv.html("/c", "cherries")
	m := newSpy()
	s := open(t, opening{memory: m}, fromSitemap(srv))
	want(t, s, "a b c", "")
	srv.set("/a", answer{status: http.StatusGone, listed: true})
	for i, text := range []string{"(1 of 3 in a row)", "(2 of 3 in a row)"} {
		l := want(t, s, "b c", "!a")
		if got := problem(t, l, "a"); !strings.Contains(got, text) {
			t.Errorf("after %d answers: %s", i+1, got)
		}
	}
	srv.html("/a", "apples again")
	want(t, s, "a b c", "")
	srv.set("/a", answer{status: http.StatusNotFound, listed: true})
	want(t, s, "b c", "!a")
	s = open(t, opening{memory: m}, fromSitemap(srv)) // it is counted across processes
	want(t, s, "b c", "!a")
	want(t, s, "b c", "")
	saves := m.saves
	want(t, s, "b c", "")
	if m.saves != saves {
		t.Error("a page that stays gone is written again")
	}
	if ok, err := s.Exists(t.Context(), "site/a"); ok || err != nil {
		t.Errorf("Exists: %v, %v", ok, err)
	}
	srv.html("/a", "apples are back")
	want(t, s, "a b c", "")
	srv.drop("/b") // it left the sitemap
	want(t, s, "a c", "")
}

func TestFaults(t *testing.T) {
	for name, spoil := range map[string]func(*answer){
		"refused":     func(a *answer) { a.status = http.StatusForbidden },
		"cut":         func(a *answer) { a.body, a.cut = a.body+"<p>more</p>", true },
		"in a circle": func(a *answer) { a.status, a.header = http.StatusFound, map[string]string{"Location": "/a"} },
		"soft 404": func(a *answer) {
			a.body = "<html><head><title>Page not found</title></head><body><main><h1>404</h1><p>Sorry, this page could not be found.</p></main></body></html>"
		},
		"to sign in": func(a *answer) { a.status, a.header = http.StatusFound, map[string]string{"Location": "/login?next=a"} },
		"sign in": func(a *answer) {
			a.body = `<html><head><title>Sign in</title></head><body><form method=post action=/s><label>User <input name=u></label><label>Password <input type=password name=p></label><button>Sign in</button></form></body></html>`
		},
		"no text": func(a *answer) {
			a.body = `<html><head><title>App</title></head><body><div id=root></div><script src=/app.js></script></body></html>`
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			srv.html("/login?next=a", "Log in")
			srv.with("/login?next=a", func(a *answer) { a.listed = false })
			for _, p := range []string{"a", "b", "c"} {
				srv.html("/"+p, "letter "+p)
			}
			s := open(t, opening{}, fromSitemap(srv))
			before := want(t, s, "a b c", "")
			srv.with("/a", func(a *answer) { a.header = maps.Clone(a.header); spoil(a) })
			for range 4 { // however often: nothing is ever taken for gone
				want(t, s, "b c", "!a")
			}
			if ok, err := s.Exists(t.Context(), "site/a"); !ok || err != nil {
				t.Errorf("Exists: %v, %v", ok, err)
			}
			if got := read(t, before, "a"); !strings.Contains(got, "letter a") {
				t.Errorf("what was listed reads %q", got)
			}
			srv.html("/a", "letter a")
			if after := want(t, s, "a b c", ""); after.Documents[0].Fingerprint != before.Documents[0].Fingerprint {
				t.Error("the page that is back is another one")
			}
		})
	}
}

// A 304 that nobody asked for says nothing.
func TestUnasked304(t *testing.T) {
	srv := newServer(t)
	srv.html("/a", "apples")
	srv.html("/b", "bananas")
	srv.with("/a", func(a *answer) { a.plain = true })
	s := open(t, opening{}, fromSitemap(srv))
	want(t, s, "a b", "")
	srv.with("/a", func(a *answer) { a.status = http.StatusNotModified })
	want(t, s, "b", "!a")
}

func TestMostPagesFail(t *testing.T) {
	srv := newServer(t)
	for _, p := range []string{"a", "b", "c"} {
		srv.html("/"+p, "letter "+p)
	}
	s := open(t, opening{}, fromSitemap(srv))
	want(t, s, "a b c", "")
	for _, p := range []string{"/a", "/b"} {
		srv.with(p, func(a *answer) { a.status = http.StatusForbidden })
	}
	if l := incomplete(t, s, "2 of 3 pages cannot be had"); len(l.Documents) != 1 {
		t.Errorf("the page that could be had was not given: %q", l.Paths())
	}
}

func TestCancel(t *testing.T) {
	srv := newServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	srv.set("/a", answer{listed: true, handle: func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}})
	s := open(t, opening{}, fromSitemap(srv))
	if err := s.Scan(ctx, sources.Known{}, &sourcetest.Listing{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Scan: %v", err)
	}
}

// A server that stops in the middle of an answer, or is out of order, costs its page and not the others.
func TestSlowAndBroken(t *testing.T) {
	for name, serve := range map[string]http.HandlerFunc{
		"hangs": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html>"))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
		"out of order": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			for _, p := range []string{"/a", "/b", "/c"} {
				srv.html(p, "page "+p)
			}
			s := open(t, opening{}, func(c *Config) {
				fromSitemap(srv)(c)
				c.Timeout = time.Second
			})
			want(t, s, "a b c", "")
			srv.set("/a", answer{listed: true, handle: serve})
			want(t, s, "b c", "!a")
		})
	}
}
