package simulator

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	inspectPrefix = "/_sim/"
	maxJSONBody   = 1 << 20
)

// route is one operation of the API.
type route struct {
	name     string
	method   string
	segments []string // "{…}" stands for any value that is not empty
	handle   func(*call) answer
	query    []string // parameters it knows, in lower case
}

func (s *Starleads) starleadsRoutes() []route {
	pages := []string{"pagenumber", "pagesize"}
	add := func(name, pattern string, handle func(*call) answer, query ...string) route {
		method, path, _ := strings.Cut(pattern, " ")
		return route{
			name: name, method: method, segments: strings.Split(path[1:], "/"), handle: handle, query: query,
		}
	}
	return []route{
		add("dataset_list", "GET /Dataset", s.listDatasets, pages...),
		add("dataset_create", "POST /Dataset", s.createDataset),
		add("dataset_get", "GET /Dataset/{}", s.getDataset),
		add("dataset_update", "PATCH /Dataset/{}", s.updateDataset),
		add("dataset_delete", "DELETE /Dataset/{}", s.deleteDataset),
		add("document_upload", "POST /Dataset/{}/document", s.upload),
		add("document_list", "GET /Dataset/{}/document", s.listDocuments, append(pages, "keywords", "status")...),
		add("document_update", "PATCH /Dataset/{}/document/{}", s.updateDocument),
		add("document_delete", "DELETE /Dataset/{}/document/{}", s.deleteDocument),
		add("document_download", "GET /Dataset/{}/document/{}/download", s.download),
		add("document_parse", "POST /Dataset/{}/document/parse", s.parse),
		add("document_stop", "POST /Dataset/{}/document/stop-parsing", s.stop),
		add("graph_enable", "POST /Dataset/{}/knowledge-graph/enable", s.enableGraph),
		add("graph_build", "POST /Dataset/{}/knowledge-graph/build", s.buildGraph),
		add("graph_status", "GET /Dataset/{}/knowledge-graph/status", s.graphStatus),
		add("graph_get", "GET /Dataset/{}/knowledge-graph", s.getGraph),
		add("graph_delete", "DELETE /Dataset/{}/knowledge-graph", s.deleteGraph),
		add("chat_list", "GET /KnowledgeBaseChat", s.listChats, pages...),
		add("chat_create", "POST /KnowledgeBaseChat", s.createChat),
		add("chat_get", "GET /KnowledgeBaseChat/{}", s.getChat),
		add("chat_update", "PATCH /KnowledgeBaseChat/{}", s.updateChat),
		add("chat_delete", "DELETE /KnowledgeBaseChat/{}", s.deleteChat),
		add("agent_chat_put", "PUT /Agent/{}/chat", s.connectAgent),
		add("agent_chat_get", "GET /Agent/{}/chat", s.agentChat),
		add("agent_chat_delete", "DELETE /Agent/{}/chat", s.detachAgent),
		add("agent_prompt_get", "GET /Agent/{}/prompt", s.getPrompt),
		add("agent_prompt_put", "PUT /Agent/{}/prompt", s.putPrompt),
	}
}

// ServeHTTP answers one request of the API, or of the inspection under /_sim/.
func (s *Starleads) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, inspectPrefix) {
		s.inspect.ServeHTTP(w, r)
		return
	}
	m := s.match(r)
	s.serve(w, r, m.route.name, func(c *call) answer { //nolint:contextcheck // the request carries the context
		c.args = m.args
		return s.dispatch(c, m)
	})
}

// match is the outcome of looking for a route.
type match struct {
	route route
	args  []string
	allow []string // methods of the path when the route was not found
}

