//go:build unix

package folder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/sourcetest"
)

func incomplete(t *testing.T, err error, texts ...string) {
	t.Helper()
	if !errors.Is(err, fault.ErrIncomplete) || fault.StopsTarget(err) {
		t.Errorf("error is %v, want ErrIncomplete", err)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q lacks %q", err, text)
		}
	}
}

func TestRoot(t *testing.T) {
	scan := func(tr *tree) error {
		return tr.open().Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
	}
	tr := newTree(t)
	tr.conf.Path = tr.at("missing")
	incomplete(t, scan(tr), tr.conf.Path, "does not exist", "mount it")
	tr.put("file", "")
	tr.conf.Path = tr.at("file")
	incomplete(t, scan(tr), "is a file")
	if err := syscall.Mkfifo(tr.at("fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	tr.conf.Path = tr.at("fifo")
	incomplete(t, scan(tr), "is a file")

	tr = newTree(t)
	tr.put("a.md", "")
	tr.conf.Marker = ".kbsync-root"
	incomplete(t, scan(tr), "lacks its marker", ".kbsync-root")
	tr.put(".kbsync-root", "")
	tr.want("a.md")
	tr.conf.Marker = "marker.md"
	tr.put("marker.md", "")
	tr.want("a.md")
}

func TestVanishing(t *testing.T) {
	tr := newTree(t)
	for i := range 3 * chunkSize {
		tr.put(fmt.Sprintf("big/%05d.md", i), "")
	}
	for i := range 400 {
		tr.put(fmt.Sprintf("d%03d/x.md", i), "")
	}
	tr.put("a.md", "")
	t.Run("directory", func(t *testing.T) {
		f, n := tr.open(), 0
		err := f.Scan(t.Context(), sources.Known{}, sinkFunc(func(d kb.Document) error {
			if n++; d.Key == "src/a.md" {
				if err := os.Rename(tr.at("d399"), tr.at("d000/moved")); err != nil {
					t.Error(err)
				}
			}
			return nil
		}))
		// The workers may have been faster than the rename.
		if err != nil {
			incomplete(t, err, "changed while it was scanned", "d399: vanished")
		}
		if want := 3*chunkSize + 400; n < want {
			t.Errorf("%d documents, want at least %d", n, want)
		}
	})
	t.Run("file", func(t *testing.T) {
		s := &scan{f: tr.open(), ctx: t.Context(), skip: len("src/")}
		h, err := s.f.acquire(true)
		if err != nil {
			t.Fatal(err)
		}
		defer s.f.release(h)
		s.h = h
		w := newLister(s)
		n := &node{prefix: "src/big/", raw: "big/", real: "big/", plain: true}
		d, err := h.openDir("big", w.buf)
		if err != nil {
			t.Fatal(err)
		}
		defer d.close()
		if err := d.read(w.add); err != nil {
			t.Fatal(err)
		}
		w.sort(n)
		if err := os.Remove(tr.at("big/00007.md")); err != nil {
			t.Fatal(err)
		}
		c := &chunk{node: n}
		w.fill(d, c, w.entries, &w.names, w.odd)
		if len(c.recs) != 3*chunkSize-1 {
			t.Errorf("%d records", len(c.recs))
		}
		incomplete(t, s.trouble.err(), "changed while it was scanned", "big/00007.md: vanished")
	})
}

type sinkFunc func(kb.Document) error

func (f sinkFunc) Document(d kb.Document) error { return f(d) }
func (sinkFunc) Problem(kb.Problem) error       { return nil }

// asUser runs the rest of a test as an ordinary user, because permissions do not bind root: it tells the caller
// whether it is that user, and otherwise runs the test again in a process that is.
func asUser(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return true
	}
	// Not t.TempDir, which lies in a directory that only its owner may enter.
	base, err := os.MkdirTemp("", "kbsync") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	if err := os.Chmod(base, 0o777); err != nil {
		t.Fatal(err)
	}
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skip("permissions do not bind root, and this binary cannot be run as another user: ", err)
	}
	bin := filepath.Join(base, "test")
	if err := os.WriteFile(bin, exe, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bin, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir = base
	cmd.Env = append(os.Environ(), asUserEnv+"=1", "TMPDIR="+base)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "SKIP") || !strings.Contains(string(out), "PASS") {
		t.Errorf("as uid 65534: %v\n%s", err, out)
	}
	return false
}

