package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"kbsyncd/internal/fault"
)

// Request is one request; a value may be used again.
type Request struct {
	Op     string // what it is for, in a word or two; part of errors and logs
	Method string
	Path   string // below the base URL, its segments escaped; see Path
	Query  url.Values
	JSON   any   // the body, unless nil
	Body   *Body // a body that is streamed, unless nil
	// Create marks a request that must not be done twice. When it may have taken effect it is not
	// repeated but fails with fault.ErrUnknown.
	Create bool
	// Private marks a request whose answers may hold secrets of others. Nothing of them is logged or part of the message of an error.
	Private bool
	// MaxAnswer bounds the answer, decompressed; 0: 16 MiB.
	MaxAnswer int64

	stream bool // the answer's body goes to the caller
}

// Body is a request body that is streamed.
type Body struct {
	Size        int64 // exact
	ContentType string
	// Open starts the body; it is called once or more for each try. Its errors and those of reading end the
	// request at once and are found by errors.Is.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Answer is what came back with a 2xx status.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do makes the request and decodes a JSON answer into out, unless out is nil. An empty answer leaves out
// alone, so the caller checks what it was promised. Do returns when the outcome is known or cannot be known:
// fault.ErrUnknown, which only a Create request gives. What may pass later is a fault.RetryAfter.
func (c *Client) Do(ctx context.Context, r Request, out any) (Answer, error) {
	var ans Answer
	err := c.run(ctx, r, func(x *exchange) *failure { return c.consume(x, out, &ans) })
	return ans, err
}

// Open makes a GET request and gives the body of its answer, which the caller closes. Reading fails
// when the body is cut short, longer than MaxAnswer or too slow.
func (c *Client) Open(ctx context.Context, r Request) (io.ReadCloser, error) {
	var s *stream
	r.stream = true
	err := c.run(ctx, r, func(x *exchange) *failure {
		if f := c.checkStatus(x); f != nil {
			return f
		}
		c.proven.Store(true)
		limit := x.request.maxAnswer()
		x.handOver(c.opts.Timeout + time.Duration(limit/slowest)*time.Second)
		s = &stream{x: x, left: limit}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (r *Request) maxAnswer() int64 {
	if r.MaxAnswer > 0 {
		return r.MaxAnswer
	}
	return DefaultMaxAnswer
}

// quote is what may be shown of words of an answer.
func (r *Request) quote(words string) string {
	if r.Private {
		return ""
	}
	return words
}

// run makes tries until one succeeds or no further one is allowed.
func (c *Client) run(ctx context.Context, r Request, handle func(*exchange) *failure) error {
	var body []byte
	if r.JSON != nil {
		var err error
		if body, err = json.Marshal(r.JSON); err != nil {
			return fmt.Errorf("%s: %s: %w", c.opts.Vendor, r.Op, err)
		}
	}
	judged := func(x *exchange) *failure {
		f := handle(x)
		if f != nil && errors.Is(f.err.Class, fault.ErrDenied) {
			c.trip(f.err) // before the next request may start
		}
		return f
	}
	var start time.Time
	var last *Error
	for n := 1; ; n++ {
		leave, err := c.enter(ctx, &r)
		if err != nil {
			return c.notSent(&r, err, last)
		}
		if start.IsZero() {
			start = time.Now()
		}
		f := c.once(ctx, &r, body, n, leave, judged)
		if f == nil {
			c.account.fine()
			return nil
		}
		last = f.err
		wait, err := c.next(&r, f, n, start)
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return c.notSent(&r, err, last)
		}
		c.opts.Logger.Warn("request will be repeated", "op", r.Op, "status", last.Status, "attempt", n, "wait", wait, "err", last)
		if err := Pause(ctx, wait); err != nil {
			return c.notSent(&r, err, last)
		}
	}
}

// notSent words the reason why a try was not made.
func (c *Client) notSent(r *Request, err error, last *Error) error {
	if last == nil {
		if _, worded := errors.AsType[*Error](err); worded {
			return err
		}
		return fmt.Errorf("%s: %s: %w", c.opts.Vendor, r.Op, err)
	}
	return fmt.Errorf("%w; not repeated: %w", last, err)
}

// next decides after a failed try: how long to wait before the next one, or the error to give up with.
func (c *Client) next(r *Request, f *failure, n int, start time.Time) (time.Duration, error) {
	e := f.err
	if errors.Is(e.Class, fault.ErrDenied) {
		c.trip(e)
		return 0, e
	}
	limited := e.Status == http.StatusTooManyRequests
	if limited {
		c.account.tooFast()
	}
	if r.Create && (f.ambiguous || f.passing && !f.unsent && !limited) {
		e.Class = fault.ErrUnknown
		return 0, e
	}
	if !f.passing {
		return 0, e
	}
	wait := max(Backoff(n), e.Wait)
	if e.Wait > 0 && (limited || e.Status == http.StatusServiceUnavailable) {
		c.account.pause(e.Wait)
	}
	if left := c.opts.MaxElapsed - time.Since(start); n >= c.opts.MaxTries || wait > left {
		if e.Wait > 0 {
			e.Detail = join(e.Detail, "the vendor asks to wait "+e.Wait.Round(time.Second).String())
		}
		return 0, &fault.RetryAfter{Wait: e.Wait, Err: e}
	}
	return wait, nil
}

// Backoff is the wait after the n-th try, from 1 on: anything up to a bound that doubles.
func Backoff(n int) time.Duration {
	return rand.N(min(backoffMin<<min(n-1, 10), backoffMax)) + time.Millisecond
}

// Pause waits for d or the end of the context, which is an error.
func Pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// enter waits until a request may start. The function that it gives must be called once the request is over.
func (c *Client) enter(ctx context.Context, r *Request) (leave func(), err error) {
	probing := false
	if !c.proven.Load() {
		select {
		case c.probing <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if probing = !c.proven.Load(); !probing {
			<-c.probing
		}
	}
	stopProbing := func() {
		if probing {
			<-c.probing
		}
	}
	if err := c.account.acquire(ctx); err != nil {
		stopProbing()
		return nil, err
	}
	leave = func() {
		c.account.release()
		stopProbing()
	}
	if err := c.await(ctx, r); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

// await waits for the pause that the vendor asked for and for the rate.
func (c *Client) await(ctx context.Context, r *Request) error {
	if err := c.trippedErr(); err != nil {
		return err
	}
	for {
		d := c.account.paused()
		if d <= 0 {
			break
		}
		if d > c.opts.MaxElapsed {
			e := &Error{Vendor: c.opts.Vendor, Op: r.Op, Wait: d, Detail: "not sent: the vendor asks to wait " + d.Round(time.Second).String()}
			return &fault.RetryAfter{Wait: d, Err: e}
		}
		if err := Pause(ctx, d); err != nil {
			return err
		}
	}
	if err := c.account.limiter.Wait(ctx); err != nil {
		if ctx.Err() == nil {
			return context.DeadlineExceeded // the limiter knows that the turn would come too late
		}
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.trippedErr()
}
