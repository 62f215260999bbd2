package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources/sourcetest"
)

func redirect(status int, to string) answer {
	return answer{status: status, listed: true, header: map[string]string{"Location": to}}
}

// A page is the address that lists it; a permanent redirect is remembered, and forgotten when it leads nowhere.
func TestRedirects(t *testing.T) {
	srv := newServer(t)
	srv.html("/here", "here")
	srv.html("/there", "there")
	srv.set("/forever", redirect(http.StatusMovedPermanently, "/here"))
	srv.set("/for-now", redirect(http.StatusFound, "/there"))
	m := newSpy()
	how := func(c *Config) { c.URLs = []string{srv.URL + "/forever", srv.URL + "/for-now"} }
	s := open(t, opening{memory: m}, how)
	l := want(t, s, "for-now forever", "")
	if got := read(t, l, "forever"); !strings.HasPrefix(got, "# here\n") {
		t.Errorf("it reads %q", got)
	}
	saves := m.saves
	want(t, s, "for-now forever", "")
	if a, b := srv.askedFor("/forever"), srv.askedFor("/for-now"); a != 1 || b != 2 || m.saves != saves {
		t.Errorf("the permanent redirect was asked for %d times, the other one %d times; %d writes", a, b, m.saves-saves)
	}
	if _, _, matched := srv.counts(); matched != 2 {
		t.Errorf("%d pages were not modified", matched)
	}
	if got := strings.Join(s.Explain("forever"), "\n"); !strings.Contains(got, "a permanent redirect leads to "+srv.URL+"/here") {
		t.Error(got)
	}
	srv.drop("/here")
	srv.set("/forever", redirect(http.StatusMovedPermanently, "/there"))
	l = want(t, s, "for-now forever", "")
	if got := read(t, l, "forever"); !strings.HasPrefix(got, "# there\n") {
		t.Errorf("after the move was undone it reads %q", got)
	}
	// The answer that nothing changed comes from another page than the one that is known.
	tag := `"` + kb.Sum([]byte(srv.pages["/there"].body)).String()[:16] + `"`
	third := article0("third")
	srv.set("/third", answer{handle: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, third.body)
	}})
	srv.set("/for-now", redirect(http.StatusFound, "/third"))
	l = want(t, s, "for-now forever", "")
	if got := read(t, l, "for-now"); !strings.HasPrefix(got, "# third\n") {
		t.Errorf("the redirect that leads elsewhere reads %q", got)
	}
}

// Addresses that are another listed page are no documents of their own.
func TestAliases(t *testing.T) {
	srv := newServer(t)
	srv.html("/a", "apples")
	srv.set("/old-a", redirect(http.StatusMovedPermanently, "/a"))
	srv.html("/b", "bananas")
	with := func(path, head string) {
		srv.with(path, func(a *answer) { a.body = strings.Replace(a.body, "<head>", "<head>"+head, 1) })
	}
	srv.html("/b-copy", "bananas for printing")
	with("/b-copy", `<link rel="canonical" href="/b">`)
	srv.html("/circle-1", "circle one")
	with("/circle-1", `<link rel="canonical" href="/circle-2">`)
	srv.html("/circle-2", "circle two")
	with("/circle-2", `<link rel="canonical" href="/circle-1">`)
	srv.html("/own", "own")
	with("/own", `<link rel="canonical" href="/elsewhere-not-listed">`)
	srv.html("/on", "go on")
	with("/on", `<meta http-equiv="refresh" content="0; url=/a">`)
	srv.html("/off", "go off")
	with("/off", `<meta http-equiv="refresh" content="0; url=/not-listed">`)
	s := open(t, opening{}, fromSitemap(srv))
	for range 2 {
		want(t, s, "a b circle-1 own", "!off")
	}
	// While the page that is meant cannot be had, its other address does not take its place.
	srv.with("/b", func(a *answer) { a.status = http.StatusForbidden })
	want(t, s, "a circle-1 own", "!b !off")
}

// A template that names one canonical address for all pages does not make them one page.
func TestWrongCanonical(t *testing.T) {
	srv := newServer(t)
	var docs []string
	for p := range strings.SplitSeq("abcdefghijkl", "") {
		srv.html("/"+p, "letter "+p)
		srv.with("/"+p, func(a *answer) {
			a.body = strings.Replace(a.body, "<head>", `<head><link rel="canonical" href="/a">`, 1)
		})
		docs = append(docs, p)
		if len(docs) >= 4 {
			want(t, open(t, opening{}, fromSitemap(srv)), strings.Join(docs, " "), "")
		}
	}
}

