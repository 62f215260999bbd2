//go:build crash

package crashtest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kbsyncd/internal/simulator"
)

// echo is a server that can be told to repeat what it was told.
type echo struct {
	http.Handler

	say atomic.Pointer[simulator.Fault]
}

func newEcho(t *testing.T, h http.Handler) (e *echo, url string) {
	e = &echo{Handler: h}
	srv := httptest.NewServer(e)
	t.Cleanup(srv.Close)
	return e, srv.URL
}

// ServeHTTP implements http.Handler.
func (e *echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := e.say.Load()
	if f == nil {
		e.Handler.ServeHTTP(w, r)
		return
	}
	maps.Copy(w.Header(), f.Header)
	w.WriteHeader(f.Status)
	_, _ = w.Write([]byte(f.Body))
}

// sourceEchoes are answers of a server of documents that repeats a secret to whoever sent it.
func sourceEchoes(elsewhere string) []*simulator.Fault {
	var out []*simulator.Fault
	for _, status := range []int{200, 400, 401, 403, 404, 500} {
		h := http.Header{"Www-Authenticate": {`Basic realm="` + core + `"`}, "X-Request-Id": {core}, "Content-Type": {"text/plain"}}
		out = append(out, &simulator.Fault{Status: status, Header: h, Body: "The key " + secretKey + " may not do this.\n"})
	}
	for _, to := range []string{elsewhere + "/?token=" + core, "/login?token=" + core, strings.Replace(elsewhere, "://", "://user:"+core+"@", 1) + "/docs.git/info/refs?service=git-upload-pack"} {
		for _, status := range []int{301, 302} {
			out = append(out, &simulator.Fault{Status: status, Header: http.Header{"Location": {to}}, Body: core})
		}
	}
	refusal := "ERR the token " + secretKey + " may not do this"
	advertised := "001e# service=git-upload-pack\n0000" + fmt.Sprintf("%04x%s", len(refusal)+4, refusal)
	return append(out, &simulator.Fault{Status: 200, Body: advertised, Header: http.Header{"Content-Type": {"application/x-git-upload-pack-advertisement"}}})
}

func newSourceSecrets(t *testing.T) *secrets {
	sim := simulator.NewStarleads(simulator.StarleadsOptions{Key: apiKey, ParseDelay: 10 * time.Millisecond})
	sim.AddAgent(ourAgent)
	s := newSecrets(t, starleads{Starleads: sim})
	s.seen = map[string]int{}
	return s
}

// ask configures a source and runs everything: as usual, with servers that repeat secrets, and with a cache that is damaged.
func (s *secrets) ask(source string, e *echo, publish func()) {
	s.t.Helper()
	nobody := httptest.NewServer(http.NotFoundHandler())
	defer nobody.Close()
	s.source = source
	s.configure(apiKey, s.vendor.url)
	s.everything(-1)
	for _, f := range sourceEchoes(nobody.URL) {
		if s.public != "" && f.Status == http.StatusOK {
			continue // that is the content of a page
		}
		publish()
		e.say.Store(f)
		s.run(-1, "--once", "--report", "report.json")
		s.run(-1, "explain", "docs/install.md")
		e.say.Store(nil)
	}
	s.everything(-1)
	s.key = "sk+live/" + wrongCore + "&<"
	s.everything(-1)
	s.key = secretKey
}

