package simulator

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

func (s *Converse) converseRoutes() routes {
	const docs, agents = "/api/v1/knowledge", "/api/v1/agents"
	paging := []string{"mode"}
	switch s.opts.Paging {
	case ConverseNext, ConversePages:
		paging = append(paging, "page")
	case ConverseCursor:
		paging = append(paging, "cursor")
	}
	return routes{
		newRoute("knowledge_list", "GET "+docs, s.listDocuments, paging...),
		newRoute("knowledge_upload", "POST "+docs+"/upload", s.upload, "mode"),
		newRoute("knowledge_ingest_url", "POST "+docs+"/ingest-url", s.ingestURL, "mode"),
		newRoute("knowledge_ingest_text", "POST "+docs+"/ingest-text", s.ingestText, "mode"),
		newRoute("knowledge_query", "POST "+docs+"/query", s.query, "mode"),
		newRoute("knowledge_reindex", "POST "+docs+"/{}/reindex", s.reindex, "mode"),
		newRoute("knowledge_delete", "DELETE "+docs+"/{}", s.deleteDocument, "mode"),
		newRoute("knowledge_chunks", "GET "+docs+"/{}/chunks", s.listChunks, "mode"),
		newRoute("agent_knowledge", "GET "+docs+"/agent/{}", s.listAssigned, paging...),
		newRoute("agent_assign", "POST "+docs+"/agent/{}/assign/{}", s.assign, "mode"),
		newRoute("agent_unassign", "DELETE "+docs+"/agent/{}/assign/{}", s.unassign, "mode"),
		newRoute("agent_list", "GET "+agents, s.listAgents, paging...),
		newRoute("agent_get", "GET "+agents+"/{}", s.getAgent, "mode"),
		newRoute("agent_create", "POST "+agents, s.changeAgent, "mode"),
		newRoute("agent_update", "PUT "+agents+"/{}", s.changeAgent, "mode"),
		newRoute("agent_delete", "DELETE "+agents+"/{}", s.changeAgent, "mode"),
	}
}

// ServeHTTP answers one request of the API, or of the inspection under /_sim/.
func (s *Converse) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.route(w, r, s.inspect, s.routes, s.dispatch) //nolint:contextcheck // the request carries the context
}

func (s *Converse) dispatch(c *call, m match) answer {
	c.checkAgent()
	key, bearer := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	if !bearer || s.opts.Key == "" || subtle.ConstantTimeCompare([]byte(key), []byte(s.opts.Key)) != 1 {
		return converseProblem(http.StatusUnauthorized, "Invalid or missing API key")
	}
	if m.route.handle == nil {
		c.violate("no such route")
		if len(m.allow) > 0 {
			return converseProblem(http.StatusMethodNotAllowed, "Method Not Allowed")
		}
		return converseProblem(http.StatusNotFound, "Not Found")
	}
	c.checkQuery(m.route.query)
	for _, mode := range c.r.URL.Query()["mode"] {
		if mode != "test" {
			return s.invalid(c, "mode", "mode can only be test")
		}
	}
	if s.opts.MockTest && testMode(c) {
		return s.mock(c)
	}
	return m.route.handle(c)
}

func testMode(c *call) bool { return c.r.URL.Query().Get("mode") == "test" }

// world is the state that a request is about. The lock must be held.
func (s *Converse) world(c *call) *converseWorld {
	if testMode(c) {
		return &s.test
	}
	return &s.live
}

// converseProblem is an error answer.
func converseProblem(status int, text string) answer {
	return jsonAnswer(status, map[string]string{"detail": text})
}

// bad is the refusal of input that no careful client sends, which is a violation too.
func (s *Converse) bad(c *call, format string, args ...any) answer {
	text := fmt.Sprintf(format, args...)
	c.violate("%s", text)
	return converseProblem(http.StatusBadRequest, text)
}

// invalid is the refusal of a request with a field that is missing or has the wrong type. It is a violation.
func (s *Converse) invalid(c *call, field, text string) answer {
	c.violate("%s", text)
	return s.unprocessable(field, text)
}

