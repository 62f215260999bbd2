//go:build unix

package folder

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

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
