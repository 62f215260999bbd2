package chatbase

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"sync"

	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/targets"
)

// form is the multipart/form-data body of a file source: its name and, unless only that changes, the file. It is streamed: the
// sizes are known, so its length is, and no file is ever held in memory.
type form struct {
	name string
	file *targets.Rendition
}

// build gives what comes before and after the bytes of the file. Names go as plain UTF-8, as browsers and curl send them.
func (f *form) build(boundary string) (head, tail string) {
	head = "--" + boundary + "\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n" + f.name
	if f.file != nil {
		media := strings.Map(printable, f.file.MediaType)
		if media == "" {
			media = "application/octet-stream"
		}
		head += "\r\n--" + boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + escapeName.Replace(f.name) + "\"\r\n" +
			"Content-Type: " + media + "\r\n\r\n"
	}
	return head, "\r\n--" + boundary + "--\r\n"
}

var escapeName = strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A")

func printable(r rune) rune {
	if r < 0x20 || r >= 0x7f {
		return -1
	}
	return r
}

// body is the form as a request body.
func (f *form) body() *httpapi.Body {
	boundary := "kbsyncd" + rand.Text()
	head, tail := f.build(boundary)
	size := int64(len(head) + len(tail))
	if f.file != nil {
		size += f.file.Size
	}
	return &httpapi.Body{Size: size, ContentType: "multipart/form-data; boundary=" + boundary, Open: func(ctx context.Context) (io.ReadCloser, error) {
		if f.file == nil {
			return io.NopCloser(strings.NewReader(head + tail)), nil
		}
		rc, err := f.file.Open(ctx)
		if err != nil {
			return nil, err
		}
		exact := &exactReader{r: *f.file, from: rc, left: f.file.Size}
		return &formReader{from: io.MultiReader(strings.NewReader(head), exact, strings.NewReader(tail)), file: rc}, nil
	}}
}

// formReader reads the form once. The client may close it while another goroutine reads.
type formReader struct {
	mu     sync.Mutex // guards all below
	from   io.Reader
	file   io.Closer
	closed bool
}

// Read implements io.Reader.
func (r *formReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0, io.ErrClosedPipe
	}
	return r.from.Read(p)
}

// Close implements io.Closer.
func (r *formReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	return r.file.Close()
}

// exactReader fails when the file has another size than it had.
type exactReader struct {
	r    targets.Rendition
	from io.Reader
	left int64
}

// Read implements io.Reader.
func (e *exactReader) Read(p []byte) (int, error) {
	n, err := e.from.Read(p)
	e.left -= int64(n)
	if e.left < 0 || errors.Is(err, io.EOF) && e.left > 0 {
		return 0, otherSize(e.r)
	}
	return n, err
}
