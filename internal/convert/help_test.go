package convert_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"kbsyncd/internal/convert"
	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

// memory serves one document from memory, in small reads when chunk is set.
type memory struct {
	data     []byte
	chunk    int
	doubtful bool
	openErr  error
	readErr  error // after the data, in place of io.EOF
	verify   error
	opened   int
	closed   int
}

func (m *memory) Open(context.Context, kb.Document) (kb.Content, error) {
	if m.openErr != nil {
		return nil, m.openErr
	}
	m.opened++
	return &memoryContent{r: bytes.NewReader(m.data), m: m}, nil
}

type memoryContent struct {
	r *bytes.Reader
	m *memory
}

func (c *memoryContent) Read(b []byte) (int, error) {
	if c.m.chunk > 0 && len(b) > c.m.chunk {
		b = b[:c.m.chunk]
	}
	n, err := c.r.Read(b)
	if errors.Is(err, io.EOF) && c.m.readErr != nil {
		err = c.m.readErr
	}
	return n, err
}

func (c *memoryContent) Close() error { c.m.closed++; return nil }

func (c *memoryContent) Verify() (bool, error) { return c.m.doubtful, c.m.verify }

// starleads is what one real vendor takes.
func starleads(limit int64) convert.Target {
	native := map[string]bool{}
	for e := range strings.FieldsSeq("pdf docx doc xls xlsx csv txt md mdx html htm json jsonl ppt pptx eml py js go") {
		native["."+e] = true
	}
	return convert.Target{MaxBytes: limit, Accepts: kb.Accepts{Native: native, Text: ".txt", Markdown: ".md"}}
}

func document(name string, data []byte) (kb.Document, *memory) {
	m := &memory{data: data}
	return kb.Document{Key: kb.NewKey("src", name), Size: int64(len(data)), From: m}, m
}

func mustRender(t testing.TB, d kb.Document, to convert.Target) convert.Rendition {
	t.Helper()
	r, err := convert.Render(t.Context(), d, to)
	if err != nil {
		t.Fatalf("Render(%s): %v", d.Key, err)
	}
	return r
}

// checkParts holds what is true of every rendition of a document that goes as it is: its parts are ranges of data, which
// follow each other without a gap, behind their prefixes.
func checkParts(t interface {
	Helper()
	Fatalf(string, ...any)
}, data []byte, r convert.Rendition, limit int64,
) {
	t.Helper()
	if r.Digest != kb.Sum(data) {
		t.Fatalf("digest of the source is wrong")
	}
	at := r.Parts[0].Offset
	for i, p := range r.Parts {
		size := p.Size - int64(len(p.Prefix))
		if gap := data[min(at, p.Offset):p.Offset]; len(bytes.TrimSpace(gap)) == 0 { // white space alone is no part
			at = p.Offset
		}
		switch {
		case p.Converted():
			t.Fatalf("part %d is not the source's bytes", i)
		case p.Offset != at:
			t.Fatalf("part %d begins at %d, want %d", i, p.Offset, at)
		case size <= 0 || limit > 0 && p.Size > limit:
			t.Fatalf("part %d has %d bytes, %d with its prefix, limit %d", i, size, p.Size, limit)
		case p.Digest != kb.Sum(append([]byte(p.Prefix), data[p.Offset:p.Offset+size]...)):
			t.Fatalf("part %d has a wrong digest", i)
		case len(r.Parts) == 1 && p.Index != 0, len(r.Parts) > 1 && p.Index != i+1:
			t.Fatalf("part %d has index %d", i, p.Index)
		}
		at += size
	}
	if len(bytes.TrimSpace(data[at:])) > 0 {
		t.Fatalf("the parts hold %d of %d bytes", at, len(data))
	}
}

// sent gives what a target would receive: the bytes of every part.
func sent(t testing.TB, d kb.Document, r convert.Rendition) []string {
	t.Helper()
	var out []string
	for _, p := range r.Parts {
		rc, err := convert.Open(t.Context(), d, p)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(rc)
		if err != nil {
			t.Fatal(err)
		}
		if err := rc.Close(); err != nil {
			t.Fatal(err)
		}
		if int64(len(b)) != p.Size || kb.Sum(b) != p.Digest {
			t.Fatalf("part %d is not what it was said to be", p.Index)
		}
		out = append(out, string(b))
	}
	return out
}

func isUnsupported(err error) bool { return errors.Is(err, fault.ErrUnsupported) }
