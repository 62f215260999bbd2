package convert

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

// Open gives the bytes of one part for sending. When they are not those of the part's digest, opening fails or reading ends
// with fault.ErrChanged before the last bytes are given out, so that a request of a fixed length cannot complete.
func Open(ctx context.Context, d kb.Document, p Part) (io.ReadCloser, error) {
	if p.Converted() {
		return openMade(ctx, d, p)
	}
	src, err := d.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	if err := skip(src, p.Offset); err != nil {
		_ = src.Close()
		return nil, err
	}
	var content io.Reader = src
	if p.Prefix != "" {
		content = io.MultiReader(strings.NewReader(p.Prefix), src)
	}
	return &partReader{ctx: ctx, content: content, Closer: src, part: p, left: p.Size, sum: sha256.New()}, nil
}

// openMade gives a part of what a document is converted to: as it was kept, or made again.
func openMade(ctx context.Context, d kb.Document, p Part) (io.ReadCloser, error) {
	if made := products.get(d, p.made); made != nil {
		if b, ok := made.part(p); ok {
			return io.NopCloser(bytes.NewReader(b)), nil
		}
	}
	made, err := produceAnew(ctx, d, p.made, func([]byte) error { return nil })
	if err != nil {
		return nil, err
	}
	b, ok := made.part(p)
	if !ok {
		return nil, fault.New(fault.ErrChanged, "it is not what it was when it was first read")
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// part gives the bytes of a part when they are those of its digest.
func (p *product) part(pt Part) ([]byte, bool) {
	size := pt.Size - int64(len(pt.Prefix))
	if size < 0 || pt.Offset+size > int64(len(p.data)) {
		return nil, false
	}
	b := p.data[pt.Offset : pt.Offset+size]
	if pt.Prefix != "" {
		b = append([]byte(pt.Prefix), b...)
	}
	return b, kb.Sum(b) == pt.Digest
}

func skip(src io.Reader, n int64) error {
	if n == 0 {
		return nil
	}
	if s, ok := src.(io.Seeker); ok {
		_, err := s.Seek(n, io.SeekStart)
		if err != nil {
			err = fmt.Errorf("seek: %w", err)
		}
		return err
	}
	if _, err := io.CopyN(io.Discard, src, n); err != nil {
		return shortened(err)
	}
	return nil
}

// partReader gives a part's bytes and checks them on the way. The context lives here because
// io.Reader has no place for it: the reader is made for one request and ends with it.
type partReader struct {
	io.Closer
	ctx     context.Context
	content io.Reader // the prefix and the source
	part    Part
	left    int64
	sum     hash.Hash
	err     error
}

// Read gives the next bytes; the last ones only when all of them are right.
func (r *partReader) Read(b []byte) (int, error) {
	if r.err != nil || len(b) == 0 {
		return 0, r.err
	}
	if r.err = r.ctx.Err(); r.err != nil {
		return 0, r.err
	}
	if r.left == 0 {
		r.err = io.EOF
		return 0, r.err
	}
	n, err := r.content.Read(b[:min(int64(len(b)), r.left)])
	r.sum.Write(b[:n])
	if r.left -= int64(n); r.left > 0 {
		if err != nil {
			r.err = shortened(err)
		}
		return n, r.err
	}
	var got kb.Digest
	r.sum.Sum(got[:0])
	if got != r.part.Digest {
		r.err = fault.New(fault.ErrChanged, "it is not what it was when it was first read")
		return 0, r.err
	}
	r.err = io.EOF
	return n, r.err
}

// shortened explains an end that comes too early.
func shortened(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.New(fault.ErrChanged, "it is shorter than when it was first read")
	}
	return fmt.Errorf("read: %w", err)
}
