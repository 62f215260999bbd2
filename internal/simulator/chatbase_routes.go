package simulator

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

const cbTime = "2006-01-02T15:04:05.000Z"

func (s *Chatbase) chatbaseRoutes() routes {
	const sources = "/api/v2/agents/{}/sources"
	page := []string{"cursor", "limit"}
	rs := routes{
		newRoute("health", "GET /api/v2/health", func(*call) answer {
			return jsonAnswer(http.StatusOK, map[string]any{"status": "ok", "timestamp": time.Now().Unix()})
		}),
		newRoute("agent_list", "GET /api/v2/agents", s.listAgents, page...),
		newRoute("agent_get", "GET /api/v2/agents/{}", s.getAgent),
		newRoute("source_list", "GET "+sources, s.listSources, append(page, "type", "name")...),
		newRoute("summary", "GET "+sources+"/summary", s.summary),
		newRoute("source_get", "GET "+sources+"/{}", s.getSource),
		newRoute("source_create", "POST "+sources, s.createSource),
		newRoute("source_update", "PUT "+sources+"/{}", s.updateSource),
		newRoute("source_delete", "DELETE "+sources+"/{}", s.deleteSource),
		newRoute("source_restore", "POST "+sources+"/{}/restore", s.restoreSource),
		newRoute("auto_retrain", "PUT /api/v2/agents/{}/auto-retrain", s.autoRetrain),

		newRoute("file_create", "POST /files"+sources, s.createFile),
		newRoute("file_update", "PUT /files"+sources+"/{}", s.updateFile),

		newRoute("v1_create", "POST /api/v1/create-chatbot", s.createChatbot),
		newRoute("v1_update", "POST /api/v1/update-chatbot-data", s.updateChatbot),
		newRoute("v1_list", "GET /api/v1/get-chatbots", s.listChatbots),
		newRoute("v1_delete", "DELETE /api/v1/delete-chatbot", s.deleteChatbot, "chatbotId"),
	}
	if s.opts.Generation != "A" {
		rs = append(rs, newRoute("train", "POST /api/v2/agents/{}/train", s.train))
	}
	return rs
}

// ServeHTTP answers one request of the API, or of the inspection under /_sim/.
func (s *Chatbase) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.route(w, r, s.inspect, s.routes, s.dispatch) //nolint:contextcheck // the request carries the context
}

func (s *Chatbase) dispatch(c *call, m match) answer {
	c.checkAgent()
	if m.route.name == "health" {
		return m.route.handle(c)
	}
	if code := s.authorized(c.r); code != "" {
		text := "Invalid API key"
		if code == "AUTH_MISSING_API_KEY" {
			text = "Authentication required"
		}
		if isV1(c.r) {
			return v1Error(http.StatusUnauthorized, text)
		}
		return cbError(http.StatusUnauthorized, code, text)
	}
	if m.route.handle == nil {
		return s.noRoute(c, m)
	}
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return cbInvalid("query", "malformed")
	}
	c.query = make(map[string]string, len(values))
	for name, vs := range values {
		if !slices.Contains(m.route.query, name) {
			c.violate("unknown query parameter %q", name)
			continue
		}
		c.query[name] = vs[0]
	}
	return m.route.handle(c)
}

// authorized returns the code of what is wrong with a request's key, or nothing.
func (s *Chatbase) authorized(r *http.Request) (code string) {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !ok || key == "":
		return "AUTH_MISSING_API_KEY"
	case s.opts.Key == "" || subtle.ConstantTimeCompare([]byte(key), []byte(s.opts.Key)) != 1:
		return "AUTH_INVALID_API_KEY"
	}
	return ""
}

func (s *Chatbase) noRoute(c *call, m match) answer {
	path := c.r.URL.EscapedPath()
	switch {
	case s.opts.Generation == "A" && strings.HasSuffix(path, "/train"): // a client cannot know
	case c.r.Method == http.MethodDelete && (strings.Contains(path, "//") || strings.HasSuffix(path, "/") || strings.HasSuffix(path, "/sources")):
		c.violate("delete with an empty id")
	default:
		c.violate("no such route")
	}
	if isV1(c.r) {
		return v1Error(http.StatusNotFound, "Not found")
	}
	if len(m.allow) > 0 {
		a := cbError(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "Method not allowed")
		a.header.Set("Allow", strings.Join(m.allow, ", "))
		return a
	}
	return cbError(http.StatusNotFound, "NOT_FOUND", "Not found")
}

// cbError is an error answer of v2; details are pairs of a field and what is wrong with it.
func cbError(status int, code, message string, details ...string) answer {
	type body struct {
		Code    string            `json:"code"`
		Message string            `json:"message"`
		Details map[string]string `json:"details,omitempty"`
	}
	b := body{Code: code, Message: message}
	for i := 0; i < len(details); i += 2 {
		if b.Details == nil {
			b.Details = map[string]string{}
		}
		b.Details[details[i]] = details[i+1]
	}
	return jsonAnswer(status, map[string]body{"error": b})
}

