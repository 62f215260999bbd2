package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"
)

// chat is one knowledge-base chat.
type chat struct {
	id       string
	name     string
	datasets []string
	llm      llmSettings
	prompt   promptSettings
	created  time.Time
	updated  time.Time // zero until the first update
}

// agent is one voice agent, which may have a chat.
type agent struct {
	id     string
	chat   *chat
	prompt string
}

// llmSettings are the model settings of a chat.
type llmSettings struct {
	Temperature      float64 `json:"temperature"`
	TopP             float64 `json:"topP"`
	PresencePenalty  float64 `json:"presencePenalty"`
	FrequencyPenalty float64 `json:"frequencyPenalty"`
}

// promptSettings are the retrieval settings of a chat.
type promptSettings struct {
	SimilarityThreshold      float64 `json:"similarityThreshold"`
	KeywordsSimilarityWeight float64 `json:"keywordsSimilarityWeight"`
	TopN                     int     `json:"topN"`
	Prompt                   string  `json:"prompt"`
	Opener                   string  `json:"opener"`
	EmptyResponse            string  `json:"emptyResponse"`
	ShowQuote                bool    `json:"showQuote"`
	RerankModel              string  `json:"rerankModel"`
}

// wireChat is a chat as the API shows it.
type wireChat struct {
	ID                  any            `json:"id"`
	Name                string         `json:"name"`
	DatasetIDs          []any          `json:"datasetIds"`
	DatasetNames        []string       `json:"datasetNames"`
	ConnectedAgentCount int            `json:"connectedAgentCount"`
	LLMSettings         llmSettings    `json:"llmSettings"`
	PromptSettings      promptSettings `json:"promptSettings"`
	CreatedAt           string         `json:"createdAt"`
	UpdatedAt           *string        `json:"updatedAt"`
}

// chatBody is the body of a creation or update; absent fields are nil.
type chatBody struct {
	Name           *string         `json:"name"`
	DatasetIDs     *[]idValue      `json:"datasetIds"`
	LLMSettings    json.RawMessage `json:"llmSettings"`
	PromptSettings json.RawMessage `json:"promptSettings"`
}

func (s *Starleads) wireChat(ch *chat) wireChat {
	out := wireChat{
		ID: s.wireID(ch.id), Name: ch.name, DatasetIDs: []any{}, DatasetNames: []string{}, LLMSettings: ch.llm,
		PromptSettings: ch.prompt, CreatedAt: wireTime(ch.created),
	}
	for _, id := range ch.datasets {
		out.DatasetIDs = append(out.DatasetIDs, s.wireID(id))
		if ds := s.findDataset(id); ds != nil {
			out.DatasetNames = append(out.DatasetNames, ds.name)
		}
	}
	for _, a := range s.agents {
		if a.chat == ch {
			out.ConnectedAgentCount++
		}
	}
	if !ch.updated.IsZero() {
		updated := wireTime(ch.updated)
		out.UpdatedAt = &updated
	}
	return out
}

// newChat is a chat with the settings that the vendor chooses.
func newChat() chat {
	return chat{
		llm: llmSettings{Temperature: 0.1, TopP: 0.3, PresencePenalty: 0.4, FrequencyPenalty: 0.7},
		prompt: promptSettings{
			SimilarityThreshold: 0.2, KeywordsSimilarityWeight: 0.7, TopN: 6, ShowQuote: true,
			Prompt: "Answer from this knowledge: {context}",
		},
	}
}

// addChat stores a chat under a name that must be free. The lock must be held.
func (s *Starleads) addChat(name string) *chat {
	ch := newChat()
	ch.id, ch.name, ch.created = s.newID("chat"), name, time.Now()
	s.chats = append(s.chats, &ch)
	return &ch
}

// addAgent returns the agent, made when missing. The lock must be held.
func (s *Starleads) addAgent(id string) *agent {
	if s.agents[id] == nil {
		s.agents[id] = &agent{id: id}
	}
	return s.agents[id]
}

