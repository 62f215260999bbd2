package sourcetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/text/unicode/norm"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
)

// oddPaths are paths that any source must be able to give. They are NFC and pairwise different also without case.
var oddPaths = []string{
	"-rf", "--", "a b/c d.md", `quo"te's.md`, "back\\slash.md", "new\nline.md", "tab\there.md",
	"\u202ertl.md", "\u05e2\u05d1\u05e8\u05d9\u05ea.md", "emoji \U0001f600.md", "%41%2f.md", "$HOME.md", "a;b|c&d.md",
	"*.md", "[a].md", "{b}.md", "a=\u0338.md", "\u00e9t\u00e9/\u00fcber.md", "x\u00a0y.md", "con.md",
	strings.Repeat("l", 252) + ".md", "a/a/a/a/a/a/a/a/a/a/a/a.md", "noextension",
}

// orderPaths sort differently by whole path than by elements: a directory sorts as its name and a slash.
var orderPaths = []string{"a/x.md", "a-b.md", "a.md", "a!/y.md", "a0.md", "a/b/z.md", "a/b.md", "a/b-c.md", "B.md", "z/z.md"}

// Run checks a source. newFixture makes a fresh, empty one for each case.
func Run(t *testing.T, newFixture func(t *testing.T) Fixture) {
	t.Helper()
	cases := []struct {
		name string
		run  func(*testing.T, Fixture)
	}{
		{"empty", testEmpty},
		{"order", testOrder},
		{"content", testContent},
		{"odd names", testOddNames},
		{"stable", testStable},
		{"cheap when unchanged", testCheap},
		{"edit", testEdit},
		{"rename", testRename},
		{"many", testMany},
		{"sink error", testSinkError},
		{"cancel", testCancel},
		{"broken", testBroken},
		{"problem", testProblem},
		{"removed before open", testRemovedBeforeOpen},
		{"replaced before open", testReplacedBeforeOpen},
		{"changed while read", testChangedWhileRead},
		{"unfinished reading", testUnfinished},
		{"open twice", testOpenTwice},
		{"concurrent", testConcurrent},
		{"exists", testExists},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			c.run(t, f)
			if err := f.Source.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

func testEmpty(t *testing.T, f Fixture) {
	if l := Scan(t, f.Source); len(l.Keys) != 0 {
		t.Errorf("an empty source gives %q", l.Keys)
	}
}

func wantPaths(t *testing.T, l *Listing, want []string) {
	t.Helper()
	want = slices.Sorted(slices.Values(want))
	if diff := cmp.Diff(want, l.Paths(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("documents (-want +got):\n%.2000s", diff)
	}
	if !slices.IsSorted(l.Keys) {
		t.Errorf("keys are not in order: %q", l.Keys)
	}
	for i := 1; i < len(l.Documents); i++ {
		if l.Documents[i-1].Key == l.Documents[i].Key {
			t.Errorf("key %q comes twice", l.Documents[i].Key)
		}
	}
}

func testOrder(t *testing.T, f Fixture) {
	for _, p := range orderPaths {
		f.Put(p, []byte(p))
	}
	l := Scan(t, f.Source)
	wantPaths(t, l, orderPaths)
	for _, d := range l.Documents {
		if d.Key.Source() != f.Name {
			t.Errorf("key %q is not of source %q", d.Key, f.Name)
		}
	}
}

func testContent(t *testing.T, f Fixture) {
	contents := map[string][]byte{
		"empty": {}, "small.md": []byte("hello\n"), "zero": make([]byte, 70000), "large.bin": bytes.Repeat([]byte("0123456789abcdef"), 20000),
	}
	for p, c := range contents {
		f.Put(p, c)
	}
	for _, d := range Scan(t, f.Source).Documents {
		want := contents[d.Key.Path()]
		got, _, err := Read(t.Context(), d)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v; want %d bytes", d.Key, len(got), err, len(want))
		}
		if d.Size >= 0 && d.Size != int64(len(want)) {
			t.Errorf("%s: size %d, want %d", d.Key, d.Size, len(want))
		}
		if d.Fingerprint == "" || len(d.Fingerprint) > 64 {
			t.Errorf("%s: fingerprint of %d bytes", d.Key, len(d.Fingerprint))
		}
	}
}

func testOddNames(t *testing.T, f Fixture) {
	paths := append(slices.Clone(oddPaths), f.OddPaths...)
	for i, p := range paths {
		paths[i] = norm.NFC.String(p)
		f.Put(p, []byte(p))
	}
	l := Scan(t, f.Source)
	wantPaths(t, l, paths)
	for _, d := range l.Documents {
		if got, _, err := Read(t.Context(), d); err != nil || norm.NFC.String(string(got)) != d.Key.Path() {
			t.Errorf("%q reads as %q, %v", d.Key, got, err)
		}
	}
}

func testStable(t *testing.T, f Fixture) {
	for _, p := range orderPaths {
		f.Put(p, []byte(p))
	}
	a, b := Scan(t, f.Source), Scan(t, f.Source)
	for i := range a.Documents {
		if x, y := a.Documents[i], b.Documents[i]; x.Key != y.Key || x.Fingerprint != y.Fingerprint || x.Raw != y.Raw {
			t.Errorf("%s differs between scans without a change", x.Key)
		}
	}
	if id, ok := f.Source.(sources.Identifier); ok {
		if err := f.Source.Scan(t.Context(), a.Known(id.Identity()), &Listing{}); err != nil {
			t.Errorf("a scan that knows its own identity %q: %v", id.Identity(), err)
		}
	}
}

func testCheap(t *testing.T, f Fixture) {
	if f.Opens == nil {
		t.Skip("this fixture counts no opens")
	}
	for _, p := range orderPaths {
		f.Put(p, []byte(p))
	}
	Scan(t, f.Source)
	before := f.Opens()
	Scan(t, f.Source)
	if n := f.Opens() - before; n != 0 {
		t.Errorf("an unchanged scan opened %d documents", n)
	}
}

func testEdit(t *testing.T, f Fixture) {
	f.Put("a.md", []byte("one"))
	f.Put("b.md", []byte("two"))
	before := Scan(t, f.Source)
	f.Put("a.md", []byte("three"))
	f.Put("c.md", []byte("four"))
	f.Remove("b.md")
	after := Scan(t, f.Source)
	wantPaths(t, after, []string{"a.md", "c.md"})
	x, _ := before.Find("a.md")
	y, _ := after.Find("a.md")
	if x.Fingerprint == y.Fingerprint {
		t.Error("a new version has the old fingerprint")
	}
}

func testRename(t *testing.T, f Fixture) {
	if f.Rename == nil {
		t.Skip("this fixture cannot rename")
	}
	f.Put("a/old.md", []byte("x"))
	Scan(t, f.Source)
	f.Rename("a/old.md", "b/new.md")
	l := Scan(t, f.Source)
	wantPaths(t, l, []string{"b/new.md"})
	if got, _, err := Read(t.Context(), l.Documents[0]); err != nil || string(got) != "x" {
		t.Errorf("read %q, %v", got, err)
	}
}

func many(f Fixture, n int) []string {
	var paths []string
	for i := range n {
		p := fmt.Sprintf("d%02d/e%d/f%04d.md", i%37, i%3, i)
		f.Put(p, []byte(p))
		paths = append(paths, p)
	}
	return paths
}

func testMany(t *testing.T, f Fixture) {
	paths := many(f, 1000)
	wantPaths(t, Scan(t, f.Source), paths)
}

func testSinkError(t *testing.T, f Fixture) {
	many(f, 200)
	for _, after := range []int{0, 1, 100, 199} {
		boom, n := errors.New("boom"), 0
		err := f.Source.Scan(t.Context(), sources.Known{}, &sinkFuncs{document: func(kb.Document) error {
			if n == after {
				return boom
			}
			n++
			return nil
		}})
		if err != boom { //nolint:errorlint // it must be the very same error
			t.Errorf("after %d documents Scan returned %v, want the sink's error as it is", after, err)
		}
	}
}

func testCancel(t *testing.T, f Fixture) {
	many(f, 500)
	for _, after := range []int{0, 250} {
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		if after == 0 {
			cancel()
		}
		err := f.Source.Scan(ctx, sources.Known{}, &sinkFuncs{document: func(kb.Document) error {
			if n++; n == after {
				cancel()
			}
			return nil
		}})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled after %d documents, Scan returned %v", after, err)
		}
	}
	Scan(t, f.Source)
}

func testBroken(t *testing.T, f Fixture) {
	if f.Break == nil {
		t.Skip("this fixture cannot break")
	}
	f.Put("a.md", []byte("x"))
	f.Put("z.md", []byte("y"))
	Scan(t, f.Source)
	repair := f.Break()
	l := &Listing{}
	if err := f.Source.Scan(t.Context(), sources.Known{}, l); err == nil {
		t.Errorf("a broken source lists completely: %q", l.Paths())
	} else if errors.Is(err, fault.ErrDenied) || errors.Is(err, fault.ErrSetup) {
		t.Errorf("a broken source would stop targets: %v", err)
	}
	repair()
	wantPaths(t, Scan(t, f.Source), []string{"a.md", "z.md"})
}

func testProblem(t *testing.T, f Fixture) {
	if f.AddProblem == nil {
		t.Skip("this fixture has no problems")
	}
	f.Put("a.md", []byte("x"))
	key := f.AddProblem()
	l := Scan(t, f.Source)
	wantPaths(t, l, []string{"a.md"})
	if len(l.Problems) != 1 || l.Problems[0].Key != key || l.Problems[0].Err == nil {
		t.Errorf("problems: %v, want one at %q", l.Problems, key)
	}
}

// listed tells that the source kept the version that it listed, and that this is what it gives.
func listed(t *testing.T, f Fixture, d kb.Document, want string) bool {
	t.Helper()
	if !f.Snapshots {
		return false
	}
	if got, _, err := Read(t.Context(), d); err != nil || string(got) != want {
		t.Errorf("the listed version reads %q, %v; want %q", got, err, want)
	}
	return true
}

func testRemovedBeforeOpen(t *testing.T, f Fixture) {
	f.Put("a.md", []byte("x"))
	d := Scan(t, f.Source).Documents[0]
	f.Remove("a.md")
	if listed(t, f, d, "x") {
		return
	}
	if _, err := d.Open(t.Context()); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("opening a document that is gone: %v", err)
	}
}

