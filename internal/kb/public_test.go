package kb_test

import (
	"net/url"
	"strings"
	"testing"

	"kbsyncd/internal/kb"
)

func TestPublicURLOf(t *testing.T) {
	for _, tt := range []struct {
		public kb.PublicURL
		path   string
		want   string
	}{
		{"", "a.md", ""},
		{"https://x.example", "guide/a.md", "https://x.example/guide/a.md"},
		{"https://x.example/docs/", "a.md", "https://x.example/docs/a.md"},
		{"https://x.example/docs", "", "https://x.example/docs/"},
		{"https://x.example", "Größe/a b.md", "https://x.example/Gr%C3%B6%C3%9Fe/a%20b.md"},
		{"https://x.example", "a?b#c%20(1)&d.md", "https://x.example/a%3Fb%23c%2520%281%29&d.md"},
		{"https://x.example/blob/{path}?plain=1", "a/b.md", "https://x.example/blob/a/b.md?plain=1"},
		{"https://x.example/{path}/view", "a/b.md", "https://x.example/a/b.md/view"},
		{"https://x.example/{path}/view", "", "https://x.example/view"},
		{"https://x.example/?file={path}&v=1", "a&b=1+2/c.md", "https://x.example/?file=a%26b%3D1%2B2/c.md&v=1"},
		{"https://x.example/{page}", "guide/setup.md", "https://x.example/guide/setup"},
		{"https://x.example/{page}", "guide/Index.MD", "https://x.example/guide/"},
		{"https://x.example/{page}/", "guide/README.md", "https://x.example/guide/"},
		{"https://x.example/{page}/", "guide/setup.mdx", "https://x.example/guide/setup/"},
		{"https://x.example/{page}", "README.rst", "https://x.example/"},
		{"https://x.example/{page}.html", "README.rst", "https://x.example/index.html"},
		{"https://x.example/{page}.html", "guide/index.md", "https://x.example/guide/index.html"},
		{"https://x.example/{page}.html", "guide/a.md", "https://x.example/guide/a.html"},
		{"https://x.example/{page}", "img/index.png", "https://x.example/img/index.png"},
		{"https://x.example/{page}", "v1.2", "https://x.example/v1.2"},
	} {
		if got := tt.public.Of(tt.path); got != tt.want {
			t.Errorf("%s of %q: got %q, want %q", tt.public, tt.path, got, tt.want)
		}
	}
}

func TestPublicURLResolve(t *testing.T) {
	for _, tt := range []struct{ ref, want string }{
		{"b.md", "https://x.example/guide/b.md"},
		{"./b.md", "https://x.example/guide/b.md"},
		{"../b.md", "https://x.example/b.md"},
		{"sub/./x/../b.md", "https://x.example/guide/sub/b.md"},
		{"/b.md", "https://x.example/b.md"},
		{"/", "https://x.example/"},
		{"/../../b.md", "https://x.example/b.md"},
		{".", "https://x.example/guide/"},
		{"..", "https://x.example/"},
		{"sub/", "https://x.example/guide/sub/"},
		{"sub/..", "https://x.example/guide/"},
		{"b.md?a=1&b=2#part", "https://x.example/guide/b.md?a=1&b=2#part"},
		{"b.md#a?b", "https://x.example/guide/b.md#a?b"},
		{"b.md#größe (1)", "https://x.example/guide/b.md#gr%C3%B6%C3%9Fe%20%281%29"},
		{"b.md?100%#5%x%2", "https://x.example/guide/b.md?100%25#5%25x%252"},
		{"b.md#a%20b", "https://x.example/guide/b.md#a%20b"},
		{"a b.md", "https://x.example/guide/a%20b.md"},
		{"a%20b.md", "https://x.example/guide/a%20b.md"},
		{"a%C3%A9.md", "https://x.example/guide/a%C3%A9.md"},
		{"é.md", "https://x.example/guide/%C3%A9.md"},
		{"100%.md", "https://x.example/guide/100%25.md"},
		{"x/a:b.md", "https://x.example/guide/x/a:b.md"},
		{"./a:b.md", "https://x.example/guide/a:b.md"},
		{"a\"'<>`.md", "https://x.example/guide/a%22%27%3C%3E%60.md"},
		// What stays.
		{"", ""},
		{"#part", "#part"},
		{"?a=1", "?a=1"},
		{"https://y.example/b.md", "https://y.example/b.md"},
		{"HTTP:b.md", "HTTP:b.md"},
		{"//y.example/b.md", "//y.example/b.md"},
		{"mailto:a@y.example", "mailto:a@y.example"},
		{"tel:123", "tel:123"},
		{"data:image/png;base64,AA/+", "data:image/png;base64,AA/+"},
		{"../../b.md", "../../b.md"},
		{"%2e%2e/../b.md", "%2e%2e/../b.md"},
		{"../..", "../.."},
		{`..\b.md`, `..\b.md`},
		{"C:\\a.md", "C:\\a.md"},
		{"{{ site.url }}/b.md", "{{ site.url }}/b.md"},
		{"{% link b.md %}", "{% link b.md %}"},
		{"${base}/b.md", "${base}/b.md"},
	} {
		if got := kb.PublicURL("https://x.example/").Resolve("guide/a.md", tt.ref); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.ref, got, tt.want)
		}
		if got := kb.PublicURL("").Resolve("guide/a.md", tt.ref); got != tt.ref {
			t.Errorf("%q without an address: got %q", tt.ref, got)
		}
	}
	for _, tt := range []struct {
		public       kb.PublicURL
		at, ref, out string
	}{
		{"https://x.example/{page}", "a/index.md", "../b/README.md#x", "https://x.example/b/#x"},
		{"https://x.example/{page}/", "a/index.md", "c.md", "https://x.example/a/c/"},
		{"https://x.example/{page}/", "a/index.md", "c/", "https://x.example/a/c/"},
		{"https://x.example/blob/main/{path}", "a.md", "img/b.png", "https://x.example/blob/main/img/b.png"},
		{"https://x.example/?f={path}", "a.md", "b.md?x=1#y", "https://x.example/?f=b.md&x=1#y"},
	} {
		if got := tt.public.Resolve(tt.at, tt.ref); got != tt.out {
			t.Errorf("%s, %q: got %q, want %q", tt.public, tt.ref, got, tt.out)
		}
	}
}

