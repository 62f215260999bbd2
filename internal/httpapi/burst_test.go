package httpapi

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A fresh account may use its burst at once, and never has more than rate·t + burst requests within any time t.
func TestBurst(t *testing.T) {
	const rate, burst, all = 4, 6, 40
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var times []time.Time
		c := client(t, func(http.ResponseWriter, *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			times = append(times, time.Now())
		}, func(o *Options) { o.Rate, o.Burst, o.Concurrency = rate, burst, 0 })
		start := time.Now()
		var wg sync.WaitGroup
		for range all {
			wg.Go(func() { _, _ = c.Do(t.Context(), get, nil) })
		}
		wg.Wait()
		slices.SortFunc(times, time.Time.Compare)
		if len(times) != all || times[burst-1].After(start) {
			t.Fatalf("%d requests, the %dth after %v", len(times), burst, times[burst-1].Sub(start))
		}
		for i, from := range times {
			for j := i + burst; j < len(times); j++ {
				if took := times[j].Sub(from); float64(j-i+1) > rate*took.Seconds()+burst+1e-6 {
					t.Fatalf("%d requests within %v", j-i+1, took)
				}
			}
		}
	})
}
