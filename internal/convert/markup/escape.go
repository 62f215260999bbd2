package markup

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes text of foreign text: valid UTF-8, no control characters but tab and line feed, no soft hyphens and other invisible marks that would
// part a word for a search, plain spaces for the fixed and the fancy ones. Joiners stay: Arabic, Indic scripts and emoji need them.
func Clean(s string) string {
	clean := true
	for _, r := range s {
		if cleanRune(r) != r || r == utf8.RuneError {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	return strings.Map(cleanRune, strings.ToValidUTF8(strings.ReplaceAll(s, "\r\n", "\n"), "\uFFFD"))
}

func cleanRune(r rune) rune {
	switch {
	case r >= ' ' && r < 0x7f, r == '\t', r == '\n':
		return r
	case r == '\v', r == '\r', r == '\f', r == 0x85, r == 0x2028, r == 0x2029:
		return '\n'
	case r == 0xad, r == 0x200b, r == 0x2060, r == 0xfeff, unicode.IsControl(r):
		return -1
	case unicode.Is(unicode.Zs, r) && r != 0x3000:
		return ' '
	}
	return r
}

// escape writes text so that Markdown reads it as text. It escapes only what would become markup where it stands, so that names, paths and formulas stay
// as they are searched for. beforeLink tells that a link follows at once.
func escape(b *strings.Builder, s string, inLink, beforeLink bool) {
	for i := 0; i < len(s); {
		c := s[i]
		if c == '*' || c == '_' {
			n := 1
			for i+n < len(s) && s[i+n] == c {
				n++
			}
			writeDelimiters(b, s, i, n)
			i += n
			continue
		}
		if needsEscape(s, i, inLink, beforeLink) {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
		i++
	}
}

// writeDelimiters writes n stars or underscores, escaped unless they can neither begin nor end emphasis.
func writeDelimiters(b *strings.Builder, s string, i, n int) {
	prev, size := utf8.DecodeLastRuneInString(s[:i])
	if size == 0 {
		prev = ' '
	}
	next, size := utf8.DecodeRuneInString(s[i+n:])
	if size == 0 {
		next = ' '
	}
	harmless := unicode.IsSpace(prev) && unicode.IsSpace(next) || s[i] == '_' && word(prev) && word(next)
	for range n {
		if !harmless {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
}

func needsEscape(s string, i int, inLink, beforeLink bool) bool {
	next := byte(0)
	if i+1 < len(s) {
		next = s[i+1]
	}
	switch s[i] {
	case '`':
		return true
	case '\\':
		return next == 0 || next == '\n' || punctuation(next)
	case '[':
		return inLink || next == '^'
	case ']':
		return inLink || next == '(' || next == '[' || next == ':'
	case '!':
		return next == '[' || next == 0 && beforeLink
	case '<':
		return next == '/' || next == '!' || next == '?' || letter(next)
	case '&':
		return entity(s[i+1:])
	case '~':
		return next == '~' || i > 0 && s[i-1] == '~'
	}
	return false
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }
func punctuation(c byte) bool {
	return c > ' ' && c < 0x7f && !letter(c) && !digit(c)
}

// entity tells whether s goes on like a character reference after its ampersand.
func entity(s string) bool {
	s = strings.TrimPrefix(s, "#")
	for i := 0; i < len(s) && i < 32; i++ {
		if s[i] == ';' {
			return i > 0
		}
		if !letter(s[i]) && !digit(s[i]) {
			return false
		}
	}
	return false
}

// guard keeps a line from being read as the beginning of a block: a heading, a list, a quotation, a fence, a rule.
func guard(line string) string {
	rest := strings.TrimLeft(line, "0123456789")
	if n := len(line) - len(rest); n > 0 && n < 10 && rest != "" && (rest[0] == '.' || rest[0] == ')') && (len(rest) == 1 || rest[1] == ' ' || rest[1] == '\t') {
		return line[:n] + `\` + rest
	}
	switch line[0] {
	case '#':
		if text := strings.TrimLeft(line, "#"); len(line)-len(text) > 6 || text != "" && text[0] != ' ' && text[0] != '\t' {
			return line
		}
	case '-', '+', '*', ':', '|':
		bullet := line[0] < ':' && (len(line) == 1 || line[1] == ' ' || line[1] == '\t')
		rule := strings.Trim(line, ":-| \t") == "" && strings.Contains(line, "-") // also the row under a table's head
		if !bullet && !rule && !only(line, '*') {
			return line
		}
	case '=', '_':
		if !only(line, line[0]) {
			return line
		}
	case '~':
		if !strings.HasPrefix(line, "~~~") {
			return line
		}
	case '>':
	default:
		return line
	}
	return `\` + line
}

// only tells whether a line holds nothing but c and blanks.
func only(line string, c byte) bool {
	return strings.Trim(line, string(c)+" \t") == ""
}
