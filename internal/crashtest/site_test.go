//go:build crash

package crashtest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

const siteKey = "wiki-crash-9Lr3Xm5DcTqV7bNk"

// siteMakers are worlds with a website.
var siteMakers = []maker{
	{name: "site-chatbase-and-converse", make: newAgent, from: newSite, also: newConverse},
	{name: "site-hamsa-links", make: newProject, from: newSite, links: true},
	{name: "site-starleads", make: newStarleads, from: newSite},
	{name: "site-converse-links", make: newConverse, from: newSite, links: true},
}

// site offers a tree as a website with a sitemap.
type site struct {
	w        *world
	d        dice
	url      string
	patience int  // missing_after of the configuration
	tags     bool // pages have validators
	link     bool // the vendor fetches the pages
	doubts   int  // passes since all was well in which something seemed to be gone

	mu      sync.Mutex        // guards everything below
	pages   map[string][]byte // by path
	removed []string          // paths that were pages, by the last time that the tree was published
	ghosts  []string          // paths that are listed though there is no page any more
	mode    siteMode
	broken  map[string]int  // pages that cannot be had: the status of the answer, or 0 for one that breaks off
	weary   map[string]bool // pages whose next answer breaks off
	delay   time.Duration   // before every answer
	bodies  int             // pages that were sent
}

// siteMode is what is wrong with a whole site.
type siteMode int

const (
	siteFine     siteMode = iota
	siteHangs             // the connection is closed without an answer
	siteBusy              // 503
	siteUnlisted          // the sitemap answers 500
	siteTorn              // half of the sitemap
	siteEmpty             // a sitemap that lists nothing
)

func newSite(w *world, d dice) origin {
	s := &site{w: w, d: d, patience: 3, tags: d.chance(80), link: w.links, pages: map[string][]byte{}}
	if d.chance(35) {
		s.patience = 1
	}
	srv := httptest.NewServer(s)
	s.url = srv.URL
	w.t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return s
}

func (s *site) source() string {
	if s.link {
		return fmt.Sprintf("type: url, sitemap: %s/sitemap.xml, content: raw, missing_after: %d, timeout: 5s, deliver: link", s.url, s.patience)
	}
	return fmt.Sprintf("type: url, sitemap: %s/sitemap.xml, content: raw, missing_after: %d, timeout: 5s, headers: { X-Key: '${CRASH_SITE}' }", s.url, s.patience)
}

func (*site) environment() []string { return []string{"CRASH_SITE=" + siteKey} }
func (*site) secrets() []string     { return []string{siteKey} }

func (*site) kinds() []kind {
	return []kind{{"sitemap", `^GET /sitemap\.xml$`}, {"robots", `^GET /robots\.txt$`}, {"page", `^GET `}, {"page", `^GET `}}
}

// publish puts all pages in their places at once. Where one look is enough to believe that a page is gone, some that are stay listed.
func (s *site) publish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := map[string][]byte{}
	for _, d := range s.w.tree.docs {
		now[d.path] = d.file()
	}
	s.removed = nil
	for _, p := range slices.Sorted(maps.Keys(s.pages)) {
		if now[p] == nil {
			s.removed = append(s.removed, p)
		}
	}
	s.pages = now
	if s.patience == 1 {
		s.haunt()
	}
}

// haunt leaves some of the removed pages in the sitemap.
func (s *site) haunt() {
	const most = 20
	for _, p := range s.removed {
		if s.d.chance(50) {
			s.ghosts = append(s.ghosts, p)
		}
	}
	s.ghosts = tail(s.ghosts, most)
}

func (s *site) upset() upset {
	n := s.d.IntN(16)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken, s.weary = map[string]int{}, map[string]bool{}
	switch {
	case n == 0:
		s.mode = siteHangs
		return upset{what: "the site hangs up", fails: true}
	case n == 1:
		s.mode = siteBusy
		return upset{what: "the site is busy", fails: true}
	case n == 2:
		s.mode = siteUnlisted
		return upset{what: "the sitemap cannot be had", fails: true}
	case n == 3:
		s.mode = siteTorn
		return upset{what: "half of the sitemap is there", fails: true}
	case n < 6 && s.doubted():
		s.mode = siteEmpty
		return upset{what: "the sitemap is empty", fails: true}
	case n < 8:
		return upset{what: "pages cannot be had", where: s.spoil(0, http.StatusInternalServerError, http.StatusForbidden)}
	case n < 10 && s.doubted():
		s.haunt()
		return upset{what: "pages answer that they are not there", where: s.spoil(http.StatusNotFound, http.StatusGone)}
	case n < 12:
		for p := range s.pages {
			s.weary[p] = s.d.chance(5)
		}
		return upset{what: "answers of the site break off"}
	case n < 13:
		s.delay = time.Duration(s.d.IntN(60)) * time.Millisecond
		return upset{what: "the site is slow"}
	}
	return upset{}
}

