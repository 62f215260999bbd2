// Package httpapi is the one HTTP client of the vendors' APIs. It retries what may be retried, keeps to one rate and
// one concurrency per account, bounds every answer and every wait, and translates statuses to the classes of package
// fault. It guarantees that the key goes to the configured host only and never into an error or a log, that a
// creation is not sent again when it may have taken effect, and that a cancelled context starts no request and ends a
// GET at once, while any other request in flight gets time to finish, so that its outcome is known. It knows no vendor.
package httpapi

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kbsyncd/internal/secret"
)

// The defaults of Options.
const (
	DefaultTimeout    = 60 * time.Second
	DefaultMaxTries   = 5
	DefaultMaxElapsed = 5 * time.Minute
	DefaultMaxAnswer  = 16 << 20
)

const (
	grace      = 10 * time.Second // what a request in flight gets after its context was cancelled, unless it is a GET
	slowest    = 100_000          // bytes a second that a transfer must reach
	maxDrain   = 64 << 10         // a longer rest of an answer costs the connection
	maxHops    = 5                // redirects followed within the same host
	backoffMin = 500 * time.Millisecond
	backoffMax = 30 * time.Second
)

// Options shape a client.
type Options struct {
	// Vendor begins every error, for example "starleads".
	Vendor  string
	BaseURL string
	// Header carries Scheme followed by Key, for example "Authorization", "Bearer ".
	Header, Scheme string
	Key            secret.String
	UserAgent      string
	Timeout        time.Duration // for one answer, its body included
	Rate           float64       // requests a second for the whole account; 0: no limit
	Burst          int           // requests that may go at once when there was quiet; at least 1
	Concurrency    int           // requests at the same time for the whole account, and connections of this client; 0: no limit
	MaxTries       int
	MaxElapsed     time.Duration // from the first try to the last
	Logger         *slog.Logger
	Transport      http.RoundTripper // nil: a transport of its own
	// CheckOK looks at the body of a 2xx answer; a Refusal makes an error of it. See Envelope.
	CheckOK func(body []byte) *Refusal
}

// Client talks to one vendor with one key. Its methods may be called concurrently.
type Client struct {
	opts     Options
	base     *url.URL
	keyForms []string // in which a vendor may repeat the key

	http    *http.Client
	streams *http.Client      // for Open: bodies that a caller reads slowly must not keep connections from other requests
	own     []*http.Transport // closed with the client; nil when there is Options.Transport
	account *account
	limits  *limits
	closed  sync.Once

	requests, sent atomic.Int64

	proven  atomic.Bool   // a request was answered with success since Reset
	probing chan struct{} // holds a token while nothing is proven: one request at a time

	mu      sync.Mutex
	tripped *Error // guarded by mu; what every further request fails with
}

// New makes a client; no request is made. Its errors never hold the key.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("%s: the base URL cannot be read", o.Vendor)
	}
	switch {
	case base.Scheme != "http" && base.Scheme != "https", base.Host == "":
		return nil, fmt.Errorf("%s: the base URL must begin with https:// or http:// and a host", o.Vendor)
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, fmt.Errorf("%s: the base URL must have no user, query or fragment", o.Vendor)
	case !validKey(o.Key.Reveal()):
		return nil, fmt.Errorf("%s: the API key has characters that no header can carry", o.Vendor)
	}
	base.Path = strings.TrimRight(base.Path, "/")
	base.RawPath = strings.TrimRight(base.RawPath, "/")
	setDefaults(&o)
	c := &Client{opts: o, base: base, keyForms: keyForms(o.Key.Reveal()), probing: make(chan struct{}, 1)}
	c.http = &http.Client{Transport: o.Transport, CheckRedirect: checkRedirect}
	c.streams = c.http
	if o.Transport == nil {
		c.http = c.dialer(o.Concurrency)
		c.streams = c.dialer(0)
	}
	c.account, c.limits = openAccount(base, o)
	return c, nil
}

// dialer gives a client with a transport of its own that makes at most so many connections and keeps them all; 0: any number.
func (c *Client) dialer(most int) *http.Client {
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.MaxConnsPerHost = most // or else a request that finds all connections busy for a moment makes one too many
	tr.MaxIdleConnsPerHost = max(most, 4)
	c.own = append(c.own, tr)
	return &http.Client{Transport: tr, CheckRedirect: checkRedirect}
}

func setDefaults(o *Options) {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.MaxTries <= 0 {
		o.MaxTries = DefaultMaxTries
	}
	if o.MaxElapsed <= 0 {
		o.MaxElapsed = DefaultMaxElapsed
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.UserAgent == "" {
		o.UserAgent = "kbsyncd"
	}
}

func validKey(key string) bool {
	for i := range len(key) {
		if key[i] < 0x20 || key[i] >= 0x7f {
			return false
		}
	}
	return strings.TrimSpace(key) == key
}

// checkRedirect lets only a GET within the same scheme and host go on; everything else ends with the redirect as its answer.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	same := req.URL.Scheme == first.URL.Scheme && req.URL.Host == first.URL.Host
	if first.Method == http.MethodGet && same && len(via) <= maxHops {
		return nil
	}
	return http.ErrUseLastResponse
}

// Reset begins a new pass: a client that was refused its key tries again.
func (c *Client) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tripped = nil
	c.proven.Store(false)
}

func (c *Client) trip(e *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tripped == nil {
		c.tripped = e
	}
}

func (c *Client) trippedErr() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tripped == nil {
		return nil
	}
	return c.tripped
}

// Traffic is the number of requests and of body bytes sent since New.
func (c *Client) Traffic() (requests, bytesSent int64) { return c.requests.Load(), c.sent.Load() }

// Close gives up idle connections. It may be called again.
func (c *Client) Close() error {
	c.closed.Do(func() {
		c.account.leave(c.limits)
		for _, tr := range c.own {
			tr.CloseIdleConnections()
		}
	})
	return nil
}

// Path joins escaped segments to a path: each argument is one segment, whatever it contains. An
// empty one, "." and ".." are refused, because they would name another resource.
func Path(segments ...string) (string, error) {
	var b strings.Builder
	for _, s := range segments {
		if s == "" || s == "." || s == ".." {
			return "", errors.New("an id that is empty or dots names no resource")
		}
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String(), nil
}
