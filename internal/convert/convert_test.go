package convert_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"kbsyncd/internal/convert"
	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

const png = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01"

func TestRenderExtensions(t *testing.T) {
	tests := []struct{ name, data, ext, media string }{
		{"README.MD", "# Hi\n", ".md", "text/markdown"},
		{"a.Markdown", "# Hi\n", ".md", "text/markdown"},
		{"a.qmd", "# Hi\n", ".md", "text/markdown"},
		{"a.mdx", "# Hi\n", ".mdx", "text/markdown"},
		{"a.htm", "<p>Hi", ".htm", "text/html"},
		{"a.JSON", "{}", ".json", "application/json"},
		{"a.yaml", "a: 1\n", ".txt", "text/plain"},
		{"a.htm", "<meta charset=iso-8859-1><p>Gr\xfc\xdfe", ".htm", "text/html"},
		{"a.vue", "<template/>", ".txt", "text/plain"},
		{"Dockerfile", "FROM scratch\n", ".txt", "text/plain"},
		{"LICENSE", "Permission is\n", ".txt", "text/plain"},
		{"release-1.2", "notes\n", ".txt", "text/plain"},
		{"a.", "notes\n", ".txt", "text/plain"},
		{"a.unknown", "Grüße aus Köln\n", ".txt", "text/plain"},
		{"a.log", "\x1b[31mred\x1b[0m\n", ".txt", "text/plain"},
		{"a.pdf", "%PDF-1.7\n\x00\x01", ".pdf", "application/pdf"},
		{"a.DOCX", "PK\x03\x04\x00", ".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		{"mail.eml", "From: a@example.com\r\n\r\nHi", ".eml", "message/rfc822"},
	}
	for _, tt := range tests {
		d, m := document(tt.name, []byte(tt.data))
		r := mustRender(t, d, starleads(1000))
		checkParts(t, []byte(tt.data), r, 1000)
		if p := r.Parts[0]; len(r.Parts) != 1 || p.Ext != tt.ext || p.MediaType != tt.media || p.Digest != r.Digest {
			t.Errorf("%s: got %+v, want %s %s", tt.name, r.Parts, tt.ext, tt.media)
		}
		if m.opened != 1 || m.closed != 1 {
			t.Errorf("%s: opened %d times, closed %d times", tt.name, m.opened, m.closed)
		}
	}
}

func TestRenderSkips(t *testing.T) {
	big := strings.Repeat("x", 2000)
	tests := []struct{ name, data, want string }{
		{"a.md", "", "empty"},
		{"a.md", " \n\t\n", "white space"},
		{"a.png", png, "takes no images"},
		{"a.MP4", "x", "takes no video"},
		{"a.zip", "PK", "takes no archives"},
		{"a.exe", "MZ", "takes no programs"},
		{"a.ods", "PK", "spreadsheets"},
		{"a.woff2", "x", "takes no fonts"},
		{"a.md", png, "looks like image/png, not text"},
		{"a.txt", "text\x00text", "looks like binary data, not text"},
		{"a.txt", "%PDF-1.4\n1 0 obj", "looks like application/pdf, not text"},
		{"a.csv", "PK\x03\x04\x14\x00\x06\x00", "looks like application/zip, not text"},
		{"blob", "\x7fELF\x02\x01\x01\x00", "looks like application/x-elf"},
		{"a.xyz", "PK\x03\x04\x14\x00\x06\x00", "takes no .xyz files"},
		{".env", "KEY=1", "secrets"},
		{"id_ed25519", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAA", "private key"},
		{"a.doc", big, "2 KB is above the vendor's limit of 1 KB"},
		{"a.ppt", big, "above the vendor's limit"},
	}
	for _, tt := range tests {
		for _, known := range []bool{true, false} {
			d, _ := document(tt.name, []byte(tt.data))
			if !known {
				d.Size = -1
			}
			_, err := convert.Render(t.Context(), d, starleads(1000))
			if !isUnsupported(err) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s (size %d): got %v, want ErrUnsupported with %q", tt.name, d.Size, err, tt.want)
			}
			if f, ok := errors.AsType[*fault.Error](err); ok && f.Hint == "" {
				t.Errorf("%s: %v has no next step", tt.name, err)
			}
		}
	}
}

func TestChoose(t *testing.T) {
	to := starleads(5_000_000)
	for name, size := range map[string]int64{"a.md": 1, "a.txt": 1 << 40, "a.doc": 5_000_000, "a": -1, "b.doc": -1, "a.json": 6_000_000, "a.pdf": 6_000_000} {
		if err := convert.Choose(kb.Document{Key: kb.NewKey("src", name), Size: size}, to); err != nil {
			t.Errorf("Choose(%s, %d): %v", name, size, err)
		}
	}
	for name, size := range map[string]int64{"a.md": 0, "a.doc": 5_000_001, "a.png": 1, "a.ppt": 5_200_000, "b.pdf": 1 << 30} {
		err := convert.Choose(kb.Document{Key: kb.NewKey("src", name), Size: size}, to)
		if !isUnsupported(err) {
			t.Errorf("Choose(%s, %d): %v, want ErrUnsupported", name, size, err)
		}
	}
	err := convert.Choose(kb.Document{Key: "src/a.doc", Size: 5_200_000}, to)
	if want := "5.2 MB is above the vendor's limit of 5 MB per file"; !strings.Contains(err.Error(), want) {
		t.Errorf("got %q, want %q", err, want)
	}
}

// A vendor that takes text only, as ".txt", gets Markdown under that extension; one that takes nothing gets nothing.
func TestRenderNarrowTargets(t *testing.T) {
	text := convert.Target{Accepts: kb.Accepts{Text: ".txt"}}
	d, _ := document("a.md", []byte("# Hi"))
	if r := mustRender(t, d, text); r.Parts[0].Ext != ".txt" {
		t.Errorf("got %s", r.Parts[0].Ext)
	}
	doc, _ := document("a.doc", []byte("\xd0\xcf"))
	for _, err := range []error{
		convert.Choose(doc, text), convert.Choose(d, convert.Target{}), convert.Choose(kb.Document{Key: "src/a.yaml", Size: 1}, convert.Target{}),
	} {
		if !isUnsupported(err) {
			t.Errorf("got %v, want ErrUnsupported", err)
		}
	}
}

func TestRenderSplitExtensions(t *testing.T) {
	data := []byte(strings.Repeat("{\"line\": 1}\n", 50))
	for name, want := range map[string]string{"a.json": ".txt", "a.jsonl": ".jsonl", "a.html": ".html", "a.md": ".md", "a.rst": ".txt", "a.mkd": ".md"} {
		d, _ := document(name, data)
		r := mustRender(t, d, starleads(100))
		checkParts(t, data, r, 100)
		if len(r.Parts) < 2 || r.Parts[0].Ext != want {
			t.Errorf("%s: %d parts as %s, want %s", name, len(r.Parts), r.Parts[0].Ext, want)
		}
	}
}

func TestRenderPassesErrors(t *testing.T) {
	broken := errors.New("disk on fire")
	tests := []struct {
		set  func(*memory)
		want error
	}{
		{func(m *memory) { m.openErr = fault.New(fault.ErrNotFound, "gone") }, fault.ErrNotFound},
		{func(m *memory) { m.readErr = broken }, broken},
		{func(m *memory) { m.verify = fault.New(fault.ErrChanged, "changed") }, fault.ErrChanged},
	}
	for _, tt := range tests {
		for _, limit := range []int64{0, 3} {
			d, m := document("a.md", []byte("# Hello"))
			tt.set(m)
			if _, err := convert.Render(t.Context(), d, starleads(limit)); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if m.closed != m.opened {
				t.Errorf("%v: not closed", tt.want)
			}
		}
	}
	d, m := document("a.md", []byte("# Hello"))
	m.doubtful = true
	if r := mustRender(t, d, starleads(0)); !r.Doubtful {
		t.Error("doubt was lost")
	}
	d.Size = 3 // less than there is
	if _, err := convert.Render(t.Context(), d, starleads(5)); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("a text that grew beyond the limit: %v, want ErrChanged", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := convert.Render(ctx, d, starleads(0)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestOpenGivesEveryPart(t *testing.T) {
	data := []byte(manual(200))
	d, m := document("a.md", data)
	r := mustRender(t, d, starleads(10_000))
	m.chunk = 700
	for _, p := range r.Parts {
		rc, err := convert.Open(t.Context(), d, p)
		if err != nil {
			t.Fatal(err)
		}
		want := append([]byte(p.Prefix), data[p.Offset:p.Offset+p.Size-int64(len(p.Prefix))]...)
		if err := iotest.TestReader(rc, want); err != nil {
			t.Fatal(err)
		}
		if err := rc.Close(); err != nil {
			t.Fatal(err)
		}
	}
	checkParts(t, data, r, 10_000)
	if m.opened != m.closed {
		t.Error("a part was left open")
	}
}

// Whatever happens to the document, a request of the part's length cannot complete with other bytes.
func TestOpenWithholdsTheEndOfChangedContent(t *testing.T) {
	data := []byte(manual(200))
	d, m := document("a.md", data)
	r := mustRender(t, d, starleads(10_000))
	p := r.Parts[1]
	end := p.Offset + p.Size - int64(len(p.Prefix))
	changes := map[string][]byte{
		"first byte": append(append(bytes.Clone(data[:p.Offset]), 'X'), data[p.Offset+1:]...),
		"last byte":  append(append(bytes.Clone(data[:end-1]), 'X'), data[end:]...),
		"shorter":    data[:end-1],
		"gone":       {},
	}
	for what, now := range changes {
		for _, chunk := range []int{0, 1, 1000} {
			m.data, m.chunk = now, chunk
			rc, err := convert.Open(t.Context(), d, p)
			if err == nil {
				var n int64
				if n, err = io.Copy(io.Discard, rc); n >= p.Size {
					t.Errorf("%s: all %d bytes were given out", what, n)
				}
			}
			if !errors.Is(err, fault.ErrChanged) {
				t.Errorf("%s: got %v, want ErrChanged", what, err)
			}
		}
	}
}

func BenchmarkRender4K(b *testing.B) {
	data := []byte(manual(100))[:4096]
	d, _ := document("a.md", data)
	to := starleads(5_000_000)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := convert.Render(b.Context(), d, to); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSum4K is what nobody can do without.
func BenchmarkSum4K(b *testing.B) {
	data := []byte(manual(100))[:4096]
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		kb.Sum(data)
	}
}

func BenchmarkRenderSplit(b *testing.B) {
	data := []byte(manual(20_000))
	d, _ := document("a.md", data)
	to := starleads(1_000_000)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := convert.Render(b.Context(), d, to); err != nil {
			b.Fatal(err)
		}
	}
}
