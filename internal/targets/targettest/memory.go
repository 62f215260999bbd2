package targettest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
)

// The operations that Memory tells its hook about.
const (
	OpConnect  = "connect"
	OpCreate   = "create"
	OpList     = "list"
	OpUpload   = "upload" // once for each rendition
	OpDelete   = "delete" // once for each id
	OpStart    = "start"  // once for each id
	OpRestart  = "restart"
	OpStatuses = "statuses"
	OpRename   = "rename"
	OpDownload = "download"
	OpLink     = "link"   // once for each agent to connect
	OpUnlink   = "unlink" // once for each agent to disconnect
	OpFinish   = "finish"
	OpReplace  = "replace"
	OpReindex  = "reindex" // once for each id
	OpSearch   = "search"
	OpAssigned = "assigned" // what an agent holds
	OpAssign   = "assign"   // once for each document to give; ID is the document, Name the agent
	OpUnassign = "unassign" // once for each document to take away
	OpAgent    = "agent"    // a look at an agent itself; for vendors only
)

// Call is one thing that Memory is about to do.
type Call struct {
	Op   string
	ID   targets.RemoteID // the document or agent, where there is one
	Name string           // the remote name, where there is one
	N    int              // counts the calls of this Op from 1
}

// Verdict is what a hook wants to happen to a call. The zero value lets it pass.
type Verdict struct {
	// Before fails the call without any effect.
	Before error
	// After fails the call although it took effect; fault.ErrUnknown is a lost answer.
	After error
	// Cut ends a listing with Before (or fault.ErrIncomplete) after so many documents.
	Cut int
	// ParseFails and ParseStalls decide what becomes of an uploaded or started document.
	ParseFails, ParseStalls bool
}

// Stored is one document in a store.
type Stored struct {
	ID      targets.RemoteID
	Name    string
	Link    string // the address that the vendor fetched the content from; "" for documents that were sent. Only Memory tells
	Content []byte
	Status  targets.Status
	Foreign bool // put there by somebody else
	Retired bool // out of use, and not counted as a copy: the vendor cannot delete it
	// Live is the version that agents find, which is an older one while a replacement settles; nil when there is none. Only Memory tells.
	Live *Version
}

// Version is what agents find of a document.
type Version struct {
	Name    string // of one without a name its address
	Content string
}

// MemoryOptions shape a Memory. The zero value is a store that behaves well.
type MemoryOptions struct {
	Limits targets.Limits // zero fields take the defaults
	// ParseLooks is how many looks (Statuses) see a started document still being worked on.
	ParseLooks int
	// ParseTime is how long parsing takes at least.
	ParseTime time.Duration
	// Missing makes Connect create the store first.
	Missing bool
	// Fresh makes Rename start parsing anew.
	Fresh bool
	// Leaves makes Delete take documents out of use without removing them, as AsLeaving does.
	Leaves bool
}

// Memory is the reference target: a store in memory that keeps every promise of the interfaces, with a hook
// that can make any call fail. Its methods may be called concurrently. It serves as vendor and client at once,
// so one Memory outlives any number of engines: Close has no effect on what it holds.
type Memory struct {
	opts MemoryOptions

	mu         sync.Mutex // guards all below
	created    bool
	next       int
	docs       map[targets.RemoteID]*memoryDoc
	names      map[string]*memoryDoc // the first document with a name
	agents     map[string]string     // agent → "" (free), "ours" or the name of something else
	held       map[string]*holding   // what each agent was given one by one
	counts     map[string]int
	calls      []Call
	sent       int64
	violations []string
	hook       func(Call) Verdict
	watch      func()
	place      string
	bare       bool // documents that were made of an address have no names
	pages      map[string]page
	ask        func(address string) (text string, ok bool) // in place of pages, when not nil
}

type memoryDoc struct {
	Stored
	looks       int
	since       time.Time
	fail, stall bool
	broken      bool     // its page could not be fetched
	old         *Version // what is live while a replacement settles
}

var (
	_ targets.Target     = (*Memory)(nil)
	_ targets.Settler    = (*Memory)(nil)
	_ targets.Renamer    = (*Memory)(nil)
	_ targets.Downloader = (*Memory)(nil)
	_ targets.Linker     = (*Memory)(nil)
	_ targets.Finisher   = (*Memory)(nil)
	_ targets.Reindexer  = (*Memory)(nil)
	_ targets.Searcher   = (*Memory)(nil)
	_ targets.Metered    = (*Memory)(nil)
	_ targets.Placed     = (*Memory)(nil)
)

