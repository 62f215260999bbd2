package httpapi

import (
	"context"
	"crypto/sha256"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxPause bounds what one answer may ask of all requests of an account.
const maxPause = time.Hour

// accountID is a hash of host and key, so that no key stands in a map.
type accountID [sha256.Size]byte

// accounts holds what all clients of one host and key share, because vendors limit accounts and not clients.
var accounts = struct {
	sync.Mutex
	byID map[accountID]*account // guarded by the mutex
}{byID: map[accountID]*account{}}

// account is the rate, the concurrency and the pause that all requests with one key to one host obey.
type account struct {
	id      accountID
	limiter *rate.Limiter

	mu        sync.Mutex // guards all below
	users     []*limits  // one for each open client; the tightest counts
	inUse     int
	waiting   []chan struct{} // first in, first out; closed when its turn has come
	notBefore time.Time       // the vendor asked to wait until then
	share     float64         // of the configured rate that is used now; less after the vendor found it too much
}

// limits are what one client asks for.
type limits struct {
	rate        rate.Limit
	burst       int
	concurrency int // 0: any
}

// openAccount joins the account of a host and key.
func openAccount(base *url.URL, o Options) (*account, *limits) {
	id := accountID(sha256.Sum256([]byte(base.Scheme + "://" + base.Host + "\x00" + o.Key.Reveal())))
	accounts.Lock()
	defer accounts.Unlock()
	l := &limits{rate: rate.Inf, burst: max(o.Burst, 1), concurrency: o.Concurrency}
	if o.Rate > 0 {
		l.rate = rate.Limit(o.Rate)
	}
	a := accounts.byID[id]
	if a == nil {
		a = &account{id: id, limiter: rate.NewLimiter(l.rate, l.burst), share: 1} // which may use its burst at once
		accounts.byID[id] = a
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.users = append(a.users, l)
	a.tighten()
	return a, l
}

// leave ends the membership of one client; the last one takes the account with it.
func (a *account) leave(l *limits) {
	accounts.Lock()
	defer accounts.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.users = slices.DeleteFunc(a.users, func(u *limits) bool { return u == l })
	if len(a.users) == 0 {
		delete(accounts.byID, a.id)
		return
	}
	a.tighten()
	a.wake()
}

// tighten applies the tightest rate of all clients, or the share of it that the vendor bears. The caller holds the lock.
func (a *account) tighten() {
	if len(a.users) == 0 {
		return
	}
	tight := *a.users[0]
	for _, u := range a.users[1:] {
		tight.rate, tight.burst = min(tight.rate, u.rate), min(tight.burst, u.burst)
	}
	if tight.rate != rate.Inf {
		tight.rate *= rate.Limit(a.share)
	}
	if a.limiter.Limit() != tight.rate {
		a.limiter.SetLimit(tight.rate)
	}
	if a.limiter.Burst() != tight.burst {
		a.limiter.SetBurst(tight.burst)
	}
}

// full tells whether no further request may start. The caller holds the lock.
func (a *account) full() bool {
	for _, u := range a.users {
		if u.concurrency > 0 && a.inUse >= u.concurrency {
			return true
		}
	}
	return false
}

// wake gives free places to those who wait longest. The caller holds the lock.
func (a *account) wake() {
	for len(a.waiting) > 0 && !a.full() {
		a.inUse++
		close(a.waiting[0])
		a.waiting = a.waiting[1:]
	}
}

// acquire waits for a place among the requests at the same time.
func (a *account) acquire(ctx context.Context) error {
	a.mu.Lock()
	if len(a.waiting) == 0 && !a.full() {
		a.inUse++
		a.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	a.waiting = append(a.waiting, turn)
	a.mu.Unlock()

	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := slices.Index(a.waiting, turn); i >= 0 {
		a.waiting = slices.Delete(a.waiting, i, i+1)
	} else { // the turn came at the same moment: pass it on
		a.inUse--
		a.wake()
	}
	return ctx.Err()
}

// release gives the place back.
func (a *account) release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inUse--
	a.wake()
}

// tooFast halves the rate after a 429.
func (a *account) tooFast() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.share = max(a.share/2, 1.0/64)
	a.tighten()
}

// fine lets the rate grow back slowly after requests that went through.
func (a *account) fine() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.share < 1 {
		a.share = min(a.share*1.02, 1)
		a.tighten()
	}
}

// pause makes every request of the account wait, because the vendor asked one of them to.
func (a *account) pause(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if until := time.Now().Add(min(d, maxPause)); until.After(a.notBefore) {
		a.notBefore = until
	}
}

// paused is how long the vendor still wants no request.
func (a *account) paused() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Until(a.notBefore)
}
