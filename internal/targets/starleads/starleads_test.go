package starleads

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/secret"
	"kbsyncd/internal/simulator"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/targettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble runs fn with a target and a simulator where waiting takes no time.
func bubble(t *testing.T, o simulator.StarleadsOptions, change func(*Config), fn func(*testing.T, *Target, *simulator.Starleads, *targettest.Logs)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		target, sim, logs := newPair(t, o, change)
		fn(t, target, sim, logs)
		if v := sim.Violations(); len(v) > 0 {
			t.Errorf("rules broken: %q", v)
		}
	})
}

func mustConnect(t *testing.T, target *Target) targets.Store {
	t.Helper()
	st, err := target.Connect(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func rendition(name, content string) targets.Rendition {
	return targets.Rendition{
		Document: kb.Key("src/" + name), Name: name, Size: int64(len(content)), Digest: kb.Sum([]byte(content)), MediaType: "text/markdown",
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
	}
}

// routes counts the simulator's requests as "METHOD /path".
func routes(sim *simulator.Starleads) (out []string) {
	for _, r := range sim.Requests() {
		out = append(out, r.Method+" "+r.Path)
	}
	return out
}

func TestConnectCreates(t *testing.T) {
	bubble(t, simulator.StarleadsOptions{}, nil, func(t *testing.T, target *Target, sim *simulator.Starleads, _ *targettest.Logs) {
		if st, err := target.Connect(t.Context(), false); err != nil || st.ID != "" || len(sim.Datasets()) != 0 {
			t.Fatalf("without create: %+v, %v", st, err)
		}
		if err := target.List(t.Context(), nil); err != nil {
			t.Errorf("a dataset that does not exist lists as empty: %v", err)
		}
		if _, err := target.Upload(t.Context(), []targets.Rendition{rendition("a.md", "a")}); !errors.Is(err, fault.ErrSetup) {
			t.Errorf("upload without a dataset: %v", err)
		}
		sim.SetFaults(simulator.Faults{Next: []simulator.Fault{{Route: "dataset_create", Drop: true, AfterEffect: true}}})
		if st := mustConnect(t, target); st.ID == "" || st.Name != "Support handbook" || len(sim.Datasets()) != 1 {
			t.Errorf("lost answer: %+v, %v", st, sim.Datasets())
		}
		before := len(sim.Requests())
		mustConnect(t, target)
		if n := len(sim.Requests()) - before; n != 1 {
			t.Errorf("%d requests to connect again", n)
		}
	})
}

func TestConnectByID(t *testing.T) {
	for _, bad400 := range []bool{false, true} {
		bubble(t, simulator.StarleadsOptions{BadIDs400: bad400}, func(c *Config) { c.Dataset, c.DatasetID = "", "ds_of_somebody" },
			func(t *testing.T, target *Target, _ *simulator.Starleads, _ *targettest.Logs) {
				_, err := target.Connect(t.Context(), true)
				if !errors.Is(err, fault.ErrSetup) || !strings.Contains(err.Error(), "dataset_id") {
					t.Error(err)
				}
			})
	}
}

// fake is a vendor that answers with fixed words.
func fake(t *testing.T, change func(*Config), h http.HandlerFunc) *Target {
	t.Helper()
	return reach(t, change, targettest.Serve(t, h))
}

// reach is a target whose requests a transport carries.
func reach(t *testing.T, change func(*Config), by http.RoundTripper) *Target {
	t.Helper()
	cfg := NewConfig()
	cfg.APIKey, cfg.BaseURL, cfg.DatasetID = secret.New(testKey), "http://fake.test", "ds"
	if change != nil {
		change(cfg)
	}
	target, err := cfg.open(targets.Options{UserAgent: "kbsyncd/test", Transport: by})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target
}

func TestTwoDatasetsOfOneName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := fake(t, func(c *Config) { c.Dataset, c.DatasetID = "Twin", "" }, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"totalPages":1,"items":[{"id":"a","name":"Twin"},{"id":7,"name":"Twin"},{"id":"c","name":"twin"}]}`)
		})
		_, err := target.Connect(t.Context(), true)
		if !errors.Is(err, fault.ErrSetup) || !strings.Contains(err.Error(), "dataset_id: a") {
			t.Error(err)
		}
	})
}

func TestSettingsOfTheDataset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var patches []string
		parser := `{"chunkTokenNum":128,"delimiter":"\n","layoutRecognize":true}`
		target := fake(t, func(c *Config) {
			c.ChunkMethod, c.ParserConfig = "naive", map[string]any{"chunkTokenNum": 512, "layoutRecognize": true}
		}, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPatch {
				b, _ := io.ReadAll(r.Body)
				patches = append(patches, string(b))
				parser = `{"chunkTokenNum":512,"delimiter":"\n","layoutRecognize":true}`
			}
			fmt.Fprintf(w, `{"id":"ds","name":"x","chunkMethod":"naive","parserConfig":%s,"createdAt":null}`, parser)
		})
		if _, err := target.Connect(t.Context(), false); err != nil || len(patches) > 0 {
			t.Fatalf("without create: %v, %v", patches, err)
		}
		mustConnect(t, target)
		mustConnect(t, target)
		if diff := cmp.Diff([]string{`{"parserConfig":{"chunkTokenNum":512}}`}, patches); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPagingIsIgnored(t *testing.T) {
	for _, bare := range []bool{false, true} {
		bubble(t, simulator.StarleadsOptions{IgnorePaging: true, BareLists: bare}, nil,
			func(t *testing.T, target *Target, sim *simulator.Starleads, _ *targettest.Logs) {
				mustConnect(t, target)
				for i := range 120 {
					if i == 49 {
						n := 0
						if err := target.List(t.Context(), func(targets.Remote) error { n++; return nil }); err != nil || n != 49 {
							t.Errorf("one page: %d, %v", n, err)
						}
					}
					sim.Put("Support handbook", fmt.Sprintf("%d.md", i), []byte("x"), "done")
				}
				before := len(sim.Requests())
				err := target.List(t.Context(), func(targets.Remote) error { return nil })
				if !errors.Is(err, fault.ErrIncomplete) {
					t.Errorf("three pages: %v", err)
				}
				if n := len(sim.Requests()) - before; n > 10 {
					t.Errorf("%d requests", n)
				}
			})
	}
}

// shrinking is a list that loses its first document after each page.
type shrinking struct {
	mu    sync.Mutex
	ids   []string
	loses int
	bare  bool
}

func (s *shrinking) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	page, _ := strconv.Atoi(r.FormValue("PageNumber"))
	from := min((page-1)*50, len(s.ids))
	items := []map[string]string{}
	for _, id := range s.ids[from:min(from+50, len(s.ids))] {
		items = append(items, map[string]string{"id": id, "name": id + ".md"})
	}
	var out any = map[string]any{"currentPage": page, "totalPages": (len(s.ids) + 49) / 50, "pageSize": 50, "totalCount": len(s.ids), "items": items}
	if s.bare {
		out = items
	}
	_ = json.NewEncoder(w).Encode(out)
	if s.loses > 0 {
		s.loses--
		s.ids = s.ids[1:]
	}
}

func TestListThatShrinks(t *testing.T) {
	for _, loses := range []int{0, 1, 2, 7} {
		for _, concurrency := range []int{1, 2, 4} {
			synctest.Test(t, func(t *testing.T) {
				s := &shrinking{loses: loses}
				for i := range 170 {
					s.ids = append(s.ids, fmt.Sprintf("doc%03d", i))
				}
				target := fake(t, parallel(concurrency), s.ServeHTTP)
				got := map[string]bool{}
				err := target.List(t.Context(), func(r targets.Remote) error {
					got[string(r.ID)] = true
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				for _, id := range s.ids {
					if !got[id] {
						t.Errorf("%d at a time: after %d deletions %s is missing", concurrency, loses, id)
					}
				}
			})
		}
	}
	synctest.Test(t, func(t *testing.T) { // never comes to rest
		s := &shrinking{loses: 1 << 30, ids: slices.Repeat([]string{""}, 3000)}
		for i := range s.ids {
			s.ids[i] = strconv.Itoa(i)
		}
		if err := fake(t, nil, s.ServeHTTP).List(t.Context(), func(targets.Remote) error { return nil }); !errors.Is(err, fault.ErrIncomplete) {
			t.Error(err)
		}
	})
}

// A total that is wrong for good must not make a list unreadable.
func TestTotalIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := fake(t, nil, func(w http.ResponseWriter, r *http.Request) {
			items := `{"id":"a","name":"a.md"},{"id":"b","name":"b.md"}`
			if r.FormValue("PageNumber") != "1" {
				items = ""
			}
			fmt.Fprintf(w, `{"totalPages":3,"totalCount":120,"items":[%s]}`, items)
		})
		n := 0
		if err := target.List(t.Context(), func(targets.Remote) error { n++; return nil }); err != nil || n != 2 {
			t.Errorf("%d, %v", n, err)
		}
	})
}

func TestDeletionThatIsOnlySaidToBeDone(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusNotFound} {
		synctest.Test(t, func(t *testing.T) {
			lists := 0
			target := fake(t, nil, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodDelete {
					w.WriteHeader(status)
					_, _ = io.WriteString(w, `{"title":"x","detail":"No document exists with documentId : 1"}`)
					return
				}
				lists++
				_, _ = io.WriteString(w, `[{"id":"there","name":"there.md"}]`)
			})
			res, err := target.Delete(t.Context(), []targets.RemoteID{"gone", "there", "gone too"})
			if err != nil || res[0].Err != nil || res[2].Err != nil || !errors.Is(res[1].Err, fault.ErrRejected) || lists != 1 {
				t.Errorf("%+v, %v, %d listings", res, err, lists)
			}
		})
	}
}

func TestDeleteWhileParsing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		target := fake(t, nil, func(w http.ResponseWriter, r *http.Request) {
			got = append(got, r.Method+" "+r.URL.Path)
			if r.Method == http.MethodDelete && len(got) == 1 {
				w.WriteHeader(http.StatusConflict)
				_, _ = io.WriteString(w, `{"detail":"The document is currently being processed."}`)
			}
		})
		res, err := target.Delete(t.Context(), []targets.RemoteID{"d/1"})
		if err != nil || res[0].Err != nil {
			t.Errorf("%+v, %v", res, err)
		}
		want := []string{"DELETE /Dataset/ds/document/d/1", "POST /Dataset/ds/document/stop-parsing", "DELETE /Dataset/ds/document/d/1"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestStatusesAsksForFewByName(t *testing.T) {
	bubble(t, simulator.StarleadsOptions{}, nil, func(t *testing.T, target *Target, sim *simulator.Starleads, _ *targettest.Logs) {
		mustConnect(t, target)
		for i := range 130 {
			sim.Put("Support handbook", fmt.Sprintf("%d.md", i), []byte("x"), "done")
		}
		res, err := target.Upload(t.Context(), []targets.Rendition{rendition("mine.kbaaaaaaaaaaaaaaa-0000000000.md", "x")})
		if err != nil || res[0].Err != nil {
			t.Fatal(err, res)
		}
		before := len(sim.Requests())
		n := 0
		err = target.Statuses(t.Context(), map[targets.RemoteID]string{res[0].ID: "mine.kbaaaaaaaaaaaaaaa-0000000000.md"}, func(r targets.Remote) {
			n++
			if r.Status != targets.StatusWaiting || r.Word != "pending" {
				t.Errorf("%+v", r)
			}
		})
		if err != nil || n != 1 || len(sim.Requests())-before != 1 {
			t.Errorf("%d, %v, %d requests", n, err, len(sim.Requests())-before)
		}
	})
}

func TestRestartOfAStalledDocument(t *testing.T) {
	bubble(t, simulator.StarleadsOptions{}, nil, func(t *testing.T, target *Target, sim *simulator.Starleads, _ *targettest.Logs) {
		mustConnect(t, target)
		res, _ := target.Upload(t.Context(), []targets.Rendition{rendition("a.md", "x")})
		sim.SetFaults(simulator.Faults{ParseStall: func(string) bool { return true }})
		if _, err := target.Start(t.Context(), []targets.RemoteID{res[0].ID}); err != nil {
			t.Fatal(err)
		}
		sim.SetFaults(simulator.Faults{})
		for range 2 { // the second one stops what does not run
			if err := target.Restart(t.Context(), res[0].ID); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(time.Second)
		if d := sim.Documents()[0]; !d.Searchable {
			t.Errorf("%+v", d)
		}
		if err := target.Restart(t.Context(), "nothing"); !errors.Is(err, fault.ErrNotFound) {
			t.Error(err)
		}
	})
}

func TestUnknownStatusKeepsWaiting(t *testing.T) {
	bubble(t, simulator.StarleadsOptions{}, nil, func(t *testing.T, target *Target, _ *simulator.Starleads, logs *targettest.Logs) {
		for range 3 {
			if r := target.remote(document{ID: "x", Status: "Pondering"}); r.Status != targets.StatusWorking {
				t.Error(r.Status)
			}
		}
		if n := strings.Count(logs.String(), "Pondering"); n != 1 {
			t.Errorf("logged %d times", n)
		}
	})
}

// The body must have its length in front and hold what the documents hold, whatever their names.
func TestUploadBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const big = 2_000_000
		names := []string{"über straße.md", `a"b.md`, "日本語.pdf"}
		target := fake(t, nil, func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength < 3*big {
				t.Errorf("Content-Length %d", r.ContentLength)
			}
			_, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
			mr := multipart.NewReader(r.Body, params["boundary"])
			var docs []map[string]any
			for {
				p, err := mr.NextPart()
				if err != nil {
					break
				}
				n, _ := io.Copy(io.Discard, p)
				name := strings.ReplaceAll(p.FileName(), "%22", `"`)
				if p.FormName() != "files" || n != big || p.Header.Get("Content-Type") != "text/x" {
					t.Errorf("%s %s %d %s", p.FormName(), name, n, p.Header.Get("Content-Type"))
				}
				docs = append([]map[string]any{{"id": len(docs) + 1, "name": name, "size": strconv.FormatInt(n, 10), "status": nil}}, docs...)
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"data": docs})
		})
		var batch []targets.Rendition
		for _, n := range names {
			batch = append(batch, targets.Rendition{Name: n, Size: big, MediaType: "text/x", Open: func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(io.LimitReader(ones{}, big)), nil
			}})
		}
		res, err := target.Upload(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range res {
			if r.Err != nil || r.ID != targets.RemoteID(strconv.Itoa(i+1)) {
				t.Errorf("%+v", r)
			}
		}
	})
}

