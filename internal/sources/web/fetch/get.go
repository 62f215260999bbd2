package fetch

import (
	"context"
	"io"
	"time"

	"kbsyncd/internal/fault"
)

// Request is one page to get.
type Request struct {
	URL          string
	ETag         string // validators of what the caller has; "" for none
	LastModified string
	MaxBytes     int64  // of the decoded body; reading fails with fault.ErrUnsupported beyond it; 0: DefaultMaxBytes
	Accept       string // "": pages and texts first
}

// Page is an answer.
type Page struct {
	Status       int    // 200, 304, 404 or 410; every other outcome is an error
	URL          string // where the answer came from, after redirects
	Moved        string // where to ask next time: the end of the leading run of permanent redirects; "" when there was none
	ETag         string // validators to remember; "" when there is none, or none that can be relied on
	LastModified string
	Fresh        time.Time     // until when the site says that nothing needs to be asked; zero: ask
	ContentType  string        // as the header says
	Body         io.ReadCloser // decoded; nil unless Status is 200; the caller closes it
	Requests     int           // that it took, with redirects and repetitions
}

// Received is the number of bytes that the body took on the network, as far as it was read.
func (p *Page) Received() int64 { return 0 }

// Get asks for a page and follows redirects.
func (c *Client) Get(ctx context.Context, r Request) (*Page, error) {
	return nil, fault.New(fault.ErrIncomplete, "%s cannot be fetched yet", r.URL)
}
