package convert_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/sync/errgroup"

	"kbsyncd/internal/convert"
	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

// textOnly is a vendor that takes PDF files and otherwise text, as most do.
func textOnly(limit int64) convert.Target {
	return convert.Target{MaxBytes: 20 * limit, Accepts: kb.Accepts{
		Native: map[string]bool{".pdf": true, ".doc": true, ".docx": true}, Text: ".txt", Markdown: ".md", TextBytes: limit,
	}}
}

// upper is a reader that takes every document for a text of its own making.
func upper(title string) markup.Reader {
	return func(_ context.Context, src []byte, _ markup.Limits) (markup.Result, error) {
		return markup.Result{Title: title, Markdown: append(bytes.ToUpper(src), '\n')}, nil
	}
}

func TestConvertedDocuments(t *testing.T) {
	convert.SetReader(t, ".odt", upper("The guide"))
	d, m := document("a.odt", []byte("text\n\n# part\n\nmore"))
	for _, to := range []convert.Target{starleads(1000), textOnly(1000)} {
		r := mustRender(t, d, to)
		if got := sent(t, d, r); len(got) != 1 || got[0] != "# The guide\n\nTEXT\n\n# PART\n\nMORE\n" {
			t.Errorf("got %q", got)
		}
		p := r.Parts[0]
		if r.Digest != kb.Sum(m.data) || !p.Converted() || p.Index != 0 || p.Ext != ".md" || p.MediaType != "text/markdown" {
			t.Errorf("got %+v", r)
		}
	}
	text := convert.Target{Accepts: kb.Accepts{Text: ".txt"}}
	if r := mustRender(t, d, text); r.Parts[0].Ext != ".txt" {
		t.Errorf("a vendor of plain text gets %s", r.Parts[0].Ext)
	}
	if m.opened != m.closed {
		t.Error("left open")
	}
	if _, err := convert.Render(t.Context(), d, convert.Target{}); !isUnsupported(err) {
		t.Errorf("a vendor that takes nothing: %v", err)
	}
}

// The title comes once: not where the text begins with a heading of the first level.
func TestConvertedTitles(t *testing.T) {
	for _, tt := range []struct{ title, text, want string }{
		{"", "text\n", "text\n"},
		{"T", "text\n", "# T\n\ntext\n"},
		{" a\n b\x00 ", "## Two\n", "# a b\x00\n\n## Two\n"},
		{"T", "# Other\n", "# Other\n"},
		{"T", "\nOther\n=====\n", "\nOther\n=====\n"},
		{strings.Repeat("é", 300), "x\n", "# " + strings.Repeat("é", 127) + "\n\nx\n"},
	} {
		convert.SetReader(t, ".odt", func(context.Context, []byte, markup.Limits) (markup.Result, error) {
			return markup.Result{Title: tt.title, Markdown: []byte(tt.text)}, nil
		})
		d, _ := document("a.odt", []byte("x"))
		if got := sent(t, d, mustRender(t, d, starleads(0))); got[0] != tt.want {
			t.Errorf("%q, %q: got %q, want %q", tt.title, tt.text, got[0], tt.want)
		}
	}
}

func TestNativeAboveTheLimitIsConverted(t *testing.T) {
	convert.SetReader(t, ".docx", upper("Big"))
	text := []byte(manual(20))
	for _, known := range []bool{true, false} {
		d, _ := document("a.docx", text)
		if !known {
			d.Size = -1
		}
		to := starleads(2000)
		if err := convert.Choose(d, to); err != nil {
			t.Errorf("Choose: %v", err)
		}
		r := mustRender(t, d, to)
		if len(r.Parts) < 3 || r.Parts[0].Ext != ".md" {
			t.Fatalf("got %d parts as %s", len(r.Parts), r.Parts[0].Ext)
		}
		for i, s := range sent(t, d, r) {
			if len(s) > 2000 || !strings.HasPrefix(s, "# ") {
				t.Errorf("part %d: %d bytes, %.30q", i+1, len(s), s)
			}
		}
		if r := mustRender(t, d, starleads(1<<20)); r.Parts[0].Ext != ".docx" || r.Parts[0].Converted() {
			t.Errorf("below the limit: %+v", r.Parts[0])
		}
	}
}

