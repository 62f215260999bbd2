package simulator

import (
	"net/http"
	"time"
)

// wireCBAgent is an agent as v2 shows it, with the fields that concern its knowledge.
type wireCBAgent struct {
	ID            string  `json:"id"`
	Name          string  `json:"name"`
	Model         string  `json:"model"`
	Visibility    string  `json:"visibility"`
	AutoRetrain   bool    `json:"autoRetrain"`
	Status        string  `json:"status,omitempty"`
	LastTrainedAt *string `json:"lastTrainedAt"`
	CreatedAt     string  `json:"createdAt"`
	Size          int64   `json:"size"`
}

// wireAgent shows an agent; generation A has no status. The lock must be held.
func (s *Chatbase) wireAgent(a *cbAgent) wireCBAgent {
	out := wireCBAgent{
		ID: a.id, Name: a.name, Model: "gpt-5-mini", Visibility: "private", AutoRetrain: a.autoRetrain,
		CreatedAt: cbStamp(a.created), Size: a.size(),
	}
	if s.opts.Generation != "A" {
		out.Status = s.agentStatus(a)
	}
	if !a.trained.IsZero() {
		at := cbStamp(a.trained)
		out.LastTrainedAt = &at
	}
	return out
}

func cbStamp(t time.Time) string { return t.UTC().Format(cbTime) }

func (s *Chatbase) listAgents(c *call) answer {
	s.lock()
	defer s.mu.Unlock()
	return cbPageOf(c, "agents", s.agents, func(a *cbAgent) uint64 { return a.seq }, func(a *cbAgent) any { return s.wireAgent(a) })
}

func (s *Chatbase) getAgent(c *call) answer {
	s.lock()
	defer s.mu.Unlock()
	a := s.byID[c.args[0]]
	if a == nil {
		return cbNoAgent()
	}
	return jsonAnswer(http.StatusOK, s.wireAgent(a))
}

// cbTotal counts the sources of one kind.
type cbTotal struct {
	Count int   `json:"count"`
	Size  int64 `json:"size"`
}

func (s *Chatbase) summary(c *call) answer {
	s.lock()
	defer s.mu.Unlock()
	a := s.byID[c.args[0]]
	if a == nil {
		return cbNoAgent()
	}
	totals := map[string]*cbTotal{
		"link": {}, "file": {}, "qna": {}, "notionPage": {}, "text": {}, "zendesk": {}, "salesforce": {},
	}
	var retrain bool
	for _, src := range a.sources {
		totals[src.kind].Count++
		totals[src.kind].Size += src.size
		retrain = retrain || src.pending() || src.status == cbToBeDeleted
	}
	return jsonAnswer(http.StatusOK, map[string]any{
		"links": totals["link"], "files": totals["file"], "qnas": totals["qna"], "notionPages": totals["notionPage"],
		"texts": totals["text"], "zendeskTickets": totals["zendesk"], "salesforceCases": totals["salesforce"],
		"shouldRetrain": retrain,
	})
}
