package adapter

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/targets"
)

// Part is one part of a form: a file, or else a text.
type Part struct {
	Name string
	Text string
	File *targets.Rendition
}

// PartError is the failure of reading the file of one part; it tells which. Its message is that of the cause.
type PartError struct {
	Part int
	Err  error
}

// Error is the message of the cause.
func (e *PartError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *PartError) Unwrap() error { return e.Err }

// Form is a multipart/form-data body. It is streamed: the sizes are known, so its length is, and no file is ever held in memory. A
// file that has another size than it had fails with fault.ErrChanged; all failures of files are a PartError.
func Form(parts ...Part) *httpapi.Body {
	f := &form{parts: parts, boundary: "kbsyncd" + rand.Text()}
	size := int64(len(f.tail()))
	for i, p := range parts {
		size += int64(len(f.head(i)))
		if p.File != nil {
			size += p.File.Size
		}
	}
	return &httpapi.Body{Size: size, ContentType: "multipart/form-data; boundary=" + f.boundary, Open: f.read}
}

type form struct {
	parts    []Part
	boundary string
}

// head is a text part, or what comes before the bytes of a file. Names go as plain UTF-8, as browsers and curl send them.
func (f *form) head(i int) string {
	p := f.parts[i]
	start := "--" + f.boundary + "\r\n" + `Content-Disposition: form-data; name="` + p.Name + `"`
	if i > 0 {
		start = "\r\n" + start
	}
	if p.File == nil {
		return start + "\r\n\r\n" + p.Text
	}
	media := strings.Map(printable, p.File.MediaType)
	if media == "" {
		media = "application/octet-stream"
	}
	return start + `; filename="` + escapeName.Replace(p.File.Name) + "\"\r\nContent-Type: " + media + "\r\n\r\n"
}

var escapeName = strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A")

func printable(r rune) rune {
	if r < 0x20 || r >= 0x7f {
		return -1
	}
	return r
}

func (f *form) tail() string { return "\r\n--" + f.boundary + "--\r\n" }

// read begins to read the form. The first file is opened at once, so that nothing is sent when it cannot be.
func (f *form) read(ctx context.Context) (io.ReadCloser, error) {
	r := &formReader{form: f, open: func(p Part) (io.ReadCloser, error) { return p.File.Open(ctx) }}
	for r.file == nil && r.next < len(f.parts) {
		if err := r.begin(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// formReader reads a form once. The client may close it while another goroutine reads.
type formReader struct {
	form *form
	open func(Part) (io.ReadCloser, error)

	mu     sync.Mutex // guards all below
	next   int        // the part that comes after the present one
	text   string     // what is left of what comes before the bytes of file, or of the tail
	file   io.ReadCloser
	left   int64 // bytes of file that must come
	err    error // what every further Read gives
	closed bool
}

// Read implements io.Reader.
func (r *formReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		switch {
		case r.closed:
			return 0, io.ErrClosedPipe
		case r.err != nil:
			return 0, r.err
		case len(p) == 0:
			return 0, nil
		case r.text != "":
			n := copy(p, r.text)
			r.text = r.text[n:]
			return n, nil
		case r.file != nil:
			if n := r.readFile(p); n > 0 {
				return n, nil
			}
		case r.next < len(r.form.parts):
			r.err = r.begin()
		case r.next == len(r.form.parts):
			r.text = r.form.tail()
			r.next++
		default:
			r.err = io.EOF
		}
	}
}

// begin goes on with the next part; a file is opened before its head is given.
func (r *formReader) begin() error {
	p := r.form.parts[r.next]
	if p.File != nil {
		file, err := r.open(p)
		if err != nil {
			return &PartError{Part: r.next, Err: err}
		}
		r.file, r.left = file, p.File.Size
	}
	r.text += r.form.head(r.next)
	r.next++
	return nil
}

// readFile reads from the file at hand; it notes its end, and its failure in r.err.
func (r *formReader) readFile(p []byte) int {
	n, err := r.file.Read(p)
	r.left -= int64(n)
	at := r.next - 1
	file := r.form.parts[at].File
	switch {
	case r.left < 0 || errors.Is(err, io.EOF) && r.left > 0:
		r.err = &PartError{Part: at, Err: otherSize(file)}
		return 0
	case errors.Is(err, io.EOF):
		err = r.file.Close()
		r.file = nil
	}
	if err != nil {
		r.err = &PartError{Part: at, Err: fmt.Errorf("%s: %w", file.Document, err)}
		return 0
	}
	return n
}

// Close implements io.Closer.
func (r *formReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}

// ReadAll reads a rendition, which must have its size: else it fails with fault.ErrChanged.
func ReadAll(ctx context.Context, r targets.Rendition) (_ []byte, err error) {
	rc, err := r.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rc.Close()) }()
	b, err := io.ReadAll(io.LimitReader(rc, r.Size+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Document, err)
	}
	if int64(len(b)) != r.Size {
		return nil, otherSize(&r)
	}
	return b, nil
}

func otherSize(r *targets.Rendition) error {
	return fault.New(fault.ErrChanged, "%s does not have the %d bytes that it had", r.Document, r.Size)
}
