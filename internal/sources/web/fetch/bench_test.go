package fetch

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	benchPages       = 1000
	benchConcurrency = 8
)

// BenchmarkUnchanged compares 1,000 conditional requests of this client with those of net/http's own. The two take turns, so
// that both meet the same machine; ratio is the median of the rates of this client in relation to those of the other.
func BenchmarkUnchanged(b *testing.B) {
	at, host := serve(b, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		if r.Header.Get("If-None-Match") == `"1"` {
			w.WriteHeader(http.StatusNotModified)
		}
	})
	tr := &http.Transport{MaxIdleConnsPerHost: benchConcurrency, MaxConnsPerHost: benchConcurrency}
	defer tr.CloseIdleConnections()
	bare := &http.Client{Transport: tr}
	c := client(b, Options{Hosts: []string{host}, Concurrency: benchConcurrency})
	askBare := func(ctx context.Context, address string) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		req.Header.Set("If-None-Match", `"1"`)
		resp, err := bare.Do(req)
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.Body.Close()
	}
	ask := func(ctx context.Context, address string) error {
		_, err := c.Get(ctx, Request{URL: address, ETag: `"1"`})
		return err
	}
	all(b, at, askBare)
	all(b, at, ask)
	var ratios []float64
	var took time.Duration
	for b.Loop() {
		var of, ofBare time.Duration
		if len(ratios)%2 == 0 {
			ofBare, of = all(b, at, askBare), all(b, at, ask)
		} else {
			of, ofBare = all(b, at, ask), all(b, at, askBare)
		}
		took += of
		ratios = append(ratios, float64(ofBare)/float64(of))
	}
	slices.Sort(ratios)
	ratio := ratios[len(ratios)/2] // a pair that something else disturbed says nothing
	b.ReportMetric(float64(b.N*benchPages)/took.Seconds(), "requests/s")
	b.ReportMetric(ratio, "ratio")
	if len(ratios) > 10 && ratio < 0.9 {
		b.Errorf("the rate is %.2f of what net/http alone does, less than 0.9", ratio)
	}
}

func all(b *testing.B, at string, ask func(context.Context, string) error) time.Duration {
	b.Helper()
	g, ctx := errgroup.WithContext(b.Context())
	started := time.Now()
	for w := range benchConcurrency {
		g.Go(func() error {
			for i := w; i < benchPages; i += benchConcurrency {
				if err := ask(ctx, at+"/page/"+strconv.Itoa(i)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	return time.Since(started)
}