func TestPermissions(t *testing.T) {
	if !asUser(t) {
		return
	}
	tr := newTree(t)
	tr.put("a.md", "a")
	tr.put("closed/b.md", "b")
	tr.put("noenter/c.md", "c")
	tr.put("secret.md", "s")
	tr.put("z.md", "z")
	chmod := func(path string, mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(tr.at(path), mode); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(tr.at(path), 0o755) })
	}
	chmod("secret.md", 0)
	l := tr.want("a.md", "closed/b.md", "noenter/c.md", "secret.md", "z.md")
	d, _ := l.Find("secret.md")
	_, err := d.Open(t.Context())
	if err == nil || errors.Is(err, fault.ErrDenied) || errors.Is(err, fault.ErrNotFound) || !strings.Contains(err.Error(), "permission denied; let the user") {
		t.Errorf("opening an unreadable file: %v", err)
	}
	chmod("closed", 0)
	chmod("noenter", 0o444)
	f, got := tr.open(), &sourcetest.Listing{}
	err = f.Scan(t.Context(), sources.Known{}, got)
	incomplete(t, err, "closed: permission denied", "noenter/c.md: permission denied", "let the user kbsyncd runs as")
	if want := []string{"a.md", "secret.md", "z.md"}; !slices.Equal(got.Paths(), want) {
		t.Errorf("documents %q", got.Paths())
	}
	if ok, err := f.Exists(t.Context(), "src/closed/b.md"); err == nil {
		t.Errorf("Exists in a closed directory: %v", ok)
	}
	chmod(".", 0)
	incomplete(t, f.Scan(t.Context(), sources.Known{}, got), "permission denied")
	chmod(".", 0o755)
	chmod("closed", 0o755)
	chmod("noenter", 0o755)
	tr.put("closed/.kbsyncignore", "*")
	chmod("closed/.kbsyncignore", 0)
	got = &sourcetest.Listing{}
	incomplete(t, f.Scan(t.Context(), sources.Known{}, got), "closed/.kbsyncignore: permission denied")
	if _, ok := got.Find("closed/b.md"); ok {
		t.Error("a document is given though its ignore rules are unknown")
	}
}

func TestPlace(t *testing.T) {
	tr := newTree(t)
	for i := range 10 {
		tr.put(fmt.Sprintf("%d.md", i), "x")
	}
	f := tr.open()
	l := sourcetest.Scan(t, f)
	if f.Identity() == "" {
		t.Skip("no identity here")
	}
	scan := func(k sources.Known) error { return f.Scan(t.Context(), k, &sourcetest.Listing{}) }
	moved := tr.open()
	all := &sourcetest.Listing{}
	incomplete(t, moved.Scan(t.Context(), l.Known("dev 0:45"), all), tr.dir+" is another place than before (was dev 0:45), though many documents are the same", "run again")
	if len(all.Documents) != 10 || moved.Identity() != f.Identity() {
		t.Errorf("moved with its documents: %d of 10 are given, identity %q", len(all.Documents), moved.Identity())
	}
	if err := moved.Scan(t.Context(), l.Known(moved.Identity()), &sourcetest.Listing{}); err != nil {
		t.Errorf("the scan after: %v", err)
	}
	for i := range 6 {
		tr.put(fmt.Sprintf("%d.md", i), "other")
	}
	incomplete(t, scan(l.Known("dev 0:45")), tr.dir+" is on another device (was dev 0:45 with 10 documents)", "marker")
	if err := scan(l.Known(f.Identity())); err != nil {
		t.Errorf("the same device: %v", err)
	}
	for i := range 10 {
		_ = os.Remove(tr.at(fmt.Sprintf("%d.md", i)))
	}
	incomplete(t, scan(l.Known("dev 0:45")), "is an empty mount point (was dev 0:45 with 10 documents)", "mount it and run again")
	if err := scan(l.Known(f.Identity())); err != nil {
		t.Errorf("an empty folder on the same device: %v", err)
	}
	if err := scan(sources.Known{}); err != nil {
		t.Errorf("an empty folder with nothing known: %v", err)
	}
	tr.conf.Marker = "m"
	tr.put("m", "")
	f = tr.open()
	if err := scan(l.Known("dev 0:45")); err != nil {
		t.Errorf("marked: %v", err)
	}
}