type ones struct{}

func (ones) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 1
	}
	return len(p), nil
}

func TestSecondCopyIsMerged(t *testing.T) {
	bubble(t, simulator.StarleadsOptions{}, nil, func(t *testing.T, target *Target, sim *simulator.Starleads, _ *targettest.Logs) {
		mustConnect(t, target)
		first := sim.Put("Support handbook", "a.md", []byte("text"), "done")
		res, err := target.Upload(t.Context(), []targets.Rendition{rendition("a.md", "text"), rendition("b.md", "other")})
		if err != nil || res[0].Err != nil || string(res[0].ID) != first || res[0].Status != targets.StatusDone || res[0].Name != "" {
			t.Errorf("%+v, %v", res, err)
		}
		if n := len(sim.Documents()); n != 2 {
			t.Errorf("%d documents", n)
		}
		// Under the name stands something else: the copy is the only one that holds these bytes.
		sim.Put("Support handbook", "c.md", []byte("something else"), "done")
		res, err = target.Upload(t.Context(), []targets.Rendition{rendition("c.md", "text")})
		if err != nil || res[0].Err != nil || res[0].Name != "c(1).md" || len(sim.Documents()) != 4 {
			t.Errorf("%+v, %v", res, err)
		}
	})
}

func TestChatKeepsItsOtherDatasets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for datasets, want := range map[string]string{
			`["one","two"]`: `{"datasetIds":["one","two","ds"]}`,
			`null`:          `{"datasetIds":["ds"]}`,
			`["ds"]`:        "",
			`"?"`:           "", // cannot be read, so nothing is written
		} {
			var patch string
			target := fake(t, func(c *Config) { c.ChatID = "ch" }, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodPatch:
					b, _ := io.ReadAll(r.Body)
					patch = string(b)
				case strings.HasPrefix(r.URL.Path, "/Agent/") && r.Method == http.MethodGet:
					w.WriteHeader(http.StatusNoContent)
				case r.Method == http.MethodPut:
					_, _ = io.WriteString(w, `{"agentId":"a","chatId":"ch","chatName":"c"}`)
				default:
					d := datasets
					if patch != "" {
						d = strings.TrimSuffix(strings.TrimPrefix(patch, `{"datasetIds":`), "}")
					}
					fmt.Fprintf(w, `{"id":"ch","name":"c","datasetIds":%s}`, d)
				}
			})
			res, err := target.Link(t.Context(), targets.LinkRequest{Want: []string{"a"}, Searchable: true})
			if err != nil || patch != want {
				t.Errorf("%s: patched %q, %+v, %v", datasets, patch, res, err)
			}
			if (len(res.Problems) == 1) != (datasets == `"?"`) {
				t.Errorf("%s: %+v", datasets, res)
			}
		}
	})
}

