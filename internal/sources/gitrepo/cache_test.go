package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/sourcetest"
)

// scanAlone is what the test binary does as a second process: it scans and reads a repository through a cache that others use too.
func scanAlone() int {
	repo, cache, _ := strings.Cut(os.Getenv("KBSYNCD_GIT_SCAN"), "|")
	c := NewConfig()
	c.Repo = repo
	s, err := c.Open(sources.Options{Name: "docs", CacheDir: cache})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = s.Close() }()
	l := &sourcetest.Listing{}
	if err := s.Scan(context.Background(), sources.Known{}, l); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := s.(*Repo).Fetch(context.Background(), pointers(l)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, d := range l.Documents {
		got, _, err := sourcetest.Read(context.Background(), d)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Printf("%s %x\n", d.Key, kb.Sum(got))
	}
	return 0
}

func alone(ctx context.Context, repo, cache string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "KBSYNCD_GIT_SCAN="+repo+"|"+cache)
	return cmd
}

func TestProcessesShareTheCache(t *testing.T) {
	t.Parallel()
	o := sample(t)
	s := o.serve(nil)
	cache := filepath.Join(t.TempDir(), "cache")
	var wg sync.WaitGroup
	outs := make([]string, 4)
	for i := range outs {
		wg.Go(func() {
			out, err := alone(t.Context(), s.repo(), cache).CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			outs[i] = string(out)
		})
	}
	wg.Wait()
	if lines := strings.Count(outs[0], "\n"); lines != 22 {
		t.Errorf("%d lines: %s", lines, outs[0])
	}
	for _, out := range outs[1:] {
		if out != outs[0] {
			t.Errorf("two processes read\n%s\nand\n%s", outs[0], out)
		}
	}
	packs, _ := filepath.Glob(filepath.Join(cache, "git", "*", "repo.git", "objects", "pack", "*.pack"))
	if len(packs) != 2 {
		t.Errorf("four processes left %d packs, want one of trees and one of documents", len(packs))
	}
}

// stuck lets the server answer requests for packs only after release.
func stuck(s *server) (reached chan struct{}, release func()) {
	reached, gate := make(chan struct{}, 100), make(chan struct{})
	s.hold = func(req *http.Request) {
		if req.Method == http.MethodPost && req.ContentLength > 300 {
			reached <- struct{}{}
			<-gate
		}
	}
	return reached, sync.OnceFunc(func() { close(gate) })
}

