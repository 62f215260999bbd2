package starleads

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/secret"
	"kbsyncd/internal/simulator"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
	"kbsyncd/internal/targets/targettest"
)

// elsewhere is where the vendor of testdata/elsewhere.json has the guessed routes.
var elsewhere = map[string]string{
	"dataset_list":      "GET /datasets/all",
	"dataset_get":       "GET /datasets/{datasetId}/details",
	"document_list":     "GET /datasets/{datasetId}/documents",
	"document_update":   "PUT /documents/{documentId}/in/{datasetId}",
	"document_delete":   "DELETE /documents/{documentId}/in/{datasetId}",
	"document_download": "GET /documents/{documentId}/in/{datasetId}/content",
	"document_parse":    "POST /Dataset/{datasetId}/documents/chunks",
	"document_stop":     "DELETE /Dataset/{datasetId}/documents/chunks",
	"chat_list":         "GET /knowledge-base-chats",
	"graph_enable":      "POST /datasets/{datasetId}/graph/enable",
	"graph_build":       "POST /datasets/{datasetId}/graph/trigger",
	"graph_status":      "GET /datasets/{datasetId}/graph/progress",
	"graph_get":         "GET /datasets/{datasetId}/graph",
	"graph_delete":      "DELETE /datasets/{datasetId}/graph",
}

// pattern is a route as an expression with a group for each placeholder.
func pattern(route string) *regexp.Regexp {
	return regexp.MustCompile("^" + regexp.MustCompile(`\\\{(\w+)\\\}`).ReplaceAllString(regexp.QuoteMeta(route), `(?P<$1>[^/]+)`) + "$")
}

// nameOf finds the route of a request and the values of its placeholders; "" when it has none of these.
func nameOf(r *http.Request, routes map[string]string) (name string, v adapter.Vars) {
	for _, name := range slices.Sorted(maps.Keys(routes)) {
		re := pattern(routes[name])
		if m := re.FindStringSubmatch(r.Method + " " + r.URL.Path); m != nil {
			v = adapter.Vars{}
			for i, key := range re.SubexpNames()[1:] {
				v[key] = m[i+1]
			}
			return name, v
		}
	}
	return "", nil
}

// moved is a vendor that has its guessed routes elsewhere, and nothing where they were guessed.
func moved(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, v := nameOf(r, elsewhere)
		if name == "" {
			if guess, _ := nameOf(r, defaultRoutes); guess != "" {
				http.Error(w, `{"title":"Not Found"}`, http.StatusNotFound)
				return
			}
			next.ServeHTTP(w, r)
			return
		}
		method, path, _ := strings.Cut(defaultRoutes[name], " ")
		for key, value := range v {
			path = strings.ReplaceAll(path, "{"+key+"}", value)
		}
		there := r.Clone(r.Context())
		there.Method, there.URL.Path, there.URL.RawPath = method, path, ""
		next.ServeHTTP(w, there)
	})
}

// notebook is a targets.Memory.
type notebook struct {
	mu     sync.Mutex
	values map[string][]byte // guarded by mu
}

func (n *notebook) Recall(key string) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.values[key], nil
}

func (n *notebook) Remember(key string, value []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.values[key] = value
	return nil
}

// town is the simulator behind a handler, and targets that know it by an address only.
func town(t *testing.T, front func(http.Handler) http.Handler, change func(*Config), m targets.Memory) (*Target, *simulator.Starleads) {
	t.Helper()
	sim := simulator.NewStarleads(simulator.StarleadsOptions{Key: testKey, ParseDelay: time.Second})
	sim.AddAgent("agt_1")
	cfg := NewConfig()
	cfg.APIKey, cfg.BaseURL = secret.New(testKey), "http://starleads.test"
	cfg.Dataset, cfg.Chat = "Support handbook", "Support assistant"
	cfg.KnowledgeGraph.Enabled = true
	change(cfg)
	target, err := cfg.open(targets.Options{UserAgent: "kbsyncd/test", Memory: m, Transport: targettest.Serve(t, front(sim))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = target.Close()
		sim.Close()
	})
	return target, sim
}

