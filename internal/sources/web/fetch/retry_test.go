package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kbsyncd/internal/fault"
)

// inBubble runs a test in a bubble, where time passes at once, with a server at http://site.test.
func inBubble(t *testing.T, o Options, h http.HandlerFunc, test func(t *testing.T, c *Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		s := &http.Server{Handler: h, ReadHeaderTimeout: time.Hour}
		served := make(chan struct{})
		go func() {
			defer close(served)
			_ = s.Serve(l)
		}()
		o.outside.dial, o.outside.proxy, o.UserAgent = l.dial, direct, "kbsyncd/test"
		c, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		test(t, c)
		c.Close()
		_ = s.Close()
		<-served
	})
}

// pipes is a network in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func TestStatuses(t *testing.T) {
	for _, tt := range []struct {
		status, tries int
		want          string // part of the error; "": a page
	}{
		{200, 1, ""},
		{203, 1, ""},
		{404, 1, ""},
		{410, 1, ""},
		{204, 1, "answers 204 No Content"},
		{206, 1, "answers 206 Partial Content"},
		{300, 1, "answers 300"},
		{400, 1, "answers 400 Bad Request"},
		{401, 1, "give them under headers"},
		{403, 1, "give them under headers"},
		{407, 1, "HTTPS_PROXY"},
		{418, 1, "answers 418"},
		{408, 3, "answers 408 Request Timeout (tried 3 times)"},
		{425, 3, "(tried 3 times)"},
		{429, 3, "answers 429 Too Many Requests (tried 3 times)"},
		{500, 3, "http://site.test/a?… answers 500 Internal Server Error (tried 3 times)"},
		{503, 3, "answers 503 Service Unavailable (tried 3 times)"},
		{599, 3, "answers 599 (tried 3 times)"},
	} {
		t.Run(strconv.Itoa(tt.status), func(t *testing.T) {
			tries := 0
			inBubble(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
				tries++
				w.WriteHeader(tt.status)
			}, func(t *testing.T, c *Client) {
				err := readErr(t, c, Request{URL: "http://site.test/a?token=hush"})
				if tt.want != "" {
					wantErr(t, err, fault.ErrIncomplete, tt.want)
				} else if err != nil {
					t.Error(err)
				}
				if fault.StopsTarget(err) {
					t.Errorf("%v stops targets", err)
				}
			})
			if tries != tt.tries {
				t.Errorf("%d tries, want %d", tries, tt.tries)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after func() string
		least time.Duration
		tries int
	}{
		{"seconds", func() string { return "7" }, 14 * time.Second, 3},
		{"a date", func() string { return time.Now().Add(30 * time.Second).UTC().Format(http.TimeFormat) }, 56 * time.Second, 3},
		{"the longest", func() string { return "120" }, 4 * time.Minute, 3},
		{"longer", func() string { return "121" }, 0, 1},
		{"never", func() string { return "99999999999999999999" }, 0, 1},
		{"nonsense", func() string { return "soon" }, 0, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tries := 0
			inBubble(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
				tries++
				w.Header().Set("Retry-After", tt.after())
				w.WriteHeader(http.StatusServiceUnavailable)
			}, func(t *testing.T, c *Client) {
				started := time.Now()
				wantErr(t, readErr(t, c, Request{URL: "http://site.test"}), fault.ErrIncomplete, "503")
				if took := time.Since(started); took < tt.least || took > tt.least+20*time.Second {
					t.Errorf("took %v, want about %v", took, tt.least)
				}
			})
			if tries != tt.tries {
				t.Errorf("%d tries, want %d", tries, tt.tries)
			}
		})
	}
}

func TestSecondTrySucceeds(t *testing.T) {
	tries := 0
	inBubble(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		if tries++; tries == 1 {
			panic(http.ErrAbortHandler) // breaks the connection
		}
		_, _ = w.Write([]byte("text"))
	}, func(t *testing.T, c *Client) {
		if p, text := read(t, c, Request{URL: "http://site.test"}); text != "text" || p.Requests != 2 {
			t.Errorf("got %q in %d requests", text, p.Requests)
		}
	})
}

