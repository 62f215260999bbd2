package fetch

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func FuzzRules(f *testing.F) {
	f.Add("User-agent: *\nDisallow: /*a*b$\nAllow: /\nCrawl-delay: 1e400\nSitemap: /x", "/a/b?c")
	f.Add("user-agent:kbsyncd\rdisallow:/%f\xff\rsitemap:http://[::1", "/%")
	f.Fuzz(func(t *testing.T, text, path string) {
		r := readRules([]byte(text), "kbsyncd", &url.URL{Scheme: "https", Host: "docs.example.com"})
		if r.delay < 0 || r.delay > maxCrawlDelay {
			t.Errorf("delay %v", r.delay)
		}
		for _, s := range r.sitemaps {
			if u, err := parse(s); err != nil || u.String() != s {
				t.Errorf("sitemap %q: %v", s, err)
			}
		}
		rule := r.decide(path)
		if len(r.list) == 0 && rule != nil {
			t.Error("a rule out of nothing")
		}
		if rule != nil && !rule.matches(canonical(path)) {
			t.Errorf("%q does not match %q", rule.shown(), path)
		}
		if c := canonical(path); canonical(c) != c {
			t.Errorf("canonical(%q) = %q is not its own", path, c)
		}
	})
}

func FuzzFresh(f *testing.F) {
	f.Add(`no-cache="a, max-age=1", max-age="60", s-maxage=5`, "12", "Mon, 02 Jan 2006 15:04:05 GMT")
	f.Add("max-age==,,=", "-1", "0")
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, control, age, date string) {
		h := http.Header{"Cache-Control": {control}, "Age": {age}, "Date": {date}, "Expires": {date}}
		until := freshUntil(h, now)
		if !until.IsZero() && (!until.After(now) || until.After(now.Add(maxLifetime))) {
			t.Errorf("fresh until %v", until)
		}
		if life, _, forbidden := readCacheControl(control); life < 0 || forbidden && !strings.Contains(strings.ToLower(control), "no-") {
			t.Errorf("%q: %v, forbidden %v", control, life, forbidden)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120")
	f.Add("Mon, 02 Jan 2006 15:04:05 GMT")
	f.Add("99999999999999999999")
	f.Add("-1")
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		wait, ok := retryAfter(value, now)
		if wait < 0 || wait > maxLifetime || !ok && wait != 0 {
			t.Errorf("retryAfter(%q) = %v, %v", value, wait, ok)
		}
	})
}

func FuzzAddress(f *testing.F) {
	f.Add("https://BÜCHER.example:443/a?b#c")
	f.Add("http://[fe80::1%25eth0]:80/")
	f.Fuzz(func(t *testing.T, address string) {
		u, err := parse(address)
		if err != nil {
			return
		}
		again, err := parse(u.String())
		if err != nil || again.String() != u.String() || hostPort(again) != hostPort(u) {
			t.Errorf("%q reads as %q and then as %v (%v)", address, u, again, err)
		}
	})
}
