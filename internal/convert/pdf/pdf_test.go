package pdf_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/convert/pdf"
	"kbsyncd/internal/convert/readertest"
	"kbsyncd/internal/fault"
)

// TestMain keeps the compiled engine between runs, for compiling it takes longer than all the tests.
func TestMain(m *testing.M) {
	if dir, err := os.UserCacheDir(); err == nil {
		dir = filepath.Join(dir, "kbsyncd-test", "pdf")
		if os.MkdirAll(dir, 0o700) == nil {
			pdf.SetCacheDir(dir)
		}
	}
	code := m.Run()
	if err := pdf.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// file makes a PDF file; each page is a content stream.
func file(title string, pages ...string) []byte {
	var b bytes.Buffer
	var offsets []int
	object := func(format string, args ...any) {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n", len(offsets))
		fmt.Fprintf(&b, format, args...)
		b.WriteString("\nendobj\n")
	}
	b.WriteString("%PDF-1.4\n")
	object("<< /Type /Catalog /Pages 2 0 R >>")
	var kids strings.Builder
	for i := range pages {
		fmt.Fprintf(&kids, "%d 0 R ", 5+2*i)
	}
	object("<< /Type /Pages /Count %d /Kids [%s] >>", len(pages), kids.String())
	object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
	object("<< /Title (%s) >>", title)
	for i, content := range pages {
		object("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents %d 0 R /Resources << /Font << /F 3 0 R >> >> >>", 6+2*i)
		object("<< /Length %d >>\nstream\n%s\nendstream", len(content), content)
	}
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R /Info 4 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, at)
	return b.Bytes()
}

// text is a content stream with lines from the top of the page.
func text(lines ...string) string {
	var b strings.Builder
	b.WriteString("BT /F 12 Tf 14 TL 50 750 Td\n")
	for _, l := range lines {
		fmt.Fprintf(&b, "(%s) Tj T*\n", l)
	}
	b.WriteString("ET")
	return b.String()
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name        string
		src         []byte
		title, want string
	}{
		{"pages are parted by a blank line", file("A title", text("One", "two"), text("Three")), "A title", "One\ntwo\n\nThree\n"},
		{"divided words are joined", file("", text("The configu-", "ration of well-", "known words, as well-known")), "", "The configuration of well-known words, as well-known\n"},
		{"dashes stay", file("", text("From A-", "B, 10-", "20")), "", "From A-B, 10-\n20\n"},
		{"no title that a program left", file("Microsoft Word - a.doc", text("x")), "", "x\n"},
		{"lines are no Markdown by accident", file("", text("# no heading", "-----", "> no quotation", "\\225 a bullet")), "", "\\# no heading\n\\-----\n\\> no quotation\n- a bullet\n"},
		{"an empty page among others", file("", text("a"), "", text("b")), "", "a\n\nb\n"},
	} {
		got, err := pdf.Read(t.Context(), c.src, markup.DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got.Title != c.title || string(got.Markdown) != c.want {
			t.Errorf("%s: got %q, %q, want %q, %q", c.name, got.Title, got.Markdown, c.title, c.want)
		}
	}
}

func TestReadOfAWordProcessor(t *testing.T) {
	src, err := os.ReadFile("testdata/writer.pdf")
	if err != nil {
		t.Fatal(err)
	}
	got, err := pdf.Read(t.Context(), src, markup.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"L’efficacité des flux difficiles: office, fluff, affine.", "- élément un\n", "مرحبا بالعالم", "b 2\n"} {
		if !strings.Contains(string(got.Markdown), want) {
			t.Errorf("%q is not in %q", want, got.Markdown)
		}
	}
	if got.Title != "Guide de démarrage" { //nolint:misspell // French
		t.Errorf("the title is %q", got.Title)
	}
}

func TestReadRefuses(t *testing.T) {
	encrypted, err := os.ReadFile("testdata/encrypted.pdf")
	if err != nil {
		t.Fatal(err)
	}
	small := markup.DefaultLimits()
	small.Output, small.Members = 10, 2
	for _, c := range []struct {
		name string
		src  []byte
		l    markup.Limits
		want string
	}{
		{"no PDF", []byte("hello"), small, "no PDF file"},
		{"nothing", nil, small, "no PDF file"},
		{"a head alone", []byte("%PDF-1.7\n"), small, "damaged"},
		{"no text", file("", "0 0 m 10 10 l S"), small, "only pictures"},
		{"encrypted", encrypted, markup.DefaultLimits(), "encrypted"},
		{"too many pages", file("", "", "", ""), small, "3 pages"},
		{"too much text", file("", text("a line of text that is long")), small, "more than 10 bytes"},
	} {
		_, err := pdf.Read(t.Context(), c.src, c.l)
		if !errors.Is(err, fault.ErrUnsupported) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if f, ok := errors.AsType[*fault.Error](err); ok && f.Hint == "" {
			t.Errorf("%s: no hint", c.name)
		}
	}
}

