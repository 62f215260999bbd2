package article_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/sources/web/article"
)

// TestHostilePages feeds what costs more than its length where work is repeated for each element of a tree, or for each pair. A cost that
// grows with the square of the length would take minutes.
func TestHostilePages(t *testing.T) {
	for _, s := range []string{
		"<div>", "<div class='toc'>", "<ul><li><a href=#x>y</a>", "<p>x", "<b><p>x", "<a href=#x>y</a>", "<main>", "<main>x</main>", "<article><main>", "<form>x", "<nav>x",
		"<div role=tablist><a role=tab>x</a>", "<div role=tabpanel>x", "<label>x</label><div class=tabbed-content>y</div>", "<div class=admonition>x", "<h1><a href=#>x</a></h1>",
		"<h1>", "<td colspan=1000>x", "<table><tr><td>x", "<details><summary>x", "<math><annotation encoding=tex>", "<aside><a href=x>y</a>", "<span>was this page helpful",
		"<div hidden>x", "<pre><code>", "<x-y>", "<input type=checkbox><li>", "<a href=http://[x>", "<body>", "<html>", "<head>x", "<title>", "<script>", "<div class='summary-table'><div class=table-header>",
		"<blockquote><ul><li>x", "<svg>", "<!--", "<p>word, word, word</p><br>", "<div><p>some text, that is long enough to be weighed</p></div>",
	} {
		src := bytes.Repeat([]byte(s), (64<<10)/len(s))
		began := time.Now()
		p, err := article.Read(t.Context(), src, "text/html", address(t, "https://docs.example.com/"), article.Options{})
		if err != nil && !errors.Is(err, fault.ErrUnsupported) {
			t.Errorf("%q: %v", s, err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%q: it took %v", s, took)
		} else if took > time.Second {
			t.Logf("%q: %v by %s", s, took, p.Way)
		}
		if len(p.Markdown) > 20*len(src) {
			t.Errorf("%q: %d bytes give %d", s, len(src), len(p.Markdown))
		}
	}
}

func TestLargePages(t *testing.T) {
	var attributes strings.Builder
	attributes.WriteString("<main><p>text</p><div")
	for i := range 1_000_000 {
		fmt.Fprintf(&attributes, " a%d", i)
	}
	attributes.WriteString("><p>more</p></div></main>")
	for name, src := range map[string]string{
		"a million attributes": attributes.String(),
		"deep":                 strings.Repeat("<div>", 1<<19) + "text",
		"a long name":          "<main>text<" + strings.Repeat("x", 4<<20) + ">",
		"a long class":         "<main><p class='" + strings.Repeat("x ", 1<<20) + "'>text</main>",
		"many classes":         "<main>text" + strings.Repeat("<i class='a b c d e f g h i j'></i>", 20_000),
	} {
		p, err := article.Read(t.Context(), []byte(src), "text/html", address(t, "https://docs.example.com/"), article.Options{})
		if err != nil || !strings.Contains(string(p.Markdown), "text") {
			t.Errorf("%s: %.100q, %v", name, p.Markdown, err)
		}
	}
	if _, err := article.Read(t.Context(), make([]byte, 100<<20), "text/html", address(t, "https://docs.example.com/"), article.Options{}); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("100 MB: %v", err)
	}
}

// A text that many elements are around is not read again for each of them.
func TestDeepText(t *testing.T) {
	words := strings.Repeat("Some text, that is long enough. ", 1<<15)
	for name, src := range map[string]string{
		"one text":   strings.Repeat("<div>", 400) + "<p>" + words,
		"many texts": strings.Repeat("<div>", 400) + strings.Repeat("<p>"+words[:len(words)>>10], 1<<10),
	} {
		began := time.Now()
		p, err := article.Read(t.Context(), []byte(src), "text/html", address(t, "https://docs.example.com/"), article.Options{})
		if err != nil || p.Way != "page" {
			t.Errorf("%s: found by %s, %v", name, p.Way, err)
		}
		t.Logf("%s: %v", name, time.Since(began))
	}
}

func samples(t testing.TB) (all [][]byte) {
	t.Helper()
	names, err := filepath.Glob("testdata/pages/*.html")
	if err != nil || len(names) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, n := range names {
		src, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, src)
	}
	return all
}

func FuzzRead(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s, "text/html; charset=utf-8", "", false)
	}
	f.Add([]byte("\xff\xfe<\x00p\x00>\x00"), "text/html; charset=shift_jis", "p, main > *", true)
	f.Fuzz(func(t *testing.T, src []byte, contentType, selector string, whole bool) {
		o := article.Options{Whole: whole, Selector: selector}
		if o.Selector != "" && (len(selector) > 200 || article.CheckSelector(selector) != nil) {
			return
		}
		p, err := article.Read(t.Context(), src, contentType, address(t, "https://docs.example.com/a/b?c"), o)
		if err != nil && !errors.Is(err, fault.ErrUnsupported) {
			t.Fatal(err)
		}
		if err != nil && strings.Contains(err.Error(), "cannot be read: runtime") {
			t.Fatal(err)
		}
		if !utf8.Valid(p.Markdown) || !utf8.ValidString(p.Title) {
			t.Fatalf("no UTF-8: %q %q", p.Title, p.Markdown)
		}
		for _, l := range append(p.Links, p.Canonical, p.Refresh) {
			if l != "" && !strings.HasPrefix(l, "http://") && !strings.HasPrefix(l, "https://") {
				t.Fatalf("a link of %q", l)
			}
		}
		if again, _ := article.Read(t.Context(), src, contentType, address(t, "https://docs.example.com/a/b?c"), o); !bytes.Equal(p.Markdown, again.Markdown) {
			t.Fatal("the second time is different")
		}
	})
}

func BenchmarkRead(b *testing.B) {
	all := samples(b)
	u := address(b, "https://docs.example.com/")
	size := 0
	for _, s := range all {
		size += len(s)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, s := range all {
			if _, err := article.Read(b.Context(), s, "text/html", u, article.Options{}); err != nil {
				b.Fatal(err)
			}
		}
	}
}
