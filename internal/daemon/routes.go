package daemon

import (
	"context"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"

	"kbsyncd/internal/contract"
	"kbsyncd/internal/targets"
)

// RouteCheck is what comparing a target with the document of its vendor gave.
type RouteCheck struct {
	Contract contract.Contract
	Report   contract.Report
	Err      error // the document could not be had; the known routes stand
	Skipped  bool  // the API is on this machine, so the vendor's own document says nothing about it
}

// Block are the routes to write under the target: those that it has, and those of the document.
func (r *RouteCheck) Block() map[string]string {
	out := r.Report.Routes()
	for name, route := range r.Contract.Given {
		if _, better := out[name]; !better {
			out[name] = route
		}
	}
	return out
}

// probe compares a target with the document of its vendor; nil when the vendor publishes none.
func (p *Program) probe(ctx context.Context, target string, m targets.Memory) *RouteCheck {
	cfg, ok := p.Config.Targets[target].Config.(targets.Contracted)
	if !ok {
		return nil
	}
	c := cfg.Contract()
	out := &RouteCheck{Contract: c}
	if len(c.Routes) == 0 {
		return nil
	}
	if out.Skipped = !c.Auto && c.Where == c.Published && onThisMachine(c.Base); out.Skipped {
		return out
	}
	f := contract.Follower{Contract: c, UserAgent: p.UserAgent, Memory: m, Log: p.Log.With("target", target)}
	out.Report, out.Err = f.Probe(ctx)
	return out
}

// probes compares all targets, and gives a memory in which the targets find what was learnt. The caller calls done.
func (p *Program) probes(ctx context.Context) (found map[string]*RouteCheck, m targets.Memory, done func()) {
	n := &notes{state: &memory{}, own: map[string][]byte{}}
	done = func() {}
	if p.followsRoutes() {
		db, err := p.openState(false)
		if err == nil {
			n.state.db, done = db, func() { _ = db.Close() }
		} else {
			p.Log.Info("what the vendor's document says is not remembered", "err", err)
		}
	}
	names := slices.Sorted(maps.Keys(p.Config.Targets))
	checks := make([]*RouteCheck, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() { checks[i] = p.probe(ctx, name, n) })
	}
	wg.Wait()
	found = map[string]*RouteCheck{}
	for i, name := range names {
		found[name] = checks[i]
	}
	return found, n, done
}

// followsRoutes tells whether a target takes its routes from a document.
func (p *Program) followsRoutes() bool {
	for _, t := range p.Config.Targets {
		if c, ok := t.Config.(targets.Contracted); ok && c.Contract().Auto {
			return true
		}
	}
	return false
}

// onThisMachine tells the addresses of a simulated vendor.
func onThisMachine(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return strings.EqualFold(u.Hostname(), "localhost") || ip != nil && ip.IsLoopback()
}

// notes is a memory for one command that also writes to the state, when there is one.
type notes struct {
	state *memory
	mu    sync.Mutex
	own   map[string][]byte // guarded by mu
}

// Recall implements targets.Memory.
func (n *notes) Recall(key string) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if v, ok := n.own[key]; ok {
		return v, nil
	}
	return n.state.Recall(key)
}

// Remember implements targets.Memory.
func (n *notes) Remember(key string, value []byte) error {
	n.mu.Lock()
	n.own[key] = value
	n.mu.Unlock()
	return n.state.Remember(key, value)
}
