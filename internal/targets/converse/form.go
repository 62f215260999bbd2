package converse

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/targets"
)

// form gives a multipart/form-data body with the parts name and file. It is streamed: the size is known, so its length is, and
// no document is ever held in memory. The reference does not name the parts; these are the usual ones.
func form(r targets.Rendition) *httpapi.Body {
	boundary := "kbsyncd" + rand.Text()
	head := "--" + boundary + "\r\n" + `Content-Disposition: form-data; name="name"` + "\r\n\r\n" + r.Name +
		"\r\n--" + boundary + "\r\n" + `Content-Disposition: form-data; name="file"; filename="` + escapeName.Replace(r.Name) + "\"\r\n" +
		"Content-Type: " + mediaOf(r) + "\r\n\r\n"
	tail := "\r\n--" + boundary + "--\r\n"
	return &httpapi.Body{
		Size:        int64(len(head)) + r.Size + int64(len(tail)),
		ContentType: "multipart/form-data; boundary=" + boundary,
		Open: func(ctx context.Context) (io.ReadCloser, error) {
			file, err := r.Open(ctx)
			if err != nil {
				return nil, err
			}
			e := &exact{r: r, file: file, left: r.Size}
			return &formReader{Reader: io.MultiReader(strings.NewReader(head), e, strings.NewReader(tail)), file: e}, nil
		},
	}
}

var escapeName = strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A")

func mediaOf(r targets.Rendition) string {
	media := strings.Map(func(c rune) rune {
		if c < 0x20 || c >= 0x7f {
			return -1
		}
		return c
	}, r.MediaType)
	if media == "" {
		return "application/octet-stream"
	}
	return media
}

type formReader struct {
	io.Reader
	file *exact
}

// Close implements io.Closer.
func (f *formReader) Close() error { return f.file.Close() }

// exact reads a rendition to its end, which must come after as many bytes as it says. The client may close it while
// another goroutine reads.
type exact struct {
	r targets.Rendition

	mu   sync.Mutex    // guards all below
	file io.ReadCloser // nil once closed
	left int64
}

// Read implements io.Reader.
func (e *exact) Read(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.file == nil {
		return 0, io.ErrClosedPipe
	}
	n, err := e.file.Read(p)
	e.left -= int64(n)
	switch end := errors.Is(err, io.EOF); {
	case e.left < 0, end && e.left > 0:
		return 0, fault.New(fault.ErrChanged, "%s does not have the %d bytes that it had", e.r.Document, e.r.Size)
	case err != nil && !end:
		return 0, fmt.Errorf("%s: %w", e.r.Document, err)
	}
	return n, err
}

// Close implements io.Closer.
func (e *exact) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.file == nil {
		return nil
	}
	err := e.file.Close()
	e.file = nil
	return err
}

// readText reads a rendition that goes inside JSON; it is at most textBytes long.
func readText(ctx context.Context, r targets.Rendition) (string, error) {
	file, err := r.Open(ctx)
	if err != nil {
		return "", err
	}
	e := &exact{r: r, file: file, left: r.Size}
	b, err := io.ReadAll(e)
	if err = cmp.Or(err, e.Close()); err != nil {
		return "", err
	}
	if !utf8.Valid(b) {
		return "", fault.New(fault.ErrRejected, "%s is not UTF-8 text", r.Document)
	}
	return string(b), nil
}
