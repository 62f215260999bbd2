package fetch

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kbsyncd/internal/fault"
)

func TestRules(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		allowed    string // paths
		forbidden  string
	}{
		{"empty", "", "/ /a", ""},
		{"everything", "User-agent: *\nDisallow: /", "/robots.txt", "/ /a /a?b"},
		{"nothing", "User-agent: *\nDisallow:", "/ /a", ""},
		{"a folder", "User-agent: *\nDisallow: /a/", "/ /a /b /ab/", "/a/ /a/b"},
		{"the longest wins", "User-agent: *\nAllow: /a/public\nDisallow: /a", "/b /a/public /a/public/x", "/a /a/private"},
		{"order does not matter", "User-agent: *\nDisallow: /a\nAllow: /a/public", "/a/public", "/a"},
		{"of equals the one that allows", "User-agent: *\nDisallow: /a\nAllow: /a", "/a", ""},
		{"asterisk", "User-agent: *\nDisallow: /*/private", "/private /a/public", "/a/private /a/b/private/c"},
		{"asterisk anchors at the start", "User-agent: *\nDisallow: /b*c", "/a/bxc", "/bxc /bc"},
		{"end", "User-agent: *\nDisallow: /*.pdf$", "/a.pdfx /a.pdf?b", "/a.pdf /b/a.pdf"},
		{"end without asterisk", "User-agent: *\nDisallow: /a$", "/ab /a/", "/a"},
		{"parts do not overlap", "User-agent: *\nDisallow: /ab*ba$", "/aba", "/abba /abxba"},
		{"query", "User-agent: *\nDisallow: /*?print", "/a /a?x&print", "/a?print"},
		{"escapes", "User-agent: *\nDisallow: /%7Ea/%2fb\nDisallow: /ü", "/~a//b", "/~a/%2Fb /%7ea/%2fb /%C3%BC /%c3%bc"},
		{"our group, not that for everybody", "User-agent: *\nDisallow: /\n\nUser-agent: kbsyncd\nDisallow: /a", "/ /b", "/a"},
		{"our group in any letters with a version", "User-agent: KBSyncD/9.1\nDisallow: /a", "/b", "/a"},
		{"our groups together", "User-agent: kbsyncd\nDisallow: /a\nUser-agent: x\nDisallow: /c\nUser-agent: kbsyncd\nDisallow: /b", "/c", "/a /b"},
		{"several names for a group", "User-agent: x\nUser-agent: kbsyncd\nDisallow: /a\nUser-agent: y\nDisallow: /b", "/b", "/a"},
		{"the beginning of our name is another name", "User-agent: kb\nDisallow: /a", "/a", ""},
		{"an empty group of ours frees", "User-agent: *\nDisallow: /\nUser-agent: kbsyncd\nDisallow:", "/a", ""},
		{"comments, spaces, line ends", "\xef\xbb\xbf# x\r\nuser-agent : * # all\r\n disallow: /a # b\rDisallow:/c", "/b", "/a /c"},
		{"lines that cannot be understood", "Disallow: /x\nnonsense\nUser-agent: *\nCrawl-delay: soon\nDisallow: a\nDisallow: /a", "/b /x", "/a"},
		{"a delay does not end the names", "User-agent: *\nCrawl-delay: 1\nDisallow: /a", "/b", "/a"},
	} {
		r := readRules([]byte(tt.text), "kbsyncd", &url.URL{Scheme: "https", Host: "docs.example.com"})
		for want, paths := range map[bool]string{true: tt.allowed, false: tt.forbidden} {
			for path := range strings.FieldsSeq(paths) {
				if path == "/robots.txt" {
					continue // Allowed knows it
				}
				rule := r.decide(path)
				if got := rule == nil || rule.allow; got != want {
					t.Errorf("%s: %s is allowed: %v, want %v", tt.name, path, got, want)
				}
			}
		}
	}
}

func TestRobots(t *testing.T) {
	const file = "User-agent: *\nDisallow: /private\nSitemap: /map.xml\nSitemap: https://cdn.example.com/map.xml\nSitemap: ftp://x/y\nSitemap: /map.xml\n"
	var asked []string
	at, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		_, _ = w.Write([]byte(file))
	})
	c := client(t, Options{Hosts: []string{host}})
	for path, want := range map[string]bool{"/": true, "/a": true, "/private/a?b": false, "/robots.txt": true} {
		ok, why, err := c.Allowed(t.Context(), at+path)
		if err != nil || ok != want || ok != (why == "") {
			t.Errorf("%s: %v %q %v", path, ok, why, err)
		}
		if !ok && !strings.Contains(why, "/private") {
			t.Errorf("%s: %q does not name the rule", path, why)
		}
	}
	maps, err := c.Sitemaps(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{at + "/map.xml", "https://cdn.example.com/map.xml"}, maps); diff != "" {
		t.Error(diff)
	}
	if !slices.Equal(asked, []string{"/robots.txt"}) {
		t.Errorf("asked for %q", asked)
	}
	if _, _, err := c.Allowed(t.Context(), "ftp://x"); err == nil {
		t.Error("an address that cannot be asked has rules")
	}
}

