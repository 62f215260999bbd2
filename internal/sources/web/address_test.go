package web

import (
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestKeys(t *testing.T) {
	for address, want := range map[string]string{
		"https://h.example":                         "index",
		"https://h.example/":                        "index",
		"https://H.Example:443/a/":                  "a",
		"https://h.example/a//b/../c#x":             "a/c",
		"https://h.example/%C3%A9t%c3%a9":           "été",
		"https://h.example/e%CC%81":                 "é",
		"https://h.example/%FF":                     "%FF",
		"https://h.example/a%2Fb":                   "a%2Fb",
		"https://h.example/%2e%2E/x":                "%2E%2E/x",
		"https://h.example/a%00b":                   "a%00b",
		"https://h.example/A%20b?x=1&y=%c3%a9":      "A b?x=1&y=%C3%A9",
		"https://h.example/a?":                      "a",
		"http://h.example:8080/a":                   "h.example:8080/a",
		"https://other.example/":                    "other.example/index",
		"https://h.example/Ünï/x":                   "Ünï/x",
		"https://h.example./a":                      "a",
		"https://h.example/a/index.html":            "a/index.html",
		"https://h.example/a/.":                     "a",
		"  https://h.example/with-space-around\n":   "with-space-around",
		"https://h.example/100%25":                  "100%",
		"https://h.example/q?redirect=http://x/y/z": "q?redirect=http://x/y/z",
	} {
		u, ok := parseAddress(address)
		if !ok {
			t.Errorf("%s is no address", address)
			continue
		}
		if got := keyPath(u, "h.example"); got != want {
			t.Errorf("%s has the key %q, want %q", address, got, want)
		}
		if again, ok := parseAddress(u.String()); !ok || again.String() != u.String() {
			t.Errorf("%s becomes %s, and that %v", address, u, again)
		}
	}
	for _, bad := range []string{"", "ftp://h/x", "https:///x", "javascript:alert(1)", "https://u:p@h.example/", "//h.example/x", "https://h.example/%zz"} {
		if u, ok := parseAddress(bad); ok {
			t.Errorf("%q is taken for %s", bad, u)
		}
	}
}

func TestLoginRedirects(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		want     bool
	}{
		{"https://h/a", "https://h/b", false},
		{"https://h/a", "https://h/login?next=/a", true},
		{"https://h/a", "https://h/en/sign-in/", true},
		{"https://h/a", "https://accounts.h/x", true},
		{"https://h/a", "https://www.h/a", false},
		{"https://h/login", "https://h/login/", false},
		{"https://h/a", "https://h/authors", false},
		{"https://h/a", "https://h/wp-login.php", true},
		{"https://h/a", "https://h/session/new", true},
		{"https://h/a", "https://h/realms/x/protocol/openid-connect/auth?x=1", true},
		{"https://h/a", "https://h/docs/sso/setup", false},
		{"https://h/a", "https://h/docs/auth/tokens", false},
		{"https://h/a", "https://h/docs/login-page", false},
		{"https://h/a", "https://other/auth/realms/x", true},
		{"https://h/auth", "https://other/auth/", false},
	} {
		from, _ := parseAddress(tt.from)
		to, _ := parseAddress(tt.to)
		if got := toLogin(from, to); got != tt.want {
			t.Errorf("%s to %s: %v", tt.from, tt.to, got)
		}
	}
}

func TestGlobs(t *testing.T) {
	g := globs{include: []string{"/guide/**", "/faq"}, exclude: []string{"**/draft*"}}
	for address, want := range map[string]bool{
		"https://h/guide/a": true, "https://h/guide/": true, "https://h/guide": true, "https://h/faq/": true, "https://h/faq/x": false,
		"https://h/guide/draft-1": false, "https://h/guide/draft-1/": false, "https://h/": false, "https://h/guide/%C3%A9": true,
	} {
		u, _ := parseAddress(address)
		if got := g.keeps(u); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}

// Whatever a site lists: an address stays what it is when it is read again, and its key is text that fits.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"https://h/a", "http://h/%2e%2e/%FF?x=%", "https://h//a/./b/..", "https://h/é?é", "https://[::1]:80/%25"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, ok := parseAddress(s)
		if !ok {
			return
		}
		again, ok := parseAddress(u.String())
		if !ok || again.String() != u.String() {
			t.Fatalf("%q becomes %q, and that %v", s, u, again)
		}
		k := keyPath(u, "h")
		if k == "" || !utf8.ValidString(k) || !norm.NFC.IsNormalString(k) || k[0] == '/' {
			t.Fatalf("%q has the key %q", s, k)
		}
	})
}