// findChat returns the chat with that id, or nil. The lock must be held.
func (s *Starleads) findChat(id string) *chat {
	return s.chatWhere(func(ch *chat) bool { return ch.id == id })
}

// chatNamed returns the chat of that name, or nil. The lock must be held.
func (s *Starleads) chatNamed(name string) *chat {
	return s.chatWhere(func(ch *chat) bool { return ch.name == name })
}

func (s *Starleads) chatWhere(fits func(*chat) bool) *chat {
	if i := slices.IndexFunc(s.chats, fits); i >= 0 {
		return s.chats[i]
	}
	return nil
}

func (s *Starleads) listChats(c *call) answer {
	p, bad, ok := s.readPage(c)
	if !ok {
		return bad
	}
	s.lock()
	defer s.mu.Unlock()
	from, to := p.cut(len(s.chats))
	var items []wireChat
	for _, ch := range s.chats[from:to] {
		items = append(items, s.wireChat(ch))
	}
	return listAnswer(s, p, len(s.chats), items)
}

func (s *Starleads) createChat(c *call) answer {
	var body chatBody
	if bad, ok := s.readJSON(c, &body, false); !ok {
		return bad
	}
	switch {
	case body.Name == nil:
		return invalid("name", "The name field is required.")
	case body.DatasetIDs == nil:
		return invalid("datasetIds", "The datasetIds field is required.")
	case len(*body.DatasetIDs) == 0:
		return invalid("datasetIds", "At least one dataset is required.")
	}
	s.lock()
	defer s.mu.Unlock()
	draft := newChat()
	if bad, ok := s.applyChat(c, &draft, nil, body); !ok {
		return bad
	}
	ch := s.addChat(draft.name)
	ch.datasets, ch.llm, ch.prompt = draft.datasets, draft.llm, draft.prompt
	return jsonAnswer(http.StatusCreated, s.wireChat(ch))
}

func (s *Starleads) updateChat(c *call) answer {
	var body chatBody
	if bad, ok := s.readJSON(c, &body, false); !ok {
		return bad
	}
	s.lock()
	defer s.mu.Unlock()
	ch := s.findChat(c.args[0])
	if ch == nil {
		return s.unknown("chat", c.args[0])
	}
	draft := *ch
	if bad, ok := s.applyChat(c, &draft, ch, body); !ok {
		return bad
	}
	draft.updated = time.Now()
	*ch = draft
	return jsonAnswer(http.StatusOK, s.wireChat(ch))
}

// applyChat sets the fields of a body that are present in a draft of the chat self, which is nil for a new one. The
// lock must be held.
func (s *Starleads) applyChat(c *call, draft, self *chat, body chatBody) (bad answer, ok bool) {
	if body.Name != nil {
		if bad, ok := checkTitle(*body.Name); !ok {
			return bad, false
		}
		if other := s.chatNamed(*body.Name); other != nil && other != self {
			return invalid("name", "Duplicated chat name."), false
		}
		draft.name = *body.Name
	}
	if body.DatasetIDs != nil {
		draft.datasets = nil
		for _, v := range *body.DatasetIDs {
			ids, bad, ok := s.readIDs(c, "datasetIds", []idValue{v})
			if !ok {
				return bad, false
			}
			if bad, ok := s.checkChatDataset(ids[0]); !ok {
				return bad, false
			}
			if !slices.Contains(draft.datasets, ids[0]) {
				draft.datasets = append(draft.datasets, ids[0])
			}
		}
	}
	for _, part := range []struct {
		field string
		raw   json.RawMessage
		dst   any
	}{{"llmSettings", body.LLMSettings, &draft.llm}, {"promptSettings", body.PromptSettings, &draft.prompt}} {
		if len(part.raw) == 0 || string(part.raw) == "null" {
			continue
		}
		if err := c.decode(part.raw, part.dst); err != nil {
			return invalid(part.field, "The JSON value could not be read: %v", err), false
		}
	}
	return answer{}, true
}

