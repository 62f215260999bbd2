package starleads

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

// form is a multipart/form-data body that is streamed: the sizes are known, so its length is, and no
// document is ever held in memory.
type form struct {
	renditions []targets.Rendition
	boundary   string
}

const boundaryBytes = len("kbsyncd") + 26 // what rand.Text gives

func newForm(renditions []targets.Rendition) *form {
	return &form{renditions: renditions, boundary: "kbsyncd" + rand.Text()}
}

// partError is the failure of reading one rendition; it tells which.
type partError struct {
	at  int
	err error
}

func (e *partError) Error() string { return e.err.Error() }

func (e *partError) Unwrap() error { return e.err }

// head is what comes before the bytes of a part. The name goes as plain UTF-8, as browsers and curl send it.
func (f *form) head(i int) string {
	r := f.renditions[i]
	start := "--" + f.boundary + "\r\n"
	if i > 0 {
		start = "\r\n" + start
	}
	media := strings.Map(printable, r.MediaType)
	if media == "" {
		media = "application/octet-stream"
	}
	return start + `Content-Disposition: form-data; name="files"; filename="` + escapeName.Replace(r.Name) + "\"\r\n" +
		"Content-Type: " + media + "\r\n\r\n"
}

var escapeName = strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A")

func printable(r rune) rune {
	if r < 0x20 || r >= 0x7f {
		return -1
	}
	return r
}

// weight is what a rendition adds to a request: its bytes, its head and room for the end of the form.
func weight(r targets.Rendition) int64 {
	f := &form{renditions: []targets.Rendition{r}, boundary: strings.Repeat("-", boundaryBytes)}
	return r.Size + int64(len(f.head(0))+len(f.tail()))
}

func (f *form) tail() string { return "\r\n--" + f.boundary + "--\r\n" }

func (f *form) body() *httpapi.Body {
	size := int64(len(f.tail()))
	for i, r := range f.renditions {
		size += int64(len(f.head(i))) + r.Size
	}
	return &httpapi.Body{
		Size: size, ContentType: "multipart/form-data; boundary=" + f.boundary,
		Open: func(ctx context.Context) (io.ReadCloser, error) {
			return &formReader{form: f, open: f.renditionOpener(ctx)}, nil
		},
	}
}

// renditionOpener opens the i-th rendition for one reading of the form.
func (f *form) renditionOpener(ctx context.Context) func(i int) (io.ReadCloser, error) {
	return func(i int) (io.ReadCloser, error) { return f.renditions[i].Open(ctx) }
}

// formReader reads the form once. The client may close it while another goroutine reads.
type formReader struct {
	form *form
	open func(i int) (io.ReadCloser, error)

	mu     sync.Mutex // guards all below
	next   int        // the part that comes after the present one
	text   string     // what is left of a head or of the tail
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
		case r.next < len(r.form.renditions):
			r.err = r.begin()
		case r.next == len(r.form.renditions):
			r.text = r.form.tail()
			r.next++
		default:
			r.err = io.EOF
		}
	}
}

// begin opens the next rendition before its head is sent.
func (r *formReader) begin() error {
	f, err := r.open(r.next)
	if err != nil {
		return &partError{at: r.next, err: err}
	}
	r.file, r.left, r.text = f, r.form.renditions[r.next].Size, r.form.head(r.next)
	r.next++
	return nil
}

// readFile reads from the rendition at hand; it notes its end, and its failure in r.err.
func (r *formReader) readFile(p []byte) int {
	n, err := r.file.Read(p)
	r.left -= int64(n)
	at := r.next - 1
	switch {
	case r.left < 0 || errors.Is(err, io.EOF) && r.left > 0:
		r.err = &partError{at: at, err: fault.New(fault.ErrChanged, "%s does not have the %d bytes that it had", r.form.renditions[at].Document, r.form.renditions[at].Size)}
		return 0
	case errors.Is(err, io.EOF):
		err = r.file.Close()
		r.file = nil
	}
	if err != nil {
		r.err = &partError{at: at, err: fmt.Errorf("%s: %w", r.form.renditions[at].Document, err)}
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

// post sends a group and gives the documents of the answer.
func (t *Target) post(ctx context.Context, dataset string, group []*item) ([]document, error) {
	renditions := make([]targets.Rendition, len(group))
	for i, it := range group {
		renditions[i] = it.r
	}
	r, err := t.request("upload documents", "document_upload", vars{"datasetId": dataset})
	if err != nil {
		return nil, err
	}
	r.Create, r.Body = true, newForm(renditions).body()
	ans, err := t.http.Do(ctx, r, nil)
	if err != nil {
		return nil, err
	}
	docs, err := decodeUploaded(ans.Body)
	if err != nil {
		return nil, fault.New(fault.ErrUnknown, "starleads: upload documents").Because(err)
	}
	return docs, nil
}
