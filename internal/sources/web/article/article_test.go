package article_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/sources/web/article"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func address(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func read(t *testing.T, src string, o article.Options) article.Page {
	t.Helper()
	p, err := article.Read(t.Context(), []byte(src), "text/html", address(t, "https://docs.example.com/guide/page.html"), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestLayouts reads small pages that are built as those of many generators are.
func TestLayouts(t *testing.T) {
	pages, err := filepath.Glob("testdata/pages/*.html")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, name := range pages {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p := read(t, string(src), article.Options{})
		got := fmt.Sprintf("title: %s\nway: %s\ncanonical: %s\nlinks: %s\nsuspect: %d\n\n%s", p.Title, p.Way, p.Canonical, strings.Join(p.Links, " "), p.Suspect, p.Markdown)
		golden := strings.TrimSuffix(name, ".html") + ".md"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

const long = "This sentence stands for the content of the page, which says a good deal about pumps, hoses and clamps. "

func TestSelector(t *testing.T) {
	page := "<h1>Site</h1><main><p>" + strings.Repeat(long, 5) + "</p></main><div class=post><h2>One</h2></div><div class=post><h2>Two</h2><div class=post>inner</div></div>"
	if got := read(t, page, article.Options{Selector: ".post"}); got.Way != "selector" || string(got.Markdown) != "# Site\n\n## One\n\n## Two\n\ninner\n" {
		t.Errorf("way %s: %q", got.Way, got.Markdown)
	}
	u := address(t, "https://docs.example.com/")
	p, err := article.Read(t.Context(), []byte("<main>x <a href=/y>y</a></main>"), "", u, article.Options{Selector: "#gone"})
	if !errors.Is(err, fault.ErrUnsupported) || !strings.Contains(err.Error(), "#gone") || len(p.Links) != 1 {
		t.Errorf("got %v, %d links", err, len(p.Links))
	}
	if err := article.CheckSelector("main > .a, #b"); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "main >", "..x", "a[", ":nosuch"} {
		if err := article.CheckSelector(bad); !errors.Is(err, fault.ErrSetup) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestWholePage(t *testing.T) {
	page := "<nav>Home</nav><main><h1>T</h1><p>" + long + "</p></main><footer>Imprint</footer><script>var x</script>"
	got := read(t, page, article.Options{Whole: true})
	for _, want := range []string{"Home", "# T", "Imprint"} {
		if !strings.Contains(string(got.Markdown), want) {
			t.Errorf("%q is not in %q", want, got.Markdown)
		}
	}
	if got.Way != "page" || strings.Contains(string(got.Markdown), "var x") {
		t.Errorf("way %s: %q", got.Way, got.Markdown)
	}
}

func TestAddresses(t *testing.T) {
	page := `<head><base href="/v2/"><link rel=canonical href="page#top"><meta name=robots content="NoIndex"></head><main><p>` + long +
		`<a href="a.html#x">a</a> <a href="a.html">again</a> <a href="#here">here</a> <a href="javascript:void(0)">script</a> <a href="data:text/html,x">data</a>
		<a href="mailto:me@example.com">mail</a> <a href="//other.example.com/b?c=d&amp;e=f">other</a> <a href="https://user:pass@docs.example.com/s">secret</a>
		<a href="http://[bad">bad</a> <img src="i.png" alt="An image"> <img src="data:x" data-src="lazy.png" alt="Lazy"></main><nav><a href="/nav">nav</a></nav>`
	p := read(t, page, article.Options{})
	want := []string{"https://docs.example.com/v2/a.html", "https://docs.example.com/v2/", "https://other.example.com/b?c=d&e=f", "https://docs.example.com/s", "https://docs.example.com/nav"}
	if diff := cmp.Diff(want, p.Links); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	if p.Canonical != "https://docs.example.com/v2/page" || !p.NoIndex {
		t.Errorf("canonical %q, noindex %v", p.Canonical, p.NoIndex)
	}
	md := string(p.Markdown)
	for _, want := range []string{"[a](https://docs.example.com/v2/a.html#x)", "[here](https://docs.example.com/v2/#here)", " script data ", "[mail](mailto:me@example.com)",
		"![An image](https://docs.example.com/v2/i.png)", "![Lazy](https://docs.example.com/v2/lazy.png)", " bad "} {
		if !strings.Contains(md, want) {
			t.Errorf("%q is not in %s", want, md)
		}
	}
	if strings.Contains(md, "pass") {
		t.Errorf("a password is in %s", md)
	}
	if p := read(t, "<meta name=robots content='none'><p>"+long+"<a href=x>x</a>", article.Options{}); len(p.Links) != 0 || !p.NoIndex {
		t.Errorf("links %v, noindex %v", p.Links, p.NoIndex)
	}
	if p := read(t, "<meta name=googlebot content='noindex'><p>"+long, article.Options{}); p.NoIndex {
		t.Error("what is said to another robot counts")
	}
}

func TestRefresh(t *testing.T) {
	for content, want := range map[string]string{
		"0; url=new.html": "https://docs.example.com/guide/new.html", "0;URL='/b#c'": "https://docs.example.com/b#c", "1, /d": "https://docs.example.com/d",
		"30; url=later.html": "", "0": "", "0; url=page.html#x": "", "0; url=javascript:x": "", "soon; url=x": "",
	} {
		page := "<meta http-equiv=Refresh content=\"" + content + "\"><body>"
		if want == "" {
			page += "<p>" + long
		}
		if got := read(t, page, article.Options{}).Refresh; got != want {
			t.Errorf("%q: got %q, want %q", content, got, want)
		}
	}
}

func TestTitles(t *testing.T) {
	for _, c := range []struct{ page, title, begins string }{
		{"<title>Install | Docs</title><main><h1>Install</h1><p>x" + long, "Install", "# Install\n"},
		{"<title>Docs: Install</title><main><h1>Install<a class=headerlink href=#i>¶</a></h1><p>x" + long, "Install", "# Install\n"},
		{"<title>Install | Docs</title><meta property=og:site_name content=Docs><main><p>" + long, "Install", "# Install\n\nThis"},
		{"<title>Install - v2 - Docs</title><meta property=og:title content='Install - v2'><main><p>" + long, "Install - v2", "# Install - v2\n\nThis"},
		{"<title>Install</title><main><h2>Install</h2><p>" + long, "Install", "# Install\n\nThis"},
		{"<title>Install</title><div>Install</div><p>" + long, "Install", "# Install\n\nThis"},
		{"<title>Install | Docs</title><header><h1>Install</h1></header><main><h2>First</h2><p>" + long, "Install", "# Install\n\n## First"},
		{"<title>Docs</title><main><h1>How to install</h1><p>" + long, "How to install", "# How to install\n"},
		{"<title>OS | Docs 18</title><header><h1>Docs 18</h1></header><main><p>" + long, "OS", "# OS\n\nThis"},
		{"<title>Docs: OS</title><header><h1>OS</h1></header><main><p>" + long, "OS", "# OS\n\nThis"},
		{"<title>İstanbul | İİ</title><header><h1>i̇i̇</h1></header><main><p>" + long, "İstanbul | İİ", "# İstanbul | İİ\n\nThis"},
		{"<title>Manual</title><main><h1>Manual</h1><h1>Manual</h1><p>" + long, "Manual", "# Manual\n\nThis"},
		{"<main><p>" + long, "", "This"},
	} {
		p := read(t, c.page, article.Options{})
		if p.Title != c.title || !strings.HasPrefix(string(p.Markdown), c.begins) {
			t.Errorf("%s\ngives title %q and %.60q", c.page, p.Title, p.Markdown)
		}
	}
}

// TestContent holds what is kept and what goes where no generator is known.
func TestContent(t *testing.T) {
	for _, c := range []struct{ name, page, want string }{
		{"contents of the page", "<h2>On this page</h2><ul><li><a href=#a>One</a></li><li><a href=#b>Two</a></li></ul><h2>One</h2><p>x", "## One\n\nx\n"},
		{"links elsewhere", "<ul><li><a href=/a>One</a></li><li><a href=/b>Two</a></li></ul><p>x", "- [One](https://docs.example.com/a)\n- [Two](https://docs.example.com/b)\n\nx\n"},
		{"a question", "<p>x</p><div><p>Was this page helpful?</p><a href=/y>Yes</a></div>", "x\n"},
		{"an edit link", "<p>x <a href=/e>Edit this page on Forge</a></p>", "x\n"},
		{"hidden text", "<p>x<span hidden>y</span><span style='display: none'>z</span><span class=sr-only>(opens in a new tab)</span>", "x\n"},
		{"line numbers", "<table><tr><td class=linenos><pre>1\n2</pre></td><td><pre><code class=language-go>a\nb</code></pre></td></tr></table>", "```go\na\nb\n```\n"},
		{"a language in an attribute", "<pre data-language=rust><code>x</code></pre>", "```rust\nx\n```\n"},
		{"TeX in a script", "<p>So <script type='math/tex'>a_b</script>.", "So $a_b$.\n"},
		{"KaTeX", "<p>So <span class=katex><span class=katex-mathml><math><semantics><mi>a</mi><annotation encoding=application/x-tex>a^2</annotation></semantics></math></span>" +
			"<span class=katex-html aria-hidden=true>a2</span></span>.", "So $a^2$.\n"},
		{"a title alone in bold", "<details><summary>More</summary><p>y</details>", "**More**\n\ny\n"},
		{"tabs by id", "<ul class='nav nav-tabs'><li><a data-toggle=tab href=#l>Linux</a><li><a data-toggle=tab href=#m>Mac</a></ul><div class=tab-content><div class=tab-pane id=l>apt</div>" +
			"<div class='tab-pane' id=m style='display:none'>brew</div></div>", "**Linux**\n\napt\n\n**Mac**\n\nbrew\n"},
		{"an aside that is a note", "<p>x</p><aside class=note><p>Mind <a href=/l>the long link that is here</a></p></aside>", "x\n\nMind [the long link that is here](https://docs.example.com/l)\n"},
		{"an aside of links", "<p>x</p><aside><a href=/l>Related things</a></aside>", "x\n"},
	} {
		p := read(t, "<main><h1>T</h1><p>"+long+"</p>"+c.page+"</main>", article.Options{})
		if got := strings.TrimPrefix(string(p.Markdown), "# T\n\n"+strings.TrimSpace(long)+"\n\n"); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := article.Read(ctx, []byte("<p>x"), "", address(t, "https://docs.example.com/"), article.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
