package gitrepo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/secret"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/sourcetest"
)

const testToken = "s3cr3t-t0ken-abcdef"

// server serves the directory of an origin through git http-backend.
type server struct {
	*httptest.Server
	requests atomic.Int64
	old      bool // speak only the first version of the protocol
	token    string
	auths    sync.Map // the Authorization headers that came
	hold     func(*http.Request)
	fail     func(*http.Request) bool
	garbled  atomic.Bool // packs come as nonsense
}

func (o *origin) serve(change func(*server)) *server {
	o.t.Helper()
	s := &server{}
	if change != nil {
		change(s)
	}
	backend := filepath.Join(o.git("--exec-path"), "git-http-backend")
	h := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		s.requests.Add(1)
		if a := req.Header.Get("Authorization"); a != "" {
			s.auths.Store(a, true)
		}
		if _, pass, ok := req.BasicAuth(); s.token != "" && (!ok || pass != s.token) {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		if s.hold != nil {
			s.hold(req)
		}
		if s.fail != nil && s.fail(req) {
			http.Error(w, "out of order", http.StatusServiceUnavailable)
			return
		}
		body, _ := io.ReadAll(req.Body)
		req.Body = io.NopCloser(bytes.NewReader(body))
		if s.garbled.Load() && bytes.Contains(body, []byte("command=fetch")) {
			w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
			if !bytes.Contains(body, []byte("0009done")) {
				_, _ = io.WriteString(w, "0014acknowledgments\n000aready\n0001")
			}
			_, _ = io.WriteString(w, "000dpackfile\n0021\x01PACK\x00\x00\x00\x02\x00\x00\x00\x01nonsense........0000")
			return
		}
		env := []string{"GIT_PROJECT_ROOT=" + filepath.Dir(o.dir), "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null"}
		if s.old {
			req.Header.Del("Git-Protocol") // the backend reads it from the header as well
		} else {
			env = append(env, "GIT_PROTOCOL="+req.Header.Get("Git-Protocol"))
		}
		(&cgi.Handler{Path: backend, Env: env, Stderr: &bytes.Buffer{}}).ServeHTTP(w, req)
	})
	s.Server = httptest.NewServer(h)
	o.t.Cleanup(s.Close)
	return s
}

func (s *server) repo() string { return s.URL + "/origin.git" }

// sample is an origin with some documents and a large file that is none.
func sample(t *testing.T) *origin {
	o := newOrigin(t)
	for i := range 20 {
		o.put(fmt.Sprintf("docs/p%02d.md", i), fmt.Appendf(nil, "# Page %d\n", i))
	}
	o.put("img/big.bin", bytes.Repeat([]byte("incompressible?"), 20000))
	o.put("README.md", []byte("read me\n"))
	o.flush()
	return o
}

func overHTTP(s *server, change func(*Config, *sources.Options)) func(*Config, *sources.Options) {
	return func(c *Config, opts *sources.Options) {
		c.Repo = s.repo()
		if change != nil {
			change(c, opts)
		}
	}
}

// pointers is what Fetch is given.
func pointers(l *sourcetest.Listing) []*kb.Document {
	docs := make([]*kb.Document, len(l.Documents))
	for i := range l.Documents {
		docs[i] = &l.Documents[i]
	}
	return docs
}

