package hamsa

import (
	"fmt"
	"net/http"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/targets"
)

const defaultBase = "https://api.tryhamsa.com"

// Kind is Hamsa as listed in targets/all.
var Kind = targets.Kind{
	Name:       "hamsa",
	Summary:    "Hamsa: text items of a project, which voice agents refer to one by one",
	NewConfig:  func() targets.Config { return NewConfig() },
	AgentMatch: true,
	Facts: []targets.Fact{
		{Name: "store", Value: "the project that the API key belongs to"},
		{Name: "files", Value: "none; everything goes as text, split above max_chars"},
		{Name: "batch", Value: "one item a request"},
		{Name: "changed content", Value: "new item, processed, swapped for the old one in each agent, then the old one is retired"},
		{Name: "deletion", Value: "not documented: items are renamed to \"… (retired)\" and counted as orphans; try_delete tries to delete them"},
		{Name: "rename", Value: "in place"},
		{Name: "searchable", Value: "when the vendor has processed the item, which it does by itself"},
		{Name: "agents", Value: "each lists its items; those of others stay"},
	},
}

var _ targets.Config = (*Config)(nil)

// Config is the configuration of a Hamsa target.
type Config struct {
	targets.Common
	TryDelete bool `yaml:"try_delete" doc:"Delete what is out of date with a request that the vendor does not document; false leaves it inactive and counts it as an orphan."`
	MaxChars  int  `yaml:"max_chars" doc:"Longer texts are split into several items."`

	transport http.RoundTripper // for tests
}

// NewConfig is a configuration with its defaults.
func NewConfig() *Config {
	return &Config{
		Common: targets.Common{
			BaseURL:       defaultBase,
			Rate:          2, // no limit is documented
			Concurrency:   2,
			SettleTimeout: 10 * time.Minute,
			MaxFileSize:   20_000_000,
			Timeout:       time.Minute,
		},
		MaxChars: 200_000,
	}
}

// routes are the ones that the vendor does not document.
var routes = map[string]string{
	"item_delete": "DELETE /v1/voice-agents/knowledge-base/{id}",
}

// Validate reports every problem with the values.
func (c *Config) Validate() []fault.Invalid {
	out := targets.CheckCommon(&c.Common, routes)
	if c.MaxChars < 1000 {
		out = append(out, fault.Invalid{Field: "max_chars", Msg: "less than 1000", Hint: "write a number of characters, for example 200000"})
	}
	return out
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
	text, given := c.Routes["item_delete"]
	if !given {
		text = routes["item_delete"]
	}
	route, msg, _ := targets.ParseRoute("item_delete", text, routes)
	if msg != "" {
		return nil, fmt.Errorf("hamsa: routes.item_delete: %s", msg)
	}
	client, err := httpapi.New(httpapi.Options{
		Vendor: "hamsa", BaseURL: c.BaseURL, Header: "Authorization", Scheme: "Token ", Key: c.APIKey, UserAgent: o.UserAgent,
		Timeout: c.Timeout, Rate: c.Rate, Burst: c.Concurrency, Concurrency: c.Concurrency, Logger: o.Logger, Transport: c.transport,
		CheckOK: refusal,
	})
	if err != nil {
		return nil, err
	}
	t := &Target{
		cfg: *c, http: client, log: o.Logger, deleteRoute: route, memory: o.Memory,
		sent: sentNames{ids: map[string]string{}}, dropped: droppedItems{agents: map[targets.RemoteID][]string{}},
	}
	if t.log == nil {
		t.log = discardLog
	}
	t.take.Store(mostTaken)
	return t, nil
}
