package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"
)

// parserConfig is how a dataset or document is split into chunks.
type parserConfig struct {
	ChunkTokenNum   int    `json:"chunkTokenNum"`
	LayoutRecognize bool   `json:"layoutRecognize"`
	Delimiter       string `json:"delimiter"`
	TaskPageSize    int    `json:"taskPageSize"`
}

func defaultParser() parserConfig {
	return parserConfig{ChunkTokenNum: 512, LayoutRecognize: true, Delimiter: "\n", TaskPageSize: 12}
}

// wireDataset is a dataset as the API shows it.
type wireDataset struct {
	ID           any          `json:"id"`
	Name         string       `json:"name"`
	Description  *string      `json:"description"`
	ChunkMethod  string       `json:"chunkMethod"`
	ParserConfig parserConfig `json:"parserConfig"`
	CreatedAt    string       `json:"createdAt"`
}

func (s *Starleads) wireDataset(ds *dataset) wireDataset {
	return wireDataset{
		ID: s.wireID(ds.id), Name: ds.name, Description: ds.description, ChunkMethod: ds.method,
		ParserConfig: ds.parser, CreatedAt: wireTime(ds.created),
	}
}

func wireTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// datasetBody is the body of a creation or update; absent fields are nil.
type datasetBody struct {
	Name         *string         `json:"name"`
	Description  *string         `json:"description"`
	ChunkMethod  *string         `json:"chunkMethod"`
	ParserConfig json.RawMessage `json:"parserConfig"`
}

func (s *Starleads) listDatasets(c *call) answer {
	p, bad, ok := s.readPage(c)
	if !ok {
		return bad
	}
	s.lock()
	defer s.mu.Unlock()
	from, to := p.cut(len(s.datasets))
	var items []wireDataset
	for _, ds := range s.datasets[from:to] {
		items = append(items, s.wireDataset(ds))
	}
	return listAnswer(s, p, len(s.datasets), items)
}

func (s *Starleads) createDataset(c *call) answer {
	var body datasetBody
	if bad, ok := s.readJSON(c, &body, false); !ok {
		return bad
	}
	if body.Name == nil {
		return invalid("name", "The name field is required.")
	}
	draft := dataset{method: "naive", parser: defaultParser()}
	if bad, ok := draft.apply(c, body); !ok {
		return bad
	}
	s.lock()
	defer s.mu.Unlock()
	ds := s.addDataset(draft.name)
	ds.description, ds.method, ds.parser = draft.description, draft.method, draft.parser
	return jsonAnswer(http.StatusCreated, s.wireDataset(ds))
}

func (s *Starleads) getDataset(c *call) answer {
	s.lock()
	defer s.mu.Unlock()
	ds := s.findDataset(c.args[0])
	if ds == nil {
		return s.unknown("dataset", c.args[0])
	}
	return jsonAnswer(http.StatusOK, s.wireDataset(ds))
}

func (s *Starleads) updateDataset(c *call) answer {
	var body datasetBody
	if bad, ok := s.readJSON(c, &body, false); !ok {
		return bad
	}
	s.lock()
	defer s.mu.Unlock()
	ds := s.findDataset(c.args[0])
	if ds == nil {
		return s.unknown("dataset", c.args[0])
	}
	draft := dataset{name: ds.name, description: ds.description, method: ds.method, parser: ds.parser}
	if bad, ok := draft.apply(c, body); !ok {
		return bad
	}
	for _, other := range s.datasets {
		if other != ds && other.name == draft.name {
			return problem(http.StatusBadRequest, "Dataset name '%s' already exists", draft.name)
		}
	}
	ds.name, ds.description, ds.method, ds.parser = draft.name, draft.description, draft.method, draft.parser
	return jsonAnswer(http.StatusOK, s.wireDataset(ds))
}

// apply sets the fields of a body that are present.
func (ds *dataset) apply(c *call, body datasetBody) (bad answer, ok bool) {
	if body.Name != nil {
		if bad, ok := checkTitle(*body.Name); !ok {
			return bad, false
		}
		ds.name = *body.Name
	}
	if body.Description != nil {
		ds.description = body.Description
	}
	if body.ChunkMethod != nil {
		if !slices.Contains(chunkMethods, *body.ChunkMethod) {
			return invalid("chunkMethod", "'%s' is not a chunk method.", *body.ChunkMethod), false
		}
		ds.method = *body.ChunkMethod
	}
	return ds.parser.merge(c, body.ParserConfig)
}

// merge sets the fields of a JSON object that are present.
func (p *parserConfig) merge(c *call, raw json.RawMessage) (bad answer, ok bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return answer{}, true
	}
	merged := *p
	if err := c.decode(raw, &merged); err != nil {
		return invalid("parserConfig", "The JSON value could not be read: %v", err), false
	}
	switch {
	case merged.ChunkTokenNum < 1 || merged.ChunkTokenNum > 2048:
		return invalid("parserConfig.chunkTokenNum", "The value must be between 1 and 2048."), false
	case merged.Delimiter == "":
		return invalid("parserConfig.delimiter", "The value must not be empty."), false
	case merged.TaskPageSize < 1:
		return invalid("parserConfig.taskPageSize", "The value must be at least 1."), false
	}
	*p = merged
	return answer{}, true
}

// checkTitle checks the name of a dataset or chat.
func checkTitle(name string) (bad answer, ok bool) {
	if n := utf8.RuneCountInString(name); n < 1 || n > maxNameChars {
		return invalid("name", "The name must have between 1 and %d characters.", maxNameChars), false
	}
	return answer{}, true
}

func (s *Starleads) deleteDataset(c *call) answer {
	c.violate("a dataset is deleted")
	s.lock()
	defer s.mu.Unlock()
	ds := s.findDataset(c.args[0])
	if ds == nil {
		return s.unknown("dataset", c.args[0])
	}
	for _, d := range slices.Clone(ds.docs) {
		s.removeDocument(d)
	}
	s.datasets = slices.DeleteFunc(s.datasets, func(other *dataset) bool { return other == ds })
	for _, ch := range s.chats {
		ch.datasets = slices.DeleteFunc(ch.datasets, func(id string) bool { return id == ds.id })
	}
	return success()
}
