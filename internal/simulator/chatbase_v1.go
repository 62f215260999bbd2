package simulator

import (
	"net/http"
	"slices"
	"time"
)

// Words for the status of a chatbot.
const (
	cbReady    = "ready"
	cbTraining = "training"
)

// cbBundle is the one text that v1 gives a chatbot.
type cbBundle struct {
	pending string // the newest
	live    string // what the chatbot answers from
	status  string // training, ready or failed
	updated time.Time
	job     *event
}

// ChatbaseBundle is a snapshot of what v1 gave a chatbot.
type ChatbaseBundle struct {
	Name    string
	Live    string // the text that the chatbot answers from
	Pending string // the newest text, which is Live once it was trained
	Status  string // training, ready or failed
}

// Bundle returns what v1 gave a chatbot; it is zero when there is no such chatbot.
func (s *Chatbase) Bundle(chatbot string) ChatbaseBundle {
	s.lock()
	defer s.mu.Unlock()
	a := s.byID[chatbot]
	if a == nil {
		return ChatbaseBundle{}
	}
	return ChatbaseBundle{Name: a.name, Live: a.bundle.live, Pending: a.bundle.pending, Status: a.bundle.status}
}

// v1Error is an error answer of v1, which has no codes.
func v1Error(status int, message string) answer {
	return jsonAnswer(status, map[string]string{"message": message})
}

// readV1 reads a body as v2 does, with the errors of v1.
func (s *Chatbase) readV1(c *call, dst any) (bad answer, ok bool) {
	if bad, ok := s.readJSON(c, dst); !ok {
		return v1Error(bad.status, "Invalid request body"), false
	}
	return answer{}, true
}

func (s *Chatbase) createChatbot(c *call) answer {
	var body struct {
		ChatbotName  string   `json:"chatbotName"`
		SourceText   *string  `json:"sourceText"`
		URLsToScrape []string `json:"urlsToScrape"`
	}
	if bad, ok := s.readV1(c, &body); !ok {
		return bad
	}
	if body.ChatbotName == "" {
		return v1Error(http.StatusBadRequest, "chatbotName is required")
	}
	if s.tooLong(body.SourceText) {
		return v1Error(http.StatusBadRequest, "The source text exceeds the character limit of the plan")
	}
	s.lock()
	defer s.mu.Unlock()
	a := s.addAgent(s.newID(), body.ChatbotName)
	s.replace(a, body.SourceText)
	return jsonAnswer(http.StatusOK, map[string]string{"chatbotId": a.id})
}

func (s *Chatbase) tooLong(text *string) bool {
	return text != nil && s.opts.V1MaxChars > 0 && chars(*text) > s.opts.V1MaxChars
}

// updateChatbot replaces a chatbot's text and its name. The name is required, and sending another renames the chatbot,
// which a careful client never does.
func (s *Chatbase) updateChatbot(c *call) answer {
	var body struct {
		ChatbotID   string  `json:"chatbotId"`
		ChatbotName string  `json:"chatbotName"`
		SourceText  *string `json:"sourceText"`
	}
	if bad, ok := s.readV1(c, &body); !ok {
		return bad
	}
	switch {
	case body.ChatbotID == "":
		c.violate("no chatbotId")
		return v1Error(http.StatusBadRequest, "chatbotId is required")
	case chars(body.ChatbotName) < cbMinChatbotName:
		c.violate("a chatbotName of less than %d characters", cbMinChatbotName)
		return v1Error(http.StatusBadRequest, "chatbotName must be at least 3 characters")
	case s.tooLong(body.SourceText):
		return v1Error(http.StatusBadRequest, "The source text exceeds the character limit of the plan")
	}
	s.lock()
	defer s.mu.Unlock()
	a := s.byID[body.ChatbotID]
	if a == nil {
		return v1Error(http.StatusNotFound, "Chatbot not found")
	}
	if a.name != body.ChatbotName {
		c.violate("the chatbot was renamed from %q to %q", a.name, body.ChatbotName)
		a.name = body.ChatbotName
	}
	s.replace(a, body.SourceText)
	return jsonAnswer(http.StatusOK, map[string]string{"chatbotId": a.id})
}

// replace gives a chatbot a new text and trains it; without one it trains what is there. The lock must be held.
func (s *Chatbase) replace(a *cbAgent, text *string) {
	b := &a.bundle
	if text != nil {
		b.pending = *text
	}
	b.job.cancel()
	b.status, b.updated = cbTraining, time.Now()
	hooks := s.hooks()
	if hooks.TrainStall != nil && hooks.TrainStall(a.name) {
		return
	}
	fails := hooks.TrainFail != nil && hooks.TrainFail(a.name)
	b.job = s.agenda.add(time.Now().Add(s.opts.TrainDelay), func() {
		if fails {
			b.status = cbFailed
			return
		}
		b.live, b.status, a.trained = b.pending, cbReady, time.Now()
	})
}

func (s *Chatbase) listChatbots(*call) answer {
	s.lock()
	defer s.mu.Unlock()
	id, name := "id", "name"
	if s.opts.ChatbotSpelling {
		id, name = "chatbotId", "chatbotName"
	}
	items := []map[string]any{}
	for _, a := range s.agents {
		updated := a.bundle.updated
		if updated.IsZero() {
			updated = a.created
		}
		items = append(items, map[string]any{
			id: a.id, name: a.name, "status": a.bundle.status, "model": "gpt-5-mini", "created_at": cbStamp(a.created),
			"updated_at": cbStamp(updated),
		})
	}
	return jsonAnswer(http.StatusOK, map[string]any{"chatbots": items})
}

// deleteChatbot deletes a chatbot with everything in it. No client that syncs has a reason to.
func (s *Chatbase) deleteChatbot(c *call) answer {
	c.violate("a chatbot was deleted")
	s.lock()
	defer s.mu.Unlock()
	a := s.byID[c.query["chatbotId"]]
	if a == nil {
		return v1Error(http.StatusNotFound, "Chatbot not found")
	}
	a.bundle.job.cancel()
	for _, src := range slices.Clone(a.sources) {
		src.remove()
	}
	delete(s.byID, a.id)
	s.agents = slices.DeleteFunc(s.agents, func(other *cbAgent) bool { return other == a })
	return jsonAnswer(http.StatusOK, map[string]string{"message": "Chatbot deleted successfully"})
}
