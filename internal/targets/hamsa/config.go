package hamsa

import (
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/targets"
)

const defaultBase = "https://api.tryhamsa.com"

// Kind is Hamsa as listed in targets/all.
var Kind = targets.Kind{
	Name:       "hamsa",
	Summary:    "Hamsa: text items that voice agents refer to (not built yet)",
	NewConfig:  func() targets.Config { return NewConfig() },
	AgentMatch: true,
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

// Open says that this kind of target cannot be used yet.
func (c *Config) Open(targets.Options) (targets.Target, error) {
	return nil, fault.New(fault.ErrSetup, "targets of type hamsa are not built yet").
		WithHint("remove it from the syncs for now")
}
