package httpapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/secret"
	"kbsyncd/internal/targets/targettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const key = "sk-secret-0123456789/+"

var hosts atomic.Int64

// client makes a client with an account of its own.
func client(t *testing.T, h http.HandlerFunc, change func(*Options)) *Client {
	t.Helper()
	o := Options{
		Vendor: "acme", BaseURL: fmt.Sprintf("http://acme%d.test/api/", hosts.Add(1)), Header: "X-Api-Key", Key: secret.New(key),
		UserAgent: "kbsyncd/test", CheckOK: Envelope,
	}
	if h != nil {
		o.Transport = targettest.Serve(t, h)
	}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// script answers with one step after the other; the last one stays.
type script struct {
	mu    sync.Mutex
	n     int
	steps []http.HandlerFunc
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	step := s.steps[min(s.n, len(s.steps)-1)]
	s.n++
	s.mu.Unlock()
	step(w, r)
}

func (s *script) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

func say(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func drop(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = io.WriteString(w, `{"id":`)
}

var (
	get    = Request{Op: "look", Method: http.MethodGet, Path: "/things"}
	create = Request{Op: "make", Method: http.MethodPost, Path: "/things", JSON: map[string]string{"name": "x"}, Create: true}
	change = Request{Op: "change", Method: http.MethodPut, Path: "/things/1", JSON: map[string]string{"name": "y"}}
)

func TestRequestAndAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, `{"got":%q}`, strings.Join([]string{
				r.Method, r.RequestURI, strings.TrimPrefix(r.Header.Get("X-Api-Key"), "sk-"), r.UserAgent(), r.Header.Get("Content-Type"), string(b),
			}, "|"))
		}, nil)
		path, err := Path("things", "a/b ?")
		if err != nil {
			t.Fatal(err)
		}
		var out struct{ Got string }
		ans, err := c.Do(t.Context(), Request{Op: "x", Method: http.MethodPatch, Path: path, Query: url.Values{"q": {"ä"}}, JSON: []int{1}}, &out)
		want := "PATCH|/api/things/a%2Fb%20%3F?q=%C3%A4|" + strings.TrimPrefix(key, "sk-") + "|kbsyncd/test|application/json|[1]"
		if err != nil || out.Got != want || ans.Status != http.StatusOK {
			t.Errorf("%q, %v", out.Got, err)
		}
		if n, sent := c.Traffic(); n != 1 || sent != 3 {
			t.Errorf("traffic %d, %d", n, sent)
		}
	})
	for _, bad := range []string{"", ".", ".."} {
		if _, err := Path("a", bad); err == nil {
			t.Errorf("%q is taken as a segment", bad)
		}
	}
}

func TestWhatIsRepeated(t *testing.T) {
	ok := say(http.StatusOK, `{"id":"1"}`)
	for name, c := range map[string]struct {
		r     Request
		first http.HandlerFunc
		tries int
		class error // of the error; nil: success
	}{
		"get 500":         {get, say(500, ""), 2, nil},
		"get 408":         {get, say(408, ""), 2, nil},
		"get 425":         {get, say(425, ""), 2, nil},
		"get 429":         {get, say(429, ""), 2, nil},
		"get drop":        {get, drop, 2, nil},
		"get cut":         {get, cut, 2, nil},
		"put 503":         {change, say(503, ""), 2, nil},
		"put drop":        {change, drop, 2, nil},
		"create 429":      {create, say(429, "", "Retry-After", "1"), 2, nil},
		"create 500":      {create, say(500, ""), 1, fault.ErrUnknown},
		"create 503":      {create, say(503, ""), 1, fault.ErrUnknown},
		"create 408":      {create, say(408, ""), 1, fault.ErrUnknown},
		"create drop":     {create, drop, 1, fault.ErrUnknown},
		"create cut":      {create, cut, 1, fault.ErrUnknown},
		"create html":     {create, say(200, "<html>"), 1, fault.ErrUnknown},
		"create garbage":  {create, say(200, "}{"), 1, fault.ErrUnknown},
		"create redirect": {create, say(302, "", "Location", "/login"), 1, fault.ErrUnknown},
		"create 400":      {create, say(400, ""), 1, fault.ErrRejected},
		"get 400":         {get, say(400, ""), 1, fault.ErrRejected},
		"get 404":         {get, say(404, ""), 1, fault.ErrNotFound},
		"get 409":         {get, say(409, ""), 1, fault.ErrConflict},
		"get 413":         {get, say(413, ""), 1, fault.ErrTooLarge},
		"get 402":         {get, say(402, ""), 1, fault.ErrQuota},
		"get 401":         {get, say(401, ""), 1, fault.ErrDenied},
		"get 403":         {get, say(403, ""), 1, fault.ErrDenied},
		"get 403 quota":   {get, say(403, `{"detail":"Storage quota exceeded"}`), 1, fault.ErrQuota},
		"success false":   {get, say(200, `{"success":false,"message":"no"}`), 1, fault.ErrRejected},
		"code 102":        {get, say(200, `{"code":102,"message":"no"}`), 1, fault.ErrRejected},
		"code 404":        {get, say(200, `{"code":404,"message":"no"}`), 1, fault.ErrNotFound},
		"code 500":        {get, say(200, `{"code":500,"message":"no"}`), 2, nil},
		"code 500 create": {create, say(200, `{"code":500,"message":"no"}`), 1, fault.ErrUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{steps: []http.HandlerFunc{c.first, ok}}
				var out struct{ ID string }
				_, err := client(t, s.ServeHTTP, nil).Do(t.Context(), c.r, &out)
				if c.class == nil && (err != nil || out.ID != "1") || c.class != nil && !errors.Is(err, c.class) {
					t.Errorf("%v, %v", out, err)
				}
				if s.count() != c.tries {
					t.Errorf("%d tries", s.count())
				}
			})
		})
	}
}

func TestConnectionThatCannotBeMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := 2
		tr := targettest.Serve(t, say(200, `{"id":"1"}`))
		dial := tr.DialContext
		tr.DialContext = func(ctx context.Context, n, a string) (net.Conn, error) {
			if fails--; fails >= 0 {
				return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
			}
			return dial(ctx, n, a)
		}
		c := client(t, nil, func(o *Options) { o.Transport = tr })
		if _, err := c.Do(t.Context(), create, nil); err != nil {
			t.Errorf("surely not executed, so repeated: %v", err)
		}
		fails = 100
		tr.CloseIdleConnections()
		_, err := c.Do(t.Context(), create, nil)
		if _, ok := errors.AsType[*fault.RetryAfter](err); !ok || errors.Is(err, fault.ErrUnknown) {
			t.Error(err)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		date := time.Now().Add(40 * time.Second).UTC().Format(http.TimeFormat)
		for _, c := range []struct {
			value string
			least time.Duration
			fails bool
		}{
			{"17", 17 * time.Second, false},
			{date, 38 * time.Second, false},
			{"0", 0, false},
			{"-5", 0, false},
			{"soon", 0, false},
			{"301", 0, true},
			{"99999999999999999999", 0, true},
		} {
			s := &script{steps: []http.HandlerFunc{say(429, "", "Retry-After", c.value), say(200, "{}")}}
			cl := client(t, s.ServeHTTP, nil)
			start := time.Now()
			if c.value == date {
				start = start.Add(-time.Since(start))
			}
			_, err := cl.Do(t.Context(), get, nil)
			took := time.Since(start)
			r, gaveUp := errors.AsType[*fault.RetryAfter](err)
			switch {
			case c.fails && (!gaveUp || r.Wait < 300*time.Second || took > time.Second || !strings.Contains(err.Error(), "asks to wait")):
				t.Errorf("%s: after %v: %v", c.value, took, err)
			case !c.fails && (err != nil || took > c.least+5*time.Second):
				t.Errorf("%s: after %v: %v", c.value, took, err)
			case !c.fails && c.value != date && took < c.least:
				t.Errorf("%s: repeated after %v", c.value, took)
			}
			if c.fails { // the others of the account do not even ask
				if _, err := cl.Do(t.Context(), get, nil); err == nil || s.count() != 1 {
					t.Errorf("%s: %v, %d requests", c.value, err, s.count())
				}
			}
		}
	})
}

func TestTriesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []http.HandlerFunc{say(500, "")}}
		c := client(t, s.ServeHTTP, nil)
		_, err := c.Do(t.Context(), get, nil)
		if _, ok := errors.AsType[*fault.RetryAfter](err); !ok || s.count() != DefaultMaxTries {
			t.Errorf("%d tries, %v", s.count(), err)
		}
		s2 := &script{steps: []http.HandlerFunc{say(503, "", "Retry-After", "100")}}
		start := time.Now()
		_, err = client(t, s2.ServeHTTP, nil).Do(t.Context(), get, nil)
		if took := time.Since(start); err == nil || took > DefaultMaxElapsed || s2.count() != 4 {
			t.Errorf("%d tries in %v, %v", s2.count(), took, err)
		}
	})
}

func TestKeyThatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []http.HandlerFunc{say(401, "")}}
		c := client(t, s.ServeHTTP, nil)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := c.Do(t.Context(), get, nil); !errors.Is(err, fault.ErrDenied) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if s.count() != 1 {
			t.Errorf("%d requests", s.count())
		}
		c.Reset()
		if _, err := c.Do(t.Context(), get, nil); err == nil || s.count() != 2 {
			t.Errorf("after a reset: %d requests, %v", s.count(), err)
		}
	})
	synctest.Test(t, func(t *testing.T) { // 403 after a success is about the object
		s := &script{steps: []http.HandlerFunc{say(200, "{}"), say(403, "")}}
		c := client(t, s.ServeHTTP, nil)
		_, _ = c.Do(t.Context(), get, nil)
		for range 2 {
			if _, err := c.Do(t.Context(), get, nil); !errors.Is(err, fault.ErrRejected) {
				t.Error(err)
			}
		}
		if s.count() != 3 {
			t.Errorf("%d requests", s.count())
		}
	})
}

func TestRedirects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/api/here":
				http.Redirect(w, r, "/api/there", http.StatusMovedPermanently)
			case "/api/there":
				_, _ = io.WriteString(w, `{}`)
			case "/api/away":
				http.Redirect(w, r, "https://evil.test/steal", http.StatusFound)
			case "/api/tls":
				http.Redirect(w, r, "https://"+r.Host+"/api/there", http.StatusFound)
			case "/api/loop":
				http.Redirect(w, r, "/api/loop", http.StatusFound)
			default:
				t.Errorf("%s %s was followed", r.Method, r.URL)
			}
		}, nil)
		do := func(method, path string) error {
			_, err := c.Do(t.Context(), Request{Op: "x", Method: method, Path: path}, nil)
			return err
		}
		if err := do(http.MethodGet, "/here"); err != nil {
			t.Error(err)
		}
		if err := do(http.MethodGet, "/away"); err == nil || !strings.Contains(err.Error(), "redirect to evil.test; the key was not sent there") {
			t.Error(err)
		}
		for _, r := range [][2]string{{http.MethodGet, "/tls"}, {http.MethodGet, "/loop"}, {http.MethodPost, "/here"}, {http.MethodDelete, "/here"}} {
			if err := do(r[0], r[1]); err == nil || !strings.Contains(err.Error(), "redirect") {
				t.Errorf("%v: %v", r, err)
			}
		}
	})
}

func TestCancel(t *testing.T) {
	for _, c := range []struct {
		delay time.Duration
		done  bool
		after time.Duration
	}{
		{4 * time.Second, true, 4 * time.Second},         // within the grace
		{time.Hour, false, time.Second + 10*time.Second}, // the grace ends
	} {
		synctest.Test(t, func(t *testing.T) {
			cl := client(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				select {
				case <-time.After(c.delay):
				case <-r.Context().Done():
				}
			}, nil)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			_, err := cl.Do(ctx, create, nil)
			if took := time.Since(start); took != c.after {
				t.Errorf("took %v", took)
			}
			if c.done != (err == nil) || err != nil && !errors.Is(err, fault.ErrUnknown) {
				t.Error(err)
			}
			if n, _ := cl.Traffic(); n != 1 {
				t.Errorf("%d requests", n)
			}
			if _, err := cl.Do(ctx, get, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			if n, _ := cl.Traffic(); n != 1 {
				t.Error("a request was made after the end of the context")
			}
		})
	}
}

func TestCancelledReadEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs bytes.Buffer
		c := client(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/body" {
				_ = http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
		}, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&logs, nil)) })
		for _, path := range []string{"/head", "/body"} {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			start := time.Now()
			_, err := c.Do(ctx, Request{Op: "look", Method: http.MethodGet, Path: path}, nil)
			if took := time.Since(start); !errors.Is(err, context.Canceled) || took != time.Second {
				t.Errorf("%s: after %v: %v", path, took, err)
			}
		}
		if strings.Contains(logs.String(), "repeated") {
			t.Errorf("a repetition was announced:\n%s", &logs)
		}
	})
}

func TestCancelWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []http.HandlerFunc{say(503, "", "Retry-After", "60")}}
		c := client(t, s.ServeHTTP, nil)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		start := time.Now()
		_, err := c.Do(ctx, get, nil)
		if took := time.Since(start); !errors.Is(err, context.Canceled) || took != 5*time.Second || Status(err) != 503 {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

func TestDeadlineCoversTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			for r.Context().Err() == nil { // a byte now and then, for ever
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
				<-time.After(5 * time.Second)
			}
		}, func(o *Options) { o.MaxTries = 1 })
		start := time.Now()
		_, err := c.Do(t.Context(), get, nil)
		if took := time.Since(start); err == nil || took > 61*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

func TestAnswersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/bomb" {
				w.Header().Set("Content-Encoding", "gzip")
				z := gzip.NewWriter(w)
				_, _ = io.CopyN(z, zeros{}, 64<<20)
				_ = z.Close()
				return
			}
			_, _ = io.CopyN(w, zeros{}, 1<<30)
		}, nil)
		for _, path := range []string{"/bomb", "/long"} {
			_, err := c.Do(t.Context(), Request{Op: "x", Method: http.MethodGet, Path: path, MaxAnswer: 1 << 20}, new(any))
			if !errors.Is(err, ErrLongAnswer) || !strings.Contains(err.Error(), "longer than 1048576 bytes") {
				t.Errorf("%s: %v", path, err)
			}
			rc, err := c.Open(t.Context(), Request{Op: "x", Method: http.MethodGet, Path: path, MaxAnswer: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, rc)
			if err == nil || n > 1<<20 {
				t.Errorf("%s: read %d, %v", path, n, err)
			}
			_ = rc.Close()
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestWordsOfErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for body, want := range map[string]string{
			`{"type":"u","title":"Bad","status":400,"detail":"No campaign exists"}`:               "No campaign exists",
			`{"title":"Invalid","errors":{"name":["too long","odd"],"a":["b"]},"traceId":"00-1"}`: "Invalid; a: b; name: too long; odd; trace 00-1",
			`{"code":102,"message":"no such thing"}`:                                              "no such thing",
			`{"error":{"message":"deep"}}`:                                                        "deep",
			`{"error":"flat"}`:                                                                    "flat",
			`{"error":{"code":"BAD","message":"Invalid.","details":{"name":"too long"}}}`:         "Invalid; name: too long",
			`{"success":false,"errors":["a","b"]}`:                                                "a; b",
			`<html><head><TITLE>502 Bad Gateway</TITLE></head><body>x</body></html>`:              "502 Bad Gateway",
			`<p>plain <b>page</b></p>`:                                                            "plain page",
			"two\nlines\t\x1b[31mred\u202e":                                                       "two lines [31mred",
			``:                                                                                    "",
			`{"detail":"bad key ` + key + `!"}`:                                                   "bad key [redacted]!",
			`{"detail":"bad key ` + url.QueryEscape(key) + `!"}`:                                  "bad key [redacted]!",
			strings.Repeat("x", 1000):                                                             strings.Repeat("x", 300) + "…",
			"{broken":                                                                             "{broken",
		} {
			_, err := client(t, say(422, body), nil).Do(t.Context(), get, nil)
			full := "acme: look: 422 Unprocessable Entity"
			if want != "" {
				full += ": " + want
			}
			if err == nil || err.Error() != full {
				t.Errorf("%.80s:\n got %v\nwant %s", body, err, full)
			}
		}
	})
}

// A key that straddles the place where words are cut must not leave its beginning behind.
func TestKeyAtTheCut(t *testing.T) {
	c := client(t, nil, nil)
	for n := 250; n < 310; n++ {
		if s := c.clean(strings.Repeat("x", n) + key); strings.Contains(s, "sk-") {
			t.Errorf("%d: %s", n, s)
		}
	}
}

func TestUploadIsStreamedAndRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 3 << 20
		var got []int64
		s := &script{steps: []http.HandlerFunc{say(429, "", "Retry-After", "2"), func(_ http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(io.Discard, r.Body)
			got = append(got, n, r.ContentLength)
		}}}
		c := client(t, s.ServeHTTP, nil)
		opened := 0
		r := Request{Op: "upload", Method: http.MethodPost, Path: "/files", Create: true, Body: &Body{
			Size: size, ContentType: "x/y",
			Open: func(context.Context) (io.ReadCloser, error) {
				opened++
				return io.NopCloser(io.LimitReader(zeros{}, size)), nil
			},
		}}
		if _, err := c.Do(t.Context(), r, nil); err != nil || opened < 2 || len(got) != 2 || got[0] != size || got[1] != size {
			t.Errorf("%v, opened %d times, %v", err, opened, got)
		}
		if _, sent := c.Traffic(); sent < size {
			t.Errorf("%d bytes counted", sent)
		}
	})
}

func TestReaderThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, say(200, "{}"), nil)
		want := fault.New(fault.ErrChanged, "the file changed")
		for name, open := range map[string]func(context.Context) (io.ReadCloser, error){
			"open": func(context.Context) (io.ReadCloser, error) { return nil, want },
			"read": func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(io.LimitReader(zeros{}, 1<<20), failing{want})), nil
			},
			"first read": func(context.Context) (io.ReadCloser, error) { return io.NopCloser(failing{want}), nil },
		} {
			r := Request{Op: "upload", Method: http.MethodPost, Path: "/files", Create: true, Body: &Body{Size: 2 << 20, ContentType: "x/y", Open: open}}
			_, err := c.Do(t.Context(), r, nil)
			if !errors.Is(err, fault.ErrChanged) || errors.Is(err, fault.ErrUnknown) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestLogHasNoKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		s := &script{steps: []http.HandlerFunc{say(500, "oops "+key), say(400, "your key is "+key)}}
		c := client(t, s.ServeHTTP, func(o *Options) {
			o.Logger = slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		r := get
		r.Query = url.Values{"token": {"query-secret"}}
		_, err := c.Do(t.Context(), r, nil)
		all := b.String() + fmt.Sprintf("%v %+v", err, err)
		if strings.Contains(all, key) || strings.Contains(all, "query-secret") || !strings.Contains(all, "op=look") {
			t.Error(all)
		}
	})
}

func TestOneRateAndConcurrencyForAnAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		var mu sync.Mutex
		var times []time.Time
		tr := targettest.Serve(t, http.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request) {
			most.Store(max(most.Load(), now.Add(1)))
			mu.Lock()
			times = append(times, time.Now())
			mu.Unlock()
			<-time.After(time.Second)
			now.Add(-1)
		}))
		base := fmt.Sprintf("http://shared%d.test", hosts.Add(1))
		var clients []*Client
		for i := range 3 {
			clients = append(clients, client(t, nil, func(o *Options) {
				o.Transport, o.BaseURL, o.Rate, o.Concurrency = tr, base+strings.Repeat("/x", i), float64(4+i), 2+i
			}))
		}
		for _, c := range clients { // each proves its key first
			_, _ = c.Do(t.Context(), get, nil)
		}
		times = nil
		var wg sync.WaitGroup
		start := time.Now()
		for i := range 24 {
			wg.Go(func() { _, _ = clients[i%3].Do(t.Context(), get, nil) })
		}
		wg.Wait()
		if most.Load() != 2 {
			t.Errorf("%d at the same time", most.Load())
		}
		if took := time.Since(start); took < 12*time.Second || took > 14*time.Second {
			t.Errorf("24 requests of 1 s, two at a time, took %v", took)
		}
		for i := 5; i < len(times); i++ {
			if d := times[i].Sub(times[i-5]); d < time.Second {
				t.Errorf("6 requests within %v", d)
			}
		}
	})
	accounts.Lock()
	defer accounts.Unlock()
	if n := len(accounts.byID); n != 0 {
		t.Errorf("%d accounts are left", n)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, o := range []Options{
		{BaseURL: "ftp://x"}, {BaseURL: "https://"}, {BaseURL: "https://u:" + key + "@x"}, {BaseURL: "https://x?key=" + key}, {BaseURL: ":"},
		{BaseURL: "https://x", Key: secret.New("a\nb" + key)}, {BaseURL: "https://x", Key: secret.New(key + " ")},
	} {
		if _, err := New(o); err == nil || strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", o.BaseURL, err)
		}
	}
}

// A server may refuse before it has read the body, and close; the refusal must come through over real sockets.
func TestRefusalBeforeTheBody(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_, _ = io.WriteString(w, `{"detail":"too much"}`)
	}))
	defer srv.Close()
	c := client(t, nil, func(o *Options) { o.BaseURL = srv.URL })
	const size = 200_000 // below what the server drains on its own, so no reset gets in the way
	_, err := c.Do(t.Context(), Request{Op: "upload", Method: http.MethodPost, Path: "/", Create: true, Body: &Body{
		Size: size, ContentType: "x/y", Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(io.LimitReader(zeros{}, size)), nil },
	}}, nil)
	if !errors.Is(err, fault.ErrTooLarge) {
		t.Error(err)
	}
}

func FuzzWords(f *testing.F) {
	for _, s := range []string{`{"detail":"x"}`, `{"errors":{"a":["b"]}}`, `[[[["x"]]]]`, "<title>x", "\xff\xfe", key, `{"message":{"message":{}}}`} {
		f.Add([]byte(s))
	}
	c, err := New(Options{Vendor: "acme", BaseURL: "https://x", Key: secret.New(key)})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = c.Close() })
	f.Fuzz(func(t *testing.T, b []byte) {
		s := c.words(b)
		if len(s) > maxDetail+3 || strings.ContainsAny(s, "\r\n\x1b\x00") || strings.Contains(s, key) {
			t.Errorf("%q", s)
		}
		Envelope(b)
	})
}
