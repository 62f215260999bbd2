package convert

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

// Open gives the bytes of one part for sending. When they are not those of the part's digest, reading ends
// with fault.ErrChanged before the last bytes are given out, so that a request of a fixed length cannot complete.
func Open(ctx context.Context, d kb.Document, p Part) (io.ReadCloser, error) {
	src, err := d.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	if err := skip(src, p.Offset); err != nil {
		_ = src.Close()
		return nil, err
	}
	return &partReader{ctx: ctx, src: src, part: p, left: p.Size, sum: sha256.New()}, nil
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
	ctx  context.Context
	src  io.ReadCloser
	part Part
	left int64
	sum  hash.Hash
	err  error
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
	n, err := r.src.Read(b[:min(int64(len(b)), r.left)])
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

// Close closes the document.
func (r *partReader) Close() error { return r.src.Close() }

// shortened explains an end that comes too early.
func shortened(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.New(fault.ErrChanged, "it is shorter than when it was first read")
	}
	return fmt.Errorf("read: %w", err)
}
