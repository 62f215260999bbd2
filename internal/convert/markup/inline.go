package markup

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Style is how a run of text looks. Styles may be combined.
type Style uint8

// The styles. Code and Raw stand alone.
const (
	Bold Style = 1 << iota
	Italic
	Strike
	Super // raised: digits become ², so that 10² is not 102
	Sub   // lowered: digits become ₂
	Code
	Raw // the text is Markdown already: a mark of a footnote, for example
)

// Run is text of one look. A line feed in it is a line break within the paragraph.
type Run struct {
	Text  string
	Style Style
	Link  string // an address, or "" for none; only addresses that work outside of the document are written
}

// Inline is the text of one paragraph, heading, list item or table cell.
type Inline []Run

// Text makes an Inline of plain text.
func Text(s string) Inline { return Inline{{Text: s}} }

// A document may be one endless paragraph, or one of millions of runs.
const (
	joinBelow = 256     // up to where short runs that look the same are joined as they come
	maxRuns   = 100_000 // of one paragraph; what follows looks like the last of them
)

// Add appends text.
func (p *Inline) Add(r Run) {
	if r.Text == "" {
		return
	}
	if n := len(*p); n > 0 {
		last := &(*p)[n-1]
		if n >= maxRuns {
			r.Style, r.Link = last.Style, last.Link
		}
		if last.Style == r.Style && last.Link == r.Link && len(last.Text) < joinBelow {
			last.Text += r.Text
			return
		}
	}
	*p = append(*p, r)
}

// Plain is the text without any markup, as one line.
func (p Inline) Plain() string {
	var b strings.Builder
	for _, r := range p {
		if r.Style&Raw == 0 {
			b.WriteString(scripts(r.Text, r.Style))
		}
	}
	return strings.Join(strings.Fields(Clean(b.String())), " ")
}

// Blank tells whether there is nothing to read.
func (p Inline) Blank() bool {
	for _, r := range p {
		if strings.TrimSpace(Clean(r.Text)) != "" {
			return false
		}
	}
	return true
}

// Unstyled is the text with its links but without emphasis: headings are emphasised as they are.
func (p Inline) Unstyled() Inline {
	out := make(Inline, 0, len(p))
	for _, r := range p {
		r.Style &^= Bold | Italic
		out.Add(r)
	}
	return out
}

// lines renders the text. Nothing in it can be taken for the beginning of a block.
func (p Inline) lines() []string {
	lines := p.render()
	for i, line := range lines {
		lines[i] = guard(line)
	}
	return lines
}

