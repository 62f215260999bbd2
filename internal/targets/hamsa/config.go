package hamsa

import (
	"cmp"
	"log/slog"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
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
		{Name: "files", Value: "none; everything but links goes as text, split above max_chars"},
		{Name: "links", Value: "with deliver: link as URL items, whose pages the vendor fetches; what changed there is a new item, swapped"},
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

const routeDelete = "item_delete"

// routes are the ones that the vendor does not document.
var routes = map[string]string{
	routeDelete: "DELETE /v1/voice-agents/knowledge-base/{id}",
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
	return adapter.Opened(c.open(o))
}

func (c *Config) open(o targets.Options) (*Target, error) {
	known, err := adapter.Routes("hamsa", routes, c.Routes)
	if err != nil {
		return nil, err
	}
	h := adapter.ClientOptions("hamsa", &c.Common, o)
	h.Header, h.Scheme, h.CheckOK = "Authorization", "Token ", refusal
	client, err := httpapi.New(h)
	if err != nil {
		return nil, err
	}
	t := &Target{
		cfg: *c, http: client, log: cmp.Or(o.Logger, slog.New(slog.DiscardHandler)), deleteRoute: known[routeDelete], memory: o.Memory,
		outage: adapter.NewOutage("hamsa", mostOutages),
		sent:   sentNames{ids: map[string]string{}}, dropped: droppedItems{agents: map[targets.RemoteID][]string{}},
	}
	t.take.Store(mostTaken)
	return t, nil
}