func testReplacedBeforeOpen(t *testing.T, f Fixture) {
	f.Put("a.md", []byte("x"))
	d := Scan(t, f.Source).Documents[0]
	f.Put("a.md", []byte("yy"))
	if listed(t, f, d, "x") {
		return
	}
	if _, err := d.Open(t.Context()); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("opening a version that was replaced: %v", err)
	}
}

func testChangedWhileRead(t *testing.T, f Fixture) {
	f.Put("a.md", bytes.Repeat([]byte("x"), 300000))
	d := Scan(t, f.Source).Documents[0]
	c, err := d.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.ReadFull(c, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	f.Put("a.md", bytes.Repeat([]byte("y"), 400000))
	n, err := io.Copy(io.Discard, c)
	if err == nil {
		_, err = c.Verify()
	}
	if err == nil && !f.Snapshots {
		t.Error("a change while reading went unnoticed")
	}
	if n > 300000-1000 {
		t.Errorf("read %d bytes more than were listed", n-299000)
	}
}

func testUnfinished(t *testing.T, f Fixture) {
	f.Put("a.md", bytes.Repeat([]byte("x"), 100000))
	d := Scan(t, f.Source).Documents[0]
	c, err := d.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close in the middle: %v", err)
	}
}

func testOpenTwice(t *testing.T, f Fixture) {
	f.Put("a.md", []byte("content"))
	d := Scan(t, f.Source).Documents[0]
	a, err := d.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, _, err := Read(t.Context(), d); err != nil || string(got) != "content" {
			t.Errorf("read %q, %v", got, err)
		}
	}
	if got, err := io.ReadAll(a); err != nil || string(got) != "content" {
		t.Errorf("the first one reads %q, %v", got, err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Open(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("opening with a cancelled context: %v", err)
	}
}

func testConcurrent(t *testing.T, f Fixture) {
	paths := many(f, 60)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			l := &Listing{}
			if err := f.Source.Scan(t.Context(), sources.Known{}, l); err != nil {
				t.Error(err)
				return
			}
			if len(l.Documents) != len(paths) {
				t.Errorf("%d documents, want %d", len(l.Documents), len(paths))
			}
			for _, d := range l.Documents {
				if got, _, err := Read(t.Context(), d); err != nil || string(got) != d.Key.Path() {
					t.Errorf("%s reads %q, %v", d.Key, got, err)
				}
			}
		})
	}
	wg.Wait()
}

func testExists(t *testing.T, f Fixture) {
	c, ok := f.Source.(sources.Checker)
	if !ok {
		t.Skip("this source is no Checker")
	}
	f.Put("a/b.md", []byte("x"))
	f.Put("\u00e9.md", []byte("x"))
	Scan(t, f.Source)
	for path, want := range map[string]bool{
		"a/b.md": true, "\u00e9.md": true, "a": false, "a/c.md": false, "x/b.md": false, "": false, "a/../a/b.md": false, "../x": false,
	} {
		if got, err := c.Exists(t.Context(), kb.NewKey(f.Name, path)); err != nil || got != want {
			t.Errorf("Exists(%q) = %v, %v", path, got, err)
		}
	}
	if got, _ := c.Exists(t.Context(), kb.NewKey("other", "a/b.md")); got {
		t.Error("a document of another source exists")
	}
	if f.Break == nil {
		return
	}
	defer f.Break()()
	if got, err := c.Exists(t.Context(), kb.NewKey(f.Name, "a/b.md")); err == nil && !got {
		t.Error("in a broken source a document counts as gone")
	}
}
