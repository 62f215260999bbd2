package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"time"
)

const (
	inspectPrefix  = "/_sim/"
	maxInspectBody = 64 << 20
)

// inspection serves what every simulator has under /_sim/; a vendor adds what it holds. It needs no key, is free of
// faults, and its requests are not recorded.
func (f *front) inspection() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_sim/requests", f.inspectRequests)
	mux.HandleFunc("DELETE /_sim/requests", func(w http.ResponseWriter, _ *http.Request) {
		f.ResetRequests()
		noContent().write(w)
	})
	mux.HandleFunc("GET /_sim/violations", func(w http.ResponseWriter, _ *http.Request) {
		jsonAnswer(http.StatusOK, append([]string{}, f.Violations()...)).write(w)
	})
	mux.HandleFunc("POST /_sim/faults", f.inspectFaults)
	return mux
}

func (f *front) inspectRequests(w http.ResponseWriter, _ *http.Request) {
	type item struct {
		Time   time.Time `json:"time"`
		Method string    `json:"method"`
		Path   string    `json:"path"`
		Query  string    `json:"query,omitempty"`
		Status int       `json:"status"`
		Files  int       `json:"files,omitempty"`
		Bytes  int64     `json:"bytes"`
	}
	items := []item{}
	for _, r := range f.Requests() {
		items = append(items, item(r))
	}
	jsonAnswer(http.StatusOK, items).write(w)
}

// jsonFaults is the JSON form of Faults. Durations are text such as "1.5s"; the functions are regular expressions.
type jsonFaults struct {
	Before     map[string]float64 `json:"before"`
	After      map[string]float64 `json:"after"`
	Slow       map[string]float64 `json:"slow"`
	SlowBy     duration           `json:"slow_by"`
	Cut        map[string]float64 `json:"cut"`
	Next       []jsonFault        `json:"next"`
	ParseFail  pattern            `json:"parse_fail"`
	ParseStall pattern            `json:"parse_stall"`
	TrainFail  pattern            `json:"train_fail"`
	TrainStall pattern            `json:"train_stall"`
	Reject     pattern            `json:"reject"`
}

type jsonFault struct {
	Route       string            `json:"route"`
	Status      int               `json:"status"`
	Header      map[string]string `json:"header"`
	Body        string            `json:"body"`
	AfterEffect bool              `json:"after_effect"`
	Drop        bool              `json:"drop"`
	Delay       duration          `json:"delay"`
}

// inspectFaults replaces all faults; {} ends them.
func (f *front) inspectFaults(w http.ResponseWriter, r *http.Request) {
	var body jsonFaults
	if err := readStrict(w, r, &body); err != nil {
		problem(http.StatusBadRequest, "%v", err).write(w)
		return
	}
	faults := Faults{
		Before: body.Before, After: body.After, Slow: body.Slow, SlowBy: time.Duration(body.SlowBy), Cut: body.Cut,
		ParseFail: body.ParseFail.match, ParseStall: body.ParseStall.match,
		TrainFail: body.TrainFail.match, TrainStall: body.TrainStall.match, Reject: body.Reject.match,
	}
	for _, n := range body.Next {
		if n.Status != 0 && (n.Status < 200 || n.Status > 599) {
			problem(http.StatusBadRequest, "status %d is not between 200 and 599", n.Status).write(w)
			return
		}
		header := http.Header{}
		for k, v := range n.Header {
			header.Set(k, v)
		}
		faults.Next = append(faults.Next, Fault{
			Route: n.Route, Status: n.Status, Header: header, Body: n.Body, AfterEffect: n.AfterEffect, Drop: n.Drop,
			Delay: time.Duration(n.Delay),
		})
	}
	f.SetFaults(faults)
	noContent().write(w)
}

// duration is a time.Duration written as text.
type duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = duration(v)
	return err
}

// pattern is a regular expression that may be absent, which matches nothing.
type pattern struct{ re *regexp.Regexp }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *pattern) UnmarshalText(text []byte) (err error) {
	if len(text) > 0 {
		p.re, err = regexp.Compile(string(text))
	}
	return err
}

func (p *pattern) match(name string) bool { return p.re != nil && p.re.MatchString(name) }

// readStrict reads a JSON body and refuses unknown fields.
func readStrict(w http.ResponseWriter, r *http.Request, dst any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxInspectBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(dst); err != nil {
		return fmt.Errorf("reading the body: %w", err)
	}
	return nil
}

func formFile(r *http.Request) (name string, content []byte, err error) {
	if err := r.ParseMultipartForm(maxInspectBody); err != nil {
		return "", nil, err
	}
	for _, headers := range r.MultipartForm.File {
		file, err := headers[0].Open()
		if err != nil {
			return "", nil, err
		}
		content, err = io.ReadAll(file)
		return headers[0].Filename, content, errors.Join(err, file.Close())
	}
	return "", nil, errors.New("no file in the form")
}
