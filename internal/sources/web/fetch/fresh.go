package fetch

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxLifetime bounds every time that a site names.
const maxLifetime = 365 * 24 * time.Hour

// freshUntil is until when an answer that came at now need not be asked for again; zero when it must be. What is said for
// shared caches only does not count.
func freshUntil(h http.Header, now time.Time) time.Time {
	life, ok := lifetime(h, now)
	if !ok || life <= 0 {
		return time.Time{}
	}
	if left := life - age(h, now); left > 0 {
		return now.Add(left)
	}
	return time.Time{}
}

// lifetime is for how long after it was made an answer is good.
func lifetime(h http.Header, now time.Time) (life time.Duration, ok bool) {
	if v := h["Vary"]; len(v) > 0 && strings.TrimSpace(v[0]) == "*" {
		return 0, false
	}
	control := h["Cache-Control"]
	if len(control) > 0 {
		life, ok, forbidden := readCacheControl(strings.Join(control, ","))
		if ok || forbidden {
			return life, ok && !forbidden
		}
	} else if strings.EqualFold(strings.TrimSpace(h.Get("Pragma")), "no-cache") {
		return 0, false
	}
	expires, ok := readDate(h.Get("Expires"))
	if !ok {
		return 0, false
	}
	made := now
	if date, ok := readDate(h.Get("Date")); ok {
		made = date
	}
	return min(expires.Sub(made), maxLifetime), true
}

// age is how long ago the answer was made, as caches on the way say.
func age(h http.Header, now time.Time) time.Duration {
	var a time.Duration
	if said := strings.TrimSpace(h.Get("Age")); isNumber(said) {
		a = seconds(said)
	}
	if date, ok := readDate(h.Get("Date")); ok {
		a = max(a, min(now.Sub(date), maxLifetime))
	}
	return a
}

func seconds(digits string) time.Duration {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > int64(maxLifetime/time.Second) {
		return maxLifetime
	}
	return time.Duration(n) * time.Second
}

// readCacheControl reads the directives that matter to a private cache. ok tells that there is a max-age; of several the
// shortest counts, and one that cannot be read is none at all. forbidden tells that the answer must be asked for each time.
func readCacheControl(value string) (life time.Duration, ok, forbidden bool) {
	for value != "" {
		var name, arg string
		name, arg, value = nextDirective(value)
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			if arg == "" { // no-cache="Set-Cookie" speaks of that header only
				return 0, false, true
			}
		case "max-age":
			var d time.Duration
			if isNumber(arg) {
				d = seconds(arg)
			}
			if !ok || d < life {
				life = d
			}
			ok = true
		}
	}
	return life, ok, false
}

// nextDirective takes name[=value] off the front of a list with commas; the value may be quoted.
func nextDirective(s string) (name, arg, rest string) {
	end := strings.IndexAny(s, ",=")
	if end < 0 {
		return strings.TrimSpace(s), "", ""
	}
	name = strings.TrimSpace(s[:end])
	if s[end] == ',' {
		return name, "", s[end+1:]
	}
	s = strings.TrimLeft(s[end+1:], " \t")
	if quoted, ok := strings.CutPrefix(s, `"`); ok {
		arg, s, _ = strings.Cut(quoted, `"`)
		_, rest, _ = strings.Cut(s, ",")
		return name, arg, rest
	}
	arg, rest, _ = strings.Cut(s, ",")
	return name, strings.TrimSpace(arg), rest
}