// TestHostIsGivenUp holds that a site of many pages that is down ends in seconds, and that it is looked at again later.
func TestHostIsGivenUp(t *testing.T) {
	var asked int
	up := false
	inBubble(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		if asked++; !up {
			panic(http.ErrAbortHandler)
		}
	}, func(t *testing.T, c *Client) {
		started := time.Now()
		var last error
		for i := range 10_000 {
			last = readErr(t, c, Request{URL: fmt.Sprintf("http://site.test/%d", i)})
			if last == nil {
				t.Fatal("a page of a site that is down")
			}
		}
		wantErr(t, last, fault.ErrIncomplete, "site.test/9999 is not asked, because site.test:80 failed too often in a row", "broke the connection")
		if took := time.Since(started); took > 10*time.Second || asked != maxFailures {
			t.Errorf("took %v and %d requests", took, asked)
		}
		wantErr(t, readErr(t, c, Request{URL: "http://other.test"}), fault.ErrIncomplete, "other.test", "tried 3 times")

		time.Sleep(leftOut)
		up = true
		if err := readErr(t, c, Request{URL: "http://site.test"}); err != nil {
			t.Errorf("the site is up again: %v", err)
		}
	})
}

// TestBusySiteIsGivenUp is TestHostIsGivenUp for a site that answers 503 to everything.
func TestBusySiteIsGivenUp(t *testing.T) {
	asked := 0
	inBubble(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.WriteHeader(http.StatusServiceUnavailable)
	}, func(t *testing.T, c *Client) {
		started := time.Now()
		for i := range 1000 {
			wantErr(t, readErr(t, c, Request{URL: fmt.Sprintf("http://site.test/%d", i)}), fault.ErrIncomplete, "503")
		}
		if took := time.Since(started); took > time.Minute || asked != maxTries*maxOverloads {
			t.Errorf("took %v and %d requests", took, asked)
		}
	})
}

// TestStallingSiteIsGivenUp is TestHostIsGivenUp for a site whose answers begin and do not end.
func TestStallingSiteIsGivenUp(t *testing.T) {
	stalls, asked := true, 0
	inBubble(t, Options{Timeout: time.Minute}, func(w http.ResponseWriter, r *http.Request) {
		if asked++; !stalls {
			return
		}
		_, _ = w.Write([]byte("some"))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, func(t *testing.T, c *Client) {
		started := time.Now()
		var last error
		for i := range 1000 {
			last = readErr(t, c, Request{URL: fmt.Sprintf("http://site.test/%d", i)})
			wantErr(t, last, fault.ErrIncomplete)
		}
		wantErr(t, last, fault.ErrIncomplete, "site.test/999 is not asked, because site.test:80 failed too often in a row", "no complete answer in time")
		if took := time.Since(started); took > 6*time.Minute || asked != maxBreaks/2 {
			t.Errorf("took %v and %d requests", took, asked)
		}
		// One request looks again, and the others wait for what comes of it.
		time.Sleep(leftOut)
		wantErr(t, readErr(t, c, Request{URL: "http://site.test/look"}), fault.ErrIncomplete, "in time")
		wantErr(t, readErr(t, c, Request{URL: "http://site.test/next"}), fault.ErrIncomplete, "is not asked")
		time.Sleep(leftOut)
		stalls = false
		for range 2 {
			if err := readErr(t, c, Request{URL: "http://site.test"}); err != nil {
				t.Errorf("the site is up again: %v", err)
			}
		}
	})
}

// TestCutBodiesGiveUpASite holds that a site is left out only when nothing comes whole in between.
func TestCutBodiesGiveUpASite(t *testing.T) {
	asked := 0
	inBubble(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		asked++
		switch r.URL.Path {
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("some"))
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
		}
	}, func(t *testing.T, c *Client) {
		for i := range 5 * maxBreaks {
			wantErr(t, readErr(t, c, Request{URL: "http://site.test/cut"}), fault.ErrIncomplete, "was cut short after 4 bytes")
			if i%(maxBreaks-1) == 0 {
				if err := readErr(t, c, Request{URL: "http://site.test/" + []string{"whole", "missing"}[i%2]}); err != nil {
					t.Fatal(err)
				}
			}
		}
		asked = 0
		for range 5 * maxBreaks {
			wantErr(t, readErr(t, c, Request{URL: "http://site.test/cut"}), fault.ErrIncomplete)
		}
		if asked > maxBreaks {
			t.Errorf("%d requests", asked)
		}
	})
}