func (s *Converse) unprocessable(field, text string) answer {
	if !s.opts.DetailList {
		return converseProblem(http.StatusUnprocessableEntity, text)
	}
	return jsonAnswer(http.StatusUnprocessableEntity, map[string]any{"detail": []any{
		map[string]any{"loc": []string{"body", field}, "msg": text, "type": "value_error"},
	}})
}

// done is the answer to a deletion.
func (s *Converse) done(text string) answer {
	if s.opts.EmptyDelete {
		return noContent()
	}
	return jsonAnswer(http.StatusOK, map[string]string{"message": text})
}

// wireID is an id as it is written in JSON.
func (s *Converse) wireID(id string) any {
	if s.opts.NumericIDs {
		return json.Number(id)
	}
	return id
}

// listAnswer is one page of a list of n items. Where the shape says that documents are listed, field is the word for
// other things.
func (s *Converse) listAnswer(c *call, field string, n int, item func(i int) any) answer {
	size := s.opts.PageSize
	if size == 0 {
		size = max(n, 1)
	}
	from, ok := s.offset(c, size)
	if !ok {
		return s.invalid(c, "query", "the page or cursor is not valid")
	}
	from = min(from, n)
	to := min(from+size, n)
	items := []any{}
	for i := from; i < to; i++ {
		items = append(items, item(i))
	}
	var body any = items
	shape := s.opts.ListShape
	switch {
	case shape == "" && s.opts.Paging == ConverseOnePage:
		return jsonAnswer(http.StatusOK, body)
	case shape == "":
		shape = "items"
	case field != "" && (shape == "documents" || shape == "knowledge"):
		shape = field
	}
	names := strings.Split(shape, ".")
	for i := len(names) - 1; i > 0; i-- {
		body = map[string]any{names[i]: body}
	}
	out := map[string]any{names[0]: body}
	switch s.opts.Paging {
	case ConverseNext:
		out["next"] = nil
		if to < n {
			out["next"] = nextAddress(c.r, to/size+1)
		}
	case ConverseCursor:
		out["next_cursor"] = nil
		if to < n {
			out["next_cursor"] = "cursor/" + strconv.Itoa(to)
		}
	case ConversePages:
		out["page"], out["total_pages"] = from/size+1, max((n+size-1)/size, 1)
	}
	return jsonAnswer(http.StatusOK, out)
}

// offset is the index of the first item that a request for a page asks for.
func (s *Converse) offset(c *call, size int) (from int, ok bool) {
	q := c.r.URL.Query()
	switch {
	case s.opts.Paging == ConverseCursor && q.Has("cursor"):
		n, err := strconv.Atoi(strings.TrimPrefix(q.Get("cursor"), "cursor/"))
		return n, err == nil && n >= 0
	case s.opts.Paging == ConverseNext && q.Has("page"), s.opts.Paging == ConversePages && q.Has("page"):
		n, err := strconv.ParseInt(q.Get("page"), 10, 32)
		return int(n-1) * size, err == nil && n >= 1
	}
	return 0, true
}

func nextAddress(r *http.Request, page int) string {
	q := r.URL.Query()
	q.Set("page", strconv.Itoa(page))
	next := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawQuery: q.Encode()}
	if r.TLS != nil {
		next.Scheme = "https"
	}
	return next.String()
}

// mock is the answer to any request of the test mode of a vendor whose test mode keeps nothing.
func (s *Converse) mock(c *call) answer {
	one := func(v any) func(int) any { return func(int) any { return v } }
	doc := map[string]any{s.opts.IDField: "mock_document", s.opts.NameField: "Mock document"}
	agent := map[string]any{"id": "mock_agent", "name": "Mock agent"}
	switch c.route {
	case "knowledge_list", "agent_knowledge":
		return s.listAnswer(c, "", 1, one(doc))
	case "knowledge_upload", "knowledge_ingest_url", "knowledge_ingest_text":
		return s.createdAnswer(doc)
	case "knowledge_chunks":
		return s.listAnswer(c, "chunks", 1, one(map[string]any{"id": "mock_chunk", "content": "Mock chunk"}))
	case "agent_list":
		return s.listAnswer(c, "agents", 1, one(agent))
	case "agent_get":
		return jsonAnswer(http.StatusOK, agent)
	}
	return jsonAnswer(http.StatusOK, map[string]string{"message": "mock"})
}
