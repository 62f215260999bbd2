// Package simulator plays knowledge-base vendors on loopback, for tests, for demonstrations and for users who want
// to try a configuration before it touches a real account.
//
// It is written from the vendor's documentation alone and imports nothing of this module: it shares no code with the
// clients, so that one cannot hide the other's mistake. It keeps real state (what was uploaded can be listed, parsed,
// downloaded and deleted), refuses what the vendor refuses, can be told to misbehave (Faults), and writes down every
// request and every breach of a documented rule (Violations).
//
// It must not be used as a store: everything lives in memory.
package simulator

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Parsing states of a document, as Starleads words them unless StarleadsOptions.UpperStatus is set.
const (
	StatusPending   = "pending"   // uploaded, parsing never triggered (or its chunks were reset)
	StatusRunning   = "running"   // triggered: waiting for a slot, being parsed, or stalled
	StatusDone      = "done"      // parsed
	StatusFailed    = "failed"    // parsing failed
	StatusCancelled = "cancelled" // parsing was stopped
)

// Limits that Starleads documents or that its stack is known to have.
const (
	maxFiles       = 10         // files in one upload
	maxFileSize    = 5_000_000  // bytes in one file
	maxPolite      = 25_000_000 // bytes of all files of one upload that a careful client keeps to
	defaultMaxBody = 30_000_000 // bytes of one request
	maxNameBytes   = 255        // bytes in a document's name
	maxNameChars   = 255        // characters in the name of a dataset or chat
	maxPrompt      = 50_000     // characters in an agent's prompt
	maxPageSize    = 100        // items on one page of a list
	pageSize       = 50         // the same when the request does not say
	firstNumericID = 1<<53 + 1  // above what a float64 holds exactly
)

// StarleadsOptions configure a Starleads simulator. The zero value, with a Key, behaves as the documentation says; the
// switches turn on behaviour of RAGFlow that may shine through.
type StarleadsOptions struct {
	Key        string        // value required in X-Api-Key
	ParseDelay time.Duration // how long one document takes to parse, and one knowledge graph to build
	ParseSlots int           // how many documents are parsed at once; 0 means no limit
	Latency    time.Duration // added to every request
	Rate       float64       // requests a second above which 429 with Retry-After is answered; 0 means no limit
	MaxBody    int64         // bytes of a request above which 413 is answered; 0 means 30,000,000

	MixedBatch500  bool // an upload with good and bad files answers 500, yet the good files are stored
	BareLists      bool // lists are bare arrays instead of the envelope
	UpperStatus    bool // UNSTART, RUNNING, DONE, FAIL and CANCEL instead of the lower-case words
	BadIDs400      bool // unknown ids and busy documents give 400 instead of 404 and 409
	ShuffledUpload bool // the answer to an upload has another order than the request
	NumericIDs     bool // ids of datasets, documents and chats are JSON numbers
	NoStatus       bool // the answer to an upload has a null status
	IgnorePaging   bool // lists always give their first page
	AllowEmptyChat bool // a chat may use a dataset that has no parsed document
	RenameResets   bool // renaming a document drops its chunks and sets it back to pending

	Seed uint64 // of ids and of probable faults
}

// Starleads simulates the Starleads knowledge-base API. It implements http.Handler and is safe for concurrent use.
// Besides the API it answers under /_sim/, where its state can be inspected without a key.
type Starleads struct {
	*front

	opts    StarleadsOptions
	routes  routes
	inspect http.Handler

	mu       sync.Mutex // guards everything below; taken through lock, so that parsing is up to date
	rng      *rand.Rand
	seq      uint64
	queue    parseQueue
	datasets []*dataset // in creation order
	docs     map[string]*document
	chats    []*chat // in creation order
	agents   map[string]*agent
}

// dataset is one knowledge base with its documents.
type dataset struct {
	id          string
	name        string
	description *string
	method      string
	parser      parserConfig
	created     time.Time
	docs        []*document // in creation order, so sorted by seq
	byName      map[string]*document
	graph       graph
}

// document is one stored file.
type document struct {
	seq     uint64
	id      string
	ds      *dataset
	name    string
	lower   string // name in lower case, for keyword searches
	content []byte
	status  string
	method  string
	parser  parserConfig
	enabled bool
	created time.Time
	job     *job // parsing under way; nil also while a document stalls
}

// NewStarleads returns an empty simulator.
func NewStarleads(o StarleadsOptions) *Starleads {
	if o.MaxBody <= 0 {
		o.MaxBody = defaultMaxBody
	}
	s := &Starleads{
		front:  newFront(o.Latency, o.Rate, o.Seed),
		opts:   o,
		rng:    rand.New(rand.NewPCG(o.Seed, 1)),
		queue:  parseQueue{delay: o.ParseDelay, slots: o.ParseSlots},
		docs:   map[string]*document{},
		agents: map[string]*agent{},
	}
	s.routes = s.starleadsRoutes()
	s.inspect = s.inspector()
	return s
}

// lock takes the lock and completes every parsing whose time has come.
func (s *Starleads) lock() {
	s.mu.Lock()
	s.queue.advance(time.Now())
}

// newID makes an id that no other object has. The lock must be held.
func (s *Starleads) newID(prefix string) string {
	s.seq++
	if s.opts.NumericIDs {
		return strconv.FormatUint(firstNumericID+2*s.seq, 10)
	}
	return fmt.Sprintf("%s_%08x%08x", prefix, s.rng.Uint32(), s.seq)
}

