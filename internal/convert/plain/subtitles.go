package plain

import (
	"context"
	"html"
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
)

// cue is a piece of text with its time.
type cue struct {
	from, to time.Duration
	lines    []string
}

// Subtitles is the reader of subtitles (SRT, WebVTT, SBV): their text without numbers and times, in paragraphs by pauses and speakers.
// What captions that roll repeat is written once.
func Subtitles(ctx context.Context, src []byte, l markup.Limits) (markup.Result, error) {
	text, err := decode(ctx, src, l)
	if err != nil {
		return markup.Result{}, err
	}
	cues := parseCues(strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\n", "\n"), "\r", "\n"))
	if len(cues) == 0 {
		return markup.Result{}, fault.New(fault.ErrUnsupported, "it holds no subtitles").WithHint("save it as SRT or WebVTT, or as plain text")
	}
	if err := ctx.Err(); err != nil {
		return markup.Result{}, err
	}
	w := markup.NewWriter(l.Output)
	var p []string
	size := 0
	end := func() {
		if len(p) > 0 {
			w.Paragraph(markup.Text(strings.Join(p, " ")))
		}
		p, size = nil, 0
	}
	var before cue
	for i, c := range cues {
		fresh := unrolled(before.lines, c.lines)
		for _, line := range fresh {
			last := ""
			if len(p) > 0 {
				last = p[len(p)-1]
			}
			switch {
			case last != "" && len(c.lines) == 1 && len(before.lines) == 1 && strings.HasPrefix(line, last+" "): // a caption that grows
				p = p[:len(p)-1]
			case i > 0 && c.from-before.to >= cuePause, speaks(line), size > paragraph && strings.ContainsAny(last[max(0, len(last)-1):], ".?!…"):
				end()
			}
			p = append(p, line)
			size += len(line)
			before.to = c.to
		}
		before = c
	}
	end()
	return w.Result("")
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
		for i := range n {
			same = same && before[len(before)-n+i] == now[i]
		}
		if same {
			return now[n:]
		}
	}
	return now
}

// parseCues reads all three formats: a line of times begins a cue, a blank line ends it, and all else is not said.
func parseCues(text string) []cue {
	var cues []cue
	var c *cue
	for line := range strings.SplitSeq(text, "\n") {
		if m := cueTimes.FindStringSubmatch(line); m != nil {
			cues = append(cues, cue{from: clock(m[1]), to: clock(m[2])})
			c = &cues[len(cues)-1]
			continue
		}
		if strings.TrimSpace(line) == "" {
			if c != nil && (len(c.lines) > 0 || line == "") {
				c = nil
			}
			continue
		}
		if c == nil {
			continue
		}
		line = voice.ReplaceAllString(line, "$1: ")
		line = html.UnescapeString(cueTags.ReplaceAllString(line, ""))
		if line = strings.Join(strings.Fields(markup.Clean(line)), " "); line != "" {
			c.lines = append(c.lines, line)
		}
	}
	kept := cues[:0]
	for _, c := range cues {
		if len(c.lines) > 0 {
			kept = append(kept, c)
		}
	}
	return kept
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
