package converse

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/targets"
)

const defaultBase = "https://api.converse.axllabs.in/api/v1"

// Kind is Converse as listed in targets/all.
var Kind = targets.Kind{
	Name:       "converse",
	Summary:    "Axllabs Converse: documents assigned to agents one by one",
	NewConfig:  func() targets.Config { return NewConfig() },
	AgentMatch: true,
	Facts: []targets.Fact{
		{Name: "store", Value: "the knowledge base of the organisation"},
		{Name: "files", Value: "PDF, DOCX, CSV and text as they are; Markdown as text; everything else is converted to text"},
		{Name: "batch", Value: "one document a request"},
		{Name: "changed content", Value: "new document, indexed, assigned, then the old one is taken away and deleted"},
		{Name: "rename", Value: "by a new document and a deletion"},
		{Name: "searchable", Value: "when the vendor says so, or else when the document has a chunk"},
		{Name: "agents", Value: "each is assigned its documents; what others assigned stays"},
		{Name: "limits", Value: "none documented; 1 request a second, 20 MB a file and 1 MB a text by default"},
		{Name: "test mode", Value: "mode: test, with records of its own"},
	},
}

// The modes.
const (
	modeLive = "live"
	modeTest = "test"
)

var (
	_ targets.Config = (*Config)(nil)
	_ targets.Sided  = (*Config)(nil)
)

// Config is the configuration of a Converse target.
type Config struct {
	targets.Common
	Mode string `yaml:"mode" enum:"live|test" doc:"test sends ?mode=test with every request: the vendor answers with invented data, and records are kept apart."`

	transport http.RoundTripper // for tests
}

// NewConfig is a configuration with its defaults.
func NewConfig() *Config {
	return &Config{
		Common: targets.Common{
			BaseURL:       defaultBase,
			Rate:          1, // no limit is documented
			Concurrency:   2,
			SettleTimeout: 10 * time.Minute,
			MaxFileSize:   20_000_000,
			Timeout:       time.Minute,
		},
		Mode: modeLive,
	}
}

// Validate reports every problem with the values.
func (c *Config) Validate() []fault.Invalid {
	return targets.CheckCommon(&c.Common, guessed, "settle_timeout", "max_file_size")
}

// Side implements targets.Sided: the vendor invents what it answers in test mode.
func (c *Config) Side() string {
	if c.Mode == modeTest {
		return modeTest
	}
	return ""
}

// Open implements targets.Config.
func (c *Config) Open(o targets.Options) (targets.Target, error) {
	if o.Transport != nil {
		c.transport = o.Transport
	}
	t, err := c.open(o)
	if err != nil {
		return nil, err // a nil *Target in the interface would not be nil
	}
	return t, nil
}

func (c *Config) open(o targets.Options) (*Target, error) {
	routes := maps.Clone(documented)
	for name, usual := range guessed {
		text, given := c.Routes[name]
		if !given {
			text = usual
		}
		r, msg, _ := targets.ParseRoute(name, text, guessed)
		if msg != "" {
			return nil, fmt.Errorf("converse: routes.%s: %s", name, msg)
		}
		routes[name] = r
	}
	client, err := httpapi.New(httpapi.Options{
		Vendor: "converse", BaseURL: c.BaseURL, Header: "Authorization", Scheme: "Bearer ", Key: c.APIKey, UserAgent: o.UserAgent, Timeout: c.Timeout,
		Rate: c.Rate, Burst: c.Concurrency, Concurrency: c.Concurrency, Logger: o.Logger, Transport: c.transport, CheckOK: httpapi.Envelope,
	})
	if err != nil {
		return nil, err
	}
	t := &Target{cfg: *c, http: client, log: o.Logger, routes: routes}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	t.tried.forget()
	return t, nil
}
