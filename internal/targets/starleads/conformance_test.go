package starleads

import (
	"bytes"
	"log/slog"
	"maps"
	"net/http"
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
	sim *simulator.Starleads

	mu      sync.Mutex
	faults  simulator.Faults
	rejects []string
	put     map[string]bool
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

func (b *backend) Inject(f targettest.Fault) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, route := range routesOf[f.Op] {
		switch {
		case f.Reject != "":
			b.rejects = append(b.rejects, f.Reject)
			rejects := slices.Clone(b.rejects)
			b.faults.Reject = func(name string) bool { return slices.Contains(rejects, name) }
		case f.Chance > 0:
			b.faults.Before, b.faults.After = add(b.faults.Before, route, f.Chance/2), add(b.faults.After, route, f.Chance/2)
		case f.Cut:
			b.faults.Cut = add(b.faults.Cut, route, 1)
		default:
			one := simulator.Fault{Route: route, Status: f.Status, Body: f.Body, AfterEffect: f.AfterEffect, Drop: f.Drop, Delay: f.Delay}
			if f.RetryAfter != "" {
				one.Header = http.Header{"Retry-After": {f.RetryAfter}}
			}
			n := f.Times
			if n == 0 {
				n = 1000
			}
			b.faults.Next = append(b.faults.Next, slices.Repeat([]simulator.Fault{one}, n)...)
		}
	}
	b.sim.SetFaults(b.faults)
	return true
}

func add(m map[string]float64, route string, p float64) map[string]float64 {
	m = maps.Clone(m)
	if m == nil {
		m = map[string]float64{}
	}
	m[route] = p
	return m
}

func (b *backend) Heal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults, b.rejects = simulator.Faults{}, nil
	b.sim.SetFaults(b.faults)
}

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

// newPair makes a target and a simulator that talk through memory.
func newPair(t *testing.T, o simulator.StarleadsOptions, change func(*Config)) (*Target, *simulator.Starleads, *logBuffer) {
	t.Helper()
	o.Key = testKey
	sim := simulator.NewStarleads(o)
	cfg := NewConfig()
	cfg.APIKey = secret.New(testKey)
	cfg.BaseURL = "http://starleads.test"
	cfg.Dataset, cfg.Chat = "Support handbook", "Support assistant"
	cfg.transport = targettest.Serve(t, sim)
	if change != nil {
		change(cfg)
	}
	logs := &logBuffer{}
	target, err := cfg.open(targets.Options{
		Name: "support", UserAgent: "kbsyncd/test",
		Logger: slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
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
		"bare lists":     {BareLists: true},
		"upper status":   {UpperStatus: true, ParseDelay: time.Second},
		"bad ids 400":    {BadIDs400: true},
		"shuffled":       {ShuffledUpload: true},
		"numeric ids":    {NumericIDs: true},
		"no status":      {NoStatus: true},
		"mixed batch":    {MixedBatch500: true},
		"rename resets":  {RenameResets: true},
		"everything":     {BareLists: true, UpperStatus: true, BadIDs400: true, ShuffledUpload: true, NumericIDs: true, NoStatus: true, MixedBatch500: true, RenameResets: true},
		"small requests": {MaxBody: 4000},
	} {
		t.Run(name, func(t *testing.T) {
			targettest.Run(t, func(t *testing.T) targettest.Fixture {
				o.Seed = 7
				target, sim, logs := newPair(t, o, nil)
				return targettest.Fixture{
					Target: target, Backend: &backend{sim: sim, put: map[string]bool{}}, Secret: testKey, Logs: logs.String, Retries: true,
					Small: name != "plain",
				}
			})
		})
	}
}
