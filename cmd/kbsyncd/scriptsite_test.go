package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// site is a website made of the files in a directory, with ETags. /sitemap.xml lists them when there is no such file. A page is the
// file of its path, or the one with .html.
type site struct {
	dir, url string

	mu       sync.Mutex
	requests []string          // METHOD /path STATUS
	answers  map[string]int    // path → status in place of what is there
	moved    map[string]string // path → "CODE ADDRESS"
}

// serveSources serves the website in www and the repositories in repos, the latter to those who know the key of the tests.
func (w *world) serveSources(env *testscript.Env) {
	w.site = &site{dir: filepath.Join(env.WorkDir, "www"), answers: map[string]int{}, moved: map[string]string{}}
	pages := httptest.NewServer(w.site)
	w.site.url = pages.URL
	repos := httptest.NewServer(gitServer(filepath.Join(env.WorkDir, "repos")))
	env.Defer(func() {
		pages.Close()
		repos.Close()
	})
	env.Setenv("SITE_URL", pages.URL)
	env.Setenv("REPOS_URL", repos.URL)
	env.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		env.Setenv("GIT_"+who+"_NAME", "A Writer")
		env.Setenv("GIT_"+who+"_EMAIL", "writer@example.com")
		env.Setenv("GIT_"+who+"_DATE", "2026-01-02T03:04:05Z")
	}
}

// gitServer gives the repositories in a directory over smart HTTP to those whose password is the key of the tests.
func gitServer(dir string) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != vendorKey {
			rw.Header().Set("WWW-Authenticate", `Basic realm="repositories"`)
			http.Error(rw, "who are you?", http.StatusUnauthorized)
			return
		}
		git, err := exec.LookPath("git")
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		(&cgi.Handler{
			Path: git, Args: []string{"http-backend"},
			Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
		}).ServeHTTP(rw, r)
	})
}

// ServeHTTP answers and keeps what was asked.
func (s *site) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	rec := &statusRecorder{ResponseWriter: rw, status: http.StatusOK}
	s.serve(rec, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, fmt.Sprintf("%s %s %d", r.Method, r.URL.Path, rec.status))
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status.
func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (s *site) serve(rw http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	status, to := s.answers[r.URL.Path], s.moved[r.URL.Path]
	s.mu.Unlock()
	if code, address, ok := strings.Cut(to, " "); ok {
		n, _ := strconv.Atoi(code)
		http.Redirect(rw, r, address, n)
		return
	}
	if status != 0 {
		http.Error(rw, http.StatusText(status), status)
		return
	}
	name := filepath.Join(s.dir, filepath.FromSlash(r.URL.Path))
	body, err := os.ReadFile(name)
	if err != nil {
		name += ".html"
		body, err = os.ReadFile(name)
	}
	switch {
	case err != nil && r.URL.Path == "/sitemap.xml":
		name, body = "sitemap.xml", s.sitemap()
	case err != nil:
		http.NotFound(rw, r)
		return
	}
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	rw.Header().Set("ETag", tag)
	rw.Header().Set("Content-Type", map[string]string{
		".html": "text/html; charset=utf-8", ".pdf": "application/pdf", ".xml": "application/xml", ".txt": "text/plain; charset=utf-8",
		".md": "text/markdown",
	}[filepath.Ext(name)])
	if r.Header.Get("If-None-Match") == tag {
		rw.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = rw.Write(body)
}

func (s *site) sitemap() []byte {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">`)
	_ = filepath.WalkDir(s.dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && filepath.Base(name) != "robots.txt" {
			rel, _ := filepath.Rel(s.dir, name)
			b.WriteString("<url><loc>" + s.url + "/" + strings.TrimSuffix(filepath.ToSlash(rel), ".html") + "</loc></url>")
		}
		return nil
	})
	b.WriteString("</urlset>")
	return []byte(b.String())
}

// cmdSite looks at the website or changes how it answers:
//
//	site requests N [REGEXP]   as many requests "METHOD /path STATUS" that match were made since the last reset
//	site reset                 forgets the requests
//	site answer PATH STATUS    the path answers so from now on; 0 ends it
//	site move PATH CODE TO     the path redirects
func cmdSite(ts *testscript.TestScript, args []string) {
	need(ts, args, 1)
	s := worldOf(ts).site
	s.mu.Lock()
	defer s.mu.Unlock()
	switch args[0] {
	case "reset":
		s.requests = nil
	case "answer":
		need(ts, args, 3)
		s.answers[args[1]] = number(ts, args[2])
	case "move":
		need(ts, args, 4)
		s.moved[args[1]] = args[2] + " " + args[3]
	case "requests":
		need(ts, args, 2)
		matching := regexp.MustCompile(strings.Join(args[2:], " "))
		n := 0
		for _, r := range s.requests {
			if matching.MatchString(r) {
				n++
			}
		}
		if n != number(ts, args[1]) {
			ts.Fatalf("%d requests to the site match, want %s:\n%s", n, args[1], strings.Join(s.requests, "\n"))
		}
	default:
		ts.Fatalf("unknown command site %s", args[0])
	}
}
