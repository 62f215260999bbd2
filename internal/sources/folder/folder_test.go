//go:build unix

package folder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	"go.uber.org/goleak"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/sourcetest"
)

// asUserEnv makes the test binary run one test as an ordinary user, see asUser.
const asUserEnv = "KBSYNC_TEST_AS_USER"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tree is a folder under test.
type tree struct {
	t    *testing.T
	dir  string
	conf Config
}

func newTree(t *testing.T) *tree {
	t.Helper()
	tr := &tree{t: t, dir: t.TempDir(), conf: *NewConfig()}
	tr.conf.Path = tr.dir
	return tr
}

func (tr *tree) at(path string) string { return filepath.Join(tr.dir, filepath.FromSlash(path)) }

func (tr *tree) put(path, content string) {
	tr.t.Helper()
	tr.mkdir(filepath.Dir(filepath.FromSlash(path)))
	if err := os.WriteFile(tr.at(path), []byte(content), 0o644); err != nil {
		tr.t.Fatal(err)
	}
}

func (tr *tree) mkdir(path string) {
	tr.t.Helper()
	if err := os.MkdirAll(tr.at(path), 0o755); err != nil {
		tr.t.Fatal(err)
	}
}

func (tr *tree) link(target, path string) {
	tr.t.Helper()
	tr.mkdir(filepath.Dir(path))
	if err := os.Symlink(target, tr.at(path)); err != nil {
		tr.t.Fatal(err)
	}
}

