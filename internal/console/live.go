package console

import (
	"fmt"
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
		began, drawn := time.Now(), 0
		for {
			select {
			case <-tick.C:
				c.erase(drawn)
				drawn = c.draw(rows, time.Since(began))
			case <-quit:
				c.erase(drawn)
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-gone
	}
}

func (c *Console) erase(lines int) {
	if lines > 0 {
		fmt.Fprintf(c.out, "\x1b[%dA\r\x1b[J", lines)
	}
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
		line = r.Name + "   " + line
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
