package hamsa

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"kbsyncd/internal/secret"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/targettest"
)

const (
	testKey = "sk-very-secret-0123456789"
	agent1  = "agent-1"
	// foreignKey is what an agent's answer holds and nothing may repeat.
	foreignKey = "llm-key-of-somebody"
)

// fake answers as little of the vendor's API as the tests need. Every hook may take a request over.
type fake struct {
	mu       sync.Mutex
	items    []map[string]any
	agents   map[string]any // the value of knowledgeBaseItemsIds by agent
	requests []string       // method and path
	bodies   []string       // of requests that change something
	status   string         // of new items
	deletes  bool           // the route that is not documented works
	hook     func(w http.ResponseWriter, r *http.Request, body string) bool
	after    func(method, path string) // with the lock, after the effect
	next     int
}

func newFake() *fake {
	return &fake{agents: map[string]any{agent1: []string{}}, status: "PROCESSED"}
}

func (f *fake) put(name, status string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.add(name, "by hand", status)
}

func (f *fake) add(name, content, status string) string {
	f.next++
	id := fmt.Sprintf("item-%04d", f.next)
	f.items = append(f.items, map[string]any{
		"id": id, "itemName": name, "type": "TEXT", "content": content, "status": status, "failureReason": "none", "fileSize": "2.5MB",
		"wordsNumber": 12, "extension": 3, "createdAt": "2026-01-01T00:00:00Z",
	})
	return id
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r.Method+" "+r.URL.Path)
	if len(b) > 0 {
		f.bodies = append(f.bodies, string(b))
	}
	if f.hook != nil && f.hook(w, r, string(b)) {
		return
	}
	if r.Header.Get("Authorization") != "Token "+testKey {
		reply(w, 401, map[string]any{"success": false, "message": "unauthorized"})
		return
	}
	status, data := f.route(r, b)
	if f.after != nil {
		f.after(r.Method, r.URL.Path)
	}
	if status >= 300 {
		reply(w, status, map[string]any{"statusCode": status, "message": []any{data}, "error": http.StatusText(status)})
		return
	}
	reply(w, status, map[string]any{"success": false, "message": "done", "data": data})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (f *fake) route(r *http.Request, body []byte) (int, any) {
	rest, isItem := strings.CutPrefix(r.URL.Path, itemsPath)
	agent, isAgent := strings.CutPrefix(r.URL.Path, agentsPath+"/")
	var in map[string]any
	_ = json.Unmarshal(body, &in)
	switch {
	case r.URL.Path == "/v1/projects/by-api-key":
		return 200, map[string]any{"id": "project-7", "name": "Support"}
	case isAgent:
		return f.agent(r.Method, agent, in)
	case !isItem:
		return 404, "Cannot " + r.Method
	case rest == "" && r.Method == http.MethodPost:
		first := in["items"].([]any)[0].(map[string]any)
		content, _ := first["content"].(string)
		f.add(first["itemName"].(string), content, f.status)
		made := f.items[len(f.items)-1]
		made["type"], made["itemUrl"] = first["type"], first["itemUrl"]
		return 201, made
	case rest == "/list":
		return 200, f.list(r)
	case rest == "/toggle-activation":
		return 200, nil
	}
	at := slices.IndexFunc(f.items, func(it map[string]any) bool { return "/"+it["id"].(string) == rest })
	switch {
	case r.Method == http.MethodDelete && !f.deletes:
		return 404, "Cannot DELETE " + r.URL.Path
	case at < 0:
		return 404, "Item not found"
	case r.Method == http.MethodDelete:
		f.items = slices.Delete(f.items, at, at+1)
		return 200, map[string]any{}
	case r.Method == http.MethodPatch:
		f.items[at]["itemName"] = in["itemName"]
	}
	return 200, f.items[at]
}

func (f *fake) list(r *http.Request) any {
	q := r.URL.Query()
	number, _ := strconv.Atoi(q.Get("skip"))
	take, _ := strconv.Atoi(q.Get("take"))
	var found []map[string]any
	for _, it := range f.items {
		if strings.Contains(it["itemName"].(string), q.Get("search")) {
			found = append(found, it)
		}
	}
	from := min((number-1)*take, len(found))
	return map[string]any{"total": len(f.items), "filtered": len(found), "items": found[from:min(from+take, len(found))]}
}

func (f *fake) agent(method, id string, in map[string]any) (int, any) {
	ids, there := f.agents[id]
	switch {
	case !there:
		return 404, "Voice agent not found"
	case method == http.MethodPatch:
		ids = in["knowledgeBaseItemsIds"]
		f.agents[id] = ids
	}
	return 200, map[string]any{"id": id, "agentName": "Sara", "llm": map[string]any{"apiKey": foreignKey}, "knowledgeBaseItemsIds": ids}
}

// held is what an agent lists.
func (f *fake) held(agent string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, _ := json.Marshal(f.agents[agent])
	return string(b)
}

func (f *fake) names() (out []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, it := range f.items {
		out = append(out, it["itemName"].(string))
	}
	return out
}

// count tells how many requests there were to paths that begin so.
func (f *fake) count(prefix string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.requests {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	return n
}

// open makes a target that talks to a handler through memory.
func open(t *testing.T, h http.Handler, change func(*Config)) (*Target, *targettest.Logs) {
	t.Helper()
	cfg := NewConfig()
	cfg.APIKey = secret.New(testKey)
	cfg.BaseURL = "http://hamsa.test"
	if change != nil {
		change(cfg)
	}
	logs := &targettest.Logs{}
	target, err := cfg.open(targets.Options{
		Name: "support", UserAgent: "kbsyncd/test", Transport: targettest.Serve(t, h),
		Logger: logs.Logger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target, logs
}
