package fetch

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"kbsyncd/internal/secret"
)

// The defaults of Options and Request.
const (
	DefaultConcurrency = 4
	DefaultTimeout     = 60 * time.Second
	DefaultMaxBytes    = 32 << 20
)

const (
	maxRedirects  = 10
	maxTries      = 3
	maxHeader     = 128 << 10 // bytes of the header of an answer
	maxDrain      = 64 << 10  // a longer rest of an answer that nobody wants costs the connection
	maxHosts      = 4096      // whose state is kept
	maxRobotsTags = 1 << 10   // bytes of X-Robots-Tag
	dialTimeout   = 10 * time.Second
	idleTimeout   = 90 * time.Second
)

// Values of headers that nearly all requests share.
var (
	accepted = []string{"text/html,application/xhtml+xml,*/*;q=0.8"}
	packings = []string{"gzip, deflate"}
)

// Options shape a client.
type Options struct {
	// Hosts are those of the addresses in the configuration: "host", "host:port", or either with "https://" or "http://"
	// before it. They may be private, and only they get Headers; one that is named with https:// gets them over https only.
	Hosts        []string
	Headers      map[string]secret.String
	AllowPrivate bool          // every host may be private
	UserAgent    string        // sent as it is, for example "kbsyncd/1.2"
	Concurrency  int           // requests at the same time to one host, until their bodies are read or closed; 0: DefaultConcurrency
	Rate         float64       // requests a second to one host; 0: no limit but what the site asks for
	Timeout      time.Duration // for one answer up to its last byte; 0: DefaultTimeout
	Logger       *slog.Logger  // nil: none

	outside outside
}

// outside is what surrounds a client; tests put their own there.
type outside struct {
	resolver *net.Resolver
	dial     func(ctx context.Context, network, addr string) (net.Conn, error) // replaces the guarded dialers
	reached  func(ipPort string) error                                         // called for each address that the guard lets pass
	proxy    func(*http.Request) (*url.URL, error)
	tweak    func(*http.Transport)
}

// Client gets pages. Its methods may be called concurrently.
type Client struct {
	opts      Options
	named     names
	headers   http.Header // to the named hosts
	userAgent []string
	values    []string // of headers, as a site may repeat them, for nothing but keeping them out of messages

	direct  *http.Transport
	proxied *http.Transport // its connections lead to proxies, whose addresses the environment gives, and not to sites
	proxy   func(*http.Request) (*url.URL, error)
	lines   lines

	mu    sync.Mutex
	hosts map[string]*host // guarded by mu; by host:port
	rules map[string]*site // guarded by mu; by scheme://host:port

	requests, notModified, received atomic.Int64
}

// New makes a client; no request is made. Its errors never hold the value of a header.
func New(o Options) (*Client, error) {
	if o.Concurrency <= 0 {
		o.Concurrency = DefaultConcurrency
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.UserAgent == "" {
		o.UserAgent = "kbsyncd"
	}
	named, err := readNames(o.Hosts)
	if err != nil {
		return nil, err
	}
	headers, values, err := readHeaders(o.Headers)
	if err != nil {
		return nil, err
	}
	c := &Client{
		opts: o, named: named, headers: headers, userAgent: []string{o.UserAgent},
		values: values, proxy: o.outside.proxy,
		hosts: map[string]*host{}, rules: map[string]*site{},
	}
	if c.proxy == nil {
		c.proxy = http.ProxyFromEnvironment
	}
	c.lines.open = map[*line]struct{}{}
	c.lines.end = make(chan struct{})
	c.direct = c.transport(c.guardedDial())
	c.proxied = c.transport((&net.Dialer{Timeout: dialTimeout, Resolver: o.outside.resolver}).DialContext)
	c.proxied.Proxy = c.proxy
	c.proxied.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
		if resp.StatusCode != http.StatusOK {
			return &proxyRefusal{resp.StatusCode}
		}
		return nil
	}
	return c, nil
}

// transport makes a pool of connections. The pool keeps them by the scheme, host and port that was asked for and never by
// the address that was dialled, so what a named host may do is of no use to another name for the same address.
func (c *Client) transport(dial dialFunc) *http.Transport {
	tr := &http.Transport{
		DialContext:            c.lines.dialer(dial),
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // unpacked by body, which counts what came over the network
		MaxIdleConns:           max(100, 2*c.opts.Concurrency),
		MaxIdleConnsPerHost:    c.opts.Concurrency,
		MaxConnsPerHost:        c.opts.Concurrency, // or else a request that comes while a connection is put back makes one too many
		IdleConnTimeout:        idleTimeout,
		TLSHandshakeTimeout:    dialTimeout,
		MaxResponseHeaderBytes: maxHeader,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
	}
	if c.opts.outside.tweak != nil {
		c.opts.outside.tweak(tr)
	}
	return tr
}

// Close ends what is under way and gives up all connections. It may be called again.
func (c *Client) Close() {
	c.lines.close()
	c.direct.CloseIdleConnections()
	c.proxied.CloseIdleConnections()
}

// Traffic is what was asked, how often nothing had changed, and the bytes of bodies received, since New.
func (c *Client) Traffic() (requests, notModified, bytesReceived int64) {
	return c.requests.Load(), c.notModified.Load(), c.received.Load()
}

// host is the state of the host of an address.
func (c *Client) host(key string) *host {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.hosts[key]
	if h == nil {
		if len(c.hosts) >= maxHosts {
			clear(c.hosts) // those in use go on with what they hold
		}
		h = newHost(key, c.admit(key), c.opts.Concurrency, c.opts.Rate)
		c.hosts[key] = h
	}
	return h
}