func TestKilledWhileFetching(t *testing.T) {
	t.Parallel()
	o := sample(t)
	var reached chan struct{}
	var release func()
	s := o.serve(func(s *server) { reached, release = stuck(s) })
	defer release()
	cache := filepath.Join(t.TempDir(), "cache")
	cmd := alone(t.Context(), s.repo(), cache)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-reached
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	// Leftovers of every kind that a killed git leaves.
	dirs, _ := filepath.Glob(filepath.Join(cache, "git", "*", "repo.git"))
	if len(dirs) != 1 {
		t.Fatalf("caches: %q", dirs)
	}
	for _, name := range []string{"shallow.lock", "packed-refs.lock", "config.lock", "HEAD.lock", "objects/pack/tmp_pack_xyz"} {
		if err := os.WriteFile(filepath.Join(dirs[0], name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	release()
	out, err := alone(t.Context(), s.repo(), cache).CombinedOutput()
	if err != nil || strings.Count(string(out), "\n") != 22 {
		t.Errorf("after a kill: %v\n%s", err, out)
	}
}

func TestCancelWhileFetching(t *testing.T) {
	t.Parallel()
	o := sample(t)
	var reached chan struct{}
	var release func()
	s := o.serve(func(s *server) { reached, release = stuck(s) })
	defer release()
	r := o.open(overHTTP(s, nil))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 2)
	for range 2 {
		go func() { ended <- r.Scan(ctx, sources.Known{}, &sourcetest.Listing{}) }()
	}
	<-reached
	cancel()
	for range 2 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
	release()
	readAll(t, sourcetest.Scan(t, r))
}

// Whatever file of the cache is damaged, and wherever: what is read is what was listed, and it can be read.
func TestDamagedCache(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	for i := range 5 {
		o.put(fmt.Sprintf("p%d.md", i), fmt.Appendf(nil, "# Page %d\n%s", i, strings.Repeat("text ", i*50)))
	}
	big := make([]byte, 1<<20+100)
	for i := range big {
		big[i] = byte(rand.Uint32())
	}
	o.put("large.bin", big)
	o.flush()
	cache := t.TempDir()
	open := func() *Repo {
		return o.open(func(_ *Config, opts *sources.Options) { opts.CacheDir = cache })
	}
	fill := func() (files []string) {
		r := open()
		l := o.scan(r)
		if err := r.Fetch(t.Context(), pointers(l)); err != nil {
			t.Fatal(err)
		}
		_ = filepath.WalkDir(r.cache.root, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && d.Name() != "lock" {
				files = append(files, path)
			}
			return err
		})
		return files
	}
	check := func(what string) {
		t.Helper()
		r := open()
		defer func() { _ = r.Close() }()
		// A large document that turns out to be damaged while it is read is there again in the next pass.
		for pass := range 2 {
			l := &sourcetest.Listing{}
			if err := r.Scan(t.Context(), sources.Known{}, l); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			bad := 0
			for _, d := range l.Documents {
				got, _, err := sourcetest.Read(t.Context(), d)
				switch {
				case err == nil && !bytes.Equal(got, o.has[d.Key.Path()]):
					t.Fatalf("%s: %s has other content", what, d.Key)
				case err != nil && (pass > 0 || d.Key != "docs/large.bin" || !errors.Is(err, fault.ErrChanged)):
					t.Fatalf("%s: %s: %v", what, d.Key, err)
				case err != nil:
					bad++
				}
			}
			if len(l.Documents) != 6 {
				t.Fatalf("%s: %d documents", what, len(l.Documents))
			}
			if bad == 0 {
				return
			}
		}
	}
	files := fill()
	if len(files) < 8 {
		t.Fatalf("the cache has only %q", files)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, f := range files {
		for _, how := range []string{"flip", "cut", "remove"} {
			text, err := os.ReadFile(f)
			if errors.Is(err, os.ErrNotExist) {
				break // the cache was made anew, under other names
			}
			if err != nil || len(text) == 0 {
				continue
			}
			_ = os.Chmod(f, 0o600)
			switch how {
			case "flip":
				text[rng.IntN(len(text))] ^= 1 << rng.IntN(8)
				err = os.WriteFile(f, text, 0o600)
			case "cut":
				err = os.WriteFile(f, text[:rng.IntN(len(text))], 0o600)
			case "remove":
				err = os.Remove(f)
			}
			if err != nil {
				t.Fatal(err)
			}
			check(how + " " + filepath.Base(f))
		}
	}
	if err := os.RemoveAll(cache); err != nil {
		t.Fatal(err)
	}
	check("everything removed")
}

// A damaged cache is made anew before a new commit is listed.
func TestDamagedTrees(t *testing.T) {
	thorough(t)
	t.Parallel()
	o := sample(t)
	r := o.withRef("")
	o.scan(r)
	packs, _ := filepath.Glob(filepath.Join(r.cache.dir, "objects/pack/*.pack"))
	for _, p := range packs {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		for i := 12; i < len(text)-20; i++ {
			text[i] ^= 0x55
		}
		_ = os.Chmod(p, 0o600)
		if err := os.WriteFile(p, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.objects.reset()
	o.put("docs/new.md", []byte("new"))
	l := o.scan(r)
	if len(l.Documents) != 23 {
		t.Errorf("%d documents", len(l.Documents))
	}
	readAll(t, l)
}

func TestLargeBlobs(t *testing.T) {
	thorough(t)
	t.Parallel()
	o := newOrigin(t)
	for i := range 10 {
		o.put(fmt.Sprintf("p%02d.md", i), fmt.Appendf(nil, "# Page %d\n", i))
	}
	huge := make([]byte, 5<<20)
	for i := range huge {
		huge[i] = byte(rand.Uint32())
	}
	o.put("huge.bin", huge)
	o.put("zeros.bin", make([]byte, 4<<20)) // small on the way, large when unpacked
	o.flush()
	s := o.serve(nil)
	cache := t.TempDir()
	for round := range 2 {
		r := o.open(overHTTP(s, func(_ *Config, opts *sources.Options) { opts.CacheDir = cache }))
		r.largest = 1 << 20
		l := sourcetest.Scan(t, r)
		before := r.received.Load()
		if err := r.Fetch(t.Context(), pointers(l)); err != nil {
			t.Fatal(err)
		}
		if round == 1 && r.received.Load() != before {
			t.Error("what is known to be too large was fetched again")
		}
		for _, d := range l.Documents {
			_, _, err := sourcetest.Read(t.Context(), d)
			tooLarge := strings.HasSuffix(string(d.Key), ".bin")
			if tooLarge != errors.Is(err, fault.ErrUnsupported) || !tooLarge && err != nil {
				t.Errorf("%s: %v", d.Key, err)
			}
		}
		// A fast server may be done with it before anybody looks, but no more than once.
		if _, bytes := r.cache.size(); bytes > 6<<20 {
			t.Errorf("the cache holds %d bytes", bytes)
		}
	}
}

func TestOvergrownCacheIsMadeAnew(t *testing.T) {
	thorough(t)
	t.Parallel()
	o := sample(t)
	r := o.withRef("")
	o.scan(r)
	for i := range maxPacks + 1 {
		if err := os.WriteFile(filepath.Join(r.cache.dir, "objects/pack", fmt.Sprintf("pack-%040d.pack", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o.put("new.md", []byte("new"))
	readAll(t, o.scan(r))
	if packs, _ := r.cache.size(); packs > 50 {
		t.Errorf("%d packs are left", packs)
	}
}

// lockedCache is a source whose cache somebody else holds.
func lockedCache(t *testing.T) (r *Repo, held *os.File) {
	t.Helper()
	r = sample(t).withRef("")
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	held, err := r.cache.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r, held
}

func TestWaitForTheCacheEndsWithTheContext(t *testing.T) {
	t.Parallel()
	r, held := lockedCache(t)
	defer unlock(held)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := r.Scan(ctx, sources.Known{}, &sourcetest.Listing{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestNothingIsLeft(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	o := sample(t)
	r := o.open(func(_ *Config, opts *sources.Options) { opts.CacheDir = "" })
	l := o.scan(r)
	readAll(t, l)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Documents[0].Open(t.Context()); err == nil {
		t.Error("a closed source opens documents")
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// Variables that change what git does are not handed on.
func TestEnvironment(t *testing.T) {
	o := sample(t)
	trace := filepath.Join(t.TempDir(), "trace")
	for _, v := range [][2]string{
		{"GIT_DIR", "/nonexistent"}, {"GIT_TRACE", trace}, {"GIT_TRACE_CURL", trace}, {"GIT_CONFIG_COUNT", "nonsense"}, {"GIT_SSH_COMMAND", "false"},
		{"GIT_OBJECT_DIRECTORY", "/nonexistent"}, {"GIT_ALLOW_PROTOCOL", "none"},
	} {
		t.Setenv(v[0], v[1])
	}
	r := o.withRef("")
	o.scan(r)
	if _, err := os.Stat(trace); err == nil {
		t.Error("git wrote a trace")
	}
	var last atomic.Int64
	o.put("new.md", nil)
	o.flush()
	if err := r.Scan(t.Context(), sources.Known{Looked: func(n int) { last.Store(int64(n)) }}, &sourcetest.Listing{}); err != nil || last.Load() != 23 {
		t.Errorf("the look told of %d documents, %v", last.Load(), err)
	}
}
