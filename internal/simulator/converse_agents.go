package simulator

import (
	"net/http"
	"slices"
)

func wireConverseAgent(a *converseAgent) map[string]any {
	return map[string]any{
		"id": a.id, "name": "Agent " + a.id, "system_prompt": "You are helpful.", "llm_model": "gpt-4.1", "language": "en",
		"greeting": "Hello.", "created_at": wireTime(a.created),
	}
}

func (s *Converse) listAgents(c *call) answer {
	s.lock()
	defer s.mu.Unlock()
	agents := s.world(c).agents
	return s.listAnswer(c, "agents", len(agents), func(i int) any { return wireConverseAgent(agents[i]) })
}

func (s *Converse) getAgent(c *call) answer {
	s.lock()
	defer s.mu.Unlock()
	a, bad, ok := s.findAgent(c)
	if !ok {
		return bad
	}
	return jsonAnswer(http.StatusOK, wireConverseAgent(a))
}

// changeAgent refuses what a client for knowledge must never do.
func (s *Converse) changeAgent(c *call) answer {
	return s.bad(c, "agents must be left as they are")
}

// findAgent returns the agent that a path names first. The lock must be held.
func (s *Converse) findAgent(c *call) (a *converseAgent, bad answer, ok bool) {
	if s.elsewhere[c.args[0]] {
		return nil, converseProblem(http.StatusForbidden, "The agent belongs to another organization"), false
	}
	if a = s.world(c).agent(c.args[0]); a == nil {
		return nil, converseProblem(http.StatusNotFound, "Agent not found"), false
	}
	return a, answer{}, true
}

// findBoth returns the agent and the document that a path names. The lock must be held.
func (s *Converse) findBoth(c *call) (a *converseAgent, d *converseDocument, bad answer, ok bool) {
	a, bad, ok = s.findAgent(c)
	if ok {
		d, bad, ok = s.find(c, c.args[1])
	}
	return a, d, bad, ok
}

func (s *Converse) listAssigned(c *call) answer {
	s.lock()
	defer s.mu.Unlock()
	a, bad, ok := s.findAgent(c)
	if !ok {
		return bad
	}
	docs := s.world(c).byID
	return s.listAnswer(c, "", len(a.docs), func(i int) any { return s.wireDocument(docs[a.docs[i]]) })
}

func (s *Converse) assign(c *call) answer {
	s.lock()
	defer s.mu.Unlock()
	a, d, bad, ok := s.findBoth(c)
	if !ok {
		return bad
	}
	if d.foreign {
		c.violate("a foreign document is assigned")
	}
	switch held := slices.Contains(a.docs, d.id); {
	case held && s.opts.StrictAssign:
		return converseProblem(http.StatusConflict, "The document is assigned to this agent already")
	case !held:
		a.docs = append(a.docs, d.id)
	}
	return jsonAnswer(http.StatusOK, map[string]string{"message": "Document assigned"})
}

func (s *Converse) unassign(c *call) answer {
	s.lock()
	defer s.mu.Unlock()
	a, d, bad, ok := s.findBoth(c)
	if !ok {
		return bad
	}
	if d.foreign {
		c.violate("a foreign document is unassigned")
	}
	if !slices.Contains(a.docs, d.id) {
		return converseProblem(http.StatusNotFound, "The document is not assigned to this agent")
	}
	a.drop(d.id)
	return s.done("Document unassigned")
}
