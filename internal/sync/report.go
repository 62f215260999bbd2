package sync

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/state"
	"kbsyncd/internal/targets"
)

// The outcomes of a pass, from best to worst.
const (
	OutcomeOK         = "ok"
	OutcomeHeld       = "held"
	OutcomeIncomplete = "incomplete"
	OutcomeError      = "error"
)

// Actions of a Change.
const (
	ActionUpload   = "upload"
	ActionReplace  = "replace"
	ActionRename   = "rename"
	ActionDelete   = "delete"
	ActionAdopt    = "adopt"
	ActionAssign   = "assign"
	ActionUnassign = "unassign"
)

// Entry is the report of one pass over one flow. Its JSON form is a contract.
type Entry struct {
	Sync       string    `json:"sync"`
	Target     string    `json:"target"`
	Outcome    string    `json:"outcome"`
	Documents  int       `json:"documents"`
	Uploaded   int       `json:"uploaded"`
	Replaced   int       `json:"replaced"`
	Renamed    int       `json:"renamed"`
	Deleted    int       `json:"deleted"`
	Adopted    int       `json:"adopted"`
	Unchanged  int       `json:"unchanged"`
	Assigned   int       `json:"assigned"`
	Unassigned int       `json:"unassigned"`
	Changes    []Change  `json:"changes"`
	Skipped    []Skipped `json:"skipped"`
	Pending    []Pending `json:"pending"`
	Held       []Held    `json:"held"`
	Orphans    int       `json:"orphans"`
	Failed     []Failed  `json:"failed"`
	Requests   int64     `json:"requests"`
	BytesSent  int64     `json:"bytes_sent"`
	Error      string    `json:"error"`
	// At is when the pass ended, in what the state keeps of it.
	At time.Time `json:"at,omitzero"`
	// Sources is what looking at the sources cost, where they are far away.
	Sources []SourceCost `json:"sources,omitempty"`
	// Notes are about the pass as a whole and no failures.
	Notes []string `json:"notes,omitempty"`
	// Agent is whose copy this is about, at vendors with a copy for each agent.
	Agent string `json:"agent,omitempty"`

	counted      int           // of the documents, those that no copy before this one holds
	Kind         string        `json:"-"` // the vendor
	Store        string        `json:"-"` // the store's name at the vendor
	StoreMissing bool          `json:"-"` // a dry run found no store yet
	Duration     time.Duration `json:"-"`
	Settled      time.Duration `json:"-"` // how long the vendor took after the last request that sent something
	Interrupted  bool          `json:"-"`
	Approved     bool          `json:"-"` // the held deletions are approved for the next pass
	Damaged      bool          `json:"-"` // the state file is: set it aside and run again
	DryRun       bool          `json:"-"`
	PlanBytes    int64         `json:"-"` // what a dry run would send
	PlanCalls    int           `json:"-"` // requests that a dry run would make
	PlanTime     time.Duration `json:"-"`
	Listed       bool          `json:"-"` // the store was listed
}

// Change is one thing that was done, or would be.
type Change struct {
	Action   string `json:"action"`
	Document string `json:"document"`
	Bytes    int64  `json:"bytes"`
	Parts    int    `json:"parts"`
	From     string `json:"from,omitempty"` // the earlier key of a renamed document
	// Documents is how many documents more, or less, an agent has; 0 where it gets the store as a whole.
	Documents int       `json:"documents,omitempty"`
	Modified  time.Time `json:"-"`
	Link      bool      `json:"-"` // the vendor fetches it from its address
}

// Skipped is a document that no target of the sync can take.
type Skipped struct {
	Document string `json:"document"`
	Reason   string `json:"reason"`
	Bytes    int64  `json:"-"` // 0 or less: unknown
}

// Pending is a document that is not searchable yet.
type Pending struct {
	Document string `json:"document"`
	Status   string `json:"status"`
}

// Held is a document whose deletion waits for consent.
type Held struct {
	Document string `json:"document"`
	Reason   string `json:"reason"`
}

// Failed is a document that did not get through.
type Failed struct {
	Document string `json:"document"`
	Error    string `json:"error"`
	Attempts int    `json:"attempts"`
}