// endless is a form that draws itself over and over, far longer than anybody waits.
func endless() []byte {
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	line := bytes.Repeat([]byte("(some words that take their time) Tj T* "), 1000)
	for range 400 {
		_, _ = z.Write(line)
	}
	_ = z.Close()
	content := "BT /F 12 Tf 14 TL 50 750 Td "
	src := file("", content)
	stream := fmt.Sprintf("<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream", packed.Len(), packed.String())
	return bytes.Replace(src, fmt.Appendf(nil, "<< /Length %d >>\nstream\n%s\nendstream", len(content), content), []byte(stream), 1)
}

func TestContextEndsAStuckDocument(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pdf.Read(ctx, file("", text("x")), markup.DefaultLimits()); !errors.Is(err, context.Canceled) {
		t.Errorf("before: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50e6)
	defer cancel()
	if _, err := pdf.Read(ctx, endless(), markup.DefaultLimits()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while it is read: %v", err)
	}
	if got, err := pdf.Read(t.Context(), file("", text("after")), markup.DefaultLimits()); err != nil || string(got.Markdown) != "after\n" {
		t.Errorf("after: %q, %v", got.Markdown, err)
	}
}

func TestCloseIsNotTheEnd(t *testing.T) {
	for range 2 {
		if err := pdf.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pdf.Read(t.Context(), file("", text("again")), markup.DefaultLimits()); err != nil {
		t.Error(err)
	}
}

func TestSplit(t *testing.T) {
	var pages []string
	for i := range 40 {
		pages = append(pages, text(fmt.Sprintf("page %d", i), strings.Repeat("word ", 10*(i%7)*(i%7))))
	}
	src := file("", pages...)
	const limit = 5000
	parts, err := pdf.Split(t.Context(), src, limit, markup.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	again, err := pdf.Split(t.Context(), src, limit, markup.DefaultLimits())
	if err != nil || len(again) != len(parts) || len(parts) < 2 {
		t.Fatalf("%d parts, then %d, %v", len(parts), len(again), err)
	}
	var all strings.Builder
	for i, p := range parts {
		if len(p) > limit {
			t.Errorf("part %d has %d bytes", i, len(p))
		}
		if !bytes.Equal(p, again[i]) {
			t.Errorf("part %d differs the second time", i)
		}
		got, err := pdf.Read(t.Context(), p, markup.DefaultLimits())
		if err != nil {
			t.Fatalf("part %d: %v", i, err)
		}
		fmt.Fprintf(&all, "%s\n", got.Markdown)
	}
	whole, err := pdf.Read(t.Context(), src, markup.DefaultLimits())
	if err != nil || strings.TrimSpace(all.String()) != strings.TrimSpace(string(whole.Markdown)) {
		t.Errorf("the parts hold other text than the whole (%v)", err)
	}
	if _, err := pdf.Split(t.Context(), src, 500, markup.DefaultLimits()); !errors.Is(err, fault.ErrUnsupported) || !strings.Contains(err.Error(), "page 1 alone") {
		t.Errorf("a page above the limit: %v", err)
	}
	if one, err := pdf.Split(t.Context(), src, 1<<20, markup.DefaultLimits()); err != nil || len(one) != 1 || !bytes.Equal(one[0], src) {
		t.Errorf("a small file: %d parts, %v", len(one), err)
	}
}

// orderly fails the test unless the reader behaves as every reader must.
func orderly(t *testing.T, src []byte) {
	t.Helper()
	a, err := pdf.Read(t.Context(), src, markup.DefaultLimits())
	if err != nil && !errors.Is(err, fault.ErrUnsupported) {
		t.Fatalf("%q: %v", src, err)
	}
	b, err2 := pdf.Read(t.Context(), src, markup.DefaultLimits())
	if (err == nil) != (err2 == nil) || !bytes.Equal(a.Markdown, b.Markdown) {
		t.Fatalf("%q: the second time is different", src)
	}
}

func TestDamagedFiles(t *testing.T) {
	writer, err := os.ReadFile("testdata/writer.pdf")
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("KBSYNC_MUTATIONS") != "" { // each takes this reader a while
		readertest.Mutate(t, [][]byte{file("T", text("some", "text"), text("more")), writer}, pdf.Read)
		return
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, sample := range [][]byte{file("T", text("some", "text"), text("more")), writer} {
		for range 25 {
			src := bytes.Clone(sample)
			for range 1 + rnd.IntN(20) {
				src[rnd.IntN(len(src))] = byte(rnd.IntN(256))
			}
			if rnd.IntN(4) == 0 {
				src = src[:rnd.IntN(len(src))]
			}
			orderly(t, src)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(file("T", text("some", "text"), text("more")))
	f.Add([]byte("%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n"))
	f.Fuzz(func(t *testing.T, src []byte) { orderly(t, src) })
}