// NewMemory makes an empty store.
func NewMemory(o MemoryOptions) *Memory {
	l := &o.Limits
	l.BatchFiles = cmp.Or(l.BatchFiles, 10)
	l.BatchBytes = cmp.Or(l.BatchBytes, 25_000_000)
	l.MaxBytes = cmp.Or(l.MaxBytes, 5_000_000)
	l.NameBytes = cmp.Or(l.NameBytes, 255)
	l.Concurrency = cmp.Or(l.Concurrency, 2)
	l.RequestsPerBatch = cmp.Or(l.RequestsPerBatch, 1)
	l.SettleTimeout = cmp.Or(l.SettleTimeout, 10*time.Minute)
	if l.Accepts.Native == nil {
		l.Accepts = kb.Accepts{Native: map[string]bool{".md": true, ".txt": true, ".pdf": true}, Text: ".txt", Markdown: ".md"}
	}
	return &Memory{
		opts: o, created: !o.Missing, docs: map[targets.RemoteID]*memoryDoc{}, names: map[string]*memoryDoc{},
		agents: map[string]string{}, held: map[string]*holding{}, counts: map[string]int{},
		pages: map[string]page{},
	}
}

// SetHook installs fn, which decides about every call before it is made; nil removes it. It
// runs without locks, so it may look into the Memory or cancel a context.
func (m *Memory) SetHook(fn func(Call) Verdict) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hook = fn
}

// SetWatch installs fn, which runs without locks after every change of the store; nil removes it.
func (m *Memory) SetWatch(fn func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watch = fn
}

// Documents is everything in the store, by name and then id.
func (m *Memory) Documents() []Stored {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]Stored, 0, len(m.docs))
	for _, d := range m.docs {
		s := d.Stored
		s.Content, s.Live = bytes.Clone(s.Content), d.live()
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Stored) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return out
}

// live is the version that agents find.
func (d *memoryDoc) live() *Version {
	switch {
	case d.Retired:
		return nil
	case d.Status == targets.StatusDone:
		return &Version{Name: cmp.Or(d.Name, d.Link), Content: string(d.Content)}
	default:
		return d.old
	}
}

// Searchable is what is found in the store: the live versions, contents by name.
func (m *Memory) Searchable() map[string]string {
	out := map[string]string{}
	for _, d := range m.Documents() {
		if d.Live != nil {
			out[d.Live.Name] = d.Live.Content
		}
	}
	return out
}

// Put adds a document of somebody else, ready to be found.
func (m *Memory) Put(name string, content []byte) targets.RemoteID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.add(Stored{Name: name, Content: bytes.Clone(content), Status: targets.StatusDone, Foreign: true}).ID
}

// Remove deletes a document behind the engine's back.
func (m *Memory) Remove(id targets.RemoteID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(id)
}

// SetStatus changes a document behind the engine's back.
func (m *Memory) SetStatus(id targets.RemoteID, s targets.Status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d := m.docs[id]; d != nil {
		d.Status = s
	}
}

// AddAgent makes an agent known; use is "" for one without a store, "ours" for one that uses
// this store, or the name of another store.
func (m *Memory) AddAgent(id, use string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.agents[id] = use
}

// Agent tells what an agent uses, as in AddAgent.
func (m *Memory) Agent(id string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.agents[id]
}

// Calls is every call so far, in order, also those that failed.
func (m *Memory) Calls() []Call {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.calls)
}

// Requests is the number of calls so far.
func (m *Memory) Requests() int { return len(m.Calls()) }

// ForgetCalls empties Calls.
func (m *Memory) ForgetCalls() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = nil
}

// Violations are the things done to the store that must never be done.
func (m *Memory) Violations() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.violations)
}

func (m *Memory) violate(format string, args ...any) {
	m.violations = append(m.violations, fmt.Sprintf(format, args...))
}

func (m *Memory) add(s Stored) *memoryDoc {
	m.next++
	s.ID = targets.RemoteID("mem-" + strconv.Itoa(m.next))
	d := &memoryDoc{Stored: s}
	m.docs[s.ID] = d
	if s.Name != "" && m.names[s.Name] == nil {
		m.names[s.Name] = d
	}
	return d
}