func TestPDFAboveTheLimitIsDivided(t *testing.T) {
	divide := func(_ context.Context, src []byte, most int64, _ markup.Limits) ([][]byte, error) {
		var out [][]byte
		for page := range bytes.SplitSeq(src, []byte("|")) {
			if int64(len(page)) > most {
				return nil, fault.New(fault.ErrUnsupported, "page %d is too large", len(out)+1).WithHint("scan it smaller")
			}
			out = append(out, append([]byte("%PDF "), page...))
		}
		return out, nil
	}
	convert.SetPDFSplitter(t, divide)
	d, _ := document("a.pdf", []byte("aaaaaaaaa|bbbbbbbbbb|cc"))
	r := mustRender(t, d, starleads(20))
	if got := fmt.Sprint(sent(t, d, r)); got != "[%PDF aaaaaaaaa %PDF bbbbbbbbbb %PDF cc]" {
		t.Errorf("got %s", got)
	}
	for i, p := range r.Parts {
		if p.Index != i+1 || p.Ext != ".pdf" || p.MediaType != "application/pdf" {
			t.Errorf("got %+v", p)
		}
	}
	// A page that is above the limit by itself leaves the text.
	convert.SetReader(t, ".pdf", upper(""))
	d, _ = document("b.pdf", []byte(strings.Repeat("page ", 10)))
	r = mustRender(t, d, starleads(30))
	if got := sent(t, d, r); r.Parts[0].Ext != ".md" || strings.Join(got, "") != strings.Repeat("PAGE ", 10)+"\n" {
		t.Errorf("got %q as %s", got, r.Parts[0].Ext)
	}
	convert.SetReader(t, ".pdf", func(context.Context, []byte, markup.Limits) (markup.Result, error) {
		return markup.Result{}, fault.New(fault.ErrUnsupported, "only pictures")
	})
	convert.Evict()
	if _, err := convert.Render(t.Context(), d, starleads(30)); !isUnsupported(err) || !strings.Contains(err.Error(), "page 1 is too large") {
		t.Errorf("got %v", err)
	}
}

func TestConversionsThatFail(t *testing.T) {
	tests := map[string]struct {
		read markup.Reader
		want string
	}{
		"refused": {func(context.Context, []byte, markup.Limits) (markup.Result, error) {
			return markup.Result{}, fault.New(fault.ErrUnsupported, "it is encrypted").WithHint("save it without a password")
		}, "it is encrypted; save it without a password"},
		"panics": {func(_ context.Context, src []byte, _ markup.Limits) (markup.Result, error) {
			return markup.Result{Title: string(src[100])}, nil
		}, "could not be read: its reader panicked"},
		"empty": {func(context.Context, []byte, markup.Limits) (markup.Result, error) {
			return markup.Result{Title: "T", Markdown: []byte("\n")}, nil
		}, "no text in it"},
		"endless": {func(ctx context.Context, _ []byte, _ markup.Limits) (markup.Result, error) {
			<-ctx.Done()
			return markup.Result{}, fmt.Errorf("page 3: %w", ctx.Err())
		}, "takes more than 3m0s"},
		"bomb": {func(_ context.Context, _ []byte, l markup.Limits) (markup.Result, error) {
			return markup.Result{Markdown: make([]byte, l.Output+1)}, nil
		}, "its text is above"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			convert.SetReader(t, ".odt", tt.read)
			convert.SetReader(t, ".rtf", upper("T"))
			synctest.Test(t, func(t *testing.T) {
				d, m := document("a.odt", []byte("text"))
				_, err := convert.Render(t.Context(), d, starleads(0))
				if !isUnsupported(err) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %q", err, tt.want)
				}
				if m.opened != m.closed {
					t.Error("left open")
				}
				if f, ok := errors.AsType[*fault.Error](err); !ok || f.Hint == "" {
					t.Errorf("%v has no next step", err)
				}
				other, _ := document("b.rtf", []byte("text"))
				mustRender(t, other, starleads(0))
			})
		})
	}
}