func TestOpenAfterPlaceChanged(t *testing.T) {
	tr := newTree(t)
	tr.put("a.md", "x")
	f := tr.open()
	d := sourcetest.Scan(t, f).Documents[0]
	if f.Identity() == "" {
		t.Skip("no identity here")
	}
	f.identity = "dev 0:45"
	if err := os.Remove(tr.at("a.md")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(t.Context()); err == nil || errors.Is(err, fault.ErrNotFound) {
		t.Errorf("in another place a document counts as gone: %v", err)
	}
	if ok, err := f.Exists(t.Context(), "src/a.md"); err == nil {
		t.Errorf("Exists in another place: %v", ok)
	}
}

func TestVerify(t *testing.T) {
	tr := newTree(t)
	tr.put("a.md", strings.Repeat("x", 100))
	f := tr.open()
	read := func(during func()) (int, bool, error) {
		t.Helper()
		c, err := sourcetest.Scan(t, f).Documents[0].Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		during()
		b := make([]byte, 1000)
		n := 0
		for {
			k, err := c.Read(b)
			n += k
			if err != nil {
				break
			}
		}
		doubtful, err := c.Verify()
		return n, doubtful, err
	}
	if n, doubtful, err := read(func() {}); n != 100 || err != nil || !doubtful {
		t.Errorf("just written: %d bytes, doubtful %v, %v", n, doubtful, err)
	}
	if n, _, err := read(func() {
		w, err := os.OpenFile(tr.at("a.md"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, "more")
		w.Close()
	}); n != 100 || !errors.Is(err, fault.ErrChanged) {
		t.Errorf("grown: %d bytes, %v", n, err)
	}
	if _, _, err := read(func() { _ = os.Truncate(tr.at("a.md"), 3) }); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("cut: %v", err)
	}
	now := time.Now()
	for _, c := range []struct {
		name  string
		ctime time.Time
		want  bool
	}{
		{"long ago", now.Add(-time.Hour), false},
		{"before the tick", now.Add(-25 * time.Millisecond), false},
		{"within the tick", now.Add(-10 * time.Millisecond), true},
		{"in the future", now.Add(time.Hour), true},
		{"whole seconds", now.Truncate(time.Second).Add(-time.Second), true},
		{"whole seconds, long ago", now.Truncate(time.Second).Add(-4 * time.Second), false},
	} {
		st := &stat{ctime: c.ctime.UnixNano(), mtime: c.ctime.UnixNano()}
		if got := fresh(st, now); got != c.want {
			t.Errorf("%s: doubtful %v", c.name, got)
		}
	}
}

func TestFingerprint(t *testing.T) {
	a := &stat{size: 1 << 40, mtime: 1<<62 + 5, ctime: -1 << 62, ino: 1<<64 - 1}
	p := fingerprint(a)
	if len(p) > maxFingerprint || p != fingerprint(a) {
		t.Errorf("%d bytes", len(p))
	}
	b := *a
	b.ino, b.ctime = 1, 2
	if fingerprint(&b) == p || !SameVersion(p, fingerprint(&b)) {
		t.Error("a move to another disk is not recognised")
	}
	b.mtime++
	if SameVersion(p, fingerprint(&b)) || SameVersion("", "") || SameVersion("\xff", "\xff") {
		t.Error("different versions are the same")
	}
}

// Memory must not grow with the tree, and nothing may run on after a scan that ended early.
func TestLookAheadIsBounded(t *testing.T) {
	tr := newTree(t)
	tr.put("one.md", "")
	for d := range 150 {
		tr.mkdir(fmt.Sprintf("d%03d", d))
		for i := range 150 {
			// Names of one file: they are listed like files, and made faster.
			if err := os.Link(tr.at("one.md"), tr.at(fmt.Sprintf("d%03d/%03d.md", d, i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	f := tr.open()
	h, err := f.acquire(true)
	if err != nil {
		t.Fatal(err)
	}
	defer f.release(h)
	s := &scan{f: f, h: h, ctx: t.Context(), skip: len("src/")}
	highest, n := 0, 0
	s.sink = sinkFunc(func(kb.Document) error {
		if n++; n%50 == 0 {
			runtime.Gosched()
			s.mu.Lock()
			highest = max(highest, s.ahead)
			s.mu.Unlock()
		}
		return nil
	})
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if limit := maxAhead + maxWorkers*(150+chunkCost); highest > limit || highest == 0 || s.ahead != 0 {
		t.Errorf("%d entries ahead, limit %d; %d at the end", highest, limit, s.ahead)
	}
}

func TestCancelWhileBlocked(t *testing.T) {
	tr := newTree(t)
	for d := range 50 {
		tr.put(fmt.Sprintf("d%03d/x.md", d), "")
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := tr.open().Scan(ctx, sources.Known{}, sinkFunc(func(kb.Document) error { cancel(); return nil }))
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	c := NewConfig()
	if bad := c.Validate(); len(bad) != 1 || bad[0].Field != "path" {
		t.Errorf("%v", bad)
	}
	c.Path = "docs"
	if bad := c.Validate(); len(bad) != 0 {
		t.Errorf("%v", bad)
	}
	for _, glob := range []string{"", "[", "{a", "/docs/**", "docs/", "../x", "a//b", "!x", "./x"} {
		c.Include = []string{glob}
		if bad := c.Validate(); len(bad) != 1 || bad[0].Field != "include" {
			t.Errorf("%q: %v", glob, bad)
		}
	}
	c = &Config{Path: "x\x00", Exclude: []string{"["}, Watch: "x", Poll: 1, Debounce: -1, Marker: "../m"}
	var fields []string
	for _, b := range c.Validate() {
		fields = append(fields, b.Field)
	}
	if diff := cmp.Diff([]string{"path", "exclude", "watch", "poll", "debounce", "marker"}, fields); diff != "" {
		t.Error(diff)
	}
	src, err := Kind.NewConfig().(*Config).Open(sources.Options{Name: "s", Dir: "/etc"})
	if err != nil || src.(*Folder).path != "/etc" {
		t.Errorf("%v, %v", src, err)
	}
}

func TestExplain(t *testing.T) {
	tr := newTree(t)
	tr.conf.Include, tr.conf.Exclude = []string{"**/*.md"}, []string{"drafts/**"}
	tr.put("a/b.md", "")
	tr.put("a/.kbsyncignore", "# rules\nx*\n!xy.md\n")
	tr.put("a/xy.md", "")
	tr.put("a/xz.md", "")
	tr.put("de\u0301.md", "")
	for path, want := range map[string]string{
		"a/b.md":        "it is a document",
		"a/xy.md":       "it is a document",
		"a/xz.md":       `a/.kbsyncignore line 2, "x*", leaves out a/xz.md`,
		"a/c.md":        "there is no such file",
		"a":             "searched for documents",
		"a/b.pdf":       "no include pattern matches",
		"drafts/x.md":   `exclude "drafts/**" leaves out drafts`,
		".git/x.md":     "hidden names",
		"a/x.md~":       "backup",
		"d\u00e9.md":    "it is a document",
		"":              "it is the folder",
		"../etc/passwd": "left out",
	} {
		lines := tr.open().Explain(path)
		if len(lines) == 0 || !strings.Contains(lines[len(lines)-1], want) {
			t.Errorf("%s: %q, want %q", path, lines, want)
		}
	}
}
