package chatbase

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/secret"
	"kbsyncd/internal/simulator"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/targettest"
)

const (
	testKey   = "cb-very-secret-0123456789"
	testAgent = "agt_1"
)

// routesOf are the simulator's routes behind the operations of the suite.
var routesOf = map[string][]string{
	"":                   {"*"},
	targettest.OpConnect: {"agent_get"},
	targettest.OpList:    {"source_list"},
	targettest.OpUpload:  {"source_create"},
	targettest.OpDelete:  {"source_delete"},
	targettest.OpRename:  {"source_update"},
	targettest.OpReplace: {"source_update"},
	targettest.OpReindex: {"train"},
}

// backend is the simulator as the suite sees it.
type backend struct {
	*targettest.Faults

	sim *simulator.Chatbase

	mu      sync.Mutex
	rejects []string // guarded by mu
}

// ServeHTTP refuses what is to be refused, before the simulator sees it.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	rejects := slices.Clone(b.rejects)
	b.mu.Unlock()
	if r.Method == http.MethodPost && len(rejects) > 0 {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		var sent struct{ Name string }
		if json.Unmarshal(body, &sent) == nil && slices.Contains(rejects, sent.Name) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":{"code":"VALIDATION_INVALID_BODY","message":"Invalid body","details":{"content":"not for us"}}}`)
			return
		}
	}
	b.sim.ServeHTTP(w, r)
}

func (b *backend) Documents() (out []targettest.Stored) {
	for _, d := range b.sim.Documents() {
		out = append(out, targettest.Stored{
			ID: targets.RemoteID(d.ID), Name: d.Name, Content: d.Content, Foreign: d.Foreign, Retired: d.Status == "toBeDeleted",
		})
	}
	return out
}

func (b *backend) Put(name string, content []byte) targets.RemoteID {
	return targets.RemoteID(b.sim.Put(testAgent, name, content))
}

func (b *backend) SetPage(address, text string) { b.sim.SetPage(address, text) }
func (b *backend) BreakPage(address string)     { b.sim.BreakPage(address) }

func (b *backend) PutLink(_, address string) targets.RemoteID {
	return targets.RemoteID(b.sim.PutLink(testAgent, address))
}

func (b *backend) Requests() int        { return len(b.sim.Requests()) }
func (b *backend) Violations() []string { return b.sim.Violations() }

func (b *backend) Live(name, content string) bool {
	return slices.ContainsFunc(b.sim.Documents(), func(d simulator.ChatbaseSource) bool {
		return d.IsLive && d.LiveName == name && string(d.Live) == content
	})
}

func (b *backend) Inject(f targettest.Fault) bool {
	if f.Reject == "" {
		return b.Faults.Inject(f)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rejects = append(b.rejects, f.Reject)
	return true
}

func (b *backend) Heal() {
	b.Faults.Heal()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rejects = nil
}

var hosts atomic.Int64

// testConfig is a configuration with an account of its own.
func testConfig() *Config {
	c := NewConfig()
	c.APIKey = secret.New(testKey)
	host := fmt.Sprintf("http://chatbase%d.test", hosts.Add(1))
	c.BaseURL, c.FilesURL = host+"/api/v2", host+"/files/api/v2"
	return c
}

// testOptions are options that collect the log and whose vendor is a handler.
func testOptions(t *testing.T, h http.Handler) (targets.Options, *targettest.Logs) {
	t.Helper()
	logs := &targettest.Logs{}
	return targets.Options{
		Name: "bot", UserAgent: "kbsyncd/test", Agent: testAgent, Transport: targettest.Serve(t, h),
		Logger: logs.Logger(),
	}, logs
}

// newPair makes a target and a simulator that talk through memory.
func newPair(t *testing.T, o simulator.ChatbaseOptions, change func(*Config)) (*Target, *backend, *targettest.Logs) {
	t.Helper()
	o.Key = testKey
	sim := simulator.NewChatbase(o)
	sim.AddAgent(testAgent, "Support bot")
	b := &backend{Faults: targettest.NewFaults(routesOf, sim.SetFaults), sim: sim}
	cfg := testConfig()
	if change != nil {
		change(cfg)
	}
	opts, logs := testOptions(t, b)
	target, err := cfg.open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = target.Close()
		sim.Close()
	})
	return target, b, logs
}

// withDashboard is a target whose owner presses the button in the dashboard now and then, as the older generations need.
type withDashboard struct {
	*Target

	sim *simulator.Chatbase
}

func (d withDashboard) Statuses(ctx context.Context, ids map[targets.RemoteID]string, fn func(targets.Remote)) error {
	d.sim.Retrain(testAgent)
	return d.Target.Statuses(ctx, ids, fn)
}

func (d withDashboard) Reindex(ctx context.Context, ids []targets.RemoteID) ([]targets.Result, error) {
	res, err := d.Target.Reindex(ctx, ids)
	if err == nil && len(res) > 0 && errors.Is(res[0].Err, fault.ErrConflict) { // the oldest generation has no such route
		d.sim.Retrain(testAgent)
		return d.Start(ctx, ids)
	}
	return res, err
}

func TestConformance(t *testing.T) {
	for name, o := range map[string]simulator.ChatbaseOptions{
		"plain":           {TrainDelay: 3 * time.Second, PurgeDelay: 10 * time.Second, StrictAgents: true},
		"slow":            {Latency: 200 * time.Millisecond, TrainDelay: 20 * time.Second, PurgeDelay: 5 * time.Second},
		"rate":            {Rate: 100},
		"low rate":        {Rate: 40, ResetSeconds: true, NoRetryAfter: true},
		"wrapped":         {WrapData: true, OriginalSize: true, TrainDelay: time.Second},
		"update any time": {UpdateWhileTraining: true, TrainDelay: 3 * time.Second},
		"other words":     {TrainingStatus: "indexing", TrainDelay: time.Second},
		"generation A":    {Generation: "A", TrainDelay: 2 * time.Second, MisspeltDeleted: true},
		"generation B":    {Generation: "B", TrainDelay: 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			targettest.Run(t, func(t *testing.T) targettest.Fixture {
				o.Seed = 7
				target, b, logs := newPair(t, o, nil)
				f := targettest.Fixture{
					Target: target, Backend: b, Secret: testKey, Logs: logs.String, Retries: true, Small: name != "plain",
				}
				if strings.HasPrefix(name, "generation") {
					f.Target = withDashboard{target, b.sim}
				}
				return f
			})
		})
	}
}
