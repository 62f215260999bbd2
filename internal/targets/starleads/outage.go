package starleads

import (
	"errors"
	"net/http"
	"sync"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/targets"
)

// After mostOutages uploads in a row that failed because the vendor is down the rest is not tried any more. When
// pass after pass ends so, more are tried, up to a bound: a vendor that breaks on some documents must not keep the others out.
const (
	mostOutages = 3
	mostTrials  = 16 * mostOutages
)

// outage counts the calls of Upload in a row that ended without any success because the vendor was out of reach.
type outage struct {
	mu   sync.Mutex
	n    int   // guarded by mu
	more int   // guarded by mu; what is borne beyond mostOutages
	last error // guarded by mu
}

// reset begins a new pass.
func (o *outage) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if borne := mostOutages + o.more; o.n >= borne {
		o.more = min(2*borne, mostTrials) - mostOutages
	}
	o.n, o.last = 0, nil
}

// fine notes that the vendor is there.
func (o *outage) fine() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n, o.more, o.last = 0, 0, nil
}

// note judges the results of one Upload. A success or a refusal shows that the vendor is there; what never left this machine
// shows nothing.
func (o *outage) note(results []targets.Result) {
	var down error
	for _, r := range results {
		e, answered := errors.AsType[*httpapi.Error](r.Err)
		switch {
		case r.Err == nil || answered && !isDown(e.Status):
			o.fine()
			return
		case answered:
			down = r.Err
		}
	}
	if down == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n, o.last = o.n+1, down
}

// isDown tells the statuses of a vendor that serves nobody; 0 is no answer at all.
func isDown(status int) bool {
	switch status {
	case 0, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return status >= http.StatusInternalServerError
}

// err is what an Upload fails with at once; nil while the vendor is worth asking.
func (o *outage) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.n < mostOutages+o.more {
		return nil
	}
	e := fault.New(fault.ErrUnavailable, "starleads: not sent, because the %d uploads before found the vendor out of reach", o.n)
	return &fault.RetryAfter{Err: e.Because(refused(o.last)).WithHint("the next pass goes on")}
}
