package targettest_test

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/targettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	slow := targettest.MemoryOptions{ParseLooks: 2, ParseTime: 7 * time.Second, Fresh: true}
	whole := func(m *targettest.Memory) targets.Target { return m }
	for name, v := range map[string]struct {
		o  targettest.MemoryOptions
		as func(*targettest.Memory) targets.Target
	}{
		"plain":            {targettest.MemoryOptions{}, whole},
		"missing":          {targettest.MemoryOptions{Missing: true}, whole},
		"slow":             {slow, whole},
		"replacer":         {targettest.MemoryOptions{}, (*targettest.Memory).AsReplacer},
		"slow replacer":    {slow, (*targettest.Memory).AsReplacer},
		"assigner":         {slow, (*targettest.Memory).AsAssigner},
		"leaving":          {slow, (*targettest.Memory).AsLeaving},
		"leaving assigner": {targettest.MemoryOptions{Leaves: true}, (*targettest.Memory).AsAssigner},
		"links":            {slow, (*targettest.Memory).AsLinks},
		"bare links":       {targettest.MemoryOptions{}, (*targettest.Memory).AsBareLinks},
		"slow bare links":  {slow, (*targettest.Memory).AsBareLinks},
		"links in place": {targettest.MemoryOptions{}, func(m *targettest.Memory) targets.Target {
			m.AsLinks()
			return m.AsReplacer()
		}},
		"links that stay": {slow, func(m *targettest.Memory) targets.Target {
			m.AsLinks()
			m.AsLeaving()
			return m.AsAssigner()
		}},
		"short names": {targettest.MemoryOptions{Limits: targets.Limits{BatchFiles: 1, NameBytes: 100, MaxBytes: 2000}}, (*targettest.Memory).AsReplacer},
	} {
		t.Run(name, func(t *testing.T) {
			targettest.Run(t, func(*testing.T) targettest.Fixture {
				m := targettest.NewMemory(v.o)
				b := &memoryBackend{Memory: m}
				m.SetHook(b.judge)
				return targettest.Fixture{
					Target: v.as(m), Backend: b, Secret: "not used by this target", Small: strings.Contains(name, "links"),
				}
			})
		})
	}
}

// memoryBackend translates the faults of HTTP to what a client makes of them.
type memoryBackend struct {
	*targettest.Memory

	mu     sync.Mutex
	faults []targettest.Fault
	rng    *rand.Rand
}

func (b *memoryBackend) Inject(f targettest.Fault) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f.Delay > 0 || f.Status == http.StatusOK {
		return false
	}
	b.faults = append(b.faults, f)
	b.rng = rand.New(rand.NewPCG(1, 2))
	return true
}

func (b *memoryBackend) Heal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = nil
}

// Violations leaves out what the cases do on purpose.
func (b *memoryBackend) Violations() (out []string) {
	for _, v := range b.Memory.Violations() {
		if v != "delete with an empty id" {
			out = append(out, v)
		}
	}
	return out
}

func (b *memoryBackend) ConnectElsewhere(id string) { b.Memory.AddAgent(id, "another store") }
func (b *memoryBackend) AddAgent(id string)         { b.Memory.AddAgent(id, "") }
func (b *memoryBackend) Linked(id string) bool      { return b.Agent(id) == "ours" }

func (b *memoryBackend) judge(c targettest.Call) (v targettest.Verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, f := range b.faults {
		switch {
		case f.Op != "" && f.Op != c.Op, f.Reject != "" && f.Reject != c.Name:
			continue
		case f.Chance > 0 && b.rng.Float64() > f.Chance:
			continue
		}
		if f.Times == 1 {
			b.faults = append(b.faults[:i:i], b.faults[i+1:]...)
		}
		return verdict(f, b.rng.IntN(2) == 0)
	}
	return v
}

func verdict(f targettest.Fault, coin bool) (v targettest.Verdict) {
	passing := &fault.RetryAfter{Err: fault.New(fault.ErrIncomplete, "no answer")}
	switch {
	case f.Reject != "", f.Status == http.StatusBadRequest:
		v.Before = fault.ErrRejected
	case f.Status == http.StatusUnauthorized:
		v.Before = fault.ErrDenied
	case f.Status == http.StatusTooManyRequests:
		secs, _ := strconv.Atoi(f.RetryAfter)
		v.Before = &fault.RetryAfter{Wait: time.Duration(secs) * time.Second, Err: fault.ErrConflict}
	case f.Cut && f.Op == targettest.OpList:
		v.Cut = 1
	case f.AfterEffect, f.Cut, f.Chance > 0 && coin:
		v.After = fault.ErrUnknown
	default:
		v.Before = passing
	}
	return v
}

func TestPlain(t *testing.T) {
	p := targettest.Plain(targettest.NewMemory(targettest.MemoryOptions{}))
	if _, ok := p.(targets.Settler); ok {
		t.Error("still a Settler")
	}
}
