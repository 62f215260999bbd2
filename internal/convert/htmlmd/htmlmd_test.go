package htmlmd_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kbsyncd/internal/convert/htmlmd"
	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestPages(t *testing.T) {
	pages, err := filepath.Glob("testdata/*.html")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, name := range pages {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := htmlmd.Read(t.Context(), src, markup.DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		golden := strings.TrimSuffix(name, ".html") + ".md"
		text := "Title: " + got.Title + "\n\n" + string(got.Markdown)
		if *update {
			if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if text != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, text, want)
		}
	}
}

func TestCorners(t *testing.T) {
	for _, c := range []struct{ name, src, title, want string }{
		{"main alone", `<title>T</title><nav>menu</nav><main><h1>A</h1><p>text of the page</main><div>more</div>`, "T", "# A\n\ntext of the page\n"},
		{"two articles are both content", `<article>one</article><article>two</article>`, "", "one\n\ntwo\n"},
		{"heading in the page's header", `<header><h1>Name</h1><a href=/>Home page</a></header><p>a long text with many words in it to read</p><footer>f</footer>`, "Name", "# Name\n\na long text with many words in it to read\n"},
		{"a site that is one form", `<form><p>all the text</p><input value=x></form>`, "", "all the text\n"},
		{"hidden", `<p>seen by everybody</p><p hidden>no</p><p style="display: none">no</p><p aria-hidden=true>no</p>`, "", "seen by everybody\n"},
		{"title of the Open Graph", `<meta property="og:title" content="O  G"><p>x`, "O G", "x\n"},
		{"Windows-1252 unless told", "<p>caf\xe9", "", "café\n"},
		{"declared charset", "<meta charset=windows-1251><p>\xcf\xf0\xe8\xe2\xe5\xf2", "", "Привет\n"},
		{"a lie about UTF-8", "<meta charset=iso-8859-1><p>café", "", "café\n"},
		{"UTF-16", "\xff\xfe<\x00p\x00>\x00x\x00", "", "x\n"},
		{"XHTML closes what it opens", `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body><a id="x"/><script/><p>kept</p></body></html>`, "", "kept\n"},
		{"spans", `<table><tr><th>a<th>b<tr><td rowspan=2>1<td>2<tr><td>3</table>`, "", "| a | b |\n| --- | --- |\n| 1 | 2 |\n|  | 3 |\n"},
		{"layout", `<table><tr><td><h2>A</h2><td><p>b</table>`, "A", "## A\n\nb\n"},
		{"crossed emphasis loses no text", `<p><b>a<p>b</b>c<p>d`, "", "**a**\n\nbc\n\nd\n"},
		{"permalinks go, anchors stay text", `<h2>A <a href="#a">#</a></h2><a name=x>b</a> <a href="javascript:f()">c</a>`, "A", "## A\n\nb c\n"},
		{"pictures", `<p>x<img src="a b.png" alt="A [b]"><img src="data:x" alt=D><img src=n.png>`, "", "x![A \\[b\\]](a%20b.png)D\n"},
		{"links", `<a href="http://e.org/a">t</a>, <a href="../b.html">u</a>`, "", "[t](http://e.org/a), [u](../b.html)\n"},
		{"line numbers go", `<pre><span class="lineno">1</span>a<br>b</pre>`, "", "```\na\nb\n```\n"},
	} {
		got, err := htmlmd.Read(t.Context(), []byte(c.src), markup.DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got.Title != c.title || string(got.Markdown) != c.want {
			t.Errorf("%s: got %q, %q, want %q, %q", c.name, got.Title, got.Markdown, c.title, c.want)
		}
	}
}

func TestFragmentKeepsEverything(t *testing.T) {
	got, err := htmlmd.Fragment(t.Context(), []byte(`<style>p{}</style><nav>a</nav><header>b</header><p hidden>c</p><footer>d</footer><script>e</script>`), markup.DefaultLimits())
	if err != nil || string(got) != "a\n\nb\n\nc\n\nd\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := htmlmd.Fragment(t.Context(), []byte("<p> <br></p>"), markup.DefaultLimits()); err != nil || len(got) != 0 {
		t.Errorf("nothing: got %q, %v", got, err)
	}
}

func TestPageWithoutText(t *testing.T) {
	_, err := htmlmd.Read(t.Context(), []byte("<div id=app></div><script>run()</script>"), markup.DefaultLimits())
	if f, ok := errors.AsType[*fault.Error](err); !ok || !errors.Is(err, fault.ErrUnsupported) || f.Hint == "" {
		t.Errorf("got %v", err)
	}
}
