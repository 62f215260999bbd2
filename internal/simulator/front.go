package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxDrain      = 64 << 20  // bytes of an unread request body that are read before an early answer
	maxRequests   = 1_000_000 // requests remembered
	maxViolations = 10_000    // violations remembered
)

// front is the part of a simulator that knows no vendor: latency, rate limit, faults, and the record of what happened.
// Its functions are set by a vendor before the first request and never change.
type front struct {
	latency time.Duration
	closed  chan struct{}
	close   sync.Once

	refuse func(status int, text string) answer    // an error in the vendor's form
	limit  func(c *call) (refusal answer, ok bool) // the rate limit, asked before faults and effects
	finish func(c *call, a *answer)                // the last touch on every answer that is written; may be nil

	mu         sync.Mutex // guards everything below
	rng        *rand.Rand
	bucket     bucket
	faults     Faults
	requests   []*Request
	violations []string
}

func newFront(latency time.Duration, rate float64, seed uint64) *front {
	f := &front{
		latency: latency,
		closed:  make(chan struct{}),
		refuse:  func(status int, text string) answer { return problem(status, "%s", text) },
		rng:     rand.New(rand.NewPCG(seed, 2)),
		bucket:  bucket{rate: rate},
	}
	f.limit = f.admit
	return f
}

// Close ends the waiting of requests that are delayed; they are dropped without an answer. It may be called twice.
func (f *front) Close() { f.close.Do(func() { close(f.closed) }) }

// Request is what a simulator remembers of one request.
type Request struct {
	Time   time.Time // of arrival
	Method string
	Path   string
	Query  string
	Status int   // 0 when the connection was dropped or the answer is not decided yet
	Files  int   // files in an upload
	Bytes  int64 // of the request's body, as far as it was read
}

// Requests returns the requests so far in order of arrival.
func (f *front) Requests() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Request, len(f.requests))
	for i, r := range f.requests {
		out[i] = *r
	}
	return out
}

// ResetRequests forgets the requests so far.
func (f *front) ResetRequests() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = nil
}

// Violations returns every breach of a documented rule by the client, in order.
func (f *front) Violations() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.violations)
}

// call is one request on its way to an answer.
type call struct {
	r     *http.Request
	route string
	args  []string // values of the path's placeholders
	query map[string]string
	files int
	front *front
}

// violate records a breach of a documented rule.
func (c *call) violate(format string, args ...any) {
	text := fmt.Sprintf("%s %s: %s", c.r.Method, c.r.URL.Path, fmt.Sprintf(format, args...))
	c.front.mu.Lock()
	defer c.front.mu.Unlock()
	if len(c.front.violations) < maxViolations {
		c.front.violations = append(c.front.violations, text)
	}
}

// checkAgent records a client that does not say who it is.
func (c *call) checkAgent() {
	agent := c.r.UserAgent()
	if agent == "" || strings.HasPrefix(agent, "Go-http-client/") {
		c.violate("no User-Agent of its own")
	}
}

// serve answers one request: it waits, limits, applies faults around next, and records the outcome before the answer
// is written, so that a client which has its answer finds it in Requests.
func (f *front) serve(w http.ResponseWriter, r *http.Request, route string, next func(*call) answer) {
	entry := f.begin(r)
	body := &countedBody{ReadCloser: r.Body}
	r.Body = body
	c := &call{r: r, route: route, front: f}
	a := f.run(c, next)
	if f.finish != nil && !a.drop {
		f.finish(c, &a)
	}
	if !a.drop {
		body.drain()
	}
	f.mu.Lock()
	entry.Status, entry.Files, entry.Bytes = a.status, c.files, body.n
	f.mu.Unlock()
	a.write(w)
}

func (f *front) begin(r *http.Request) *Request {
	entry := &Request{Time: time.Now(), Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.requests) >= maxRequests {
		f.requests = slices.Clone(f.requests[maxRequests/2:])
	}
	f.requests = append(f.requests, entry)
	return entry
}

