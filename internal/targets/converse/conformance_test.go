package converse

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kbsyncd/internal/simulator"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/targettest"
)

// routesOf are the simulator's routes behind the operations of the suite.
var routesOf = map[string][]string{
	"":                    {"*"},
	targettest.OpConnect:  {"agent_list"},
	targettest.OpList:     {"knowledge_list"},
	targettest.OpUpload:   {"knowledge_ingest_text", "knowledge_ingest_url", "knowledge_upload"},
	targettest.OpDelete:   {"knowledge_delete"},
	targettest.OpStatuses: {"knowledge_list", "knowledge_chunks"},
	targettest.OpReindex:  {"knowledge_reindex"},
	targettest.OpSearch:   {"knowledge_query"},
	targettest.OpAssigned: {"agent_knowledge"},
	targettest.OpAssign:   {"agent_assign"},
	targettest.OpUnassign: {"agent_unassign"},
	targettest.OpAgent:    {"agent_get"},
}

// backend is the simulator as the suite sees it.
type backend struct {
	*targettest.Faults

	sim *simulator.Converse

	mu      sync.Mutex // guards all below
	put     map[string]bool
	history map[string][]map[targets.RemoteID]bool
}

// ServeHTTP passes a request on and notes what the agents hold afterwards.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer b.snapshot()
	b.sim.ServeHTTP(w, r)
}

func (b *backend) snapshot() {
	for _, agent := range b.sim.Agents() {
		held := map[targets.RemoteID]bool{}
		for _, id := range b.Held(agent) {
			held[id] = true
		}
		b.mu.Lock()
		if h := b.history[agent]; len(h) == 0 || !maps.Equal(h[len(h)-1], held) {
			b.history[agent] = append(h, held)
		}
		b.mu.Unlock()
	}
}

func (b *backend) HeldSoFar(agent string) []map[targets.RemoteID]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.history[agent])
}

func (b *backend) Documents() (out []targettest.Stored) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range b.sim.Documents() {
		out = append(out, targettest.Stored{ID: targets.RemoteID(d.ID), Name: d.Name, Content: d.Content, Foreign: b.put[d.ID]})
	}
	return out
}

func (b *backend) Put(name string, content []byte) targets.RemoteID {
	id := b.sim.Put(name, content)
	return b.foreign(id)
}

// foreign notes that a document is somebody else's.
func (b *backend) foreign(id string) targets.RemoteID {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.put[id] = true
	return targets.RemoteID(id)
}

func (b *backend) SetPage(address, text string) { b.sim.SetPage(address, text) }
func (b *backend) BreakPage(address string)     { b.sim.BreakPage(address) }

func (b *backend) PutLink(name, address string) targets.RemoteID {
	return b.foreign(b.sim.PutLink(name, address))
}

func (b *backend) AddAgent(id string)                     { b.sim.AddAgent(id) }
func (b *backend) Give(agent string, id targets.RemoteID) { b.sim.Give(agent, string(id)) }
func (b *backend) Requests() int                          { return len(b.sim.Requests()) }
func (b *backend) Violations() []string                   { return b.sim.Violations() }

func (b *backend) Held(agent string) (out []targets.RemoteID) {
	for _, id := range b.sim.Held(agent) {
		out = append(out, targets.RemoteID(id))
	}
	return out
}

// pair makes a target and a simulator that talk through memory.
func pair(t *testing.T, o simulator.ConverseOptions, change func(*Config)) (*Target, *backend, *targettest.Logs) {
	t.Helper()
	o.Key, o.Seed = testKey, 7
	sim := simulator.NewConverse(o)
	b := &backend{Faults: targettest.NewFaults(routesOf, sim.SetFaults), sim: sim, put: map[string]bool{}, history: map[string][]map[targets.RemoteID]bool{}}
	target, logs := open(t, b, change)
	t.Cleanup(b.sim.Close)
	return target, b, logs
}

func TestConformance(t *testing.T) {
	none := simulator.ConverseNone
	for name, o := range map[string]simulator.ConverseOptions{
		"plain": {IndexDelay: 3 * time.Second},
		"limited": {
			Rate: 4, Latency: 200 * time.Millisecond, IndexDelay: 20 * time.Second, UniqueNames: true, StrictAssign: true, DetailList: true,
			EmptyDelete: true,
		},
		"next": {
			ListShape: "documents", IDField: "_id", NameField: "title", StatusField: "state", ReadyWord: "Active", CreateWrap: "document",
			Paging: simulator.ConverseNext, PageSize: 7,
		},
		"cursor": {
			ListShape: "items", IDField: "uuid", NameField: "filename", StatusField: "processing_status", ReadyWord: "SUCCESS", CreateWrap: "data",
			Paging: simulator.ConverseCursor, PageSize: 7, StrictAssign: true,
		},
		"pages": {
			ListShape: "data.items", IDField: "doc_id", NameField: "file_name", ReadyWord: "completed", WorkWord: "embedding",
			Paging: simulator.ConversePages, PageSize: 50, ErrorField: "failure_reason", FailWord: "Errored",
		},
		"numbers": {
			ListShape: "data", NumericIDs: true, IDField: "document_id", StatusField: none, ChunkCountField: "num_chunks", IndexDelay: 5 * time.Second,
			UniqueNames: true,
		},
		"silent": {ListShape: "results", StatusField: none, ChunkCountField: none, IndexDelay: 5 * time.Second, Latency: 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			targettest.Run(t, func(t *testing.T) targettest.Fixture {
				target, b, logs := pair(t, o, func(c *Config) {
					if o.Rate > 0 {
						c.Rate = 2 * o.Rate
					}
				})
				return targettest.Fixture{Target: target, Backend: b, Secret: testKey, Logs: logs.String, Retries: true, Small: name != "plain"}
			})
		})
	}
}

