package fetch

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

var errTooSlow = errors.New("no complete answer in time")

// exchange is one request with its answer.
type exchange struct {
	resp        *http.Response
	conditional bool // validators were sent
	authorized  bool // the headers of the configuration were sent
	host        *host
	started     time.Time
	cause       func() error // why the exchange was ended from outside; nil when it was not
	cancel      context.CancelFunc
	ended       atomic.Bool
}

// end frees what the exchange holds. It may be called again.
func (x *exchange) end() {
	if x.ended.CompareAndSwap(false, true) {
		x.cancel()
		x.host.leave()
	}
}

// discard reads a short rest, so that the connection can be used again, and ends.
func (x *exchange) discard() {
	if n := x.resp.ContentLength; n != 0 && n <= maxDrain && x.resp.Body != http.NoBody {
		_, _ = io.CopyN(io.Discard, x.resp.Body, maxDrain)
	}
	_ = x.resp.Body.Close()
	x.end()
}

// try makes one request and gives its answer, unless the answer is one that may pass.
func (g *getting) try(ctx context.Context, h *host) (*exchange, *failure) {
	c := g.client
	transport, f := g.admitted(h)
	if f != nil {
		return nil, f
	}
	if err := h.enter(ctx); err != nil {
		return nil, g.stopped(err)
	}
	started := time.Now()
	tctx, cancel := context.WithDeadlineCause(ctx, started.Add(c.opts.Timeout), errTooSlow)
	x := &exchange{host: h, started: started, cancel: cancel, cause: func() error { return context.Cause(tctx) }}
	req := g.build(tctx, h, x)
	g.page.Requests++
	c.requests.Add(1)
	resp, err := transport.RoundTrip(req) //nolint:bodyclose // closed by discard, or by the caller of Get
	if err != nil {
		if cause := x.cause(); cause != nil {
			err = cause
		}
		x.end()
		f := g.unanswered(err, h)
		g.log(ctx, 0, started, f)
		return nil, f
	}
	x.resp = resp
	h.answered(!overload(resp.StatusCode))
	if passing(resp.StatusCode) {
		f = g.busy(resp, time.Now())
		if resp.StatusCode == http.StatusTooManyRequests {
			h.slowDown()
		}
		x.discard()
		g.log(ctx, resp.StatusCode, started, f)
		return nil, f
	}
	g.log(ctx, resp.StatusCode, started, nil)
	return x, nil
}

// admitted chooses the transport for an address, if it may be asked at all.
func (g *getting) admitted(h *host) (*http.Transport, *failure) {
	c := g.client
	if h.refused != nil {
		return nil, g.forbidden(h.refused)
	}
	proxy, err := c.proxy(&http.Request{URL: g.at})
	if err != nil {
		return nil, g.badProxy()
	}
	if proxy == nil {
		return c.direct, nil
	}
	if err := c.admitProxied(g.at); err != nil {
		return nil, g.forbidden(err)
	}
	return c.proxied, nil
}

// build makes the request for the address at hand.
func (g *getting) build(ctx context.Context, to *host, x *exchange) *http.Request {
	c := g.client
	h := make(http.Header, 6)
	h["User-Agent"], h["Accept"], h["Accept-Encoding"] = c.userAgent, accepted, packings
	if accept := strings.TrimSpace(g.request.Accept); accept != "" && isLine(accept) {
		h["Accept"] = []string{accept}
	}
	x.conditional = condition(h, g.request)
	if len(c.headers) > 0 && c.named.headers[g.at.Scheme+"://"+to.name] {
		x.authorized = true
		maps.Copy(h, c.headers)
	}
	return (&http.Request{
		Method: http.MethodGet, URL: g.at, Host: g.at.Host, Header: h, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
}

// log writes one line for a request. Neither query nor headers nor bodies are part of it.
func (g *getting) log(ctx context.Context, status int, started time.Time, f *failure) {
	l := g.client.opts.Logger
	if !l.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []any{"url", g.show(), "dur", time.Since(started), "attempt", g.failures + 1, "status", status}
	if f != nil {
		attrs = append(attrs, "err", f.err)
	}
	l.DebugContext(ctx, "request", attrs...)
}
