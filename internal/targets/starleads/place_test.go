package starleads

import (
	"net/http"
	"testing"

	"kbsyncd/internal/secret"
)

// placeOf is the place of a target with this change.
func placeOf(t *testing.T, change func(*Config)) string {
	t.Helper()
	return reach(t, func(c *Config) {
		c.Dataset, c.DatasetID = "Support handbook", ""
		if change != nil {
			change(c)
		}
	}, http.DefaultTransport).Place()
}

func TestPlace(t *testing.T) {
	base := placeOf(t, nil)
	for name, change := range map[string]func(*Config){
		"base URL":   func(c *Config) { c.BaseURL = "http://other.test" },
		"key":        func(c *Config) { c.APIKey = secret.New("sk-another") },
		"dataset":    func(c *Config) { c.Dataset = "Other" },
		"dataset id": func(c *Config) { c.DatasetID = "ds_1" },
		"chat":       func(c *Config) { c.Chat = "Other" },
		"chat id":    func(c *Config) { c.ChatID = "chat_1" },
	} {
		if placeOf(t, change) == base {
			t.Errorf("another %s gives the same place", name)
		}
	}
	for name, change := range map[string]func(*Config){
		"rate":           func(c *Config) { c.Rate = 1 },
		"parser":         func(c *Config) { c.ChunkMethod = "naive" },
		"trailing slash": func(c *Config) { c.BaseURL += "/" },
	} {
		if placeOf(t, change) != base {
			t.Errorf("another %s gives another place", name)
		}
	}
}