// A page that names another one that cannot be had, and never could, stands for itself.
func TestCanonicalThatIsNoDocument(t *testing.T) {
	for _, status := range []int{http.StatusForbidden, http.StatusNotFound} {
		srv := newServer(t)
		srv.html("/a", "apples")
		srv.html("/b", "bananas")
		s := open(t, opening{}, fromSitemap(srv))
		want(t, s, "a b", "")
		srv.with("/a", func(a *answer) {
			a.body = strings.Replace(a.body, "<head>", `<head><link rel="canonical" href="/new">`, 1)
		})
		srv.set("/new", answer{status: status, listed: true})
		want(t, s, "a b", "!new")
		srv.html("/new", "apples, new")
		want(t, s, "b new", "")
		srv.set("/new", answer{status: http.StatusForbidden, listed: true})
		want(t, s, "b", "!new") // it is waited for
	}
}

func TestNoIndex(t *testing.T) {
	srv := newServer(t)
	srv.html("/a", "apples")
	srv.html("/b", "bananas")
	for _, p := range []string{"/a", "/b"} {
		srv.with(p, func(a *answer) {
			a.body = strings.Replace(a.body, "<head>", `<head><meta name=robots content=noindex>`, 1)
		})
	}
	srv.html("/c", "cherries")
	srv.html("/d", "dates")
	srv.with("/d", func(a *answer) { a.header["X-Robots-Tag"] = "noindex" })
	srv.set("/e", answer{body: "%PDF-1.4 x", listed: true, header: map[string]string{"Content-Type": "application/pdf", "X-Robots-Tag": "nofollow, none"}})
	s := open(t, opening{}, func(c *Config) {
		fromSitemap(srv)(c)
		c.URLs = []string{srv.URL + "/a"}
	})
	for range 2 {
		want(t, s, "a c", "")
	}
}

func TestRobotsForbid(t *testing.T) {
	for tag, want := range map[string]bool{
		"": false, "noindex": true, "NoIndex, nofollow": true, "none": true, "nofollow": false, "noindexed": false,
		"googlebot: noindex": false, "googlebot: nofollow, noindex": false, "*: noindex": true, "kbsyncd: noindex": true,
		"otherbot: noindex, kbsyncd: nofollow, noindex":      true,
		"max-snippet: 10, noindex":                           true,
		"unavailable_after: 25 Jun 2030 15:00:00 GMT, none":  true,
		"unavailable_after: Tue, 25 Jun 2030 15:00:00 +0000": false,
	} {
		if got := robotsForbid(tag); got != want {
			t.Errorf("%q: %v", tag, got)
		}
	}
}

// What robots.txt forbids is not taken over a redirect either.
func TestRedirectToForbidden(t *testing.T) {
	srv := newServer(t)
	srv.html("/a", "apples")
	srv.html("/b", "bananas")
	srv.html("/c", "cherries")
	srv.set("/robots.txt", answer{body: "User-agent: *\nDisallow: /private\n"})
	how := func(c *Config) { c.Sitemap, c.Exclude = srv.URL+"/sitemap.xml", []string{"/.left-out", "/private"} }
	m := newSpy()
	want(t, open(t, opening{memory: m}, how), "a b c", "")
	srv.set("/a", redirect(http.StatusFound, "/private"))
	srv.html("/private", "private")
	l := want(t, open(t, opening{memory: m}, how), "b c", "!a")
	if got := problem(t, l, "a"); !strings.Contains(got, "Disallow: /private") {
		t.Error(got)
	}
	want(t, open(t, opening{}, how), "b c", "a")
	want(t, open(t, opening{}, func(c *Config) { how(c); c.URLs = []string{srv.URL + "/a"} }), "a b c", "")
}

// Large pages are read one after the other, and whole.
func TestLargePages(t *testing.T) {
	srv := newServer(t)
	names := lettered(srv, "abc")
	for p := range strings.FieldsSeq(names) {
		srv.with("/"+p, func(a *answer) {
			a.body = strings.Replace(a.body, "</article>", strings.Repeat("<!-- "+strings.Repeat("x", 1<<10)+" -->", 1<<10)+"<p>The end of "+p+".</p></article>", 1)
		})
	}
	l := want(t, open(t, opening{}, fromSitemap(srv)), names, "")
	for p := range strings.FieldsSeq(names) {
		if got := read(t, l, p); !strings.Contains(got, "The end of "+p+".") {
			t.Errorf("%s reads %q", p, got)
		}
	}
}