func (tr *tree) open() *Folder {
	tr.t.Helper()
	if bad := tr.conf.Validate(); len(bad) > 0 {
		tr.t.Fatal(bad)
	}
	src, err := tr.conf.Open(sources.Options{Name: "src", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		tr.t.Fatal(err)
	}
	return src.(*Folder)
}

func (tr *tree) scan() *sourcetest.Listing {
	tr.t.Helper()
	return sourcetest.Scan(tr.t, tr.open())
}

func (tr *tree) want(paths ...string) *sourcetest.Listing {
	tr.t.Helper()
	l := tr.scan()
	slices.Sort(paths)
	if diff := cmp.Diff(append([]string{}, paths...), l.Paths()); diff != "" {
		tr.t.Errorf("documents (-want +got):\n%s", diff)
	}
	return l
}

func problem(t *testing.T, l *sourcetest.Listing, key, text string) {
	t.Helper()
	for _, p := range l.Problems {
		if string(p.Key) == key {
			if !errors.Is(p.Err, fault.ErrUnsupported) || !strings.Contains(p.Err.Error(), text) || p.Present {
				t.Errorf("problem %q: %v, want %q", key, p.Err, text)
			}
			return
		}
	}
	t.Errorf("no problem %q in %v", key, l.Problems)
}

func TestConformance(t *testing.T) {
	for _, portable := range []bool{false, true} {
		t.Run(fmt.Sprintf("portable=%v", portable), func(t *testing.T) {
			sourcetest.Run(t, func(t *testing.T) sourcetest.Fixture {
				tr := newTree(t)
				f := tr.open()
				f.portable = portable
				return fixture(t, tr, f)
			})
		})
	}
}

func fixture(t *testing.T, tr *tree, f *Folder) sourcetest.Fixture {
	return sourcetest.Fixture{
		Name: "src", Source: f,
		Put: func(path string, content []byte) { tr.put(path, string(content)) },
		Remove: func(path string) {
			if err := os.Remove(tr.at(path)); err != nil {
				t.Fatal(err)
			}
		},
		Rename: func(from, to string) {
			tr.mkdir(filepath.Dir(to))
			if err := os.Rename(tr.at(from), tr.at(to)); err != nil {
				t.Fatal(err)
			}
		},
		Opens: func() int { return int(f.opens.Load()) },
		Break: func() func() {
			away := tr.dir + "-away"
			if err := os.Rename(tr.dir, away); err != nil {
				t.Fatal(err)
			}
			return func() {
				if err := os.Rename(away, tr.dir); err != nil {
					t.Error(err)
				}
			}
		},
		AddProblem: func() kb.Key {
			if err := syscall.Mkfifo(tr.at("pipe"), 0o644); err != nil {
				t.Fatal(err)
			}
			return "src/pipe"
		},
		OddPaths: []string{"e\u0301t\u00e9.md", "de\u0301p/a\u0300.md", "\u212bngstr\u00f6m/x.md", strings.Repeat("\u00e9", 127)},
	}
}

func TestDefaultsLeaveOut(t *testing.T) {
	tr := newTree(t)
	for _, p := range []string{
		".hidden", ".git/config", "a/.x.swp", "~$doc.docx", "a.md~", ".#a.md", "#a.md#", "x.part", "y.crdownload", "z.tmp", "w.swp",
		".DS_Store", "Thumbs.db", "desktop.ini", "lost+found/x", ".kbsyncignore",
	} {
		tr.put(p, "")
	}
	tr.put("keep/tmp", "")
	tr.put("part", "")
	tr.put("#1.md", "")
	tr.put("~home.md", "")
	if l := tr.want("#1.md", "keep/tmp", "part", "~home.md"); len(l.Problems) != 0 {
		t.Error(l.Problems)
	}
	tr.conf.Include = []string{".hid*", "**/*.part"}
	tr.want(".hidden", "x.part")
}

func TestGlobs(t *testing.T) {
	all := []string{"a.md", "b.txt", "docs/a.md", "docs/b.pdf", "docs/deep/er/c.md", "drafts/x.md", "docs/drafts/y.md", "x/old-1/z.md", "{b}.md"}
	for _, c := range []struct {
		include, exclude []string
		want             []string
	}{
		{nil, []string{"drafts/**"}, []string{"a.md", "b.txt", "docs/a.md", "docs/b.pdf", "docs/deep/er/c.md", "docs/drafts/y.md", "x/old-1/z.md", "{b}.md"}},
		{nil, []string{"drafts", "x"}, []string{"a.md", "b.txt", "docs/a.md", "docs/b.pdf", "docs/deep/er/c.md", "docs/drafts/y.md", "{b}.md"}},
		{[]string{"**/*.md"}, []string{"**/drafts/**", "**/old-*/**"}, []string{"a.md", "docs/a.md", "docs/deep/er/c.md", "{b}.md"}},
		{[]string{"*.md"}, nil, []string{"a.md", "{b}.md"}},
		{[]string{"docs/**/*.{md,pdf}"}, nil, []string{"docs/a.md", "docs/b.pdf", "docs/deep/er/c.md", "docs/drafts/y.md"}},
		{[]string{"docs/*/er/*"}, nil, []string{"docs/deep/er/c.md"}},
		{[]string{"{docs/deep,x}/**"}, nil, []string{"docs/deep/er/c.md", "x/old-1/z.md"}},
		{[]string{"docs/**"}, []string{"**/*.pdf"}, []string{"docs/a.md", "docs/deep/er/c.md", "docs/drafts/y.md"}},
		{[]string{"**"}, []string{"**/*"}, nil},
		{[]string{"b.txt"}, nil, []string{"b.txt"}},
		{[]string{"\\{b\\}.md"}, nil, []string{"{b}.md"}},
	} {
		tr := newTree(t)
		for _, p := range all {
			tr.put(p, "")
		}
		tr.conf.Include, tr.conf.Exclude = c.include, c.exclude
		t.Run(fmt.Sprint(c.include, c.exclude), func(t *testing.T) {
			tr.t = t
			tr.want(c.want...)
		})
	}
}

func TestFilteredIsNoProblem(t *testing.T) {
	tr := newTree(t)
	tr.conf.Include = []string{"**/*.md"}
	if err := syscall.Mkfifo(tr.at("x.pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	tr.link("nowhere", "x.png")
	if l := tr.want(); len(l.Problems) != 0 {
		t.Error(l.Problems)
	}
}

func TestOddEntries(t *testing.T) {
	tr := newTree(t)
	tr.put("a.md", "a")
	if err := syscall.Mkfifo(tr.at("pipe.md"), 0o644); err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	t.Chdir(tr.dir) // socket paths are short
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: "sock"}); err != nil {
		t.Fatal(err)
	}
	tr.put("bad-\xff.md", "")
	tr.put("dir-\xfe/x.md", "")
	l := tr.want("a.md")
	problem(t, l, "src/pipe.md", "is a pipe")
	problem(t, l, "src/sock", "is a socket")
	problem(t, l, `src/bad-\xff.md`, "not UTF-8")
	problem(t, l, `src/dir-\xfe`, "not UTF-8")
	if !slices.IsSorted(l.Keys) {
		t.Error(l.Keys)
	}
}

func TestTwins(t *testing.T) {
	tr := newTree(t)
	tr.put("\u00e9.md", "nfc")
	tr.put("e\u0301.md", "nfd")
	tr.put("\u212b.md", "angstrom sign")
	tr.put("A\u030a.md", "decomposed")
	tr.put("d\u00e9/x.md", "nfc")
	tr.put("de\u0301/y.md", "nfd")
	l := tr.want("\u00e9.md", "\u00c5.md", "d\u00e9/x.md")
	problem(t, l, "src/\u00e9.md (written \"e\\u0301.md\")", "looks the same")
	problem(t, l, "src/\u00c5.md (written \"\\u212b.md\")", "looks the same")
	problem(t, l, "src/d\u00e9 (written \"de\\u0301\")", "looks the same")
	if !slices.IsSorted(l.Keys) {
		t.Errorf("%q", l.Keys)
	}
	for path, want := range map[string]string{"\u00e9.md": "nfc", "\u00c5.md": "decomposed"} {
		d, _ := l.Find(path)
		if got, _, err := sourcetest.Read(t.Context(), d); err != nil || string(got) != want {
			t.Errorf("%q reads %q, %v", path, got, err)
		}
	}
}

func TestCaseCollisionsAreLoggedOnce(t *testing.T) {
	tr := newTree(t)
	for _, p := range []string{"Readme.md", "README.md", "sub/a.md", "sub/A.md", "\u03c3.md", "\u03a3.md", "one/B.md", "two/b.md"} {
		tr.put(p, "")
	}
	var log strings.Builder
	src, err := tr.conf.Open(sources.Options{Name: "src", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if l := sourcetest.Scan(t, src); len(l.Documents) != 8 || len(l.Problems) != 0 {
			t.Error(l.Keys, l.Problems)
		}
	}
	if n := strings.Count(log.String(), "names differ only in case"); n != 2 {
		t.Errorf("%d warnings:\n%s", n, log.String())
	}
}

func TestLinks(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret.md"), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	tr := newTree(t)
	tr.put("real/a.md", "a")
	tr.put("..data/k.md", "k")
	tr.link("real/a.md", "rel.md")
	tr.link(tr.at("real/a.md"), "abs.md")
	tr.link("real", "dir")
	tr.link(tr.at("real"), "absdir")
	tr.link("..data/k.md", "k.md")
	tr.link("../real/a.md", "sub/up.md")
	tr.link("../..", "sub/deep/loop")
	tr.link("self", "self")
	tr.link("nowhere", "broken.md")
	tr.link(filepath.Join(outside, "secret.md"), "out.md")
	tr.link(outside, "outdir")
	tr.link("../"+filepath.Base(outside)+"/secret.md", "outrel.md")
	tr.link("/proc/self/root"+tr.at("real/a.md"), "magic.md")
	l := tr.want("real/a.md", "rel.md", "abs.md", "dir/a.md", "absdir/a.md", "k.md", "sub/up.md")
	for key, text := range map[string]string{
		"sub/deep/loop": "leads back", "self": "leads back", "broken.md": "leads nowhere", "out.md": "out of the folder",
		"outdir": "out of the folder", "outrel.md": "out of the folder", "magic.md": "out of the folder",
	} {
		problem(t, l, "src/"+key, text)
	}
	for _, d := range l.Documents {
		want := "a"
		if d.Key == "src/k.md" {
			want = "k"
		}
		if got, _, err := sourcetest.Read(t.Context(), d); err != nil || string(got) != want {
			t.Errorf("%s reads %q, %v", d.Key, got, err)
		}
	}
	f := tr.open()
	for path, want := range map[string]bool{"rel.md": true, "abs.md": true, "absdir/a.md": true, "out.md": false, "broken.md": false, "self": false, "outdir/secret.md": false} {
		if got, err := f.Exists(t.Context(), kb.NewKey("src", path)); got != want || err != nil {
			t.Errorf("Exists(%s) = %v, %v", path, got, err)
		}
	}
}

// A link that is planted after the scan must not be followed out of the folder, nor a pipe be waited for.
func TestReplacedByTrap(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, plant := range map[string]func(path string) error{
		"link":     func(p string) error { return os.Symlink(outside, p) },
		"pipe":     func(p string) error { return syscall.Mkfifo(p, 0o644) },
		"dir":      func(p string) error { return os.Mkdir(p, 0o755) },
		"hardlink": func(p string) error { return os.Link(outside, p) },
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTree(t)
			tr.put("a/x.md", "secret")
			d := tr.scan().Documents[0]
			if err := os.Remove(tr.at("a/x.md")); err != nil {
				t.Fatal(err)
			}
			if err := plant(tr.at("a/x.md")); err != nil {
				t.Fatal(err)
			}
			if _, err := d.Open(t.Context()); !errors.Is(err, fault.ErrChanged) {
				t.Errorf("Open: %v", err)
			}
		})
	}
}

