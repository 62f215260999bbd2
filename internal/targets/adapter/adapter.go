// Package adapter is what the clients of several vendors have in common: requests by named routes, results of many calls at the
// same time, forms that are streamed, lenient decoding, and the errors of what arrived or did not. It knows no
// vendor; what only one of them does stays in that vendor's package.
package adapter

import (
	"fmt"
	"net/url"
	"strings"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/targets"
)

// ClientOptions are those that follow from the settings that every target has; the header of the key is still to be set.
func ClientOptions(vendor string, c *targets.Common, o targets.Options) httpapi.Options {
	return httpapi.Options{
		Vendor: vendor, BaseURL: c.BaseURL, Key: c.APIKey, UserAgent: o.UserAgent, Timeout: c.Timeout, Rate: c.Rate, Burst: c.Concurrency,
		Concurrency: c.Concurrency, Logger: o.Logger, Transport: o.Transport, CheckOK: httpapi.Envelope,
	}
}

// Routes are the routes that a vendor does not document, by name: the usual ones, or those of the configuration instead.
func Routes(vendor string, usual map[string]string, instead targets.Routes) (map[string]targets.Route, error) {
	out := make(map[string]targets.Route, len(usual))
	for name, text := range usual {
		if given, ok := instead[name]; ok {
			text = given
		}
		r, msg, _ := targets.ParseRoute(name, text, usual)
		if msg != "" {
			return nil, fmt.Errorf("%s: routes.%s: %s", vendor, name, msg)
		}
		out[name] = r
	}
	return out, nil
}

// Vars are the values of a route's placeholders.
type Vars map[string]string

// Request fills a route's placeholders. A value that is empty or dots is refused: it would name another resource.
func Request(vendor, op string, r targets.Route, v Vars) (httpapi.Request, error) {
	path := r.Path
	for key, value := range v {
		if value == "" || value == "." || value == ".." {
			return httpapi.Request{}, fault.New(fault.ErrRejected, "%s: %s: %q is no %s", vendor, op, value, key)
		}
		path = strings.ReplaceAll(path, "{"+key+"}", url.PathEscape(value))
	}
	return httpapi.Request{Op: op, Method: r.Method, Path: path}, nil
}

// Opened is for Config.Open: a nil pointer in the interface would not be nil.
func Opened[T targets.Target](t T, err error) (targets.Target, error) {
	if err != nil {
		return nil, err
	}
	return t, nil
}