// While the listing stays incomplete the cache holds what may be asked for, and no more.
func TestCacheOfIncompleteListing(t *testing.T) {
	srv := newServer(t)
	names := lettered(srv, "ab")
	srv.set("/sitemap.xml", answer{handle: func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "<urlset><url><loc>%[1]s/a</loc></url><url><loc>%[1]s/b</loc></url></urlset>", srv.URL)
	}})
	dir := t.TempDir()
	how := func(c *Config) {
		fromSitemap(srv)(c)
		c.Crawl.Start = srv.URL + "/start"
	}
	for i := range 8 {
		for p := range strings.FieldsSeq(names) {
			srv.html("/"+p, fmt.Sprintf("letter %s, version %d", p, i))
		}
		s := open(t, opening{cache: dir, memory: newSpy()}, how)
		for range 3 {
			incomplete(t, s, "the page that the crawl starts at cannot be used")
			for p := range strings.FieldsSeq(names) {
				srv.html("/"+p, fmt.Sprintf("letter %s, another version %d", p, i))
			}
		}
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "web", "site", "*")); len(files) > 8 {
		t.Errorf("the cache holds %d files for two pages", len(files))
	}
}

func TestKinds(t *testing.T) {
	srv := newServer(t)
	put := func(path, media, body string) {
		srv.set(path, answer{body: body, listed: true, header: map[string]string{"Content-Type": media}})
	}
	put("/list.pdf", "application/pdf", "%PDF-1.4 x")
	put("/get?file=7", "application/pdf", "%PDF-1.4 y")
	put("/guide.md", "text/plain; charset=utf-8", "# Guide")
	put("/guide", "text/markdown", "# Guide 2")
	put("/feed", "application/json", "{}")
	put("/blob", "application/octet-stream", "%PDF-1.7 z")
	put("/table.csv", "application/octet-stream", "a,b\n1,2\n")
	put("/notes", "text/plain", "notes")
	srv.html("/page.php", "a page")
	for content, page := range map[string]string{"main": ".md", "page": ".md", "raw": ".html"} {
		s := open(t, opening{}, func(c *Config) {
			fromSitemap(srv)(c)
			c.Content = content
		})
		l := want(t, s, "blob feed get?file=7 guide guide.md list.pdf notes page.php table.csv", "")
		types := map[string]string{"blob": ".pdf", "feed": ".json", "get?file=7": ".pdf", "guide": ".md", "notes": ".txt", "page.php": page}
		for _, d := range l.Documents {
			if d.Type != types[d.Key.Path()] {
				t.Errorf("content: %s: %s is a %q, want %q", content, d.Key, d.Type, types[d.Key.Path()])
			}
		}
		if got := read(t, l, "guide.md"); got != "# Guide" {
			t.Errorf("a text reads %q", got)
		}
		if got := read(t, l, "page.php"); strings.HasPrefix(got, "<!doctype") != (content == "raw") {
			t.Errorf("content: %s: the page reads %q", content, got)
		}
	}
}

func TestLink(t *testing.T) {
	srv := newServer(t)
	srv.html("/a?x=1", "apples")
	s := open(t, opening{}, func(c *Config) {
		c.URLs, c.Deliver = []string{srv.URL + "/a?x=1"}, "link"
	})
	if d := want(t, s, "a?x=1", "").Documents[0]; d.Link != srv.URL+"/a?x=1" || d.Fingerprint == "" {
		t.Errorf("got %+v", d)
	}
}

// Settings that give other content make the source ask without validators.
func TestOtherSettings(t *testing.T) {
	srv := newServer(t)
	srv.html("/a", "apples")
	m, dir := newSpy(), t.TempDir()
	first := want(t, open(t, opening{dir, m}, fromSitemap(srv)), "a", "").Documents[0]
	second := want(t, open(t, opening{dir, m}, func(c *Config) { fromSitemap(srv)(c); c.Selector = "nav, h1" }), "a", "").Documents[0]
	if _, _, matched := srv.counts(); matched != 0 || first.Fingerprint == second.Fingerprint {
		t.Errorf("%d answers without a body; the fingerprints are equal: %v", matched, first.Fingerprint == second.Fingerprint)
	}
}

