package simulator

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// ConverseNone is the name of a field that the answers of a Converse simulator leave out.
const ConverseNone = "-"

// ConversePaging is how a Converse simulator divides its lists, about which the documentation says nothing.
type ConversePaging int

// The ways to divide a list. A list that cannot carry what they need, a bare array, is wrapped in "items".
const (
	ConverseOnePage ConversePaging = iota // one page; with a PageSize the rest is silently missing
	ConverseNext                          // "next" is the address of the next page, null on the last
	ConverseCursor                        // "next_cursor" is for the parameter cursor, null on the last page
	ConversePages                         // "page" and "total_pages"; the parameter page counts from 1
)

// ConverseOptions configure a Converse simulator. The zero value, with a Key, behaves as the documentation says; it does
// not show a single answer, so the switches vary their form.
type ConverseOptions struct {
	Key        string        // value required after the word Bearer
	IndexDelay time.Duration // how long indexing takes, of a new document and again after reindex
	Latency    time.Duration // added to every request
	Rate       float64       // requests a second above which 429 with Retry-After is answered; 0 means no limit

	ListShape       string // a list is, when empty, a bare array; else the field of an object: documents, data.items
	IDField         string // id when empty
	NumericIDs      bool   // ids are JSON numbers
	NameField       string // name when empty
	StatusField     string // status when empty; ConverseNone for no status
	ReadyWord       string // indexed when empty
	WorkWord        string // processing when empty
	FailWord        string // failed when empty
	ErrorField      string // reason of a failure; error when empty
	ChunkCountField string // chunk_count when empty; ConverseNone for no count
	CreateWrap      string // the answer to a creation is the document when empty, else it is in this field

	Paging   ConversePaging
	PageSize int // 20 when zero, or no limit with ConverseOnePage

	UploadField  string // multipart field of the file; file when empty
	UniqueNames  bool   // a second document of a name is refused with 409
	StrictAssign bool   // assigning what is assigned is refused with 409
	DetailList   bool   // the detail of a 422 is a list of {loc, msg, type} instead of text
	EmptyDelete  bool   // deleting and unassigning answer 204 instead of 200 with a message
	MockTest     bool   // with mode=test every answer is the same mock data, whatever was created

	LoseChunks func(name string) bool // documents that settle without a chunk until they are reindexed; may be nil

	FetchPages        bool // pages on this machine that nobody set are fetched by plain http
	FetchAnywhere     bool // all other pages are, too
	RefuseUnreachable bool // an address that cannot be fetched is refused with 400 instead of failing later

	Seed uint64 // of ids and of probable faults
}

// Converse simulates the Converse API for knowledge and its assignment to agents. It implements http.Handler and is safe
// for concurrent use. What is done with mode=test has a state of its own. Besides the API it answers under /_sim/, where
// the live state can be inspected without a key.
type Converse struct {
	*front
	*pages

	opts    ConverseOptions
	routes  routes
	inspect http.Handler

	mu        sync.Mutex // guards everything below; taken through lock, so that indexing is up to date
	rng       *rand.Rand
	seq       uint64
	elsewhere map[string]bool // ids that belong to another organisation
	busy      []*converseDocument
	live      converseWorld
	test      converseWorld
}

// converseWorld is everything that an organisation has in one mode.
type converseWorld struct {
	docs   []*converseDocument // in creation order
	byID   map[string]*converseDocument
	agents []*converseAgent // in creation order
}

// converseDocument is one document of the knowledge base.
type converseDocument struct {
	id      string
	name    string
	kind    string // text, url or file
	content []byte // for url, what stood at the address when it was ingested
	runes   int    // characters in content
	lost    bool   // for url, nothing could be fetched
	created time.Time
	foreign bool // not made through the API

	status  string    // one of the Status constants
	ends    time.Time // when the indexing under way ends
	fails   bool      // how it ends
	loses   bool      // it ends without a chunk
	chunked bool      // there are chunks, perhaps of an earlier indexing: it can be found
}

// converseAgent is one agent.
type converseAgent struct {
	id      string
	docs    []string // ids of documents assigned to it
	created time.Time
}