// TestNoSecretOfGit holds P8 for tokens of repositories.
func TestNoSecretOfGit(t *testing.T) {
	t.Parallel()
	s := newSourceSecrets(t)
	w := &world{t: t, dir: t.TempDir(), gate: newGate(), rng: rand.New(rand.NewPCG(1, 3)), stages: map[string]int{}}
	w.tree = newTree(t, w.rng, filepath.Join(w.dir, "docs"))
	r, _ := newRepository(w, dice{w.rng}).(*repository)
	w.origin, w.vendor, r.token = r, s.vendor, secretKey
	e, url := newEcho(t, r)
	publish := func() {
		w.tree.edit()
		r.publish()
	}
	publish()
	source := "type: git, repo: " + url + "/docs.git, "
	t.Run("from the environment", func(t *testing.T) {
		s.t = t
		s.ask(source+"token: '${SECRET_KEY}'", e, publish)
	})
	t.Run("from a file", func(t *testing.T) {
		s.t = t
		s.write("key.txt", secretKey+"\n")
		s.ask(source+"token_file: key.txt, username: 'a b@c'", e, publish)
	})
	t.Run("in the wrong place", func(t *testing.T) {
		s.t = t
		for _, bad := range []string{
			"type: git, repo: '" + strings.Replace(url, "://", "://user:"+core+"@", 1) + "/docs.git'",
			"type: git, repo: '" + strings.Replace(url, "://", "://"+core+"@", 1) + "/docs.git'",
			"type: git, repo: https://example.com/docs.git, token: [" + core + "]",
			"type: git, repo: git@example.com:docs.git, token: " + core,
		} {
			s.source = bad
			s.configure(apiKey, s.vendor.url)
			s.run(2, "check")
			s.run(2, "--once", "--report", "report.json")
		}
	})
	for _, who := range []string{"kbsyncd", "git", "git-remote-http"} {
		if s.seen[who] == 0 {
			t.Errorf("no process %s was looked at", who)
		}
	}
}

// TestNoSecretOfSite holds P8 for what a website is sent, and for what is in the query of addresses.
func TestNoSecretOfSite(t *testing.T) {
	t.Parallel()
	var version atomic.Int64
	pages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("X-Key") != secretKey && r.URL.Query().Get("key") != core:
			http.Error(w, "who are you?", http.StatusUnauthorized)
		case r.URL.Path == "/sitemap.xml":
			_, _ = fmt.Fprintf(w, `<urlset><url><loc>http://%s/a.md</loc></url><url><loc>http://%s/b.html</loc></url></urlset>`, r.Host, r.Host)
		case r.URL.Path == "/moved.md":
			http.Redirect(w, r, "/a.md?"+r.URL.RawQuery, http.StatusMovedPermanently)
		case r.URL.Path == "/gone.md":
			http.NotFound(w, r)
		case r.URL.Path == "/robots.txt":
			http.NotFound(w, r)
		default:
			_, _ = fmt.Fprintf(w, "<title>Page</title><h1>Page</h1><p>This is version %d of the page %s.</p>", version.Load(), r.URL.Path)
		}
	})
	e, url := newEcho(t, pages)
	publish := func() { version.Add(1) }
	for _, tt := range []struct{ name, source, public string }{
		{name: "header", source: "sitemap: " + url + "/sitemap.xml, headers: { X-Key: '${SECRET_KEY}' }, missing_after: 1"},
		{name: "query of a sitemap", source: "sitemap: '" + url + "/sitemap.xml?key=${SECRET_WORD}', headers: { X-Key: '${SECRET_KEY}' }"},
		{name: "query of a page", source: "urls: ['" + url + "/a.md?key=${SECRET_WORD}']", public: "docs/a.md?key=" + core},
		{name: "query of a page that moved", source: "urls: ['" + url + "/moved.md?key=${SECRET_WORD}']", public: "docs/moved.md?key=" + core},
		{name: "query of no page", source: "urls: ['" + url + "/gone.md?key=${SECRET_WORD}']", public: "docs/gone.md?key=" + core},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSourceSecrets(t)
			// The query of a page tells it from other pages, so it is in the key of the document; and the state remembers by address.
			s.public, s.silent = tt.public, tt.name != "header"
			s.ask("type: url, timeout: 2s, "+tt.source, e, publish)
		})
	}
	t.Run("in the wrong place", func(t *testing.T) {
		s := newSourceSecrets(t)
		for _, bad := range []string{
			"urls: ['" + strings.Replace(url, "://", "://user:"+core+"@", 1) + "/a.md']",
			"urls: ['" + url + "/a.md#" + core + "']",
			"urls: ['" + url + "/a.md'], headers: { 'X Key " + core + "': a }",
			"urls: ['" + url + "/a.md'], headers: { X-Key: [" + core + "] }",
		} {
			s.source = "type: url, " + bad
			s.configure(apiKey, s.vendor.url)
			s.run(2, "check")
			s.run(2, "--once", "--report", "report.json")
		}
	})
}
