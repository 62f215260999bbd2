package starleads

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	"kbsyncd/internal/contract"
	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// Config is a target of type starleads.
type Config struct {
	targets.Common `yaml:",inline"`

	Dataset        string         `yaml:"dataset" doc:"The dataset by its name; it is created when there is none."`
	DatasetID      string         `yaml:"dataset_id" doc:"The dataset by its id, in place of dataset."`
	Chat           string         `yaml:"chat" doc:"The knowledge base chat by its name; it is created when agents are given and there is none."`
	ChatID         string         `yaml:"chat_id" doc:"The knowledge base chat by its id, in place of chat."`
	ChunkMethod    string         `yaml:"chunk_method" doc:"How documents are cut, for example naive; default: what the dataset has."`
	ParserConfig   map[string]any `yaml:"parser_config" doc:"Settings of the parser, for example {chunkTokenNum: 512}; only the keys given are changed."`
	KnowledgeGraph KnowledgeGraph `yaml:"knowledge_graph" doc:"The knowledge graph of the dataset (Business plan only)."`
	OpenAPI        string         `yaml:"openapi" kind:"location" doc:"The address or file of the OpenAPI document that check --connect compares with what this program assumes, and that routes: auto follows."`
	TakeOver       bool           `yaml:"take_over" doc:"Connect agents to this chat even when they are connected to another one."`
}

// KnowledgeGraph is built once after each pass that changed something.
type KnowledgeGraph struct {
	Enabled     bool     `yaml:"enabled" doc:"Keep a knowledge graph built."`
	EntityTypes []string `yaml:"entity_types" doc:"The kinds of things in the graph; default: the vendor's."`
}

// Kind is this vendor in the list of targets.
var Kind = targets.Kind{
	Name:      "starleads",
	Summary:   "Starleads: a dataset, shared by agents through a knowledge base chat",
	NewConfig: func() targets.Config { return NewConfig() },
	Facts: []targets.Fact{
		{Name: "store", Value: "a dataset; agents use it through one chat"},
		{Name: "files", Value: "PDF, Word, Excel, PowerPoint, HTML, Markdown, text, CSV, JSON, e-mail and program text, up to 5 MB"},
		{Name: "batch", Value: "10 files or 25 MB a request"},
		{Name: "changed content", Value: "new upload, parsed, then the old document is deleted"},
		{Name: "rename", Value: "in place"},
		{Name: "searchable", Value: "when parsing is done, which is asked for"},
		{Name: "agents", Value: "each is connected to at most one chat; another chat is left alone unless take_over is set"},
		{Name: "download", Value: "yes"},
	},
}

var (
	_ targets.Config       = (*Config)(nil)
	_ targets.AgentChecker = (*Config)(nil)
	_ targets.Contracted   = (*Config)(nil)
)

// NewConfig gives the defaults.
func NewConfig() *Config {
	return &Config{Common: targets.Common{
		BaseURL: "https://api.starleads.co", Rate: 5, Concurrency: 2,
		SettleTimeout: 10 * time.Minute, Timeout: time.Minute, MaxFileSize: 5_000_000,
	}, OpenAPI: published}
}

// Validate implements targets.Config.
func (c *Config) Validate() []fault.Invalid {
	var bad []fault.Invalid
	add := func(field, hint, format string, args ...any) {
		bad = append(bad, fault.Invalid{Field: field, Msg: fmt.Sprintf(format, args...), Hint: hint})
	}
	switch {
	case c.Dataset == "" && c.DatasetID == "":
		add("dataset", "write the dataset's name, or its id as dataset_id", "is missing")
	case c.Dataset != "" && c.DatasetID != "":
		add("dataset_id", "keep one of the two", "cannot be used together with dataset")
	}
	if c.Chat != "" && c.ChatID != "" {
		add("chat_id", "keep one of the two", "cannot be used together with chat")
	}
	for _, f := range []struct{ field, value string }{{"dataset", c.Dataset}, {"chat", c.Chat}} {
		if len(f.value) > nameBytes {
			add(f.field, "", "is longer than %d bytes", nameBytes)
		}
	}
	for _, f := range []struct{ field, value string }{{"dataset_id", c.DatasetID}, {"chat_id", c.ChatID}} {
		if f.value == "." || f.value == ".." {
			add(f.field, "", "%q is no id", f.value)
		}
	}
	bad = append(bad, targets.CheckPublished(&c.Common, c.OpenAPI, defaultRoutes, "settle_timeout", "max_file_size")...)
	if !c.KnowledgeGraph.Enabled && len(c.KnowledgeGraph.EntityTypes) > 0 {
		add("knowledge_graph.entity_types", "set knowledge_graph.enabled: true, or remove entity_types", "has no effect while the graph is off")
	}
	return bad
}

// CheckAgents implements targets.AgentChecker: agents reach a dataset through a chat.
func (c *Config) CheckAgents([]string) *fault.Invalid {
	if c.Chat != "" || c.ChatID != "" {
		return nil
	}
	return &fault.Invalid{Field: "chat", Msg: "missing", Hint: `write chat: "Support assistant" (created when it does not exist) or chat_id`}
}

// Open implements targets.Config.
func (c *Config) Open(o targets.Options) (targets.Target, error) {
	return adapter.Opened(c.open(o))
}

func (c *Config) open(o targets.Options) (*Target, error) {
	instead := c.Routes
	if instead.Auto() {
		instead = nil
	}
	routes, err := routing(instead)
	if err != nil {
		return nil, err
	}
	h := adapter.ClientOptions("starleads", &c.Common, o)
	h.Header = "X-Api-Key"
	client, err := httpapi.New(h)
	if err != nil {
		return nil, err
	}
	t := &Target{
		cfg: *c, http: client, log: cmp.Or(o.Logger, slog.New(slog.DiscardHandler)), routes: routes, mostItems: maxItems, dataset: c.DatasetID,
		outage: adapter.NewOutage("starleads", mostOutages),
	}
	if c.Routes.Auto() {
		t.follower = &contract.Follower{Contract: c.Contract(), UserAgent: o.UserAgent, Memory: o.Memory, Log: t.log}
	}
	return t, nil
}
