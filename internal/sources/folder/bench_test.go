//go:build unix

package folder

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
)

// count is a sink that does nothing else.
type count struct{ docs, problems int }

func (c *count) Document(kb.Document) error { c.docs++; return nil }
func (c *count) Problem(kb.Problem) error   { c.problems++; return nil }

// benchFiles is the size of the benchmark's corpus, from KBSYNC_BENCH_FILES.
func benchFiles(b *testing.B) int {
	n := 20000
	if v := os.Getenv("KBSYNC_BENCH_FILES"); v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil {
			b.Fatal(err)
		}
	}
	return n
}

// BenchmarkScan compares a scan with find over the same folder, taking turns; the ratio is of the best times. tree has 48 files in a directory, flat has one directory.
func BenchmarkScan(b *testing.B) {
	for _, shape := range []struct {
		name string
		per  int
		conf Config
	}{
		{name: "tree", per: 48},
		{name: "globs", per: 48, conf: Config{Include: []string{"**/*.md"}, Exclude: []string{"drafts/**", "**/old-*/**"}}},
		{name: "flat", per: 1 << 30},
		{name: "narrow", per: 1},
	} {
		b.Run(shape.name, func(b *testing.B) {
			n := benchFiles(b)
			dir := b.TempDir()
			corpus(b, dir, n, shape.per)
			shape.conf.Path = dir
			src, err := shape.conf.Open(sources.Options{Name: "bench"})
			if err != nil {
				b.Fatal(err)
			}
			bestScan, bestFind := time.Hour, time.Hour
			var cpuScan, cpuFind time.Duration
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				wall, cpu := find(b, dir)
				bestFind = min(bestFind, wall)
				cpuFind += cpu
				b.StartTimer()
				start, used := time.Now(), cpuTime(b)
				var c count
				if err := src.Scan(b.Context(), sources.Known{}, &c); err != nil {
					b.Fatal(err)
				}
				if c.docs != n {
					b.Fatalf("%d documents, want %d", c.docs, n)
				}
				bestScan = min(bestScan, time.Since(start))
				cpuScan += cpuTime(b) - used
			}
			// On a busy machine the processor time says more than the clock.
			b.ReportMetric(float64(cpuScan)/float64(cpuFind), "x-find-cpu")
			b.ReportMetric(float64(bestScan)/float64(bestFind), "x-find")
			b.ReportMetric(bestFind.Seconds()*1e3, "find-ms")
			b.ReportMetric(bestScan.Seconds()*1e3, "scan-ms")
		})
	}
}

func find(b *testing.B, dir string) (wall, cpu time.Duration) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), "find", dir, "-type", "f", "-printf", `%p %s %T@\n`)
	start := time.Now()
	if err := cmd.Run(); err != nil {
		b.Skip("find: ", err)
	}
	return time.Since(start), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func corpus(tb testing.TB, dir string, n, per int) {
	tb.Helper()
	sub := ""
	for i := range n {
		if i%per == 0 {
			d := i / per
			sub = filepath.Join(dir, fmt.Sprintf("section-%03d", d/100), fmt.Sprintf("topic-%02d", d%100))
			if err := os.MkdirAll(sub, 0o755); err != nil {
				tb.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("document-%07d.md", i*7919%n)), []byte("x"), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
}
