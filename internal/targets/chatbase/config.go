package chatbase

import (
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/targets"
)

// The addresses of the vendor.
const (
	defaultBase   = "https://www.chatbase.co/api/v2"
	defaultFiles  = "https://files.chatbase.co/api/v2"
	defaultBaseV1 = "https://www.chatbase.co/api/v1"
)

// Kind is Chatbase as listed in targets/all.
var Kind = targets.Kind{
	Name:       "chatbase",
	Summary:    "Chatbase: each agent gets its own copy, as text or file sources (not built yet)",
	NewConfig:  func() targets.Config { return NewConfig() },
	AgentMatch: true,
}

var _ targets.Config = (*Config)(nil)

// Config is the configuration of a Chatbase target.
type Config struct {
	targets.Common
	API      string `yaml:"api" enum:"v2|v1" doc:"v2 keeps one source for each document; v1 sends all documents as the one text of a chatbot and replaces what it holds."`
	FilesURL string `yaml:"files_url" doc:"Where the API for file sources is; it must be given when base_url is changed."`
}

// NewConfig is a configuration with its defaults.
func NewConfig() *Config {
	return &Config{
		Common: targets.Common{
			BaseURL:       defaultBase,
			Rate:          8, // below the older of the two documented limits, 100 requests in 10 seconds
			Concurrency:   4,
			SettleTimeout: 10 * time.Minute,
			MaxFileSize:   20_000_000,
			Timeout:       time.Minute,
		},
		API:      "v2",
		FilesURL: defaultFiles,
	}
}

// routes are the ones that the vendor's documents contradict each other about.
var routes = map[string]string{
	"train": "POST /agents/{agentId}/train",
}

// Validate reports every problem with the values.
func (c *Config) Validate() []fault.Invalid {
	out := targets.CheckCommon(&c.Common, routes)
	if msg := targets.CheckURL(c.FilesURL); msg != "" {
		out = append(out, fault.Invalid{Field: "files_url", Msg: msg, Hint: "write an address such as \"" + defaultFiles + "\""})
	}
	if c.API == "v2" && c.BaseURL != defaultBase && c.FilesURL == defaultFiles {
		out = append(out, fault.Invalid{
			Field: "files_url", Msg: "missing, though base_url is changed",
			Hint: "write where file sources go on that server, so that they do not go to the vendor",
		})
	}
	return out
}

// base is the address of the API in the chosen version.
func (c *Config) base() string {
	if c.API == "v1" && c.BaseURL == defaultBase {
		return defaultBaseV1
	}
	return c.BaseURL
}

// Open says that this kind of target cannot be used yet.
func (c *Config) Open(targets.Options) (targets.Target, error) {
	return nil, fault.New(fault.ErrSetup, "targets of type chatbase (%s) are not built yet", c.base()).
		WithHint("remove it from the syncs for now")
}
