package hamsa

import (
	"errors"
	"net/http"
	"sync"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
)

// After mostOutages uploads in a row that failed because the vendor is down the rest is not tried any more. When
// pass after pass ends so, more are tried, up to mostTrials: a vendor that breaks on some items must not keep the others out.
const (
	mostOutages = 4
	mostTrials  = 12 * mostOutages
)

// outage counts the uploads in a row that found the vendor out of reach.
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

// note judges one upload. What never left this machine shows nothing.
func (o *outage) note(err error) {
	e, asked := errors.AsType[*httpapi.Error](err)
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil || asked && !isDown(e.Status):
		o.n, o.more, o.last = 0, 0, nil
	case asked:
		o.n, o.last = o.n+1, err
	}
}

// isDown tells the statuses of a vendor that serves nobody; 0 is no answer at all.
func isDown(status int) bool {
	switch status {
	case 0, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return status >= http.StatusInternalServerError
}

// err is what an upload fails with at once; nil while the vendor is worth asking.
func (o *outage) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.n < mostOutages+o.more {
		return nil
	}
	e := fault.New(fault.ErrUnavailable, "hamsa: not sent, because the %d uploads before found the vendor out of reach", o.n)
	return &fault.RetryAfter{Err: e.Because(errors.New(o.last.Error())).WithHint("the next pass goes on")}
}
