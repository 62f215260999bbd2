// Package convert turns a document into the rendition that a target accepts: the same bytes under an extension that the
// vendor takes, in one piece or in parts. It decides by name, size and the head of the content what a document
// is, reads it once, and never holds a whole document in memory. The parts of a rendition, put together, are
// exactly the bytes of the source. It knows no vendor: what one takes comes in as a Target.
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
	"kbsyncd/internal/kb"
	"kbsyncd/internal/leak"
)

// Version is part of what records remember: it is raised when the same bytes give another rendition.
const Version = 1

// Target is what a vendor takes.
type Target struct {
	Accepts  kb.Accepts
	MaxBytes int64 // of one part; 0 means no limit
	// KeepFrontMatter sends the front matter of Markdown with the rest.
	KeepFrontMatter bool
	// Secrets is what happens to a document that seems to hold one: "block", "warn" (also "") or "off".
	Secrets string
}

// ErrSkip says that the document's own front matter keeps it from being sent.
var ErrSkip = errors.New("its front matter says kbsync.skip")

// Part is one piece of a rendition: a range of the source's bytes.
type Part struct {
	Index        int   // 0 for a document in one piece, else 1, 2, …
	Offset, Size int64 // where it is in the source
	Digest       kb.Digest
	Ext          string // the extension to send it under, with its dot
	MediaType    string
}

// Rendition is a document in the form that a target takes.
type Rendition struct {
	Digest   kb.Digest // of the source's bytes
	Parts    []Part    // in order; together they are the source
	Doubtful bool      // see kb.Content
	// Narrowed: the document's front matter names, in Agents, those that may have it; all others may not.
	Narrowed bool
	Agents   []string
	Leaks    []leak.Finding // what looks like a secret, when that is only to be told
}

// Choose decides from the name and the size alone, without reading. The error is of class fault.ErrUnsupported when it is
// already clear that the document will be skipped. A size of -1 is unknown.
func Choose(k kb.Key, size int64, to Target) error {
	_, err := choose(k, size, to)
	return err
}

// Render reads the document once and decides how it is sent. What opening and reading it gives (fault.ErrChanged,
// fault.ErrNotFound, …) is passed on wrapped; fault.ErrUnsupported says that it is to be skipped.
func Render(ctx context.Context, d kb.Document, to Target) (Rendition, error) {
	how, err := choose(d.Key, d.Size, to)
	if err != nil {
		return Rendition{}, err
	}
	src, err := d.Open(ctx)
	if err != nil {
		return Rendition{}, fmt.Errorf("open: %w", err)
	}
	r := readers.Get().(*reader)
	out, err := r.render(ctx, d, src, how, to)
	readers.Put(r)
	if err == nil {
		if out.Doubtful, err = src.Verify(); err != nil {
			err = fmt.Errorf("read: %w", err)
		}
	}
	// A document that is only read has nothing to lose when it is closed.
	_ = src.Close()
	if err != nil {
		return Rendition{}, err
	}
	return out, nil
}

// bufferSize is large enough that system calls do not count and small enough to keep one for each worker.
const bufferSize = 128 << 10

// reader is what reading one document needs; pooled, because most documents are smaller than what it would cost to make.
type reader struct {
	whole hash.Hash
	split *splitter // made when a document first needs it
	buf   [bufferSize]byte
}

var readers = sync.Pool{New: func() any { return &reader{whole: sha256.New()} }}

