package gitrepo

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/sourcetest"
)

func (o *origin) withRef(ref string) *Repo {
	return o.open(func(c *Config, _ *sources.Options) { c.Ref = ref })
}

// given is what a scan gives: the names of the documents.
func (o *origin) given(r *Repo) string { o.t.Helper(); return strings.Join(o.scan(r).Paths(), " ") }

func TestRefs(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.put("one.md", []byte("1"))
	o.flush()
	first := o.git("rev-parse", "main")
	o.git("tag", "-a", "-m", "x", "v1", "main")
	o.git("tag", "both", "main")
	o.put("two.md", []byte("2"))
	o.flush()
	o.git("branch", "both", "main")
	o.git("branch", "feature/x", "main")
	o.git("tag", "nested", "v1", "-m", "y")
	for ref, want := range map[string]string{
		"": "one.md two.md", "main": "one.md two.md", "refs/heads/main": "one.md two.md", "feature/x": "one.md two.md",
		"v1": "one.md", "refs/tags/v1": "one.md", "nested": "one.md", first: "one.md",
		"both": "one.md two.md", "refs/tags/both": "one.md", "refs/heads/both": "one.md two.md",
	} {
		if got := o.given(o.withRef(ref)); got != want {
			t.Errorf("ref %q gives %q, want %q", ref, got, want)
		}
	}
	o.git("tag", "blob", o.git("rev-parse", "main:one.md"))
	for ref, want := range map[string]string{
		"nothing": "there is no branch or tag nothing", "refs/tags/main": "there is no branch or tag", "refs/heads/v1": "there is no branch or tag",
		strings.Repeat("0", 39) + "1": "does not have", "blob": "is not a commit", first[:12]: "all its digits",
	} {
		err := o.withRef(ref).Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
		if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), want) {
			t.Errorf("ref %q: %v, want %q", ref, err, want)
		}
	}
}

// A commit that does not move needs no look at the server.
func TestCommitIsKept(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.put("one.md", []byte("1"))
	o.flush()
	r := o.withRef(o.git("rev-parse", "main"))
	l := o.scan(r)
	if err := r.Fetch(t.Context(), pointers(l)); err != nil {
		t.Fatal(err)
	}
	o.stop()
	defer o.away()()
	readAll(t, sourcetest.Scan(t, r))
}

func TestHistoryMoves(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.put("one.md", []byte("1"))
	r, tagged := o.withRef(""), o.withRef("v")
	o.flush()
	o.git("tag", "v", "main")
	if got := o.given(r) + "|" + o.given(tagged); got != "one.md|one.md" {
		t.Fatal(got)
	}
	// The branch is written anew, without a common ancestor.
	o.stop()
	o.branch = "other"
	o.put("two.md", []byte("2"))
	o.flush()
	o.git("update-ref", "refs/heads/main", "other")
	o.git("tag", "-f", "v", "main")
	if got := o.given(r) + "|" + o.given(tagged); got != "two.md|two.md" {
		t.Errorf("after a forced push: %s", got)
	}
	readAll(t, o.scan(r))
	// The default branch is renamed.
	o.put("three.md", []byte("3"))
	o.flush()
	o.git("symbolic-ref", "HEAD", "refs/heads/other")
	o.git("update-ref", "-d", "refs/heads/main")
	if got := o.given(r); got != "three.md two.md" {
		t.Errorf("after a new default branch: %s", got)
	}
	// It is deleted.
	o.stop()
	o.git("update-ref", "-d", "refs/heads/other")
	err := r.Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
	if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), "default branch does not exist") {
		t.Errorf("without its branch: %v", err)
	}
}

func TestEmptyRepository(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	err := o.withRef("").Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
	if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), "the repository is empty") {
		t.Error(err)
	}
}

func TestPathVanishes(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.put("docs/a.md", []byte("1"))
	o.put("file", []byte("1"))
	r := o.open(func(c *Config, _ *sources.Options) { c.Path = "docs/" })
	if got := o.given(r); got != "a.md" {
		t.Fatal(got)
	}
	o.rename("docs", "handbook")
	for path, want := range map[string]string{"docs": "there is no directory docs", "file": "is not a directory"} {
		r := r
		if path != "docs" {
			r = o.open(func(c *Config, _ *sources.Options) { c.Path = path })
		}
		err := r.Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
		if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestSHA256(t *testing.T) {
	t.Parallel()
	o := newOrigin(t, "--object-format=sha256")
	o.put("a.md", []byte("1"))
	o.put("large.bin", slices.Repeat([]byte("0123456789"), 200_000))
	r := o.withRef("")
	l := o.scan(r)
	if len(l.Documents) != 2 || len(l.Documents[0].Fingerprint) != 64 {
		t.Fatalf("%v", l.Documents)
	}
	readAll(t, l)
}

// What belongs to another user is not trusted, as git has it.
func TestAnotherOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a repository away")
	}
	t.Parallel()
	o := sample(t)
	o.stop()
	err := filepath.WalkDir(o.dir, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, 12345, 12345))
	})
	if err != nil {
		t.Fatal(err)
	}
	err = o.withRef("").Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
	if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), "belongs to another user") {
		t.Error(err)
	}
}

// The full id of a tag with a message is not fetched again while nothing changes.
func TestTagByID(t *testing.T) {
	t.Parallel()
	o := sample(t)
	o.git("tag", "-a", "-m", "x", "v1", "main")
	s := o.serve(nil)
	cache := t.TempDir()
	for i := range 2 {
		r := o.open(overHTTP(s, func(c *Config, opts *sources.Options) { c.Ref, opts.CacheDir = o.git("rev-parse", "v1"), cache }))
		for j := range 2 {
			before := s.requests.Load()
			if l := sourcetest.Scan(t, r); len(l.Documents) != 22 {
				t.Fatalf("%d documents", len(l.Documents))
			}
			if n := s.requests.Load() - before; (n == 0) != (i+j > 0) {
				t.Errorf("scan %d of process %d made %d requests", j, i, n)
			}
		}
	}
}
