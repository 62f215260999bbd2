package web

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/sourcetest"
)

// model is a site that changes at random, with faults that come and go.
type model struct {
	t      *testing.T
	rnd    *rand.Rand
	srv    *server
	how    func(*Config)
	pages  map[string]string // by path: the text
	faults map[string]int    // by path: for how many more scans
	given  map[string]bool   // what scans gave
	broken bool
	wall   string // what all pages show instead of their text
	behind int    // for how many more scans
	memory *spy
	dir    string
	site   *Site
}

// publish puts the pages and the list of them on the server, with the faults there are.
func (m *model) publish() {
	m.srv.mu.Lock()
	m.srv.pages = map[string]answer{}
	m.srv.mu.Unlock()
	var links []string
	for path, text := range m.pages {
		a := article0(text)
		if m.faults[path] > 0 {
			switch len(text) % 5 {
			case 0:
				a.status = http.StatusForbidden
			case 1:
				a.status = http.StatusNotFound
			case 2:
				a.body, a.cut = a.body+"<!-- "+fmt.Sprint(m.rnd.Int()), true
			case 3:
				a = answer{status: http.StatusFound, listed: true, header: map[string]string{"Location": "/p0"}}
			default:
				a = answer{status: http.StatusFound, listed: true, header: map[string]string{"Location": "/login"}}
			}
		}
		if m.behind > 0 {
			a = article0(m.wall)
		}
		m.srv.set("/"+path, a)
		links = append(links, "/"+path)
	}
	slices.Sort(links)
	m.srv.set("/", article0("start", links...))
	m.srv.with("/", func(a *answer) { a.listed = false })
	m.srv.set("/login", article0("sign in"))
	m.srv.with("/login", func(a *answer) { a.listed = false })
	if m.broken {
		m.srv.set("/", answer{status: http.StatusForbidden})
		m.srv.set("/sitemap.xml", article0("out of order"))
	}
}

// edit changes the site, the faults or the source at random.
func (m *model) edit() {
	path := fmt.Sprintf("p%d", m.rnd.IntN(9))
	switch m.rnd.IntN(9) {
	case 0:
		delete(m.pages, path)
	case 1:
		if text, ok := m.pages[path]; ok { // a rename
			delete(m.pages, path)
			m.pages["moved-"+path] = text
		}
	case 2:
		delete(m.pages, "moved-"+path)
	case 3:
		m.faults[path] = 1 + m.rnd.IntN(2)
	case 4:
		m.broken = m.rnd.IntN(2) == 0
	case 5:
		m.reopen()
	case 6:
		known := 0
		for p := range m.pages {
			if m.given[p] {
				known++
			}
		}
		if known >= few {
			m.wall, m.behind = fmt.Sprintf("out of order, incident %d", m.rnd.Int()), 1+m.rnd.IntN(2)
		}
	default:
		m.pages[path] = fmt.Sprintf("text %d%s", m.rnd.IntN(1000), strings.Repeat("x", m.rnd.IntN(4)))
	}
}

// reopen is another process, at times without the cache.
func (m *model) reopen() {
	if m.rnd.IntN(2) == 0 {
		m.dir = m.t.TempDir()
	}
	m.site = open(m.t, opening{m.dir, m.memory}, m.how)
}

// want are the paths of the documents that the site has.
func (m *model) want() []string {
	var paths []string
	for path := range m.pages {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

// check scans: what is on the site is given, or is a problem, or the listing is not complete.
func (m *model) check(when string) (complete bool, docs []string) {
	l := &sourcetest.Listing{}
	err := m.site.Scan(m.t.Context(), sources.Known{}, l)
	if !slices.IsSorted(l.Keys) {
		m.t.Fatalf("%s: keys are not in order: %q", when, l.Keys)
	}
	for _, d := range l.Documents {
		b, _, rerr := sourcetest.Read(m.t.Context(), d)
		if rerr != nil || !strings.HasPrefix(string(b), "# "+m.text(d.Key.Path())+"\n") {
			m.t.Fatalf("%s: %s reads %.40q, %v; want %q", when, d.Key, b, rerr, m.text(d.Key.Path()))
		}
	}
	if err == nil {
		for path := range m.given {
			if _, there := m.pages[path]; !there {
				delete(m.given, path)
				continue
			}
			if !slices.ContainsFunc(l.Keys, func(k kb.Key) bool { return k.Path() == path }) {
				m.t.Fatalf("%s: %s was given and is on the site still, and a complete scan says nothing of it", when, path)
			}
		}
	}
	for _, path := range l.Paths() {
		m.given[path] = true
	}
	return err == nil && len(l.Problems) == 0, l.Paths()
}

// While the site changes and fails no page that was given is ever missing from a complete scan, and once faults stop two scans
// later the documents are those of the site; a third one writes nothing.
func TestModel(t *testing.T) {
	for _, kind := range []string{"sitemap", "crawl"} {
		for seed := range uint64(12) {
			t.Run(fmt.Sprintf("%s/%d", kind, seed), func(t *testing.T) {
				t.Parallel()
				m := &model{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), srv: newServer(t), pages: map[string]string{"p0": "text 0"}, faults: map[string]int{}, given: map[string]bool{}, memory: newSpy()}
				m.how = fromSitemap(m.srv)
				if kind == "crawl" {
					m.how = func(c *Config) { c.Crawl.Start, c.Exclude = m.srv.URL+"/", []string{"/login"} }
				}
				m.reopen()
				for step := range 25 {
					for range m.rnd.IntN(3) {
						m.edit()
					}
					m.publish()
					m.check(fmt.Sprintf("step %d", step))
					m.behind--
					for p := range m.faults {
						if m.faults[p]--; m.faults[p] <= 0 {
							delete(m.faults, p)
						}
					}
				}
				m.faults, m.broken, m.behind = map[string]int{}, false, 0
				m.publish()
				m.check("quiet")
				complete, docs := m.check("quiet again")
				want := m.want()
				if kind == "crawl" {
					want = append([]string{"index"}, want...)
				}
				slices.Sort(want)
				if !complete || !slices.Equal(docs, want) {
					t.Errorf("complete: %v, documents %q, want %q", complete, docs, want)
				}
				saves := m.memory.saves
				if m.check("still quiet"); m.memory.saves != saves {
					t.Error("a scan of an unchanged site wrote to the memory")
				}
			})
		}
	}
}

// text is what the document at a path begins with.
func (m *model) text(path string) string {
	if path == "index" {
		return "start"
	}
	return m.pages[path]
}
