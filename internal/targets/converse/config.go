package converse

import (
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/targets"
)

const defaultBase = "https://api.converse.axllabs.in/api/v1"

// Kind is Converse as listed in targets/all.
var Kind = targets.Kind{
	Name:       "converse",
	Summary:    "Axllabs Converse: documents assigned to agents one by one (not built yet)",
	NewConfig:  func() targets.Config { return NewConfig() },
	AgentMatch: true,
}

var _ targets.Config = (*Config)(nil)

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
		Mode: "live",
	}
}

// routes are the ones whose verb the vendor does not document.
var routes = map[string]string{
	"agent_documents": "GET /knowledge/agent/{agent_id}",
	"unassign":        "DELETE /knowledge/agent/{agent_id}/assign/{doc_id}",
}

// Validate reports every problem with the values.
func (c *Config) Validate() []fault.Invalid { return targets.CheckCommon(&c.Common, routes) }

// Open says that this kind of target cannot be used yet.
func (c *Config) Open(targets.Options) (targets.Target, error) {
	return nil, fault.New(fault.ErrSetup, "targets of type converse are not built yet").
		WithHint("remove it from the syncs for now")
}
