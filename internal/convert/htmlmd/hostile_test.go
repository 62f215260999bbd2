package htmlmd_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"kbsyncd/internal/convert/htmlmd"
	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/convert/readertest"
	"kbsyncd/internal/fault"
)

// TestRepetition feeds what costs more than its length where a parser or a writer repeats work. A cost that grows with the
// square of the length would make this test take minutes.
func TestRepetition(t *testing.T) {
	for _, s := range []string{
		"<div>", "<b><p>x", "<i><b>x", "x</z>", "x<tr>", "<b>x</b>", "x<b> </b>", "x<br>", "<li>x", "<code>x</code>", "<td colspan=100000>x",
		"<blockquote><ul><li>x", "<svg>", "<title>", "<!--", "<a href=x><p>y</p></a>", "_", "&", "<a b=c ",
	} {
		for _, prefix := range []string{"", "<table><tr><td>a<td>", "<h1>"} {
			src := append([]byte(prefix), bytes.Repeat([]byte(s), (256<<10)/len(s))...)
			got, err := htmlmd.Read(t.Context(), src, markup.DefaultLimits())
			if err != nil && !errors.Is(err, fault.ErrUnsupported) {
				t.Errorf("%q after %q: %v", s, prefix, err)
			}
			if len(got.Markdown) > 8*len(src) {
				t.Errorf("%q after %q: %d bytes give %d", s, prefix, len(src), len(got.Markdown))
			}
		}
	}
}

func TestDeepNesting(t *testing.T) {
	src := append(bytes.Repeat([]byte("<div><ul><li>"), 1<<18), "the text"...)
	got, err := htmlmd.Read(t.Context(), src, markup.DefaultLimits())
	if err != nil || !strings.Contains(string(got.Markdown), "the text") {
		t.Errorf("got %d bytes, %v", len(got.Markdown), err)
	}
}

func TestLimits(t *testing.T) {
	l := markup.DefaultLimits()
	l.Output = 100
	page := []byte("<p>" + strings.Repeat("word ", 100))
	if _, err := htmlmd.Read(t.Context(), page, l); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("output: %v", err)
	}
	if _, err := htmlmd.Fragment(t.Context(), append([]byte("<blockquote>"), page...), l); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("output within a quotation: %v", err)
	}
	l = markup.DefaultLimits()
	l.Unpacked = 100
	if _, err := htmlmd.Read(t.Context(), page, l); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("input: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := htmlmd.Read(ctx, page, markup.DefaultLimits()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestTextAboveTheLimit refuses a page before its text is in the tree.
func TestTextAboveTheLimit(t *testing.T) {
	l := markup.DefaultLimits()
	l.Output = 1 << 20
	for _, page := range []string{strings.Repeat("word ", 300_000), strings.Repeat("<p>"+strings.Repeat("word ", 1000)+"</p>", 300)} {
		src := []byte("<div>" + page)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := htmlmd.Read(t.Context(), src, l)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, fault.ErrUnsupported) {
			t.Errorf("got %v", err)
		}
		if got := (after.TotalAlloc - before.TotalAlloc) / uint64(len(src)); got > 6 {
			t.Errorf("it took %d times its size", got)
		}
	}
	// What stands between the elements to be looked at by people who write HTML does not count.
	if _, err := htmlmd.Read(t.Context(), []byte(strings.Repeat("<p>word</p>\n"+strings.Repeat(" ", 10_000), 300)), l); err != nil {
		t.Error(err)
	}
}

func TestDamagedPages(t *testing.T) {
	readertest.Mutate(t, readertest.Samples(t, "testdata/*.html"), htmlmd.Read)
}

func FuzzRead(f *testing.F) {
	for _, s := range readertest.Samples(f, "testdata/*.html") {
		f.Add(s)
	}
	f.Add([]byte("<table><tr><td rowspan=9>a<table><td>b</table><p><b><ul><li>c</b></p>"))
	f.Fuzz(func(t *testing.T, src []byte) {
		a, err := htmlmd.Read(t.Context(), src, markup.DefaultLimits())
		if err != nil && !errors.Is(err, fault.ErrUnsupported) {
			t.Fatal(err)
		}
		if b, _ := htmlmd.Read(t.Context(), src, markup.DefaultLimits()); !bytes.Equal(a.Markdown, b.Markdown) {
			t.Fatal("the second time is different")
		}
		if _, err := htmlmd.Fragment(t.Context(), src, markup.DefaultLimits()); err != nil && !errors.Is(err, fault.ErrUnsupported) {
			t.Fatal(err)
		}
	})
}
