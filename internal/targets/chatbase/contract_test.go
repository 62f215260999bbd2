package chatbase

import (
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"kbsyncd/internal/contract"
	"kbsyncd/internal/secret"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/targettest"
)

// elsewhere describes what the client assumes, as the vendor does: below a server with a path, a body of several forms, and
// training at another address.
const elsewhere = `openapi: 3.1.0
servers: [{ url: https://www.chatbase.co/api/v2 }]
paths:
  /agents/{agentId}: { get: { operationId: getAgent, tags: [Agents] } }
  /agents/{agentId}/clone: { post: { operationId: cloneAgent, tags: [Agents] } }
  /agents/{agentId}/retrain: { post: { operationId: trainAgent, tags: [Agents] } }
  /agents/{agentId}/sources:
    get:
      tags: [Sources]
      parameters: [{ name: cursor, in: query }, { name: limit, in: query }, { name: type, in: query }, { name: name, in: query }]
    post:
      tags: [Sources]
      requestBody:
        content:
          application/json:
            schema:
              oneOf:
                - { properties: { type: {}, name: {}, content: {} }, required: [type, name, content] }
                - { properties: { type: {}, url: {}, linkType: {} }, required: [type, url, linkType] }
  /agents/{agentId}/sources/summary: { get: { tags: [Sources] } }
  /agents/{agentId}/sources/{sourceId}:
    get: { tags: [Sources] }
    put: { tags: [Sources], requestBody: { content: { application/json: { schema: { properties: { name: {}, content: {} } } } } } }
    delete: { tags: [Sources] }
`

func TestContract(t *testing.T) {
	doc, err := contract.Parse([]byte(elsewhere))
	if err != nil {
		t.Fatal(err)
	}
	c := NewConfig()
	r := contract.Compare(doc, c.Contract())
	if got := r.Routes(); r.Agree != r.Of-1 || len(got) != 1 || got[routeTrain] != "POST /agents/{agentId}/retrain" {
		t.Errorf("%d of %d: %+v", r.Agree, r.Of, r.Differences)
	}
	c.Routes = targets.Routes{routeTrain: "POST /agents/{agentId}/retrain"}
	if r := contract.Compare(doc, c.Contract()); r.Agree != r.Of {
		t.Errorf("pasted: %+v", r.Differences)
	}
	// Where there is no such route, nothing else that can be done with an agent is taken for it.
	if doc, err = contract.Parse([]byte(strings.ReplaceAll(elsewhere, "train", "export"))); err != nil {
		t.Fatal(err)
	}
	if r := contract.Compare(doc, NewConfig().Contract()); r.Agree != r.Of-1 || len(r.Routes()) != 0 {
		t.Errorf("no training: %+v", r.Differences)
	}
	c.API = apiV1
	if len(c.Contract().Routes) != 0 {
		t.Error("v1 has no document")
	}
}

func TestAutoIsCheckedLikeOtherRoutes(t *testing.T) {
	fields := func(change func(*Config)) (out []string) {
		c := NewConfig()
		c.APIKey = secret.New("k")
		change(c)
		for _, bad := range c.Validate() {
			out = append(out, bad.Field)
		}
		return out
	}
	for what, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"auto":         {func(c *Config) { c.Routes = targets.AutoRoutes() }, ""},
		"auto with v1": {func(c *Config) { c.Routes, c.API = targets.AutoRoutes(), apiV1 }, "routes"},
		"address":      {func(c *Config) { c.OpenAPI = "http://docs.example.com/openapi.json" }, "openapi"},
		"unknown":      {func(c *Config) { c.Routes = targets.Routes{"trein": "POST /agents/{agentId}/train"} }, "routes.trein"},
	} {
		if got := strings.Join(fields(c.change), " "); got != c.want {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
}

// With routes: auto the agent is trained at the address that the document has.
func TestAutoRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "openapi.yaml")
		if err := os.WriteFile(file, []byte(elsewhere), 0o600); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var asked []string
		vendor := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			asked = append(asked, r.Method+" "+r.URL.Path)
			mu.Unlock()
			w.Header().Set("Content-Type", "application/json")
			switch {
			case strings.HasSuffix(r.URL.Path, "/train"):
				w.WriteHeader(http.StatusNotFound)
			case strings.HasSuffix(r.URL.Path, "/retrain"):
				_, _ = io.WriteString(w, `{"status":"training"}`)
			case strings.HasSuffix(r.URL.Path, "/a1"):
				_, _ = io.WriteString(w, `{"id":"a1","name":"Bot"}`)
			default:
				_, _ = io.WriteString(w, `{"id":"s1","name":"a.md","type":"text","status":"untrained"}`)
			}
		})
		c := NewConfig()
		c.APIKey, c.Routes, c.OpenAPI = secret.New("k"), targets.AutoRoutes(), file
		c.BaseURL, c.FilesURL = "http://chatbase.test/api/v2", "http://files.chatbase.test/api/v2"
		target, err := c.Open(targets.Options{Agent: "a1", Transport: targettest.Serve(t, vendor), UserAgent: "kbsyncd/test", Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = target.Close() }()
		if _, err := target.Connect(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		if _, err := target.(targets.Reindexer).Reindex(t.Context(), []targets.RemoteID{"s1"}); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(asked, "POST /api/v2/agents/a1/retrain") || slices.Contains(asked, "POST /api/v2/agents/a1/train") {
			t.Errorf("asked %q", asked)
		}
	})
}
