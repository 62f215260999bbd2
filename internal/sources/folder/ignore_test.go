//go:build unix

package folder

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kbsyncd/internal/sources/filter"
)

// gitTree is a folder in which git sees the same ignore rules under its own name.
type gitTree struct {
	*tree
	git string
}

func newGitTree(t *testing.T) *gitTree {
	t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("needs git as the oracle")
	}
	g := &gitTree{tree: newTree(t), git: git}
	g.run("init", "-q")
	return g
}

func (g *gitTree) run(args ...string) []byte {
	g.t.Helper()
	cmd := exec.CommandContext(g.t.Context(), g.git, args...)
	cmd.Dir = g.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "HOME="+g.dir)
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("git %q: %v", args, err)
	}
	return out
}

func (g *gitTree) rules(dir, text string) {
	g.t.Helper()
	g.put(filepath.Join(dir, ".gitignore"), text)
	g.put(filepath.Join(dir, filter.IgnoreName), text)
}

// compare lists the folder both ways; hidden names are not part of it.
func (g *gitTree) compare() {
	g.t.Helper()
	var want []string
	for path := range bytes.SplitSeq(g.run("ls-files", "-z", "-o", "--exclude-standard"), []byte{0}) {
		if p := string(path); p != "" && !strings.HasPrefix(filepath.Base(p), ".") {
			want = append(want, p)
		}
	}
	slices.Sort(want)
	got := g.scan().Paths()
	if diff := cmp.Diff(append([]string{}, want...), append([]string{}, got...)); diff != "" {
		g.t.Errorf("documents (-git +ours):\n%s", diff)
		_ = filepath.WalkDir(g.dir, func(path string, _ os.DirEntry, _ error) error {
			if filepath.Base(path) == filter.IgnoreName {
				text, _ := os.ReadFile(path)
				g.t.Logf("%s:\n%q", path, text)
			}
			return nil
		})
	}
}

var ignoreNames = []string{
	"a.md", "b.txt", "a", "b", "ab", "a b", "a b ", "abc.md", "A.md", "[a].md", "a*b", "a?", "!a", "#c", "\\d", "foo", "foobar", "build",
	"x-y", "é.md", "1.md", "{a,b}", "a\tb", "-n", "]", "^z",
}

func TestIgnoreAsGitDoes(t *testing.T) {
	for _, c := range []struct {
		name string
		top  string
		sub  map[string]string
	}{
		{name: "basics", top: "*.md\n!abc.md\n/foo\nbuild/\n# comment\n\n"},
		{name: "anchored", top: "/a.md\nsub/b.txt\n/sub/foo/\n"},
		{name: "doublestar", top: "**/ab\nsub/**\n!sub/a.md\n"},
		{name: "doublestar inside", top: "sub/**/a.md\na**b\nsub/f**r\n"},
		{name: "deep negation", top: "sub/*\n!sub/sub2\nsub/sub2/*\n!sub/sub2/a.md\n"},
		{name: "excluded parent", top: "sub/\n!sub/a.md\n"},
		{name: "spaces", top: "a b \nab\\ \nfoo  \nx-y\t\n"},
		{name: "kept spaces", top: "a b\\ \n"},
		{name: "escapes", top: "\\!a\n\\#c\n\\\\d\n\\a.md\nfoo\\\n"},
		{name: "classes", top: "[ab].md\n[!a]*.txt\n[^a-z]\n[[:digit:]].md\n[]]\n[a\n[[:nope:]]\n[a-\n[\\^]z\n"},
		{name: "braces are literal", top: "{a,b}\n*.{md,txt}\n"},
		{name: "question", top: "a?\n?.md\n??.md\n"},
		{name: "crlf and bom", top: "\xef\xbb\xbfa.md\r\nfoo\r\n"},
		{name: "odd", top: "/\n!\n//\n/*/\n***\n!a.md\n"},
		{name: "nested", top: "*.md\n", sub: map[string]string{"sub": "!*.md\nfoo\n", "sub/sub2": "*\n!a.md\n/b.txt\n"}},
		{name: "nested anchor", sub: map[string]string{"sub": "/a.md\nsub2/b.txt\n"}},
		{name: "no newline", top: "a.md"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGitTree(t)
			for _, dir := range []string{"", "sub", "sub/sub2", "a_/foo.d", "q/build"} {
				for _, n := range ignoreNames {
					g.put(filepath.Join(dir, n), "")
				}
			}
			g.rules("", c.top)
			for dir, text := range c.sub {
				g.rules(dir, text)
			}
			g.compare()
		})
	}
}

// Random rules over random trees, with a printed seed, against git.
func TestIgnoreAsGitDoesAtRandom(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	pieces := []string{"a", "b", "ab", "*", "**", "?", "[ab]", "[!a]", "/", "/", "\\a", "\\*", "[", "]", "!", "a/", "{", " ", "[[:alpha:]]", "[a-b]", "-"}
	pattern := func() string {
		var b strings.Builder
		if r.IntN(4) == 0 {
			b.WriteByte('!')
		}
		for range 1 + r.IntN(5) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		return b.String() + "\n"
	}
	rounds := 20
	if testing.Short() {
		rounds = 10
	}
	names := []string{"a", "b", "ab", "ba", "aab", "a*", "-"}
	for range rounds {
		g := newGitTree(t)
		dirs := []string{"", "da", "ab.d", "da/b.d", "da/b.d/aa.d", "a-d"}
		for _, d := range dirs {
			for _, n := range names {
				g.put(filepath.Join(d, n), "")
			}
		}
		for _, d := range dirs {
			if d != "" && r.IntN(3) > 0 {
				continue
			}
			text := ""
			for range 1 + r.IntN(4) {
				text += pattern()
			}
			g.rules(d, text)
		}
		g.compare()
		if t.Failed() {
			return
		}
	}
}

func TestIgnoreFileErrors(t *testing.T) {
	for name, plant := range map[string]func(tr *tree) error{
		"directory": func(tr *tree) error { return os.Mkdir(tr.at("sub/"+filter.IgnoreName), 0o755) },
		"large": func(tr *tree) error {
			return os.WriteFile(tr.at("sub/"+filter.IgnoreName), bytes.Repeat([]byte("#\n"), filter.IgnoreLimit), 0o644)
		},
		"link out": func(tr *tree) error { return os.Symlink("/etc/passwd", tr.at("sub/"+filter.IgnoreName)) },
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTree(t)
			tr.put("sub/a.md", "")
			if err := plant(tr); err != nil {
				t.Fatal(err)
			}
			var c count
			incomplete(t, tr.open().Scan(t.Context(), nothingKnown, &c), "sub/"+filter.IgnoreName)
			if c.docs != 0 {
				t.Error("documents are given though their rules are unknown")
			}
		})
	}
}
