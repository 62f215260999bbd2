package targets

import (
	"strings"
	"testing"
	"time"
)

func TestCheckCommon(t *testing.T) {
	known := map[string]string{"item_delete": "DELETE /items/{id}"}
	route := func(r string) func(*Common) {
		return func(c *Common) { c.Routes = map[string]string{"item_delete": r} }
	}
	for _, tt := range []struct {
		name   string
		change func(*Common)
		field  string // "" when the settings are good
	}{
		{"good", func(*Common) {}, ""},
		{"base", func(c *Common) { c.BaseURL = "example.com" }, "base_url"},
		{"password", func(c *Common) { c.BaseURL = "https://u:p@example.com" }, "base_url"},
		{"query", func(c *Common) { c.BaseURL += "/?x=1" }, "base_url"},
		{"rate", func(c *Common) { c.Rate = -1 }, "rate"},
		{"concurrency", func(c *Common) { c.Concurrency = 1000 }, "concurrency"},
		{"timeout", func(c *Common) { c.Timeout = 0 }, "timeout"},
		{"route", route("POST /v2/items/{id}/delete"), ""},
		{"method", route("DROP /items/{id}"), "routes.item_delete"},
		{"path", route("DELETE items/{id}"), "routes.item_delete"},
		{"query in route", route("DELETE /items?x={id}"), "routes.item_delete"},
		{"placeholder", route("DELETE /items/{nr}"), "routes.item_delete"},
		{"no placeholder", route("DELETE /items"), "routes.item_delete"},
		{"brace", route("DELETE /items/{id}{"), "routes.item_delete"},
		{"unknown", func(c *Common) { c.Routes = map[string]string{"x": "GET /"} }, "routes.x"},
	} {
		c := &Common{BaseURL: "https://api.example.com", Rate: 1, Concurrency: 1, Timeout: time.Second}
		tt.change(c)
		var fields []string
		for _, bad := range CheckCommon(c, known) {
			fields = append(fields, bad.Field)
		}
		if got := strings.Join(fields, " "); got != tt.field {
			t.Errorf("%s: problems with %q, want %q", tt.name, got, tt.field)
		}
	}
}
