package crashtest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// phase tells when a trap springs.
type phase int

const (
	arriving phase = iota // the request has no effect yet
	unseen                // it had its effect, and the answer is still on its way
	answered              // the program has the answer and is about to record it
)

func (p phase) String() string { return [...]string{"arriving", "unseen", "answered"}[p] }

// trap strikes at one request of a pass.
type trap struct {
	kind   string // of request; "" for any
	n      int    // the n-th of its kind
	phase  phase
	linger time.Duration // after the answer
	strike func(where string)
}

// vendor serves a simulated vendor over HTTP and lets a trap watch the requests.
type vendor struct {
	store

	url   string
	kinds []kind

	mu     sync.Mutex // guards everything below
	flying int
	last   string        // kind of the last request since set
	quiet  chan struct{} // closed while nothing is under way
	trap   *trap
}

func newVendor(t *testing.T, s store) *vendor {
	v := &vendor{store: s, kinds: s.kinds(), quiet: make(chan struct{})}
	close(v.quiet)
	srv := httptest.NewServer(v)
	v.url = srv.URL
	t.Cleanup(func() {
		v.Close()
		srv.CloseClientConnections()
		srv.Close()
	})
	return v
}

// ServeHTTP implements http.Handler. A request whose sender dies before all of it was sent has no effect.
func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind := kindOf(v.kinds, r)
	t := v.enter(kind)
	defer v.leave()
	if t != nil {
		where := t.phase.String() + " " + kind
		switch t.phase {
		case arriving:
			t.strike(where)
		case unseen: // the answer leaves the buffer when this handler is over
			defer t.strike(where)
		case answered:
			defer func() { time.AfterFunc(t.linger, func() { t.strike(where) }) }()
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	v.store.ServeHTTP(w, r)
}

// enter counts a request and gives the trap that it springs.
func (v *vendor) enter(kind string) *trap {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.flying++; v.flying == 1 {
		v.quiet = make(chan struct{})
	}
	v.last = kind
	if v.trap == nil || v.trap.kind != "" && v.trap.kind != kind {
		return nil
	}
	if v.trap.n--; v.trap.n > 0 {
		return nil
	}
	t := v.trap
	v.trap = nil
	return t
}

func (v *vendor) leave() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.flying--; v.flying == 0 {
		close(v.quiet)
	}
}

// set arms a trap, or none, for the pass that begins.
func (v *vendor) set(t *trap) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.trap, v.last = t, ""
}

// moment tells how far the pass has come.
func (v *vendor) moment() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.last == "":
		return "before the first request"
	case v.flying > 0:
		return "during " + v.last
	}
	return "after " + v.last
}

// idle waits until no request is under way, because what a dead program sent may still have its effect.
func (v *vendor) idle(ctx context.Context) error {
	v.mu.Lock()
	quiet := v.quiet
	v.mu.Unlock()
	select {
	case <-quiet:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