func TestTakeOver(t *testing.T) {
	bubble(t, simulator.StarleadsOptions{AllowEmptyChat: true}, func(c *Config) { c.TakeOver = true },
		func(t *testing.T, target *Target, sim *simulator.Starleads, _ *targettest.Logs) {
			mustConnect(t, target)
			sim.Connect("agt", "Another chat")
			res, err := target.Link(t.Context(), targets.LinkRequest{Want: []string{"agt", "agt"}, Searchable: true})
			if err != nil || !slices.Equal(res.Assigned, []string{"agt"}) || len(res.Problems) > 0 {
				t.Errorf("%+v, %v", res, err)
			}
			if _, datasets := sim.AgentChat("agt"); len(datasets) != 1 {
				t.Errorf("datasets %v", datasets)
			}
		})
}

func TestLinkWithoutChat(t *testing.T) {
	bubble(t, simulator.StarleadsOptions{}, func(c *Config) { c.Chat = "" }, func(t *testing.T, target *Target, sim *simulator.Starleads, _ *targettest.Logs) {
		if res, err := target.Link(t.Context(), targets.LinkRequest{}); err != nil || len(res.Problems) > 0 {
			t.Errorf("%+v, %v", res, err)
		}
		res, err := target.Link(t.Context(), targets.LinkRequest{Want: []string{"a"}, Ours: []string{"a", "b"}, Searchable: true})
		if err != nil || len(res.Problems) != 1 || len(res.Ours) != 2 || len(sim.Requests()) > 0 {
			t.Errorf("%+v, %v", res, err)
		}
	})
}

