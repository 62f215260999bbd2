package bench

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kbsyncd/internal/simulator"
)

const rounds = 7

// BenchmarkUnchanged is a pass with nothing to do, process start included, against find listing the same files with size and time, and
// rclone with nothing to do (KBSYNC_BENCH_RCLONE=1; it needs a copy of the corpus).
func BenchmarkUnchanged(b *testing.B) {
	need(b, "find")
	for _, n := range sizes(b) {
		b.Run(fmt.Sprintf("files=%d", n), func(b *testing.B) {
			docs := corpus(b, n, 200, 600)
			dir := b.TempDir()
			file := writeConfig(b, dir, docs, "http://127.0.0.1:1", 2)
			fill(b, docs, filepath.Join(dir, "state.db"))
			cmds := [][]string{
				{binary(b), "--config", file, "--once"},
				{"find", docs, "-type", "f", "-printf", `%p %s %T@\n`},
			}
			if os.Getenv("KBSYNC_BENCH_RCLONE") != "" {
				need(b, "rclone")
				copied := filepath.Join(b.TempDir(), "copy")
				measure(b, "cp", "-a", docs, copied)
				cmds = append(cmds, []string{"rclone", "--config", "", "sync", docs, copied})
			}
			state := filepath.Join(dir, "state.db")
			before, err := os.ReadFile(state)
			if err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			for b.Loop() {
				rs := turns(b, rounds, cmds...)
				b.ReportMetric(median(rs[0]).Seconds()*1000, "ms/pass")
				b.ReportMetric(median(rs[1]).Seconds()*1000, "ms/find")
				b.ReportMetric(float64(median(rs[0]))/float64(median(rs[1])), "x-find")
				if len(rs) > 2 {
					b.ReportMetric(float64(median(rs[2]))/float64(median(rs[0])), "x-faster-than-rclone")
				}
				b.ReportMetric(float64(peak(rs[0])-fileSize(b, state))/1e6, "MB-above-state")
				b.ReportMetric(float64(fileSize(b, state))/float64(n), "state-B/doc")
				b.ReportMetric(0, "ns/op")
			}
			if after, err := os.ReadFile(state); err != nil || string(after) != string(before) {
				b.Errorf("an unchanged pass wrote to the state (%v)", err)
			}
		})
	}
}

// BenchmarkFirstPass is scan and hash of everything, as a dry run against an empty store, against find and sha256sum on as many
// processes as there are cores.
func BenchmarkFirstPass(b *testing.B) {
	need(b, "find")
	need(b, "sha256sum")
	for _, c := range []struct {
		name           string
		n, least, most int
	}{
		{"small", sizes(b)[0], 500, 6500},
		{"large", 60, 4_000_000, 4_900_000},
	} {
		b.Run(fmt.Sprintf("%s/files=%d", c.name, c.n), func(b *testing.B) {
			docs := corpus(b, c.n, c.least, c.most)
			sim := simulator.NewStarleads(simulator.StarleadsOptions{Key: "k"})
			defer sim.Close()
			srv := httptest.NewServer(sim)
			defer srv.Close()
			file := writeConfig(b, b.TempDir(), docs, srv.URL, 2)
			b.ResetTimer()
			for b.Loop() {
				rs := turns(b, 5,
					[]string{binary(b), "--config", file, "--once", "--dry-run"},
					[]string{"sh", "-c", `find "$1" -type f -print0 | xargs -0 -n 64 -P "$(nproc)" sha256sum`, "sh", docs})
				b.ReportMetric(median(rs[0]).Seconds()*1000, "ms/pass")
				b.ReportMetric(median(rs[1]).Seconds()*1000, "ms/sha256sum")
				b.ReportMetric(float64(median(rs[1]))/float64(median(rs[0])), "x-faster-than-sha256sum")
				b.ReportMetric(float64(peak(rs[0]))/1e6, "MB-peak")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// BenchmarkSend is a first sync of documents to a vendor that takes 50 ms for each answer, against the ideal: two requests a batch of
// ten, as many at a time as configured, and nothing else.
func BenchmarkSend(b *testing.B) {
	const (
		latency = 50 * time.Millisecond
		n       = 1000
	)
	for _, concurrency := range []int{2, 4} {
		b.Run(fmt.Sprintf("files=%d/concurrency=%d", n, concurrency), func(b *testing.B) {
			docs := corpus(b, n, 500, 6500)
			ideal := time.Duration(n/10*2/concurrency) * latency
			for b.Loop() {
				sim := simulator.NewStarleads(simulator.StarleadsOptions{Key: "k", Latency: latency})
				srv := httptest.NewServer(sim)
				file := writeConfig(b, b.TempDir(), docs, srv.URL, concurrency)
				r := measure(b, binary(b), "--config", file, "--once")
				sent := sending(sim.Requests())
				if got := len(sim.Documents()); got != n {
					b.Fatalf("%d of %d documents arrived", got, n)
				}
				if v := sim.Violations(); len(v) > 0 {
					b.Fatalf("a rule was broken: %v", v[0])
				}
				srv.Close()
				sim.Close()
				b.ReportMetric(ideal.Seconds()*1000, "ms/ideal")
				b.ReportMetric(float64(sent)/float64(ideal), "x-ideal")
				b.ReportMetric(float64(r.wall)/float64(ideal), "x-ideal-whole-pass")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// sending is the time from the first request that carries documents to the answer of the last one that belongs to it.
func sending(reqs []simulator.Request) time.Duration {
	var first, last time.Time
	for _, r := range reqs {
		if r.Method != http.MethodPost || !strings.Contains(r.Path, "/document") {
			continue
		}
		if first.IsZero() || r.Time.Before(first) {
			first = r.Time
		}
		if r.Time.After(last) {
			last = r.Time
		}
	}
	return last.Sub(first) + 50*time.Millisecond
}
