package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// exchange is one try in flight.
type exchange struct {
	request *Request
	resp    *http.Response

	cancel   context.CancelFunc
	deadline *time.Timer // cancels when the try takes too long
	unwatch  func() bool // stops watching the caller's context
	leave    func()
	once     sync.Once
	handed   bool // the body was handed to the caller
}

// end frees everything.
func (x *exchange) end() {
	x.unwatch()
	x.deadline.Stop()
	x.cancel()
	x.free()
}

// free lets the next request start.
func (x *exchange) free() { x.once.Do(x.leave) }

// handOver leaves the body to the caller, for at most d more. It no longer counts as a request in
// flight, so that a caller that reads slowly blocks nobody.
func (x *exchange) handOver(d time.Duration) {
	x.handed = true
	x.deadline.Reset(d)
	x.free()
}

var errTooSlow = errors.New("no complete answer in time")

// begin makes the context of one try: it ends with the deadline, and with the caller's context. What may change
// something outlives the latter by a grace; of what only reads nobody needs to know the outcome.
func (c *Client) begin(ctx context.Context, r *Request, leave func()) (context.Context, *exchange) {
	allowed := c.opts.Timeout
	if r.Body != nil {
		allowed += time.Duration(r.Body.Size/slowest) * time.Second
	}
	tctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	x := &exchange{request: r, leave: leave, cancel: func() { cancel(nil) }}
	x.deadline = time.AfterFunc(allowed, func() { cancel(errTooSlow) })
	late := grace
	if r.Method == http.MethodGet {
		late = 0
	}
	x.unwatch = context.AfterFunc(ctx, func() {
		t := time.AfterFunc(late, func() { cancel(context.Cause(ctx)) })
		context.AfterFunc(tctx, func() { t.Stop() })
	})
	return tctx, x
}

// once makes one try.
func (c *Client) once(ctx context.Context, r *Request, json []byte, n int, leave func(), handle func(*exchange) *failure) *failure {
	tctx, x := c.begin(ctx, r, leave)
	defer func() {
		if !x.handed {
			x.end()
		}
	}()
	started := time.Now()
	var connected atomic.Bool
	tctx = httptrace.WithClientTrace(tctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	body := &sending{client: c}
	req, err := c.build(tctx, r, json, body)
	if err != nil {
		return &failure{err: &Error{Vendor: c.opts.Vendor, Op: r.Op, Detail: c.clean(err.Error()), Err: err}}
	}
	c.requests.Add(1)
	by := c.http
	if r.stream {
		by = c.streams
	}
	x.resp, err = by.Do(req) //nolint:bodyclose // closed below, or by the caller of Open
	var f *failure
	if err != nil {
		f = c.unanswered(tctx, r, err, connected.Load(), body)
	} else {
		f = handle(x)
		if !x.handed {
			discard(x.resp.Body)
		}
	}
	c.log(ctx, r, x, n, time.Since(started), body.count(), f)
	return f
}

// unanswered is the failure of a try without an answer.
func (c *Client) unanswered(tctx context.Context, r *Request, err error, connected bool, body *sending) *failure {
	if own := body.failed(); own != nil {
		return &failure{err: &Error{Vendor: c.opts.Vendor, Op: r.Op, Detail: c.clean(own.Error()), Err: own}}
	}
	if cause := context.Cause(tctx); cause != nil {
		err = cause
	}
	return c.transportFailure(r.Op, err, connected || c.own == nil && body.count() > 0)
}

func (c *Client) build(ctx context.Context, r *Request, json []byte, body *sending) (*http.Request, error) {
	u := *c.base
	target := strings.TrimSuffix(u.String(), "/") + r.Path
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, target, nil)
	if err != nil {
		return nil, errors.New("the path cannot be part of an address")
	}
	if req.URL.Host != c.base.Host || req.URL.Scheme != c.base.Scheme || req.URL.User != nil {
		return nil, errors.New("the path leads to another host")
	}
	if key := c.opts.Key.Reveal(); key != "" && c.opts.Header != "" {
		req.Header.Set(c.opts.Header, c.opts.Scheme+key)
	}
	req.Header.Set("User-Agent", c.opts.UserAgent)
	req.Header.Set("Accept", "application/json, */*;q=0.5")
	switch {
	case r.JSON != nil:
		req.Header.Set("Content-Type", "application/json")
		req.ContentLength = int64(len(json))
		req.GetBody = func() (io.ReadCloser, error) {
			return body.wrap(io.NopCloser(bytes.NewReader(json))), nil
		}
	case r.Body != nil && r.Body.Size > 0:
		req.Header.Set("Content-Type", r.Body.ContentType)
		req.ContentLength = r.Body.Size
		req.GetBody = func() (io.ReadCloser, error) {
			rc, err := r.Body.Open(ctx)
			if err != nil {
				body.fail(err)
				return nil, err
			}
			return body.wrap(rc), nil
		}
	default:
		return req, nil
	}
	req.Body, err = req.GetBody()
	return req, err
}

// sending counts and watches what is sent as the bodies of one try.
type sending struct {
	client *Client

	mu  sync.Mutex
	n   int64 // guarded by mu
	err error // guarded by mu; the first error of a reader
}

func (s *sending) count() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

func (s *sending) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *sending) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

func (s *sending) wrap(rc io.ReadCloser) io.ReadCloser { return &sendingBody{s: s, rc: rc} }

type sendingBody struct {
	s  *sending
	rc io.ReadCloser
}

func (b *sendingBody) Read(p []byte) (int, error) {
	n, err := b.rc.Read(p)
	b.s.mu.Lock()
	b.s.n += int64(n)
	b.s.mu.Unlock()
	b.s.client.sent.Add(int64(n))
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, context.Canceled) {
		b.s.fail(err)
	}
	return n, err
}

func (b *sendingBody) Close() error { return b.rc.Close() }

// log writes one line for a try. Neither query nor headers nor bodies are part of it.
func (c *Client) log(ctx context.Context, r *Request, x *exchange, n int, took time.Duration, sent int64, f *failure) {
	attrs := []any{"op", r.Op, "method", r.Method, "path", r.Path, "dur", took, "attempt", n, "bytes", sent}
	if x.resp != nil {
		attrs = append(attrs, "status", x.resp.StatusCode)
		if id := x.resp.Header.Get("X-Request-Id"); id != "" {
			attrs = append(attrs, "request_id", c.clean(id)) // what the vendor's support asks for
		}
	}
	if f != nil {
		attrs = append(attrs, "err", f.err)
	}
	c.opts.Logger.DebugContext(ctx, "request", attrs...)
}

// discard reads a short rest, so that the connection can be used again, and closes.
func discard(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, maxDrain)
	_ = body.Close()
}

// stream is an answer's body in the hands of the caller.
type stream struct {
	x    *exchange
	left int64
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	if s.left < 0 {
		return 0, fmt.Errorf("%s: answer too long", s.x.request.Op)
	}
	if int64(len(p)) > s.left+1 {
		p = p[:s.left+1]
	}
	n, err := s.x.resp.Body.Read(p)
	if s.left -= int64(n); s.left < 0 {
		return n - 1, fmt.Errorf("%s: answer longer than %d bytes", s.x.request.Op, s.x.request.maxAnswer())
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%s: answer cut short: %w", s.x.request.Op, err)
	}
	return n, err
}

// Close implements io.Closer. It does not wait for a rest that nobody wants; that costs the connection.
func (s *stream) Close() error {
	err := s.x.resp.Body.Close()
	s.x.end()
	return err
}
