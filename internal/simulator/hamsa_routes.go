package simulator

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Statuses that the item list can be filtered by, as documented.
var hamsaStatuses = []string{
	hamsaProcessed, hamsaPartial, "FAILED", "UPLOAD_FAILURE", "READING_FAILURE", "INGESTION_FAILURE",
}

func (s *Hamsa) hamsaRoutes() routes {
	const items, agents1, agents2 = "/v1/voice-agents/knowledge-base", "/v1/voice-agents", "/v2/voice-agents"
	paging := []string{"skip", "take", "search", "sortField", "sortOrder", "type", "type[]"}
	itemQuery := append(slices.Clone(paging), "voiceAgentId", "isActive", "used", "status", "status[]", "extensions",
		"extensions[]")
	agentQuery := append(slices.Clone(paging), "language", "language[]")
	return routes{
		newRoute("project_get", "GET /v1/projects/by-api-key", s.getProject),
		newRoute("item_list", "GET "+items+"/list", s.listItems, itemQuery...),
		newRoute("item_get", "GET "+items+"/{}", s.getItem),
		newRoute("item_create", "POST "+items, s.createItems),
		newRoute("item_toggle", "POST "+items+"/toggle-activation", s.toggleItem),
		newRoute("item_update", "PATCH "+items+"/{}", s.renameItem),
		newRoute("item_delete", "DELETE "+items+"/{}", s.deleteItem),
		newRoute("item_url_delete", "DELETE "+items+"/{}/url", s.deleteURL),
		newRoute("agent_list", "GET "+agents2, s.listAgents, agentQuery...),
		newRoute("agent_get", "GET "+agents2+"/{}", s.getAgent),
		newRoute("agent_update", "PATCH "+agents2+"/{}", s.updateAgent),
		newRoute("agent_list_v1", "GET "+agents1, s.listAgents, agentQuery...),
		newRoute("agent_get_v1", "GET "+agents1+"/{}", s.getAgent),
		newRoute("agent_update_v1", "PATCH "+agents1+"/{}", s.updateAgent),
	}
}

// ServeHTTP answers one request of the API, or of the inspection under /_sim/.
func (s *Hamsa) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.route(w, r, s.inspect, s.routes, s.dispatch) //nolint:contextcheck // the request carries the context
}

func (s *Hamsa) dispatch(c *call, m match) answer {
	c.checkAgent()
	word, key, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	if word != "Token" && key != "" {
		c.violate("the word %q instead of Token before the key", word)
	}
	if word != "Token" || s.opts.Key == "" || subtle.ConstantTimeCompare([]byte(key), []byte(s.opts.Key)) != 1 {
		return s.problem(http.StatusUnauthorized, "Unauthorized")
	}
	if m.route.handle == nil {
		c.violate("no such route")
		return s.noSuchRoute(c)
	}
	c.checkQuery(m.route.query)
	return m.route.handle(c)
}

func (s *Hamsa) noSuchRoute(c *call) answer {
	return s.problem(http.StatusNotFound, "Cannot "+c.r.Method+" "+c.r.URL.Path)
}

// success is a good answer. Data may be nil.
func (s *Hamsa) success(status int, key string, data any) answer {
	return jsonAnswer(status, struct {
		Success    bool   `json:"success"`
		Message    string `json:"message"`
		MessageKey string `json:"messageKey,omitempty"`
		Data       any    `json:"data,omitempty"`
	}{!s.opts.SuccessFalse, "The request was successful", key, data})
}

// problem is an error in one of the two forms that the vendor may use.
func (s *Hamsa) problem(status int, text string) answer {
	word := http.StatusText(status)
	if !s.opts.NestErrors {
		return jsonAnswer(status, struct {
			Success    bool   `json:"success"`
			Message    string `json:"message"`
			MessageKey string `json:"messageKey"`
		}{false, text, strings.ReplaceAll(word, " ", "")})
	}
	var message any = text
	if status == http.StatusBadRequest {
		message = []string{text}
	}
	return jsonAnswer(status, struct {
		StatusCode int    `json:"statusCode"`
		Message    any    `json:"message"`
		Error      string `json:"error"`
	}{status, message, word})
}

// bad is the refusal of a request that breaks the documentation, which is a violation too.
func (s *Hamsa) bad(c *call, format string, args ...any) answer {
	text := fmt.Sprintf(format, args...)
	c.violate("%s", text)
	return s.problem(http.StatusBadRequest, text)
}

func (s *Hamsa) getProject(c *call) answer {
	if s.opts.NoProject {
		return s.noSuchRoute(c)
	}
	return s.success(http.StatusOK, "", map[string]string{"id": s.project, "name": "Simulated project"})
}

// hamsaPage is the part of a list that a request asks for: skip is the number of a page.
type hamsaPage struct{ skip, take int }

// cut returns the bounds of the page in a list of n items, all of it moved by shift items.
func (p hamsaPage) cut(n, shift int) (from, to int) {
	return min(max((p.skip-1)*p.take+shift, 0), n), min(p.skip*p.take+shift, n)
}

func (s *Hamsa) readPage(get func(string) string) (p hamsaPage, err error) {
	p = hamsaPage{skip: 1, take: 10}
	for name, dst := range map[string]*int{"skip": &p.skip, "take": &p.take} {
		text := get(name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 1 {
			return p, fmt.Errorf("%s=%s is not a number from 1", name, text)
		}
		*dst = int(n)
	}
	if s.opts.MaxTake > 0 {
		p.take = min(p.take, s.opts.MaxTake)
	}
	if s.opts.IgnorePaging {
		p.skip = 1
	}
	return p, nil
}
