package console

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	kbsync "kbsyncd/internal/sync"
)

// Row is a flow whose progress is shown.
type Row struct {
	Name     string
	Progress *kbsync.Progress
}

// Live keeps a line for each flow up to date until stop is called, which removes them. On anything but a terminal
// it shows nothing.
func (c *Console) Live(rows []Row) (stop func()) {
	if !c.Terminal() || len(rows) == 0 {
		return func() {}
	}
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		began := time.Now()
		for {
			select {
			case <-tick.C:
				c.redraw(rows, time.Since(began))
			case <-quit:
				c.redraw(nil, 0)
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-gone
	}
}

// Beside gives a writer for text, such as logs, that reaches the same terminal another way: the live lines make room for it.
func (c *Console) Beside(w io.Writer) io.Writer {
	if !c.Terminal() {
		return w
	}
	return beside{c, w}
}

type beside struct {
	c *Console
	w io.Writer
}

func (b beside) Write(p []byte) (int, error) {
	b.c.mu.Lock()
	defer b.c.mu.Unlock()
	b.c.erase()
	return b.w.Write(p)
}

func (c *Console) redraw(rows []Row, elapsed time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.erase()
	c.drawn = c.draw(rows, elapsed)
}

// erase takes the live lines off the screen; the caller holds the lock.
func (c *Console) erase() {
	if c.drawn > 0 {
		fmt.Fprintf(c.out, "\x1b[%dA\r\x1b[J", c.drawn)
	}
	c.drawn = 0
}

func (c *Console) draw(rows []Row, elapsed time.Duration) int {
	if w, _, err := term.GetSize(c.fd); err == nil && w > 0 {
		c.width = w
	}
	n := 0
	for _, r := range rows {
		line := stageLine(r.Progress, elapsed)
		if line == "" {
			continue
		}
		line = r.Name + "   " + line + "   " + Duration(elapsed.Truncate(time.Second))
		if utf8.RuneCountInString(line) >= c.width {
			line = string([]rune(line)[:c.width-1])
		}
		fmt.Fprintln(c.out, line)
		n++
	}
	return n
}

// stageLine says where a pass is, in a few words.
func stageLine(p *kbsync.Progress, elapsed time.Duration) string {
	switch p.Stage.Load() {
	case kbsync.StageListing:
		return fmt.Sprintf("listing   %d documents at the vendor", p.Listed.Load())
	case kbsync.StageScanning:
		s := fmt.Sprintf("scanning   %d documents", p.Scanned.Load())
		if n := p.Looked.Load(); n > 0 && p.Scanned.Load() == 0 {
			return fmt.Sprintf("looking   at %d pages", n)
		}
		if n := p.Read.Load(); n > 0 {
			s += fmt.Sprintf("   %d read", n)
		}
		return s
	case kbsync.StageSending:
		return sendingLine(p, elapsed)
	case kbsync.StageSettling:
		return fmt.Sprintf("settling   %d of %d searchable", p.Settled.Load(), p.ToSettle.Load())
	case kbsync.StageDeleting:
		return fmt.Sprintf("deleting   %d of %d", p.Deleted.Load(), p.ToDelete.Load())
	case kbsync.StageLinking:
		return "connecting agents"
	}
	return ""
}

func sendingLine(p *kbsync.Progress, elapsed time.Duration) string {
	sent, total, bytes := p.Sent.Load(), p.ToSend.Load(), p.SentBytes.Load()
	words := []string{fmt.Sprintf("uploading   %d/%d", sent, total)}
	if !p.ScanDone.Load() {
		words[0] += "+"
	}
	if s := elapsed.Seconds(); s > 0 && sent > 0 {
		words = append(words, Size(int64(float64(bytes)/s))+"/s")
		if left := total - sent; left > 0 {
			words = append(words, Duration(time.Duration(float64(elapsed)/float64(sent)*float64(left)))+" left")
		}
	}
	return strings.Join(words, "   ")
}
