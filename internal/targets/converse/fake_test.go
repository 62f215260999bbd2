package converse

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/secret"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/targettest"
)

const testKey = "ck-very-secret-0123456789"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logBuffer collects the log of every level.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// open makes a target that talks to a handler through memory.
func open(t *testing.T, h http.Handler, change func(*Config)) (*Target, *logBuffer) {
	t.Helper()
	cfg := NewConfig()
	cfg.APIKey = secret.New(testKey)
	cfg.BaseURL = "http://converse.test/api/v1"
	cfg.transport = targettest.Serve(t, h)
	if change != nil {
		change(cfg)
	}
	logs := &logBuffer{}
	target, err := cfg.open(targets.Options{
		Name: "calls", UserAgent: "kbsyncd/test",
		Logger: slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target, logs
}

// call is one request that a script received.
type call struct{ route, query, body string }

// script is a vendor that gives one answer for each "METHOD /path": a text is a 200 with that body, and a func decides by itself. What it
// does not know is a 404.
type script struct {
	t       *testing.T
	answers map[string]any

	mu    sync.Mutex
	calls []call
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	route := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/api/v1")
	s.mu.Lock()
	s.calls = append(s.calls, call{route, r.URL.RawQuery, string(body)})
	s.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer "+testKey {
		s.t.Errorf("%s without the key", route)
	}
	switch a := s.answers[route].(type) {
	case string:
		_, _ = io.WriteString(w, a)
	case int:
		w.WriteHeader(a)
		_, _ = fmt.Fprintf(w, `{"detail":"status %d"}`, a)
	case func(http.ResponseWriter, *http.Request):
		r.Body = io.NopCloser(bytes.NewReader(body))
		a(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"detail":"Not Found"}`)
	}
}

// routes are the requests so far as "METHOD /path".
func (s *script) routes() (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		out = append(out, c.route)
	}
	return out
}

// play runs fn with a target and a vendor that answers by a script.
func play(t *testing.T, answers map[string]any, fn func(*testing.T, *Target, *script)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &script{t: t, answers: answers}
		target, logs := open(t, s, nil)
		fn(t, target, s)
		if strings.Contains(logs.String(), testKey) {
			t.Error("the key is in the log")
		}
	})
}

func rendition(name, content string) targets.Rendition {
	return targets.Rendition{
		Document: kb.Key("src/" + name), Name: name, Size: int64(len(content)), Digest: kb.Sum([]byte(content)), MediaType: "text/markdown",
		Open: opener(content),
	}
}

// vendor is a small knowledge base for the conformance suite: enough of it to be wrong about.
type vendor struct {
	mu         sync.Mutex // guards all below
	next       int
	docs       []*doc
	agents     map[string]map[string]bool
	history    map[string][]map[targets.RemoteID]bool
	requests   int
	violations []string
	faults     []targettest.Fault
	rng        uint64
}

type doc struct {
	id, name string
	content  []byte
	foreign  bool
	ready    time.Time
}

func newVendor() *vendor {
	return &vendor{agents: map[string]map[string]bool{}, history: map[string][]map[targets.RemoteID]bool{}}
}

func (v *vendor) find(id string) *doc {
	i := slices.IndexFunc(v.docs, func(d *doc) bool { return d.id == id })
	if i < 0 {
		return nil
	}
	return v.docs[i]
}

func (v *vendor) add(name string, content []byte, foreign bool) *doc {
	v.next++
	d := &doc{id: fmt.Sprintf("doc_%d", v.next), name: name, content: content, foreign: foreign, ready: time.Now().Add(3 * time.Second)}
	v.docs = append(v.docs, d)
	return d
}

func (v *vendor) note(agent string) {
	now := map[targets.RemoteID]bool{}
	for id := range v.agents[agent] {
		now[targets.RemoteID(id)] = true
	}
	v.history[agent] = append(v.history[agent], now)
}

func (v *vendor) show(d *doc) map[string]any {
	status, chunks := "processing", 0
	if !time.Now().Before(d.ready) {
		status, chunks = "Ready", 2
	}
	return map[string]any{"_id": d.id, "filename": d.name, "status": status, "chunk_count": chunks}
}

// respond carries out a request and gives status, body, and the name of a document that it created.
func (v *vendor) respond(r *http.Request, path []string) (status int, body any) {
	missing := map[string]any{"detail": "Not Found"}
	switch route := r.Method + " " + strings.Join(path, "/"); {
	case route == "GET agents":
		return 200, map[string]any{"agents": []any{}}
	case r.Method == "GET" && path[0] == "agents" && len(path) == 2:
		if v.agents[path[1]] == nil {
			return 404, missing
		}
		return 200, map[string]any{"id": path[1]}
	case route == "GET knowledge":
		list := []any{}
		for _, d := range v.docs {
			list = append(list, v.show(d))
		}
		return 200, map[string]any{"documents": list}
	case route == "POST knowledge/ingest-text":
		var in struct{ Name, Content string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			return 422, map[string]any{"detail": []any{map[string]any{"loc": []any{"body"}, "msg": "bad JSON"}}}
		}
		return 201, map[string]any{"document": v.show(v.add(in.Name, []byte(in.Content), false))}
	case route == "POST knowledge/upload":
		f, h, err := r.FormFile("file")
		if err != nil {
			return 422, map[string]any{"detail": err.Error()}
		}
		b, _ := io.ReadAll(f)
		if name := r.FormValue("name"); name != h.Filename {
			v.violations = append(v.violations, fmt.Sprintf("the file is %q and named %q", h.Filename, name))
		}
		return 201, v.show(v.add(r.FormValue("name"), b, false))
	case route == "POST knowledge/query":
		var in struct {
			Query string
			TopK  int `json:"top_k"`
		}
		_ = json.NewDecoder(r.Body).Decode(&in)
		hits := []any{}
		for _, d := range v.docs {
			if strings.Contains(string(d.content), in.Query) {
				hits = append(hits, map[string]any{"document_id": d.id, "text": string(d.content), "score": 0.5})
			}
		}
		return 200, map[string]any{"results": hits}
	case len(path) >= 3 && path[1] == "agent":
		return v.agent(r.Method, path[2:])
	}
	if len(path) < 2 || path[0] != "knowledge" || v.find(path[1]) == nil {
		return 404, missing
	}
	d := v.find(path[1])
	switch {
	case r.Method == "DELETE":
		if d.foreign {
			v.violations = append(v.violations, "deleted "+d.name)
		}
		v.docs = slices.DeleteFunc(v.docs, func(o *doc) bool { return o == d })
		for _, held := range v.agents {
			delete(held, d.id)
		}
		return 200, map[string]any{"detail": "deleted"}
	case len(path) == 3 && path[2] == "reindex":
		d.ready = time.Now().Add(2 * time.Second)
		return 202, map[string]any{"status": "queued"}
	}
	return 405, map[string]any{"detail": "Method Not Allowed"}
}

func (v *vendor) agent(method string, path []string) (int, any) {
	held := v.agents[path[0]]
	if held == nil {
		return 404, map[string]any{"detail": "Agent not found"}
	}
	if len(path) == 1 {
		list := []any{}
		for id := range held {
			list = append(list, map[string]any{"id": "as_" + id, "document_id": id})
		}
		return 200, map[string]any{"data": map[string]any{"items": list}}
	}
	id := path[2]
	defer v.note(path[0])
	switch {
	case v.find(id) == nil, method == "DELETE" && !held[id]:
		return 404, map[string]any{"detail": "Document not found"}
	case method == "DELETE":
		if v.find(id).foreign {
			v.violations = append(v.violations, "took "+id)
		}
		delete(held, id)
		return 204, nil
	case held[id]:
		return 409, map[string]any{"detail": "already assigned"}
	}
	held[id] = true
	return 200, map[string]any{"assigned": true}
}

// opOf is the operation of the suite behind a request.
func opOf(r *http.Request, path []string) string {
	switch {
	case path[0] == "agents" && len(path) == 1:
		return targettest.OpConnect
	case path[0] == "agents":
		return targettest.OpAgent
	case len(path) == 1:
		return targettest.OpList
	case path[1] == "upload" || path[1] == "ingest-text":
		return targettest.OpUpload
	case path[1] == "query":
		return targettest.OpSearch
	case path[1] == "agent" && len(path) == 3:
		return targettest.OpAssigned
	case path[1] == "agent" && r.Method == "POST":
		return targettest.OpAssign
	case path[1] == "agent":
		return targettest.OpUnassign
	case r.Method == "DELETE":
		return targettest.OpDelete
	}
	return targettest.OpReindex
}

// draw gives the fault that a request meets.
func (v *vendor) draw(op, body string) (f targettest.Fault, after bool) {
	for i, f := range v.faults {
		if f.Op != "" && f.Op != op || f.Reject != "" && (op != targettest.OpUpload || !strings.Contains(body, f.Reject)) {
			continue
		}
		if f.Chance > 0 {
			v.rng = v.rng*6364136223846793005 + 1442695040888963407
			if float64(v.rng>>40)/float64(1<<24) > f.Chance {
				continue
			}
			return targettest.Fault{Status: 500}, v.rng>>20&1 == 0
		}
		if f.Times == 1 {
			v.faults = slices.Delete(slices.Clone(v.faults), i, i+1)
		}
		return f, f.AfterEffect
	}
	return f, true
}

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(raw))
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/api/v1/"), "/")
	v.mu.Lock()
	v.requests++
	f, effect := v.draw(opOf(r, path), string(raw))
	if f.Reject != "" {
		f.Status, effect = 422, false
	}
	status, body := f.Status, any(map[string]any{"detail": "trouble"})
	if f.Delay > 0 || f.Cut {
		effect = true
	}
	if effect {
		if s, b := v.respond(r, path); f.Status == 0 {
			status, body = s, b
		}
	}
	v.mu.Unlock()
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-r.Context().Done():
		}
	}
	if f.Drop {
		panic(http.ErrAbortHandler)
	}
	text, _ := json.Marshal(body)
	if f.Body != "" {
		text = []byte(f.Body)
	}
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	if f.Cut {
		w.Header().Set("Content-Length", fmt.Sprint(len(text)))
		w.WriteHeader(status)
		_, _ = w.Write(text[:len(text)/2])
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	if status != 204 {
		_, _ = w.Write(text)
	}
}

// The rest is what the suite asks of a backend.

func (v *vendor) Documents() (out []targettest.Stored) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, d := range v.docs {
		out = append(out, targettest.Stored{ID: targets.RemoteID(d.id), Name: d.name, Content: d.content, Foreign: d.foreign})
	}
	return out
}

func (v *vendor) Put(name string, content []byte) targets.RemoteID {
	v.mu.Lock()
	defer v.mu.Unlock()
	return targets.RemoteID(v.add(name, content, true).id)
}

func (v *vendor) Requests() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.requests
}

func (v *vendor) Violations() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.violations)
}

func (v *vendor) Inject(f targettest.Fault) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.faults = append(v.faults, f)
	return true
}

func (v *vendor) Heal() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.faults = nil
}

func (v *vendor) AddAgent(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.agents[id] = map[string]bool{}
}

func (v *vendor) Held(agent string) (out []targets.RemoteID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for id := range v.agents[agent] {
		out = append(out, targets.RemoteID(id))
	}
	return out
}

func (v *vendor) Give(agent string, id targets.RemoteID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.agents[agent][string(id)] = true
	v.note(agent)
}

func (v *vendor) HeldSoFar(agent string) []map[targets.RemoteID]bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.history[agent])
}

func TestSmallVendor(t *testing.T) {
	targettest.Run(t, func(t *testing.T) targettest.Fixture {
		v := newVendor()
		target, logs := open(t, v, nil)
		return targettest.Fixture{Target: target, Backend: v, Secret: testKey, Logs: logs.String, Retries: true}
	})
}

func opener(content string) func(context.Context) (io.ReadCloser, error) {
	return func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }
}