func TestBrokenPagesDoNotCondemnTheSite(t *testing.T) {
	inBubble(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/broken") {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}, func(t *testing.T, c *Client) {
		for range 20 {
			wantErr(t, readErr(t, c, Request{URL: "http://site.test/broken"}), fault.ErrIncomplete, "500")
		}
		if err := readErr(t, c, Request{URL: "http://site.test/good"}); err != nil {
			t.Error(err)
		}
	})
}

func TestRate(t *testing.T) {
	inBubble(t, Options{Rate: 2}, func(http.ResponseWriter, *http.Request) {}, func(t *testing.T, c *Client) {
		started := time.Now()
		for range 11 {
			read(t, c, Request{URL: "http://site.test"})
		}
		if took := time.Since(started); took != 5*time.Second {
			t.Errorf("11 requests at 2 a second took %v", took)
		}
	})
}

// TestSlowerAfter429 holds that a site that refused requests is asked more slowly, and as before after a while.
func TestSlowerAfter429(t *testing.T) {
	refuse := true
	inBubble(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		if refuse {
			refuse = false
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}, func(t *testing.T, c *Client) {
		read(t, c, Request{URL: "http://site.test"})
		took := func() time.Duration {
			started := time.Now()
			for range 9 {
				read(t, c, Request{URL: "http://site.test"})
			}
			return time.Since(started)
		}
		if d := took(); d < 2*time.Second {
			t.Errorf("9 requests after a refusal took %v", d)
		}
		refuse = true
		time.Sleep(time.Minute)
		read(t, c, Request{URL: "http://site.test"})
		if d := took(); d < 4*time.Second {
			t.Errorf("9 requests after two refusals took %v", d)
		}
		time.Sleep(slowedFor + time.Second)
		read(t, c, Request{URL: "http://site.test"})
		if d := took(); d > 100*time.Millisecond {
			t.Errorf("9 requests after a long time took %v", d)
		}
	})
}

func TestConcurrency(t *testing.T) {
	var now, most atomic.Int64
	inBubble(t, Options{Concurrency: 3}, func(http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(time.Second)
		now.Add(-1)
	}, func(t *testing.T, c *Client) {
		started := time.Now()
		done := make(chan error)
		for range 12 {
			go func() {
				p, err := c.Get(t.Context(), Request{URL: "http://site.test"})
				if err == nil {
					err = p.Body.Close()
				}
				done <- err
			}()
		}
		for range 12 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if most.Load() != 3 || time.Since(started) != 4*time.Second {
			t.Errorf("%d at the same time, %v", most.Load(), time.Since(started))
		}
	})
}

// TestCancel holds that a cancelled Get ends at once, whatever it waits for.
func TestCancel(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"an answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"a retry": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "100")
			w.WriteHeader(http.StatusServiceUnavailable)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{}, h, func(t *testing.T, c *Client) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				started := time.Now()
				_, err := c.Get(ctx, Request{URL: "http://site.test"})
				wantErr(t, err, fault.ErrIncomplete, "interrupted")
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(started) != time.Second {
					t.Errorf("%v after %v", err, time.Since(started))
				}
				ctx, cancel = context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := c.Get(ctx, Request{URL: "http://site.test"}); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("while the host rests: %v", err)
				}
			})
		})
	}
}

func TestNoAnswerInTime(t *testing.T) {
	inBubble(t, Options{Timeout: 5 * time.Second}, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, func(t *testing.T, c *Client) {
		wantErr(t, readErr(t, c, Request{URL: "http://site.test/a"}), fault.ErrIncomplete, "http://site.test/a gave no complete answer within 5s (tried 3 times)")
	})
}

func TestGetAfterClose(t *testing.T) {
	at, host := serve(t, func(http.ResponseWriter, *http.Request) {})
	c := client(t, Options{Hosts: []string{host}})
	read(t, c, Request{URL: at})
	c.Close()
	c.Close()
	wantErr(t, readErr(t, c, Request{URL: at}), fault.ErrIncomplete, "interrupted")
}

// TestCloseEndsWhatIsUnderWay closes a client whose request waits for an answer.
func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	asked := make(chan struct{}, maxTries)
	at, host := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	})
	c := client(t, Options{Hosts: []string{host}})
	failed := make(chan error, 1)
	go func() {
		_, err := c.Get(t.Context(), Request{URL: at})
		failed <- err
	}()
	<-asked
	c.Close()
	wantErr(t, <-failed, fault.ErrIncomplete)
}