// Merge joins the entries of copies: one sync and target have one entry, whatever the number of agents with a copy of their own.
// What was done is added up; documents are counted once.
func Merge(entries []*Entry) []*Entry {
	var out []*Entry
	for _, e := range entries {
		if n := len(out); n > 0 && e.Agent != "" && out[n-1].Agent != "" && out[n-1].Sync == e.Sync && out[n-1].Target == e.Target {
			out[n-1].join(e)
			continue
		}
		one := *e
		if one.Agent != "" {
			one.Documents = one.counted
		}
		out = append(out, &one)
	}
	for _, e := range out {
		e.Agent = ""
	}
	return out
}

// join adds the entry of another copy.
func (e *Entry) join(o *Entry) {
	switch {
	case (e.Outcome == OutcomeError) != (o.Outcome == OutcomeError):
		e.Outcome = OutcomeIncomplete // one copy could not be had, the others went on
	case outcomeRank(o.Outcome) > outcomeRank(e.Outcome):
		e.Outcome = o.Outcome
	}
	for into, n := range map[*int]int{
		&e.Documents: o.counted, &e.Uploaded: o.Uploaded, &e.Replaced: o.Replaced, &e.Renamed: o.Renamed, &e.Deleted: o.Deleted,
		&e.Adopted: o.Adopted, &e.Unchanged: o.Unchanged, &e.Assigned: o.Assigned, &e.Unassigned: o.Unassigned, &e.Orphans: o.Orphans,
		&e.PlanCalls: o.PlanCalls,
	} {
		*into += n
	}
	e.Changes = append(e.Changes, o.Changes...)
	e.Skipped = appendNew(e.Skipped, o.Skipped)
	e.Pending = appendNew(e.Pending, o.Pending)
	e.Held = appendNew(e.Held, o.Held)
	e.Failed = appendNew(e.Failed, o.Failed)
	e.Notes = appendNew(e.Notes, o.Notes)
	if len(e.Sources) == 0 {
		e.Sources = o.Sources // copies share their looks
	}
	e.Requests += o.Requests
	e.BytesSent += o.BytesSent
	if o.Error != "" {
		e.fail(errors.New(o.Error))
	}
	e.Duration += o.Duration
	e.Settled = max(e.Settled, o.Settled)
	e.Interrupted = e.Interrupted || o.Interrupted
	e.Damaged = e.Damaged || o.Damaged
	e.PlanBytes += o.PlanBytes
	e.PlanTime += o.PlanTime
	e.Listed = e.Listed || o.Listed
	if o.Store != "" && o.Store != e.Store {
		e.Store = strings.TrimPrefix(e.Store+", "+o.Store, ", ")
	}
}

// appendNew leaves out what the other copies said as well.
func appendNew[T comparable](list, more []T) []T {
	have := make(map[T]bool, len(list))
	for _, x := range list {
		have[x] = true
	}
	for _, x := range more {
		if !have[x] {
			list = append(list, x)
		}
	}
	return list
}

func outcomeRank(s string) int {
	return slices.Index([]string{OutcomeOK, OutcomeHeld, OutcomeIncomplete, OutcomeError}, s)
}

func newEntry(f Flow, o Options) *Entry {
	return &Entry{
		Sync: f.Sync, Target: f.Target, Agent: f.Copy.ID, Kind: f.Kind, DryRun: o.DryRun,
		Changes: []Change{}, Skipped: []Skipped{}, Pending: []Pending{}, Held: []Held{}, Failed: []Failed{},
	}
}

// Postponed is the entry of a flow that was not run, and why.
func Postponed(f Flow, o Options, why string) *Entry {
	e := newEntry(f, o)
	e.Outcome, e.Error = OutcomeIncomplete, why
	return e
}

// Changed counts what the pass changed, or would.
func (e *Entry) Changed() int {
	return e.Uploaded + e.Replaced + e.Renamed + e.Deleted + e.Assigned + e.Unassigned
}

// ExitCode is what this entry alone would make the command exit with.
func (e *Entry) ExitCode() int {
	switch {
	case e.Interrupted:
		return 130
	case e.Outcome == OutcomeError, e.Outcome == OutcomeIncomplete:
		return 1
	case e.Outcome == OutcomeHeld:
		return 3
	}
	return 0
}