// render renders the text, one string for each line that is not blank.
func (p Inline) render() []string {
	runs := p.tidy()
	var b strings.Builder
	for i := 0; i < len(runs); {
		end := i + 1
		for end < len(runs) && runs[end].Link == runs[i].Link {
			end++
		}
		var part strings.Builder
		for ; i < end; i++ {
			writeRun(&part, runs, i)
		}
		if link := runs[end-1].Link; link != "" {
			text := strings.TrimSpace(part.String())
			before, after, _ := strings.Cut(part.String(), text)
			b.WriteString(before + "[" + text + "](" + link + ")" + after)
		} else {
			b.WriteString(part.String())
		}
	}
	var lines []string
	for line := range strings.SplitSeq(b.String(), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// tidy cleans the text, drops links that say nothing, and joins what has become alike.
func (p Inline) tidy() Inline {
	out := make(Inline, 0, len(p))
	for _, r := range p {
		if r.Style&Raw == 0 {
			r.Text = scripts(Clean(r.Text), r.Style)
			r.Style &^= Super | Sub
		}
		r.Link = destination(r.Link)
		if trimmed := strings.TrimSpace(r.Text); r.Link != "" && (trimmed == "" || sameAddress(trimmed, r.Link)) {
			r.Link = ""
		}
		if strings.TrimSpace(r.Text) == "" && len(out) > 0 { // space has no look of its own
			r.Style, r.Link = out[len(out)-1].Style&^(Raw|Code), out[len(out)-1].Link
		}
		if r.Text != "" {
			out = append(out, r)
		}
	}
	return out.joined()
}

// joined makes one run of those that look alike and follow each other.
func (p Inline) joined() Inline {
	out := p[:0]
	for i := 0; i < len(p); {
		end := i + 1
		for end < len(p) && p[end].Style == p[i].Style && p[end].Link == p[i].Link {
			end++
		}
		run := p[i]
		if end > i+1 {
			var b strings.Builder
			for _, r := range p[i:end] {
				b.WriteString(r.Text)
			}
			run.Text = b.String()
		}
		out = append(out, run)
		i = end
	}
	return out
}

var (
	raised  = strings.NewReplacer("0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴", "5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹", "+", "⁺", "-", "⁻", "−", "⁻", "n", "ⁿ")
	lowered = strings.NewReplacer("0", "₀", "1", "₁", "2", "₂", "3", "₃", "4", "₄", "5", "₅", "6", "₆", "7", "₇", "8", "₈", "9", "₉", "+", "₊", "-", "₋", "−", "₋", "n", "ₙ")
)

// scripts writes raised and lowered numbers in their own characters. Other text, as in 1st, stays as it is.
func scripts(s string, style Style) string {
	if style&(Super|Sub) == 0 || strings.Trim(s, "0123456789+-−n") != "" {
		return s
	}
	if style&Super != 0 {
		return raised.Replace(s)
	}
	return lowered.Replace(s)
}

// writeRun writes runs[i]. Emphasis that begins or ends within a word is left out: readers of Markdown disagree about it, and the word could
// not be found any more. Blanks go outside of the marks.
func writeRun(b *strings.Builder, runs Inline, i int) {
	r := runs[i]
	if r.Style&Raw != 0 {
		b.WriteString(r.Text)
		return
	}
	core := strings.TrimSpace(r.Text)
	at := strings.Index(r.Text, core)
	before, after := r.Text[:at], r.Text[at+len(core):]
	b.WriteString(before)
	defer b.WriteString(after)
	if core == "" {
		return
	}
	prev, next := ' ', ' '
	if before == "" && i > 0 {
		prev, _ = utf8.DecodeLastRuneInString(runs[i-1].Text)
	}
	if after == "" && i+1 < len(runs) {
		next, _ = utf8.DecodeRuneInString(runs[i+1].Text)
	}
	mark := ""
	if !word(prev) && !word(next) && !strings.Contains(core, "\n") {
		if r.Style&Code != 0 {
			writeCode(b, core)
			return
		}
		mark = marks(r.Style)
	}
	b.WriteString(mark)
	escape(b, core, r.Link != "", i+1 < len(runs) && runs[i+1].Link != "" && r.Link == "")
	for j := len(mark) - 1; j >= 0; j-- {
		b.WriteByte(mark[j])
	}
}

func marks(s Style) string {
	m := ""
	if s&Strike != 0 {
		m = "~~"
	}
	if s&Bold != 0 {
		m += "**"
	}
	if s&Italic != 0 {
		m += "*"
	}
	return m
}

func word(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }

// writeCode writes a code span within more backticks than it holds in a row.
func writeCode(b *strings.Builder, s string) {
	ticks := strings.Repeat("`", longestRun(s, '`')+1)
	pad := ""
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		pad = " "
	}
	b.WriteString(ticks + pad + s + pad + ticks)
}

func longestRun(s string, c byte) int {
	longest, run := 0, 0
	for i := range len(s) {
		if s[i] == c {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	return longest
}

// destination is the address as it may stand between parentheses, or "" for one that leads nowhere outside of the document.
func destination(link string) string {
	link = strings.TrimSpace(link)
	scheme, _, ok := strings.Cut(link, ":")
	if !ok {
		return ""
	}
	switch strings.ToLower(scheme) {
	case "http", "https", "ftp", "mailto", "tel":
	default:
		return ""
	}
	var b strings.Builder
	for _, r := range link {
		switch {
		case r == '(', r == ')', r == '<', r == '>', r == '\\', r == '|', r <= ' ', r == 0x7f:
			const hex = "0123456789ABCDEF"
			b.Write([]byte{'%', hex[r>>4&15], hex[r&15]})
		case r == utf8.RuneError || unicode.IsControl(r) || unicode.IsSpace(r):
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// sameAddress tells that a link's text is its address: written once is enough.
func sameAddress(text, link string) bool {
	strip := func(s string) string {
		for _, p := range []string{"https://", "http://", "mailto:", "tel:"} {
			s = strings.TrimPrefix(s, p)
		}
		return strings.TrimSuffix(s, "/")
	}
	return strip(text) == strip(link)
}
