package starleads

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/targets"
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
	TakeOver       bool           `yaml:"take_over" doc:"Connect agents to this chat even when they are connected to another one."`

	transport http.RoundTripper // for tests
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

var _ targets.Config = (*Config)(nil)

// NewConfig gives the defaults.
func NewConfig() *Config {
	return &Config{Common: targets.Common{
		BaseURL: "https://api.starleads.co", Rate: 5, Concurrency: 2,
		SettleTimeout: 10 * time.Minute, Timeout: time.Minute, MaxFileSize: 5_000_000,
	}}
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
	bad = append(bad, checkCommon(&c.Common)...)
	for _, name := range slices.Sorted(maps.Keys(c.Routes)) {
		if _, why, hint := parseRoute(name, c.Routes[name]); why != "" {
			add("routes."+name, hint, "%s", why)
		}
	}
	if !c.KnowledgeGraph.Enabled && len(c.KnowledgeGraph.EntityTypes) > 0 {
		add("knowledge_graph.entity_types", "set knowledge_graph.enabled: true, or remove entity_types", "has no effect while the graph is off")
	}
	return bad
}

func checkCommon(c *targets.Common) []fault.Invalid {
	var bad []fault.Invalid
	add := func(field, hint, format string, args ...any) {
		bad = append(bad, fault.Invalid{Field: field, Msg: fmt.Sprintf(format, args...), Hint: hint})
	}
	if c.APIKey.IsZero() && c.APIKeyFile == "" {
		add("api_key", `write api_key: "${STARLEADS_API_KEY}", or api_key_file`, "is missing")
	}
	u, err := url.Parse(c.BaseURL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		add("base_url", "for example https://api.starleads.co", "must be an http or https address")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		add("base_url", "the key belongs into api_key", "must have no user, query or fragment")
	}
	if c.Rate < 0 {
		add("rate", "0 means no limit", "must not be negative")
	}
	if c.Concurrency < 1 {
		add("concurrency", "", "must be at least 1")
	}
	if c.SettleTimeout <= 0 {
		add("settle_timeout", "for example 10m", "must be longer than 0")
	}
	if c.Timeout <= 0 {
		add("timeout", "for example 60s", "must be longer than 0")
	}
	if c.MaxFileSize <= 0 {
		add("max_file_size", "for example 5MB", "must be more than 0")
	}
	return bad
}

// Open implements targets.Config.
func (c *Config) Open(o targets.Options) (targets.Target, error) {
	t, err := c.open(o)
	if err != nil {
		return nil, err // a nil *Target in the interface would not be nil
	}
	return t, nil
}

func (c *Config) open(o targets.Options) (*Target, error) {
	routes := map[string]route{}
	for name := range defaultRoutes {
		text, given := c.Routes[name]
		if !given {
			text = defaultRoutes[name]
		}
		r, why, _ := parseRoute(name, text)
		if why != "" {
			return nil, fmt.Errorf("starleads: routes.%s: %s", name, why)
		}
		routes[name] = r
	}
	client, err := httpapi.New(httpapi.Options{
		Vendor: "starleads", BaseURL: c.BaseURL, Header: "X-Api-Key", Key: c.APIKey, UserAgent: o.UserAgent, Timeout: c.Timeout,
		Rate: c.Rate, Burst: c.Concurrency, Concurrency: c.Concurrency, Logger: o.Logger, Transport: c.transport, CheckOK: httpapi.Envelope,
	})
	if err != nil {
		return nil, err
	}
	t := &Target{cfg: *c, http: client, log: o.Logger, routes: routes, dataset: c.DatasetID}
	if t.log == nil {
		t.log = discardLog
	}
	return t, nil
}

// suggest is the known word nearest to a wrong one, or "".
func suggest(word string, known []string) string {
	best, at := "", 3
	for _, k := range known {
		if d := distance(word, k); d < at {
			best, at = k, d
		}
	}
	return best
}

// distance is the number of edits between two short words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost++
			}
			diag = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// parseRoute reads "METHOD /path/{placeholder}". why is empty when it is fine.
func parseRoute(name, text string) (r route, why, hint string) {
	def, known := defaultRoutes[name]
	if !known {
		all := slices.Sorted(maps.Keys(defaultRoutes))
		if s := suggest(name, all); s != "" {
			return r, "is no route", fmt.Sprintf("did you mean %q?", s)
		}
		return r, "is no route", "the routes are " + strings.Join(all, ", ")
	}
	hint = fmt.Sprintf("the default is %q", def)
	method, path, ok := strings.Cut(text, " ")
	if !ok || !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " ?#\\\x00\r\n\t") {
		return r, fmt.Sprintf("%q is not of the form \"METHOD /path\"", text), hint
	}
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return r, fmt.Sprintf("the method %q is not GET, POST, PUT, PATCH or DELETE", method), hint
	}
	want, got := placeholders(def), placeholders(path)
	for _, p := range got {
		if !slices.Contains(want, p) {
			return r, fmt.Sprintf("there is no placeholder %s here", p), hint
		}
	}
	for _, p := range want {
		if !slices.Contains(got, p) {
			return r, "the placeholder " + p + " is missing", hint
		}
	}
	return route{method: method, path: path}, "", ""
}

// placeholders are the parts of a path in braces, with their braces.
func placeholders(path string) []string {
	var out []string
	for {
		i := strings.IndexByte(path, '{')
		if i < 0 {
			return out
		}
		j := strings.IndexByte(path[i:], '}')
		if j < 0 {
			return append(out, path[i:])
		}
		out = append(out, path[i:i+j+1])
		path = path[i+j+1:]
	}
}
