package simulator

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	pageTime = 10 * time.Second // for one page, with its redirects
	maxPage  = 5_000_000        // bytes of one page
)

var errNoPage = errors.New("the page could not be fetched")

// pages are what stands at addresses, for a vendor that fetches pages itself. What a test set comes first; any other
// address is really fetched when that is switched on, and otherwise has a page that says its own address.
type pages struct {
	client *http.Client // nil when nothing is fetched
	secure bool         // https is fetched, too

	mu     sync.Mutex
	set    map[string]string // guarded by mu
	broken map[string]bool   // guarded by mu
}

// newPages makes pages of which none is set. With fetch those on this machine are fetched by plain http, and with
// anywhere all of them.
func newPages(fetch, anywhere bool) *pages {
	p := &pages{set: map[string]string{}, broken: map[string]bool{}, secure: anywhere}
	if fetch || anywhere {
		dialer := &net.Dialer{}
		if !anywhere {
			dialer.Control = onlyLoopback
		}
		p.client = &http.Client{
			Timeout:   pageTime,
			Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, ForceAttemptHTTP2: true},
		}
	}
	return p
}

// onlyLoopback refuses connections that leave this machine, whatever name or redirect led to them.
func onlyLoopback(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("%s is not on this machine", address)
	}
	return nil
}

// SetPage says what stands at an address from now on. What was made of the address earlier keeps what stood there then.
// An address that was never set has a page that says the address itself, or the real one when pages are fetched.
func (p *pages) SetPage(address, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set[address] = text
	delete(p.broken, address)
}

// BreakPage says that nothing can be fetched from an address from now on, until SetPage.
func (p *pages) BreakPage(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken[address] = true
}

// at is what stands at an address. It may take a while, so no lock may be held. A client that hangs up does not keep the
// vendor from fetching.
func (p *pages) at(ctx context.Context, address string) (text string, err error) {
	p.mu.Lock()
	text, set := p.set[address]
	broken := p.broken[address]
	p.mu.Unlock()
	switch {
	case broken:
		return "", errNoPage
	case set:
		return text, nil
	case p.client == nil:
		return address, nil
	}
	return p.fetch(context.WithoutCancel(ctx), address)
}

func (p *pages) fetch(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil || req.URL.Scheme == "https" && !p.secure {
		return "", errNoPage
	}
	req.Header.Set("User-Agent", "simulated-vendor")
	res, err := p.client.Do(req)
	if err != nil {
		return "", errNoPage
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxPage+1))
	if err != nil || res.StatusCode != http.StatusOK || len(body) > maxPage {
		return "", errNoPage
	}
	media, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err == nil && media != "text/html" && media != "application/xhtml+xml" {
		return string(body), nil
	}
	return pageText(string(body)), nil
}

var (
	unseenParts = regexp.MustCompile(`(?is)<!--.*?-->|<script\b.*?</script\s*>|<style\b.*?</style\s*>`)
	inlineTags  = regexp.MustCompile(`(?i)</?(?:a|abbr|b|code|em|i|mark|small|span|strong|sub|sup|u|wbr)(?:\s[^>]*)?>`)
	otherTags   = regexp.MustCompile(`<[^>]*>`)
	blankLines  = regexp.MustCompile(`[ \t\r]*\n\s*`)
)

// pageText is roughly what a reader sees of a page, each block on a line of its own: enough to be searched.
func pageText(page string) string {
	page = unseenParts.ReplaceAllString(strings.ToValidUTF8(page, "\uFFFD"), "")
	page = otherTags.ReplaceAllString(inlineTags.ReplaceAllString(page, ""), "\n")
	return strings.TrimSpace(blankLines.ReplaceAllString(html.UnescapeString(page), "\n"))
}

// isPage tells whether an address is one that a vendor can fetch.
func isPage(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// inspectPage is POST /_sim/pages with {"address","text"}, or {"address","broken":true}.
func (p *pages) inspectPage(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Address, Text string
		Broken        bool
	}
	err := readStrict(w, r, &body)
	switch {
	case err != nil:
	case !isPage(body.Address):
		err = errors.New("address is not that of a page")
	case body.Broken && body.Text != "":
		err = errors.New("a broken page has no text")
	}
	if err != nil {
		problem(http.StatusBadRequest, "%v", err).write(w)
		return
	}
	if body.Broken {
		p.BreakPage(body.Address)
	} else {
		p.SetPage(body.Address, body.Text)
	}
	noContent().write(w)
}
