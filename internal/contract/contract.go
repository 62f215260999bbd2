// Package contract compares what a client assumes of a vendor's API with the OpenAPI document that the vendor publishes. It
// guarantees that a document can change nothing but the verb and the path of routes that were guessed, never where requests go
// or what they carry, that no route which deletes nothing becomes one that may, and that a document that is hostile, absent or
// about something else changes nothing at all. It knows no vendor.
package contract

import (
	"net/url"
	"strings"
)

// Contract is what a client assumes of an API.
type Contract struct {
	Vendor    string
	Published string // where the vendor has its document
	Where     string // URL or path of the document to compare with
	Base      string // URL of the API; only its path counts, paths of the document may begin with it
	Routes    []Assumption
	// Given are the routes that the configuration sets already, by name, as "METHOD /path/{placeholder}".
	Given map[string]string
	// Auto says that the client takes the routes of the document for those that it guessed.
	Auto bool
}

// Assumption is one request that a client makes.
type Assumption struct {
	Name    string // for messages
	Guessed bool   // the vendor does not document it, so another route may take its place
	Method  string
	Path    string   // below the base URL, with {placeholders}
	Tags    []string // under which the document may list it
	Query   []string // names of parameters that the client sends
	Body    []string // fields or parts of a form that the client sends
}

// Route is the verb and the path as one text.
func (a Assumption) Route() string { return a.Method + " " + a.Path }

// Difference is one thing in which the document says something else than the client assumes.
type Difference struct {
	Name string // of the assumption
	Text string // a sentence without its end
	// Route is what the document has in place of the assumed one, with the placeholders of the
	// client; "" when there is nothing that can be taken.
	Route string
}

// Report is the result of a comparison, in the order of the assumptions.
type Report struct {
	Agree, Of   int // assumptions without a difference, and all
	Differences []Difference
}

// Routes are the routes of the document that can take the place of guessed ones, by name.
func (r Report) Routes() map[string]string {
	out := map[string]string{}
	for _, d := range r.Differences {
		if d.Route != "" {
			out[d.Name] = d.Route
		}
	}
	return out
}

// CheckWhere says what keeps s from being the place of a document; "" when nothing does. Files are not opened.
func CheckWhere(s string) string {
	if !strings.Contains(s, "://") {
		if s == "" {
			return "empty"
		}
		return ""
	}
	u, err := url.Parse(s)
	if err != nil {
		return "not an address"
	}
	return checkURL(u)
}
