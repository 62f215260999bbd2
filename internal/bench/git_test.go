package bench

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/gitrepo"
)

// The bounds of the source for git.
const (
	gitFirst     = 1.2                   // times the git commands alone
	gitUnchanged = 30 * time.Millisecond // above git ls-remote
	gitChange    = 0.05                  // of the first sync
)

// gitOrigin makes a repository of n pages and so many images of 100 kB, and serves it on loopback.
func gitOrigin(b *testing.B, n, images int) (url, dir string) {
	b.Helper()
	need(b, "git")
	dir = filepath.Join(b.TempDir(), "origin.git")
	gitDo(b, "", nil, "init", "-q", "--bare", "-b", "main", dir)
	gitDo(b, dir, nil, "config", "uploadpack.allowFilter", "true")
	gitDo(b, dir, nil, "config", "pack.threads", "1")
	rng := rand.New(rand.NewPCG(3, 4))
	var in bytes.Buffer
	in.WriteString("commit refs/heads/main\nauthor a <a@b> 1700000000 +0000\ncommitter a <a@b> 1700000000 +0000\ndata 1\nx\n")
	words := strings.Fields("install the program open its settings choose a language and save click on the button to see every document again when it fails read the log")
	for i := range n {
		var page strings.Builder
		fmt.Fprintf(&page, "# Page %d\n\n", i)
		for size := 500 + rng.IntN(16000); page.Len() < size; {
			page.WriteString(words[rng.IntN(len(words))])
			page.WriteByte(" \n"[rng.IntN(20)/19])
		}
		fmt.Fprintf(&in, "M 100644 inline docs/section-%02d/chapter-%03d/page-%05d.md\ndata %d\n%s\n", i/500, i/25, i, page.Len(), page.String())
	}
	image := make([]byte, 100_000)
	for i := range images {
		for j := range image {
			image[j] = byte(rng.Uint32())
		}
		fmt.Fprintf(&in, "M 100644 inline img/picture-%04d.png\ndata %d\n%s\n", i, len(image), image)
	}
	gitDo(b, dir, &in, "fast-import", "--quiet", "--date-format=raw")
	gitDo(b, dir, nil, "repack", "-adq")
	return serveGit(b, dir), dir
}

// serveGit serves a repository on loopback and returns its address.
func serveGit(b *testing.B, dir string) string {
	b.Helper()
	backend := filepath.Join(gitDo(b, dir, nil, "--exec-path"), "git-http-backend")
	srv := httptest.NewServer(&cgi.Handler{
		Path: backend, Stderr: io.Discard, InheritEnv: []string{"PATH"},
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(dir), "GIT_HTTP_EXPORT_ALL=1", "GIT_PROTOCOL=version=2", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null"},
	})
	b.Cleanup(srv.Close)
	return srv.URL + "/" + filepath.Base(dir)
}