// drop takes a document out of the store.
func (m *Memory) drop(id targets.RemoteID) {
	m.unname(m.docs[id])
	delete(m.docs, id)
	for _, h := range m.held {
		h.take(id)
	}
}

// retire deletes a document as far as this store can; left says that it stays, out of use.
func (m *Memory) retire(id targets.RemoteID) (left bool) {
	d := m.docs[id]
	if d == nil || !m.opts.Leaves {
		m.drop(id)
		return false
	}
	m.unname(d)
	d.Retired = true
	return true
}

func (m *Memory) unname(d *memoryDoc) {
	if d != nil && m.names[d.Name] == d {
		delete(m.names, d.Name)
	}
}

// find is a document that is in use.
func (m *Memory) find(id targets.RemoteID) (*memoryDoc, error) {
	if d := m.docs[id]; d != nil && !d.Retired {
		return d, nil
	}
	return nil, fault.New(fault.ErrNotFound, "memory: no document %s", id)
}

// call counts one call, asks the hook and, when it lets the call through, runs effect under the lock.
func (m *Memory) call(ctx context.Context, c Call, effect func(Verdict) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	m.counts[c.Op]++
	c.N = m.counts[c.Op]
	m.calls = append(m.calls, c)
	hook := m.hook
	m.mu.Unlock()

	var v Verdict
	if hook != nil {
		v = hook(c)
	}
	if v.Before != nil && v.Cut == 0 {
		return fmt.Errorf("memory: %s: %w", c.Op, v.Before)
	}
	m.mu.Lock()
	err := effect(v)
	watch := m.watch
	m.mu.Unlock()
	if watch != nil && err == nil && c.Op != OpList && c.Op != OpConnect && c.Op != OpDownload && c.Op != OpAssigned && c.Op != OpSearch {
		watch()
	}
	if err == nil && v.After != nil {
		return fmt.Errorf("memory: %s: %w", c.Op, v.After)
	}
	return err
}

// Limits implements targets.Target.
func (m *Memory) Limits() targets.Limits {
	l := m.opts.Limits
	l.Accepts.Native = maps.Clone(l.Accepts.Native)
	return l
}

// Connect implements targets.Target.
func (m *Memory) Connect(ctx context.Context, create bool) (targets.Store, error) {
	st := targets.Store{Name: "memory"}
	err := m.call(ctx, Call{Op: OpConnect}, func(Verdict) error {
		if m.created {
			st.ID = "store"
		}
		return nil
	})
	if err != nil || st.ID != "" || !create {
		return st, err
	}
	err = m.call(ctx, Call{Op: OpCreate}, func(Verdict) error {
		m.created, st.ID, st.Created = true, "store", true
		return nil
	})
	return st, err
}

