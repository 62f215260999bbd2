package hamsa

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/simulator"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/targettest"
)

// routesOf are the simulator's routes behind the operations of the suite. Without a route to delete by, what ends the use of
// an item is its new name.
var routesOf = map[string][]string{
	"":                    {"*"},
	targettest.OpConnect:  {"project_get"},
	targettest.OpList:     {"item_list"},
	targettest.OpUpload:   {"item_create"},
	targettest.OpDelete:   {"item_update"},
	targettest.OpRename:   {"item_update"},
	targettest.OpStatuses: {"item_get"},
	targettest.OpAssigned: {"agent_get"},
	targettest.OpAssign:   {"agent_update"},
	targettest.OpUnassign: {"agent_update"},
}

// backend is the simulator as the suite sees it.
type backend struct {
	*targettest.Faults

	sim *simulator.Hamsa
	// vague: an answer to a creation need not tell the id, so one that arrives after the end of the context is of no use.
	vague bool

	mu  sync.Mutex
	put map[string]bool // guarded by mu
}

var _ targettest.AgentDocuments = (*backend)(nil)

func (b *backend) Documents() (out []targettest.Stored) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range b.sim.Documents() {
		out = append(out, targettest.Stored{
			ID: targets.RemoteID(d.ID), Name: d.Name, Content: d.Content, Foreign: b.put[d.ID], Retired: strings.HasSuffix(d.Name, retiredMark),
		})
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

// Violations leaves out what the suite does on purpose: it gives an agent a document that was deleted.
func (b *backend) Violations() []string {
	return slices.DeleteFunc(b.sim.Violations(), func(v string) bool { return strings.Contains(v, "there is no item with the id") })
}

func (b *backend) Requests() int                          { return len(b.sim.Requests()) }
func (b *backend) AddAgent(id string)                     { b.sim.AddAgent(id) }
func (b *backend) Give(agent string, id targets.RemoteID) { b.sim.Give(agent, string(id)) }

func (b *backend) Held(agent string) (out []targets.RemoteID) {
	for _, id := range b.sim.Held(agent) {
		out = append(out, targets.RemoteID(id))
	}
	return out
}

func (b *backend) Inject(f targettest.Fault) bool {
	if f.Cut && f.Times > 0 || b.vague && f.Op == targettest.OpUpload && f.Delay > 0 && !f.AfterEffect {
		return false
	}
	return b.Faults.Inject(f)
}

// oneLister lists once at a time: the simulator loses items in every second listing, whoever reads it, so two that go on
// together could both miss the same items for ever.
type oneLister struct {
	*Target

	turn chan struct{} // holds a token while somebody lists
}

func (o oneLister) List(ctx context.Context, fn func(targets.Remote) error) error {
	o.turn <- struct{}{}
	defer func() { <-o.turn }()
	return o.Target.List(ctx, fn)
}

func TestConformance(t *testing.T) {
	for name, v := range map[string]struct {
		o   simulator.HamsaOptions
		try bool // to delete
	}{
		"plain": {o: simulator.HamsaOptions{ProcessDelay: 3 * time.Second}},
		"rate":  {o: simulator.HamsaOptions{Rate: 1}},
		"slow": {o: simulator.HamsaOptions{
			CreateReply: simulator.HamsaItems, IDs: simulator.HamsaIDNull, NoProject: true, Latency: 200 * time.Millisecond, ProcessDelay: 20 * time.Second,
		}},
		"no id": {o: simulator.HamsaOptions{
			CreateReply: simulator.HamsaNoID, IDs: simulator.HamsaIDMissing, DeleteStatus: http.StatusMethodNotAllowed, NestErrors: true,
		}, try: true},
		"no data":         {o: simulator.HamsaOptions{CreateReply: simulator.HamsaNoData, SuccessFalse: true}, try: true},
		"items come back": {o: simulator.HamsaOptions{RepeatItems: true, MaxTake: 7}},
		"items are lost":  {o: simulator.HamsaOptions{LoseItems: true}},
		"deletes":         {o: simulator.HamsaOptions{AllowDelete: true, SuccessFalse: true}, try: true},
		"messy": {o: simulator.HamsaOptions{
			SuccessFalse: true, NestErrors: true, NumericExtension: true, RepeatItems: true, IgnoreSearch: true, MaxTake: 10, NoProject: true,
			CreateReply: simulator.HamsaArray, IDs: simulator.HamsaIDText, WorkWords: []string{"QUEUED", "EMBEDDING?"}, ProcessDelay: 3 * time.Second,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			targettest.Run(t, func(t *testing.T) targettest.Fixture {
				v.o.Seed, v.o.Key = 7, testKey
				sim := simulator.NewHamsa(v.o)
				t.Cleanup(sim.Close)
				target, logs := open(t, sim, func(c *Config) { c.TryDelete = v.try })
				f := targettest.Fixture{
					Target: target, Secret: testKey, Logs: logs.String, Retries: true, Small: name != "plain",
					Backend: &backend{
						Faults: targettest.NewFaults(routesOf, sim.SetFaults), sim: sim, put: map[string]bool{},
						vague: v.o.Rate > 0 || v.o.CreateReply == simulator.HamsaNoID || v.o.CreateReply == simulator.HamsaNoData,
					},
				}
				if v.o.LoseItems {
					f.Target = oneLister{target, make(chan struct{}, 1)}
				}
				return f
			})
		})
	}
}

// A vendor that ignores the page asked for must not look as if the rest were gone.
func TestPagingThatIsIgnored(t *testing.T) {
	for n, want := range map[int]error{30: nil, 300: fault.ErrIncomplete} {
		synctest.Test(t, func(t *testing.T) {
			sim := simulator.NewHamsa(simulator.HamsaOptions{Key: testKey, IgnorePaging: true})
			t.Cleanup(sim.Close)
			target, _ := open(t, sim, nil)
			for range n {
				sim.Put("theirs", nil)
			}
			got := 0
			err := target.List(t.Context(), func(targets.Remote) error {
				got++
				return nil
			})
			if !errors.Is(err, want) || err == nil && got != n {
				t.Errorf("%d of %d, %v", got, n, err)
			}
		})
	}
}

// The secrets of an agent must show neither in errors nor in the log, whatever goes wrong with it.
func TestSecretsOfAgents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.NewHamsa(simulator.HamsaOptions{Key: testKey})
		t.Cleanup(sim.Close)
		target, logs := open(t, sim, nil)
		sim.AddAgent("ann")
		id := targets.RemoteID(sim.Put("theirs", nil))
		sim.SetFaults(simulator.Faults{Cut: map[string]float64{"agent_get": 0.5, "agent_update": 0.5}})
		said := ""
		for range 20 {
			_, err := target.Assigned(t.Context(), "ann")
			err = errors.Join(err, target.Assign(t.Context(), "ann", []targets.RemoteID{id}, nil), target.Assign(t.Context(), "ann", nil, []targets.RemoteID{id}))
			said += fmt.Sprint(err)
		}
		for _, secret := range []string{simulator.HamsaAgentKey, simulator.HamsaAgentSecret} {
			if strings.Contains(said+logs.String(), secret) {
				t.Errorf("%s shows", secret)
			}
		}
	})
}