// tour uses every route of the client once, and gives what went wrong first.
func tour(t *testing.T, target *Target) error {
	t.Helper()
	ctx := t.Context()
	if _, err := target.Connect(ctx, true); err != nil {
		return err
	}
	res, err := target.Upload(ctx, []targets.Rendition{rendition("a.md", "a"), rendition("b.md", "b")})
	if err = errors.Join(err, res[0].Err, res[1].Err); err != nil {
		return err
	}
	ids := []targets.RemoteID{res[0].ID, res[1].ID}
	names := map[targets.RemoteID]string{ids[0]: "a.md", ids[1]: "b.md"}
	started, err := target.Start(ctx, ids)
	if err = errors.Join(err, started[0].Err, started[1].Err); err != nil {
		return err
	}
	if err := target.Restart(ctx, ids[0]); err != nil {
		return err
	}
	time.Sleep(time.Minute)
	done := 0
	err = target.Statuses(ctx, names, func(r targets.Remote) {
		if r.Status == targets.StatusDone {
			done++
		}
	})
	if err != nil || done != 2 {
		return fmt.Errorf("%d documents are done: %w", done, err)
	}
	if _, err := target.Rename(ctx, ids[0], "c.md"); err != nil {
		return err
	}
	body, err := target.Download(ctx, ids[1])
	if err != nil {
		return err
	}
	text, err := io.ReadAll(body)
	if err = errors.Join(err, body.Close()); err != nil || string(text) != "b" {
		return fmt.Errorf("downloaded %q: %w", text, err)
	}
	link, err := target.Link(ctx, targets.LinkRequest{Want: []string{"agt_1"}, Searchable: true})
	if err = errors.Join(append(link.Problems, err)...); err != nil {
		return err
	}
	if err := target.Finish(ctx); err != nil {
		return err
	}
	gone, err := target.Delete(ctx, ids[1:])
	return errors.Join(err, gone[0].Err)
}

func TestAutoRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &notebook{values: map[string][]byte{}}
		file := filepath.Join(t.TempDir(), "openapi.json")
		text, err := os.ReadFile("testdata/elsewhere.json")
		if err = errors.Join(err, os.WriteFile(file, text, 0o600)); err != nil {
			t.Fatal(err)
		}
		auto := func(c *Config) { c.Routes, c.OpenAPI = targets.AutoRoutes(), file }

		known, _ := town(t, moved, func(*Config) {}, nil)
		if err := tour(t, known); !errors.Is(err, fault.ErrSetup) || !strings.Contains(err.Error(), "kbsyncd check --connect") {
			t.Errorf("the known routes: %v", err)
		}
		target, sim := town(t, moved, auto, m)
		if err := tour(t, target); err != nil {
			t.Fatal(err)
		}
		for name, want := range elsewhere {
			if r := target.route(name); r.Method+" "+r.Path != want {
				t.Errorf("%s is %s %s, not %s", name, r.Method, r.Path, want)
			}
		}
		if docs := sim.Documents(); len(docs) != 1 || docs[0].Name != "c.md" || docs[0].Status != simulator.StatusDone {
			t.Errorf("documents %+v", docs)
		}
		if v := sim.Violations(); len(v) > 0 {
			t.Errorf("rules broken: %q", v)
		}

		// Another process finds the routes in the memory.
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		again, _ := town(t, moved, auto, m)
		if err := tour(t, again); err != nil {
			t.Error(err)
		}
		// Where the document cannot be had and nothing is remembered the known routes stand.
		plain, _ := town(t, func(h http.Handler) http.Handler { return h }, auto, nil)
		if err := tour(t, plain); err != nil {
			t.Error(err)
		}
	})
}

