package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// route is one operation of the API.
type route struct {
	name     string
	method   string
	segments []string // "{…}" stands for any value that is not empty
	handle   func(*call) answer
	query    []string // parameters it knows, in lower case
}

// newRoute makes a route of a pattern such as "GET /Dataset/{}".
func newRoute(name, pattern string, handle func(*call) answer, query ...string) route {
	method, path, _ := strings.Cut(pattern, " ")
	return route{name: name, method: method, segments: strings.Split(path[1:], "/"), handle: handle, query: query}
}

// routes are all operations of one vendor.
type routes []route

// match is the outcome of looking for a route.
type match struct {
	route route
	args  []string
	allow []string // methods of the path when the route was not found
}

// match finds the route of a request.
func (rs routes) match(r *http.Request) match {
	var m match
	segments := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for _, rt := range rs {
		args, ok := rt.fits(segments)
		if !ok {
			continue
		}
		if rt.method == r.Method {
			return match{route: rt, args: args}
		}
		m.allow = append(m.allow, rt.method)
	}
	return m
}

func (rt route) fits(segments []string) (args []string, ok bool) {
	if len(segments) != len(rt.segments) {
		return nil, false
	}
	for i, want := range rt.segments {
		got, err := url.PathUnescape(segments[i])
		switch {
		case err != nil, got == "":
			return nil, false
		case want == "{}":
			args = append(args, got)
		case want != got:
			return nil, false
		}
	}
	return args, true
}

// route answers one request: under /_sim/ by inspect, else by dispatch, which is told the route of the request. A request
// without a route gets there too, with a route that has no handle.
func (f *front) route(w http.ResponseWriter, r *http.Request, inspect http.Handler, rs routes, dispatch func(*call, match) answer) {
	if strings.HasPrefix(r.URL.Path, inspectPrefix) {
		inspect.ServeHTTP(w, r)
		return
	}
	m := rs.match(r)
	f.serve(w, r, m.route.name, func(c *call) answer {
		c.args = m.args
		return dispatch(c, m)
	})
}

// decode reads JSON as the vendor does, which ignores unknown fields, but records them.
func (c *call) decode(body []byte, dst any) error {
	if !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		return errors.New("an object is expected")
	}
	if !json.Valid(body) {
		return errors.New("malformed JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	err := dec.Decode(dst)
	if err != nil && strings.HasPrefix(err.Error(), "json: unknown field") {
		c.violate("%s", strings.TrimPrefix(err.Error(), "json: "))
		err = json.Unmarshal(body, dst)
	}
	return err
}
