package adapter

import (
	"errors"
	"net/http"
	"sync"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/targets"
)

// mostTrials bounds how many uploads in a row are tried while the vendor is out of reach.
const mostTrials = 48

// Outage counts uploads in a row that failed because the vendor is out of reach. After some the rest is not tried any more. When
// pass after pass ends so, more are tried, up to a bound: a vendor that breaks on some documents must not keep the others
// out. It is safe for concurrent use.
type Outage struct {
	vendor string
	first  int

	mu    sync.Mutex
	n     int   // guarded by mu
	borne int   // guarded by mu; what is borne by now
	last  error // guarded by mu
}

// NewOutage bears so many failures at first.
func NewOutage(vendor string, first int) *Outage {
	return &Outage{vendor: vendor, first: first, borne: first}
}

// Reset begins a new pass.
func (o *Outage) Reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.n >= o.borne {
		o.borne = min(2*o.borne, mostTrials)
	}
	o.n, o.last = 0, nil
}

// Fine notes that the vendor is there.
func (o *Outage) Fine() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n, o.borne, o.last = 0, o.first, nil
}

// Down notes that the vendor was out of reach.
func (o *Outage) Down(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n, o.last = o.n+1, err
}

// Note judges the results of one upload. A success or a refusal shows that the vendor is there; what never left this machine
// shows nothing.
func (o *Outage) Note(results ...targets.Result) {
	var down error
	for _, r := range results {
		e, answered := errors.AsType[*httpapi.Error](r.Err)
		switch {
		case r.Err == nil || answered && !servesNobody(e.Status):
			o.Fine()
			return
		case answered:
			down = r.Err
		}
	}
	if down != nil {
		o.Down(down)
	}
}

// servesNobody tells the statuses of a vendor that is down; 0 is no answer at all.
func servesNobody(status int) bool {
	switch status {
	case 0, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return status >= http.StatusInternalServerError
}

// Err is what an upload fails with at once; nil while the vendor is worth asking.
func (o *Outage) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.n < o.borne {
		return nil
	}
	e := fault.New(fault.ErrUnavailable, "%s: not sent, because the %d uploads before found the vendor out of reach", o.vendor, o.n)
	return &fault.RetryAfter{Err: e.Because(Plain(o.last)).WithHint("the next pass goes on")}
}
