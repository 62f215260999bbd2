package converse

import (
	"cmp"
	"log/slog"
	"maps"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
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
		{Name: "links", Value: "with deliver: link the vendor fetches the page; what changed there is ingested anew and swapped"},
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
	return adapter.Opened(c.open(o))
}

func (c *Config) open(o targets.Options) (*Target, error) {
	routes, err := adapter.Routes("converse", guessed, c.Routes)
	if err != nil {
		return nil, err
	}
	maps.Copy(routes, documented)
	h := adapter.ClientOptions("converse", &c.Common, o)
	h.Header, h.Scheme = "Authorization", "Bearer "
	client, err := httpapi.New(h)
	if err != nil {
		return nil, err
	}
	return &Target{
		cfg: *c, http: client, log: cmp.Or(o.Logger, slog.New(slog.DiscardHandler)), routes: routes, outage: adapter.NewOutage("converse", mostOutages),
	}, nil
}
