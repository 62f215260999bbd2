package simulator

import (
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

const maxJSONBody = 1 << 20

func (s *Starleads) starleadsRoutes() routes {
	pages := []string{"pagenumber", "pagesize"}
	return []route{
		newRoute("dataset_list", "GET /Dataset", s.listDatasets, pages...),
		newRoute("dataset_create", "POST /Dataset", s.createDataset),
		newRoute("dataset_get", "GET /Dataset/{}", s.getDataset),
		newRoute("dataset_update", "PATCH /Dataset/{}", s.updateDataset),
		newRoute("dataset_delete", "DELETE /Dataset/{}", s.deleteDataset),
		newRoute("document_upload", "POST /Dataset/{}/document", s.upload),
		newRoute("document_list", "GET /Dataset/{}/document", s.listDocuments, append(pages, "keywords", "status")...),
		newRoute("document_update", "PATCH /Dataset/{}/document/{}", s.updateDocument),
		newRoute("document_delete", "DELETE /Dataset/{}/document/{}", s.deleteDocument),
		newRoute("document_download", "GET /Dataset/{}/document/{}/download", s.download),
		newRoute("document_parse", "POST /Dataset/{}/document/parse", s.parse),
		newRoute("document_stop", "POST /Dataset/{}/document/stop-parsing", s.stop),
		newRoute("graph_enable", "POST /Dataset/{}/knowledge-graph/enable", s.enableGraph),
		newRoute("graph_build", "POST /Dataset/{}/knowledge-graph/build", s.buildGraph),
		newRoute("graph_status", "GET /Dataset/{}/knowledge-graph/status", s.graphStatus),
		newRoute("graph_get", "GET /Dataset/{}/knowledge-graph", s.getGraph),
		newRoute("graph_delete", "DELETE /Dataset/{}/knowledge-graph", s.deleteGraph),
		newRoute("chat_list", "GET /KnowledgeBaseChat", s.listChats, pages...),
		newRoute("chat_create", "POST /KnowledgeBaseChat", s.createChat),
		newRoute("chat_get", "GET /KnowledgeBaseChat/{}", s.getChat),
		newRoute("chat_update", "PATCH /KnowledgeBaseChat/{}", s.updateChat),
		newRoute("chat_delete", "DELETE /KnowledgeBaseChat/{}", s.deleteChat),
		newRoute("agent_chat_put", "PUT /Agent/{}/chat", s.connectAgent),
		newRoute("agent_chat_get", "GET /Agent/{}/chat", s.agentChat),
		newRoute("agent_chat_delete", "DELETE /Agent/{}/chat", s.detachAgent),
		newRoute("agent_prompt_get", "GET /Agent/{}/prompt", s.getPrompt),
		newRoute("agent_prompt_put", "PUT /Agent/{}/prompt", s.putPrompt),
	}
}

// ServeHTTP answers one request of the API, or of the inspection under /_sim/.
func (s *Starleads) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.route(w, r, s.inspect, s.routes, s.dispatch) //nolint:contextcheck // the request carries the context
}

func (s *Starleads) dispatch(c *call, m match) answer {
	c.checkAgent()
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
