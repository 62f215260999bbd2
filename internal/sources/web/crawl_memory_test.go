package web

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"kbsyncd/internal/sources"
)

// hubbed is a site whose pages hang on one page below the start.
func hubbed(t *testing.T) *server {
	srv := newServer(t)
	srv.html("/", "start", "/hub")
	srv.html("/hub", "hub", "/1", "/2", "/3")
	for _, p := range []string{"/1", "/2", "/3"} {
		srv.html(p, "page "+p)
	}
	return srv
}

// A page that was never had, as far as is remembered, may be one that others hang on: nothing is taken for gone before that was seen
// for some looks.
func TestHubWithoutMemory(t *testing.T) {
	for name, spoil := range map[string]func(*server){
		"sign in": func(srv *server) {
			srv.set("/hub", answer{body: `<title>Sign in</title><body><main><h1>Sign in</h1><form action=/login><input type=password></form></main>`, header: map[string]string{"Content-Type": "text/html"}})
		},
		"to sign in": func(srv *server) {
			srv.set("/hub", redirect(http.StatusFound, "/login"))
			srv.html("/login", "sign in here")
		},
		"soft 404": func(srv *server) {
			srv.set("/hub", answer{body: "<title>Page not found</title><main><h1>Page not found</h1><p>Sorry.</p></main>", header: map[string]string{"Content-Type": "text/html"}})
		},
		"no text": func(srv *server) {
			srv.set("/hub", answer{body: "<title>Hub</title><main></main>", header: map[string]string{"Content-Type": "text/html"}})
		},
		"404": func(srv *server) { srv.drop("/hub") },
		"robots": func(srv *server) {
			srv.set("/robots.txt", answer{body: "User-agent: *\nDisallow: /hub\n"})
		},
		"to what robots.txt forbids": func(srv *server) {
			srv.set("/robots.txt", answer{body: "User-agent: *\nDisallow: /private\n"})
			srv.set("/hub", redirect(http.StatusFound, "/private"))
			srv.html("/private", "private")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := hubbed(t)
			spoil(srv)
			m := newSpy()
			for range 2 { // in a process of its own each
				unsure(t, open(t, opening{memory: m}, crawling(srv, "/")), "where "+srv.URL+"/hub leads is not known")
			}
			s := open(t, opening{memory: m}, crawling(srv, "/"))
			l, _, _, err := scan(t, s, sources.Known{})
			if err != nil || !slices.Equal(l, []string{"index"}) {
				t.Errorf("the third look: %q, %v", l, err)
			}
			saves := m.saves
			if _, _, _, err := scan(t, s, sources.Known{}); err != nil || m.saves != saves {
				t.Errorf("the fourth look writes %d times, %v", m.saves-saves, err)
			}
		})
	}
}

// A page without a text of its own leads to what it links to all the same, the start too.
func TestHubWithoutText(t *testing.T) {
	srv := hubbed(t)
	tiles := answer{body: `<title>Hub</title><main><a href="/1"><img src=1.png></a><a href="/2"><img src=2.png></a></main>`, header: map[string]string{"Content-Type": "text/html"}}
	srv.set("/hub", tiles)
	s := open(t, opening{}, crawling(srv, "/"))
	for range 2 {
		want(t, s, "1 2 index", "hub")
	}
	want(t, open(t, opening{}, crawling(srv, "/hub")), "1 2", "hub")
}

// After the memory was lost a page that is not there is protected for as many looks as one that is remembered.
func TestLeafAfterLostMemory(t *testing.T) {
	srv := hubbed(t)
	srv.drop("/3")
	s := open(t, opening{}, crawling(srv, "/"))
	for range 2 {
		l := unsure(t, s, srv.URL+"/3 leads is not known")
		compare(t, l.Paths(), nil, "1 2 hub index", "")
		if got := problem(t, l, "3"); !strings.Contains(got, "a broken link: it answers 404") {
			t.Error(got)
		}
	}
	want(t, s, "1 2 hub index", "")
	srv.html("/1", "page 1 with a link", "/4") // one that is broken from the beginning is not waited for
	want(t, s, "1 2 hub index", "")
}

// The start of a small crawl that says something else for once takes nothing with it.
func TestCrawlStartBackSoon(t *testing.T) {
	srv := hubbed(t)
	s := open(t, opening{}, crawling(srv, "/"))
	want(t, s, "1 2 3 hub index", "")
	srv.html("/", "we will be back soon")
	for i := range 2 {
		incomplete(t, s, fmt.Sprintf("the crawl lists 1 pages and had 5 (%d of 3 in a row)", i+1))
	}
	want(t, s, "index", "")
}