// checkChatDataset refuses a dataset that a chat cannot use. The lock must be held.
func (s *Starleads) checkChatDataset(id string) (bad answer, ok bool) {
	ds := s.findDataset(id)
	if ds == nil {
		return s.unknown("dataset", id), false
	}
	parsed := slices.ContainsFunc(ds.docs, func(d *document) bool { return d.status == StatusDone })
	if !parsed && !s.opts.AllowEmptyChat {
		return problem(http.StatusBadRequest, "The dataset %s doesn't own parsed file", id), false
	}
	return answer{}, true
}

func (s *Starleads) getChat(c *call) answer {
	s.lock()
	defer s.mu.Unlock()
	ch := s.findChat(c.args[0])
	if ch == nil {
		return s.unknown("chat", c.args[0])
	}
	return jsonAnswer(http.StatusOK, s.wireChat(ch))
}

func (s *Starleads) deleteChat(c *call) answer {
	s.lock()
	defer s.mu.Unlock()
	ch := s.findChat(c.args[0])
	if ch == nil {
		return s.unknown("chat", c.args[0])
	}
	s.chats = slices.DeleteFunc(s.chats, func(other *chat) bool { return other == ch })
	for _, a := range s.agents {
		if a.chat == ch {
			a.chat = nil
		}
	}
	return success()
}

func (s *Starleads) connectAgent(c *call) answer {
	var body struct {
		ChatID idValue `json:"chatId"`
	}
	if bad, ok := s.readJSON(c, &body, false); !ok {
		return bad
	}
	ids, bad, ok := s.readIDs(c, "chatId", []idValue{body.ChatID})
	if !ok {
		return bad
	}
	s.lock()
	defer s.mu.Unlock()
	a := s.agents[c.args[0]]
	if a == nil {
		return s.unknown("agent", c.args[0])
	}
	ch := s.findChat(ids[0])
	if ch == nil {
		return s.unknown("chat", ids[0])
	}
	a.chat = ch
	return jsonAnswer(http.StatusOK, map[string]any{
		"agentId": a.id, "chatId": s.wireID(ch.id), "chatName": ch.name,
	})
}

func (s *Starleads) agentChat(c *call) answer {
	s.lock()
	defer s.mu.Unlock()
	a := s.agents[c.args[0]]
	switch {
	case a == nil:
		return s.unknown("agent", c.args[0])
	case a.chat == nil:
		return noContent()
	}
	return jsonAnswer(http.StatusOK, s.wireChat(a.chat))
}

func (s *Starleads) detachAgent(c *call) answer {
	s.lock()
	defer s.mu.Unlock()
	a := s.agents[c.args[0]]
	if a == nil {
		return s.unknown("agent", c.args[0])
	}
	a.chat = nil
	return success()
}

func noContent() answer { return answer{status: http.StatusNoContent, header: http.Header{}} }

func (s *Starleads) getPrompt(c *call) answer {
	s.lock()
	defer s.mu.Unlock()
	a := s.agents[c.args[0]]
	if a == nil {
		return s.unknown("agent", c.args[0])
	}
	return promptAnswer(a)
}

func (s *Starleads) putPrompt(c *call) answer {
	c.violate("an agent's prompt is changed")
	var body struct {
		Prompt string `json:"prompt"`
	}
	if bad, ok := s.readJSON(c, &body, false); !ok {
		return bad
	}
	if n := utf8.RuneCountInString(body.Prompt); n < 1 || n > maxPrompt {
		return invalid("prompt", "The prompt must have between 1 and %d characters.", maxPrompt)
	}
	s.lock()
	defer s.mu.Unlock()
	a := s.agents[c.args[0]]
	if a == nil {
		return s.unknown("agent", c.args[0])
	}
	a.prompt = body.Prompt
	return promptAnswer(a)
}

func promptAnswer(a *agent) answer {
	return jsonAnswer(http.StatusOK, map[string]string{"agentId": a.id, "agentName": a.id, "prompt": a.prompt})
}
