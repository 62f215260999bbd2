package fetch

import (
	"log/slog"
	"time"

	"kbsyncd/internal/secret"
)

// Options shape a client.
type Options struct {
	// Hosts are those of the addresses in the configuration: "host", "host:port", or either with "https://" or "http://"
	// before it. They may be private, and only they get Headers; one that is named with https:// gets them over https only.
	Hosts        []string
	Headers      map[string]secret.String
	AllowPrivate bool          // every host may be private
	UserAgent    string        // sent as it is, for example "kbsyncd/1.2"
	Concurrency  int           // requests at the same time to one host; 0: DefaultConcurrency
	Rate         float64       // requests a second to one host; 0: no limit but what the site asks for
	Timeout      time.Duration // for one answer up to its last byte; 0: DefaultTimeout
	Logger       *slog.Logger  // nil: none
}

// Client gets pages. Its methods may be called concurrently.
type Client struct {
	opts Options
}

// New makes a client; no request is made.
func New(o Options) (*Client, error) { return &Client{opts: o}, nil }

// Close ends what is under way and gives up all connections. It may be called again.
func (c *Client) Close() {}

// Traffic is what was asked, how often nothing had changed, and the bytes of bodies received, since New.
func (c *Client) Traffic() (requests, notModified, bytesReceived int64) { return 0, 0, 0 }
