package gitrepo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/secret"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/sourcetest"
)

func lfsPointer(content []byte) []byte {
	return fmt.Appendf(nil, "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", kb.Sum(content), len(content))
}

// lfsServer puts a store of large files in front of a server of repositories. Both ask for the token.
func lfsServer(t *testing.T, git http.Handler, store map[string][]byte, downloads *atomic.Int64) *httptest.Server {
	var srv *httptest.Server
	mux := http.NewServeMux()
	mux.HandleFunc("POST /origin.git/info/lfs/objects/batch", func(w http.ResponseWriter, req *http.Request) {
		if _, pass, ok := req.BasicAuth(); !ok || pass != testToken {
			w.Header().Set("WWW-Authenticate", `Basic realm="lfs"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var ask struct{ Objects []struct{ OID string } }
		if err := json.NewDecoder(req.Body).Decode(&ask); err != nil {
			t.Error(err)
		}
		type action struct {
			Href string `json:"href"`
		}
		type object struct {
			OID     string            `json:"oid"`
			Size    int               `json:"size"`
			Actions map[string]action `json:"actions,omitempty"`
			Error   map[string]any    `json:"error,omitempty"`
		}
		answer := struct {
			Transfer string   `json:"transfer"`
			Objects  []object `json:"objects"`
		}{Transfer: "basic"}
		for _, o := range ask.Objects {
			if b, ok := store[o.OID]; ok {
				answer.Objects = append(answer.Objects, object{OID: o.OID, Size: len(b), Actions: map[string]action{"download": {srv.URL + "/store/" + o.OID}}})
			} else {
				answer.Objects = append(answer.Objects, object{OID: o.OID, Error: map[string]any{"code": 404, "message": "not here"}})
			}
		}
		w.Header().Set("Content-Type", "application/vnd.git-lfs+json")
		_ = json.NewEncoder(w).Encode(answer)
	})
	mux.HandleFunc("GET /store/{oid}", func(w http.ResponseWriter, req *http.Request) {
		downloads.Add(1)
		switch content := store[req.PathValue("oid")]; string(content) {
		case "forbidden":
			http.Error(w, "no", http.StatusForbidden)
		case "endless":
			for req.Context().Err() == nil {
				_, _ = w.Write(make([]byte, 64<<10))
			}
		default:
			_, _ = w.Write(content)
		}
	})
	mux.Handle("/", git)
	srv = httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv
}

func TestLFS(t *testing.T) {
	t.Parallel()
	need(t, "git-lfs")
	o := newOrigin(t)
	content, lost := bytes.Repeat([]byte("a large picture "), 100_000), []byte("nobody has it")
	o.put("big.pdf", lfsPointer(content))
	o.put("lost.pdf", lfsPointer(lost))
	o.put("huge.pdf", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:"+strings.Repeat("0", 64)+"\nsize 99999999999\n"))
	o.put("text.md", []byte("version https://git-lfs.github.com/spec/v1\nis what a pointer begins with\n"))
	o.put(".lfsconfig", []byte("[lfs]\n\turl = http://127.0.0.1:1/elsewhere\n"))
	o.flush()
	inner := o.serve(func(s *server) { s.token = testToken })
	var downloads atomic.Int64
	srv := lfsServer(t, inner.Config.Handler, map[string][]byte{kb.Sum(content).String(): content}, &downloads)
	r := o.open(func(c *Config, _ *sources.Options) { c.Repo, c.Token = srv.URL+"/origin.git", secret.New(testToken) })
	l := sourcetest.Scan(t, r)
	if err := r.Fetch(t.Context(), pointers(l)); err != nil {
		t.Fatal(err)
	}
	read := func(path string) ([]byte, error) {
		d, ok := l.Find(path)
		if !ok {
			t.Fatalf("%s is not listed", path)
		}
		got, _, err := sourcetest.Read(t.Context(), d)
		return got, err
	}
	for range 2 {
		if got, err := read("big.pdf"); err != nil || !bytes.Equal(got, content) {
			t.Errorf("big.pdf reads as %d bytes, %v", len(got), err)
		}
	}
	if d, _ := l.Find("big.pdf"); d.Size != int64(len(content)) || downloads.Load() != 1 {
		t.Errorf("size %d, %d downloads", d.Size, downloads.Load())
	}
	if _, err := read("lost.pdf"); !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), "git-lfs could not fetch it") {
		t.Errorf("lost.pdf: %v", err)
	}
	if _, err := read("huge.pdf"); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("huge.pdf: %v", err)
	}
	if got, err := read("text.md"); err != nil || !strings.HasPrefix(string(got), "version") {
		t.Errorf("text.md: %q, %v", got, err)
	}
	holdsNo(t, r.cache.root, testToken)

	// A copy in the cache that was damaged is not given, and fetched again.
	copies, _ := filepath.Glob(filepath.Join(r.cache.dir, "lfs/objects/*/*/*"))
	if len(copies) != 1 {
		t.Fatalf("copies: %q", copies)
	}
	_ = os.Chmod(copies[0], 0o600)
	if err := os.WriteFile(copies[0], bytes.ToUpper(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := read("big.pdf"); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("a damaged copy: %v", err)
	}
	if got, err := read("big.pdf"); err != nil || !bytes.Equal(got, content) {
		t.Errorf("after that: %d bytes, %v", len(got), err)
	}
}

func TestWithoutPrograms(t *testing.T) {
	o := newOrigin(t)
	o.put("big.pdf", lfsPointer([]byte("x")))
	o.put("plain.md", []byte("plain"))
	git := need(t, "git")
	o.flush()
	o.stop()
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	r := o.open(nil)
	err := r.Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
	if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), "not installed, or not on the PATH; install git 2.36") {
		t.Errorf("without git: %v", err)
	}
	fake := filepath.Join(bin, "git")
	if err := os.WriteFile(fake, []byte("#!/bin/sh\necho git version 2.35.9\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	err = r.Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
	if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), "git 2.35 is too old; install git 2.36") {
		t.Errorf("with an old git: %v", err)
	}
	if err := os.Remove(fake); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(git, fake); err != nil {
		t.Fatal(err)
	}
	l := sourcetest.Scan(t, r)
	if _, _, err := sourcetest.Read(t.Context(), l.Documents[0]); !errors.Is(err, fault.ErrUnsupported) || !strings.Contains(err.Error(), "install git-lfs") {
		t.Errorf("without git-lfs: %v", err)
	}
	plain := l.Documents[1].Fingerprint
	// It is the same version until git-lfs is installed, also for another process.
	before := l.Documents[0].Fingerprint
	again := o.open(func(_ *Config, opts *sources.Options) {
		opts.CacheDir = r.cache.parent[:len(r.cache.parent)-len("/git")]
	})
	for _, r := range []*Repo{r, again} {
		if l := sourcetest.Scan(t, r); l.Documents[0].Fingerprint != before {
			t.Errorf("still without git-lfs the version is %q, was %q", l.Documents[0].Fingerprint, before)
		}
	}
	if err := os.WriteFile(filepath.Join(bin, "git-lfs"), []byte("#!/bin/sh\nmkdir -p \"$GIT_DIR/lfs/objects/2d/71\" && printf x >\"$GIT_DIR/lfs/objects/2d/71/2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/bin/mkdir", filepath.Join(bin, "mkdir")); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Repo{r, again} {
		l := sourcetest.Scan(t, r)
		if l.Documents[0].Fingerprint == before || l.Documents[1].Fingerprint != plain {
			t.Errorf("with git-lfs the versions are %q and %q", l.Documents[0].Fingerprint, l.Documents[1].Fingerprint)
		}
		if err := r.Fetch(t.Context(), pointers(l)); err != nil || l.Documents[0].Size != 1 {
			t.Errorf("size %d, %v", l.Documents[0].Size, err)
		}
		if got, _, err := sourcetest.Read(t.Context(), l.Documents[0]); err != nil || string(got) != "x" {
			t.Errorf("with git-lfs: %q, %v", got, err)
		}
	}
}

// What the configuration refuses never reaches git.
func TestHostileConfiguration(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(*Config){
		"ref":  func(c *Config) { c.Ref = "--upload-pack=touch /tmp/x" },
		"repo": func(c *Config) { c.Repo = "ext::sh -c touch% /tmp/x" },
		"path": func(c *Config) { c.Path = "../x" },
	} {
		c := NewConfig()
		c.Repo = "https://example.com/x.git"
		change(c)
		if bad := c.Validate(); len(bad) != 1 || bad[0].Field != field {
			t.Errorf("%s: %v", field, bad)
		}
	}
	// And should it get there, git takes it for a name, and speaks no other protocol.
	o := sample(t)
	mark := filepath.Join(t.TempDir(), "mark")
	for _, change := range []func(*Repo){
		func(r *Repo) { r.ref = "--upload-pack=touch " + mark },
		func(r *Repo) { r.access.address = "ext::touch " + mark },
		func(r *Repo) { r.access.address = "--upload-pack=touch " + mark },
	} {
		r := o.withRef("")
		change(r)
		if err := r.Scan(t.Context(), sources.Known{}, &sourcetest.Listing{}); !errors.Is(err, fault.ErrIncomplete) {
			t.Errorf("%s %s: %v", r.access.address, r.ref, err)
		}
		if _, err := os.Stat(mark); err == nil {
			t.Fatalf("%s %s ran a program", r.access.address, r.ref)
		}
	}
}

// lfsOrigin is an origin whose documents are all kept by git-lfs, and a source of it.
func lfsOrigin(t *testing.T, downloads *atomic.Int64, contents map[string]string) (*Repo, *sourcetest.Listing) {
	t.Helper()
	need(t, "git-lfs")
	o := newOrigin(t)
	store := map[string][]byte{}
	for path, content := range contents {
		o.put(path, lfsPointer([]byte(content)))
		store[kb.Sum([]byte(content)).String()] = []byte(content)
	}
	o.flush()
	inner := o.serve(func(s *server) { s.token = testToken })
	srv := lfsServer(t, inner.Config.Handler, store, downloads)
	r := o.open(func(c *Config, _ *sources.Options) { c.Repo, c.Token = srv.URL+"/origin.git", secret.New(testToken) })
	l := sourcetest.Scan(t, r)
	if err := r.Fetch(t.Context(), pointers(l)); err != nil {
		t.Fatal(err)
	}
	return r, l
}

// A server that sends more than the pointer says is left alone, and nothing of it stays.
func TestLFSEndless(t *testing.T) {
	t.Parallel()
	var downloads atomic.Int64
	r, l := lfsOrigin(t, &downloads, map[string]string{"a.pdf": "endless"})
	_, _, err := sourcetest.Read(t.Context(), l.Documents[0])
	if !errors.Is(err, fault.ErrIncomplete) {
		t.Errorf("an endless download: %v", err)
	}
	if n := r.cache.lfsUnfinished(); n > 0 {
		t.Errorf("%d bytes are left", n)
	}
}

// A server that refuses is asked once in a scan, and the advice is not to set the token that is set.
func TestLFSRefused(t *testing.T) {
	thorough(t)
	t.Parallel()
	var downloads atomic.Int64
	r, l := lfsOrigin(t, &downloads, map[string]string{"a.pdf": "forbidden", "b.pdf": "fine"})
	for range 2 {
		asked := downloads.Load()
		for _, d := range l.Documents {
			_, _, err := sourcetest.Read(t.Context(), d)
			if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), "the server refuses access to the files of git-lfs; check that the token may read") {
				t.Errorf("%s: %v", d.Key, err)
			}
		}
		if n := downloads.Load() - asked; n > 3 { // git-lfs itself tries again
			t.Errorf("%d downloads", n)
		}
		l = sourcetest.Scan(t, r)
	}
}

// The oldest files go when there is no room, and are fetched again when somebody wants them.
func TestLFSRoom(t *testing.T) {
	thorough(t)
	t.Parallel()
	var downloads atomic.Int64
	contents := map[string]string{}
	for i := range 5 {
		contents[fmt.Sprintf("%d.pdf", i)] = strings.Repeat(fmt.Sprint(i), 1000)
	}
	r, l := lfsOrigin(t, &downloads, contents)
	r.lfsRoom = 2500
	for range 2 {
		for _, d := range l.Documents {
			if got, _, err := sourcetest.Read(t.Context(), d); err != nil || string(got) != contents[d.Key.Path()] {
				t.Errorf("%s: %d bytes, %v", d.Key, len(got), err)
			}
			if _, bytes := r.cache.lfsFiles(); bytes > r.lfsRoom {
				t.Errorf("the cache holds %d bytes of large files", bytes)
			}
		}
	}
}
