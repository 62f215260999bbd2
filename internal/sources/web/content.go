package web

import (
	"context"
	"net/http"
	"os"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

// content is a document being read from the cache, where nobody changes it.
type content struct {
	file *os.File
	left int64
}

// Open implements kb.Opener: from the cache, or from the site when it still has what was listed.
func (s *Site) Open(ctx context.Context, d kb.Document) (kb.Content, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var print kb.Digest
	if copy(print[:], d.Fingerprint) != len(print) {
		return nil, fault.New(fault.ErrChanged, "%s was listed in another way", kb.Printable(string(d.Key)))
	}
	if f, ok := s.cache.open(print); ok {
		return &content{file: f, left: d.Size}, nil
	}
	if err := s.again(ctx, d, print); err != nil {
		return nil, err
	}
	f, ok := s.cache.open(print)
	if !ok {
		return nil, fault.New(fault.ErrChanged, "%s was removed from the cache", kb.Printable(string(d.Key)))
	}
	return &content{file: f, left: d.Size}, nil
}

// again asks the site for a document that the cache has lost.
func (s *Site) again(ctx context.Context, d kb.Document, print kb.Digest) error {
	u, ok := parseAddress(d.Raw)
	if !ok {
		return fault.New(fault.ErrNotFound, "%s has no address", kb.Printable(string(d.Key)))
	}
	l := s.newLook()
	p := &page{address: u.String(), url: u, path: keyPath(u, s.host), rule: byURLs}
	got, err := l.get(ctx, p)
	if err == nil && got.Status != http.StatusOK {
		return fault.New(fault.ErrNotFound, "%s answers %d", kb.Printable(string(d.Key)), got.Status)
	}
	if err == nil {
		defer func() { _ = got.Body.Close() }()
		err = l.take(ctx, p, got)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return neutral(err)
	}
	if p.now.print != print {
		return fault.New(fault.ErrChanged, "%s is not the version that was listed", kb.Printable(string(d.Key)))
	}
	return nil
}

// Read implements io.Reader.
func (c *content) Read(p []byte) (int, error) {
	n, err := c.file.Read(p)
	c.left -= int64(n)
	return n, err
}

// Close implements io.Closer.
func (c *content) Close() error { return c.file.Close() }

// Verify implements kb.Content. The bytes were compared with the fingerprint when they were opened.
func (c *content) Verify() (doubtful bool, err error) {
	if c.left != 0 {
		return false, fault.New(fault.ErrChanged, "the page was cut short on disk")
	}
	return false, nil
}
