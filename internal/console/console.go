// Package console shows plans, progress and outcomes to people. It writes text and knows nothing of how a pass works. Colours and
// the live lines are for terminals only; a pipe gets the summary.
package console

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// Console writes to one stream.
type Console struct {
	out   io.Writer
	color bool
	width int // columns of the terminal; 0 when there is none
	fd    int

	mu    sync.Mutex // guards what is on the screen below the text
	drawn int        // live lines on the screen
}

// New makes a console on out. A stream that is a terminal gets colours, unless NO_COLOR is set or TERM is "dumb".
func New(out io.Writer, env func(string) (string, bool)) *Console {
	c := &Console{out: out, fd: -1}
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return c
	}
	c.fd = int(f.Fd())
	c.width = 80
	if w, _, err := term.GetSize(c.fd); err == nil && w > 0 {
		c.width = w
	}
	_, no := env("NO_COLOR")
	t, _ := env("TERM")
	c.color = !no && t != "dumb"
	return c
}

// Terminal tells whether somebody is watching.
func (c *Console) Terminal() bool { return c.width > 0 }

// Printf writes text.
func (c *Console) Printf(format string, args ...any) {
	fmt.Fprintf(c.out, format, args...)
}

// The styles.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

func (c *Console) style(code, s string) string {
	if !c.color {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// pad fills s with spaces to n columns.
func pad(s string, n int) string {
	if w := utf8.RuneCountInString(s); w < n {
		return s + strings.Repeat(" ", n-w)
	}
	return s
}

// Size is a number of bytes for people: "12.4 KB".
func Size(n int64) string {
	switch {
	case n < 1000:
		return strconv.FormatInt(n, 10) + " B"
	case n < 1000_000:
		return fmt.Sprintf("%.1f KB", float64(n)/1e3)
	case n < 1000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// Plural is a count with its noun: "1 upload", "2 uploads".
func Plural[N int | int64](n N, noun string) string {
	s := strconv.FormatInt(int64(n), 10) + " " + noun
	if n == 1 {
		return s
	}
	if strings.HasSuffix(noun, "y") {
		return strings.TrimSuffix(s, "y") + "ies"
	}
	if strings.HasSuffix(noun, "ch") {
		return s + "es"
	}
	return s + "s"
}

// Duration is a time span for people: "4.2 s", "3 min 20 s".
func Duration(d time.Duration) string {
	switch {
	case d == 0:
		return "0 s"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// Ago is how long ago t was, for people.
func Ago(t time.Time) string {
	d := time.Since(t)
	switch {
	case t.IsZero():
		return "never"
	case d < 0:
		return "at " + t.Local().Format("2006-01-02 15:04")
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return Plural(int(d.Minutes()), "minute") + " ago"
	case d < 48*time.Hour:
		return Plural(int(d.Hours()), "hour") + " ago"
	}
	return "on " + t.Local().Format("2006-01-02")
}