// cbRefuse is the error answer that goes with a status; the vendor's words take the place of the text where they are known.
func cbRefuse(status int, text string) answer {
	switch status {
	case http.StatusUnauthorized:
		return cbError(status, "AUTH_INVALID_API_KEY", "Invalid API key")
	case http.StatusForbidden:
		return cbError(status, "AUTH_INSUFFICIENT_PERMISSIONS", "Insufficient permissions")
	case http.StatusTooManyRequests:
		return cbError(status, "RATE_LIMIT_TOO_MANY_REQUESTS", "Too many requests, please try again later")
	case http.StatusServiceUnavailable:
		return cbError(status, "SERVICE_UNDER_MAINTENANCE",
			"The API is temporarily unavailable for scheduled maintenance, please try again later")
	case http.StatusInternalServerError:
		return cbError(status, "INTERNAL_SERVER_ERROR", "Something went wrong, please try again")
	}
	return cbError(status, strings.ToUpper(strings.ReplaceAll(http.StatusText(status), " ", "_")), text)
}

// cbInvalid is the answer to a body with a bad field.
func cbInvalid(field, text string) answer {
	return cbError(http.StatusBadRequest, "VALIDATION_INVALID_BODY", "Invalid request", field, text)
}

func cbNoAgent() answer { return cbError(http.StatusNotFound, "AGENT_NOT_FOUND", "Agent not found") }

func cbNoSource() answer { return cbError(http.StatusNotFound, "SOURCE_NOT_FOUND", "Source not found") }

func cbTooLarge() answer {
	return cbError(http.StatusUnprocessableEntity, "SOURCE_SIZE_LIMIT_EXCEEDED", "The agent's storage limit is exceeded")
}

// readBody reads the body of a JSON request. The vendor reads it whatever its type; another type is a breach.
func (s *Chatbase) readBody(c *call) (body []byte, bad answer, ok bool) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, c.r.Body, cbMaxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		c.violate("a body above %d bytes", cbMaxBody)
		return nil, cbError(http.StatusRequestEntityTooLarge, "FUNCTION_PAYLOAD_TOO_LARGE", "Request entity too large"), false
	}
	if err != nil {
		return nil, cbError(http.StatusBadRequest, "VALIDATION_INVALID_JSON", "Invalid JSON"), false
	}
	if media, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		c.violate("Content-Type %q instead of application/json", c.r.Header.Get("Content-Type"))
	}
	if !utf8.Valid(body) {
		c.violate("a body that is not UTF-8")
	}
	if !json.Valid(body) {
		c.violate("malformed JSON")
		return nil, cbError(http.StatusBadRequest, "VALIDATION_INVALID_JSON", "Invalid JSON"), false
	}
	return body, answer{}, true
}

// readJSON reads a JSON body into dst, which must be a pointer to a struct. Unknown fields are recorded.
func (s *Chatbase) readJSON(c *call, dst any) (bad answer, ok bool) {
	body, bad, ok := s.readBody(c)
	if !ok {
		return bad, false
	}
	return s.decodeInto(c, body, dst)
}

func (s *Chatbase) decodeInto(c *call, body []byte, dst any) (bad answer, ok bool) {
	err := c.decode(body, dst)
	if wrong, isType := errors.AsType[*json.UnmarshalTypeError](err); isType {
		field := wrong.Field[strings.LastIndexByte(wrong.Field, '.')+1:]
		return cbInvalid(field, "Expected another type, received "+wrong.Value), false
	}
	if err != nil {
		return cbInvalid("body", err.Error()), false
	}
	return answer{}, true
}

// chars counts as the vendor's JavaScript does: a character beyond the basic plane counts as two.
func chars(text string) (n int) {
	for _, r := range text {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// cbCursor is where the next page of a list starts. It is good for one query only.
type cbCursor struct {
	After uint64 `json:"a"`
	Query string `json:"q"`
}

// cbPageOf answers one page of the items, which are sorted by what seq gives. The query tells lists apart.
func cbPageOf[T any](c *call, query string, items []T, seq func(T) uint64, show func(T) any) answer {
	limit := cbPage
	if text, given := c.query["limit"]; given {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > cbMaxPage {
			c.violate("limit %q", text)
			return cbBadQuery("limit", "Must be a number from 1 to 100")
		}
		limit = n
	}
	from := 0
	if text, given := c.query["cursor"]; given {
		var cur cbCursor
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || json.Unmarshal(raw, &cur) != nil || cur.Query != query {
			c.violate("a cursor that was not given for this query")
			return cbBadQuery("cursor", "Invalid cursor")
		}
		for from < len(items) && seq(items[from]) <= cur.After {
			from++
		}
	}
	to := min(from+limit, len(items))
	data := []any{}
	for _, it := range items[from:to] {
		data = append(data, show(it))
	}
	type pagination struct {
		Cursor  *string `json:"cursor"`
		HasMore bool    `json:"hasMore"`
		Total   int     `json:"total"`
	}
	p := pagination{HasMore: to < len(items), Total: len(items)}
	if p.HasMore {
		raw, _ := json.Marshal(cbCursor{After: seq(items[to-1]), Query: query})
		next := base64.RawURLEncoding.EncodeToString(raw)
		p.Cursor = &next
	}
	return jsonAnswer(http.StatusOK, map[string]any{"data": data, "pagination": p})
}

// cbBadQuery is the answer to a bad query parameter.
func cbBadQuery(field, text string) answer {
	return cbError(http.StatusBadRequest, "VALIDATION_INVALID_QUERY", "Invalid request", field, text)
}
