package fetch

import (
	"cmp"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"kbsyncd/internal/kb"
)

const (
	maxDetail = 160 // bytes of foreign words in a message
	minValue  = 4   // bytes of the value of a header that is kept out of messages
	minPart   = 8   // bytes of a part of one
)

// spellings are the ways in which a site may repeat the value of a header: the whole, the token behind a word such as Bearer, the values
// of cookies, what is in Basic, and each of them as it stands in an address. They are in lower case.
func spellings(value string) (all []string) {
	add := func(s string, least int) {
		if s = strings.TrimSpace(s); len(s) < least {
			return
		}
		for _, s := range []string{s, (&url.URL{Path: s}).EscapedPath(), url.PathEscape(s), url.QueryEscape(s)} {
			if s = lower(s); !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	add(value, minValue)
	parts := strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ';' || r == ',' })
	for _, part := range parts {
		if len(parts) > 1 {
			add(part, minPart)
		}
		if _, v, ok := strings.Cut(part, "="); ok {
			add(v, minPart)
		}
	}
	if len(parts) == 2 && strings.EqualFold(parts[0], "basic") {
		if plain, err := base64.StdEncoding.DecodeString(parts[1]); err == nil {
			_, password, _ := strings.Cut(string(plain), ":")
			add(password, minPart)
		}
	}
	return all
}

// longestFirst orders values so that none is hidden in part.
func longestFirst(values []string) []string {
	slices.SortFunc(values, func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
	return slices.Compact(values)
}

// hide takes the values of headers out of foreign words, in whatever case: names of hosts and of packings are in lower case by the time
// that they are shown.
func (c *Client) hide(s string) string {
	for _, v := range c.values {
		var out strings.Builder
		rest, low := s, lower(s)
		for {
			i := strings.Index(low, v)
			if i < 0 {
				break
			}
			out.WriteString(rest[:i] + "…")
			rest, low = rest[i+len(v):], low[i+len(v):]
		}
		if out.Len() > 0 {
			s = out.String() + rest
		}
	}
	return s
}

// lower is s with its ASCII letters in lower case, and as long as s.
func lower(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return 'A' <= r && r <= 'Z' }) < 0 {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// clean makes foreign words a short line without the values of headers.
func (c *Client) clean(s string) string {
	if len(s) > maxHeader {
		s = s[:maxHeader]
	}
	s = c.hide(s)
	if len(s) > maxDetail {
		s = strings.ToValidUTF8(s[:maxDetail], "") + "…"
	}
	return kb.Printable(s)
}

// show is an address to which a site leads, for people.
func (c *Client) show(u *url.URL) string { return showWith(u, c.hide) }
