package convert

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

const (
	offsetBasis = 14695981039346656037
	fnvPrime    = 1099511628211
)

// fence is the code block that the present line is in.
type fence struct {
	char byte // 0 outside
	run  int
}

// step follows code blocks and tells whether the line opens one.
func (f *fence) step(head []byte) (opens bool) {
	char, run, rest := fenceRun(head)
	if run == 0 {
		return false
	}
	if f.char == 0 {
		if char == '`' && bytes.IndexByte(rest, '`') >= 0 {
			return false // code within a line
		}
		*f = fence{char, run}
		return true
	}
	if char == f.char && run >= f.run && len(bytes.TrimSpace(rest)) == 0 {
		*f = fence{}
	}
	return false
}

// fenceRun reads the run of ` or ~ that a code fence consists of.
func fenceRun(head []byte) (char byte, run int, rest []byte) {
	head = dropIndent(head)
	if len(head) < 3 || head[0] != '`' && head[0] != '~' {
		return 0, 0, nil
	}
	for run < len(head) && head[run] == head[0] {
		run++
	}
	if run < 3 {
		return 0, 0, nil
	}
	return head[0], run, head[run:]
}

func dropIndent(head []byte) []byte {
	for i := 0; i < 3 && len(head) > 0 && head[0] == ' '; i++ {
		head = head[1:]
	}
	return head
}

// headingLevel counts the signs that a heading begins with; 0 is no heading. Only Markdown has empty and indented headings.
func headingLevel(head []byte, sign byte) int {
	if sign == '#' {
		head = dropIndent(head)
	}
	n := 0
	for n < len(head) && head[n] == sign {
		n++
	}
	if n > headingLevels || n == len(head) && sign != '#' || n < len(head) && !inlineSpace(head[n]) && head[n] != '\r' {
		return 0
	}
	return n
}

// headings are those that a line stands under. Its memory is used again.
type headings [headingLevels][]byte

func (p *headings) clear() {
	for i := range p {
		p[i] = p[i][:0]
	}
}

// enter goes on with what stands under a heading line. One that is underlined is told with signs.
func (p *headings) enter(level int, line []byte, underlined bool) {
	line = bytes.TrimSpace(wholeRunes(line))
	for i := level - 1; i < len(p); i++ {
		p[i] = p[i][:0]
	}
	switch {
	case underlined:
		p[level-1] = append(append(p[level-1], "## "[2-level:]...), line...)
	case len(line) > level: // else it is empty
		p[level-1] = append(p[level-1], line...)
	}
}

// underline tells by the line below one whether that is a heading of Markdown, and of which level.
func underline(below []byte) int {
	below = dropIndent(below)
	if len(below) < 2 || below[0] != '=' && below[0] != '-' {
		return 0
	}
	sign, n := below[0], 0
	for n < len(below) && below[n] == sign {
		n++
	}
	for end := n; end < len(below); end++ {
		if c := below[end]; c == '\n' {
			break
		} else if c != '\r' && !inlineSpace(c) {
			return 0
		}
	}
	switch {
	case n < 2:
		return 0
	case sign == '=':
		return 1
	default:
		return 2
	}
}

// prefix appends what is to stand before a part: the headings above a level (0: all of them) and an empty line, in at most most
// bytes. Those next to the part are told rather than those far above.
func (p *headings) prefix(dst []byte, level, most int) []byte {
	if level == 0 {
		level = headingLevels + 1
	}
	first, size := level-1, 1
	for first > 0 && size+len(p[first-1])+1 <= most {
		first--
		if len(p[first]) > 0 {
			size += len(p[first]) + 1
		}
	}
	if size == 1 {
		return dst
	}
	for _, line := range p[first : level-1] {
		if len(line) > 0 {
			dst = append(append(dst, line...), '\n')
		}
	}
	return append(dst, '\n')
}

// sentenceEnd tells whether b begins with the end of a sentence that another one follows on the same line, and how long it is
// with the white space after it.
func sentenceEnd(b []byte) int {
	n := sentenceMark(b)
	if n == 0 {
		return 0
	}
	wide := n > 1 // Chinese and Japanese have no space there
	for n < len(b) && closes(b[n]) {
		n++
	}
	gap := n
	for n < len(b) && n < lineHead && inlineSpace(b[n]) {
		n++
	}
	if n == len(b) || n == lineHead || n == gap && !wide || b[n] == '\n' || b[n] == '\r' {
		return 0
	}
	if r, _ := utf8.DecodeRune(b[n:]); unicode.IsLower(r) {
		return 0 // more likely an abbreviation
	}
	return n
}

// sentenceMark is the length of the mark that ends a sentence.
func sentenceMark(b []byte) int {
	switch b[0] {
	case '.', '!', '?':
		return 1
	case 0xE3:
		if bytes.HasPrefix(b, []byte("。")) {
			return 3
		}
	case 0xEF:
		if bytes.HasPrefix(b, []byte("！")) || bytes.HasPrefix(b, []byte("？")) {
			return 3
		}
	}
	return 0
}

// endsSentence tells a line at whose end a sentence ends.
func endsSentence(line []byte) bool {
	n := len(line)
	for n > 0 && (inlineSpace(line[n-1]) || line[n-1] == '\r' || closes(line[n-1])) {
		n--
	}
	return n > 0 && sentenceMark(line[n-1:]) > 0 || n >= 3 && sentenceMark(line[n-3:]) == 3
}

// closes tells what may stand between the end of a sentence and the space after it.
func closes(c byte) bool {
	return c == '"' || c == '\'' || c == ')' || c == ']' || c == '*' || c == '_'
}

// startsBlock tells a line that does not go on with the line before: an item, a row, a quotation, code.
func startsBlock(head []byte) bool {
	if bytes.HasPrefix(head, []byte("    ")) || bytes.HasPrefix(head, []byte("\t")) {
		return true
	}
	head = dropIndent(head)
	n := 0
	for n < len(head) && n < 9 && head[n] >= '0' && head[n] <= '9' {
		n++
	}
	switch {
	case n > 0:
		return n+1 < len(head) && (head[n] == '.' || head[n] == ')') && inlineSpace(head[n+1])
	case len(head) == 0:
		return false
	case bytes.IndexByte([]byte("|><`~"), head[0]) >= 0:
		return true
	default:
		return len(head) > 1 && bytes.IndexByte([]byte("-*+."), head[0]) >= 0 && inlineSpace(head[1])
	}
}

func inlineSpace(c byte) bool { return c == ' ' || c == '\t' }

// fnv is the FNV-1a hash: it gives every line its own, stable weight.
func fnv(b []byte) uint64 {
	h := uint64(offsetBasis)
	for _, c := range b {
		h = (h ^ uint64(c)) * fnvPrime
	}
	return h
}
