package targettest

import (
	"bytes"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"

	"kbsyncd/internal/simulator"
)

// Faults makes a simulator misbehave as the suite asks for: Inject and Heal of a Backend that embeds it.
type Faults struct {
	routes map[string][]string
	set    func(simulator.Faults)

	mu      sync.Mutex
	now     simulator.Faults // guarded by mu
	rejects []string         // guarded by mu
}

// NewFaults knows the simulator's routes behind the operations, and how the simulator is told its faults.
func NewFaults(routes map[string][]string, set func(simulator.Faults)) *Faults {
	return &Faults{routes: routes, set: set}
}

// Inject implements Backend. An operation without routes cannot fail.
func (s *Faults) Inject(f Fault) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	routes, known := s.routes[f.Op]
	for _, route := range routes {
		switch {
		case f.Reject != "":
			s.rejects = append(slices.Clone(s.rejects), f.Reject)
			rejects := s.rejects
			s.now.Reject = func(name string) bool { return slices.Contains(rejects, name) }
		case f.Chance > 0:
			s.now.Before, s.now.After = with(s.now.Before, route, f.Chance/2), with(s.now.After, route, f.Chance/2)
		case f.Cut:
			s.now.Cut = with(s.now.Cut, route, 1)
		default:
			one := simulator.Fault{Route: route, Status: f.Status, Body: f.Body, AfterEffect: f.AfterEffect, Drop: f.Drop, Delay: f.Delay}
			if f.RetryAfter != "" {
				one.Header = http.Header{"Retry-After": {f.RetryAfter}}
			}
			n := f.Times
			if n == 0 {
				n = 1000
			}
			s.now.Next = append(s.now.Next, slices.Repeat([]simulator.Fault{one}, n)...)
		}
	}
	s.set(s.now)
	return known
}

func with(m map[string]float64, route string, p float64) map[string]float64 {
	m = maps.Clone(m)
	if m == nil {
		m = map[string]float64{}
	}
	m[route] = p
	return m
}

// Heal implements Backend.
func (s *Faults) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now, s.rejects = simulator.Faults{}, nil
	s.set(s.now)
}

// Logs collects a log of every level. The zero value is empty; it is safe for concurrent use.
type Logs struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

// Logger writes to the log.
func (l *Logs) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Write implements io.Writer.
func (l *Logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is everything logged so far.
func (l *Logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
