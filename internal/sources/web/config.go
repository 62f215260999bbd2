package web

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/secret"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/web/article"
)

// Kind is the entry of this source in sources/all.
var Kind = sources.Kind{
	Name:      "url",
	Summary:   "pages of a website: listed, from a sitemap, or by following links",
	NewConfig: func() sources.Config { return NewConfig() },
}

// Config is the configuration of a website.
type Config struct {
	URLs         []string                 `yaml:"urls" doc:"Addresses of single pages or files."`
	Sitemap      string                   `yaml:"sitemap" doc:"Address of a sitemap or of an index of sitemaps."`
	Crawl        Crawl                    `yaml:"crawl" doc:"Follow the links of a site."`
	Include      []string                 `yaml:"include" kind:"glob" doc:"Globs on the path of the address, for example /guide/**; everything when absent. Addresses under urls are always included."`
	Exclude      []string                 `yaml:"exclude" kind:"glob" doc:"Globs on the path of the address that are left out."`
	Content      string                   `yaml:"content" enum:"main|page|raw" doc:"What is taken of a page: the article as Markdown, the whole page as Markdown, or the bytes as they are."`
	Selector     string                   `yaml:"selector" doc:"CSS selector of the article, where it is not found by itself; only with content: main."`
	Headers      map[string]secret.String `yaml:"headers" doc:"Sent with every request to the listed hosts, and to no other."`
	AllowPrivate bool                     `yaml:"allow_private" doc:"Allow redirects and links into private networks. Hosts that are named here are always allowed."`
	MissingAfter int                      `yaml:"missing_after" doc:"How many times in a row a page must answer 404 or 410 before it counts as gone."`
	IgnoreRobots bool                     `yaml:"ignore_robots" doc:"Follow links and sitemaps also where robots.txt forbids it; for sites of your own. Addresses under urls are never held back."`
	Concurrency  int                      `yaml:"concurrency" doc:"How many requests may be under way at once."`
	Rate         float64                  `yaml:"rate" doc:"Requests a second; 0: as fast as the site answers."`
	Timeout      time.Duration            `yaml:"timeout" doc:"How long one request may take, its answer included."`
	Deliver      string                   `yaml:"deliver" enum:"content|link" doc:"link: the vendor fetches the page itself, where it can. Only with content is it known what the agent knows."`
}

// Crawl says how links are followed.
type Crawl struct {
	Start    string `yaml:"start" doc:"The page to begin at; only addresses below it on the same host are followed."`
	Depth    int    `yaml:"depth" doc:"How many links away from start."`
	MaxPages int    `yaml:"max_pages" doc:"A crawl that finds more pages than this fails instead of guessing which ones to keep."`
}

var _ sources.Config = (*Config)(nil)

// NewConfig is a configuration with its defaults.
func NewConfig() *Config {
	return &Config{
		Crawl:   Crawl{Depth: 3, MaxPages: 1000},
		Content: "main", MissingAfter: 3, Deliver: "content", Concurrency: 4, Timeout: time.Minute,
	}
}

// headerName is a token as HTTP defines it.
var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// Headers that belong to the connection and not to the user.
var reserved = []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "If-None-Match", "If-Modified-Since", "Range"}

