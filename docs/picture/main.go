// Command picture turns what a terminal showed into an SVG: it reads text with ANSI colours from standard input and
// writes the picture to standard output. `make picture` makes the one in the README from the real program.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"html"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	charWidth  = 8.4
	lineHeight = 19
	margin     = 16
)

var (
	styles = map[string]string{
		"1": ` font-weight="bold"`, "2": ` fill="#8b949e"`, "31": ` fill="#ff7b72"`, "32": ` fill="#7ee787"`,
		"33": ` fill="#e3b341"`, "36": ` fill="#79c0ff"`,
	}
	escape = regexp.MustCompile(`\x1b\[([0-9;]*)([A-Za-z])`)
)

func main() {
	if err := draw(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

// draw writes one text element for each line.
func draw(r io.Reader, w io.Writer) error {
	var body bytes.Buffer
	widest, n := 0, 0
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		// What was erased again, such as a progress line, is not shown.
		if i := strings.LastIndex(line, "\x1b[J"); i >= 0 {
			line = line[i+len("\x1b[J"):]
		}
		widest = max(widest, utf8.RuneCountInString(escape.ReplaceAllString(line, "")))
		fmt.Fprintf(&body, "<text x=\"%d\" y=\"%d\" xml:space=\"preserve\">%s</text>\n", margin, margin+lineHeight*(n+1)-5, spans(line))
		n++
	}
	width, height := int(float64(widest)*charWidth)+2*margin, n*lineHeight+2*margin
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">
<rect width="100%%" height="100%%" rx="8" fill="#0d1117"/>
<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="14" fill="#e6edf3">
%s</g>
</svg>
`, width, height, width, height, body.String())
	if err == nil {
		err = lines.Err()
	}
	return err
}

// spans colours one line.
func spans(line string) string {
	var b strings.Builder
	style, rest := "", line
	put := func(text string) {
		if text == "" {
			return
		}
		if style == "" {
			b.WriteString(html.EscapeString(text))
			return
		}
		fmt.Fprintf(&b, "<tspan%s>%s</tspan>", style, html.EscapeString(text))
	}
	for {
		at := escape.FindStringSubmatchIndex(rest)
		if at == nil {
			put(rest)
			return b.String()
		}
		put(rest[:at[0]])
		if rest[at[4]:at[5]] == "m" {
			style = styles[rest[at[2]:at[3]]]
		}
		rest = rest[at[1]:]
	}
}