// NewConverse returns an empty simulator.
func NewConverse(o ConverseOptions) *Converse {
	for field, standard := range map[*string]string{
		&o.IDField: "id", &o.NameField: "name", &o.StatusField: "status", &o.ReadyWord: "indexed",
		&o.WorkWord: "processing", &o.FailWord: "failed", &o.ErrorField: "error", &o.ChunkCountField: "chunk_count",
		&o.UploadField: "file",
	} {
		if *field == "" {
			*field = standard
		}
	}
	if o.PageSize == 0 && o.Paging != ConverseOnePage {
		o.PageSize = 20
	}
	s := &Converse{
		front:     newFront(o.Latency, o.Rate, o.Seed),
		opts:      o,
		rng:       rand.New(rand.NewPCG(o.Seed, 1)),
		pages:     newPages(o.FetchPages, o.FetchAnywhere),
		elsewhere: map[string]bool{},
		live:      converseWorld{byID: map[string]*converseDocument{}},
		test:      converseWorld{byID: map[string]*converseDocument{}},
	}
	s.refuse = converseProblem
	s.routes = s.converseRoutes()
	s.inspect = s.agentInspection(s, s.pages)
	return s
}

// lock takes the lock and completes every indexing whose time has come.
func (s *Converse) lock() {
	s.mu.Lock()
	now := time.Now()
	s.busy = slices.DeleteFunc(s.busy, func(d *converseDocument) bool {
		if now.Before(d.ends) {
			return false
		}
		d.status = StatusFailed
		if !d.fails {
			d.status, d.chunked = StatusDone, !d.loses
		}
		return true
	})
}

// newID makes an id that no other object has. The lock must be held.
func (s *Converse) newID() string {
	s.seq++
	if s.opts.NumericIDs {
		return strconv.FormatUint(firstNumericID+2*s.seq, 10)
	}
	return fmt.Sprintf("%016x%08x", s.rng.Uint64(), s.seq)
}

// index starts the indexing of a document, which stays findable meanwhile if it was. The lock must be held.
func (s *Converse) index(d *converseDocument, hooks Faults) {
	d.status, d.ends = StatusRunning, time.Now().Add(s.opts.IndexDelay)
	d.fails = d.lost || hooks.ParseFail != nil && hooks.ParseFail(d.name)
	s.busy = slices.DeleteFunc(s.busy, func(other *converseDocument) bool { return other == d })
	if hooks.ParseStall == nil || !hooks.ParseStall(d.name) {
		s.busy = append(s.busy, d)
	}
}

// add stores a document. The lock must be held.
func (w *converseWorld) add(d *converseDocument) {
	w.docs = append(w.docs, d)
	w.byID[d.id] = d
}

// remove deletes a document and its assignments. The lock must be held.
func (s *Converse) remove(w *converseWorld, id string) {
	gone := func(d *converseDocument) bool { return d.id == id }
	w.docs = slices.DeleteFunc(w.docs, gone)
	s.busy = slices.DeleteFunc(s.busy, gone)
	delete(w.byID, id)
	for _, a := range w.agents {
		a.drop(id)
	}
}

func (a *converseAgent) drop(id string) {
	a.docs = slices.DeleteFunc(a.docs, func(held string) bool { return held == id })
}

// agent returns the agent with that id, or nil. The lock must be held.
func (w *converseWorld) agent(id string) *converseAgent {
	if i := slices.IndexFunc(w.agents, func(a *converseAgent) bool { return a.id == id }); i >= 0 {
		return w.agents[i]
	}
	return nil
}

// addAgent returns the agent, made when missing. The lock must be held.
func (w *converseWorld) addAgent(id string) *converseAgent {
	a := w.agent(id)
	if a == nil {
		a = &converseAgent{id: id, created: time.Now()}
		w.agents = append(w.agents, a)
	}
	return a
}

// assigned tells whether any agent has the document. The lock must be held.
func (w *converseWorld) assigned(id string) bool {
	return slices.ContainsFunc(w.agents, func(a *converseAgent) bool { return slices.Contains(a.docs, id) })
}

