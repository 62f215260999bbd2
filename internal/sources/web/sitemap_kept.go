package web

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// keptForm is raised when the form of kept sitemaps changes: those of another form are asked for anew.
const keptForm = 1

// maxKept is more than encode writes for any sitemap: its addresses, and what is around them.
const maxKept = 2 * maxListed

// What a line of a kept sitemap begins with.
const (
	keptPage    = "p "
	keptMap     = "m "
	keptStrange = "x " // and an example, or nothing
)

// encode writes a sitemap as it is kept between looks, a line for each entry. Clean addresses and examples hold no line break.
func (s *sitemap) encode() []byte {
	var b bytes.Buffer
	line := func(kind, text string) {
		b.WriteString(kind)
		b.WriteString(text)
		b.WriteByte('\n')
	}
	for _, a := range s.pages {
		line(keptPage, a)
	}
	for _, a := range s.maps {
		line(keptMap, a)
	}
	for i := range s.unreadable {
		text := ""
		if i < len(s.examples) {
			text = s.examples[i]
		}
		line(keptStrange, text)
	}
	return b.Bytes()
}

// decodeSitemap reads what encode wrote; ok is false for anything else.
func decodeSitemap(b []byte) (s sitemap, ok bool) {
	for line := range strings.SplitSeq(strings.TrimSuffix(string(b), "\n"), "\n") {
		kind, text := line[:min(2, len(line))], line[min(2, len(line)):]
		switch kind {
		case "":
			if len(b) > 0 {
				return sitemap{}, false
			}
		case keptPage:
			s.pages = append(s.pages, text)
			s.bytes += len(text)
		case keptMap:
			s.maps = append(s.maps, text)
			s.bytes += len(text)
		case keptStrange:
			s.strange(text)
		default:
			return sitemap{}, false
		}
	}
	return s, true
}

// keptSitemap is what the cache has of a sitemap.
func (l *look) keptSitemap(e *entry) (sitemap, bool) {
	f, ok := l.cache.open(e.print)
	if !ok {
		return sitemap{}, false
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxKept+1))
	if err != nil || len(b) > maxKept {
		return sitemap{}, false
	}
	return decodeSitemap(b)
}

// keepAnswer puts a sitemap into the cache, when its server tells the next time whether it changed.
func (l *look) keepAnswer(s *sitemap, e *entry, old *entry) error {
	if e.etag == "" && e.modified == "" {
		return nil
	}
	d, n, err := l.cache.add(bytesReader(s.encode()))
	if err != nil {
		return err
	}
	if e.print, e.size = d, n; old == nil || d != old.print {
		l.wrote.Store(true)
	}
	return nil
}

func (l *look) noteSitemap(address string, e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.maps[address] = e
}

// fileTally is how many addresses a file had, which is remembered where an entry of a page has the way to its content.
func fileTally(e *entry) (t tally) {
	if e != nil {
		if n, err := fmt.Sscan(e.way, &t.had, &t.low, &t.runs); n != 3 || err != nil || t.had < 0 || t.low < 0 || t.runs < 0 {
			return tally{}
		}
	}
	return t
}

func (e *entry) setTally(t tally) { e.way = fmt.Sprintln(t.had, t.low, t.runs) }