// fail adds an error of the pass as a whole.
func (e *Entry) fail(err error) {
	msg := oneLine(err)
	if strings.Contains(e.Error, msg) {
		return
	}
	if e.Error != "" {
		e.Error += " | "
	}
	e.Error += msg
}

func (e *Entry) failDocument(k kb.Key, err error) {
	attempts := 1
	if a, ok := errors.AsType[interface {
		error
		Attempts() int
	}](err); ok {
		attempts = a.Attempts()
	}
	e.Failed = append(e.Failed, Failed{kb.Printable(string(k)), oneLine(err), attempts})
}

func (e *Entry) skip(k kb.Key, reason string, size int64) {
	e.Skipped = append(e.Skipped, Skipped{kb.Printable(string(k)), reason, size})
}

func (e *Entry) wait(k kb.Key, status string) {
	e.Pending = append(e.Pending, Pending{kb.Printable(string(k)), status})
}

// finish computes the outcome.
func (e *Entry) finish(ctx context.Context, p *pass, err error) {
	if ctx.Err() != nil {
		e.Interrupted = true
		err = nil
		e.fail(fault.New(fault.ErrIncomplete, "interrupted; the next pass goes on"))
	}
	if err != nil {
		e.Damaged = errors.Is(err, state.ErrDamaged)
		e.fail(err)
	}
	if m, ok := p.flow.To.(targets.Metered); ok {
		n, b := m.Traffic()
		e.Requests, e.BytesSent = n-p.requests, b-p.bytes
	}
	// Documents are read in parallel, so they come in no order.
	slices.SortStableFunc(e.Changes, func(a, b Change) int { return strings.Compare(a.Document, b.Document) })
	switch {
	case err != nil || p.hopeless:
		e.Outcome = OutcomeError
	case e.Error != "" || len(e.Failed) > 0 || len(e.Pending) > 0:
		e.Outcome = OutcomeIncomplete
	case len(e.Held) > 0:
		e.Outcome = OutcomeHeld
	default:
		e.Outcome = OutcomeOK
	}
}

// oneLine makes an error safe for a report: one line without control characters.
func oneLine(err error) string {
	return kb.Printable(strings.Join(strings.Fields(err.Error()), " "))
}

// summary is what the state keeps of an entry: the same, with long lists cut.
func (e Entry) summary() ([]byte, error) {
	const most = 1000
	s := e
	s.Changes, s.Sources = nil, nil
	s.Skipped = s.Skipped[:min(most, len(s.Skipped))]
	s.Pending = s.Pending[:min(most, len(s.Pending))]
	s.Held = s.Held[:min(most, len(s.Held))]
	s.Failed = s.Failed[:min(most, len(s.Failed))]
	return json.Marshal(&s)
}

// Report is the outcome of one run of the command: an entry for each flow. Its JSON form is a contract.
type Report struct {
	Version    int       `json:"version"`
	StartedAt  time.Time `json:"started_at"`
	DurationMS int64     `json:"duration_ms"`
	Outcome    string    `json:"outcome"`
	ExitCode   int       `json:"exit_code"`
	DryRun     bool      `json:"dry_run"`
	Syncs      []*Entry  `json:"syncs"`
}

// NewReport puts the entries of a run together.
func NewReport(started time.Time, dryRun bool, entries []*Entry) *Report {
	r := &Report{
		Version: 1, StartedAt: started.UTC().Truncate(time.Second), DurationMS: time.Since(started).Milliseconds(),
		Outcome: OutcomeOK, DryRun: dryRun, Syncs: entries,
	}
	if r.Syncs == nil {
		r.Syncs = []*Entry{}
	}
	rank := map[string]int{OutcomeOK: 0, OutcomeHeld: 1, OutcomeIncomplete: 2, OutcomeError: 3}
	codes := map[int]int{0: 0, 3: 1, 1: 2, 130: 3}
	for _, e := range entries {
		if rank[e.Outcome] > rank[r.Outcome] {
			r.Outcome = e.Outcome
		}
		if code := e.ExitCode(); codes[code] > codes[r.ExitCode] {
			r.ExitCode = code
		}
	}
	return r
}

// Changed counts what the run changed, or would.
func (r *Report) Changed() (n int) {
	for _, e := range r.Syncs {
		n += e.Changed()
	}
	return n
}
