package fetch

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const (
	maxFailures   = 5                // connections in a row that fail before a host is left out
	maxOverloads  = 10               // pages in a row that a server is too busy for, each after all tries
	maxBreaks     = 10               // bodies in a row that were cut short; one that took all of its time counts for two
	leftOut       = 30 * time.Second // how long, before one request may look again
	slowedFor     = 10 * time.Minute // how long a site that had to ask for it is spared
	slowedAtOnce  = 5 * time.Second  // refusals within this time are one: the requests were under way together
	firstSlow     = rate.Limit(4)    // requests a second to a site that refused some of any number
	slowest       = rate.Limit(0.2)
	maxCrawlDelay = 30 * time.Second
)

// host is the state of one host and port: what it is spared, and whether it is worth asking.
type host struct {
	name    string
	refused error // why it must not be asked, whatever its name resolves to
	slots   chan struct{}
	limiter *rate.Limiter

	calm atomic.Bool // there is nothing to wait for and nothing to forget: mu need not be taken; set by settle

	mu         sync.Mutex
	asked      rate.Limit    // guarded by mu, as all below; from the configuration
	crawlDelay time.Duration // from robots.txt
	slowed     rate.Limit    // after a 429; 0: never, or long ago
	slowedAt   time.Time
	pause      time.Time // nothing is asked before
	failures   int
	overloads  int
	breaks     int
	last       string    // the failure for which it was left out
	downUntil  time.Time // zero: the host is up, for all that is known
}

func newHost(name string, refused error, concurrency int, perSecond float64) *host {
	asked := rate.Inf
	if perSecond > 0 {
		asked = rate.Limit(perSecond)
	}
	h := &host{name: name, refused: refused, slots: make(chan struct{}, concurrency), limiter: rate.NewLimiter(asked, 1), asked: asked}
	h.settle()
	return h
}

// enter waits for the turn of one request. The slot that it took is given back with leave.
func (h *host) enter(ctx context.Context) error {
	if err := h.down(false); err != nil {
		return err
	}
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	err := h.takeTurn(ctx)
	if err != nil {
		h.leave()
	}
	return err
}

func (h *host) leave() { <-h.slots }

func (h *host) takeTurn(ctx context.Context) error {
	if h.calm.Load() {
		return nil
	}
	h.mu.Lock()
	var wait time.Duration
	if !h.pause.IsZero() {
		wait = time.Until(h.pause)
	}
	if wait <= 0 {
		h.pause = time.Time{}
	}
	if h.slowed > 0 && time.Since(h.slowedAt) > slowedFor {
		h.slowed = 0
		h.setLimit()
	}
	h.settle()
	h.mu.Unlock()
	if err := h.down(false); err != nil {
		return err
	}
	if err := sleep(ctx, wait); err != nil {
		return err
	}
	if err := h.limiter.Wait(ctx); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return context.DeadlineExceeded // the turn would come after the caller's deadline
	}
	return h.down(true) // it may have been given up in the meantime
}

// down is why the host is left out; nil when it may be asked. look lets one request through after a while.
func (h *host) down(look bool) error {
	if h.calm.Load() {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.downUntil.IsZero() {
		return nil
	}
	if now := time.Now(); !now.Before(h.downUntil) {
		if !look {
			return nil
		}
		h.downUntil = now.Add(leftOut)
		return nil
	}
	return &leftOutError{host: h.name, last: h.last}
}

// leftOutError is a host that is not asked because it failed so often.
type leftOutError struct {
	host string
	last string
}

func (e *leftOutError) Error() string { return e.host + " is left out for now" }

// failed notes a connection that gave no answer.
func (h *host) failed(err string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.settle()
	h.failures++
	if h.failures >= maxFailures {
		h.trip(err)
	}
}

// overloaded notes a page that was not had after all tries because the server is too busy or has nobody behind it.
func (h *host) overloaded(err string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.settle()
	h.overloads++
	if h.overloads >= maxOverloads {
		h.trip(err)
	}
}

// broke notes a body that did not come whole, and how much that counts. The head of an answer says nothing about it: a server whose
// disk or database hangs may still send one.
func (h *host) broke(weight int, err string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.settle()
	if h.breaks += weight; h.breaks >= maxBreaks {
		h.trip(err)
	}
}

// whole notes an answer that came to its end.
func (h *host) whole() {
	if h.calm.Load() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.settle()
	if h.breaks >= maxBreaks {
		h.downUntil = time.Time{}
	}
	h.breaks = 0
}

// giveUp leaves the host out for what it answered once.
func (h *host) giveUp(err string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.settle()
	h.trip(err)
}

// trip is called with mu held.
func (h *host) trip(err string) {
	h.last = err
	h.downUntil = time.Now().Add(leftOut)
}

// answered notes an answer; good tells one that a working site gives.
func (h *host) answered(good bool) {
	if h.calm.Load() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.settle()
	h.failures = 0
	if good {
		h.overloads = 0
	}
	if good && h.breaks < maxBreaks {
		h.downUntil = time.Time{}
	}
}

// wait keeps everybody from asking for a while, as the site wants it.
func (h *host) wait(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.settle()
	if until := time.Now().Add(d); until.After(h.pause) {
		h.pause = until
	}
}

// slowDown halves the rate.
func (h *host) slowDown() {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if h.slowed > 0 && now.Sub(h.slowedAt) < slowedAtOnce {
		return
	}
	h.slowed = max(min(firstSlow, h.limiter.Limit()/2), slowest)
	h.slowedAt = now
	h.setLimit()
	h.settle()
}

// keepDistance applies the delay that robots.txt asks for.
func (h *host) keepDistance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.crawlDelay = min(d, maxCrawlDelay)
	h.setLimit()
	h.settle()
}

// setLimit is called with mu held.
func (h *host) setLimit() {
	limit := h.asked
	if h.crawlDelay > 0 {
		limit = min(limit, rate.Every(h.crawlDelay))
	}
	if h.slowed > 0 {
		limit = min(limit, h.slowed)
	}
	h.limiter.SetLimit(limit)
}

// settle is called with mu held, after each change.
func (h *host) settle() {
	h.calm.Store(h.limiter.Limit() == rate.Inf && h.slowed == 0 && h.pause.IsZero() && h.downUntil.IsZero() && h.failures == 0 && h.overloads == 0 && h.breaks == 0)
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
