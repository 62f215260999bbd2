package plain

import (
	"context"
	"html"
	"iter"
	"regexp"
	"strconv"
	"strings"
	"time"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

var (
	// cueTimes is the line above a cue: SRT and VTT with an arrow, SBV with a comma. Hours may be missing.
	cueTimes = regexp.MustCompile(`^\s*((?:\d+:)?\d{1,2}:\d{1,2}[.,]\d{1,3})\s*(?:-->|,)\s*((?:\d+:)?\d{1,2}:\d{1,2}[.,]\d{1,3})`)
	voice    = regexp.MustCompile(`<v(?:\.[^ >]*)?\s+([^>]+)>`)
	cueTags  = regexp.MustCompile(`<[^<>]{0,200}>|\{\\[^{}]{0,200}\}`)
)

const (
	cuePause  = 2 * time.Second // between cues begins a paragraph
	paragraph = 600             // bytes after which the end of a sentence ends it

	maxSubtitles = 16 << 20 // bytes: those of a day have one or two million
	maxCueLines  = 1000     // of one cue
)

// cue is a piece of text with its time.
type cue struct {
	from, to time.Duration
	lines    []string
}

// Subtitles is the reader of subtitles (SRT, WebVTT, SBV): their text without numbers and times, in paragraphs by pauses and speakers.
// What captions that roll repeat is written once.
func Subtitles(ctx context.Context, src []byte, l markup.Limits) (markup.Result, error) {
	if len(src) > maxSubtitles {
		return markup.Result{}, fault.New(fault.ErrUnsupported, "it has %d MB, above the limit of %d MB for subtitles", len(src)>>20, maxSubtitles>>20).
			WithHint("divide it into smaller files")
	}
	text, err := decode(ctx, src, l)
	if err != nil {
		return markup.Result{}, err
	}
	w := markup.NewWriter(l.Output)
	var p speech
	var before cue
	n := 0
	for c := range cues(strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\n", "\n"), "\r", "\n")) {
		if n%1000 == 0 && ctx.Err() != nil {
			return markup.Result{}, ctx.Err()
		}
		if len(c.lines) > maxCueLines {
			return markup.Result{}, fault.New(fault.ErrUnsupported, "it shows more than %d lines at one time", maxCueLines).WithHint("save it as plain text")
		}
		for _, line := range unrolled(before.lines, c.lines) {
			switch {
			case p.last != "" && len(c.lines) == 1 && len(before.lines) == 1 && strings.HasPrefix(line, p.last+" "): // a caption that grows
				p.last = ""
			case n > 0 && c.from-before.to >= cuePause, speaks(line), p.size > paragraph && strings.ContainsAny(p.last[max(0, len(p.last)-1):], ".?!…"):
				p.end(w)
			}
			p.add(line)
			before.to = c.to
		}
		before = c
		n++
	}
	if n == 0 {
		return markup.Result{}, fault.New(fault.ErrUnsupported, "it holds no subtitles").WithHint("save it as SRT or WebVTT, or as plain text")
	}
	p.end(w)
	return w.Result("")
}

// speech is a paragraph while it grows. Its last line stays apart, because the next may replace it.
type speech struct {
	text strings.Builder
	last string
	size int // bytes of all lines, those that were replaced too
}

func (p *speech) add(line string) {
	p.flush()
	p.last = line
	p.size += len(line)
}

func (p *speech) flush() {
	if p.text.Len() > 0 && p.last != "" {
		p.text.WriteByte(' ')
	}
	p.text.WriteString(p.last)
	p.last = ""
}

// end writes the paragraph and begins another.
func (p *speech) end(w *markup.Writer) {
	p.flush()
	w.Paragraph(markup.Text(p.text.String()))
	*p = speech{}
}

// speaks tells that another person begins to speak.
func speaks(line string) bool {
	if strings.HasPrefix(line, "- ") || strings.HasPrefix(line, ">>") {
		return true
	}
	name, _, ok := strings.Cut(line, ": ")
	return ok && name != "" && len(name) < 40 && len(strings.Fields(name)) <= 3 && name[0] != '"'
}

// unrolled are the lines of a cue that the one before it has not shown.
func unrolled(before, now []string) []string {
	for n := min(len(before), len(now)); n > 0; n-- {
		same := true
		for i := 0; same && i < n; i++ {
			same = before[len(before)-n+i] == now[i]
		}
		if same {
			return now[n:]
		}
	}
	return now
}

// cues reads all three formats: a line of times begins a cue, a blank line ends it, and all else is not said. Cues without text are
// left out; of one with too many lines only the first are kept, one above the limit.
func cues(text string) iter.Seq[cue] {
	return func(yield func(cue) bool) {
		var c *cue
		for line := range strings.SplitSeq(text, "\n") {
			if m := cueTimes.FindStringSubmatch(line); m != nil {
				if c != nil && len(c.lines) > 0 && !yield(*c) {
					return
				}
				c = &cue{from: clock(m[1]), to: clock(m[2])}
				continue
			}
			if c == nil {
				continue
			}
			if strings.TrimSpace(line) == "" {
				if len(c.lines) > 0 && !yield(*c) {
					return
				}
				if len(c.lines) > 0 || line == "" {
					c = nil
				}
				continue
			}
			line = voice.ReplaceAllString(line, "$1: ")
			line = html.UnescapeString(cueTags.ReplaceAllString(line, ""))
			if line = oneLine(line); line != "" && len(c.lines) <= maxCueLines {
				c.lines = append(c.lines, line)
			}
		}
		if c != nil && len(c.lines) > 0 {
			yield(*c)
		}
	}
}

// clock is a time such as 1:02:03.456 or 02:03,456.
func clock(s string) time.Duration {
	s = strings.ReplaceAll(s, ",", ".")
	var total float64
	for part := range strings.SplitSeq(s, ":") {
		n, err := strconv.ParseFloat(part, 64)
		if err != nil {
			return 0
		}
		total = total*60 + n
	}
	return time.Duration(min(total, 1e6) * float64(time.Second))
}
