package article_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"kbsyncd/internal/sources/web/article"
)

// hidden writes an address of mail as Cloudflare does, with a key.
func hidden(mail string, key byte) string {
	s := fmt.Sprintf("%02x", key)
	for i := range len(mail) {
		s += fmt.Sprintf("%02x", mail[i]^key)
	}
	return s
}

// What a site writes in another way for each visitor is the same text each time.
func TestVolatileAddresses(t *testing.T) {
	token := func() string { return fmt.Sprintf("%016x", rand.Uint64()) }
	for name, tt := range map[string]struct {
		body func() string
		want string // in the Markdown
	}{
		"mail": {func() string {
			h := hidden("ann@example.com", byte(rand.IntN(256)))
			return `<a href="/cdn-cgi/l/email-protection#` + h + `"><span class="__cf_email__" data-cfemail="` + h + `">[email&#160;protected]</span></a>`
		}, "\nann@example.com\n"},
		"mail without fragment": {func() string {
			return `<a href="/cdn-cgi/l/email-protection" data-cfemail="` + hidden("ann@example.com", byte(rand.IntN(256))) + `">[email&#160;protected]</a>`
		}, "\nann@example.com\n"},
		"no mail":          {func() string { return `<a href="/cdn-cgi/l/email-protection#00` + token() + `">mail</a>` }, "\nmail\n"},
		"session in path":  {func() string { return `<a href="/d/p2;jsessionid=` + token() + `.n1?x=1">next</a>` }, "[next](https://docs.example.com/d/p2?x=1)"},
		"session of .NET":  {func() string { return `<a href="/(S(abcd` + token() + `))/p2.aspx">next</a>` }, "[next](https://docs.example.com/p2.aspx)"},
		"session in query": {func() string { return `<a href="/d/p2?a=1&amp;PHPSESSID=` + token() + `&amp;b=%20">next</a>` }, "[next](https://docs.example.com/d/p2?a=1&b=%20)"},
		"sid":              {func() string { return `<a href="/d/p2?sid=f` + token() + `0">next</a>` }, "[next](https://docs.example.com/d/p2)"},
		"signed link": {func() string {
			return `<a href="https://s3.example.com/a.pdf?X-Amz-Date=1&amp;X-Amz-Signature=` + token() + `">a</a>`
		}, "[a](https://s3.example.com/a.pdf)"},
		"signed image": {func() string { return `<img alt=x src="https://s3.example.com/i.png?X-Amz-Signature=` + token() + `">` }, "![x](https://s3.example.com/i.png)"},
		"shared image": {func() string {
			return `<img alt=x src="https://b.example.com/i.png?sv=1&amp;se=2&amp;sig=` + token() + `&amp;width=20">`
		}, "![x](https://b.example.com/i.png?width=20)"},
		"busted image": {func() string { return `<img alt=x src="/i.png?t=` + token() + `">` }, "![x](https://docs.example.com/i.png)"},
		"token":        {func() string { return `<img alt=x src="/i?token=` + token() + `&amp;utm_source=` + token() + `">` }, "![x](https://docs.example.com/i)"},
		"note":         {func() string { return `T<sup><a href="#fn-` + token() + `">1</a></sup>` }, "T1"},
	} {
		page := func() string {
			p := read(t, "<main><h1>Head</h1><p>"+strings.Repeat("Some text of the page. ", 5)+"</p><p>"+tt.body()+"</p></main>", article.Options{})
			return string(p.Markdown)
		}
		first := page()
		if !strings.Contains(strings.NewReplacer("<sup>", "", "</sup>", "").Replace(first), tt.want) {
			t.Errorf("%s: %q lacks %q", name, first, tt.want)
		}
		for range 20 {
			if again := page(); again != first {
				t.Errorf("%s: %q, and then %q", name, first, again)
				break
			}
		}
	}
}

// What means something in an address stays.
func TestLastingAddresses(t *testing.T) {
	for body, want := range map[string]string{
		`<a href="/watch?v=abc&amp;t=30">a</a>`:              "https://docs.example.com/watch?v=abc&t=30",
		`<a href="/store?sid=12">a</a>`:                      "https://docs.example.com/store?sid=12",
		`<a href="/d?token=types&amp;expires=never">a</a>`:   "https://docs.example.com/d?token=types&expires=never",
		`<a href="#install">a</a>`:                           "https://docs.example.com/guide/page.html#install",
		`<a href="#step-2-of-python-3-12">a</a>`:             "#step-2-of-python-3-12",
		`<a href="/x/y;v=1/z">a</a>`:                         "https://docs.example.com/x/y;v=1/z",
		`<a href="/other#fn-0123456789abcdef">a</a>`:         "/other#fn-0123456789abcdef",
		`<img alt=a src="/image.php?v=chart&amp;t=2">`:       "https://docs.example.com/image.php?v=chart&t=2",
		`<img alt=a src="/i.png?width=20&amp;height=%2010">`: "https://docs.example.com/i.png?width=20&height=%2010",
		`<a href="mailto:a@example.com">a</a>`:               "mailto:a@example.com",
	} {
		p := read(t, "<main><h1>Head</h1><p>Some text. "+body+"</p></main>", article.Options{})
		if !strings.Contains(string(p.Markdown), want) {
			t.Errorf("%s: %q lacks %q", body, p.Markdown, want)
		}
	}
}

// The query of a page may be a signature that a redirect gave to one visitor.
func TestLinksWithinPageKeepItsQuerySecret(t *testing.T) {
	src := `<main><h1>Head</h1><p>See <a href="#sec">below</a>, <a href="page?sig=SECRET">here</a>, <img alt=x src=""> or <a href="next">next</a>.</p></main>`
	p, err := article.Read(t.Context(), []byte(src), "text/html", address(t, "https://docs.example.com/page?sig=SECRET"), article.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if md := string(p.Markdown); strings.Contains(md, "SECRET") || !strings.Contains(md, "See below, here") || !strings.Contains(md, "[next](https://docs.example.com/next)") {
		t.Errorf("%s", md)
	}
}
