package starleads

import (
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kbsyncd/internal/secret"
	"kbsyncd/internal/targets"
)

func TestDecodePage(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
		bad  bool
	}{
		{in: `[]`},
		{in: `{"items":[]}`},
		{in: `{"totalCount":0,"items":[],"data":null}`},
		{in: `[{"id":"a"},{"id":9007199254740993}]`, want: []string{"a", "9007199254740993"}},
		{in: `{"code":0,"data":{"total":2,"docs":[{"id":"a"},{"id":"b"}]}}`, want: []string{"a", "b"}},
		{in: `{"data":[{"Id":"a","other":{"deep":[1]}}]}`, want: []string{"a"}},
		{in: ``, bad: true},
		{in: `null`, bad: true},
		{in: `{}`, bad: true},
		{in: `{"items":null}`, bad: true},
		{in: `{"success":true}`, bad: true},
		{in: `[{"name":"no id"}]`, bad: true},
		{in: `[1]`, bad: true},
		{in: `"x"`, bad: true},
		{in: `{"items":[{"id":"a"}`, bad: true},
	} {
		p, err := decodePage[document]([]byte(c.in))
		var got []string
		for _, d := range p.items {
			got = append(got, d.ID)
		}
		if (err != nil) != c.bad || !c.bad && !cmp.Equal(got, c.want) {
			t.Errorf("%s: %v, %v", c.in, got, err)
		}
	}
}

func TestStatusWords(t *testing.T) {
	target := &Target{log: slog.New(slog.DiscardHandler)}
	for in, want := range map[string]targets.Status{
		`{"status":"pending"}`: targets.StatusWaiting, `{"status":"UNSTART"}`: targets.StatusWaiting, `{"status":0}`: targets.StatusWaiting,
		`{"status":"Running"}`: targets.StatusWorking, `{"run":"RUNNING","status":"1"}`: targets.StatusWorking, `{"status":"whatever"}`: targets.StatusWorking,
		`{"run":3,"status":"1"}`: targets.StatusDone, `{"status":"Completed"}`: targets.StatusDone, `{"parsingStatus":"ready"}`: targets.StatusDone,
		`{"status":"FAIL"}`: targets.StatusFailed, `{"status":"running","progress":-1}`: targets.StatusFailed, `{"status":4}`: targets.StatusFailed,
		`{"status":"CANCEL"}`: targets.StatusCancelled, `{"status":"2"}`: targets.StatusCancelled,
		`{"status":null}`: targets.StatusUnknown, `{}`: targets.StatusUnknown,
	} {
		var d document
		if err := d.UnmarshalJSON([]byte(in)); err != nil {
			t.Fatal(err)
		}
		if got := target.remote(d).Status; got != want {
			t.Errorf("%s is %v, not %v", in, got, want)
		}
	}
}

func TestOriginal(t *testing.T) {
	for in, want := range map[string]string{
		"a(1).md": "a.md", "a (12).md": "a.md", "a.md": "a.md", "a().md": "a().md", "(1).md": "(1).md", "a(x).md": "a(x).md",
		"a(1)": "a", "a.b(3).md": "a.b.md", "": "", ")": ")", "a(1)(2).md": "a(1).md",
	} {
		if got := original(in); got != want {
			t.Errorf("original(%q) = %q, not %q", in, got, want)
		}
	}
}