// doubted counts the passes in which something seems to be gone that is not, and tells whether there may be another: the configuration asks
// for three before it is believed.
func (s *site) doubted() bool {
	s.doubts++
	return s.patience > 1 && s.doubts < s.patience
}

// spoil breaks some pages. One that was just renamed is none of them: when nobody can read it, it is not known to be the one that it was.
func (s *site) spoil(answers ...int) string {
	for range 1 + s.d.IntN(3) {
		if d := s.w.tree.pick(); !d.moved && d.live {
			s.broken[d.path] = answers[s.d.IntN(len(answers))]
		}
	}
	return fmt.Sprintf("%q", slices.Sorted(maps.Keys(s.broken)))
}

func (s *site) calm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode, s.broken, s.weary, s.delay = siteFine, nil, nil, 0
}

func (s *site) settle() {
	s.calm()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubts = 0
	if s.patience > 1 {
		s.ghosts = nil
	}
}

// excess holds that an unchanged page with a validator is not sent again.
func (s *site) excess() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.bodies
	s.bodies = 0
	if s.tags && n > 0 {
		return fmt.Sprintf("was sent %d pages", n)
	}
	return ""
}

// ServeHTTP implements http.Handler.
func (s *site) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	s.w.gate.through(kindOf(s.kinds(), r), func() { s.serve(rw, r) })
}

func (s *site) serve(rw http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	a := s.answer(name)
	await(r, a.delay)
	switch {
	case a.mode == siteHangs:
		panic(http.ErrAbortHandler)
	case a.mode == siteBusy:
		a.status = http.StatusServiceUnavailable
	case !s.link && r.Header.Get("X-Key") != siteKey:
		a.status = http.StatusUnauthorized
	}
	if a.status != http.StatusOK {
		http.Error(rw, http.StatusText(a.status), a.status)
		return
	}
	rw.Header().Set("Content-Type", cmp.Or(mediaTypes[strings.ToLower(path.Ext(name))], "text/plain; charset=utf-8"))
	if s.tags {
		sum := sha256.Sum256(a.body)
		tag := `"` + hex.EncodeToString(sum[:8]) + `"`
		rw.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			rw.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if a.breaks {
		rw.Header().Set("Content-Length", fmt.Sprint(len(a.body)))
		_, _ = rw.Write(a.body[:len(a.body)/2])
		panic(http.ErrAbortHandler)
	}
	if a.page {
		s.mu.Lock()
		s.bodies++
		s.mu.Unlock()
	}
	_, _ = rw.Write(a.body)
}

// mediaTypes are what a server says of files; it calls everything else text.
var mediaTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".csv": "text/csv", ".json": "application/json", ".yaml": "application/yaml",
	".md": "text/markdown; charset=utf-8", ".pdf": "application/pdf", ".xml": "application/xml",
}

// answer is what the site says of a path now.
type answer struct {
	mode   siteMode
	delay  time.Duration
	status int
	body   []byte
	breaks bool // in the middle of the body
	page   bool
}

func (s *site) answer(name string) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := answer{mode: s.mode, delay: s.delay, status: http.StatusOK}
	body, page := s.pages[name]
	status, broken := s.broken[name]
	switch {
	case name == "sitemap.xml" && s.mode == siteUnlisted:
		a.status = http.StatusInternalServerError
	case name == "sitemap.xml":
		a.body = s.sitemap()
	case broken && status != 0:
		a.status = status
	case !page:
		a.status = http.StatusNotFound
	default:
		a.body, a.page, a.breaks = body, true, broken || s.weary[name]
		delete(s.weary, name)
	}
	return a
}

// sitemap lists all pages.
func (s *site) sitemap() []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header + `<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">`)
	if s.mode != siteEmpty {
		for _, p := range append(slices.Sorted(maps.Keys(s.pages)), s.ghosts...) {
			b.WriteString("<url><loc>")
			_ = xml.EscapeText(&b, []byte(s.url+(&url.URL{Path: "/" + p}).EscapedPath()))
			b.WriteString("</loc></url>\n")
		}
	}
	b.WriteString("</urlset>")
	if s.mode == siteTorn {
		return b.Bytes()[:b.Len()/2]
	}
	return b.Bytes()
}
