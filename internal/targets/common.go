package targets

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"kbsyncd/internal/contract"
	"kbsyncd/internal/fault"
	"kbsyncd/internal/suggest"
)

// CheckCommon reports problems with the settings that every target has, but for the key, which package config checks where it
// is read. Routes are the defaults of the routes that the vendor does not document, by name, as "METHOD /path/{placeholder}"; only
// those may be overridden, and auto is refused: see CheckPublished. Needed are the fields that may not be 0 at this vendor: "settle_timeout", "max_file_size".
func CheckCommon(c *Common, routes map[string]string, needed ...string) []fault.Invalid {
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
	size := func(field, hint string, value int64) {
		switch {
		case value < 0:
			bad(field, hint, "negative")
		case value == 0 && slices.Contains(needed, field):
			bad(field, hint, "must be more than 0")
		}
	}
	size("settle_timeout", `write a duration such as "10m"`, int64(c.SettleTimeout))
	size("max_file_size", "write a size such as 5MB", c.MaxFileSize)
	if c.Timeout <= 0 {
		bad("timeout", `write a duration such as "60s"`, "must be longer than 0")
	}
	if c.Routes.Auto() {
		bad("routes", "write the routes that differ, or remove the key", "this vendor publishes no document to take routes from")
		return out
	}
	for _, name := range slices.Sorted(maps.Keys(c.Routes)) {
		if _, msg, hint := ParseRoute(name, c.Routes[name], routes); msg != "" {
			bad("routes."+name, hint, "%s", msg)
		}
	}
	return out
}

// CheckPublished is CheckCommon for a vendor that publishes an OpenAPI document, where routes may be auto. OpenAPI is the
// setting of where it is.
func CheckPublished(c *Common, openAPI string, routes map[string]string, needed ...string) []fault.Invalid {
	common := *c
	if common.Routes.Auto() {
		common.Routes = nil
	}
	out := CheckCommon(&common, routes, needed...)
	if msg := contract.CheckWhere(openAPI); msg != "" {
		out = append(out, fault.Invalid{Field: "openapi", Msg: msg, Hint: "write the https address or the path of an OpenAPI document"})
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
	routePattern = regexp.MustCompile(`^(GET|POST|PUT|PATCH|DELETE) (/[^\s?#\\\x00-\x1f\x7f]*)$`)
	placeholder  = regexp.MustCompile(`\{[^{}]*\}`)
)

// Route is the verb and the path of a request; parts of the path in braces are placeholders.
type Route struct{ Method, Path string }

// ParseRoute reads the text of the route of this name. Usual are the defaults, by name; the placeholders must be those
// of the default. Msg says what is wrong, without the text, and is empty when nothing is.
func ParseRoute(name, text string, usual map[string]string) (r Route, msg, hint string) {
	def, ok := usual[name]
	if !ok {
		if len(usual) == 0 {
			return r, "unknown route", "this vendor documents all of its routes; remove it"
		}
		known := slices.Sorted(maps.Keys(usual))
		return r, "unknown route", suggest.Hint(name, known, "known are "+strings.Join(known, ", "))
	}
	m := routePattern.FindStringSubmatch(text)
	if m == nil {
		return r, "not a route", `write METHOD /path, for example "` + def + `"`
	}
	hint = `the default is "` + def + `"`
	want := placeholder.FindAllString(def, -1)
	got := placeholder.FindAllString(m[2], -1)
	for _, p := range got {
		if !slices.Contains(want, p) {
			return r, "unknown placeholder " + p, hint
		}
	}
	for _, p := range want {
		if !slices.Contains(got, p) {
			return r, "lacks the placeholder " + p, hint
		}
	}
	if strings.ContainsAny(placeholder.ReplaceAllString(m[2], ""), "{}") {
		return r, "has a lone brace", hint
	}
	return Route{Method: m[1], Path: m[2]}, "", ""
}
