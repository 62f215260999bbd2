package fetch

import (
	"bytes"
	"context"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"kbsyncd/internal/fault"
)

const (
	maxRobots    = 500 << 10 // bytes of robots.txt that count
	rulesKept    = time.Hour
	failureKept  = time.Minute
	maxSites     = 4096
	robotsAccept = "text/plain,*/*;q=0.5"
)

// site is what robots.txt of one scheme, host and port says.
type site struct {
	asking chan struct{} // of capacity 1: whoever holds it may look at the rest, and asks if need be
	until  time.Time     // until when rules and err count
	rules  *rules
	err    error
}

// Allowed tells whether robots.txt of the host lets this client ask for an address, and why not. An error says that
// robots.txt could not be had, so that nothing may be concluded. The file is asked for once an hour; a host without one
// allows everything.
func (c *Client) Allowed(ctx context.Context, address string) (ok bool, why string, err error) {
	u, rules, err := c.rulesFor(ctx, address)
	if err != nil {
		return false, "", err
	}
	path := u.EscapedPath()
	if u.RawQuery != "" || u.ForceQuery {
		path += "?" + u.RawQuery
	}
	if path == "/robots.txt" {
		return true, "", nil
	}
	if r := rules.decide(path); r != nil && !r.allow {
		return false, "robots.txt of " + u.Host + " does not allow it (Disallow: " + c.clean(r.shown()) + ")", nil
	}
	return true, "", nil
}

// Sitemaps are those that robots.txt of the host of an address names.
func (c *Client) Sitemaps(ctx context.Context, address string) ([]string, error) {
	_, rules, err := c.rulesFor(ctx, address)
	if err != nil {
		return nil, err
	}
	return append([]string(nil), rules.sitemaps...), nil
}

func (c *Client) rulesFor(ctx context.Context, address string) (*url.URL, *rules, error) {
	u, err := parse(address)
	if err != nil {
		return nil, nil, fault.New(fault.ErrUnsupported, "%s cannot be fetched: %v", showText(address), err)
	}
	s := c.site(u.Scheme + "://" + hostPort(u))
	select {
	case s.asking <- struct{}{}:
		defer func() { <-s.asking }()
	case <-ctx.Done():
		return nil, nil, fault.New(fault.ErrIncomplete, "%s: interrupted", show(u)).Because(context.Cause(ctx))
	}
	if time.Now().Before(s.until) {
		return u, s.rules, s.err
	}
	r, err := c.askRules(ctx, u)
	if ctx.Err() != nil && err != nil {
		return nil, nil, err // says nothing about the site
	}
	s.rules, s.err = r, err
	s.until = time.Now().Add(rulesKept)
	if err != nil {
		s.until = time.Now().Add(failureKept)
	}
	return u, s.rules, s.err
}

func (c *Client) site(key string) *site {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.rules[key]
	if s == nil {
		if len(c.rules) >= maxSites {
			clear(c.rules)
		}
		s = &site{asking: make(chan struct{}, 1)}
		c.rules[key] = s
	}
	return s
}

// askRules gets robots.txt of the host of an address.
func (c *Client) askRules(ctx context.Context, of *url.URL) (*rules, error) {
	at := url.URL{Scheme: of.Scheme, Host: of.Host, Path: "/robots.txt"}
	page, f := c.get(ctx, &Request{URL: at.String(), Accept: robotsAccept, MaxBytes: math.MaxInt64 / 2})
	switch {
	case f != nil && f.status >= 400 && f.status < 500 && !passing(f.status):
		return &rules{}, nil // whoever may not read the rules is not bound by any
	case f != nil:
		return nil, f.err.WithHint("without robots.txt it is not known what may be fetched")
	case page.Status != http.StatusOK:
		return &rules{}, nil
	}
	defer func() { _ = page.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(page.Body, maxRobots))
	if err != nil {
		return nil, err
	}
	if len(text) == maxRobots {
		text = text[:bytes.LastIndexByte(text, '\n')+1] // half a rule may say the opposite
	}
	if isHTML(page.ContentType, text) {
		return &rules{}, nil
	}
	base, err := parse(page.URL)
	if err != nil {
		base = &at
	}
	r := readRules(text, product(c.opts.UserAgent), base)
	if r.delay > 0 {
		c.host(hostPort(of)).keepDistance(r.delay)
	}
	return r, nil
}

// isHTML tells a page that a site gives in the place of every file that it lacks.
func isHTML(contentType string, text []byte) bool {
	if strings.Contains(strings.ToLower(contentType), "html") {
		return true
	}
	text = bytes.TrimLeft(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), " \t\r\n")
	return len(text) > 0 && text[0] == '<'
}

// product is the name by which robots.txt knows a client: the first word of its User-Agent, without the version.
func product(userAgent string) string {
	name, _, _ := strings.Cut(strings.TrimSpace(userAgent), " ")
	name, _, _ = strings.Cut(name, "/")
	return strings.ToLower(name)
}
