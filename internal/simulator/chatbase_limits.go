package simulator

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// window is a limit on requests in a sliding stretch of time.
type window struct {
	limit     int // 0 means none
	length    time.Duration
	slack     time.Duration
	punishing bool        // what is refused counts, too
	times     []time.Time // of the last requests that count, at most limit of them
}

// newWindow makes a window whose clock runs faster by a factor. The jitter of requests on their way does not run
// faster, so a faster clock forgives a fiftieth.
func newWindow(limit int, length time.Duration, speed float64) window {
	w := window{limit: limit, length: time.Duration(float64(length) / speed)}
	if speed > 1 {
		w.slack = w.length / 50
	}
	return w
}

// take counts a request, or refuses it.
func (w *window) take(now time.Time) (ok bool) {
	if w.limit <= 0 {
		return true
	}
	ok = w.left(now) > 0
	if ok || w.punishing {
		w.times = append(w.times, now)
		w.times = w.times[max(0, len(w.times)-w.limit):]
	}
	return ok
}

// left says how many requests the window still takes.
func (w *window) left(now time.Time) int {
	for len(w.times) > 0 && now.Sub(w.times[0]) >= w.length-w.slack {
		w.times = w.times[1:]
	}
	return w.limit - len(w.times)
}

// reset says when the oldest request leaves the window.
func (w *window) reset(now time.Time) time.Time {
	if len(w.times) == 0 {
		return now
	}
	return w.times[0].Add(w.length)
}

// limited applies the rate limit of v2 and the rule on file uploads. Requests without a valid key pass: they are
// refused later and count nowhere.
func (s *Chatbase) limited(c *call) (refusal answer, ok bool) {
	if isV1(c.r) || s.authorized(c.r) != "" {
		return answer{}, true
	}
	now := time.Now()
	s.lock()
	defer s.mu.Unlock()
	if !s.rate.take(now) {
		return s.tooMany(&s.rate, now), false
	}
	if (c.route == "file_create" || c.route == "file_update") && !s.uploads.take(now) {
		c.violate("more than %d file uploads in a minute", s.uploads.limit)
		return s.tooMany(&s.uploads, now), false
	}
	return answer{}, true
}

// tooMany is the answer to a request above a limit. The lock must be held.
func (s *Chatbase) tooMany(w *window, now time.Time) answer {
	a := cbRefuse(http.StatusTooManyRequests, "")
	s.writeLimit(&a, w, now)
	if !s.opts.NoRetryAfter {
		a.header.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(w.reset(now).Sub(now).Seconds())))))
	}
	return a
}

// writeLimit sets the headers of a limit. The lock must be held.
func (s *Chatbase) writeLimit(a *answer, w *window, now time.Time) {
	left := w.left(now)
	reset := w.reset(now)
	a.header.Set("X-RateLimit-Limit", strconv.Itoa(w.limit))
	a.header.Set("X-RateLimit-Remaining", strconv.Itoa(left))
	if s.opts.ResetSeconds {
		a.header.Set("X-RateLimit-Reset", strconv.FormatInt(reset.Add(time.Second-1).Unix(), 10))
	} else {
		a.header.Set("X-RateLimit-Reset", strconv.FormatInt(reset.UnixMilli(), 10))
	}
}

// finishAnswer sets what every answer has: a request id, and in v2 the state of the rate limit.
func (s *Chatbase) finishAnswer(c *call, a *answer) {
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set("X-Request-Id", "req_"+strconv.FormatUint(s.requestID.Add(1), 16))
	if s.opts.Rate <= 0 || isV1(c.r) || a.header.Get("X-RateLimit-Limit") != "" {
		return
	}
	s.lock()
	defer s.mu.Unlock()
	s.writeLimit(a, &s.rate, time.Now())
}

func isV1(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/v1/") }