func TestValidate(t *testing.T) {
	good := func() *Config {
		c := NewConfig()
		c.APIKey, c.Dataset = secret.New("k"), "x"
		return c
	}
	for name, c := range map[string]struct {
		change func(*Config)
		field  string
		hint   string
	}{
		"good":          {change: func(*Config) {}},
		"key in a file": {change: func(c *Config) { c.APIKey, c.APIKeyFile = secret.String{}, "f" }},
		"overridden route": {change: func(c *Config) {
			c.Routes = map[string]string{"document_stop": "DELETE /Dataset/{datasetId}/document/parse"}
		}},
		"settling":           {change: func(c *Config) { c.SettleTimeout = 0 }, field: "settle_timeout"},
		"no dataset":         {change: func(c *Config) { c.Dataset = "" }, field: "dataset"},
		"two datasets":       {change: func(c *Config) { c.DatasetID = "y" }, field: "dataset_id"},
		"two chats":          {change: func(c *Config) { c.Chat, c.ChatID = "x", "y" }, field: "chat_id"},
		"dots":               {change: func(c *Config) { c.Dataset, c.DatasetID = "", ".." }, field: "dataset_id"},
		"address":            {change: func(c *Config) { c.BaseURL = "ftp://x" }, field: "base_url"},
		"key in the address": {change: func(c *Config) { c.BaseURL = "https://u:p@x" }, field: "base_url"},
		"size":               {change: func(c *Config) { c.MaxFileSize = 0 }, field: "max_file_size"},
		"rate":               {change: func(c *Config) { c.Rate = -1 }, field: "rate"},
		"concurrency":        {change: func(c *Config) { c.Concurrency = 0 }, field: "concurrency"},
		"misspelt route": {
			change: func(c *Config) { c.Routes = map[string]string{"document_lst": "GET /x"} }, field: "routes.document_lst",
			hint: `did you mean "document_list"?`,
		},
		"unknown route":        {change: func(c *Config) { c.Routes = map[string]string{"zzz": "GET /x"} }, field: "routes.zzz"},
		"route without method": {change: func(c *Config) { c.Routes = map[string]string{"dataset_list": "/x"} }, field: "routes.dataset_list"},
		"wrong method":         {change: func(c *Config) { c.Routes = map[string]string{"dataset_list": "FETCH /x"} }, field: "routes.dataset_list"},
		"placeholder missing":  {change: func(c *Config) { c.Routes = map[string]string{"dataset_get": "GET /x"} }, field: "routes.dataset_get"},
		"placeholder too many": {change: func(c *Config) { c.Routes = map[string]string{"dataset_list": "GET /x/{datasetId}"} }, field: "routes.dataset_list"},
		"entity types":         {change: func(c *Config) { c.KnowledgeGraph.EntityTypes = []string{"x"} }, field: "knowledge_graph.entity_types"},
	} {
		cfg := good()
		c.change(cfg)
		bad := cfg.Validate()
		switch {
		case c.field == "" && len(bad) > 0, c.field != "" && (len(bad) != 1 || bad[0].Field != c.field):
			t.Errorf("%s: %+v", name, bad)
		case c.hint != "" && bad[0].Hint != c.hint:
			t.Errorf("%s: hint %q", name, bad[0].Hint)
		}
	}
}

func TestOpenErrorsHaveNoKey(t *testing.T) {
	cfg := NewConfig()
	cfg.APIKey, cfg.Dataset = secret.New("bad\nkey"), "x"
	target, err := cfg.Open(targets.Options{})
	if err == nil || target != nil {
		t.Fatalf("%v, %v", target, err)
	}
	if s := err.Error(); s == "" || cmp.Equal(s, "bad\nkey") {
		t.Error(s)
	}
}

func FuzzDecodePage(f *testing.F) {
	for _, s := range []string{
		`[]`, `[{"id":"a","name":"n","size":1}]`, `{"items":[{"id":1}],"totalPages":"2","totalCount":1e99}`,
		`{"data":{"docs":[{"id":"x","progress":-1,"run":"3"}]}}`, `{"data":{"data":{"data":{"data":[]}}}}`, `null`,
	} {
		f.Add([]byte(s))
	}
	target := &Target{log: slog.New(slog.DiscardHandler)}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePage[document](b)
		if err == nil {
			for _, d := range p.items {
				if r := target.remote(d); r.ID == "" || r.Size < -1 {
					t.Errorf("%+v", r)
				}
			}
			if p.size < 1 || p.total < -1 || p.pages < 0 {
				t.Errorf("%+v", p)
			}
		}
		if docs, err := decodeUploaded(b); err == nil {
			for _, d := range docs {
				if d.ID == "" {
					t.Error("a document without an id")
				}
			}
		}
		if p, err := decodePage[chat](b); err == nil {
			for _, c := range p.items {
				c.datasets()
			}
		}
	})
}

func FuzzOriginal(f *testing.F) {
	f.Add("a(1).md")
	f.Add(")(")
	f.Fuzz(func(t *testing.T, name string) {
		if s := original(name); len(s) > len(name) {
			t.Errorf("%q gives %q", name, s)
		}
	})
}
