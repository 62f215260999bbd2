package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestCrawlScope(t *testing.T) {
	srv := newServer(t)
	srv.set("/robots.txt", answer{body: "User-agent: *\nDisallow: /docs/private\n"})
	srv.html("/docs/", "start", "/docs/a", "b", "./sub/../c#part", "//docs//", "/blog/x", "/docs/?page=2", "/docs/pic.png", "/docs/x;jsessionid=1A2B",
		"mailto:me@example.com", "https://other.example/docs/z", "/docs/private/p", "/docs/Drafts/d", "/docs/hidden", "/docs/moved", "/docs/broken")
	for _, p := range []string{"a", "b", "c", "Drafts/d", "private/p", "deep1", "deep2", "deep3"} {
		srv.html("/docs/"+p, "page "+p)
	}
	srv.html("/docs/b", "page b", "/docs/deep1")
	srv.html("/docs/deep1", "page deep1", "/docs/deep2")
	srv.html("/docs/hidden", "hidden page", "/docs/deep3")
	srv.with("/docs/hidden", func(a *answer) {
		a.body = strings.Replace(a.body, "<head>", `<head><meta name="robots" content="noindex, nofollow">`, 1)
	})
	srv.html("/blog/x", "blog")
	srv.set("/docs/moved", answer{status: http.StatusFound, header: map[string]string{"Location": "/blog/x"}})
	s := open(t, opening{}, func(c *Config) {
		c.Crawl.Start, c.Crawl.Depth, c.Exclude = srv.URL+"/docs/", 2, []string{"/docs/Drafts/**"}
	})
	// Looks without a memory cannot tell whether what is not there ever was a document.
	for range 2 {
		l := unsure(t, s, "docs/broken leads is not known")
		compare(t, l.Paths(), nil, "docs docs/a docs/b docs/c docs/deep1", "")
	}
	want(t, s, "docs docs/a docs/b docs/c docs/deep1", "")
	for _, p := range []string{"/docs/private/p", "/docs/Drafts/d", "/docs/deep2", "/docs/deep3", "/docs/pic.png", "/docs/?page=2"} {
		if n := srv.askedFor(p); n > 0 {
			t.Errorf("%s was asked for %d times", p, n)
		}
	}
	for path, text := range map[string]string{
		"docs/a":        "the crawl found it over a link on " + srv.URL + "/docs/",
		"docs":          "the crawl starts at it",
		"docs/hidden":   "it is no document: the page asks not to be indexed",
		"docs/Drafts/d": "exclude /docs/Drafts/** leaves it out",
		"docs/private/p": "it is no document: robots.txt of " + strings.TrimPrefix(srv.URL, "http://") +
			" does not allow it (Disallow: /docs/private); ignore_robots: true asks nevertheless",
		"docs/broken": "it is no document: a broken link: it answers 404",
		"docs/moved":  "it is no document: it leads to " + srv.URL + "/blog/x, which is outside of the crawl",
		"blog/x":      "it is not below the start of the crawl, " + srv.URL + "/docs/",
	} {
		if got := strings.Join(s.Explain(path), "\n"); !strings.Contains(got, text) {
			t.Errorf("Explain(%s) = %s; want %q in it", path, got, text)
		}
	}
}

// A section page that fails still leads to what it led to; one that was never had makes the crawl incomplete.
func TestCrawlHoldsBranches(t *testing.T) {
	srv := newServer(t)
	srv.html("/", "start", "/a", "/b")
	srv.html("/a", "page a", "/a/1")
	srv.html("/a/1", "page a1")
	srv.html("/b", "page b")
	m := newSpy()
	s := open(t, opening{memory: m}, crawling(srv, "/"))
	want(t, s, "a a/1 b index", "")
	good := srv.pages["/a"]
	for _, status := range []int{http.StatusForbidden, http.StatusNotFound} {
		srv.set("/a", answer{status: status})
		want(t, s, "a/1 b index", "!a")
	}
	fresh := open(t, opening{}, crawling(srv, "/"))
	srv.set("/a", answer{status: http.StatusForbidden})
	for range 2 {
		incomplete(t, fresh, "where "+srv.URL+"/a leads is not known")
	}
	want(t, fresh, "b index", "a") // it never was a page: a link to what is not for everybody
	srv.set("/a", good)
	want(t, s, "a a/1 b index", "")
	srv.set("/a", answer{status: http.StatusGone})
	want(t, s, "a/1 b index", "!a")
	want(t, s, "a/1 b index", "!a")
	want(t, s, "b index", "") // now it is believed, and with it that nothing leads to its children
}

func TestCrawlStart(t *testing.T) {
	srv := newServer(t)
	s := open(t, opening{}, crawling(srv, "/"))
	incomplete(t, s, "the page that the crawl starts at cannot be used; nothing is deleted: a broken link: it answers 404")
	srv.html("/en/", "start", "/en/a")
	srv.html("/en/a", "page a")
	srv.set("/docs/", answer{status: http.StatusMovedPermanently, header: map[string]string{"Location": "/en/"}})
	incomplete(t, open(t, opening{}, crawling(srv, "/docs/")), "write that in crawl.start")
	srv.set("/", answer{status: http.StatusMovedPermanently, header: map[string]string{"Location": "/en/"}})
	want(t, s, "en/a index", "")
	want(t, open(t, opening{}, func(c *Config) {
		c.Crawl.Start, c.Include = srv.URL+"/", []string{"/en/**"}
	}), "en/a", "")
}