// Agents and chat may leave the configuration together.
func TestReleaseWithoutChat(t *testing.T) {
	for _, tell := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var asked []string
			target := fake(t, nil, func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.Method+" "+r.URL.Path)
				switch agent := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/Agent/"), "/chat"); {
				case r.URL.Path == "/Dataset/ds":
					_, _ = io.WriteString(w, `{"id":"ds","name":"d"}`)
				case r.Method == http.MethodDelete || agent == "none":
					w.WriteHeader(http.StatusNoContent)
				case agent == "gone":
					w.WriteHeader(http.StatusNotFound)
				case r.URL.Path == "/KnowledgeBaseChat/c-short" && tell:
					_, _ = io.WriteString(w, `{"id":"c-short","datasetIds":["ds"]}`)
				case r.URL.Path == "/KnowledgeBaseChat/c-short" || agent == "short":
					_, _ = io.WriteString(w, `{"id":"c-short"}`)
				case agent == "theirs":
					_, _ = io.WriteString(w, `{"id":"c2","datasetIds":["other"]}`)
				default:
					_, _ = io.WriteString(w, `{"id":"c1","datasetIds":["other","ds"]}`)
				}
			})
			mustConnect(t, target)
			for _, dry := range []bool{true, false} {
				asked = nil
				res, err := target.Link(t.Context(), targets.LinkRequest{Ours: []string{"gone", "none", "ours", "theirs", "short"}, DryRun: dry})
				want := []string{"ours"}
				if tell {
					want = append(want, "short")
				}
				if err != nil || !slices.Equal(res.Unassigned, want) || len(res.Ours) > 0 || (len(res.Problems) == 0) != tell {
					t.Errorf("told %v, dry %v: %+v, %v", tell, dry, res, err)
				}
				if slices.Contains(asked, "DELETE /Agent/ours/chat") == dry || slices.Contains(asked, "DELETE /Agent/theirs/chat") {
					t.Errorf("dry %v: %q", dry, asked)
				}
			}
		})
	}
}

