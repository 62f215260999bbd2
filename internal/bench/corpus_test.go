package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kbsyncd/internal/secret"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/folder"
	"kbsyncd/internal/state"
	kbsync "kbsyncd/internal/sync"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/starleads"
	"kbsyncd/internal/targets/targettest"
)

// built is the directory of the binary, once there is one.
var built string

// build makes the real binary once.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "kbsyncd-bench-")
	if err != nil {
		return "", err
	}
	built = dir
	bin := filepath.Join(dir, "kbsyncd")
	cmd := exec.Command("go", "build", "-trimpath", "-o", bin, "kbsyncd/cmd/kbsyncd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
})

// TestMain also plays the process that fills the state: what it needs of memory must not count for the commands that
// are measured, whose peak begins with that of the process that started them.
func TestMain(m *testing.M) {
	if docs, path, ok := strings.Cut(os.Getenv("KBSYNC_BENCH_FILL"), "|"); ok {
		if err := fillState(docs, path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

func binary(b *testing.B) string {
	b.Helper()
	bin, err := build()
	if err != nil {
		b.Fatal(err)
	}
	return bin
}

// sizes are the numbers of files to measure with: KBSYNC_BENCH_FILES, a list.
func sizes(b *testing.B) []int {
	b.Helper()
	var out []int
	for s := range strings.SplitSeq(envOr("KBSYNC_BENCH_FILES", "100000"), ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil {
			b.Fatalf("KBSYNC_BENCH_FILES: %v", err)
		}
		out = append(out, n)
	}
	return out
}

func envOr(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// corpus makes n Markdown files, about fifty to a directory, each between least and most bytes.
func corpus(b *testing.B, n, least, most int) string {
	b.Helper()
	root := filepath.Join(b.TempDir(), "docs")
	rng := rand.New(rand.NewPCG(1, 2))
	text := make([]byte, most+100)
	for i := range text {
		text[i] = "the quick brown fox jumps over a lazy dog\n"[rng.IntN(42)]
	}
	for i := range n {
		dir := filepath.Join(root, fmt.Sprintf("section-%03d", i/2000), fmt.Sprintf("chapter-%05d", i/50))
		if i%50 == 0 {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				b.Fatal(err)
			}
		}
		size := least + rng.IntN(most-least+1)
		head := fmt.Sprintf("# Page %d\n\n", i)
		page := append([]byte(head), text[:max(0, size-len(head))]...)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("page-%07d.md", i)), page, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return root
}

const configText = `state: %s
sources:
  docs: { type: folder, path: %s }
targets:
  sim: { type: starleads, api_key: k, base_url: %s, dataset: D, rate: 10000, concurrency: %d }
`

func writeConfig(b *testing.B, dir, docs, url string, concurrency int) string {
	b.Helper()
	file := filepath.Join(dir, "kbsync.yaml")
	text := fmt.Sprintf(configText, filepath.Join(dir, "state.db"), docs, url, concurrency)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return file
}

// fill makes the state that a first sync leaves behind.
func fill(b *testing.B, docs, statePath string) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "KBSYNC_BENCH_FILL="+docs+"|"+statePath)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("fill: %v\n%s", err, out)
	}
}

// elsewhere is a target in memory that says it is where the configuration points.
type elsewhere struct {
	*targettest.Memory
	place string
}

func (e elsewhere) Place() string { return e.place }

// fillState runs the engine against a target in memory that takes what Starleads takes.
func fillState(docs, path string) error {
	log := slog.New(slog.DiscardHandler)
	sc := starleads.Kind.NewConfig().(*starleads.Config)
	sc.BaseURL, sc.Dataset, sc.APIKey = "http://127.0.0.1:1", "D", secret.New("k")
	t, err := sc.Open(targets.Options{Logger: log})
	if err != nil {
		return err
	}
	fc := folder.Kind.NewConfig().(*folder.Config)
	fc.Path = docs
	src, err := fc.Open(sources.Options{Name: "docs", Logger: log})
	if err != nil {
		return err
	}
	db, _, err := state.Open(path, state.Options{})
	if err != nil {
		return err
	}
	e := &kbsync.Engine{DB: db, Log: log}
	entry := e.Run(context.Background(), kbsync.Flow{
		Sync: "default", Target: "sim", Owner: "kbsyncd", Delete: true, MaxDelete: kbsync.DefaultLimit(), Reconcile: 24 * time.Hour,
		Sources: []kbsync.Source{{Name: "docs", Source: src}}, To: elsewhere{targettest.NewMemory(targettest.MemoryOptions{Limits: t.Limits()}), t.(targets.Placed).Place()},
	}, kbsync.Options{}, nil)
	if entry.Outcome != kbsync.OutcomeOK {
		err = fmt.Errorf("the first sync ended %s: %s", entry.Outcome, entry.Error)
	}
	return errors.Join(err, db.Close(), src.Close(), t.Close())
}

// measure runs a command with its output thrown away.
type run struct {
	wall time.Duration
	rss  int64 // peak resident bytes
}

func measure(b *testing.B, name string, args ...string) run {
	b.Helper()
	cmd := exec.Command(name, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if err != nil {
		b.Fatalf("%s: %v\n%s", name, err, stderr.String())
	}
	return run{wall, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10}
}

// median of the walls; runs are few, so one slow run must not decide.
func median(rs []run) time.Duration {
	walls := make([]time.Duration, len(rs))
	for i, r := range rs {
		walls[i] = r.wall
	}
	slices.Sort(walls)
	return walls[len(walls)/2]
}

func peak(rs []run) (most int64) {
	for _, r := range rs {
		most = max(most, r.rss)
	}
	return most
}

// turns runs several commands in turn, so that a machine whose speed drifts treats them alike.
func turns(b *testing.B, n int, cmds ...[]string) [][]run {
	b.Helper()
	out := make([][]run, len(cmds))
	for i := range n + 1 {
		for k, c := range cmds {
			r := measure(b, c[0], c[1:]...)
			if i > 0 { // the first turn warms the caches
				out[k] = append(out[k], r)
			}
		}
	}
	return out
}

func fileSize(b *testing.B, path string) int64 {
	b.Helper()
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	if err != nil {
		b.Fatal(err)
	}
	return st.Size()
}

func need(b *testing.B, tool string) {
	b.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		b.Skipf("%s is not installed", tool)
	}
}
