package starleads

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/simulator"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/targettest"
)

// slowList is a list of 20 full pages whose every page takes a second.
type slowList struct {
	around  []string // what the envelope tells; nil: there is none
	special func(w http.ResponseWriter, r *http.Request, number int) (done bool)
	asked   atomic.Int64

	mu        sync.Mutex
	now, most int // guarded by mu; requests at the same time
}

func (s *slowList) flying(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now += n
	s.most = max(s.most, s.now)
}

func (s *slowList) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	number, _ := strconv.Atoi(r.FormValue("PageNumber"))
	s.asked.Add(1)
	s.flying(1)
	defer s.flying(-1)
	if s.special != nil && s.special(w, r, number) {
		return
	}
	// Later pages are answered sooner.
	<-time.After(time.Second - time.Duration(number)*time.Millisecond)
	items := []map[string]string{}
	for i := range 50 {
		if number <= 20 {
			items = append(items, map[string]string{"id": fmt.Sprintf("%06d", number*1000+i)})
		}
	}
	if s.around == nil {
		_ = json.NewEncoder(w).Encode(items)
		return
	}
	all := map[string]any{"totalPages": 20, "totalCount": 1000, "pageSize": 50}
	out := map[string]any{"items": items}
	for _, name := range s.around {
		out[name] = all[name]
	}
	_ = json.NewEncoder(w).Encode(out)
}

func parallel(n int) func(*Config) {
	return func(c *Config) { c.Rate, c.Concurrency = 0, n }
}

func TestPagesAreFetchedAhead(t *testing.T) {
	for _, c := range []struct {
		name        string
		around      []string
		concurrency int
		most        int
		pages       int // waited for, one after the other; the full last page is followed by a look behind it
	}{
		{"pages told", []string{"totalPages"}, 4, 4, 1 + 5 + 1},
		{"items told", []string{"totalCount", "pageSize"}, 4, 4, 1 + 5 + 1},
		{"one at a time", []string{"totalPages", "totalCount", "pageSize"}, 1, 1, 21},
		{"nothing told", []string{}, 4, 1, 21},
		{"size not told", []string{"totalCount"}, 4, 1, 21},
		{"bare array", nil, 4, 1, 21},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &slowList{around: c.around}
			target := fake(t, parallel(c.concurrency), s.ServeHTTP)
			start, last, n := time.Now(), "", 0
			err := target.List(t.Context(), func(r targets.Remote) error {
				if string(r.ID) <= last {
					t.Errorf("%s: %s after %s", c.name, r.ID, last)
				}
				last = string(r.ID)
				n++
				return nil
			})
			if err != nil || n != 1000 || s.most != c.most || s.asked.Load() != 21 {
				t.Errorf("%s: %d items, %v; %d requests, %d at the same time", c.name, n, err, s.asked.Load(), s.most)
			}
			if took := time.Since(start).Round(time.Second); took != time.Duration(c.pages)*time.Second {
				t.Errorf("%s: took %v", c.name, took)
			}
		})
	}
}

// hang is a page that never comes.
func hang(r *http.Request) bool { <-r.Context().Done(); return true }

func TestListingThatEndsEarly(t *testing.T) {
	stop := errors.New("enough")
	for name, c := range map[string]struct {
		special func(w http.ResponseWriter, r *http.Request, number int) bool
		fn      func(n int) error
		want    error
		after   time.Duration
	}{
		"the caller has enough": {
			func(_ http.ResponseWriter, r *http.Request, number int) bool { return number > 1 && hang(r) },
			func(int) error { return stop }, stop, time.Second,
		},
		"a page is refused": {
			func(w http.ResponseWriter, r *http.Request, number int) bool {
				if number == 2 {
					w.WriteHeader(http.StatusBadRequest)
				}
				return number == 2 || number > 2 && hang(r)
			},
			nil, fault.ErrIncomplete, time.Second,
		},
		"an empty page": {
			func(w http.ResponseWriter, r *http.Request, number int) bool {
				if number == 3 {
					_, _ = fmt.Fprint(w, `{"totalPages":20,"items":[]}`)
				}
				return number == 3 || number > 3 && hang(r)
			},
			nil, nil, 2 * time.Second,
		},
		"cancelled": {
			func(_ http.ResponseWriter, r *http.Request, number int) bool { return number > 3 && hang(r) },
			nil, context.Canceled, 5 * time.Second,
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &slowList{around: []string{"totalPages"}, special: c.special}
			target := fake(t, parallel(4), s.ServeHTTP)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			time.AfterFunc(5*time.Second, cancel)
			start, n := time.Now(), 0
			err := target.List(ctx, func(targets.Remote) error {
				n++
				if c.fn != nil {
					return c.fn(n)
				}
				return nil
			})
			if took := time.Since(start).Round(time.Second); !errors.Is(err, c.want) || took != c.after {
				t.Errorf("%s: after %v: %v", name, took, err)
			}
			synctest.Wait() // what was sent before the end arrives
			asked := s.asked.Load()
			<-time.After(time.Hour)
			if late := s.asked.Load() - asked; late > 0 {
				t.Errorf("%s: %d requests after the end", name, late)
			}
		})
	}
}

