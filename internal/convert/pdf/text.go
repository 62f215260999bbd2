package pdf

import (
	"bytes"
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

// join makes the text of a document from that of its pages, which it changes.
func join(ctx context.Context, pages []string, l markup.Limits) ([]byte, error) {
	letters, unknown, left := 0, 0, l.Output
	for i, p := range pages {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		pages[i] = plain(p, left)
		if left -= int64(len(pages[i])); left < 0 { // a ligature may be a sentence
			return nil, tooMuch(l)
		}
		for _, r := range pages[i] {
			switch {
			case unicode.IsLetter(r) || unicode.IsDigit(r):
				letters++
			case r == utf8.RuneError || unicode.Is(unicode.Co, r):
				unknown++
			}
		}
	}
	if unknown > letters {
		return nil, fault.New(fault.ErrUnsupported, "its fonts do not tell which letters they show").
			WithHint("print it to a new PDF file with text recognition (OCR), or exclude it")
	}
	if letters == 0 {
		return nil, fault.New(fault.ErrUnsupported, "it holds only pictures; its text must be recognised first (OCR)").
			WithHint("add a text layer with a scanning program, or exclude it")
	}
	hyphenated := hyphenatedWords(pages)
	var b strings.Builder
	for _, p := range pages {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if p = lines(p, hyphenated); p != "" {
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(p)
		}
	}
	if int64(b.Len()) > l.Output {
		return nil, tooMuch(l)
	}
	return []byte(b.String()), nil
}

func tooMuch(l markup.Limits) error {
	return fault.New(fault.ErrUnsupported, "it gives more than %d bytes of text", l.Output).WithHint("divide it into smaller files")
}

// soft is what stands for a hyphen at the end of a line until it is decided whether it stays.
const soft = '\x02'

// plain dissolves ligatures and drops what is invisible. It ends soon after most bytes.
func plain(s string, most int64) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		if int64(b.Len()) > most {
			break
		}
		switch {
		case r == '\n' || r == '\t':
			b.WriteRune(r)
		case r == soft || r == '\u00AD' || r == '\uFFFE':
			b.WriteRune(soft)
		case 0xFB00 <= r && r <= 0xFDFF || 0xFE70 <= r && r <= 0xFEFC:
			b.WriteString(norm.NFKC.String(string(r)))
		case r == '\u00A0' || r == '\u202F' || 0x2000 <= r && r <= 0x200A:
			b.WriteByte(' ')
		case unicode.IsControl(r), r == '\u200B', r == '\u2060', r == '\uFEFF', 0x202A <= r && r <= 0x202E, 0x2066 <= r && r <= 0x2069:
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

const (
	maxHyphenated      = 100     // bytes of a word with a hyphen
	maxHyphenatedWords = 1 << 17 // of one document
)

// hyphenatedWords are the words that the document writes with a hyphen within a line: where one is divided at its hyphen,
// the hyphen stays.
func hyphenatedWords(pages []string) map[string]bool {
	words := make(map[string]bool)
	for _, p := range pages {
		for w := range strings.FieldsFuncSeq(p, func(r rune) bool { return r != '-' && !unicode.IsLetter(r) }) {
			if i := strings.IndexByte(w, '-'); i > 0 && i < len(w)-1 && len(w) < maxHyphenated && len(words) < maxHyphenatedWords {
				words[strings.ToLower(w)] = true
			}
		}
	}
	return words
}

// lines joins divided words, trims the lines, and keeps them from being taken for Markdown's headings, rules and fences.
func lines(s string, hyphenated map[string]bool) string {
	var b strings.Builder
	blank := true // nothing but blank lines since the last line of text
	for line := range strings.SplitSeq(mend(s, hyphenated), "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			if !blank {
				b.WriteByte('\n')
				blank = true
			}
			continue
		}
		b.WriteString(escape(line))
		b.WriteByte('\n')
		blank = false
	}
	if b.Len() == 0 {
		return ""
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// mend decides about each hyphen that ends a line. Within a line it was an optional one and goes. The cost is that of the text,
// however many lines are joined.
func mend(s string, hyphenated map[string]bool) string {
	if !strings.ContainsAny(s, "\x02-") {
		return s
	}
	out := make([]byte, 0, len(s))
	var line []byte
	for more := true; more; {
		var next string
		next, s, more = strings.Cut(s, "\n")
		line = append(line[:0], strings.TrimRight(next, " \t")...)
		for more && (bytes.HasSuffix(line, []byte{soft}) || bytes.HasSuffix(line, []byte("-"))) {
			before := line[:len(line)-1]
			next, rest, ok := strings.Cut(s, "\n")
			next = strings.TrimLeft(next, " \t")
			last, _ := utf8.DecodeLastRune(before)
			first, _ := utf8.DecodeRuneInString(next)
			if !unicode.IsLetter(last) || !unicode.IsLower(first) {
				break
			}
			line = divided(before, next, hyphenated)
			line = append(line, next...)
			s, more = rest, ok
		}
		out = within(out, string(line), hyphenated)
		if more {
			out = append(out, '\n')
		}
	}
	return string(out)
}

// within appends a line and decides about the hyphens that the engine has already joined the lines at.
func within(out []byte, line string, hyphenated map[string]bool) []byte {
	start := len(out)
	for {
		text, after, ok := strings.Cut(line, string(soft))
		out = append(out, text...)
		if !ok {
			return out
		}
		last, _ := utf8.DecodeLastRune(out[start:])
		first, _ := utf8.DecodeRuneInString(after)
		switch {
		case unicode.IsLetter(last) && unicode.IsLower(first):
			out = divided(out, after, hyphenated)
		case after == "" || unicode.IsUpper(first) || unicode.IsDigit(first):
			out = append(out, '-')
		}
		line = after
	}
}

// divided appends to the first half of a word, which ends before, the hyphen if it stays.
func divided(before []byte, after string, hyphenated map[string]bool) []byte {
	notWord := func(r rune) bool { return r != '-' && !unicode.IsLetter(r) }
	head, tail := before[max(0, len(before)-maxHyphenated):], after[:min(len(after), maxHyphenated)]
	if i := bytes.LastIndexFunc(head, notWord); i >= 0 {
		_, n := utf8.DecodeRune(head[i:])
		head = head[i+n:]
	}
	if i := strings.IndexFunc(tail, notWord); i >= 0 {
		tail = tail[:i]
	}
	if hyphenated[strings.ToLower(string(head)+"-"+tail)] {
		return append(before, '-')
	}
	return before
}

// escape keeps a line from being taken for a heading, a fence, a quotation or a rule, and makes bullets those of Markdown.
func escape(line string) string {
	for _, bullet := range []string{"• ", "● ", "▪ ", "◦ ", "\uF0B7 "} {
		if rest, ok := strings.CutPrefix(line, bullet); ok {
			return "- " + strings.TrimSpace(rest)
		}
	}
	switch {
	case strings.HasPrefix(line, "#"), strings.HasPrefix(line, "```"), strings.HasPrefix(line, "~~~"), strings.HasPrefix(line, ">"):
		return `\` + line
	case len(line) > 1 && (strings.Trim(line, "-") == "" || strings.Trim(line, "=") == "" || strings.Trim(line, "*_ ") == ""):
		return `\` + line
	}
	return line
}

// goodTitle is the title of the metadata when it was written for people: many are left there by the program that made the file.
func goodTitle(s string) string {
	s = strings.Join(strings.Fields(plain(strings.ToValidUTF8(s, ""), 1<<10)), " ")
	lower := strings.ToLower(s)
	if strings.HasPrefix(lower, "untitled") || strings.HasPrefix(lower, "microsoft ") || strings.HasPrefix(lower, "sans titre") || len(s) > 300 ||
		!strings.ContainsFunc(s, unicode.IsLetter) {
		return ""
	}
	for _, ext := range []string{".doc", ".docx", ".odt", ".rtf", ".txt", ".pdf", ".indd", ".qxd", ".ppt", ".pptx", ".xls", ".xlsx", ".dvi", ".tex", ".html", ".md"} {
		if strings.HasSuffix(lower, ext) {
			return ""
		}
	}
	return s
}
