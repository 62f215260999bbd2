package simulator

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Faults say how a simulator misbehaves. The maps give a probability from 0 to 1 for each route name; "*" stands for
// all routes that have no entry of their own. The functions are called with the simulator's lock held, so they must not
// call the simulator.
type Faults struct {
	Before map[string]float64 // the answer is 500, 502 or 503, or the connection drops; the request has no effect
	After  map[string]float64 // the request has its effect, then the answer is 500 or 503, or the connection drops
	Slow   map[string]float64 // the request has its effect, then the answer waits for SlowBy
	SlowBy time.Duration
	Cut    map[string]float64 // the answer's body ends in the middle

	Next []Fault // each is used once, by the first request whose route it names

	ParseFail  func(name string) bool // asked when parsing is triggered: it will fail
	ParseStall func(name string) bool // asked when parsing is triggered: it will not progress until it is stopped
	TrainFail  func(name string) bool // asked when training starts: it will fail
	TrainStall func(name string) bool // asked when training starts: it will not end until another one starts
	Reject     func(name string) bool // asked on upload: the file is refused with 400
}

// Fault is one scripted misbehaviour. With a Status, a Body or Drop it takes the place of the answer; without them the
// request is only delayed, and Header is added to the real answer.
type Fault struct {
	Route       string        // a route name; empty or "*" for any
	Status      int           // 0 with a Body means 200
	Header      http.Header   // headers of the answer
	Body        string        // "zeros:N" streams N zero bytes; empty with an error status means an ordinary error body
	AfterEffect bool          // the request has its effect first
	Drop        bool          // no answer: the connection is closed
	Delay       time.Duration // waited before the answer, and before the effect unless AfterEffect
}

// SetFaults replaces all faults. The zero value ends the misbehaviour.
func (f *front) SetFaults(faults Faults) {
	faults.Before, faults.After = maps.Clone(faults.Before), maps.Clone(faults.After)
	faults.Slow, faults.Cut = maps.Clone(faults.Slow), maps.Clone(faults.Cut)
	faults.Next = slices.Clone(faults.Next)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = faults
}

// hooks returns the faults that concern documents.
func (f *front) hooks() Faults {
	f.mu.Lock()
	defer f.mu.Unlock()
	hooks := f.faults
	hooks.Next = nil // changes with every request
	return hooks
}

// faultPlan is what goes wrong with one request.
type faultPlan struct {
	fault *Fault
	slow  time.Duration
	cut   bool
}

// planFor draws the faults of one request, using up a scripted one.
func (f *front) planFor(route string) faultPlan {
	f.mu.Lock()
	defer f.mu.Unlock()
	var p faultPlan
	for i, next := range f.faults.Next {
		if next.Route == "" || next.Route == "*" || next.Route == route {
			f.faults.Next = slices.Delete(f.faults.Next, i, i+1)
			p.fault = &next
			return p
		}
	}
	switch {
	case f.strikes(f.faults.Before, route):
		p.fault = f.pick(500, 502, 503, 0)
	case f.strikes(f.faults.After, route):
		p.fault = f.pick(500, 503, 0)
		p.fault.AfterEffect = true
	}
	if f.strikes(f.faults.Slow, route) {
		p.slow = f.faults.SlowBy
	}
	p.cut = f.strikes(f.faults.Cut, route)
	return p
}

// strikes rolls the dice for one kind of fault. The lock must be held.
func (f *front) strikes(odds map[string]float64, route string) bool {
	p, ok := odds[route]
	if !ok {
		p = odds["*"]
	}
	return p > 0 && f.rng.Float64() < p
}

// pick chooses one of the statuses; 0 is a dropped connection. The lock must be held.
func (f *front) pick(statuses ...int) *Fault {
	status := statuses[f.rng.IntN(len(statuses))]
	return &Fault{Status: status, Drop: status == 0}
}

// replaces tells whether the fault takes the place of the real answer.
func (f *Fault) replaces() bool { return f.Drop || f.Status != 0 || f.Body != "" }

// answer is what the fault answers with; refuse makes an ordinary error.
func (f *Fault) answer(refuse func(status int, text string) answer) answer {
	if f.Drop {
		return answer{drop: true}
	}
	status := f.Status
	if status == 0 {
		status = http.StatusOK
	}
	a := answer{status: status, header: http.Header{}, body: []byte(f.Body)}
	if n, ok := strings.CutPrefix(f.Body, "zeros:"); ok {
		a.zeros, _ = strconv.ParseInt(n, 10, 64)
		a.body = nil
		a.header.Set("Content-Type", "application/octet-stream")
	}
	switch {
	case f.Body == "" && status >= 400:
		a = refuse(status, "The simulator was told to fail.")
	case strings.HasPrefix(f.Body, "{"), strings.HasPrefix(f.Body, "["):
		a.header.Set("Content-Type", "application/json")
	}
	maps.Copy(a.header, canonical(f.Header))
	return a
}

func canonical(h http.Header) http.Header {
	out := http.Header{}
	for k, vs := range h {
		for _, v := range vs {
			out.Add(k, v)
		}
	}
	return out
}

// writeZeros streams n zero bytes until the client goes away.
func writeZeros(w io.Writer, n int64) {
	block := make([]byte, 64<<10)
	for n > 0 {
		size := min(n, int64(len(block)))
		if _, err := w.Write(block[:size]); err != nil {
			return
		}
		n -= size
	}
}