func readAll(t *testing.T, l *sourcetest.Listing) {
	t.Helper()
	for _, d := range l.Documents {
		got, _, err := sourcetest.Read(t.Context(), d)
		if err != nil {
			t.Errorf("%s: %v", d.Key, err)
		} else if d.Size >= 0 && d.Size != int64(len(got)) {
			t.Errorf("%s: %d bytes, size %d", d.Key, len(got), d.Size)
		}
	}
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		serve  func(*server)
		origin func(*origin)
	}{
		{name: "all abilities"},
		{name: "no filter", origin: func(o *origin) { o.git("config", "uploadpack.allowFilter", "false") }},
		{name: "first protocol", serve: func(s *server) { s.old = true }},
		{name: "first protocol, only names", serve: func(s *server) { s.old = true }, origin: func(o *origin) { o.git("config", "uploadpack.allowAnySHA1InWant", "false") }},
		{name: "first protocol, only names, no filter", serve: func(s *server) { s.old = true }, origin: func(o *origin) {
			o.git("config", "uploadpack.allowAnySHA1InWant", "false")
			o.git("config", "uploadpack.allowFilter", "false")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := sample(t)
			if tt.origin != nil {
				tt.origin(o)
			}
			s := o.serve(tt.serve)
			r := o.open(overHTTP(s, func(c *Config, _ *sources.Options) { c.Path, c.PublicURL = "docs", "https://example.com/{page}" }))
			l := sourcetest.Scan(t, r)
			if r.Shape() != "https://example.com/{page}" {
				t.Errorf("shape %q", r.Shape())
			}
			if len(l.Documents) != 20 || l.Documents[3].Key != "docs/p03.md" || l.Documents[3].Public.Of("p03.md") != "https://example.com/p03" {
				t.Fatalf("documents: %q", l.Paths())
			}
			if err := r.Fetch(t.Context(), pointers(l)); err != nil {
				t.Fatal(err)
			}
			before := s.requests.Load()
			readAll(t, l)
			if n := s.requests.Load() - before; n != 0 {
				t.Errorf("reading what was fetched made %d requests", n)
			}
			if l.Documents[0].Size != 9 || l.Documents[0].Modified.Unix() < 1700000000 {
				t.Errorf("size %d, modified %v", l.Documents[0].Size, l.Documents[0].Modified)
			}
			before = s.requests.Load()
			if err := r.Scan(t.Context(), sources.Known{Run: 7}, &sourcetest.Listing{}); err != nil {
				t.Fatal(err)
			}
			if n := s.requests.Load() - before; n > 2 {
				t.Errorf("an unchanged scan made %d requests, want a look at the tip", n)
			}
			if err := r.Scan(t.Context(), sources.Known{Run: 7}, &sourcetest.Listing{}); err != nil {
				t.Fatal(err)
			}
			if n := s.requests.Load() - before; n > 2 {
				t.Errorf("a second scan of the same run made requests")
			}
			if c := r.Cost(7); c.Requests != 1 || c.BytesReceived != 0 || c.NotModified != 1 || c.Duration <= 0 {
				t.Errorf("cost of the unchanged run: %+v", c)
			}
			o.put("docs/p03.md", []byte("changed\n"))
			l = o.scan(r)
			if err := r.Fetch(t.Context(), pointers(l)); err != nil {
				t.Fatal(err)
			}
			if got, _, err := sourcetest.Read(t.Context(), l.Documents[3]); string(got) != "changed\n" {
				t.Errorf("read %q, %v", got, err)
			}
			if c := r.Cost(0); c.Requests < 2 || c.Requests > 3 || c.BytesReceived == 0 {
				t.Errorf("cost of a change: %+v", c)
			}
		})
	}
}

// A directory of the server that is larger than the documents stays there.
func TestOnlyWhatIsWanted(t *testing.T) {
	t.Parallel()
	o := sample(t)
	s := o.serve(nil)
	r := o.open(overHTTP(s, func(c *Config, _ *sources.Options) { c.Include = []string{"**/*.md"} }))
	l := sourcetest.Scan(t, r)
	if err := r.Fetch(t.Context(), pointers(l)); err != nil {
		t.Fatal(err)
	}
	big := o.git("rev-parse", "main:img/big.bin")
	if found, err := r.objects.info(t.Context(), []string{big}); err != nil || found[0].kind != "" {
		t.Errorf("a file that nobody asked for was fetched: %v, %v", found, err)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	o := sample(t)
	var seen atomic.Int64
	leaked := make(chan string, 10)
	s := o.serve(func(s *server) {
		s.token = testToken
		// While the server holds the request, git and its helpers are there to be looked at.
		s.hold = func(*http.Request) {
			lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, f := range lines {
				text, _ := os.ReadFile(f)
				if bytes.HasPrefix(text, []byte("git")) || bytes.Contains(text, []byte("/git")) {
					seen.Add(1)
				}
				if bytes.Contains(text, []byte(testToken)) {
					select {
					case leaked <- string(text):
					default:
					}
				}
			}
		}
	})
	var log bytes.Buffer
	with := func(token string) *Repo {
		return o.open(overHTTP(s, func(c *Config, opts *sources.Options) {
			c.Token = secret.New(token)
			opts.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		}))
	}
	r := with(testToken)
	l := sourcetest.Scan(t, r)
	if err := r.Fetch(t.Context(), pointers(l)); err != nil {
		t.Fatal(err)
	}
	readAll(t, l)
	select {
	case line := <-leaked:
		t.Errorf("the token is in the list of processes: %q", line)
	default:
	}
	if _, err := os.Stat("/proc/self/cmdline"); err == nil && seen.Load() == 0 {
		t.Error("no git was seen in the list of processes, so that this test shows nothing")
	}
	err := with("wrong-"+testToken).Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
	if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), "authentication failed; check that the token") {
		t.Errorf("with a wrong token: %v", err)
	}
	err = with("").Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
	if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), "needs a login") {
		t.Errorf("without a token: %v", err)
	}
	holdsNo(t, r.cache.root, testToken)
	if strings.Contains(log.String(), testToken) {
		t.Error("the token is in the log")
	}
}

// The user's own helpers are asked when that is configured, and then only.
func TestCredentialHelper(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	mark := filepath.Join(home, "mark")
	config := "[credential]\n\thelper = store\n[core]\n\thooksPath = /nonexistent\n\tsshCommand = false\n[alias]\n\tls-remote = !touch " + mark + "\n[url \"http://127.0.0.1:1/\"]\n\tinsteadOf = http://\n"
	o := sample(t)
	s := o.serve(func(s *server) { s.token = testToken })
	for name, text := range map[string]string{".gitconfig": config, ".git-credentials": strings.Replace(s.URL, "://", "://user:"+testToken+"@", 1) + "\n"} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, helper := range []bool{false, true} {
		r := o.open(overHTTP(s, func(c *Config, _ *sources.Options) { c.CredentialHelper = helper }))
		if err := r.Scan(t.Context(), sources.Known{}, &sourcetest.Listing{}); (err == nil) != helper {
			t.Errorf("credential_helper: %v: %v", helper, err)
		}
		holdsNo(t, r.cache.root, testToken)
	}
}

