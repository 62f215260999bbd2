package web

import (
	"math"
	"strings"
	"testing"
	"time"

	"kbsyncd/internal/secret"
)

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		field  string // "" when the configuration is good
	}{
		{"urls", func(*Config) {}, ""},
		{"crawl", func(c *Config) { c.URLs, c.Crawl.Start = nil, "https://example.com/" }, ""},
		{"nothing", func(c *Config) { c.URLs = nil }, "urls"},
		{"scheme", func(c *Config) { c.URLs = []string{"file:///etc/passwd"} }, "urls[0]"},
		{"no host", func(c *Config) { c.Sitemap = "https:///x" }, "sitemap"},
		{"twice", func(c *Config) { c.URLs = append(c.URLs, c.URLs[0]) }, "urls[1]"},
		{"password", func(c *Config) { c.Crawl.Start = "https://u:p@example.com/" }, "crawl.start"},
		{"credential", func(c *Config) { c.Sitemap = "https://example.com/sitemap.xml?x=1&Access_Token=s" }, "sitemap"},
		{"fragment", func(c *Config) { c.URLs[0] += "#x" }, "urls[0]"},
		{"depth", func(c *Config) { c.Crawl.Depth = -1 }, "crawl.depth"},
		{"pages", func(c *Config) { c.Crawl.MaxPages = 0 }, "crawl.max_pages"},
		{"glob", func(c *Config) { c.Include = []string{"/guide/**", "**/x", "guide/**"} }, "include[2]"},
		{"header", func(c *Config) { c.Headers = map[string]secret.String{"X-Token": secret.New("t")} }, ""},
		{"header name", func(c *Config) { c.Headers = map[string]secret.String{"X Token": secret.New("t")} }, "headers"},
		{"reserved header", func(c *Config) { c.Headers = map[string]secret.String{"host": secret.New("t")} }, "headers.host"},
		{"selector", func(c *Config) { c.Selector = "article > .body" }, ""},
		{"no selector", func(c *Config) { c.Selector = "article >" }, "selector"},
		{"selector without an article", func(c *Config) { c.Selector, c.Content = "article", "raw" }, "selector"},
		{"concurrency", func(c *Config) { c.Concurrency = 0 }, "concurrency"},
		{"rate", func(c *Config) { c.Rate = math.NaN() }, "rate"},
		{"slow", func(c *Config) { c.Rate = 0.1 }, ""},
		{"timeout", func(c *Config) { c.Timeout = time.Millisecond }, "timeout"},
		{"missing_after", func(c *Config) { c.MissingAfter = 0 }, "missing_after"},
	} {
		c := NewConfig()
		c.URLs = []string{"https://example.com/faq"}
		tt.change(c)
		var fields []string
		for _, bad := range c.Validate() {
			fields = append(fields, bad.Field)
		}
		if got := strings.Join(fields, " "); got != tt.field {
			t.Errorf("%s: problems with %q, want %q", tt.name, got, tt.field)
		}
	}
}
