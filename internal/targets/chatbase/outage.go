package chatbase

import (
	"errors"
	"sync"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
)

// After mostOutages uploads in a row that failed because the vendor is down the rest is not tried any more. When
// pass after pass ends so, more are tried, up to a bound: a vendor that breaks on some documents must not keep the others out.
const (
	mostOutages = 3
	mostTrials  = 16 * mostOutages
)

// outage counts uploads in a row that failed because the vendor was out of reach.
type outage struct {
	mu    sync.Mutex
	n     int   // guarded by mu
	borne int   // guarded by mu; 0 stands for mostOutages
	last  error // guarded by mu
}

func (o *outage) limit() int { return max(o.borne, mostOutages) }

// reset begins a new pass.
func (o *outage) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.n >= o.limit() {
		o.borne = min(2*o.limit(), mostTrials)
	}
	o.n, o.last = 0, nil
}

// note judges the result of one upload. A success or a refusal shows that the vendor is there; what never left this
// machine shows nothing.
func (o *outage) note(err error) {
	_, passing := errors.AsType[*fault.RetryAfter](err)
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case passing || errors.Is(err, fault.ErrUnknown):
		o.n, o.last = o.n+1, err
	case err == nil || httpapi.Status(err) != 0:
		o.n, o.borne, o.last = 0, 0, nil
	}
}

// err is what an upload fails with at once; nil while the vendor is worth asking.
func (o *outage) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.n < o.limit() {
		return nil
	}
	e := fault.New(fault.ErrUnavailable, "chatbase: not sent, because the %d uploads before found the vendor out of reach", o.n)
	return &fault.RetryAfter{Err: e.Because(plain(o.last)).WithHint("the next pass goes on")}
}
