package fetch

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"kbsyncd/internal/fault"
)

// Request is one page to get.
type Request struct {
	URL          string
	ETag         string // validators of what the caller has; "" for none
	LastModified string
	MaxBytes     int64  // of the decoded body; reading fails with fault.ErrUnsupported beyond it; 0: DefaultMaxBytes
	Accept       string // "": pages and texts first
}

// Page is an answer.
type Page struct {
	Status int    // 200, 304, 404 or 410; every other outcome is an error
	URL    string // where the answer came from, after redirects
	Moved  string // where to ask next time: the end of the leading run of permanent redirects; "" when there was none
	// ETag and LastModified are the validators to remember; "" when there is none, or none that can be relied on. After a
	// 304 they are those of the request. They stand for what URL gave: a 304 from another URL than the last time says
	// nothing about the page that the caller has.
	ETag, LastModified string
	Fresh              time.Time     // until when the site says that nothing needs to be asked; zero: ask
	ContentType        string        // as the header says
	Robots             string        // X-Robots-Tag: all of them, with commas between, up to a bound; "" after a 304
	Body               io.ReadCloser // decoded; nil unless Status is 200; the caller closes it
	Requests           int           // that it took, with redirects and repetitions

	body *body
}

// Received is the number of bytes that the body took on the network, as far as it was read.
func (p *Page) Received() int64 {
	if p.body == nil {
		return 0
	}
	return p.body.received.Load()
}

// Get asks for a page and follows redirects. What may pass is tried again within bounds; an error of class
// fault.ErrIncomplete says that the page cannot be had now, one of fault.ErrUnsupported that its address never gives one.
// A body that ends with io.EOF is whole. Until it is read to its end or closed, it counts as a request under way.
func (c *Client) Get(ctx context.Context, r Request) (*Page, error) {
	page, f := c.get(ctx, &r)
	if f != nil {
		return nil, f.err
	}
	return page, nil
}

// getting is a Get under way.
type getting struct {
	client   *Client
	request  *Request
	page     Page
	from, at *url.URL // the address that was asked for, and the one that is to be asked now
	passed   []string // addresses of the redirects so far
	failures int      // tries that failed, at all addresses together
	lasting  bool     // all redirects so far were permanent
	fresh    time.Time
}

func (c *Client) get(ctx context.Context, r *Request) (*Page, *failure) {
	u, err := parse(r.URL)
	if err != nil {
		return nil, fail(fault.New(fault.ErrUnsupported, "%s cannot be fetched: %v", showText(r.URL), err))
	}
	g := &getting{client: c, request: r, from: u, at: u, lasting: true}
	for {
		x, f := g.persist(ctx)
		if f != nil {
			return nil, f
		}
		if !redirects(x.resp.StatusCode) {
			return g.finish(x)
		}
		if f := g.follow(x); f != nil {
			return nil, f
		}
	}
}

// persist asks at one address until there is an answer that says something, or until it is pointless to go on.
func (g *getting) persist(ctx context.Context) (*exchange, *failure) {
	h := g.client.host(hostPort(g.at))
	for {
		x, f := g.try(ctx, h)
		if f == nil {
			return x, nil
		}
		g.failures++
		if f.passing && f.wait <= maxWait && g.failures < maxTries {
			if f.wait > 0 {
				h.wait(f.wait)
			}
			if err := sleep(ctx, f.wait+backoff(g.failures)); err != nil {
				return nil, g.stopped(err)
			}
			continue
		}
		f.conclude(g.failures)
		switch {
		case f.wait > maxWait && overload(f.status):
			h.giveUp(f.err.Error())
		case overload(f.status):
			h.overloaded(f.err.Error())
		}
		return nil, f
	}
}