// What the cache has lost is fetched again, and compared with what was listed.
func TestCacheLost(t *testing.T) {
	srv := newServer(t)
	for _, p := range []string{"a", "b", "c", "d"} {
		srv.html("/"+p, "letter "+p)
	}
	dir := t.TempDir()
	s := open(t, opening{cache: dir}, fromSitemap(srv))
	l := want(t, s, "a b c d", "")
	files, err := filepath.Glob(filepath.Join(dir, "web", "site", "*"))
	if err != nil || len(files) != 4 {
		t.Fatalf("the cache holds %q, %v", files, err)
	}
	for i, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		if i%2 == 0 {
			err = os.WriteFile(f, []byte("damaged"), 0o600)
		} else {
			err = os.Remove(f)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, l, "a"); !strings.HasPrefix(got, "# letter a\n") {
		t.Errorf("it reads %q", got)
	}
	srv.html("/b", "letter b is another one")
	srv.drop("/c")
	srv.with("/d", func(a *answer) { a.status = http.StatusUnauthorized })
	for i, class := range []error{1: fault.ErrChanged, 2: fault.ErrNotFound, 3: fault.ErrIncomplete} {
		if class == nil {
			continue
		}
		if _, _, err := sourcetest.Read(t.Context(), l.Documents[i]); !errors.Is(err, class) {
			t.Errorf("opening %s: %v, want %v", l.Documents[i].Key, err, class)
		}
	}
	srv.html("/d", "letter d")
	want(t, s, "a b d", "")
	l = want(t, s, "a b d", "")
	if files, _ = filepath.Glob(filepath.Join(dir, "web", "site", "*")); len(files) > 5 {
		t.Errorf("what is listed no more stays in the cache: %q", files)
	}
	if got := read(t, l, "b"); !strings.HasPrefix(got, "# letter b is another one\n") {
		t.Errorf("it reads %q", got)
	}
}

// A source that nothing was scanned with explains from what other processes left.
func TestExplainFromMemory(t *testing.T) {
	srv := newServer(t)
	srv.html("/a", "apples")
	srv.html("/b", "bananas")
	m := newSpy()
	s := open(t, opening{memory: m}, fromSitemap(srv))
	want(t, s, "a b", "")
	srv.with("/b", func(a *answer) { a.status = http.StatusGone })
	want(t, s, "a", "!b")
	asked, _, _ := srv.counts()
	s = open(t, opening{memory: m}, fromSitemap(srv))
	for path, text := range map[string]string{
		"a":              "it is listed in the sitemap " + srv.URL + "/sitemap.xml\nits version is \"",
		srv.URL + "/a":   "its main content was found by: ",
		"/a/":            "it is a document",
		"b":              "it is no document: it was not there 1 times in a row",
		"c":              "its address would be " + srv.URL + "/c\nno rule of the source listed it",
		".left-out":      "exclude /.left-out leaves it out",
		"\x1b[31mevil\n": "/%1B%5B31mevil%0A",
	} {
		if got := strings.Join(s.Explain(path), "\n"); !strings.Contains(got, text) {
			t.Errorf("Explain(%q) = %s; want %q in it", path, got, text)
		}
	}
	if got := strings.Join(open(t, opening{}, fromSitemap(srv)).Explain("a"), "\n"); !strings.HasSuffix(got, "the site was not looked at yet") {
		t.Error(got)
	}
	if now, _, _ := srv.counts(); now != asked {
		t.Error("an explanation asked the site")
	}
	if _, err := s.Exists(t.Context(), "site/a"); err == nil {
		t.Error("Exists knows before anything was looked at")
	}
	if c := s.Cost(3); c.Requests != 0 || c.Pages != nil {
		t.Errorf("the cost of nothing is %+v", c)
	}
}

// Servers of files give the index of a directory under two addresses.
func TestIndexOfADirectory(t *testing.T) {
	srv := newServer(t)
	for _, at := range []string{"/", "/index.html", "/a/", "/a/index.html", "/b/", "/b/index.html", "/c/index.html"} {
		srv.html(at, "one page")
	}
	srv.html("/b/index.html", "another page")
	s := open(t, opening{}, func(c *Config) { c.Sitemap, c.Exclude = srv.URL+"/sitemap.xml", []string{"/.left-out"} })
	want(t, s, "a b b/index.html c/index.html index", "")
	want(t, s, "a b b/index.html c/index.html index", "")
}
