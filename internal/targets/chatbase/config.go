package chatbase

import (
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// The addresses of the vendor (documented).
const (
	defaultBase   = "https://www.chatbase.co/api/v2"
	defaultFiles  = "https://files.chatbase.co/api/v2"
	defaultBaseV1 = "https://www.chatbase.co/api/v1"
)

const (
	apiV1 = "v1"
	apiV2 = "v2"
)

// Kind is Chatbase as listed in targets/all.
var Kind = targets.Kind{
	Name:        "chatbase",
	Summary:     "Chatbase: each agent gets its own copy, as text or file sources",
	NewConfig:   func() targets.Config { return NewConfig() },
	AgentMatch:  true,
	AgentCopies: true,
	Facts: []targets.Fact{
		{Name: "store", Value: "the sources of an agent; each agent gets its own copy"},
		{Name: "files", Value: "PDF and Word up to 20 MB as file sources; text, Markdown and what can be converted as text sources"},
		{Name: "links", Value: "with deliver: link as sources whose pages the vendor fetches; one that changed is deleted and created again"},
		{Name: "batch", Value: "one source a request; one file in 6 s for the whole account"},
		{Name: "changed content", Value: "in place, but for links; the agent keeps the old version until the new one is trained"},
		{Name: "rename", Value: "in place"},
		{Name: "searchable", Value: "when training is done, which starts by itself; older accounts are asked to train once a pass"},
		{Name: "agents", Value: "must exist; neither they nor their settings are changed"},
		{Name: "api: v1", Value: "all documents as the one text of a chatbot, up to 4 MB; replaces what it holds"},
	},
}

var (
	_ targets.Config     = (*Config)(nil)
	_ targets.Contracted = (*Config)(nil)
)

// Config is the configuration of a Chatbase target.
type Config struct {
	targets.Common
	API         string        `yaml:"api" enum:"v2|v1" doc:"v2 keeps one source for each document; v1 sends all documents as the one text of a chatbot and replaces what it holds."`
	OpenAPI     string        `yaml:"openapi" kind:"location" doc:"The address or file of the OpenAPI document of v2 that check --connect compares with what this program assumes, and that routes: auto follows."`
	FilesURL    string        `yaml:"files_url" doc:"Where the API for file sources is; it must be given when base_url is changed."`
	UploadEvery time.Duration `yaml:"upload_every" doc:"Time between two uploads of files, for all agents of the account together; the vendor allows 10 a minute."`
}

// NewConfig is a configuration with its defaults.
func NewConfig() *Config {
	return &Config{
		Common: targets.Common{
			BaseURL:       defaultBase,
			Rate:          8, // below the older of the two documented limits, 100 requests in 10 seconds
			Concurrency:   3, // so a key that is taken back meets at most three requests
			SettleTimeout: 10 * time.Minute,
			MaxFileSize:   20_000_000,
			Timeout:       time.Minute,
		},
		API:         apiV2,
		OpenAPI:     published,
		FilesURL:    defaultFiles,
		UploadEvery: 6 * time.Second, // documented: 10 a minute for each account, and a refused one counts
	}
}

// routeTrain is the one route that the vendor's documents contradict each other about.
const routeTrain = "train"

var routes = map[string]string{routeTrain: "POST /agents/{agentId}/train"}

// Validate reports every problem with the values.
func (c *Config) Validate() []fault.Invalid {
	out := c.checkRoutes()
	if msg := targets.CheckURL(c.FilesURL); msg != "" {
		out = append(out, fault.Invalid{Field: "files_url", Msg: msg, Hint: "write an address such as \"" + defaultFiles + "\""})
	}
	if c.API == apiV2 && c.BaseURL != defaultBase && c.FilesURL == defaultFiles {
		out = append(out, fault.Invalid{
			Field: "files_url", Msg: "missing, though base_url is changed",
			Hint: "write where file sources go on that server, so that they do not go to the vendor",
		})
	}
	if c.UploadEvery < 0 || c.UploadEvery > time.Hour {
		out = append(out, fault.Invalid{Field: "upload_every", Msg: "out of range 0s to 1h", Hint: `write a duration such as "6s"`})
	}
	return out
}

// base is the address of the API in the chosen version.
func (c *Config) base() string {
	if c.API == apiV1 && c.BaseURL == defaultBase {
		return defaultBaseV1
	}
	return c.BaseURL
}

// OneSync implements targets.Exclusive.
func (c *Config) OneSync() string {
	if c.API != apiV1 {
		return ""
	}
	return "with api: v1 all documents of a chatbot are one text, which each sync would replace by its own"
}

// Open implements targets.Config: a Target for v2, a Bundle for v1.
func (c *Config) Open(o targets.Options) (targets.Target, error) {
	if c.API == apiV1 {
		return adapter.Opened(c.openBundle(o))
	}
	t, err := c.open(o)
	if err != nil {
		return nil, err
	}
	return c.follow(t, o), nil
}

// trainRoute is the route of routes.train.
func (c *Config) trainRoute() (targets.Route, error) {
	known, err := adapter.Routes("chatbase", routes, c.Routes)
	return known[routeTrain], err
}
