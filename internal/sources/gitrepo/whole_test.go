package gitrepo

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/sourcetest"
)

// onlyNames is a server that sends only what it has a name for.
func onlyNames(o *origin, fail func(*http.Request) bool) *server {
	o.git("config", "uploadpack.allowAnySHA1InWant", "false")
	return o.serve(func(s *server) { s.old, s.fail = true, fail })
}

// Whatever happens to a cache whose server sends no single files: the next look at the same commit gives all documents.
func TestOnlyNamesHeals(t *testing.T) {
	t.Parallel()
	lose := func(t *testing.T, r *Repo) {
		t.Helper()
		if err := os.RemoveAll(r.cache.dir); err != nil {
			t.Fatal(err)
		}
	}
	for name, hurt := range map[string]func(*testing.T, *Repo){
		"lost": lose,
		"damaged": func(t *testing.T, r *Repo) {
			t.Helper()
			packs, _ := filepath.Glob(filepath.Join(r.cache.dir, "objects", "pack", "*.pack"))
			if len(packs) == 0 {
				t.Fatal("no packs")
			}
			for _, p := range packs {
				if err := os.Chmod(p, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Truncate(p, 40); err != nil {
					t.Fatal(err)
				}
			}
		},
		"lost, and the whole commit no longer noted": func(t *testing.T, r *Repo) {
			t.Helper()
			lose(t, r)
			if err := os.Remove(filepath.Join(r.cache.root, "whole")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := sample(t)
			s := onlyNames(o, nil)
			cache := t.TempDir()
			open := func() *Repo {
				return o.open(overHTTP(s, func(_ *Config, opts *sources.Options) { opts.CacheDir = cache }))
			}
			r := open()
			if err := r.Fetch(t.Context(), pointers(sourcetest.Scan(t, r))); err != nil {
				t.Fatal(err)
			}
			_ = r.Close()
			hurt(t, r)
			for range 2 {
				r := open()
				l := sourcetest.Scan(t, r)
				if err := r.Fetch(t.Context(), pointers(l)); err != nil {
					t.Fatal(err)
				}
				before := s.requests.Load()
				readAll(t, l)
				if n := s.requests.Load() - before; n != 0 {
					t.Errorf("reading made %d requests", n)
				}
			}
		})
	}
}

// A failure and a kill in the fetch of the whole commit harm only that pass.
func TestOnlyNamesFallbackFails(t *testing.T) {
	thorough(t)
	t.Parallel()
	for _, kill := range []bool{false, true} {
		o := sample(t)
		var fetches atomic.Int64
		third := func(req *http.Request) bool { // after the trees and the refused files
			return req.Method == http.MethodPost && fetches.Add(1) == 3
		}
		reached, gate := make(chan struct{}, 1), make(chan struct{})
		s := onlyNames(o, func(req *http.Request) bool {
			if !third(req) {
				return false
			}
			if kill {
				reached <- struct{}{}
				<-gate
			}
			return true
		})
		cache := t.TempDir()
		cmd := alone(t.Context(), s.repo(), cache)
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if kill {
			<-reached
			_ = cmd.Process.Kill()
			close(gate)
		}
		if err := cmd.Wait(); err == nil {
			t.Fatalf("kill %v: the fetch that fails was not reached (%d fetches)\n%s", kill, fetches.Load(), out.String())
		}
		text, err := alone(t.Context(), s.repo(), cache).CombinedOutput()
		if err != nil || strings.Count(string(text), "\n") != 22 {
			t.Errorf("kill %v: the next pass: %v\n%s", kill, err, text)
		}
	}
}
