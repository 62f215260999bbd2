package web

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
		"not UTF-8": {"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><urlset><url><loc>https://h/\xe9</loc></url></urlset>", "", sitemap{pages: []string{"https://h/é"}}},
	} {
		got, err := readSitemap(strings.NewReader(tt.body), tt.media)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(sitemap{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if again := decodeSitemap(got.encode()); !slices.Equal(again.pages, got.pages) || !slices.Equal(again.maps, got.maps) {
			t.Errorf("%s: kept as %q", name, again)
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
		s, err := readSitemap(tt.body, "")
		if err == nil || !strings.Contains(err.Error(), tt.want) || len(s.pages) > 0 {
			t.Errorf("%s: %v, %d pages", name, err, len(s.pages))
		}
	}
	var packed bytes.Buffer
	packed.WriteString(zipped("<urlset>" + strings.Repeat(" ", maxSitemap+1)))
	if _, err := readSitemap(&packed, ""); err == nil || !strings.Contains(err.Error(), "a text of more than 64 kB") {
		t.Errorf("a gzip bomb: %v", err)
	}
	n, err := io.Copy(io.Discard, &bounded{r: &repeated{text: "<a>"}, left: 1000, gap: 10})
	if n != 1000 || err == nil || !strings.Contains(err.Error(), "larger than 50 MB") {
		t.Errorf("beyond the bound: %d bytes, %v", n, err)
	}
}

// Whatever a server sends in place of a sitemap: it is read within bounds, or refused.
func FuzzSitemap(f *testing.F) {
	for _, s := range []string{"<urlset><url><loc>https://h/a</loc></url></urlset>", "<sitemapindex><sitemap><loc>x</loc></sitemap></sitemapindex>", "https://h/a\nhttps://h/b", zipped("<urlset/>")} {
		f.Add([]byte(s), "")
	}
	f.Add([]byte("https://h/a\n"), "text/plain")
	f.Fuzz(func(t *testing.T, b []byte, media string) {
		s, err := readSitemap(bytes.NewReader(b), media)
		if err != nil && (s.pages != nil || s.maps != nil) {
			t.Fatal("an error, and addresses")
		}
		clean := decodeSitemap(s.encode())
		if len(clean.pages) > len(s.pages) || len(clean.maps) != len(s.maps) && !slices.Contains(s.maps, "") {
			t.Fatalf("%q is kept as %q", s, clean)
		}
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
	srv.set("/one.xml", xmlPages(srv.URL+"/a", srv.URL+"/b#x", srv.URL+"/b", "https://other.example/x", "nonsense"))
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
	incomplete(t, s, "/two.xml.gz answers 404; nothing is deleted")
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
		"foreign": {xmlPages("https://other.example/a"), "lists no page"},
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