func TestCrawlBounds(t *testing.T) {
	srv := newServer(t)
	// A trap: every page leads to another one that was never seen.
	trap := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := article0("trap " + r.URL.Path)
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "%s<a href=%q>on</a>", strings.TrimSuffix(a.body, "</body></html>"), strings.TrimSuffix(r.URL.Path, "/")+"/x")
	})
	srv.html("/", "start", "/x")
	for p := "/x"; len(p) < 100; p += "/x" {
		srv.set(p, answer{handle: trap})
	}
	s := open(t, opening{}, func(c *Config) {
		c.Crawl = Crawl{Start: srv.URL + "/", Depth: 50, MaxPages: 7}
	})
	incomplete(t, s, "the crawl found more than 7 pages; nothing is deleted; raise crawl.max_pages")
}

// A crawl that suddenly finds far less is believed when it finds the same several times.
func TestShrinking(t *testing.T) {
	for name, how := range map[string]func(*server) func(*Config){
		"crawl":   func(srv *server) func(*Config) { return crawling(srv, "/") },
		"sitemap": fromSitemap,
	} {
		t.Run(name, func(t *testing.T) {
			srv := newServer(t)
			var links, docs []string
			for i := range 20 {
				p := fmt.Sprintf("p%02d", i)
				srv.html("/"+p, "page "+p)
				links, docs = append(links, "/"+p), append(docs, p)
			}
			srv.html("/", "start", links...)
			m := newSpy()
			s := open(t, opening{memory: m}, how(srv))
			all := "index " + strings.Join(docs, " ")
			want(t, s, all, "")
			srv.html("/", "start", "/p00")
			for _, p := range links[1:] {
				srv.with(p, func(a *answer) { a.listed = false })
			}
			incomplete(t, s, "(1 of 3 in a row)")
			srv.html("/", "start", links...)
			for _, p := range links {
				srv.with(p, func(a *answer) { a.listed = true })
			}
			want(t, s, all, "")
			srv.html("/", "start", "/p00")
			for _, p := range links[1:] {
				srv.with(p, func(a *answer) { a.listed = false })
			}
			incomplete(t, s, "(1 of 3 in a row)")
			incomplete(t, open(t, opening{memory: m}, how(srv)), "(2 of 3 in a row); nothing is deleted")
			want(t, s, "index p00", "")
		})
	}
}

// Whether memory is there or lost, the same site gives the same documents, also in another order of answers.
func TestStateless(t *testing.T) {
	srv := newServer(t)
	srv.html("/", "start", "/a", "/a/", "/b", "/old", "/c")
	srv.html("/a", "page a")
	srv.html("/a/", "page a with a slash")
	srv.html("/b", "page b")
	srv.html("/c", "page c")
	srv.with("/c", func(a *answer) {
		a.body = strings.Replace(a.body, "<head>", `<head><link rel="canonical" href="/b">`, 1)
	})
	srv.set("/old", answer{status: http.StatusMovedPermanently, header: map[string]string{"Location": "/b"}})
	s := open(t, opening{}, crawling(srv, "/"))
	for range 2 {
		want(t, s, "a b index", "a")
	}
	l := want(t, open(t, opening{}, crawling(srv, "/")), "a b index", "a")
	if got := problem(t, l, "a"); !strings.Contains(got, srv.URL+"/a and "+srv.URL+"/a/ give the same key") {
		t.Error(got)
	}
	if got := read(t, l, "a"); !strings.HasPrefix(got, "# page a\n") {
		t.Errorf("the one that was listed first is %q", got)
	}
	if got := strings.Join(s.Explain(srv.URL+"/c"), "\n"); !strings.HasSuffix(got, "it is no document: it is the same page as "+srv.URL+"/b") {
		t.Error(got)
	}
	srv.set("/a/", srv.pages["/a"])
	want(t, s, "a b index", "")
}

// robots.txt decides about what a sitemap lists, not about what is listed by hand. A page that it forbids later stays.
func TestRobots(t *testing.T) {
	srv := newServer(t)
	srv.set("/robots.txt", answer{body: "User-agent: *\nDisallow: /b\n"})
	for _, p := range []string{"/a", "/b", "/c"} {
		srv.html(p, "page "+p)
	}
	m := newSpy()
	how := func(c *Config) {
		c.Sitemap, c.Exclude = srv.URL+"/sitemap.xml", []string{"/.left-out"}
	}
	want(t, open(t, opening{memory: m}, how), "a c", "b")
	want(t, open(t, opening{}, func(c *Config) { how(c); c.URLs = []string{srv.URL + "/b"} }), "a b c", "")
	want(t, open(t, opening{}, func(c *Config) { how(c); c.IgnoreRobots = true }), "a b c", "")
	srv.set("/robots.txt", answer{body: "User-agent: *\nDisallow: /a\nDisallow: /b\n"})
	l := want(t, open(t, opening{memory: m}, how), "c", "!a b")
	if got := problem(t, l, "a"); !strings.Contains(got, "leave it out with exclude, or set ignore_robots") {
		t.Error(got)
	}
}

// A site whose links mostly lead to what is not for everybody is crawled nevertheless, once it is clear that they stay so.
func TestCrawlOfAClosedSite(t *testing.T) {
	srv := newServer(t)
	srv.html("/", "start", "/a", "/b", "/c")
	for _, p := range []string{"/a", "/b", "/c"} {
		srv.set(p, answer{status: http.StatusForbidden})
	}
	m := newSpy()
	s := open(t, opening{memory: m}, crawling(srv, "/"))
	for range 2 {
		incomplete(t, s, "is not known; nothing is deleted")
	}
	want(t, s, "index", "a b c")
	saves := m.saves
	want(t, s, "index", "a b c")
	if m.saves != saves {
		t.Error("an unchanged scan wrote to the memory")
	}
}