func TestManyLinkedDirectories(t *testing.T) {
	tr := newTree(t)
	for i := range 4 {
		tr.put(fmt.Sprintf("d%d/x.md", i), "")
		for j := range 4 {
			tr.link(fmt.Sprintf("../d%d", j), fmt.Sprintf("d%d/l%d", i, j))
		}
	}
	l := tr.scan()
	if len(l.Documents) > 2000 || len(l.Documents) < 4 {
		t.Errorf("%d documents", len(l.Documents))
	}
}

func TestDeepTree(t *testing.T) {
	tr := newTree(t)
	root, err := os.OpenRoot(tr.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	// Deeper than a path may be long, and deeper than keys may be.
	name, here := strings.Repeat("d", 200), root
	for i := range 100 {
		if err := here.Mkdir(name, 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := here.OpenRoot(name)
		if err != nil {
			t.Fatal(err)
		}
		if here != root {
			here.Close()
		}
		here = next
		if i%10 == 0 {
			if err := here.WriteFile("x.md", []byte("x"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	here.Close()
	l := tr.scan()
	if len(l.Documents) != 9 || len(l.Problems) != 1 || !strings.Contains(l.Problems[0].Err.Error(), "longer than") {
		t.Errorf("%d documents, %d problems", len(l.Documents), len(l.Problems))
	}
	for _, d := range l.Documents {
		if got, _, err := sourcetest.Read(t.Context(), d); err != nil || string(got) != "x" {
			t.Errorf("%q, %v", got, err)
		}
	}
	if err := root.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
}

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
	base, err := os.MkdirTemp("", "kbsync")
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
	if err := scan(l.Known("dev 0:45")); err != nil {
		t.Errorf("moved with its documents: %v", err)
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
	for d := range 300 {
		for i := range 120 {
			tr.put(fmt.Sprintf("d%03d/%03d.md", d, i), "")
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
	if limit := maxAhead + maxWorkers*(120+chunkCost); highest > limit || highest == 0 || s.ahead != 0 {
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
