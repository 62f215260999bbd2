package fetch

import (
	"net/http"
	"strings"
	"time"
)

const (
	maxValidator = 256
	// tooClose is how near to the answer a Last-Modified may be: within the same second the page may have changed once more.
	tooClose = 2 * time.Second
)

// usableETag is an ETag that may be given back to the site; "" for none. A weak one is kept as it is, and so is one that
// lacks its quotes, which many sites understand.
func usableETag(tag string) string {
	tag = strings.TrimSpace(tag)
	switch opaque := strings.TrimPrefix(tag, "W/"); {
	case len(tag) > maxValidator, !isLine(tag), opaque == "", opaque == `""`:
		return ""
	case opaque[0] != '"' && (strings.ContainsAny(tag, `*,"`)), opaque[0] == '"' && !quotedOnce(opaque):
		return "" // it would mean something else than this one version
	}
	return tag
}

func quotedOnce(s string) bool {
	return len(s) > 2 && s[len(s)-1] == '"' && strings.Count(s, `"`) == 2
}

// usableLastModified is a Last-Modified that tells this version from every later one; "" when it does not.
func usableLastModified(value, date string, now time.Time) string {
	value = strings.TrimSpace(value)
	modified, ok := readDate(value)
	if !ok {
		return ""
	}
	made := now
	if t, ok := readDate(date); ok {
		made = t
	}
	if made.Sub(modified) < tooClose {
		return ""
	}
	return value
}

func readDate(value string) (time.Time, bool) {
	if value == "" || len(value) > maxValidator || !isLine(value) {
		return time.Time{}, false
	}
	t, err := http.ParseTime(value)
	return t, err == nil
}

// condition adds the validators of what the caller has; it tells whether there are any.
func condition(h http.Header, r *Request) bool {
	tag := usableETag(r.ETag)
	if tag != "" {
		h["If-None-Match"] = []string{tag}
	}
	_, dated := readDate(r.LastModified)
	if dated {
		h["If-Modified-Since"] = []string{r.LastModified}
	}
	return tag != "" || dated
}
