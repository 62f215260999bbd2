package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (s *Hamsa) unknownAgent() answer { return s.problem(http.StatusNotFound, "Voice agent not found") }

// wireAgent shows an agent as the version of the API does that the request is for: settings are flat in v1. The secrets
// in it are those of a real one. The lock must be held.
func (s *Hamsa) wireAgent(c *call, a *hamsaAgent) map[string]any {
	out := map[string]any{
		"id": a.id, "projectId": s.project, "agentName": "Agent " + a.id, "type": "Single Prompt", "lang": "en",
		"preamble": "You are helpful.", "greetingMessage": "Hello.",
		"llm":         map[string]any{"provider": "OpenAI", "model": "gpt-4.1", "apiKey": HamsaAgentKey},
		"webhookAuth": map[string]any{"authKey": "bearer", "authSecret": HamsaAgentSecret},
		"createdAt":   wireTime(a.created), "updatedAt": wireTime(a.updated),
	}
	if strings.HasPrefix(c.r.URL.Path, "/v1/") {
		out["agenticRag"] = true
	} else {
		out["callSettings"] = map[string]any{"agenticRag": true, "interrupt": true}
	}
	ids := append([]string{}, a.items...)
	switch {
	case s.opts.IDs == HamsaIDText:
		text, _ := json.Marshal(ids) // strings can always be marshalled
		out["knowledgeBaseItemsIds"] = string(text)
	case s.opts.IDs == HamsaIDNull && len(ids) == 0:
		out["knowledgeBaseItemsIds"] = nil
	case s.opts.IDs == HamsaIDMissing && len(ids) == 0:
	default:
		out["knowledgeBaseItemsIds"] = ids
	}
	return out
}

func (s *Hamsa) listAgents(c *call) answer {
	q := c.r.URL.Query()
	p, err := s.readPage(q.Get)
	if err != nil {
		return s.bad(c, "%v", err)
	}
	if field, order := q.Get("sortField"), q.Get("sortOrder"); field != "" && field != "createdAt" ||
		order != "" && order != "asc" && order != "desc" {
		return s.bad(c, "agents are sorted by createdAt, asc or desc")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	agents := slices.Clone(s.agents)
	if types := several(q, "type"); len(types) > 0 && !slices.Contains(types, "Single Prompt") {
		agents = nil
	}
	if languages := several(q, "language"); len(languages) > 0 && !slices.Contains(languages, "en") {
		agents = nil
	}
	agents = slices.DeleteFunc(agents, func(a *hamsaAgent) bool {
		return !strings.Contains(strings.ToLower("Agent "+a.id), strings.ToLower(q.Get("search")))
	})
	if q.Get("sortOrder") != "asc" {
		slices.Reverse(agents)
	}
	from, to := p.cut(len(agents), 0)
	shown := []any{}
	for _, a := range agents[from:to] {
		shown = append(shown, s.wireAgent(c, a))
	}
	return s.success(http.StatusOK, "", map[string]any{
		"total": len(s.agents), "filtered": len(agents), "voiceAgents": shown,
	})
}

func (s *Hamsa) getAgent(c *call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.agent(c.args[0])
	if a == nil {
		return s.unknownAgent()
	}
	return s.success(http.StatusOK, "", s.wireAgent(c, a))
}

// updateAgent replaces an agent's list of items. Every other field of an agent is somebody else's to change, so a request
// that names one is refused.
func (s *Hamsa) updateAgent(c *call) answer {
	var body struct {
		KnowledgeBaseItemsIDs *[]string `json:"knowledgeBaseItemsIds"`
	}
	if reason, ok := c.strictJSON(&body); !ok {
		return s.problem(http.StatusBadRequest, reason)
	}
	if body.KnowledgeBaseItemsIDs == nil {
		return s.bad(c, "knowledgeBaseItemsIds is required: a list of ids")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.agent(c.args[0])
	if a == nil {
		return s.unknownAgent()
	}
	if bad, ok := s.checkIDs(c, a, *body.KnowledgeBaseItemsIDs); !ok {
		return bad
	}
	a.set(slices.Clone(*body.KnowledgeBaseItemsIDs))
	a.updated = time.Now()
	return s.success(http.StatusOK, "VoiceAgentUpdatedSuccessfully", s.wireAgent(c, a))
}

// checkIDs refuses an agent's new list when it names what does not exist, and records what does harm: foreign ids that get
// lost, and a document taken away while what comes instead is not processed. The lock must be held.
func (s *Hamsa) checkIDs(c *call, a *hamsaAgent, ids []string) (bad answer, ok bool) {
	wanted, unfinished := make(map[string]bool, len(ids)), ""
	for _, id := range ids {
		it := s.byID[id]
		switch {
		case wanted[id]:
			return s.bad(c, "the id %s comes twice", id), false
		case a.has[id]: // even one of an item that is gone
		case it == nil:
			return s.bad(c, "there is no item with the id %s", id), false
		case it.status(time.Now()) != StatusDone:
			unfinished = id
		}
		wanted[id] = true
	}
	dropped := false
	for _, id := range a.items {
		if wanted[id] {
			continue
		}
		dropped = true
		if it := s.byID[id]; it == nil || it.foreign {
			c.violate("the agent loses the foreign id %s", id)
		}
	}
	if dropped && unfinished != "" {
		c.violate("the agent loses items for %s, which is not processed", unfinished)
	}
	return answer{}, true
}