// holdsNo looks for a text in every file below a directory.
func holdsNo(t *testing.T, dir, text string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(text)) {
			t.Errorf("the secret is in %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A redirect is followed, but the token stays with its host.
func TestRedirect(t *testing.T) {
	t.Parallel()
	o := sample(t)
	other := o.serve(nil)
	for _, tt := range []struct {
		name         string
		first, other string // the tokens that the two ask for
		want         string // "" when the scan succeeds
	}{
		{"open", "", "", ""},
		{"the other place asks", "", testToken, "needs a login"},
		{"asks and redirects", testToken, "", "the server redirects elsewhere"},
		{"both ask", testToken, testToken, "authentication failed"},
	} {
		other.token = tt.other
		first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if _, _, ok := req.BasicAuth(); !ok && tt.first != "" {
				w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
				http.Error(w, "no", http.StatusUnauthorized)
				return
			}
			// Another name for this machine is another host.
			http.Redirect(w, req, strings.Replace(other.URL, "127.0.0.1", "localhost", 1)+req.URL.RequestURI(), http.StatusFound)
		}))
		r := o.open(func(c *Config, _ *sources.Options) { c.Repo, c.Token = first.URL+"/origin.git", secret.New(testToken) })
		err := r.Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
		first.Close()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	other.auths.Range(func(a, _ any) bool {
		t.Errorf("the other host was sent %q", a)
		return true
	})
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	o := sample(t)
	s := o.serve(nil)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	answer := func(status int) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(srv.Close)
		return srv.URL + "/x.git"
	}
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(secure.Close)
	for _, tt := range []struct{ repo, want string }{
		{s.URL + "/nothing.git", "the repository was not found; check repo"},
		{"http://" + closed.Addr().String() + "/x.git", "the server cannot be reached; check repo"},
		{"https://nowhere.invalid/x.git", "the name of the host cannot be resolved"},
		{answer(500), "the connection broke off"},
		{answer(403), "access denied"},
		{secure.URL + "/x.git", "certificate is not trusted"},
		{"/nonexistent/x.git", "there is no git repository at /nonexistent/x.git; check repo"},
	} {
		r := o.open(func(c *Config, _ *sources.Options) { c.Repo = tt.repo })
		err := r.Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
		if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), r.cache.root) {
			t.Errorf("%s: %v, want %q", tt.repo, err, tt.want)
		}
	}
}

// All targets of a run are given the same version, whatever happens between their scans and whoever else scans.
func TestRunsShareALook(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.put("a.md", []byte("1"))
	r := o.withRef("")
	in := func(run uint64) string {
		o.flush()
		l := &sourcetest.Listing{}
		if err := r.Scan(t.Context(), sources.Known{Run: run}, l); err != nil {
			return "an error"
		}
		return strings.Join(l.Paths(), " ")
	}
	first := in(1)
	o.put("b.md", []byte("2"))
	if a, b, c := in(2), in(1), in(0); first != "a.md" || a != "a.md b.md" || b != first || c != a {
		t.Errorf("the first run is given %q and then %q, the second %q, one of no run %q", first, b, a, c)
	}
	o.stop()
	back := o.away()
	failed := in(3)
	back()
	if again, fresh := in(3), in(4); failed != "an error" || again != failed || fresh != "a.md b.md" {
		t.Errorf("a run with a failed look: %q, then %q; the next one %q", failed, again, fresh)
	}
}

func TestSilentServer(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	r := o.open(func(c *Config, _ *sources.Options) { c.Repo = "http://" + l.Addr().String() + "/x.git" })
	r.patience = 300 * time.Millisecond
	err = r.Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
	if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), "does not answer in time") {
		t.Error(err)
	}
}

// A server that sends nonsense does not cost the cache.
func TestGarbledPack(t *testing.T) {
	thorough(t)
	t.Parallel()
	o := sample(t)
	s := o.serve(nil)
	r := o.open(overHTTP(s, nil))
	l := sourcetest.Scan(t, r)
	if err := r.Fetch(t.Context(), pointers(l)); err != nil {
		t.Fatal(err)
	}
	before, bytes := r.cache.size()
	o.put("new.md", []byte("new"))
	o.flush()
	s.garbled.Store(true)
	err := r.Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
	if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), "index-pack") {
		t.Fatalf("nonsense from the server: %v", err)
	}
	if packs, now := r.cache.size(); packs != before || now != bytes {
		t.Errorf("%d packs of %d bytes are left of %d of %d", packs, now, before, bytes)
	}
	s.garbled.Store(false)
	if l := sourcetest.Scan(t, r); len(l.Documents) != 23 {
		t.Errorf("%d documents", len(l.Documents))
	}
}
