package gitrepo

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/sourcetest"
)

// made is an origin whose trees are written by hand, as no work tree would give them.
type made struct {
	*origin
	file string // the blob of a small file
}

func newMade(t *testing.T) *made {
	t.Helper()
	o := newOrigin(t)
	return &made{origin: o, file: o.gitIn([]byte("hello\n"), "hash-object", "-w", "--stdin")}
}

func (m *made) blob(text string) string {
	m.t.Helper()
	return m.gitIn([]byte(text), "hash-object", "-w", "--stdin")
}

// tree writes a tree of lines "MODE NAME ID".
func (m *made) tree(lines ...string) string {
	m.t.Helper()
	var b strings.Builder
	for _, l := range lines {
		f := strings.Fields(l)
		kind := "blob"
		if f[0] == "040000" {
			kind = "tree"
		}
		fmt.Fprintf(&b, "%s %s %s\t%s\n", f[0], kind, f[2], f[1])
	}
	return m.gitIn([]byte(b.String()), "mktree")
}

// commit makes a tree the tip of the branch.
func (m *made) commit(tree string) {
	m.t.Helper()
	m.git("update-ref", "refs/heads/main", m.git("commit-tree", "-m", "x", tree))
}

func files(n int, id string) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf("100644 f%04d.md %s", i, id))
	}
	return lines
}

func links(n int, to string) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf("120000 l%05d.md %s", i, to))
	}
	return lines
}

// A repository that is small on the way and large in memory ends with an error that says what to do.
func TestBoundsOfAWalk(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		make  func(*made) string
		bound func(*Repo)
		want  string
	}{
		{
			name: "long names of many files",
			make: func(m *made) string {
				tree := m.tree(files(300, m.file)...)
				for range 3 {
					tree = m.tree("040000 " + strings.Repeat("n", 3000) + " " + tree)
				}
				return tree
			},
			bound: func(r *Repo) { r.bounds.names = 1 << 20 },
			want:  "the names of the files take more than 1 MiB; name a smaller directory as `path`",
		},
		{
			name: "large directories below each other",
			make: func(m *made) string {
				tree := m.tree(files(1, m.file)...)
				for range 5 {
					tree = m.tree(append(files(300, m.file), "040000 z "+tree)...)
				}
				return tree
			},
			bound: func(r *Repo) { r.bounds.open = 40_000 },
			want:  "directories that are too large",
		},
		{
			name: "a large directory again and again",
			make: func(m *made) string {
				var lines []string
				for i := range 20 {
					lines = append(lines, fmt.Sprintf("040000 d%02d %s", i, m.tree(append(files(300, m.file), fmt.Sprintf("100644 z%d %s", i, m.file))...)))
				}
				return m.tree(lines...)
			},
			bound: func(r *Repo) { r.bounds.read = 100_000 },
			want:  "too many large directories",
		},
		{
			name: "links that walk to and fro",
			make: func(m *made) string {
				lines := links(40, m.blob(strings.Repeat("d/../", 800)+"a.md"))
				return m.tree(append(lines, "100644 a.md "+m.file, "040000 d "+m.tree(files(1, m.file)...))...)
			},
			bound: func(r *Repo) { r.bounds.visited = 20_000 },
			want:  "more than 20000 entries to look at",
		},
		{
			name:  "many files",
			make:  func(m *made) string { return m.tree(files(300, m.file)...) },
			bound: func(r *Repo) { r.most = 299 },
			want:  "more than 299 files",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newMade(t)
			m.commit(tt.make(m))
			r := m.withRef("")
			tt.bound(r)
			err := r.Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
			if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// The directory that is listed is read once, however many links in it lead into it.
func TestLinksOfOneDirectory(t *testing.T) {
	t.Parallel()
	m := newMade(t)
	m.commit(m.tree(append(links(3000, m.blob("a.md")), "100644 a.md "+m.file)...))
	r := m.withRef("")
	r.bounds.read = 200_000 // of a tree of 100 KB
	r.bounds.visited = 10_000
	if l := m.scan(r); len(l.Documents) != 3001 || len(l.Problems) > 0 {
		t.Errorf("%d documents, %d problems", len(l.Documents), len(l.Problems))
	}
}

func TestDeepDirectories(t *testing.T) {
	t.Parallel()
	m := newMade(t)
	tree := m.tree("100644 x.md " + m.file)
	for range 21 {
		tree = m.tree("040000 a "+tree, "100644 b.md "+m.file)
	}
	m.commit(tree)
	r := m.withRef("")
	r.bounds.deep = 20
	l := m.scan(r)
	if len(l.Documents) != 21 || len(l.Problems) != 1 || !strings.Contains(l.Problems[0].Err.Error(), "too deep") {
		t.Errorf("%d documents, problems %v", len(l.Documents), l.Problems)
	}
}
