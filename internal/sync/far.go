package sync

import (
	"fmt"
	"slices"
	"strings"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
)

// fetchBatch is how many documents a source that is far away is asked for at once.
const fetchBatch = 5000

// needsContent tells whether a document will be read.
func (m *merge) needsContent(f found) bool {
	if f.err != nil || m.byLink(f.doc) {
		return false
	}
	return f.parts == nil || m.decide(append([]part(nil), f.parts...), f.have).missing > 0
}

// flushFetch has the source bring what waits near, and hands it on. An error is the source's: what waits is not handed on then, and
// since the source failed nothing of it is deleted.
func (m *merge) flushFetch() error {
	far := m.far
	m.far = nil
	if len(far) == 0 {
		return nil
	}
	docs := make([]*kb.Document, len(far))
	for i := range far {
		docs[i] = &far[i].doc
	}
	if err := m.fetcher.Fetch(m.ctx, docs); err != nil {
		return fmt.Errorf("the content of %d documents cannot be had: %w", len(far), err)
	}
	for _, f := range far {
		if err := m.hand(f); err != nil {
			return err
		}
	}
	return nil
}

// byLink tells whether a document goes as an address.
func (p *pass) byLink(d kb.Document) bool { return d.Link != "" && p.rendering.Links }

// noteLink notes that a document whose source would have the vendor fetch it goes as content.
func (m *merge) noteLink(d kb.Document) {
	if d.Link == "" || m.rendering.Links {
		return
	}
	note := fmt.Sprintf("source %s says deliver: link, but %s does not fetch pages itself, so their content goes", d.Key.Source(), m.flow.Kind)
	if !slices.Contains(m.notes, note) {
		m.notes = append(m.notes, note)
	}
}

// noteEmpty notes sources that were read and gave nothing, which is seldom meant.
func (p *pass) noteEmpty() {
	for _, s := range p.sortedSources() {
		if t := p.sources[s.Name]; t != nil && !t.failed && t.seen == 0 && !p.flow.Leaving {
			p.notes = append(p.notes, fmt.Sprintf("source %s has no document; if that is not meant, look at what it includes and excludes", s.Name))
		}
	}
}

// SourceCost is what looking at a source cost, in the report. Flows of one run share their looks, and each tells of it.
type SourceCost struct {
	Source        string     `json:"source"`
	Requests      int64      `json:"requests"`
	NotModified   int64      `json:"not_modified"`
	BytesReceived int64      `json:"bytes_received"`
	DurationMS    int64      `json:"duration_ms"`
	Pages         []PageCost `json:"pages"`
}

// PageCost is what one document cost whose content was transferred.
type PageCost struct {
	Document   string `json:"document"`
	Bytes      int64  `json:"bytes"`
	Requests   int    `json:"requests"`
	DurationMS int64  `json:"duration_ms"`
}

// noteCost takes what the scan of a source cost into the report.
func (p *pass) noteCost(s Source) {
	m, ok := s.Source.(sources.Metered)
	if !ok {
		return
	}
	c := m.Cost(p.opt.Run)
	sc := SourceCost{
		Source: s.Name, Requests: c.Requests, NotModified: c.NotModified, BytesReceived: c.BytesReceived,
		DurationMS: c.Duration.Milliseconds(), Pages: []PageCost{},
	}
	for _, pg := range c.Pages {
		sc.Pages = append(sc.Pages, PageCost{kb.Printable(string(pg.Key)), pg.Bytes, pg.Requests, pg.Duration.Milliseconds()})
	}
	p.costs = append(p.costs, sc)
}

// shapes names the settings of sources that change what is sent of their documents; "" when all are as usual.
func (p *pass) shapes() string {
	var b strings.Builder
	for _, s := range p.sortedSources() {
		if sh, ok := s.Source.(sources.Shaped); ok && sh.Shape() != "" {
			fmt.Fprintf(&b, " %s=%q", s.Name, sh.Shape())
		}
	}
	return b.String()
}
