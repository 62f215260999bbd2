package targets

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"kbsyncd/internal/fault"
)

// CheckCommon reports problems with the settings that every target has. Routes are the defaults of the
// routes that the vendor does not document, by name, as "METHOD /path/{placeholder}"; only those may be overridden.
func CheckCommon(c *Common, routes map[string]string) []fault.Invalid {
	var out []fault.Invalid
	bad := func(field, hint, format string, args ...any) {
		out = append(out, fault.Invalid{Field: field, Msg: fmt.Sprintf(format, args...), Hint: hint})
	}
	if msg := CheckURL(c.BaseURL); msg != "" {
		bad("base_url", `write an address such as "https://api.example.com"`, "%s", msg)
	}
	if c.Rate < 0 || c.Rate > 10000 {
		bad("rate", "write requests a second, for example 2", "out of range 0 to 10000")
	}
	if c.Concurrency < 1 || c.Concurrency > 64 {
		bad("concurrency", "write how many requests may run at the same time", "out of range 1 to 64")
	}
	if c.SettleTimeout < 0 {
		bad("settle_timeout", `write a duration such as "10m"`, "negative")
	}
	if c.MaxFileSize < 0 {
		bad("max_file_size", "write a size such as 5MB", "negative")
	}
	if c.Timeout <= 0 {
		bad("timeout", `write a duration such as "60s"`, "must be longer than 0")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Routes)) {
		if msg, hint := checkRoute(name, c.Routes[name], routes); msg != "" {
			bad("routes."+name, hint, "%s", msg)
		}
	}
	return out
}

// CheckURL says what keeps s from being the base of an API; "" when nothing does.
func CheckURL(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Opaque != "":
		return "must be an http or https address"
	case u.User != nil:
		return "must not contain a user name or password"
	case u.RawQuery != "" || u.Fragment != "":
		return "must not have a query or fragment"
	}
	return ""
}

var (
	routePattern = regexp.MustCompile(`^(GET|POST|PUT|PATCH|DELETE) (/[^\s?#]*)$`)
	placeholder  = regexp.MustCompile(`\{[^{}]*\}`)
)

func checkRoute(name, value string, routes map[string]string) (msg, hint string) {
	usual, ok := routes[name]
	if !ok {
		if len(routes) == 0 {
			return "unknown route", "this vendor documents all of its routes; remove it"
		}
		return "unknown route", "known are " + strings.Join(slices.Sorted(maps.Keys(routes)), ", ")
	}
	m := routePattern.FindStringSubmatch(value)
	if m == nil {
		return "not a route", `write METHOD /path, for example "` + usual + `"`
	}
	want := placeholder.FindAllString(usual, -1)
	got := placeholder.FindAllString(m[2], -1)
	for _, p := range got {
		if !slices.Contains(want, p) {
			return "unknown placeholder " + p, `the default is "` + usual + `"`
		}
	}
	for _, p := range want {
		if !slices.Contains(got, p) {
			return "lacks the placeholder " + p, `the default is "` + usual + `"`
		}
	}
	if strings.ContainsAny(placeholder.ReplaceAllString(m[2], ""), "{}") {
		return "has a lone brace", `the default is "` + usual + `"`
	}
	return "", ""
}