func TestGraph(t *testing.T) {
	graph := func(c *Config) { c.KnowledgeGraph = KnowledgeGraph{Enabled: true, EntityTypes: []string{"product"}} }
	bubble(t, simulator.StarleadsOptions{ParseDelay: time.Minute}, graph, func(t *testing.T, target *Target, sim *simulator.Starleads, _ *targettest.Logs) {
		id := mustConnect(t, target).ID
		sim.Put("Support handbook", "a.md", []byte("x"), "done")
		sim.ResetRequests()
		if err := target.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := target.Finish(t.Context()); !errors.Is(err, targets.ErrLater) {
			t.Errorf("while it is being built: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if err := target.Finish(t.Context()); err != nil {
			t.Errorf("once it is built: %v", err)
		}
		at := "/Dataset/" + id + "/knowledge-graph/"
		want := []string{
			"GET " + at + "status", "POST " + at + "build", "POST " + at + "enable", "POST " + at + "build", "GET " + at + "status",
			"GET " + at + "status", "POST " + at + "build",
		}
		if diff := cmp.Diff(want, routes(sim)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDatasetVanished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := fake(t, nil, http.NotFound)
		err := target.List(t.Context(), func(targets.Remote) error { return nil })
		if !errors.Is(err, fault.ErrSetup) || !strings.Contains(err.Error(), "routes.document_list") {
			t.Error(err)
		}
	})
}
