// Stand-ins for kinds that the lists of kinds do not have yet.

package config

import (
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/targets"
)

type standFolder struct {
	Path     string        `yaml:"path" kind:"path" required:"true" doc:"The folder."`
	Include  []string      `yaml:"include" kind:"glob" doc:"Globs."`
	Exclude  []string      `yaml:"exclude" kind:"glob" doc:"Globs."`
	Watch    string        `yaml:"watch" enum:"auto|events|poll|off" doc:"How changes are noticed."`
	Poll     time.Duration `yaml:"poll" doc:"How often to look, when polling."`
	Debounce time.Duration `yaml:"debounce" doc:"Quiet time."`
	Marker   string        `yaml:"marker" doc:"A file."`
}

func (*standFolder) Validate() []fault.Invalid                    { return nil }
func (*standFolder) Open(sources.Options) (sources.Source, error) { return nil, nil }

type standStar struct {
	targets.Common `yaml:",inline"`
	Dataset        string         `yaml:"dataset" doc:"Of the vendor."`
	DatasetID      string         `yaml:"dataset_id" doc:"Of the vendor."`
	Chat           string         `yaml:"chat" doc:"Of the vendor."`
	ChatID         string         `yaml:"chat_id" doc:"Of the vendor."`
	ParserConfig   map[string]any `yaml:"parser_config" doc:"Of the vendor."`
	TakeOver       bool           `yaml:"take_over" doc:"Of the vendor."`
}

func (c *standStar) Validate() []fault.Invalid {
	if c.Dataset == "" && c.DatasetID == "" {
		return []fault.Invalid{{Field: "dataset", Msg: "is missing", Hint: "write"}}
	}
	return nil
}
func (*standStar) Open(targets.Options) (targets.Target, error) { return nil, nil }

func standins(k Kinds) Kinds {
	if len(k.Sources) < 3 {
		k.Sources = append(k.Sources, sources.Kind{Name: "folder", Summary: "files", NewConfig: func() sources.Config {
			return &standFolder{Watch: "auto", Poll: time.Minute, Debounce: 2 * time.Second}
		}})
	}
	if len(k.Targets) < 4 {
		k.Targets = append(k.Targets, targets.Kind{Name: "starleads", Summary: "s", NewConfig: func() targets.Config { return &standStar{} }})
	}
	return k
}
