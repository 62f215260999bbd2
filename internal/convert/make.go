package convert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/semaphore"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/convert/plain"
	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

const (
	maxSource  = 64 << 20 // bytes of a document that is converted
	factor     = 4        // bytes that a byte of a document may take while it is read
	minWeight  = 16 << 20 // a small document may unpack to much more
	allSources = 96 << 20 // what is read at the same time weighs, so that of two large documents one waits
	patience   = 3 * time.Minute
)

// way is how the bytes to send are made of the source's.
type way uint8

const (
	wayAsIs   way = iota
	wayDecode     // text made UTF-8
	wayRead       // Markdown that a reader makes
	wayPages      // PDF divided into several
)

// recipe tells how to make a product again. It is comparable.
type recipe struct {
	way way
	ext string // whose reader
	max int64  // bytes of a piece, of wayPages
	// public is what relative links become absolute with; "" leaves them.
	public kb.PublicURL
}

// product is what was made of a document. It is not changed any more.
type product struct {
	source   kb.Digest // of the document's bytes
	doubtful bool      // see kb.Content
	data     []byte
	ends     []int64 // of the pieces in data, of wayPages
	linked   bool    // links in it lead elsewhere than in the document
}

func (p *product) reader() io.Reader { return bytes.NewReader(p.data) }

// pages gives the pieces of a divided PDF as parts.
func (p *product) pages(how plan) ([]Part, error) {
	if len(p.ends) > maxParts {
		return nil, how.tooLarge(int64(len(p.data)))
	}
	var parts []Part
	at := int64(0)
	for i, end := range p.ends {
		b := p.data[at:end]
		pt := Part{Index: i + 1, Offset: at, Size: int64(len(b)), Digest: kb.Sum(b), Ext: how.ext, MediaType: mediaType(how.ext)}
		if len(p.ends) == 1 {
			pt.Index = 0
		}
		if pt.Size > how.limit {
			return nil, how.tooLarge(pt.Size)
		}
		parts, at = append(parts, pt), end
	}
	return parts, nil
}

// kitchen bounds what conversions cost together.
var kitchen = semaphore.NewWeighted(allSources)

// produce makes a product, or finds it where one was made of this very version.
func produce(ctx context.Context, d kb.Document, how plan) (*product, error) {
	if d.Fingerprint != "" {
		if p := products.get(d, how.made); p != nil && !p.doubtful {
			return p, nil
		}
	}
	return produceAnew(ctx, d, how.made, func(src []byte) error {
		if how.made.way == wayAsIs {
			return how.vetAsIs(src)
		}
		if !how.fromText || how.made.way != wayRead {
			return nil
		}
		if len(bytes.TrimSpace(src)) == 0 {
			return blankError("white space")
		}
		if err := how.inspect(src, true); !errors.Is(err, errEncoding) {
			return err
		}
		return nil
	})
}

// produceAnew reads the document and makes a product of it once vet has seen its bytes.
func produceAnew(ctx context.Context, d kb.Document, by recipe, vet func([]byte) error) (*product, error) {
	if q := conversions[by.ext].queue; q != nil && by.way != wayDecode {
		if err := q.Acquire(ctx, 1); err != nil {
			return nil, err
		}
		defer q.Release(1)
	}
	weight := weigh(d.Size)
	if err := kitchen.Acquire(ctx, weight); err != nil {
		return nil, err
	}
	defer kitchen.Release(weight)
	p := &product{}
	src, err := p.load(ctx, d)
	if err != nil {
		return nil, err
	}
	if err := vet(src); err != nil {
		return nil, err
	}
	if err := p.cook(ctx, d.Key, src, by); err != nil {
		return nil, err
	}
	if by.way != wayAsIs || p.linked {
		products.put(d, by, p)
	}
	return p, nil
}

// weigh is what reading a document of a size (-1: unknown) weighs, up to all that is read at the same time.
func weigh(size int64) int64 {
	if size < 0 || size > allSources/factor {
		return allSources
	}
	return max(size*factor, minWeight)
}

// load reads a whole document.
func (p *product) load(ctx context.Context, d kb.Document) ([]byte, error) {
	src, err := d.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	defer func() { _ = src.Close() }() // a document that is only read has nothing to lose when it is closed
	size := d.Size
	if size < 0 {
		size = bufferSize
	}
	buf := make([]byte, min(size, maxSource)+1)
	n := 0
	for end := false; !end; {
		var m int
		if m, end, err = fill(ctx, src, buf[n:]); err != nil {
			return nil, err
		}
		if n += m; n > maxSource {
			return nil, marked{plan{}.tooLong(int64(n)), errTooLong}
		}
		if !end {
			buf = append(buf, make([]byte, min(len(buf), maxSource+1-len(buf)))...)
		}
	}
	if p.doubtful, err = src.Verify(); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if n == 0 {
		return nil, emptyError()
	}
	p.source = kb.Sum(buf[:n])
	return buf[:n], nil
}

// PanicError is the cause of a document that could not be read because what reads it panicked: a mistake in the program.
type PanicError struct {
	Value any
	Stack []byte
}

// Error tells that there was a panic, and nothing of the document.
func (e *PanicError) Error() string { return "its reader panicked" }

// recovered, deferred, makes a panic the failure of one document.
func recovered(err *error) {
	if v := recover(); v != nil {
		*err = fault.New(fault.ErrUnsupported, "it could not be read").
			WithHint("save it anew or in another format, or exclude it to silence this").
			Because(&PanicError{v, debug.Stack()})
	}
}

// cook converts, within the time that a document may take. A panic fails this document only.
func (p *product) cook(ctx context.Context, k kb.Key, src []byte, by recipe) (err error) {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer recovered(&err)
	switch by.way {
	case wayAsIs:
		p.link(k, src, by.public)
	case wayDecode:
		if src, err = plain.UTF8(src); err == nil {
			p.link(k, src, by.public)
		}
	case wayPages:
		err = p.divide(within, src, by)
	default:
		err = p.read(within, k, src, by)
	}
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return fault.New(fault.ErrUnsupported, "reading it takes more than %s", patience).
			WithHint("divide it into smaller files, or exclude it to silence this")
	}
	return err
}

func (p *product) read(ctx context.Context, k kb.Key, src []byte, by recipe) error {
	limits := markup.DefaultLimits()
	res, err := conversions[by.ext].read(ctx, src, limits)
	if err != nil {
		return err
	}
	md := res.Markdown
	if !utf8.Valid(md) {
		md = bytes.ToValidUTF8(md, []byte("\uFFFD"))
	}
	if int64(len(md)) > limits.Output {
		return fault.New(fault.ErrUnsupported, "its text is above %s", bytesText(limits.Output)).
			WithHint("divide it into smaller files, or exclude it to silence this")
	}
	if len(bytes.TrimSpace(md)) == 0 {
		return fault.New(fault.ErrUnsupported, "there is no text in it").WithHint("exclude it to silence this")
	}
	title := heading(res.Title, md, 0)
	p.relink(k, md, 0, limits.Output, by.public)
	if title != "" {
		p.data = append([]byte(title), p.data...)
	}
	return nil
}

// divide makes PDFs of a few pages each.
func (p *product) divide(ctx context.Context, src []byte, by recipe) error {
	pieces, err := splitPDF(ctx, src, by.max, markup.DefaultLimits())
	if err != nil {
		return err
	}
	for _, b := range pieces {
		p.data = append(p.data, b...)
		p.ends = append(p.ends, int64(len(p.data)))
	}
	if len(p.data) == 0 {
		return fault.New(fault.ErrUnsupported, "it has no pages").WithHint("exclude it to silence this")
	}
	return nil
}
