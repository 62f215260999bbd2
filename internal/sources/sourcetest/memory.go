package sourcetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/text/unicode/norm"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
)

// Memory is a source in memory, for tests of what uses sources. All methods may be called concurrently.
type Memory struct {
	name string

	mu        sync.Mutex
	docs      map[string]memoryDoc
	problems  map[string]kb.Problem
	versions  int
	failAfter int // -1: never
	failWith  error
	onRead    map[string]func()
	doubtful  map[string]bool
	openFails map[string]error
	identity  string
	links     string
	opens     int
	scans     int
}

type memoryDoc struct {
	content  []byte
	print    kb.Fingerprint
	modified time.Time
}

var (
	_ sources.Source     = (*Memory)(nil)
	_ sources.Identifier = (*Memory)(nil)
	_ sources.Checker    = (*Memory)(nil)
	_ sources.Shaped     = (*Memory)(nil)
	_ kb.Opener          = (*Memory)(nil)
)

// NewMemory makes an empty source.
func NewMemory(name string) *Memory {
	return &Memory{
		name: name, docs: map[string]memoryDoc{}, problems: map[string]kb.Problem{}, failAfter: -1,
		onRead: map[string]func(){}, doubtful: map[string]bool{}, openFails: map[string]error{}, identity: "memory",
	}
}

// Put creates or replaces a document. A replacement is a new version even with the same content.
func (m *Memory) Put(path string, content []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.versions++
	m.docs[norm.NFC.String(path)] = memoryDoc{
		content: bytes.Clone(content), print: kb.Fingerprint(fmt.Sprintf("v%d", m.versions)), modified: time.Unix(int64(m.versions), 0),
	}
}

// Remove removes a document or a problem.
func (m *Memory) Remove(path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.docs, norm.NFC.String(path))
	delete(m.problems, path)
}

// Rename moves a document with its version.
func (m *Memory) Rename(from, to string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	from, to = norm.NFC.String(from), norm.NFC.String(to)
	if d, ok := m.docs[from]; ok {
		delete(m.docs, from)
		m.docs[to] = d
	}
}

// AddProblem makes scans report a problem at a path.
func (m *Memory) AddProblem(path string, err error, present bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.problems[path] = kb.Problem{Key: kb.NewKey(m.name, path), Err: err, Present: present}
}

// FailScan makes scans fail with err after they have given so many documents and problems; a nil error ends that.
func (m *Memory) FailScan(after int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failAfter, m.failWith = after, err
	if err == nil {
		m.failAfter = -1
	}
}

// FailOpen makes opening a document fail with err; nil ends that.
func (m *Memory) FailOpen(path string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.openFails[path] = err
}

// OnRead calls fn once, in the middle of the next reading of a document, for example to Put a new version.
func (m *Memory) OnRead(path string, fn func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.onRead[path] = fn
}

// SetDoubtful makes Verify of a document say that a later change could hide behind its fingerprint.
func (m *Memory) SetDoubtful(path string, doubtful bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.doubtful[path] = doubtful
}

// SetLinks makes documents carry an address to hand to vendors: the base and their path; "" ends that.
func (m *Memory) SetLinks(base string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.links = base
}

// Shape implements sources.Shaped.
func (m *Memory) Shape() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.links
}

// SetIdentity changes what Identity gives. As with a folder, a scan fails when the known identity
// is another one and fewer than half of the sampled documents are here.
func (m *Memory) SetIdentity(s string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.identity = s
}

// Opens counts how often a document was opened.
func (m *Memory) Opens() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.opens
}

// Scans counts the calls of Scan.
func (m *Memory) Scans() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.scans
}

// item is one entry of a listing; exactly one field is set.
type item struct {
	doc     *kb.Document
	problem *kb.Problem
}