// A route that is not there must not make a document look gone.
func TestRouteThatIsMissing(t *testing.T) {
	for _, status := range []int{http.StatusNotFound, http.StatusMethodNotAllowed} {
		for name := range defaultRoutes {
			if name == "graph_get" || name == "graph_delete" || name == "document_stop" || name == "graph_status" {
				continue // never used, or not needed
			}
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					without := func(next http.Handler) http.Handler {
						return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							if got, _ := nameOf(r, defaultRoutes); got == name {
								w.WriteHeader(status)
								return
							}
							next.ServeHTTP(w, r)
						})
					}
					target, sim := town(t, without, func(*Config) {}, nil)
					if name == "dataset_get" {
						target.cfg.Dataset, target.cfg.DatasetID = "", "ds_1"
					}
					err := tour(t, target)
					if err == nil || !strings.Contains(err.Error(), "kbsyncd check --connect") || !strings.Contains(err.Error(), "routes."+name) {
						t.Errorf("%d: %v", status, err)
					}
					for _, r := range sim.Requests() {
						if r.Method == http.MethodDelete {
							t.Errorf("%s %s", r.Method, r.Path)
						}
					}
				})
			})
		}
	}
}

// The table of assumptions says exactly what the client sends.
func TestAssumptionsAreWhatIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := map[string]string{}
		for _, a := range known {
			all[a.Name] = a.Route()
		}
		var mu sync.Mutex
		query, body := map[string]map[string]bool{}, map[string]map[string]bool{}
		listen := func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				sent, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(sent))
				name, _ := nameOf(r, all)
				mu.Lock()
				if query[name] == nil {
					query[name], body[name] = map[string]bool{}, map[string]bool{}
				}
				for key := range r.URL.Query() {
					query[name][key] = true
				}
				for _, key := range fieldsOf(t, r.Header.Get("Content-Type"), sent) {
					body[name][key] = true
				}
				mu.Unlock()
				next.ServeHTTP(w, r)
			})
		}
		target, _ := town(t, listen, func(c *Config) {
			c.ChunkMethod, c.ParserConfig = "naive", map[string]any{"chunkTokenNum": 512}
			c.KnowledgeGraph.EntityTypes = []string{"person"}
		}, nil)
		if err := tour(t, target); err != nil {
			t.Fatal(err)
		}
		// The rest: settings that change, another dataset of the chat, an agent that goes.
		target.cfg.ChunkMethod, target.cfg.ParserConfig = "book", map[string]any{"chunkTokenNum": 256}
		if _, err := target.Connect(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		target.cfg.Dataset, target.cfg.ChunkMethod = "Another", "naive"
		if err := tour(t, target); err != nil {
			t.Fatal(err)
		}
		if _, err := target.Link(t.Context(), targets.LinkRequest{Ours: []string{"agt_1"}, Searchable: true}); err != nil {
			t.Fatal(err)
		}
		for _, a := range known {
			if a.Name == "graph_get" || a.Name == "graph_delete" { // part of the contract, not used
				continue
			}
			if d := cmp.Diff(slices.Sorted(slices.Values(a.Query)), slices.Sorted(maps.Keys(query[a.Name]))); d != "" {
				t.Errorf("%s: parameters: %s", a.Name, d)
			}
			if d := cmp.Diff(slices.Sorted(slices.Values(a.Body)), slices.Sorted(maps.Keys(body[a.Name]))); d != "" {
				t.Errorf("%s: fields: %s", a.Name, d)
			}
			if query[a.Name] == nil {
				t.Errorf("%s was not used", a.Name)
			}
		}
		if len(query[""]) > 0 || len(body[""]) > 0 {
			t.Error("a request is not in the table")
		}
	})
}

// fieldsOf are the fields of a JSON object or the names of the parts of a form.
func fieldsOf(t *testing.T, contentType string, body []byte) (out []string) {
	t.Helper()
	media, params, _ := mime.ParseMediaType(contentType)
	if media == "multipart/form-data" {
		form := multipart.NewReader(bytes.NewReader(body), params["boundary"])
		for part, err := form.NextPart(); err == nil; part, err = form.NextPart() {
			out = append(out, part.FormName())
		}
		return out
	}
	var object map[string]any
	if len(body) > 0 && json.Unmarshal(body, &object) != nil {
		t.Errorf("a body of %s", contentType)
	}
	return slices.Collect(maps.Keys(object))
}