func (r *reader) render(ctx context.Context, d kb.Document, src io.Reader, how plan, to Target) (Rendition, error) {
	r.whole.Reset()
	n, end, err := fill(ctx, src, r.buf[:])
	if err != nil {
		return Rendition{}, err
	}
	if n == 0 {
		return Rendition{}, emptyError()
	}
	if how.text {
		if how, err = how.inspect(r.buf[:n], end, d.Key); err != nil {
			return Rendition{}, err
		}
	}
	mayExceed := to.MaxBytes > 0 && (d.Size < 0 || d.Size > to.MaxBytes)
	if mayExceed && how.splits {
		return r.renderSplit(ctx, src, n, end, how, to)
	}
	total := int64(n)
	r.whole.Write(r.buf[:n])
	for !end {
		if n, end, err = fill(ctx, src, r.buf[:]); err != nil {
			return Rendition{}, err
		}
		r.whole.Write(r.buf[:n])
		if total += int64(n); to.MaxBytes > 0 && total > to.MaxBytes {
			break
		}
	}
	if to.MaxBytes > 0 && total > to.MaxBytes {
		if how.splits {
			return Rendition{}, fault.New(fault.ErrChanged, "grew beyond the %d bytes that its source listed", d.Size)
		}
		return Rendition{}, how.tooLarge(max(total, d.Size), to.MaxBytes)
	}
	out := Rendition{}
	r.whole.Sum(out.Digest[:0])
	out.Parts = []Part{{Size: total, Digest: out.Digest, Ext: how.ext, MediaType: mediaType(how.ext)}}
	return out, nil
}

// renderSplit reads the rest of a text whose size is above the limit or unknown; buf[:n] has its beginning.
func (r *reader) renderSplit(ctx context.Context, src io.Reader, n int, end bool, how plan, to Target) (Rendition, error) {
	if r.split == nil {
		r.split = newSplitter()
	}
	s := r.split
	s.reset(to.MaxBytes, how.markdown)
	for hashed := 0; ; {
		r.whole.Write(r.buf[hashed:n])
		used := s.take(r.buf[:n], end)
		if end {
			break
		}
		hashed = copy(r.buf[:], r.buf[used:n])
		more, last, err := fill(ctx, src, r.buf[hashed:])
		if err != nil {
			return Rendition{}, err
		}
		n, end = hashed+more, last
	}
	parts := s.finish()
	if len(parts) > maxParts {
		return Rendition{}, fault.New(fault.ErrUnsupported, "it would take %d parts of %s, and %d is the most",
			len(parts), bytesText(to.MaxBytes), maxParts).WithHint("exclude it, or divide it into several documents")
	}
	ext := how.ext
	if len(parts) > 1 {
		if how.utf16 {
			return Rendition{}, fault.New(fault.ErrUnsupported, "a text in UTF-16 above the vendor's limit of %s cannot be divided",
				bytesText(to.MaxBytes)).WithHint("save it as UTF-8")
		}
		if how.splitExt != "" {
			ext = how.splitExt
		}
	}
	for i := range parts {
		parts[i].Ext, parts[i].MediaType = ext, mediaType(ext)
		if len(parts) > 1 {
			parts[i].Index = i + 1
		}
	}
	out := Rendition{Parts: parts}
	r.whole.Sum(out.Digest[:0])
	return out, nil
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

// inspect looks at the head of a document that is taken for text.
func (p plan) inspect(buf []byte, end bool, k kb.Key) (plan, error) {
	head := buf[:min(len(buf), headSize)]
	if end && len(head) == len(buf) && len(bytes.TrimSpace(bytes.TrimPrefix(head, bomUTF8))) == 0 {
		return p, fault.New(fault.ErrUnsupported, "it holds nothing but white space").
			WithHint("write something into it, or exclude it to silence this")
	}
	found := sniff(head, end && len(head) == len(buf))
	if found.binary {
		if p.guess {
			return p, fault.New(fault.ErrUnsupported, "the vendor takes no %s; it looks like %s", describe(k), found.what).
				WithHint("exclude it to silence this")
		}
		return p, fault.New(fault.ErrUnsupported, "it looks like %s, not text", found.what).
			WithHint("give it the extension of what it is, or exclude it to silence this")
	}
	if privateKey(head) {
		return p, fault.New(fault.ErrUnsupported, "it holds a private key").WithHint("exclude it to silence this")
	}
	p.utf16 = found.utf16
	return p, nil
}