// Scan implements sources.Source. It lists what there was when it began.
func (m *Memory) Scan(ctx context.Context, known sources.Known, sink sources.Sink) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	items, after, failure := m.snapshot()
	if err := m.samePlace(known); err != nil {
		return err
	}
	for i, it := range items {
		if i == after {
			return failure
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if it.doc != nil {
			err = sink.Document(*it.doc)
		} else {
			err = sink.Problem(*it.problem)
		}
		if err != nil {
			return err
		}
	}
	if after >= 0 {
		return failure
	}
	return ctx.Err()
}

func (m *Memory) snapshot() (items []item, after int, failure error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.scans++
	byKey := map[kb.Key]item{}
	for path, d := range m.docs {
		k := kb.NewKey(m.name, path)
		doc := kb.Document{Key: k, Raw: path, Fingerprint: d.print, Size: int64(len(d.content)), Modified: d.modified, From: m}
		if m.links != "" {
			doc.Link = m.links + path
		}
		byKey[k] = item{doc: &doc}
	}
	for _, p := range m.problems {
		byKey[p.Key] = item{problem: &p}
	}
	for _, k := range slices.Sorted(maps.Keys(byKey)) {
		items = append(items, byKey[k])
	}
	return items, m.failAfter, m.failWith
}

func (m *Memory) samePlace(known sources.Known) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known.Identity == "" || known.Identity == m.identity || known.Documents == 0 {
		return nil
	}
	var sample []sources.KnownDocument
	if known.Sample != nil {
		sample = known.Sample(100)
	}
	here := 0
	for _, d := range sample {
		if m.docs[d.Key.Path()].print == d.Fingerprint {
			here++
		}
	}
	if len(sample) > 0 && 2*here >= len(sample) {
		return nil
	}
	return fault.New(fault.ErrIncomplete, "%s is another place (was %s with %d documents)", m.identity, known.Identity, known.Documents)
}

// Identity implements sources.Identifier.
func (m *Memory) Identity() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.identity
}

// Exists implements sources.Checker.
func (m *Memory) Exists(ctx context.Context, k kb.Key) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failAfter >= 0 {
		return false, m.failWith
	}
	_, ok := m.docs[k.Path()]
	return ok && k.Source() == m.name, ctx.Err()
}

// Close implements sources.Source.
func (m *Memory) Close() error { return nil }

// Open implements kb.Opener.
func (m *Memory) Open(ctx context.Context, d kb.Document) (kb.Content, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opens++
	if err := m.openFails[d.Raw]; err != nil {
		return nil, err
	}
	now, ok := m.docs[d.Raw]
	switch {
	case !ok:
		return nil, fault.New(fault.ErrNotFound, "%s is gone", d.Key)
	case now.print != d.Fingerprint:
		return nil, fault.New(fault.ErrChanged, "%s is not the version that was listed", d.Key)
	}
	c := &memoryContent{m: m, doc: d, rest: now.content, hook: m.onRead[d.Raw], doubtful: m.doubtful[d.Raw]}
	delete(m.onRead, d.Raw)
	return c, nil
}

// memoryContent is an open document.
type memoryContent struct {
	m        *Memory
	doc      kb.Document
	rest     []byte
	read     int
	hook     func()
	doubtful bool
	closed   bool
}

var errClosed = errors.New("content is closed")

func (c *memoryContent) Read(p []byte) (int, error) {
	if c.closed {
		return 0, errClosed
	}
	if c.hook != nil && c.read >= len(c.rest)/2 {
		c.hook()
		c.hook = nil
	}
	if c.read == len(c.rest) {
		return 0, io.EOF
	}
	// In two pieces, so that a hook has a middle to run in.
	end := len(c.rest)
	if half := end / 2; c.read < half {
		end = half
	}
	n := copy(p, c.rest[c.read:end])
	c.read += n
	return n, nil
}

func (c *memoryContent) Verify() (doubtful bool, err error) {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if c.read != len(c.rest) || c.m.docs[c.doc.Raw].print != c.doc.Fingerprint {
		return false, fault.New(fault.ErrChanged, "%s changed while it was read", c.doc.Key)
	}
	return c.doubtful, nil
}

func (c *memoryContent) Close() error {
	c.closed = true
	return nil
}
