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
		{"settle timeout", func(c *Common) { c.SettleTimeout = -1 }, "settle_timeout"},
		{"size", func(c *Common) { c.MaxFileSize = -1 }, "max_file_size"},
		{"timeout", func(c *Common) { c.Timeout = 0 }, "timeout"},
		{"route", route("POST /v2/items/{id}/delete"), ""},
		{"method", route("DROP /items/{id}"), "routes.item_delete"},
		{"path", route("DELETE items/{id}"), "routes.item_delete"},
		{"query in route", route("DELETE /items?x={id}"), "routes.item_delete"},
		{"placeholder", route("DELETE /items/{nr}"), "routes.item_delete"},
		{"no placeholder", route("DELETE /items"), "routes.item_delete"},
		{"backslash", route(`DELETE /items\{id}`), "routes.item_delete"},
		{"control character", route("DELETE /items/\x00{id}"), "routes.item_delete"},
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

func TestCheckCommonNeeded(t *testing.T) {
	c := &Common{BaseURL: "https://api.example.com", Rate: 1, Concurrency: 1, Timeout: time.Second}
	if bad := CheckCommon(c, nil, "settle_timeout", "max_file_size"); len(bad) != 2 {
		t.Errorf("two settings are 0 and needed: %+v", bad)
	}
	c.SettleTimeout, c.MaxFileSize = 1, 1
	if bad := CheckCommon(c, nil, "settle_timeout", "max_file_size"); len(bad) != 0 {
		t.Errorf("%+v", bad)
	}
}

func TestParseRoute(t *testing.T) {
	usual := map[string]string{"item_delete": "DELETE /items/{id}", "item_list": "GET /items"}
	r, msg, hint := ParseRoute("item_delete", "POST /v2/{id}/gone", usual)
	if r != (Route{"POST", "/v2/{id}/gone"}) || msg != "" || hint != "" {
		t.Errorf("%+v, %q, %q", r, msg, hint)
	}
	for name, want := range map[string]string{
		"item_delte": `did you mean "item_delete"?`, "zzz": "known are item_delete, item_list", "item_list": `write METHOD /path, for example "GET /items"`,
	} {
		if r, msg, hint := ParseRoute(name, "secret", usual); r != (Route{}) || msg == "" || hint != want || strings.Contains(msg, "secret") {
			t.Errorf("%s: %+v, %q, %q", name, r, msg, hint)
		}
	}
}

func FuzzParseRoute(f *testing.F) {
	f.Add("item_delete", "DELETE /items/{id}")
	f.Add("item_list", "GET /{")
	usual := map[string]string{"item_delete": "DELETE /items/{id}", "item_list": "GET /items"}
	f.Fuzz(func(t *testing.T, name, text string) {
		r, msg, _ := ParseRoute(name, text, usual)
		if msg == "" && (r.Method+" "+r.Path != text || r.Path[0] != '/' || strings.ContainsAny(r.Path, " ?#\\\x00\r\n")) {
			t.Errorf("%q %q gives %+v", name, text, r)
		}
	})
}
