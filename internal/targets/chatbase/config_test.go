package chatbase

import (
	"strings"
	"testing"
	"time"

	"kbsyncd/internal/secret"
	"kbsyncd/internal/targets"
)

func TestConfig(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		bad    string // fields at fault
	}{
		"defaults":           {func(*Config) {}, ""},
		"v1":                 {func(c *Config) { c.API = apiV1 }, ""},
		"half an address":    {func(c *Config) { c.BaseURL = "https://proxy.test/api/v2" }, "files_url"},
		"a whole address":    {func(c *Config) { c.BaseURL, c.FilesURL = "https://proxy.test/a", "https://proxy.test/f" }, ""},
		"v1 has one address": {func(c *Config) { c.API, c.BaseURL = apiV1, "https://proxy.test/api/v1" }, ""},
		"no address":         {func(c *Config) { c.FilesURL = "files" }, "files_url"},
		"no time":            {func(c *Config) { c.UploadEvery = -1 }, "upload_every"},
		"a day":              {func(c *Config) { c.UploadEvery = 24 * time.Hour }, "upload_every"},
		"at once":            {func(c *Config) { c.UploadEvery = 0 }, ""},
		"no settling":        {func(c *Config) { c.SettleTimeout = 0 }, "settle_timeout"},
		"another route":      {func(c *Config) { c.Routes = map[string]string{"train": "POST /bots/{agentId}/train"} }, ""},
		"a fixed route":      {func(c *Config) { c.Routes = map[string]string{"train": "POST /train"} }, "routes.train"},
		"no such route":      {func(c *Config) { c.Routes = map[string]string{"list": "GET /x"} }, "routes.list"},
	} {
		cfg := NewConfig()
		c.change(cfg)
		var bad []string
		for _, f := range cfg.Validate() {
			bad = append(bad, f.Field)
		}
		if got := strings.Join(bad, " "); got != c.bad {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestOpen(t *testing.T) {
	for api, want := range map[string]struct {
		base          string
		store, bundle bool
	}{apiV2: {base: defaultBase, store: true}, apiV1: {base: defaultBaseV1, bundle: true}} {
		cfg := NewConfig()
		cfg.API, cfg.APIKey = api, secret.New(testKey)
		if cfg.base() != want.base {
			t.Errorf("%s: %s", api, cfg.base())
		}
		target, err := cfg.Open(targets.Options{Agent: testAgent})
		if err != nil {
			t.Fatal(err)
		}
		_, store := target.(targets.Replacer)
		_, bundle := target.(targets.Bundler)
		if store != want.store || bundle != want.bundle {
			t.Errorf("%s: %T", api, target)
		}
		if n, b := target.(targets.Metered).Traffic(); n != 0 || b != 0 {
			t.Errorf("%s: %d requests before anything was asked", api, n)
		}
		_ = target.Close()
		for _, change := range []func(*Config){
			func(c *Config) { c.APIKey = secret.New("bad\nkey") },
			func(c *Config) { c.BaseURL = "ftp://x" },
		} {
			broken := *cfg
			change(&broken)
			if target, err := broken.Open(targets.Options{Agent: testAgent}); err == nil || target != nil {
				t.Errorf("%s: opened %v", api, target)
			} else if strings.Contains(err.Error(), "bad\nkey") {
				t.Error("the key shows")
			}
		}
	}
}