// finish makes a page of the last answer.
func (g *getting) finish(x *exchange) (*Page, *failure) {
	p, resp, now := &g.page, x.resp, x.started // what is fresh is counted from the question, to be sure
	status := resp.StatusCode
	if status != http.StatusOK && status != http.StatusNonAuthoritativeInfo {
		x.host.whole() // nobody wants more of it
	}
	p.Status, p.URL = status, g.at.String()
	if g.lasting && len(g.passed) > 0 {
		p.Moved = p.URL
	}
	switch status {
	case http.StatusOK, http.StatusNonAuthoritativeInfo:
		p.Status = http.StatusOK
		p.ETag = usableETag(resp.Header.Get("ETag"))
		p.LastModified = usableLastModified(resp.Header.Get("Last-Modified"), resp.Header.Get("Date"), now)
		p.ContentType = resp.Header.Get("Content-Type")
		p.Robots = robotsTags(resp.Header)
		p.Fresh = g.freshUntil(resp.Header, now)
		return p, g.open(x)
	case http.StatusNotModified:
		x.discard()
		if !x.conditional {
			return nil, fail(fault.New(fault.ErrIncomplete, "%s answers 304 without being asked", g.name()).
				WithHint("a cache before the site is set up wrongly"))
		}
		g.client.notModified.Add(1)
		p.ETag, p.LastModified = g.request.ETag, g.request.LastModified
		p.Fresh = g.freshUntil(resp.Header, now)
		return p, nil
	case http.StatusNotFound, http.StatusGone:
		x.discard()
		return p, nil
	}
	x.discard()
	return nil, g.refused(status, x.authorized)
}

// robotsTags is what an answer asks of robots. Of a longer list than anybody writes only whole lines count.
func robotsTags(h http.Header) string {
	var tags []string
	left := maxRobotsTags
	for _, tag := range h["X-Robots-Tag"] {
		if left -= len(tag) + len(", "); left < 0 {
			break
		}
		tags = append(tags, tag)
	}
	return strings.Join(tags, ", ")
}

// freshUntil is until when neither the answer nor a redirect that may change needs to be asked for.
func (g *getting) freshUntil(h http.Header, now time.Time) time.Time {
	until := freshUntil(h, now)
	if !g.lasting && g.fresh.Before(until) {
		return g.fresh
	}
	return until
}

func redirects(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// follow goes where a redirect leads.
func (g *getting) follow(x *exchange) *failure {
	x.discard()
	permanent := x.resp.StatusCode == http.StatusMovedPermanently || x.resp.StatusCode == http.StatusPermanentRedirect
	if g.lasting && !permanent {
		g.lasting = false
		if len(g.passed) > 0 {
			g.page.Moved = g.at.String()
		}
		g.fresh = freshUntil(x.resp.Header, x.started)
	} else if until := freshUntil(x.resp.Header, x.started); !g.lasting && until.Before(g.fresh) {
		g.fresh = until
	}
	to, err := g.target(x.resp.Header.Get("Location"))
	if err != nil {
		return fail(fault.New(fault.ErrIncomplete, "%s redirects to an address that cannot be asked: %v", g.name(), err))
	}
	g.passed = append(g.passed, g.at.String())
	switch {
	case slices.Contains(g.passed, to.String()):
		return fail(fault.New(fault.ErrIncomplete, "%s redirects in a circle, by way of %s", show(g.from), g.client.show(to)).
			WithHint("a page that needs cookies or a login cannot be fetched"))
	case len(g.passed) > maxRedirects:
		return fail(fault.New(fault.ErrIncomplete, "%s redirects more than %d times", show(g.from), maxRedirects))
	case g.at.Scheme == "https" && to.Scheme == "http" && len(g.client.headers) > 0 && g.client.named.bare[to.Hostname()]:
		return fail(fault.New(fault.ErrIncomplete, "%s redirects to %s, where the headers of the configuration would be readable on the way",
			g.show(), g.client.show(to)).WithHint("give the https address, or take the headers away"))
	}
	g.at = to
	return nil
}

// target reads a Location.
func (g *getting) target(location string) (*url.URL, error) {
	if location == "" || len(location) > maxAddress {
		return nil, errNoLocation
	}
	to, err := g.at.Parse(location)
	if err != nil {
		return nil, errNoLocation // the cause would repeat it
	}
	return to, normalize(to)
}

// show is the address that is asked for people. Where a site redirects to may repeat what it was sent.
func (g *getting) show() string {
	if g.at == g.from {
		return show(g.at)
	}
	return g.client.show(g.at)
}

// name is the address that is asked, with the one that led there.
func (g *getting) name() string {
	if g.at == g.from {
		return show(g.at)
	}
	return g.show() + ", to which " + show(g.from) + " redirects,"
}