func gitDo(b *testing.B, dir string, stdin io.Reader, args ...string) string {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), "git", args...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0")
	if dir != "" {
		cmd.Env = append(cmd.Env, "GIT_DIR="+dir)
	}
	cmd.Stdin = stdin
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("git %q: %v\n%s", args, err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// kept is a sink that keeps the documents.
type kept struct{ docs []*kb.Document }

func (k *kept) Document(d kb.Document) error {
	k.docs = append(k.docs, &d)
	return nil
}
func (k *kept) Problem(kb.Problem) error { return nil }

func gitSource(b *testing.B, url, path, cache string) sources.Source {
	b.Helper()
	c := gitrepo.NewConfig()
	c.Repo, c.Path = url, path
	s, err := c.Open(sources.Options{Name: "docs", CacheDir: cache})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// gitSync scans, fetches and reads what differs from what is known.
func gitSync(b *testing.B, s sources.Source, known map[kb.Key]kb.Fingerprint) (read int) {
	b.Helper()
	var k kept
	if err := s.Scan(b.Context(), sources.Known{}, &k); err != nil {
		b.Fatal(err)
	}
	var changed []*kb.Document
	for _, d := range k.docs {
		if known[d.Key] != d.Fingerprint {
			known[d.Key] = d.Fingerprint
			changed = append(changed, d)
		}
	}
	if len(changed) == 0 {
		return 0
	}
	if err := s.(sources.Fetcher).Fetch(b.Context(), changed); err != nil {
		b.Fatal(err)
	}
	for _, d := range changed {
		c, err := d.Open(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Verify(); err != nil {
			b.Fatal(err)
		}
		_ = c.Close()
	}
	return len(changed)
}

// gitAlone does with git commands what a first sync needs: a partial clone of one commit, its tree, and the pages in one batch.
func gitAlone(b *testing.B, url, path string) {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "alone.git")
	gitDo(b, "", nil, "clone", "-q", "--bare", "--depth=1", "--filter=blob:none", url, dir)
	var ids strings.Builder
	list := []string{"ls-tree", "-r", "HEAD"}
	if path != "" {
		list = append(list, path+"/")
	}
	for line := range strings.Lines(gitDo(b, dir, nil, list...)) {
		ids.WriteString(strings.Fields(line)[2] + "\n")
	}
	gitDo(b, dir, strings.NewReader(ids.String()), "-c", "fetch.negotiationAlgorithm=noop", "fetch", "-q", "origin", "--no-tags", "--no-write-fetch-head",
		"--recurse-submodules=no", "--filter=blob:none", "--stdin")
	gitDo(b, dir, strings.NewReader(ids.String()), "cat-file", "--batch", "--buffer")
}

func timed(fn func()) time.Duration {
	start := time.Now()
	fn()
	return time.Since(start)
}

// best is the least of several times; a machine that does other things as well only adds.
func best(ds []time.Duration) time.Duration {
	least := ds[0]
	for _, d := range ds {
		least = min(least, d)
	}
	return least
}

// BenchmarkGitFirst is the first sync of a repository, against the git commands that it cannot do without and against a full clone.
// KBSYNC_BENCH_REPO names a real, bare repository in place of the one that is made up, and KBSYNC_BENCH_PATH the directory of its documents.
func BenchmarkGitFirst(b *testing.B) {
	path, n := "docs", 600
	var url string
	if dir := os.Getenv("KBSYNC_BENCH_REPO"); dir == "" {
		url, _ = gitOrigin(b, n, 500)
	} else {
		url, path, n = serveGit(b, dir), os.Getenv("KBSYNC_BENCH_PATH"), 0
	}
	for b.Loop() {
		var ours, alone, full []time.Duration
		for range rounds {
			ours = append(ours, timed(func() {
				s := gitSource(b, url, path, b.TempDir())
				if got := gitSync(b, s, map[kb.Key]kb.Fingerprint{}); got != n && n > 0 {
					b.Fatalf("%d documents", got)
				} else {
					b.ReportMetric(float64(got), "documents")
				}
				_ = s.Close()
			}))
			alone = append(alone, timed(func() { gitAlone(b, url, path) }))
			full = append(full, timed(func() { gitDo(b, "", nil, "clone", "-q", "--bare", url, filepath.Join(b.TempDir(), "full.git")) }))
		}
		ratio := float64(best(ours)) / float64(best(alone))
		b.ReportMetric(best(ours).Seconds()*1000, "ms/first")
		b.ReportMetric(ratio, "x-git-alone")
		b.ReportMetric(float64(best(full))/float64(best(ours)), "x-faster-than-clone")
		b.ReportMetric(0, "ns/op")
		if ratio > gitFirst {
			b.Errorf("the first sync takes %v, %.2f times as long as git alone, more than %.1f", best(ours), ratio, gitFirst)
		}
		if best(ours) >= best(full) {
			b.Errorf("the first sync takes %v, a full clone %v", best(ours), best(full))
		}
	}
}

// BenchmarkGitUnchanged is a scan of 10,000 documents of which none changed, above git ls-remote alone; and a sync when one did,
// against the first one.
func BenchmarkGitUnchanged(b *testing.B) {
	const n = 10_000
	url, dir := gitOrigin(b, n, 100)
	for b.Loop() {
		cache, known := b.TempDir(), map[kb.Key]kb.Fingerprint{}
		s := gitSource(b, url, "docs", cache)
		first := timed(func() {
			if got := gitSync(b, s, known); got != n {
				b.Fatalf("%d documents", got)
			}
		})
		_ = s.Close()
		var ours, look []time.Duration
		for range 2 * rounds {
			s := gitSource(b, url, "docs", cache) // as a new process would
			ours = append(ours, timed(func() {
				if got := gitSync(b, s, known); got != 0 {
					b.Fatalf("%d documents differ", got)
				}
			}))
			_ = s.Close()
			look = append(look, timed(func() { gitDo(b, "", nil, "ls-remote", "--symref", url, "HEAD") }))
		}
		above := best(ours) - best(look)
		var changes []time.Duration
		s = gitSource(b, url, "docs", cache)
		for i := range 5 {
			page := fmt.Sprintf("# Page 77\n\nIt changed %d times.\n", i)
			gitDo(b, dir, strings.NewReader(fmt.Sprintf("commit refs/heads/main\ncommitter a <a@b> %d +0000\ndata 1\nx\nfrom refs/heads/main^0\n"+
				"M 100644 inline docs/section-00/chapter-003/page-00077.md\ndata %d\n%s\n", 1700000001+i, len(page), page)), "fast-import", "--quiet", "--date-format=raw")
			changes = append(changes, timed(func() {
				if got := gitSync(b, s, known); got != 1 {
					b.Fatalf("%d documents differ", got)
				}
			}))
		}
		_ = s.Close()
		share := float64(best(changes)) / float64(first)
		b.ReportMetric(best(ours).Seconds()*1000, "ms/unchanged")
		b.ReportMetric(above.Seconds()*1000, "ms-above-ls-remote")
		b.ReportMetric(first.Seconds()*1000, "ms/first")
		b.ReportMetric(best(changes).Seconds()*1000, "ms/change")
		b.ReportMetric(100*share, "%-of-first")
		b.ReportMetric(0, "ns/op")
		if above > gitUnchanged {
			b.Errorf("an unchanged scan takes %v more than git ls-remote, which is more than %v", above, gitUnchanged)
		}
		if share > gitChange {
			b.Errorf("one change takes %v, %.1f %% of the first sync (%v), more than %.0f %%", best(changes), 100*share, first, 100*gitChange)
		}
	}
}
