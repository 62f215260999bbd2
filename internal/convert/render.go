package convert

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"kbsyncd/internal/fault"
)

// bufferSize is large enough that system calls do not count and small enough to keep one for each worker.
const bufferSize = 128 << 10

// What ends the reading of a document that was to go as it is, so that it is converted instead. They stay in this package.
var (
	errEncoding   = errors.New("not UTF-8")
	errAboveLimit = errors.New("above the limit")
	errTooLong    = errors.New("too long to be converted")
)

// worker is what reading one document needs; pooled, because most documents are smaller than what it would cost to make.
type worker struct {
	whole hash.Hash // of the source
	body  hash.Hash // of what is sent, where that is something else
	split *splitter // made when a document first needs it
	text  textCheck
	buf   [bufferSize]byte
}

var workers = sync.Pool{New: func() any { return &worker{whole: sha256.New(), body: sha256.New()} }}

// body is what of a text is sent.
type body struct {
	offset int    // where it begins
	title  string // a heading line and an empty one to send in front of it, or ""
	front  front
}

// render reads a document of a size (-1: unknown) and divides it into parts.
func (r *worker) render(ctx context.Context, src io.Reader, size int64, how plan, to Target) (Rendition, error) {
	r.whole.Reset()
	n, end, err := fill(ctx, src, r.buf[:])
	if err != nil {
		return Rendition{}, err
	}
	if n == 0 {
		return Rendition{}, emptyError()
	}
	var b body
	if how.text {
		if b, err = how.begin(r.buf[:n], end, to); err != nil {
			return Rendition{}, err
		}
	}
	most := how.limit + int64(b.offset-len(b.title)) // of the source, in one part
	divide := how.limit > 0 && how.splits && (size < 0 || size > most)
	r.text.reset(how.text && (how.utf8 || divide), how.text && to.Secrets != "off", bytes.Count(r.buf[:b.offset], []byte("\n")))
	r.text.title(b.title)
	var out Rendition
	if divide {
		out.Parts, err = r.divide(ctx, src, n, end, b, how)
	} else {
		out.Parts, err = r.single(ctx, src, n, end, b, how, max(size, 0))
	}
	if err != nil {
		return Rendition{}, err
	}
	r.whole.Sum(out.Digest[:0])
	if p := &out.Parts[0]; len(out.Parts) == 1 && p.Digest.IsZero() {
		p.Digest = out.Digest
	}
	out.Narrowed, out.Agents = b.front.narrowed, b.front.agents
	out.Leaks, err = r.text.leaks(to.Secrets)
	return out, err
}

// single reads the rest of a document that is sent in one piece; buf[:n] has its beginning.
func (r *worker) single(ctx context.Context, src io.Reader, n int, end bool, b body, how plan, size int64) ([]Part, error) {
	total, from := int64(0), b.offset
	most := how.limit + int64(b.offset-len(b.title))
	apart := b.offset > 0 || b.title != ""
	filled := !how.text
	if apart {
		r.body.Reset()
		r.body.Write([]byte(b.title))
	}
	for {
		r.whole.Write(r.buf[:n])
		if apart {
			r.body.Write(r.buf[from:n])
		}
		if err := r.text.take(r.buf[from:n], end); err != nil {
			return nil, err
		}
		filled = filled || !blank(r.buf[from:n])
		total += int64(n)
		if how.limit > 0 && total > most {
			switch {
			case how.splits:
				return nil, fault.New(fault.ErrChanged, "grew beyond the %d bytes that its source listed", size)
			case how.instead:
				return nil, errAboveLimit
			default:
				return nil, how.tooLarge(max(total, size))
			}
		}
		if end {
			break
		}
		var err error
		if n, end, err = fill(ctx, src, r.buf[:]); err != nil {
			return nil, err
		}
		from = 0
	}
	if !filled {
		return nil, blankError("white space")
	}
	p := Part{Offset: int64(b.offset), Prefix: b.title, Size: total - int64(b.offset-len(b.title)), Ext: how.ext, MediaType: mediaType(how.ext)}
	if apart {
		r.body.Sum(p.Digest[:0])
	}
	return []Part{p}, nil
}

// divide reads the rest of a text whose size is above the limit or unknown; buf[:n] has its beginning.
func (r *worker) divide(ctx context.Context, src io.Reader, n int, end bool, b body, how plan) ([]Part, error) {
	if r.split == nil {
		r.split = newSplitter()
	}
	s := r.split
	s.reset(how.limit, int64(b.offset), b.title, how.layout)
	for seen, from := 0, b.offset; ; from = 0 {
		r.whole.Write(r.buf[seen:n])
		if err := r.text.take(r.buf[max(seen, from):n], end); err != nil {
			return nil, err
		}
		used := from + s.take(r.buf[from:n], end)
		if end {
			break
		}
		seen = copy(r.buf[:], r.buf[used:n])
		more, last, err := fill(ctx, src, r.buf[seen:])
		if err != nil {
			return nil, err
		}
		n, end = seen+more, last
	}
	parts := s.finish()
	if len(parts) == 0 {
		return nil, blankError("white space")
	}
	if len(parts) > maxParts {
		return nil, fault.New(fault.ErrUnsupported, "it would take %d parts of %s, and %d is the most",
			len(parts), bytesText(how.limit), maxParts).WithHint("exclude it, or divide it into several documents")
	}
	ext := how.ext
	if len(parts) > 1 && how.splitExt != "" {
		ext = how.splitExt
	}
	for i := range parts {
		parts[i].Ext, parts[i].MediaType = ext, mediaType(ext)
		if len(parts) > 1 {
			parts[i].Index = i + 1
		}
	}
	return parts, nil
}

// fill reads until the buffer is full or the content ends.
func fill(ctx context.Context, src io.Reader, buf []byte) (n int, end bool, err error) {
	for n < len(buf) {
		if err := ctx.Err(); err != nil {
			return n, false, err
		}
		m, err := src.Read(buf[n:])
		n += m
		if errors.Is(err, io.EOF) && !errors.Is(err, fault.ErrChanged) {
			return n, true, nil
		}
		if err != nil {
			return n, false, fmt.Errorf("read: %w", err)
		}
	}
	return n, false, nil
}
