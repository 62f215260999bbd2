package gitrepo

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/sourcetest"
)

// summary is a listing on lines: documents with their content, problems with the beginning of what they say.
func summary(t *testing.T, l *sourcetest.Listing) []string {
	t.Helper()
	var out []string
	for _, d := range l.Documents {
		got, _, err := sourcetest.Read(t.Context(), d)
		if err != nil {
			got = []byte("error " + err.Error())
		}
		out = append(out, d.Key.Path()+" = "+string(got))
	}
	for _, p := range l.Problems {
		if p.Present {
			t.Errorf("%s counts as present", p.Key)
		}
		out = append(out, fmt.Sprintf("%s ! %.28s", p.Key.Path(), p.Err))
	}
	return out
}

func TestLinks(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.put("docs/a.md", []byte("A"))
	o.put("shared/deep/s.md", []byte("S"))
	for from, to := range map[string]string{
		"docs/b.md": "a.md", "docs/chain.md": "b.md", "docs/up.md": "../shared/deep/s.md", "docs/dir": "../shared", "docs/through.md": "dir/deep/s.md",
		"docs/abs.md": "/etc/passwd", "docs/out.md": "../../etc/passwd", "docs/gone.md": "nothing.md", "docs/self.md": "self.md", "docs/x.md": "y.md", "docs/y.md": "x.md",
		"docs/here": ".", "docs/root": "..", "docs/file.md": "a.md/x", "docs/.hidden": "/etc", "docs/long.md": strings.Repeat("x/", 5000), "docs/empty.md": "./",
	} {
		o.link(from, to)
	}
	o.flush()
	o.git("update-ref", "refs/heads/x", "main")
	r := o.open(func(c *Config, _ *sources.Options) { c.Path, c.Exclude = "docs", []string{"empty.md"} })
	want := []string{
		"a.md = A", "b.md = A", "chain.md = A", "dir/deep/s.md = S", "through.md = S", "up.md = S",
		"abs.md ! is a link that leaves the re", "file.md ! is a link to something that ", "gone.md ! is a link to something that ", "here ! is a link that leads back to",
		"long.md ! is a link to something that ", "out.md ! is a link that leaves the re", "root ! is a link that leads back to",
		"self.md ! is a link that leads back to", "x.md ! is a link that leads back to", "y.md ! is a link that leads back to",
	}
	for i := range want {
		if name, rest, ok := strings.Cut(want[i], " ! "); ok {
			want[i] = name + " ! " + rest[:min(len(rest), 28)]
		}
	}
	if diff := cmp.Diff(want, summary(t, o.scan(r))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	for _, p := range []string{
		"d/a.md", "d/a.txt", "d/.git/config", "d/.hidden.md", "d/x~", "d/sub/a.md", "d/sub/b.md", "d/drafts/a.md", "d/keep/drafts/k.md", "a.md",
	} {
		o.put(p, []byte(p))
	}
	o.put(".kbsyncignore", []byte("*\n")) // above path, where it does not count
	o.put("d/.kbsyncignore", []byte("drafts/\n"))
	o.put("d/sub/.kbsyncignore", []byte("*\n!b.md\n"))
	o.link("d/keep/.kbsyncignore", "../empty.txt")
	o.put("d/empty.txt", nil)
	r := o.open(func(c *Config, _ *sources.Options) {
		c.Path, c.Include, c.Exclude = "d", []string{"**/*.md"}, []string{"a.md"}
	})
	if got := o.given(r); got != "sub/b.md" {
		t.Errorf("%q", got)
	}
	explained := strings.Join(r.Explain("sub/a.md"), "\n")
	for _, part := range []string{"the default branch main, commit " + o.git("rev-parse", "main"), `sub/.kbsyncignore line 1, "*", leaves out sub/a.md`} {
		if !strings.Contains(explained, part) {
			t.Errorf("Explain lacks %q:\n%s", part, explained)
		}
	}
	o.stop()
	defer o.away()() // the cache knows
	again := o.open(func(c *Config, opts *sources.Options) {
		c.Path, c.Include, c.Exclude = "d", []string{"**/*.md"}, []string{"a.md"}
		opts.CacheDir = r.cache.parent[:len(r.cache.parent)-len("/git")]
	})
	for path, want := range map[string]string{
		"sub/b.md": "it is a document: d/sub/b.md in the repository, blob ", "a.md": `exclude "a.md" leaves out a.md`, "a.txt": "no include pattern matches",
		"x/none.md": "there is no such file in this commit", "sub": "it is a directory that is searched", "drafts/a.md": "leaves out drafts", "": "it is the directory /d of ",
	} {
		lines := again.Explain(path)
		if last := lines[len(lines)-1]; !strings.Contains(last, want) {
			t.Errorf("Explain(%q) ends with %q, want %q", path, last, want)
		}
	}
}

func TestIgnoreFileErrors(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.put("a.md", nil)
	o.put("large/.kbsyncignore", []byte(strings.Repeat("# x\n", 300_000)))
	o.put("dir/.kbsyncignore/x", nil)
	o.link("link/.kbsyncignore", "/etc/passwd")
	for path, want := range map[string]string{"large": "is larger than 1 MiB", "dir": "is no regular file", "link": "leaves the repository"} {
		r := o.open(func(c *Config, _ *sources.Options) { c.Path = path })
		o.flush()
		err := r.Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
		if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// plant makes a commit of a tree with entries that git itself would not make.
func (o *origin) plant(entries ...treeEntry) {
	o.t.Helper()
	o.stop()
	tree := o.tree(entries...)
	commit := o.gitIn([]byte("tree "+tree+"\nauthor a <a@b> 1700000000 +0000\ncommitter c <c@d> 1700000000 +0000\n\nx\n"), "hash-object", "-t", "commit", "-w", "--stdin", "--literally")
	o.git("update-ref", "refs/heads/main", commit)
}

func (o *origin) tree(entries ...treeEntry) string {
	o.t.Helper()
	var data []byte
	for _, e := range entries {
		id, err := hex.DecodeString(e.id)
		if err != nil {
			o.t.Fatal(err)
		}
		data = append(append(append(data, e.mode+" "+e.name...), 0), id...)
	}
	return o.gitIn(data, "hash-object", "-t", "tree", "-w", "--stdin", "--literally")
}

func TestHostileTrees(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	x := o.gitIn([]byte("X"), "hash-object", "-w", "--stdin")
	sub := o.tree(treeEntry{"in.md", "100644", x})
	o.plant(
		treeEntry{"..", "40000", sub}, treeEntry{".", "40000", sub}, treeEntry{".git", "40000", sub}, treeEntry{".GIT", "40000", sub},
		treeEntry{"../up.md", "100644", x}, treeEntry{"/abs.md", "100644", x}, treeEntry{"a\nb.md", "100644", x}, treeEntry{"back\\slash.md", "100644", x},
		treeEntry{"caf\u00e9.md", "100644", x}, treeEntry{"cafe\u0301.md", "100755", x}, treeEntry{"dup.md", "100644", x}, treeEntry{"dup.md", "100644", x},
		treeEntry{"\xff.md", "100644", x}, treeEntry{"\u202ertl.md", "100644", x}, treeEntry{"module", "160000", x}, treeEntry{"zero", "040000", sub},
		treeEntry{"odd.md", "100666", x}, treeEntry{"git~1", "40000", sub}, treeEntry{"-rf.md", "100644", x}, treeEntry{"a.md", "100644", x},
	)
	want := []string{
		"-rf.md = X", "a\nb.md = X", "a.md = X", "back\\slash.md = X", "caf\u00e9.md = X", "dup.md = X", "git~1/in.md = X", "odd.md = X", "zero/in.md = X", "\u202ertl.md = X",
		`\x2fabs.md ! the name is no name for a fi`, `\xff.md ! the name is no name for a fi`,
		"caf\u00e9.md ! the name \"cafe\\u0301.md\" loo", "dup.md ! the name \"dup.md\" looks the ", "module ! is a submodule, which is not",
	}
	r := o.withRef("")
	l := o.scan(r)
	if diff := cmp.Diff(want, summary(t, l)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for i := 1; i < len(l.Keys); i++ {
		if l.Keys[i] < l.Keys[i-1] {
			t.Errorf("%q comes after %q", l.Keys[i], l.Keys[i-1])
		}
	}
}

// A repository of a few objects can have more files than anybody can count.
func TestTreeBomb(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	id, mode := o.gitIn([]byte("X"), "hash-object", "-w", "--stdin"), "100644"
	for range 8 {
		var es []treeEntry
		for i := range 16 {
			es = append(es, treeEntry{fmt.Sprintf("%02d", i), mode, id})
		}
		id, mode = o.tree(es...), "40000"
	}
	o.plant(treeEntry{"bomb", "40000", id})
	r := o.withRef("")
	r.most = 20_000
	err := r.Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
	if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), "more than 20000 files") {
		t.Error(err)
	}
}

// counter is a sink that keeps nothing.
type counter struct{ documents, problems int }

func (c *counter) Document(kb.Document) error { c.documents++; return nil }
func (c *counter) Problem(kb.Problem) error   { c.problems++; return nil }

// TestMillionEntries runs with the tests of real servers, because it takes seconds.
func TestMillionEntries(t *testing.T) {
	thorough(t)
	o := newOrigin(t)
	files, dirs := make([]treeEntry, 1000), make([]treeEntry, 1000)
	id := o.gitIn([]byte("X"), "hash-object", "-w", "--stdin")
	for i := range files {
		files[i] = treeEntry{fmt.Sprintf("file-%04d.md", i), "100644", id}
	}
	id = o.tree(files...)
	for i := range dirs {
		dirs[i] = treeEntry{fmt.Sprintf("dir-%04d", i), "40000", id}
	}
	o.plant(dirs...)
	r := o.withRef("")
	for _, what := range []string{"first", "unchanged"} {
		began, c := time.Now(), &counter{}
		if err := r.Scan(t.Context(), sources.Known{}, c); err != nil || c.documents != 1_000_000 || c.problems != 0 {
			t.Fatalf("%s: %d documents, %d problems, %v", what, c.documents, c.problems, err)
		}
		t.Logf("%s scan: %s", what, time.Since(began).Round(time.Millisecond))
	}
}

func FuzzTree(f *testing.F) {
	f.Add([]byte("100644 a\x0012345678901234567890"))
	f.Add([]byte("40000 \x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := parseTree(data, 40)
		if err != nil {
			return
		}
		var again []byte
		for _, e := range entries {
			id, err := hex.DecodeString(e.id)
			if err != nil {
				t.Fatal(err)
			}
			again = append(append(append(again, e.mode+" "+e.name...), 0), id...)
		}
		if string(again) != string(data) {
			t.Errorf("%q reads as %q", data, again)
		}
	})
}

func FuzzListing(f *testing.F) {
	f.Add([]byte("x"), "a.md", "docs/a.md")
	f.Fuzz(func(t *testing.T, data []byte, path, raw string) {
		if l, err := decode(data); err == nil {
			for i := range l.at {
				l.entry(i)
			}
		}
		if raw == "" || strings.Contains(path+raw, "\x00") {
			return
		}
		b := encode(&listing{commit: "c"}, []entry{{path: path, raw: raw, kind: isDocument, rest: "id"}})
		l, err := decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]entry{{path: path, raw: raw, kind: isDocument, rest: "id"}}, l.find(path), cmp.AllowUnexported(entry{})); diff != "" {
			t.Error(diff)
		}
		b[len(data)%len(b)] ^= 1
		if _, err := decode(b); err == nil {
			t.Error("a damaged listing is taken")
		}
	})
}