// Document is a snapshot of one stored document.
type Document struct {
	ID          string
	Dataset     string // id of its dataset; Datasets has the name
	Name        string
	Content     []byte // shared with the simulator: must not be changed
	Status      string // one of the Status constants, whatever the words on the wire
	ChunkMethod string
	Created     time.Time
	Searchable  bool // parsed and enabled: an agent can find it
}

// Documents returns the documents of all datasets in creation order.
func (s *Starleads) Documents() []Document {
	s.lock()
	defer s.mu.Unlock()
	all := make([]*document, 0, len(s.docs))
	for _, ds := range s.datasets {
		all = append(all, ds.docs...)
	}
	slices.SortFunc(all, bySeq)
	out := make([]Document, len(all))
	for i, d := range all {
		out[i] = d.snapshot()
	}
	return out
}

func (d *document) snapshot() Document {
	return Document{
		ID: d.id, Dataset: d.ds.id, Name: d.name, Content: d.content, Status: d.status, ChunkMethod: d.method,
		Created: d.created, Searchable: d.status == StatusDone && d.enabled,
	}
}

// Put stores a foreign document, as a human would upload it in the dashboard, and returns its id. The dataset is given
// by id or name, and is created when there is none. No rule of the API applies, except that a taken name is changed to
// name(1).ext. An empty status means pending; running starts the parsing.
func (s *Starleads) Put(dataset, name string, content []byte, status string) (id string) {
	hooks := s.hooks()
	s.lock()
	defer s.mu.Unlock()
	ds := s.findDataset(dataset)
	for _, other := range s.datasets {
		if ds == nil && other.name == dataset {
			ds = other
		}
	}
	if ds == nil {
		ds = s.addDataset(dataset)
	}
	unique, ok := uniqueName(name, ds.hasDocument)
	if !ok {
		unique = fmt.Sprintf("%d-%s", s.seq, name)
	}
	d := s.addDocument(ds, unique, content)
	switch status = canonicalStatus(status); status {
	case StatusRunning:
		s.trigger(d, hooks)
	default:
		d.status = status
	}
	return d.id
}

// Datasets returns the name of each dataset by its id.
func (s *Starleads) Datasets() map[string]string {
	s.lock()
	defer s.mu.Unlock()
	out := make(map[string]string, len(s.datasets))
	for _, ds := range s.datasets {
		out[ds.id] = ds.name
	}
	return out
}

// AddAgent makes an agent exist. The API cannot create one.
func (s *Starleads) AddAgent(id string) {
	s.lock()
	defer s.mu.Unlock()
	s.addAgent(id)
}

// AgentChat returns the chat that an agent is connected to and the datasets of that chat; the id is empty when there is
// none.
func (s *Starleads) AgentChat(id string) (chatID string, datasetIDs []string) {
	s.lock()
	defer s.mu.Unlock()
	a := s.agents[id]
	if a == nil || a.chat == nil {
		return "", nil
	}
	return a.chat.id, slices.Clone(a.chat.datasets)
}

// Connect connects an agent to the chat of that name, as a human would in the dashboard, and returns the chat's id.
// Agent and chat are created when missing; a new chat has no datasets.
func (s *Starleads) Connect(agent, chatName string) (chatID string) {
	s.lock()
	defer s.mu.Unlock()
	a := s.addAgent(agent)
	a.chat = s.chatNamed(chatName)
	if a.chat == nil {
		a.chat = s.addChat(chatName)
	}
	return a.chat.id
}

// findDataset returns the dataset with that id, or nil. The lock must be held.
func (s *Starleads) findDataset(id string) *dataset {
	for _, ds := range s.datasets {
		if ds.id == id {
			return ds
		}
	}
	return nil
}

// addDataset creates a dataset; a taken name is changed to name(1). The lock must be held.
func (s *Starleads) addDataset(name string) *dataset {
	unique, _ := uniqueName(name, func(n string) bool {
		return slices.ContainsFunc(s.datasets, func(ds *dataset) bool { return ds.name == n })
	})
	ds := &dataset{
		id: s.newID("ds"), name: unique, method: "naive", parser: defaultParser(), created: time.Now(),
		byName: map[string]*document{},
	}
	s.datasets = append(s.datasets, ds)
	return ds
}

// addDocument stores a document under a name that must be free. The lock must be held.
func (s *Starleads) addDocument(ds *dataset, name string, content []byte) *document {
	d := &document{
		id: s.newID("doc"), ds: ds, name: name, lower: strings.ToLower(name), content: content, status: StatusPending,
		method: routedMethod(extension(name), ds.method), parser: ds.parser, enabled: true, created: time.Now(),
	}
	d.seq = s.seq
	ds.docs = append(ds.docs, d)
	ds.byName[name] = d
	s.docs[d.id] = d
	return d
}

// removeDocument deletes a document and cancels its parsing. The lock must be held.
func (s *Starleads) removeDocument(d *document) {
	s.cancel(d)
	if i, ok := slices.BinarySearchFunc(d.ds.docs, d, bySeq); ok {
		d.ds.docs = slices.Delete(d.ds.docs, i, i+1)
	}
	delete(d.ds.byName, d.name)
	delete(s.docs, d.id)
}

func (ds *dataset) hasDocument(name string) bool { return ds.byName[name] != nil }

func bySeq(a, b *document) int {
	switch {
	case a.seq < b.seq:
		return -1
	case a.seq > b.seq:
		return 1
	}
	return 0
}