// An answer of a reader that was cancelled is a cancellation, not a verdict on the document.
func TestConversionIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	convert.SetReader(t, ".odt", func(ctx context.Context, _ []byte, _ markup.Limits) (markup.Result, error) {
		cancel()
		return markup.Result{}, ctx.Err()
	})
	d, _ := document("a.odt", []byte("text"))
	if _, err := convert.Render(ctx, d, starleads(0)); !errors.Is(err, context.Canceled) || isUnsupported(err) {
		t.Errorf("got %v", err)
	}
}

func TestConversionPassesErrors(t *testing.T) {
	convert.SetReader(t, ".odt", upper(""))
	broken := errors.New("disk on fire")
	for _, tt := range []struct {
		set  func(*memory)
		want error
	}{
		{func(m *memory) { m.openErr = fault.New(fault.ErrNotFound, "gone") }, fault.ErrNotFound},
		{func(m *memory) { m.readErr = broken }, broken},
		{func(m *memory) { m.verify = fault.New(fault.ErrChanged, "changed") }, fault.ErrChanged},
		{func(m *memory) { m.data = nil }, fault.ErrUnsupported},
	} {
		d, m := document("a.odt", []byte("text"))
		tt.set(m)
		if _, err := convert.Render(t.Context(), d, starleads(0)); !errors.Is(err, tt.want) {
			t.Errorf("got %v, want %v", err, tt.want)
		}
		if m.opened != m.closed {
			t.Errorf("%v: not closed", tt.want)
		}
	}
	d, m := document("a.odt", []byte("text"))
	m.doubtful = true
	d.Size = -1
	if r := mustRender(t, d, starleads(0)); !r.Doubtful {
		t.Error("doubt was lost")
	}
}

// What was made is kept for a while; when it is gone it is made again, and must be the same.
func TestOpenMakesAgain(t *testing.T) {
	calls := 0
	convert.SetReader(t, ".odt", func(_ context.Context, src []byte, _ markup.Limits) (markup.Result, error) {
		calls++
		return markup.Result{Title: "T", Markdown: append(bytes.ToUpper(src), '\n')}, nil
	})
	convert.Evict()
	d, m := document("a.odt", []byte(manual(30)))
	d.Fingerprint = "v1"
	r := mustRender(t, d, starleads(3000))
	want := sent(t, d, r)
	if len(want) < 3 || calls != 1 || m.opened != 1 {
		t.Errorf("%d parts, %d conversions, opened %d times", len(want), calls, m.opened)
	}
	mustRender(t, d, textOnly(3000))
	if calls != 1 {
		t.Error("a second target converted the same version again")
	}
	convert.Evict()
	if got := sent(t, d, r); fmt.Sprint(got) != fmt.Sprint(want) || calls != 2 {
		t.Errorf("other bytes, or %d conversions", calls)
	}
	m.data = append(m.data[:len(m.data)-1], "X"...)
	if got := sent(t, d, r); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Error("other bytes while the version is kept")
	}
	convert.Evict()
	last := r.Parts[len(r.Parts)-1]
	if _, err := convert.Open(t.Context(), d, last); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("got %v, want ErrChanged", err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	convert.Evict()
	convert.SetReader(t, ".odt", func(_ context.Context, src []byte, _ markup.Limits) (markup.Result, error) {
		return markup.Result{Markdown: bytes.Repeat(src, 5<<20)}, nil
	})
	for i := range 8 {
		d, _ := document(fmt.Sprintf("%d.odt", i), []byte("x\n"))
		mustRender(t, d, starleads(0))
		if size, n := convert.Cached(); size > convert.CacheBytes || n == 0 {
			t.Fatalf("%d bytes of %d documents are kept", size, n)
		}
	}
	convert.Evict()
}