func TestListAndStatusesOfManyDocuments(t *testing.T) {
	bubble(t, simulator.StarleadsOptions{Latency: time.Second}, parallel(4), func(t *testing.T, target *Target, sim *simulator.Starleads, _ *targettest.Logs) {
		mustConnect(t, target)
		ids := map[targets.RemoteID]string{}
		for i := range 1990 { // 40 pages
			name := strconv.Itoa(i) + ".md"
			ids[targets.RemoteID(sim.Put("Support handbook", name, []byte("x"), "done"))] = name
		}
		for what, list := range map[string]func(fn func(targets.Remote)) error{
			"list": func(fn func(targets.Remote)) error {
				return target.List(t.Context(), func(r targets.Remote) error { fn(r); return nil })
			},
			"statuses": func(fn func(targets.Remote)) error { return target.Statuses(t.Context(), ids, fn) },
		} {
			start, n := time.Now(), 0
			if err := list(func(targets.Remote) { n++ }); err != nil || n != 1990 {
				t.Errorf("%s: %d, %v", what, n, err)
			}
			if took := time.Since(start); took != 11*time.Second { // the first page, and 39 others by four
				t.Errorf("%s took %v", what, took)
			}
		}
	})
}

// capped gives pages of 30 documents, whatever is asked for.
func capped(n int, envelope string, asked *int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		*asked++
		number, _ := strconv.Atoi(r.FormValue("PageNumber"))
		items := []map[string]string{}
		for i := (number - 1) * 30; i < min(number*30, n); i++ {
			items = append(items, map[string]string{"id": strconv.Itoa(i)})
		}
		b, _ := json.Marshal(items)
		_, _ = fmt.Fprintf(w, envelope, b)
	}
}

func TestPagesThatAreShorterThanAskedFor(t *testing.T) {
	for envelope, want := range map[string][2]int{ // items and requests
		`{"totalCount":70,"items":%s}`:                {70, 3},
		`{"totalCount":70,"totalPages":2,"items":%s}`: {70, 3},
		`{"totalPages":3,"items":%s}`:                 {70, 3},
		`{"total":70,"pageSize":50,"data":%s}`:        {70, 3},
		`{"totalCount":1000000000,"data":%s}`:         {70, 8}, // never comes to be true: two equal readings
		`{"totalCount":30,"items":%s}`:                {30, 1},
		`%s`:                                          {30, 1},
		`{"currentPage":1,"items":%s}`:                {30, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			n, asked := 0, 0
			target := fake(t, parallel(1), capped(70, envelope, &asked))
			err := target.List(t.Context(), func(targets.Remote) error { n++; return nil })
			if err != nil || n != want[0] || asked != want[1] {
				t.Errorf("%s: %d items, %d requests, %v", envelope, n, asked, err)
			}
		})
	}
}

func TestListsThatAreTooLong(t *testing.T) {
	items := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `{"id":"%d"},`, i)
		}
		return "[" + strings.TrimSuffix(b.String(), ",") + "]"
	}
	for body, good := range map[string]bool{
		items(200_000): true, items(200_001): false, `{"items":` + items(1000) + `}`: true, `{"items":` + items(1001) + `}`: false,
		"[" + strings.Repeat("{},", 4<<20) + "{}]": false, "[" + strings.Repeat("1,", 4<<20) + "1]": false,
	} {
		if p, err := decodePage[document]([]byte(body)); (err == nil) != good || len(p.items) > 200_000 {
			t.Errorf("%.20s… of %d bytes: %d items, %v", body, len(body), len(p.items), err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		target := fake(t, parallel(1), capped(1000, `{"totalCount":1000,"items":%s}`, &asked))
		target.mostItems = 100
		if err := target.List(t.Context(), func(targets.Remote) error { return nil }); !errors.Is(err, fault.ErrIncomplete) || asked != 4 {
			t.Errorf("%d requests, %v", asked, err)
		}
	})
}
