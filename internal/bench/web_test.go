package bench

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/web"
)

// counting takes a scan and keeps nothing.
type counting struct{ documents, problems int }

// Document implements sources.Sink.
func (c *counting) Document(kb.Document) error { c.documents++; return nil }

// Problem implements sources.Sink.
func (c *counting) Problem(kb.Problem) error { c.problems++; return nil }

// loopback is a website of equal pages with validators.
type loopback struct {
	*httptest.Server
	requests, bodies atomic.Int64
}

func newLoopback(b *testing.B, latency time.Duration) *loopback {
	l := &loopback{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.requests.Add(1)
		if latency > 0 {
			time.Sleep(latency)
		}
		tag := `"` + r.URL.Path + `"`
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		l.bodies.Add(1)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, "<html><head><title>%[1]s</title></head><body><main><h1>%[1]s</h1><p>About %[1]s.</p></main></body></html>", r.URL.Path)
	}))
	b.Cleanup(l.Close)
	return l
}

// BenchmarkWebsite is a scan of an unchanged website of 1,000 pages against a bare client that asks for the same pages with the same
// validators, as many at a time. Both are measured by their fastest round, because whatever else runs only slows them. Without latency the figure is that of the
// processor alone, which the server shares, so it asks for a machine that does nothing else.
func BenchmarkWebsite(b *testing.B) {
	const n = 1000
	for _, c := range []struct {
		concurrency int
		latency     time.Duration
	}{{4, 0}, {4, 2 * time.Millisecond}, {16, 5 * time.Millisecond}} {
		b.Run(fmt.Sprintf("pages=%d/concurrency=%d/latency=%v", n, c.concurrency, c.latency), func(b *testing.B) {
			site, concurrency := newLoopback(b, c.latency), c.concurrency
			c := web.NewConfig()
			c.Concurrency = concurrency
			for i := range n {
				c.URLs = append(c.URLs, fmt.Sprintf("%s/guide/page-%04d", site.URL, i))
			}
			src, err := c.Open(sources.Options{Name: "site", CacheDir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = src.Close() }()
			scan := func() time.Duration {
				sink, started := &counting{}, time.Now()
				if err := src.Scan(b.Context(), sources.Known{}, sink); err != nil || sink.documents != n || sink.problems != 0 {
					b.Fatalf("%d documents, %d problems, %v", sink.documents, sink.problems, err)
				}
				return time.Since(started)
			}
			first := scan()
			bare := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: concurrency}}
			defer bare.CloseIdleConnections()
			askAll(b, bare, c.URLs, concurrency)
			for b.Loop() {
				var ours, theirs []time.Duration
				for range 4 * rounds {
					requests, bodies := site.requests.Load(), site.bodies.Load()
					ours = append(ours, scan())
					if r, got := site.requests.Load()-requests, site.bodies.Load()-bodies; r != n || got != 0 {
						b.Errorf("an unchanged scan of %d pages made %d requests and got %d bodies", n, r, got)
					}
					theirs = append(theirs, askAll(b, bare, c.URLs, concurrency))
				}
				rate := float64(slices.Min(theirs)) / float64(slices.Min(ours))
				if rate < 0.9 {
					b.Errorf("a scan takes %v and a bare client %v: %.2f of its rate, want 0.90", slices.Min(ours), slices.Min(theirs), rate)
				}
				b.ReportMetric(slices.Min(ours).Seconds()*1000, "ms/scan")
				b.ReportMetric(slices.Min(theirs).Seconds()*1000, "ms/bare")
				b.ReportMetric(rate, "x-bare-rate")
				b.ReportMetric(first.Seconds()*1000, "ms/first-scan")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// askAll asks for all pages, on condition that they changed.
func askAll(b *testing.B, client *http.Client, addresses []string, concurrency int) time.Duration {
	started := time.Now()
	next := make(chan string)
	var wg sync.WaitGroup
	for range concurrency {
		wg.Go(func() {
			for a := range next {
				req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, a, nil)
				if err != nil {
					b.Error(err)
					continue
				}
				req.Header.Set("If-None-Match", `"`+req.URL.Path+`"`)
				resp, err := client.Do(req)
				if err != nil {
					b.Error(err)
					continue
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusNotModified {
					b.Errorf("%s answers %d, %v", a, resp.StatusCode, err)
				}
			}
		})
	}
	for _, a := range addresses {
		next <- a
	}
	close(next)
	wg.Wait()
	return time.Since(started)
}