// List implements targets.Target.
func (m *Memory) List(ctx context.Context, fn func(targets.Remote) error) error {
	var all []targets.Remote
	var cut error
	err := m.call(ctx, Call{Op: OpList}, func(v Verdict) error {
		for _, id := range slices.Sorted(maps.Keys(m.docs)) {
			if v.Cut > 0 && len(all) == v.Cut {
				cut = cmp.Or(v.Before, fault.ErrIncomplete)
				break
			}
			all = append(all, m.docs[id].remote())
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range all {
		if err := fn(r); err != nil {
			return err
		}
	}
	if cut != nil {
		return fmt.Errorf("memory: list: %w", cut)
	}
	return nil
}

func (d *memoryDoc) remote() targets.Remote {
	r := targets.Remote{ID: d.ID, Name: d.Name, Size: int64(len(d.Content)), Status: d.Status, Word: d.Status.String(), Retired: d.Retired}
	if d.Link != "" {
		r.Size = -1
	}
	if d.Link != "" && d.Name == "" {
		r.Link = d.Link
	}
	switch {
	case d.Status == targets.StatusFailed && d.broken:
		r.Detail = "the page could not be fetched"
	case d.Status == targets.StatusFailed:
		r.Detail = "could not be parsed"
	}
	if d.Status == targets.StatusWorking && !d.stall {
		r.Progress = strconv.Itoa(d.looks)
	}
	return r
}

// Upload implements targets.Target. A name that is in the store already is adopted.
func (m *Memory) Upload(ctx context.Context, batch []targets.Rendition) ([]targets.Result, error) {
	out := make([]targets.Result, len(batch))
	for i, r := range batch {
		var err error
		if out[i], err = m.upload(ctx, r); err != nil {
			for j := i; j < len(batch); j++ {
				out[j] = targets.Result{Err: err}
			}
			return out, err
		}
	}
	return out, nil
}

func (m *Memory) upload(ctx context.Context, r targets.Rendition) (res targets.Result, stop error) {
	if err := m.allowed(r); err != nil {
		return targets.Result{Err: err}, nil
	}
	content, broken, err := m.fetched(ctx, r)
	if err != nil {
		return targets.Result{Err: err}, ctx.Err()
	}
	err = m.call(ctx, Call{Op: OpUpload, Name: r.Name}, func(v Verdict) error {
		if !m.created {
			return fault.New(fault.ErrSetup, "memory: the store does not exist")
		}
		m.sent += r.Size
		if d := m.same(r); d != nil {
			res = targets.Result{ID: d.ID, Status: d.Status}
			return nil
		}
		s := Stored{Name: r.Name, Link: r.Link, Content: content, Status: targets.StatusWaiting}
		if r.Link != "" && m.bare {
			s.Name = ""
		}
		d := m.add(s)
		d.fail, d.stall, d.broken = v.ParseFails, v.ParseStalls, broken
		res = targets.Result{ID: d.ID, Status: d.Status}
		return nil
	})
	if err == nil {
		return res, nil
	}
	if fault.StopsTarget(err) || ctx.Err() != nil {
		stop = err
	}
	return targets.Result{Err: err}, stop
}

// allowed holds a rendition against the limits.
func (m *Memory) allowed(r targets.Rendition) error {
	switch l := m.opts.Limits; {
	case r.Name == "" || len(r.Name) > l.NameBytes:
		return fault.New(fault.ErrRejected, "memory: the name %q has %d bytes", r.Name, len(r.Name))
	case r.Size > l.MaxBytes:
		return fault.New(fault.ErrTooLarge, "memory: %s has %d bytes, more than %d", r.Name, r.Size, l.MaxBytes)
	}
	return nil
}

func readAll(ctx context.Context, r targets.Rendition) ([]byte, error) {
	rc, err := r.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rc.Close() }()
	b, err := io.ReadAll(rc)
	if err != nil {
		return nil, err
	}
	if int64(len(b)) != r.Size {
		return nil, fault.New(fault.ErrChanged, "%s has %d bytes instead of %d", r.Name, len(b), r.Size)
	}
	return b, nil
}

// Delete implements targets.Target.
func (m *Memory) Delete(ctx context.Context, ids []targets.RemoteID) ([]targets.Result, error) {
	return m.each(ctx, OpDelete, ids, func(id targets.RemoteID, _ Verdict) (targets.Result, error) {
		if d := m.docs[id]; d != nil && d.Foreign {
			m.violate("deleted %s %q, which is somebody else's", id, cmp.Or(d.Name, d.Link))
		}
		return targets.Result{ID: id, Left: m.retire(id)}, nil
	})
}

// each makes one call for each id. An error that stops the target is the error of the whole; others stay with their id.
func (m *Memory) each(ctx context.Context, op string, ids []targets.RemoteID,
	effect func(targets.RemoteID, Verdict) (targets.Result, error),
) ([]targets.Result, error) {
	out := make([]targets.Result, len(ids))
	for i, id := range ids {
		out[i].ID = id
		err := m.call(ctx, Call{Op: op, ID: id, Name: m.nameOf(id)}, func(v Verdict) (err error) {
			if id == "" {
				m.violate("%s with an empty id", op)
				return fault.New(fault.ErrRejected, "memory: %s: empty id", op)
			}
			out[i], err = effect(id, v)
			return err
		})
		if err == nil {
			continue
		}
		out[i] = targets.Result{ID: id, Err: err}
		if fault.StopsTarget(err) || ctx.Err() != nil {
			for j := i + 1; j < len(ids); j++ {
				out[j] = targets.Result{ID: ids[j], Err: err}
			}
			return out, err
		}
	}
	return out, nil
}

func (m *Memory) nameOf(id targets.RemoteID) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d := m.docs[id]; d != nil {
		return d.Name
	}
	return ""
}

// Close implements targets.Target; the documents stay.
func (m *Memory) Close() error { return nil }