func TestRobotsThatAreOdd(t *testing.T) {
	long := "User-agent: *\nDisallow: /a\n" + strings.Repeat("# filling\n", maxRobots/10)
	for _, tt := range []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request)
		ok     bool
		err    string
	}{
		{"not there", http.NotFound, true, ""},
		{"may not be read", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, true, ""},
		{"out of order", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, false, "robots.txt answers 500"},
		{"too busy", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1000")
			w.WriteHeader(http.StatusTooManyRequests)
		}, false, "robots.txt answers 429"},
		{"a page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("User-agent: *\nDisallow: /"))
		}, true, ""},
		{"a page that says to be text", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = w.Write([]byte("\n<!doctype html>\nUser-agent: *\nDisallow: /"))
		}, true, ""},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/robots.txt" {
				http.Redirect(w, r, "/other.txt", http.StatusFound)
				return
			}
			_, _ = w.Write([]byte("User-agent: *\nDisallow: /a"))
		}, false, ""},
		{"a page behind a login", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://10.0.0.1/", http.StatusFound)
		}, false, "10.0.0.1"},
		{"long", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(long)) }, false, ""},
		{"what matters comes too late", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(strings.Repeat("# filling\n", maxRobots/10) + "User-agent: *\nDisallow: /a"))
		}, true, ""},
		{"cut short", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("User-agent: *\nDisallow: /b"))
		}, false, "cut short"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{}, tt.answer, func(t *testing.T, c *Client) {
				ok, why, err := c.Allowed(t.Context(), "http://site.test/a")
				if tt.err != "" {
					wantErr(t, err, fault.ErrIncomplete, tt.err)
					requests, _, _ := c.Traffic()
					_, _, _ = c.Allowed(t.Context(), "http://site.test/b")
					if again, _, _ := c.Traffic(); again != requests {
						t.Error("a failure is not remembered")
					}
					return
				}
				if err != nil || ok != tt.ok {
					t.Errorf("%v %q %v", ok, why, err)
				}
			})
		})
	}
}

// TestRobotsAreAskedAgain holds how long the rules are kept, and failures.
func TestRobotsAreAskedAgain(t *testing.T) {
	status := http.StatusInternalServerError
	inBubble(t, Options{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }, func(t *testing.T, c *Client) {
		if _, err := c.Sitemaps(t.Context(), "http://site.test"); err == nil {
			t.Fatal("no error")
		}
		status = http.StatusOK
		time.Sleep(failureKept)
		for _, wait := range []time.Duration{0, rulesKept - time.Second, 2 * time.Second} {
			time.Sleep(wait)
			if ok, _, err := c.Allowed(t.Context(), "http://site.test/"); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		if requests, _, _ := c.Traffic(); requests != maxTries+2 {
			t.Errorf("%d requests", requests)
		}
	})
}

func TestCrawlDelay(t *testing.T) {
	for _, tt := range []struct {
		delay string
		want  time.Duration // between two requests
	}{{"2.5", 2500 * time.Millisecond}, {"3600", maxCrawlDelay}, {"1e300", maxCrawlDelay}, {"-1", 0}, {"NaN", 0}, {"soon", 0}} {
		t.Run(tt.delay, func(t *testing.T) {
			inBubble(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/robots.txt" {
					_, _ = fmt.Fprintf(w, "User-agent: *\nCrawl-delay: %s\n", tt.delay)
				}
			}, func(t *testing.T, c *Client) {
				if _, _, err := c.Allowed(t.Context(), "http://site.test/"); err != nil {
					t.Fatal(err)
				}
				read(t, c, Request{URL: "http://site.test/"})
				started := time.Now()
				for range 4 {
					read(t, c, Request{URL: "http://site.test/"})
				}
				if took := time.Since(started).Round(time.Millisecond); took != 4*tt.want {
					t.Errorf("4 requests took %v, want %v", took, 4*tt.want)
				}
			})
		})
	}
}
