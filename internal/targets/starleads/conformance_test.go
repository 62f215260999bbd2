package starleads

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kbsyncd/internal/secret"
	"kbsyncd/internal/simulator"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/targettest"
)

const testKey = "sk-very-secret-0123456789"

// routesOf are the simulator's routes behind the operations of the suite.
var routesOf = map[string][]string{
	"":                    {"*"},
	targettest.OpConnect:  {"dataset_list"},
	targettest.OpCreate:   {"dataset_create"},
	targettest.OpList:     {"document_list"},
	targettest.OpUpload:   {"document_upload"},
	targettest.OpDelete:   {"document_delete"},
	targettest.OpStart:    {"document_parse"},
	targettest.OpRename:   {"document_update"},
	targettest.OpDownload: {"document_download"},
}

// backend is the simulator as the suite sees it.
type backend struct {
	*targettest.Faults

	sim *simulator.Starleads

	mu  sync.Mutex
	put map[string]bool // guarded by mu
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
	id := b.sim.Put("Support handbook", name, content, simulator.StatusDone)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.put[id] = true
	return targets.RemoteID(id)
}

func (b *backend) Requests() int              { return len(b.sim.Requests()) }
func (b *backend) AddAgent(id string)         { b.sim.AddAgent(id) }
func (b *backend) ConnectElsewhere(id string) { b.sim.Connect(id, "Another chat") }
func (b *backend) Linked(id string) bool      { _, ds := b.sim.AgentChat(id); return len(ds) > 0 }

// Violations leaves out requests above a limit that only the simulator knows.
func (b *backend) Violations() []string {
	return slices.DeleteFunc(b.sim.Violations(), func(v string) bool { return strings.Contains(v, "a request above 4000 bytes") })
}

// newPair makes a target and a simulator that talk through memory.
func newPair(t *testing.T, o simulator.StarleadsOptions, change func(*Config)) (*Target, *simulator.Starleads, *targettest.Logs) {
	t.Helper()
	o.Key = testKey
	sim := simulator.NewStarleads(o)
	cfg := NewConfig()
	cfg.APIKey = secret.New(testKey)
	cfg.BaseURL = "http://starleads.test"
	cfg.Dataset, cfg.Chat = "Support handbook", "Support assistant"
	if change != nil {
		change(cfg)
	}
	logs := &targettest.Logs{}
	target, err := cfg.open(targets.Options{
		Name: "support", UserAgent: "kbsyncd/test", Transport: targettest.Serve(t, sim),
		Logger: logs.Logger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = target.Close()
		sim.Close()
	})
	return target, sim, logs
}

func TestConformance(t *testing.T) {
	for name, o := range map[string]simulator.StarleadsOptions{
		"plain":          {ParseDelay: 3 * time.Second},
		"slow":           {Latency: 200 * time.Millisecond, ParseDelay: 20 * time.Second, ParseSlots: 2},
		"rate":           {Rate: 4},
		"names":          {BadIDs400: true, ShuffledUpload: true, NumericIDs: true},
		"statuses":       {BareLists: true, UpperStatus: true, RenameResets: true, ParseDelay: time.Second},
		"no status":      {NoStatus: true, MixedBatch500: true},
		"everything":     {BareLists: true, UpperStatus: true, BadIDs400: true, ShuffledUpload: true, NumericIDs: true, NoStatus: true, MixedBatch500: true, RenameResets: true},
		"small requests": {MaxBody: 4000},
	} {
		t.Run(name, func(t *testing.T) {
			targettest.Run(t, func(t *testing.T) targettest.Fixture {
				o.Seed = 7
				target, sim, logs := newPair(t, o, nil)
				return targettest.Fixture{
					Target:  target,
					Backend: &backend{Faults: targettest.NewFaults(routesOf, sim.SetFaults), sim: sim, put: map[string]bool{}},
					Secret:  testKey, Logs: logs.String, Retries: true, Small: name != "plain",
				}
			})
		})
	}
}