// Test mode has documents of its own, and says so in every request.
func TestModeTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := simulator.ConverseOptions{Paging: simulator.ConverseNext, PageSize: 1, StatusField: simulator.ConverseNone, ChunkCountField: simulator.ConverseNone}
		target, b, logs := pair(t, o, func(c *Config) { c.Mode = modeTest })
		b.AddAgent("ann")
		st, err := target.Connect(t.Context(), true)
		if err != nil || st.ID != "knowledge-test" || !strings.Contains(st.Name, "test mode") || !strings.Contains(logs.String(), "test mode") {
			t.Errorf("%+v, %v", st, err)
		}
		ids := map[targets.RemoteID]string{}
		var all []targets.RemoteID
		for _, name := range []string{"a.kbaaaaaaaaaaaaaaa-0000000000.md", "b.kbaaaaaaaaaaaaaab-0000000000.txt", "c.kbaaaaaaaaaaaaaac-0000000000.md"} {
			res, err := target.Upload(t.Context(), []targets.Rendition{rendition(name, "zebra")})
			if err != nil || res[0].Err != nil {
				t.Fatal(res, err)
			}
			ids[res[0].ID] = name
			all = append(all, res[0].ID)
		}
		_, reindexed := target.Reindex(t.Context(), all)
		_, searched := target.Search(t.Context(), "zebra", 3)
		held, assigned := target.Assigned(t.Context(), "ann")
		if err := errors.Join(
			reindexed, searched, assigned, target.Statuses(t.Context(), ids, func(targets.Remote) {}),
			target.Assign(t.Context(), "ann", all[:2], all[2:]), target.Assign(t.Context(), "ann", nil, all),
		); err != nil {
			t.Fatal(held, err)
		}
		if _, err := target.Delete(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		if live, test := b.sim.Documents(), b.sim.TestDocuments(); len(live)+len(test) > 0 {
			t.Errorf("%v in the live store, %v in the other one", live, test)
		}
		for _, r := range b.sim.Requests() {
			if q, err := url.ParseQuery(r.Query); err != nil || !slices.Equal(q["mode"], []string{"test"}) {
				t.Errorf("%s %s?%s", r.Method, r.Path, r.Query)
			}
		}
		if v := b.sim.Violations(); len(v) > 0 {
			t.Errorf("rules broken: %q", v)
		}
	})
}

// A test mode that keeps nothing and answers everything with the same data shows that the key and the paths are right, no more.
func TestModeTestOfInventedData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, b, _ := pair(t, simulator.ConverseOptions{MockTest: true}, func(c *Config) { c.Mode = modeTest })
		if _, err := target.Connect(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		var ids []targets.RemoteID
		for _, name := range []string{"a.md", "b.txt"} {
			res, err := target.Upload(t.Context(), []targets.Rendition{rendition(name, "text")})
			if err != nil || res[0].Err != nil || res[0].ID == "" || slices.Contains(ids, res[0].ID) || res[0].Status != targets.StatusDone {
				t.Fatalf("%+v, %v after %v", res, err, ids)
			}
			ids = append(ids, res[0].ID)
		}
		_, assigned := target.Assigned(t.Context(), "ann")
		_, deleted := target.Delete(t.Context(), ids)
		if err := errors.Join(assigned, deleted, target.Assign(t.Context(), "ann", ids[:1], ids[1:])); err != nil {
			t.Error(err)
		}
		if len(b.sim.Documents()) > 0 {
			t.Errorf("the live store holds %v", b.sim.Documents())
		}
	})
}

// What the vendor lost the chunks of is found without chunks, and indexed anew.
func TestLostChunks(t *testing.T) {
	none := simulator.ConverseNone
	for name, o := range map[string]simulator.ConverseOptions{
		"status and count": {}, "status": {ChunkCountField: none}, "count": {StatusField: none}, "neither": {StatusField: none, ChunkCountField: none},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o.IndexDelay = 2 * time.Second
				o.LoseChunks = func(string) bool { return true }
				target, _, _ := pair(t, o, nil)
				res, err := target.Upload(t.Context(), []targets.Rendition{rendition("a.md", "text")})
				if err != nil || res[0].Err != nil {
					t.Fatal(res, err)
				}
				state := func() (got targets.Remote) {
					<-time.After(10 * time.Second)
					if err := target.Statuses(t.Context(), map[targets.RemoteID]string{res[0].ID: "a.md"}, func(r targets.Remote) { got = r }); err != nil {
						t.Fatal(err)
					}
					return got
				}
				switch got := state(); {
				case name == "status": // nothing tells that the status is wrong
				case name == "status and count" && (got.Status != targets.StatusFailed || got.Detail != "no chunks"),
					name != "status and count" && got.Status != targets.StatusWorking:
					t.Errorf("without chunks it is %+v", got)
				}
				if err := target.Restart(t.Context(), res[0].ID); err != nil {
					t.Fatal(err)
				}
				if got := state(); got.Status != targets.StatusDone {
					t.Errorf("afterwards it is %+v", got)
				}
			})
		})
	}
}
