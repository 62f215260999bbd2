package crashtest

import (
	"context"
	"sync"
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

// gate is what all requests of a world go through, those to vendors and those to sources, so that a trap can watch them.
type gate struct {
	mu     sync.Mutex // guards everything below
	flying int
	last   string        // kind of the last request since set
	quiet  chan struct{} // closed while nothing is under way
	trap   *trap
}

func newGate() *gate {
	g := &gate{quiet: make(chan struct{})}
	close(g.quiet)
	return g
}

// through serves a request, and springs the trap that waits for it.
func (g *gate) through(kind string, serve func()) {
	t := g.enter(kind)
	defer g.leave()
	if t != nil {
		where := t.phase.String() + " " + kind
		switch t.phase {
		case arriving:
			t.strike(where)
		case unseen: // the end of the answer leaves the buffer when this handler is over
			defer t.strike(where)
		case answered:
			defer func() { time.AfterFunc(t.linger, func() { t.strike(where) }) }()
		}
	}
	serve()
}

// enter counts a request and gives the trap that it springs.
func (g *gate) enter(kind string) *trap {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.flying++; g.flying == 1 {
		g.quiet = make(chan struct{})
	}
	g.last = kind
	if g.trap == nil || g.trap.kind != "" && g.trap.kind != kind {
		return nil
	}
	if g.trap.n--; g.trap.n > 0 {
		return nil
	}
	t := g.trap
	g.trap = nil
	return t
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.flying--; g.flying == 0 {
		close(g.quiet)
	}
}

// set arms a trap, or none, for the pass that begins.
func (g *gate) set(t *trap) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.trap, g.last = t, ""
}

// moment tells how far the pass has come.
func (g *gate) moment() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.last == "":
		return "before the first request"
	case g.flying > 0:
		return "during " + g.last
	}
	return "after " + g.last
}

// idle waits until no request is under way, because what a dead program sent may still have its effect.
func (g *gate) idle(ctx context.Context) error {
	g.mu.Lock()
	quiet := g.quiet
	g.mu.Unlock()
	select {
	case <-quiet:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
