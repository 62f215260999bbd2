package web

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kbsyncd/internal/sources"
)

func TestReadSitemap(t *testing.T) {
	const ns = `xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"`
	two := "<urlset " + ns + "><url><loc> https://h/a </loc><lastmod>2024-01-01</lastmod></url><url><loc>https://h/b?x=1&amp;y=2</loc></url></urlset>"
	for name, tt := range map[string]struct {
		body, media string
		want        sitemap
	}{
		"pages":     {`<?xml version="1.0"?>` + two, "", sitemap{pages: []string{"https://h/a", "https://h/b?x=1&y=2"}}},
		"mark":      {"\ufeff" + two, "text/xml", sitemap{pages: []string{"https://h/a", "https://h/b?x=1&y=2"}}},
		"zipped":    {zipped(two), "application/gzip", sitemap{pages: []string{"https://h/a", "https://h/b?x=1&y=2"}}},
		"index":     {"<sitemapindex><sitemap><loc>https://h/s1.xml</loc></sitemap></sitemapindex>", "", sitemap{maps: []string{"https://h/s1.xml"}}},
		"no pages":  {"<urlset/>", "", sitemap{}},
		"image":     {`<urlset><url><loc>https://h/a</loc><i:image xmlns:i="i"><i:loc>https://h/a.png</i:loc></i:image></url></urlset>`, "", sitemap{pages: []string{"https://h/a"}}},
		"lines":     {"https://h/a\r\n\nhttps://h/b\n", "text/plain", sitemap{pages: []string{"https://h/a", "https://h/b"}}},
		"not UTF-8": {"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><urlset><url><loc>https://h/\xe9</loc></url></urlset>", "", sitemap{pages: []string{"https://h/%C3%A9"}}},
	} {
		got, err := readSitemap(strings.NewReader(tt.body), tt.media, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(sitemap{}), cmpopts.IgnoreFields(sitemap{}, "bytes")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		sameWhenKept(t, got)
	}
}

// sameWhenKept wants a sitemap that did not change to list what it listed when it was fetched, in the one form of addresses.
func sameWhenKept(t *testing.T, s sitemap) {
	t.Helper()
	kept, ok := decodeSitemap(s.encode())
	if diff := cmp.Diff(s, kept, cmp.AllowUnexported(sitemap{})); !ok || diff != "" {
		t.Errorf("what is kept differs (-fetched +kept):\n%s", diff)
	}
	for _, a := range append(slices.Clone(s.pages), s.maps...) {
		if u, ok := parseAddress(a); !ok || u.String() != a {
			t.Errorf("%q is not in its one form", a)
		}
	}
}

// repeated gives text again and again, and never ends.
type repeated struct {
	head, text string
	at         int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.head != "" {
		n := copy(p, r.head)
		r.head = r.head[n:]
		return n, nil
	}
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

func TestHostileSitemaps(t *testing.T) {
	bomb := func() io.Reader {
		return io.MultiReader(strings.NewReader("<urlset>"), &repeated{text: strings.Repeat(" ", 4096)})
	}
	for name, tt := range map[string]struct {
		body io.Reader
		want string
	}{
		"page":        {strings.NewReader("<!-- x --><html><body>Hello</body></html>"), "it is no sitemap, but begins with <html>"},
		"doctype":     {strings.NewReader("<!DOCTYPE html><html></html>"), "document type"},
		"entities":    {strings.NewReader(`<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><urlset><url><loc>&b;</loc></url></urlset>`), "document type"},
		"entity":      {strings.NewReader(`<urlset><url><loc>&b;</loc></url></urlset>`), "entity"},
		"cut":         {strings.NewReader(`<urlset><url><loc>https://h/a</loc></url>`), "unexpected EOF"},
		"nothing":     {strings.NewReader(""), "it is empty"},
		"spaces":      {strings.NewReader(" \n "), "it is empty"},
		"JSON":        {strings.NewReader(`{"a":1}`), "it is no XML"},
		"deep":        {&repeated{text: "<urlset>"}, "nested too deep"},
		"endless":     {bomb(), "a text of more than 64 kB"},
		"many":        {&repeated{head: "<urlset>", text: "<url><loc>https://h/a</loc></url>"}, "more than 100000 addresses"},
		"many lines":  {&repeated{text: "https://h/a\n"}, "more than 100000 addresses"},
		"long line":   {&repeated{text: "https://h/aaaaaaa"}, "token too long"},
		"bad gzip":    {strings.NewReader("\x1f\x8bnot really"), ""},
		"two roots":   {strings.NewReader("<urlset></urlset><html>"), ""},
		"other lines": {strings.NewReader("https://h/a\nhello\n"), "a line of it is no address"},
	} {
		s, err := readSitemap(tt.body, "", nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) || len(s.pages) > 0 {
			t.Errorf("%s: %v, %d pages", name, err, len(s.pages))
		}
	}
	var packed bytes.Buffer
	packed.WriteString(zipped("<urlset>" + strings.Repeat(" ", maxSitemap+1)))
	if _, err := readSitemap(&packed, "", nil); err == nil || !strings.Contains(err.Error(), "a text of more than 64 kB") {
		t.Errorf("a gzip bomb: %v", err)
	}
	full := sitemap{bytes: maxListed}
	if err := full.add(&full.pages, "https://h/a", nil); !errors.Is(err, errTooMany) {
		t.Errorf("long addresses: %v", err)
	}
	n, err := io.Copy(io.Discard, &bounded{r: &repeated{text: "<a>"}, left: 1000, gap: 10})
	if n != 1000 || err == nil || !strings.Contains(err.Error(), "larger than 50 MB") {
		t.Errorf("beyond the bound: %d bytes, %v", n, err)
	}
}

// Generators write addresses as they like, and with them what no address may hold.
func TestOddAddresses(t *testing.T) {
	base, _ := parseAddress("https://h/dir/sitemap.xml")
	for loc, want := range map[string]string{
		"https://h/a  b":          "https://h/a%20%20b",
		"https://h/a\u00a0b":      "https://h/a%C2%A0b",
		"https://h/a\u3000b":      "https://h/a%E3%80%80b",
		"https://h/a%0Ab":         "https://h/a%0Ab",
		"https://h/a?q=x y\u2028": "https://h/a?q=x%20y", // a space at the end, in Unicode's eyes
		"\n\thttps://h/a\n\t":     "https://h/a",
		"HTTPS://H:443/a/../b#c":  "https://h/b",
		"page":                    "https://h/dir/page",
		"/page?x=1":               "https://h/page?x=1",
		"//other/page":            "https://other/page",
		"https://h/a\n b":         "",
		"https://[h/a":            "",
		"https://u:pw@h/a":        "",
		"mailto:x@h":              "",
		"javascript:alert(1)":     "",
		"#top":                    "",
		"https://h/" + strings.Repeat("x", 2*maxAddress):                "",
		"https://h/<!-- -->" + strings.Repeat("<!-- -->xx", maxAddress): "",
	} {
		var body strings.Builder
		body.WriteString("<urlset><url><loc>")
		if strings.Contains(loc, "<!--") {
			body.WriteString(loc)
		} else {
			xml.EscapeText(&body, []byte(loc))
		}
		s, err := readSitemap(strings.NewReader(body.String()+"</loc></url></urlset>"), "", base)
		if err != nil {
			t.Errorf("%.50q: %v", loc, err)
			continue
		}
		var list []string
		if want != "" {
			list = []string{want}
		}
		if !slices.Equal(s.pages, list) || s.unreadable != 1-len(list) || strings.Contains(fmt.Sprint(s.examples), "pw") {
			t.Errorf("%.50q: %q, unreadable %d: %.80q", loc, s.pages, s.unreadable, s.examples)
		}
		sameWhenKept(t, s)
	}
}

// Whatever a server sends in place of a sitemap: it is read within bounds, or refused.
func FuzzSitemap(f *testing.F) {
	for _, s := range []string{"<urlset><url><loc>https://h/a</loc></url></urlset>", "<sitemapindex><sitemap><loc>x</loc></sitemap></sitemapindex>", "https://h/a\nhttps://h/b", zipped("<urlset/>")} {
		f.Add([]byte(s), "")
	}
	f.Add([]byte("https://h/a\n"), "text/plain")
	f.Fuzz(func(t *testing.T, b []byte, media string) {
		base, _ := parseAddress("https://h/dir/sitemap.xml")
		s, err := readSitemap(bytes.NewReader(b), media, base)
		if err != nil && (s.pages != nil || s.maps != nil) {
			t.Fatal("an error, and addresses")
		}
		sameWhenKept(t, s)
	})
}

func xmlIndex(addresses ...string) answer {
	return answer{body: "<sitemapindex><sitemap><loc>" + strings.Join(addresses, "</loc></sitemap><sitemap><loc>") + "</loc></sitemap></sitemapindex>",
		header: map[string]string{"Content-Type": "application/xml"}}
}

func xmlPages(addresses ...string) answer {
	return answer{body: "<urlset><url><loc>" + strings.Join(addresses, "</loc></url><url><loc>") + "</loc></url></urlset>",
		header: map[string]string{"Content-Type": "application/xml"}}
}

func TestSitemapIndex(t *testing.T) {
	srv := newServer(t)
	for _, p := range []string{"/a", "/b", "/c"} {
		srv.html(p, "page "+p)
	}
	srv.set("/index.xml", xmlIndex(srv.URL+"/one.xml", srv.URL+"/two.xml.gz", srv.URL+"/index.xml", "https://other.example/s.xml"))
	srv.set("/one.xml", xmlPages(srv.URL+"/a", srv.URL+"/b#x", srv.URL+"/b", "https://other.example/x", "https://[nonsense"))
	srv.set("/two.xml.gz", answer{body: zipped(xmlPages(srv.URL + "/c").body), header: map[string]string{"Content-Type": "application/gzip"}})
	m := newSpy()
	s := open(t, opening{t.TempDir(), m}, func(c *Config) { c.Sitemap, c.IgnoreRobots = srv.URL+"/index.xml", true })
	want(t, s, "a b c", "")
	_, bodies, matched := srv.counts()
	saves := m.saves
	want(t, s, "a b c", "")
	if _, b, n := srv.counts(); b != bodies || n-matched != 6 || m.saves != saves {
		t.Errorf("an unchanged scan got %d bodies and %d times nothing new, and wrote %d times", b-bodies, n-matched, m.saves-saves)
	}
	srv.set("/one.xml", xmlPages(srv.URL+"/a"))
	want(t, s, "a c", "")
	srv.drop("/two.xml.gz")
	incomplete(t, s, "/two.xml.gz answers 404 (1 of 3 in a row); nothing is deleted")
}

func TestSitemapFaults(t *testing.T) {
	srv := newServer(t)
	srv.html("/a", "page a")
	how := func(c *Config) { c.Sitemap, c.IgnoreRobots, c.MissingAfter = srv.URL+"/s.xml", true, 2 }
	for name, tt := range map[string]struct {
		serve answer
		want  string
	}{
		"HTML":    {article0("hello"), "cannot be read"},
		"refused": {answer{status: http.StatusForbidden}, "cannot be had"},
		"empty":   {answer{body: "<urlset></urlset>"}, "the sitemap lists no page (1 of 2 in a row)"},
		"cut":     {answer{body: xmlPages(srv.URL+"/a").body + "\n", cut: true}, "cannot be read"},
		"foreign": {xmlPages("https://other.example/a"), "1 of 1 addresses in the sitemap are on other hosts"},
	} {
		srv.set("/s.xml", xmlPages(srv.URL+"/a"))
		s := open(t, opening{}, how)
		want(t, s, "a", "")
		srv.set("/s.xml", tt.serve)
		t.Log(name)
		incomplete(t, s, tt.want)
		if ok, err := s.Exists(t.Context(), "site/a"); ok || err == nil {
			t.Errorf("%s: Exists says %v, %v", name, ok, err)
		}
	}
}

// Indexes that lead to ever more indexes end in an error.
func TestSitemapBombs(t *testing.T) {
	srv := newServer(t)
	for name, fan := range map[string]int{"chain": 1, "tree": 600} {
		n := 0
		bomb := func(w http.ResponseWriter, r *http.Request) {
			var to []string
			for i := range fan {
				to = append(to, fmt.Sprintf("%s%s/%d", srv.URL, r.URL.Path, i))
			}
			io.WriteString(w, xmlIndex(to...).body)
		}
		for _, p := range []string{"/" + name, "/" + name + "/0", "/" + name + "/0/0", "/" + name + "/0/0/0", "/" + name + "/0/0/0/0"} {
			srv.set(p, answer{handle: bomb})
		}
		s := open(t, opening{}, func(c *Config) { c.Sitemap, c.IgnoreRobots = srv.URL+"/"+name, true })
		before, _, _ := srv.counts()
		incomplete(t, s, "the sitemap leads to more than 500 others, or nests deeper than 3")
		if n, _, _ = srv.counts(); n-before > 5 {
			t.Errorf("%s: %d requests", name, n-before)
		}
	}
}

// A sitemap that did not change lists the same addresses, however odd they are.
func TestUnchangedSitemapListsTheSame(t *testing.T) {
	srv := newServer(t)
	for _, p := range []string{"/a%20%20b", "/a%C2%A0b", "/a%E3%80%80b", "/dir/page", "/plain"} {
		srv.html(p, "page "+p)
	}
	srv.set("/dir/s.xml", xmlPages(srv.URL+"/a  b", srv.URL+"/a\u00a0b", srv.URL+"/a\u3000b", "page", srv.URL+"/a\n b", srv.URL+"/plain"))
	s := open(t, opening{t.TempDir(), newSpy()}, func(c *Config) { c.Sitemap, c.IgnoreRobots = srv.URL+"/dir/s.xml", true })
	_, _, first, err := scan(t, s, sources.Known{})
	if err != nil || len(first.Paths()) != 5 {
		t.Fatalf("%q, %v", first.Paths(), err)
	}
	_, _, matched := srv.counts()
	_, _, again, err := scan(t, s, sources.Known{})
	if diff := cmp.Diff(first.Paths(), again.Paths()); err != nil || diff != "" {
		t.Errorf("%v (-first +second):\n%s", err, diff)
	}
	if _, _, n := srv.counts(); n-matched != 6 {
		t.Errorf("%d answers of 304, want 6", n-matched)
	}
}

// indexed is a site with several sitemaps of some pages each.
func indexed(t *testing.T, sizes map[string]int) *server {
	srv := newServer(t)
	var all []string
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		srv.set("/"+name+".xml", xmlPages(indexPages(srv, name, sizes[name])...))
		all = append(all, srv.URL+"/"+name+".xml")
	}
	srv.set("/index.xml", xmlIndex(all...))
	return srv
}

func indexPages(srv *server, name string, n int) (pages []string) {
	for i := range n {
		p := fmt.Sprintf("/%s/%d", name, i)
		srv.html(p, "page "+p)
		pages = append(pages, srv.URL+p)
	}
	return pages
}

func total(t *testing.T, s *Site) int {
	t.Helper()
	_, _, l, err := scan(t, s, sources.Known{})
	if err != nil {
		t.Fatal(err)
	}
	return len(l.Paths())
}

// A sitemap that is missing holds up neither the pages of the others nor, in the end, what is deleted.
func TestMissingChildSitemap(t *testing.T) {
	srv := indexed(t, map[string]int{"a": 3, "b": 3, "c": 3})
	s := open(t, opening{t.TempDir(), newSpy()}, func(c *Config) {
		c.Sitemap, c.IgnoreRobots, c.MissingAfter = srv.URL+"/index.xml", true, 3
	})
	if n := total(t, s); n != 9 {
		t.Fatalf("%d documents", n)
	}
	srv.set("/a.xml", answer{status: http.StatusGone})
	srv.html("/c/1", "something new")
	l := incomplete(t, s, "/a.xml answers 410 (1 of 3 in a row); nothing is deleted")
	if text := read(t, l, "c/1"); !strings.Contains(text, "something new") {
		t.Errorf("a page of another sitemap: %s", text)
	}
	incomplete(t, s, "(2 of 3 in a row)")
	srv.set("/a.xml", answer{status: http.StatusForbidden})
	incomplete(t, s, "cannot be had")
	srv.set("/a.xml", answer{status: http.StatusNotFound})
	incomplete(t, s, "(1 of 3 in a row)")
	incomplete(t, s, "(2 of 3 in a row)")
	for range 2 {
		if n := total(t, s); n != 6 {
			t.Errorf("%d documents when the sitemap is gone", n)
		}
	}
	srv.set("/a.xml", xmlPages(srv.URL+"/a/0"))
	if n := total(t, s); n != 7 {
		t.Errorf("%d documents when the sitemap is back", n)
	}
}

// The sudden loss of one of several sitemaps is not believed at once, also when it is a small one.
func TestShrunkenChildSitemap(t *testing.T) {
	for name, tt := range map[string]struct {
		left int
		want string
		now  int
	}{
		"empty":        {0, "/b.xml lists no page (1 of 2 in a row)", 60},
		"under half":   {5, "/b.xml lists 5 pages and had 20 (1 of 2 in a row)", 65},
		"over half":    {15, "", 75},
		"other hosts'": {-1, "/b.xml lists no page (1 of 2 in a row)", 60},
	} {
		t.Run(name, func(t *testing.T) {
			srv := indexed(t, map[string]int{"a": 60, "b": 20})
			m, cache := newSpy(), t.TempDir()
			how := func(c *Config) { c.Sitemap, c.IgnoreRobots, c.MissingAfter = srv.URL+"/index.xml", true, 2 }
			if n := total(t, open(t, opening{cache, m}, how)); n != 80 {
				t.Fatalf("%d documents", n)
			}
			switch {
			case tt.left > 0:
				srv.set("/b.xml", xmlPages(indexPages(srv, "b", tt.left)...))
			case tt.left == 0:
				srv.set("/b.xml", answer{body: "<urlset></urlset>"})
			default:
				var others []string
				for i := range 20 {
					others = append(others, fmt.Sprintf("https://other.example/b/%d", i))
				}
				srv.set("/b.xml", xmlPages(others...))
			}
			s := open(t, opening{cache, m}, how)
			if tt.want != "" {
				incomplete(t, s, tt.want)
			}
			for range 2 {
				if n := total(t, s); n != tt.now {
					t.Errorf("%d documents in the end, want %d", n, tt.now)
				}
			}
		})
	}
}

// A sitemap that never listed anything is nothing that was lost.
func TestEmptyChildSitemap(t *testing.T) {
	srv := indexed(t, map[string]int{"a": 3})
	srv.set("/empty.xml", answer{body: "<urlset></urlset>"})
	srv.set("/index.xml", xmlIndex(srv.URL+"/a.xml", srv.URL+"/empty.xml"))
	s := open(t, opening{}, func(c *Config) { c.Sitemap, c.IgnoreRobots = srv.URL+"/index.xml", true })
	if n := total(t, s); n != 3 {
		t.Errorf("%d documents", n)
	}
}

// Some addresses that cannot be looked at are told; most of them are a mistake.
func TestDroppedAddresses(t *testing.T) {
	srv := newServer(t)
	for _, p := range []string{"/a", "/b"} {
		srv.html(p, "page "+p)
	}
	srv.set("/s.xml", xmlPages(srv.URL+"/a", srv.URL+"/b", "https://other.example/c?token=secret", "https://user:secret@[x"))
	s := open(t, opening{}, func(c *Config) { c.Sitemap, c.IgnoreRobots = srv.URL+"/s.xml", true })
	var log bytes.Buffer
	s.log = slog.New(slog.NewTextHandler(&log, nil))
	for range 2 { // the second time from what is kept
		log.Reset()
		want(t, s, "a b", "")
		for _, w := range []string{"WARN", "other_hosts=1", "unreadable=1", "other.example/c", "…@[x"} {
			if !strings.Contains(log.String(), w) {
				t.Errorf("the log lacks %q: %s", w, &log)
			}
		}
		if strings.Contains(log.String(), "secret") {
			t.Errorf("a secret in the log: %s", &log)
		}
	}
	srv.set("/s.xml", xmlPages(srv.URL+"/a", "https://other.example/b", "https://other.example/c"))
	incomplete(t, s, "2 of 3 addresses in the sitemap are on other hosts or cannot be read, such as https://other.example/b; nothing is deleted")
}

// An index that lists millions of addresses is not read to its end.
func TestEndlessIndex(t *testing.T) {
	srv := newServer(t)
	var all []string
	var body strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&body, "%s/PART/%d\n", srv.URL, i)
	}
	for i := range 40 {
		at := fmt.Sprintf("/%d.txt", i)
		text := srv.URL + "/one\n"
		if i < 2 {
			text = strings.ReplaceAll(body.String(), "PART", fmt.Sprint(i))
		}
		srv.set(at, answer{body: text, header: map[string]string{"Content-Type": "text/plain"}})
		all = append(all, srv.URL+at)
	}
	srv.set("/index.xml", xmlIndex(all...))
	s := open(t, opening{}, func(c *Config) { c.Sitemap, c.IgnoreRobots = srv.URL+"/index.xml", true })
	incomplete(t, s, "more than 100000 addresses")
	if asked, _, _ := srv.counts(); asked > 1+maxAtOnce {
		t.Errorf("%d requests", asked)
	}
}