func (f *front) run(c *call, next func(*call) answer) answer {
	ctx := c.r.Context()
	if !f.wait(ctx, f.latency) {
		return answer{drop: true}
	}
	if refusal, ok := f.limit(c); !ok {
		return refusal
	}
	p := f.planFor(c.route)
	if p.fault != nil && !p.fault.AfterEffect {
		if !f.wait(ctx, p.fault.Delay) {
			return answer{drop: true}
		}
		if p.fault.replaces() {
			return p.fault.answer(f.refuse)
		}
	}
	a := next(c)
	if p.fault != nil {
		if p.fault.AfterEffect && !f.wait(ctx, p.fault.Delay) {
			return answer{drop: true}
		}
		if p.fault.replaces() {
			return p.fault.answer(f.refuse)
		}
		maps.Copy(a.header, canonical(p.fault.Header))
	}
	if !f.wait(ctx, p.slow) {
		return answer{drop: true}
	}
	a.cut = p.cut
	return a
}

// wait reports false when the request or the simulator ended first.
func (f *front) wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-f.closed:
	}
	return false
}

// admit takes a token of the rate limit, or says after how many seconds there is one.
func (f *front) admit(*call) (refusal answer, ok bool) {
	f.mu.Lock()
	after, ok := f.bucket.take(time.Now())
	f.mu.Unlock()
	if !ok {
		refusal = f.refuse(http.StatusTooManyRequests, "Too many requests.")
		refusal.header.Set("Retry-After", strconv.Itoa(after))
	}
	return refusal, ok
}

// bucket is a token bucket that holds the requests of one second.
type bucket struct {
	rate   float64 // tokens a second; 0 means no limit
	tokens float64
	last   time.Time
}

func (b *bucket) take(now time.Time) (after int, ok bool) {
	if b.rate <= 0 {
		return 0, true
	}
	size := max(b.rate, 1)
	if b.last.IsZero() {
		b.tokens = size
	} else {
		b.tokens = min(size, b.tokens+b.rate*now.Sub(b.last).Seconds())
	}
	b.last = now
	if b.tokens < 1 {
		return int(math.Ceil((1 - b.tokens) / b.rate)), false
	}
	b.tokens--
	return 0, true
}

// countedBody counts what is read of a request's body.
type countedBody struct {
	io.ReadCloser

	n int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	return n, err
}

// drain reads what the handler left, because a client that is still sending may miss an answer that comes early.
func (b *countedBody) drain() { _, _ = io.CopyN(io.Discard, b, maxDrain) }

// answer is a whole answer, made before any of it is written.
type answer struct {
	status int
	header http.Header
	body   []byte
	zeros  int64 // instead of body
	drop   bool
	cut    bool
}

// write sends the answer. It panics with http.ErrAbortHandler, which closes the connection, when the answer is to be
// dropped or cut.
func (a answer) write(w http.ResponseWriter) {
	if a.drop || a.cut && len(a.body) == 0 {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), a.header)
	if a.zeros > 0 {
		w.WriteHeader(a.status)
		writeZeros(w, a.zeros)
		return
	}
	if len(a.body) > 0 && w.Header().Get("Content-Length") == "" {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	if !a.cut {
		_, _ = w.Write(a.body)
		return
	}
	_, _ = w.Write(a.body[:len(a.body)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// jsonAnswer is an answer with a JSON body.
func jsonAnswer(status int, v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		return problem(http.StatusInternalServerError, "%v", err)
	}
	return answer{status: status, header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, body: body}
}

// problemDetails is the error body of RFC 9457.
type problemDetails struct {
	Type   string              `json:"type"`
	Title  string              `json:"title"`
	Status int                 `json:"status"`
	Detail string              `json:"detail"`
	Errors map[string][]string `json:"errors,omitempty"`
}

// problem is an error answer.
func problem(status int, format string, args ...any) answer {
	return problemAnswer(problemDetails{Status: status, Detail: fmt.Sprintf(format, args...)})
}

// invalid is the answer to a request with a bad field.
func invalid(field, format string, args ...any) answer {
	text := fmt.Sprintf(format, args...)
	return problemAnswer(problemDetails{
		Status: http.StatusBadRequest, Detail: text, Errors: map[string][]string{field: {text}},
	})
}

func problemAnswer(p problemDetails) answer {
	p.Type = "https://httpstatuses.io/" + strconv.Itoa(p.Status)
	p.Title = http.StatusText(p.Status)
	a := jsonAnswer(p.Status, p)
	a.header.Set("Content-Type", "application/problem+json; charset=utf-8")
	return a
}