func (s *Starleads) match(r *http.Request) match {
	var m match
	segments := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for _, rt := range s.routes {
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

func (s *Starleads) dispatch(c *call, m match) answer {
	agent := c.r.UserAgent()
	if agent == "" || strings.HasPrefix(agent, "Go-http-client/") {
		c.violate("no User-Agent of its own")
	}
	key := c.r.Header.Get("X-Api-Key")
	if s.opts.Key == "" || subtle.ConstantTimeCompare([]byte(key), []byte(s.opts.Key)) != 1 {
		return problem(http.StatusUnauthorized, "The API key is missing or not valid.")
	}
	if m.route.handle == nil {
		return noRoute(c, m)
	}
	if bad, ok := c.readQuery(m.route.query); !ok {
		return bad
	}
	return m.route.handle(c)
}

func noRoute(c *call, m match) answer {
	path := strings.TrimSuffix(c.r.URL.EscapedPath(), "/")
	emptyID := path != c.r.URL.EscapedPath() || strings.Contains(path, "//") || strings.HasSuffix(path, "/document")
	switch {
	case c.r.Method == http.MethodDelete && emptyID:
		c.violate("delete with an empty id")
	default:
		c.violate("no such route")
	}
	if len(m.allow) > 0 {
		a := problem(http.StatusMethodNotAllowed, "The method is not allowed here.")
		a.header.Set("Allow", strings.Join(m.allow, ", "))
		return a
	}
	return problem(http.StatusNotFound, "There is nothing at this address.")
}

// readQuery reads the parameters, whose names are compared without regard to case.
func (c *call) readQuery(known []string) (bad answer, ok bool) {
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return problem(http.StatusBadRequest, "The query is malformed."), false
	}
	c.query = make(map[string]string, len(values))
	for name, vs := range values {
		lower := strings.ToLower(name)
		if !slices.Contains(known, lower) {
			c.violate("unknown query parameter %q", name)
			continue
		}
		c.query[lower] = vs[0]
	}
	return answer{}, true
}

// page is the part of a list that a request asks for.
type page struct{ number, size int }

func (s *Starleads) readPage(c *call) (p page, bad answer, ok bool) {
	p = page{number: 1, size: pageSize}
	for name, dst := range map[string]*int{"PageNumber": &p.number, "PageSize": &p.size} {
		text := c.query[strings.ToLower(name)]
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 1 {
			return p, invalid(name, "The value '%s' is not valid for %s.", text, name), false
		}
		*dst = int(n)
	}
	if p.size > maxPageSize {
		c.violate("PageSize %d is above %d", p.size, maxPageSize)
		p.size = maxPageSize
	}
	if s.opts.IgnorePaging {
		p.number = 1
	}
	return p, answer{}, true
}

// cut returns the bounds of the page in a list of n items.
func (p page) cut(n int) (from, to int) {
	from = n
	if skipped := p.number - 1; skipped <= n/p.size {
		from = min(skipped*p.size, n)
	}
	return from, min(from+p.size, n)
}

// listAnswer is the answer to a list request: one page of total items.
func listAnswer[T any](s *Starleads, p page, total int, items []T) answer {
	if items == nil {
		items = []T{}
	}
	if s.opts.BareLists {
		return jsonAnswer(http.StatusOK, items)
	}
	return jsonAnswer(http.StatusOK, struct {
		CurrentPage int `json:"currentPage"`
		TotalPages  int `json:"totalPages"`
		PageSize    int `json:"pageSize"`
		TotalCount  int `json:"totalCount"`
		Items       []T `json:"items"`
	}{p.number, (total + p.size - 1) / p.size, p.size, total, items})
}

// readJSON reads a JSON body into dst, which must be a pointer to a struct. An optional body may be absent.
func (s *Starleads) readJSON(c *call, dst any, optional bool) (bad answer, ok bool) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, c.r.Body, min(maxJSONBody, s.opts.MaxBody)))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return problem(http.StatusRequestEntityTooLarge, "The request is too large."), false
	}
	if err != nil {
		return problem(http.StatusBadRequest, "The request ended early."), false
	}
	if optional && len(body) == 0 {
		return answer{}, true
	}
	if media, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		c.violate("Content-Type %q instead of application/json", c.r.Header.Get("Content-Type"))
		return problem(http.StatusUnsupportedMediaType, "The body must be application/json."), false
	}
	if err := c.decode(body, dst); err != nil {
		return invalid("$", "The JSON value could not be read: %v", err), false
	}
	return answer{}, true
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

// success is the body of operations that have nothing else to say.
func success() answer {
	return jsonAnswer(http.StatusOK, map[string]bool{"success": true})
}

// unknown is the answer to an id that does not exist, for example unknown("document", id).
func (s *Starleads) unknown(kind, id string) answer {
	status := http.StatusNotFound
	if s.opts.BadIDs400 {
		status = http.StatusBadRequest
	}
	return problem(status, "No %s exists with %sId : %s", kind, kind, id)
}

// busy is the answer to a request that something under way forbids.
func (s *Starleads) busy(format string, args ...any) answer {
	status := http.StatusConflict
	if s.opts.BadIDs400 {
		status = http.StatusBadRequest
	}
	return problem(status, format, args...)
}

// wireID is an id as it is written in JSON.
func (s *Starleads) wireID(id string) any {
	if s.opts.NumericIDs {
		return json.Number(id)
	}
	return id
}

// idValue is an id in the body of a request: a string, or a number where ids are numbers.
type idValue struct {
	text   string
	number bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *idValue) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &v.text)
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return errors.New("an id is expected")
	}
	v.text, v.number = n.String(), n != ""
	return nil
}

// readIDs checks the ids in the field of a request's body.
func (s *Starleads) readIDs(c *call, field string, values []idValue) (ids []string, bad answer, ok bool) {
	for _, v := range values {
		if v.number && !s.opts.NumericIDs {
			return nil, invalid(field, "The JSON value could not be converted to a string."), false
		}
		if v.text == "" {
			c.violate("empty id in %s", field)
			return nil, invalid(field, "An id must not be empty."), false
		}
		ids = append(ids, v.text)
	}
	if len(ids) == 0 {
		c.violate("no ids in %s", field)
		return nil, invalid(field, "The %s field is required.", field), false
	}
	return ids, answer{}, true
}