func TestCheckPublicURL(t *testing.T) {
	for _, s := range []string{
		"", "https://x.example", "http://x.example:8080/docs/", "https://x.example/{path}", "https://x.example/{page}/",
		"https://x.example/?f={path}", "https://x.example/path?f={page}&a=1", "https://x.example/a%20b/", "https://[::1]/docs",
	} {
		if msg, _ := kb.CheckPublicURL(s); msg != "" {
			t.Errorf("%s: %s", s, msg)
		}
	}
	for s, want := range map[string]string{
		"x.example/docs":                                 "http or https",
		"/docs":                                          "http or https",
		"ftp://x.example/":                               "http or https",
		"https:x.example":                                "http or https",
		"https:///docs":                                  "http or https",
		"https://:80/docs":                               "http or https",
		"https://bob:hunter2@x.example/":                 "user",
		"https://bob@x.example/{path}":                   "user",
		"https://x.example/#a":                           "fragment",
		"https://x.example/#":                            "fragment",
		"https://x.example/#{path}":                      "fragment",
		"https://x.example/{path}/{path}":                "once",
		"https://x.example/{path}/{page}":                "once",
		"https://x.example/{name}":                       "{path} or {page}",
		"https://x.example/{path":                        "braces",
		"https://{path}.example/":                        "host",
		"https://{page}":                                 "host",
		"https://x.example/?a=1":                         "query",
		"https://x.example/a b":                          "character",
		"https://x.example/a\nb":                         "character",
		"https://x.example/(a":                           "character",
		"https://x.example/\u00e9":                       "character",
		"https://x.example/%zz":                          "http or https",
		"https://x.example/" + strings.Repeat("a", 1000): "longer",
	} {
		msg, hint := kb.CheckPublicURL(s)
		if !strings.Contains(msg, want) || hint == "" {
			t.Errorf("%s: got %q, %q, want %q and a hint", s, msg, hint, want)
		}
		if strings.Contains(msg+hint, "hunter2") {
			t.Errorf("%s: told the password", s)
		}
	}
}

// Whatever a document says, a reference becomes an address below the public one or stays as it is.
func FuzzResolve(f *testing.F) {
	for _, s := range []string{"b.md", "../b.md", "/%2e%2e/b", "a b#c d", "//x", "%2e%2e%2fb", "x?y#z", "\x00", "./:"} {
		f.Add("guide/a.md", s)
	}
	f.Fuzz(func(t *testing.T, at, ref string) {
		const base = "https://x.example/docs/"
		got := kb.PublicURL(base).Resolve(at, ref)
		if got == ref {
			return
		}
		u, err := url.Parse(got)
		if err != nil {
			t.Fatalf("%q became %q: %v", ref, got, err)
		}
		for e := range strings.SplitSeq(u.Path, "/") {
			if e == ".." {
				t.Fatalf("%q became %q, which leaves the source", ref, got)
			}
		}
		if !strings.HasPrefix(got, base) || u.Host != "x.example" || strings.ContainsAny(got, " \t\r\n\"'<>()\\`") {
			t.Fatalf("%q became %q", ref, got)
		}
	})
}