// A vendor that has no use for a kind of text gets what the reader makes of it; one that takes it gets it as it is.
func TestTextKinds(t *testing.T) {
	convert.SetReader(t, ".html", upper("Page"))
	page := []byte("<title>page</title><p>text")
	d, _ := document("a.html", page)
	if r := mustRender(t, d, starleads(0)); r.Parts[0].Converted() || r.Parts[0].Ext != ".html" {
		t.Errorf("got %+v", r.Parts)
	}
	if r := mustRender(t, d, textOnly(100)); !r.Parts[0].Converted() || r.Parts[0].Ext != ".md" {
		t.Errorf("got %+v", r.Parts)
	}
	// It says how it is encoded, so it is left alone; in parts only the first would say it.
	latin := append(bytes.Repeat([]byte("<p>Gr\xfc\xdfe "), 100), "</p>"...)
	d, _ = document("latin.html", latin)
	if r := mustRender(t, d, starleads(0)); r.Parts[0].Converted() {
		t.Errorf("got %+v", r.Parts)
	}
	if r := mustRender(t, d, starleads(300)); !r.Parts[0].Converted() || r.Parts[0].Ext != ".md" {
		t.Errorf("got %+v", r.Parts[0])
	}
	for _, tt := range []struct{ data, want string }{
		{png, "looks like image/png, not text"},
		{" \n\n", "white space"},
		{"-----BEGIN RSA PRIVATE KEY-----\nAAA", "private key"},
	} {
		d, _ := document("a.html", []byte(tt.data))
		if _, err := convert.Render(t.Context(), d, textOnly(100)); !isUnsupported(err) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %q", tt.data, err, tt.want)
		}
	}
	for _, name := range []string{"a.rst", "a.adoc", "a.org", "a.go"} {
		d, _ := document(name, []byte("text\n"))
		if r := mustRender(t, d, textOnly(100)); r.Parts[0].Converted() || r.Parts[0].Ext != ".txt" {
			t.Errorf("%s: %+v", name, r.Parts)
		}
	}
}

// The limit of texts is another one than that of files.
func TestTextBytes(t *testing.T) {
	text := manual(50)
	d, _ := document("a.md", []byte(text))
	to := textOnly(1000)
	for _, p := range mustRender(t, d, to).Parts {
		if p.Size > 1000 {
			t.Fatalf("a part of %d bytes", p.Size)
		}
	}
	d, _ = document("a.doc", []byte(text[:14_000]))
	if r := mustRender(t, d, to); len(r.Parts) != 1 {
		t.Errorf("got %d parts", len(r.Parts))
	}
	to.Accepts.TextBytes, to.MaxBytes = 3000, 0
	d, _ = document("a.md", []byte(text))
	if n := len(mustRender(t, d, to).Parts); n < 3 {
		t.Errorf("got %d parts", n)
	}
}

// Documents are rendered and opened by many at once; what is kept is shared and never changed.
func TestConcurrentUse(t *testing.T) {
	convert.SetReader(t, ".odt", upper("T"))
	var g errgroup.Group
	for i := range 8 {
		g.Go(func() error {
			d, _ := document(fmt.Sprintf("%d.odt", i%2), []byte(manual(20+i%2)))
			d.Fingerprint = "v1"
			for range 10 {
				r, err := convert.Render(t.Context(), d, starleads(2000))
				if err != nil {
					return err
				}
				for _, p := range r.Parts {
					rc, err := convert.Open(t.Context(), d, p)
					if err != nil {
						return err
					}
					h, err := io.ReadAll(rc)
					if err != nil || kb.Sum(h) != p.Digest {
						return fmt.Errorf("part %d: other bytes, %w", p.Index, err)
					}
				}
				if i == 0 {
					convert.Evict()
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}
