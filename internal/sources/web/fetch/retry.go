package fetch

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	maxWait     = 2 * time.Minute // what a site may ask to wait; with more the page is not had this time
	backoffBase = 500 * time.Millisecond
	backoffMax  = 10 * time.Second
)

// passing tells the statuses that another try may not give.
func passing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= 500 && status <= 599
}

// overload tells the statuses of a server that is too busy, or that has nobody behind it.
func overload(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// backoff is the wait before another try: anything up to a bound that doubles.
func backoff(failures int) time.Duration {
	bound := min(backoffBase<<min(failures, 10), backoffMax)
	return rand.N(bound)
}

// retryAfter reads what a site asks to wait: seconds or a date. ok is false when it asks for nothing that can be read.
func retryAfter(value string, now time.Time) (wait time.Duration, ok bool) {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0, false
	}
	if isNumber(value) {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n > int64(maxLifetime/time.Second) {
			return maxLifetime, true
		}
		return time.Duration(n) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), maxLifetime), true
}

func isNumber(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
