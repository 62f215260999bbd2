package web

import (
	"cmp"
	"context"
	"net/http"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/web/fetch"
)

var _ sources.Prober = (*Site)(nil)

// Probe implements sources.Prober: it asks for the sitemap, the page that the crawl starts at, or the first page.
func (s *Site) Probe(ctx context.Context) error {
	first := ""
	if len(s.urls) > 0 {
		first = s.urls[0].text
	}
	address := cmp.Or(s.cfg.Sitemap, s.cfg.Crawl.Start, first)
	got, err := s.client.Get(ctx, fetch.Request{URL: address, MaxBytes: maxFile})
	if err != nil {
		return neutral(err)
	}
	if got.Body != nil {
		_ = got.Body.Close() // what it holds is for a look
	}
	if got.Status != http.StatusOK {
		return fault.New(fault.ErrIncomplete, "%s answers %d", kb.Printable(shown(address)), got.Status).WithHint("correct the address")
	}
	return nil
}
