package httpapi

import (
	"bytes"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// minEchoed is the length from which the key is looked for in the strings of answers; a shorter one, which no vendor gives,
// could be part of an ordinary word, and names and ids must stay what they are.
const minEchoed = 8

// clean makes foreign words one line of about maxDetail bytes without control characters and without the key. The key
// is looked for in what is left at the end, but before anything is cut, so that no piece of it can stay.
func (c *Client) clean(s string) string {
	var b strings.Builder
	space := false
	for _, r := range s[:min(len(s), maxErrors)] {
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case r == utf8.RuneError || !unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r):
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	s = c.redact(b.String())
	if len(s) <= maxDetail {
		return s
	}
	cut := maxDetail
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// keyForms are all forms in which a vendor may repeat the key; none of a key that is too short to be one.
func keyForms(key string) []string {
	if len(key) < 4 {
		return nil
	}
	var forms []string
	quoted, _ := json.Marshal(key) // a string always can be
	for _, form := range []string{key, url.QueryEscape(key), url.PathEscape(key), html.EscapeString(key), string(quoted[1 : len(quoted)-1])} {
		if !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	return forms
}

// redact replaces the key in all its forms.
func (c *Client) redact(s string) string {
	for _, k := range c.keyForms {
		s = strings.ReplaceAll(s, k, c.opts.Key.String())
	}
	return s
}

// redactJSON replaces the key in every string of an answer, however the string is escaped, so that nothing that is decoded
// from it holds the key. An answer that does not hold it is given back as it is.
func (c *Client) redactJSON(body []byte) []byte {
	if len(c.opts.Key.Reveal()) < minEchoed {
		return body
	}
	var out []byte // the answer up to done; nil while nothing was replaced
	done := 0
	for at := 0; ; {
		start := bytes.IndexByte(body[at:], '"')
		if start < 0 {
			break
		}
		start += at
		end := endOfString(body, start)
		if end < 0 {
			break
		}
		at = end
		if clear, held := c.redactString(body[start:end]); held {
			out = append(append(out, body[done:start]...), clear...)
			done = end
		}
	}
	if out == nil {
		return body
	}
	return append(out, body[done:]...)
}

// endOfString is the index behind the JSON string that starts at start; -1 when it does not end.
func endOfString(b []byte, start int) int {
	for i := start + 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// redactString replaces the key in one JSON string. What shows is looked at as well: a character that is dropped when the
// string is shown must not hide the key.
func (c *Client) redactString(quoted []byte) (clear []byte, held bool) {
	if len(quoted) < minEchoed+2 {
		return nil, false
	}
	if !bytes.ContainsFunc(quoted[1:len(quoted)-1], escapedOrOdd) && !slices.ContainsFunc(c.keyForms, func(k string) bool {
		return bytes.Contains(quoted, []byte(k))
	}) {
		return nil, false // as nearly always
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return nil, false
	}
	clean := c.redact(s)
	if clean == s {
		shown := strings.Map(visible, s)
		if clean = c.redact(shown); clean == shown {
			return nil, false
		}
	}
	enc, err := json.Marshal(clean)
	return enc, err == nil
}

// escapedOrOdd tells characters of a JSON string that may show as something else, or not at all.
func escapedOrOdd(r rune) bool { return r == '\\' || r < 0x20 || r >= 0x7f }

// visible drops what cannot be seen.
func visible(r rune) rune {
	if r == utf8.RuneError || unicode.IsSpace(r) && r != ' ' || !unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r) {
		return -1
	}
	return r
}
