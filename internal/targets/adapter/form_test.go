package adapter_test

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

func file(name, content string) *targets.Rendition {
	return &targets.Rendition{
		Document: kb.Key("src/" + name), Name: name, Size: int64(len(content)), MediaType: "text/plain\r\nX-Evil: 1",
		Open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(iotest.OneByteReader(strings.NewReader(content))), nil
		},
	}
}

func TestForm(t *testing.T) {
	for _, parts := range [][]adapter.Part{
		{{Name: "name", Text: "only text"}},
		{{Name: "files", File: file("a.md", "one")}, {Name: "files", File: file(`b"ü.md`, "")}, {Name: "files", File: file("c.md", "three")}},
		{{Name: "name", Text: "first"}, {Name: "file", File: file("a.md", "one")}, {Name: "more", Text: "last"}},
	} {
		body := adapter.Form(parts...)
		_, params, err := mime.ParseMediaType(body.ContentType)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // it may be read again
			rc, err := body.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(rc)
			if err != nil || int64(len(b)) != body.Size {
				t.Fatalf("%d bytes instead of %d, %v", len(b), body.Size, err)
			}
			if err := rc.Close(); err != nil {
				t.Fatal(err)
			}
			checkParts(t, multipart.NewReader(strings.NewReader(string(b)), params["boundary"]), parts)
		}
	}
}

func checkParts(t *testing.T, r *multipart.Reader, parts []adapter.Part) {
	t.Helper()
	for _, p := range parts {
		got, err := r.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		content, _ := io.ReadAll(got)
		want, name := p.Text, ""
		if p.File != nil {
			b, err := adapter.ReadAll(t.Context(), *p.File)
			if err != nil {
				t.Fatal(err)
			}
			want, name = string(b), strings.ReplaceAll(p.File.Name, `"`, "%22")
		}
		if string(content) != want || got.FormName() != p.Name || got.FileName() != name || got.Header.Get("X-Evil") != "" {
			t.Errorf("%q %q %q", got.FormName(), got.FileName(), content)
		}
	}
	if _, err := r.NextPart(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last part: %v", err)
	}
}

func TestFormOfFilesThatFail(t *testing.T) {
	broken := errors.New("the disk is gone")
	absent := file("x.md", "")
	absent.Open = func(context.Context) (io.ReadCloser, error) { return nil, broken }
	failing := file("x.md", "abc")
	failing.Open = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(broken)), nil }
	shorter, longer := file("x.md", "abc"), file("x.md", "abc")
	shorter.Size, longer.Size = 4, 2
	for _, c := range []struct {
		bad  *targets.Rendition
		want error
	}{{absent, broken}, {failing, broken}, {shorter, fault.ErrChanged}, {longer, fault.ErrChanged}} {
		for at := range 2 {
			parts := []adapter.Part{{Name: "files", File: file("a.md", "one")}, {Name: "files", File: file("b.md", "two")}}
			parts[at].File = c.bad
			rc, err := adapter.Form(parts...).Open(t.Context())
			if opened := err == nil; opened != (c.bad != absent || at > 0) {
				t.Errorf("file %d: opened is %v", at, opened)
			} else if opened {
				_, err = io.ReadAll(rc)
				_ = rc.Close()
			}
			if bad, ok := errors.AsType[*adapter.PartError](err); !ok || bad.Part != at || !errors.Is(err, c.want) {
				t.Errorf("file %d: %v", at, err)
			}
		}
		if _, err := adapter.ReadAll(t.Context(), *c.bad); !errors.Is(err, c.want) {
			t.Errorf("read as a whole: %v", err)
		}
	}
}

// The client of net/http may close a body while it is still being read.
func TestFormIsClosedMeanwhile(t *testing.T) {
	rc, err := adapter.Form(adapter.Part{Name: "files", File: file("a.md", strings.Repeat("x", 1<<16))}).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := io.Copy(io.Discard, rc); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
	})
	_ = rc.Close()
	wg.Wait()
	if _, err := rc.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("read after close: %v", err)
	}
}
