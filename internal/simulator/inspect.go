package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

const maxInspectBody = 64 << 20

// inspector serves the state of the simulator under /_sim/. It needs no key, is free of faults, and its requests are
// not recorded.
func (s *Starleads) inspector() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_sim/documents", s.inspectDocuments)
	mux.HandleFunc("POST /_sim/documents", s.inspectPut)
	mux.HandleFunc("GET /_sim/content/{id}", s.inspectContent)
	mux.HandleFunc("GET /_sim/datasets", func(w http.ResponseWriter, _ *http.Request) {
		jsonAnswer(http.StatusOK, s.Datasets()).write(w)
	})
	mux.HandleFunc("GET /_sim/agents", s.inspectAgents)
	mux.HandleFunc("POST /_sim/agents", s.inspectAddAgent)
	mux.HandleFunc("GET /_sim/requests", s.inspectRequests)
	mux.HandleFunc("DELETE /_sim/requests", func(w http.ResponseWriter, _ *http.Request) {
		s.ResetRequests()
		noContent().write(w)
	})
	mux.HandleFunc("GET /_sim/violations", func(w http.ResponseWriter, _ *http.Request) {
		jsonAnswer(http.StatusOK, append([]string{}, s.Violations()...)).write(w)
	})
	mux.HandleFunc("POST /_sim/faults", s.inspectFaults)
	return mux
}

func (s *Starleads) inspectDocuments(w http.ResponseWriter, _ *http.Request) {
	type item struct {
		ID          string    `json:"id"`
		Dataset     string    `json:"dataset"`
		DatasetName string    `json:"datasetName"`
		Name        string    `json:"name"`
		Size        int       `json:"size"`
		SHA256      string    `json:"sha256"`
		Status      string    `json:"status"`
		Searchable  bool      `json:"searchable"`
		ChunkMethod string    `json:"chunkMethod"`
		Created     time.Time `json:"created"`
	}
	names := s.Datasets()
	items := []item{}
	for _, d := range s.Documents() {
		sum := sha256.Sum256(d.Content)
		items = append(items, item{
			ID: d.ID, Dataset: d.Dataset, DatasetName: names[d.Dataset], Name: d.Name, Size: len(d.Content),
			SHA256: hex.EncodeToString(sum[:]), Status: d.Status, Searchable: d.Searchable, ChunkMethod: d.ChunkMethod,
			Created: d.Created,
		})
	}
	jsonAnswer(http.StatusOK, items).write(w)
}

// inspectPut stores a foreign document: JSON {"dataset","name","text","status"?}, or a multipart form with the fields
// dataset, status (optional) and a file of any field name.
func (s *Starleads) inspectPut(w http.ResponseWriter, r *http.Request) {
	var doc struct {
		Dataset string `json:"dataset"`
		Name    string `json:"name"`
		Text    string `json:"text"`
		Status  string `json:"status"`
	}
	var content []byte
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		r.Body = http.MaxBytesReader(w, r.Body, maxInspectBody)
		name, data, err := formFile(r)
		if err != nil {
			problem(http.StatusBadRequest, "%v", err).write(w)
			return
		}
		doc.Dataset, doc.Status, doc.Name, content = r.FormValue("dataset"), r.FormValue("status"), name, data
	} else {
		if err := readStrict(w, r, &doc); err != nil {
			problem(http.StatusBadRequest, "%v", err).write(w)
			return
		}
		content = []byte(doc.Text)
	}
	if doc.Dataset == "" || doc.Name == "" {
		problem(http.StatusBadRequest, "dataset and name are required").write(w)
		return
	}
	id := s.Put(doc.Dataset, doc.Name, content, doc.Status)
	jsonAnswer(http.StatusCreated, map[string]string{"id": id}).write(w)
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

func (s *Starleads) inspectContent(w http.ResponseWriter, r *http.Request) {
	s.lock()
	d := s.docs[r.PathValue("id")]
	s.mu.Unlock()
	if d == nil {
		problem(http.StatusNotFound, "no such document").write(w)
		return
	}
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	answer{status: http.StatusOK, header: header, body: d.content}.write(w)
}

func (s *Starleads) inspectAgents(w http.ResponseWriter, _ *http.Request) {
	type item struct {
		ID       string   `json:"id"`
		Chat     string   `json:"chat"`
		Datasets []string `json:"datasets"`
	}
	items := []item{}
	s.lock()
	for id, a := range s.agents {
		it := item{ID: id, Datasets: []string{}}
		if a.chat != nil {
			it.Chat, it.Datasets = a.chat.id, append(it.Datasets, a.chat.datasets...)
		}
		items = append(items, it)
	}
	s.mu.Unlock()
	slices.SortFunc(items, func(a, b item) int { return strings.Compare(a.ID, b.ID) })
	jsonAnswer(http.StatusOK, items).write(w)
}

// inspectAddAgent makes an agent exist: {"id"}, and with "chat" connects it to the chat of that name as a human would.
func (s *Starleads) inspectAddAgent(w http.ResponseWriter, r *http.Request) {
	var body struct {
		ID   string `json:"id"`
		Chat string `json:"chat"`
	}
	err := readStrict(w, r, &body)
	if err == nil && body.ID == "" {
		err = errors.New("id is required")
	}
	if err != nil {
		problem(http.StatusBadRequest, "%v", err).write(w)
		return
	}
	s.AddAgent(body.ID)
	out := map[string]string{"id": body.ID}
	if body.Chat != "" {
		out["chat"] = s.Connect(body.ID, body.Chat)
	}
	jsonAnswer(http.StatusCreated, out).write(w)
}

func (s *Starleads) inspectRequests(w http.ResponseWriter, _ *http.Request) {
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
	for _, r := range s.Requests() {
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
func (s *Starleads) inspectFaults(w http.ResponseWriter, r *http.Request) {
	var body jsonFaults
	if err := readStrict(w, r, &body); err != nil {
		problem(http.StatusBadRequest, "%v", err).write(w)
		return
	}
	f := Faults{
		Before: body.Before, After: body.After, Slow: body.Slow, SlowBy: time.Duration(body.SlowBy), Cut: body.Cut,
		ParseFail: body.ParseFail.match, ParseStall: body.ParseStall.match, Reject: body.Reject.match,
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
		f.Next = append(f.Next, Fault{
			Route: n.Route, Status: n.Status, Header: header, Body: n.Body, AfterEffect: n.AfterEffect, Drop: n.Drop,
			Delay: time.Duration(n.Delay),
		})
	}
	s.SetFaults(f)
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
