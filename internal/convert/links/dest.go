package links

import (
	"bytes"
	"html"
	"regexp"
	"strings"
)

// maxParens bounds parentheses in parentheses in a destination.
const maxParens = 32

// destination finds the one that begins at a place: the bytes of it, without the angle brackets that it may stand in, and what follows.
func destination(b []byte, at int) (from, to, after int, ok bool) {
	if at < len(b) && b[at] == '<' {
		for i := at + 1; i < len(b); i++ {
			switch b[i] {
			case '\\':
				i++
			case '>':
				return at + 1, i, i + 1, true
			case '<', '\n':
				return 0, 0, 0, false
			}
		}
		return 0, 0, 0, false
	}
	depth, i := 0, at
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\\' && i+1 < len(b) && punct(b[i+1]):
			i++
		case c == '(':
			if depth++; depth > maxParens {
				return 0, 0, 0, false
			}
		case c == ')' && depth > 0:
			depth--
		case c == ')' || c <= ' ' || c == 0x7f:
			return at, i, i, depth == 0
		}
	}
	return at, i, i, depth == 0
}

// title finds the end of a title that begins at a place.
func title(b []byte, at int) (after int, ok bool) {
	if at == len(b) || b[at] != '"' && b[at] != '\'' && b[at] != '(' {
		return 0, false
	}
	end := b[at]
	if end == '(' {
		end = ')'
	}
	for i := at + 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\\':
			i++
		case c == end:
			return i + 1, true
		case c == '(' && end == ')':
			return 0, false
		}
	}
	return 0, false
}

// blanks goes behind white space.
func blanks(b []byte, at int) int {
	for at < len(b) && (space(b[at]) || b[at] == '\n') {
		at++
	}
	return at
}

func punct(c byte) bool {
	return c > ' ' && c < 0x7f && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
}

// entity is a character by its name or number.
var entity = regexp.MustCompile(`&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{0,31});`)

// unescape is a destination without the escapes of Markdown and of HTML, or of HTML alone.
func unescape(dest []byte, markdown bool) string {
	if markdown && bytes.IndexByte(dest, '\\') >= 0 {
		// A character behind a backslash begins no entity.
		var out strings.Builder
		from := 0
		for i := 0; i+1 < len(dest); i++ {
			if dest[i] != '\\' || !punct(dest[i+1]) {
				continue
			}
			out.WriteString(unescape(dest[from:i], false))
			i++
			out.WriteByte(dest[i])
			from = i + 1
		}
		out.WriteString(unescape(dest[from:], false))
		return out.String()
	}
	if bytes.IndexByte(dest, '&') < 0 {
		return string(dest)
	}
	return entity.ReplaceAllStringFunc(string(dest), html.UnescapeString)
}

// escape makes an address safe wherever a destination may stand in Markdown and in HTML.
func escape(address string, attribute bool) string {
	const digits = "0123456789ABCDEF"
	var out strings.Builder
	for i := range len(address) {
		if c := address[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"'()<>\\`|", c) >= 0 {
			out.Write([]byte{'%', digits[c>>4], digits[c&15]})
		} else {
			out.WriteByte(c)
		}
	}
	s := out.String()
	if attribute || entity.MatchString(s) {
		s = strings.ReplaceAll(s, "&", "&amp;")
	}
	return s
}

// lead has a destination replaced when it is to lead elsewhere. With bare set it is the value of an attribute without quotes.
func (s *scanner) lead(b []byte, from, to int, attribute, bare bool) {
	if s.full() || from == to || bytes.IndexByte(b[from:to], '\n') >= 0 {
		return
	}
	was := unescape(b[from:to], !attribute)
	is := s.resolve(was)
	if is == was || is == "" {
		return
	}
	is = escape(is, attribute)
	if bare && strings.ContainsAny(is, "=") {
		is = `"` + is + `"`
	}
	s.replace(from, to, is)
}