// Elsewhere makes an id, of a document or an agent, belong to another organisation: naming it is answered with 403.
func (s *Converse) Elsewhere(id string) {
	s.lock()
	defer s.mu.Unlock()
	s.elsewhere[id] = true
}

// Documents returns the live documents in creation order. Searchable means that they have chunks.
func (s *Converse) Documents() []Document {
	s.lock()
	defer s.mu.Unlock()
	return s.live.snapshot()
}

// TestDocuments returns the documents of mode=test in creation order.
func (s *Converse) TestDocuments() []Document {
	s.lock()
	defer s.mu.Unlock()
	return s.test.snapshot()
}

func (w *converseWorld) snapshot() []Document {
	out := []Document{}
	for _, d := range w.docs {
		out = append(out, Document{
			ID: d.id, Name: d.name, Content: d.content, Status: d.status, Created: d.created, Searchable: d.chunked,
		})
	}
	return out
}

// Put stores a foreign document that is indexed already, as a human would upload it in the dashboard, and returns its id.
func (s *Converse) Put(name string, content []byte) (id string) { return s.put(name, "file", content) }

// PutLink stores a foreign document that is indexed already, of what stands at an address now, and returns its id.
func (s *Converse) PutLink(name, address string) (id string) {
	text, _ := s.at(context.Background(), address)
	return s.put(name, "url", []byte(text))
}

func (s *Converse) put(name, kind string, content []byte) (id string) {
	s.lock()
	defer s.mu.Unlock()
	d := &converseDocument{
		id: s.newID(), name: name, kind: kind, content: content, runes: utf8.RuneCount(content),
		created: time.Now(), foreign: true, status: StatusDone, chunked: true,
	}
	s.live.add(d)
	return d.id
}

// Remove deletes a document and its assignments, as a human would in the dashboard.
func (s *Converse) Remove(id string) {
	s.lock()
	defer s.mu.Unlock()
	s.remove(&s.live, id)
}

// AddAgent makes an agent exist, in both modes.
func (s *Converse) AddAgent(id string) {
	s.lock()
	defer s.mu.Unlock()
	s.live.addAgent(id)
	s.test.addAgent(id)
}

// Agents returns the ids of all agents.
func (s *Converse) Agents() []string {
	s.lock()
	defer s.mu.Unlock()
	var ids []string
	for _, a := range s.live.agents {
		ids = append(ids, a.id)
	}
	return ids
}

// Held returns the ids of the documents assigned to an agent, in the order of assignment.
func (s *Converse) Held(agent string) []string {
	s.lock()
	defer s.mu.Unlock()
	if a := s.live.agent(agent); a != nil {
		return slices.Clone(a.docs)
	}
	return nil
}

// Give assigns a document to an agent, as a human would; the agent is made when missing. An id of no document is ignored.
func (s *Converse) Give(agent, id string) {
	s.lock()
	defer s.mu.Unlock()
	s.test.addAgent(agent)
	a := s.live.addAgent(agent)
	if s.live.byID[id] != nil && !slices.Contains(a.docs, id) {
		a.docs = append(a.docs, id)
	}
}

// Take unassigns a document from an agent, as a human would.
func (s *Converse) Take(agent, id string) {
	s.lock()
	defer s.mu.Unlock()
	if a := s.live.agent(agent); a != nil {
		a.drop(id)
	}
}

// Retrieve returns the names of the live documents that contain the marker, in creation order. Live are documents with
// chunks that are assigned to the agent; with agent "", all with chunks.
func (s *Converse) Retrieve(agent, marker string) (names []string) {
	s.lock()
	defer s.mu.Unlock()
	held := map[string]bool{}
	if a := s.live.agent(agent); a != nil {
		for _, id := range a.docs {
			held[id] = true
		}
	}
	for _, d := range s.live.docs {
		if d.chunked && (agent == "" || held[d.id]) && strings.Contains(string(d.content), marker) {
			names = append(names, d.name)
		}
	}
	return names
}