// Validate implements sources.Config.
func (c *Config) Validate() []fault.Invalid {
	var bad []fault.Invalid
	add := func(field, msg, hint string) {
		bad = append(bad, fault.Invalid{Field: field, Msg: msg, Hint: hint})
	}
	address := func(field, s string) {
		if msg, hint := checkAddress(s); msg != "" {
			add(field, msg, hint)
		}
	}
	if len(c.URLs) == 0 && c.Sitemap == "" && c.Crawl.Start == "" {
		add("urls", "nothing to fetch", "give urls, sitemap or crawl")
	}
	for i, u := range c.URLs {
		address(fmt.Sprintf("urls[%d]", i), u)
		if slices.Contains(c.URLs[:i], u) {
			add(fmt.Sprintf("urls[%d]", i), "listed twice", "remove one of them")
		}
	}
	if c.Sitemap != "" {
		address("sitemap", c.Sitemap)
	}
	if c.Crawl.Start != "" {
		address("crawl.start", c.Crawl.Start)
	}
	if c.Crawl.Depth < 0 || c.Crawl.Depth > 100 {
		add("crawl.depth", "out of range 0 to 100", "write how many links to follow from start")
	}
	if c.Crawl.MaxPages < 1 || c.Crawl.MaxPages > 1_000_000 {
		add("crawl.max_pages", "out of range 1 to 1000000", "write how many pages the site has at most")
	}
	bad = append(bad, checkGlobs("include", c.Include)...)
	bad = append(bad, checkGlobs("exclude", c.Exclude)...)
	for name := range c.Headers {
		if !headerName.MatchString(name) {
			add("headers", "a name in it is not the name of a header", "use letters, digits and dashes")
		} else if slices.ContainsFunc(reserved, func(r string) bool { return strings.EqualFold(r, name) }) {
			add("headers."+name, "this header is set by kbsyncd itself", "remove it")
		}
	}
	if c.MissingAfter < 1 || c.MissingAfter > 1000 {
		add("missing_after", "out of range 1 to 1000", "write how many answers in a row must say that a page is gone")
	}
	return append(bad, c.checkManners()...)
}

// checkManners looks at how the site is asked, and at what is taken of a page.
func (c *Config) checkManners() []fault.Invalid {
	var bad []fault.Invalid
	add := func(field, msg, hint string) {
		bad = append(bad, fault.Invalid{Field: field, Msg: msg, Hint: hint})
	}
	if c.Selector != "" {
		if c.Content != "main" {
			add("selector", "has no effect with content: "+c.Content, "remove it, or use content: main")
		} else if err := article.CheckSelector(c.Selector); err != nil {
			add("selector", "is no CSS selector", `write for example "article" or "div#content"`)
		}
	}
	if c.Concurrency < 1 || c.Concurrency > 64 {
		add("concurrency", "out of range 1 to 64", "write how many requests the site may be sent at once")
	}
	if !(c.Rate >= 0 && c.Rate <= 10_000) {
		add("rate", "out of range 0 to 10000", "write requests a second, or 0 for no limit")
	}
	if c.Timeout < time.Second || c.Timeout > time.Hour {
		add("timeout", "out of range 1s to 1h", "write how long one request may take, for example 60s")
	}
	return bad
}

// credentials are names in a query that stand for a secret.
var credentials = []string{
	"token", "access_token", "private_token", "auth_token", "api_key", "apikey", "secret", "client_secret", "password", "passwd", "pwd", "auth",
	"authorization", "sig", "signature", "x-amz-signature",
}

// checkAddress says what is wrong with an address. It does not repeat the address, which may carry a password.
func checkAddress(s string) (msg, hint string) {
	u, err := url.Parse(s)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.Opaque != "":
		return "must be an http or https address", `write it in full, for example "https://docs.example.com/faq"`
	case u.User != nil:
		return "must not contain a user name or password", "use headers: { Authorization: \"…${TOKEN}\" }"
	case u.Fragment != "":
		return "must not have a fragment", "remove the # and what follows"
	}
	for name := range u.Query() {
		if slices.Contains(credentials, strings.ToLower(name)) {
			return "must not hold a credential (" + kb.Printable(name) + "), because addresses are shown", "use headers, for example { Authorization: \"Bearer ${TOKEN}\" }"
		}
	}
	return "", ""
}

// checkGlobs finds globs that can match no path of an address.
func checkGlobs(field string, globs []string) []fault.Invalid {
	var bad []fault.Invalid
	for i, g := range globs {
		if !strings.HasPrefix(g, "/") && !strings.HasPrefix(g, "**") && !strings.HasPrefix(g, "{") {
			bad = append(bad, fault.Invalid{
				Field: fmt.Sprintf("%s[%d]", field, i), Msg: "matches nothing, because the path of an address begins with a slash",
				Hint: `write "/` + g + `"`,
			})
		}
	}
	return bad
}
