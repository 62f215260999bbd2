package simulator

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Limits that Chatbase documents or that were observed.
const (
	cbMaxName        = 100        // characters in the name of a text source
	cbMaxContent     = 1_048_576  // characters in a text source
	cbMaxQuestions   = 50         // in one Q&A source
	cbMaxBody        = 4_500_000  // bytes of a JSON request
	cbMinFile        = 50         // bytes in a file; observed
	cbMaxFile        = 20_000_000 // bytes in a file
	cbMaxPage        = 100        // items on one page of a list
	cbPage           = 20         // the same when the request does not say
	cbUploads        = 10         // file uploads a minute, of the whole account
	cbMinChatbotName = 3          // characters in the name that a v1 update sends
)

// ChatbaseOptions configure a Chatbase simulator. The zero value, with a Key, behaves as the newest documentation says
// (sources train on write), except that a wrong agent id is treated as was observed; the switches turn on older
// generations of the API and behaviour on which the documentation contradicts itself.
type ChatbaseOptions struct {
	Key              string        // value required in Authorization: Bearer
	TrainDelay       time.Duration // how long a training takes
	PurgeDelay       time.Duration // how long a deleted source stays listed as toBeDeleted in generation C
	Latency          time.Duration // added to every request
	Rate             int           // v2 requests in 10 seconds above which 429 is answered; 0 means no limit and no X-RateLimit headers
	UploadsPerMinute int           // file uploads a minute of the account above which 429 is answered; 0 means 10
	Speed            float64       // how much faster the limits' clock runs: at 60 their minute lasts a second; 0 means 1
	StorageBytes     int64         // of all sources of one agent, above which 422 is answered; 0 means no limit
	V1MaxChars       int           // characters of a v1 source text above which 400 is answered; 0 means no limit

	// Generation is A (changes go live by a human's retraining: Retrain), B (by POST …/train, and deletion is soft as in
	// A) or C (by themselves); empty means C.
	Generation string

	StrictAgents        bool   // a wrong agent id is 404 everywhere, as documented, instead of an empty list and a 500 on creation, as observed
	ResetSeconds        bool   // X-RateLimit-Reset is in seconds instead of milliseconds
	NoRetryAfter        bool   // 429 comes without Retry-After
	WrapData            bool   // a single source is wrapped in {"data":…}
	UpdateWhileTraining bool   // generation C accepts updates of a source in training instead of 409
	FilesNeedTraining   bool   // files in generation C stay untrained until POST …/train
	MisspeltDeleted     bool   // toBeDeletedted instead of toBeDeleted
	TrainingStatus      string // shown instead of untrained and updated, as an unknown word would be
	OriginalSize        bool   // sources have the field originalSize
	ChatbotSpelling     bool   // v1 lists say chatbotId and chatbotName instead of id and name
	PendingBlocks       bool   // a link that is pending deletion keeps its address from being added again
	UpdateFetches       bool   // an update of a link fetches its page again; otherwise only training anew what is untrained or failed does

	FetchPages    bool // pages on this machine that nobody set are fetched by plain http
	FetchAnywhere bool // all other pages are, too

	Seed uint64 // of ids and of probable faults
}

// Chatbase simulates the Chatbase API: v2 under /api/v2, the files host under /files/api/v2, and v1 under /api/v1. It
// implements http.Handler and is safe for concurrent use. Under /_sim/ its state can be inspected without a key.
type Chatbase struct {
	*front
	*pages

	opts      ChatbaseOptions
	routes    routes
	inspect   http.Handler
	requestID atomic.Uint64

	mu      sync.Mutex // guards everything below; taken through lock, so that training is up to date
	rng     *rand.Rand
	seq     uint64
	agenda  agenda
	rate    window
	uploads window
	agents  []*cbAgent // in creation order
	byID    map[string]*cbAgent
}

// cbAgent is one agent with its sources; to v1 it is a chatbot.
type cbAgent struct {
	seq         uint64
	id          string
	name        string
	created     time.Time
	trained     time.Time // end of the last training that landed; zero when there was none
	training    bool      // generations A and B: a training of the whole agent is under way
	autoRetrain bool
	sources     []*cbSource // in creation order
	bundle      cbBundle
}

// cbSource is one source of an agent.
type cbSource struct {
	seq      uint64
	id       string
	agent    *cbAgent
	kind     string // text, qna, link or file
	foreign  bool
	created  time.Time
	size     int64 // bytes, of the extracted text
	original int64 // bytes, as they were sent
	link     *cbLink
	qna      cbQnA

	status  string
	before  string // status that a restoration brings back
	now     cbVersion
	live    *cbVersion // what the agent answers from; nil until it was trained once
	job     *event     // generation C: the training under way
	stalled bool       // generation C: a training that will not end
	gone    bool
}

// cbVersion is one state of a source's knowledge. The content is never changed in place.
type cbVersion struct {
	number  int // counts the changes
	name    string
	content []byte // of a link, what stood at the address
	lost    bool   // of a link: nothing could be fetched, so training fails
}

// Words for the status of a source.
const (
	cbUntrained   = "untrained"
	cbUpdated     = "updated"
	cbTrained     = "trained"
	cbFailed      = "failed"
	cbToBeDeleted = "toBeDeleted"
	cbDeleted     = "deleted"
)

// NewChatbase returns a simulator without agents; AddAgent adds them. It panics when the generation is not A, B, C or
// empty.
func NewChatbase(o ChatbaseOptions) *Chatbase {
	o.Generation = cmp.Or(o.Generation, "C")
	if !slices.Contains([]string{"A", "B", "C"}, o.Generation) {
		panic(fmt.Sprintf("simulator: there is no Chatbase generation %q", o.Generation))
	}
	if o.Speed <= 0 {
		o.Speed = 1
	}
	if o.UploadsPerMinute <= 0 {
		o.UploadsPerMinute = cbUploads
	}
	s := &Chatbase{
		front:   newFront(o.Latency, 0, o.Seed),
		pages:   newPages(o.FetchPages, o.FetchAnywhere),
		opts:    o,
		rng:     rand.New(rand.NewPCG(o.Seed, 1)),
		rate:    newWindow(o.Rate, 10*time.Second, o.Speed),
		uploads: newWindow(o.UploadsPerMinute, time.Minute, o.Speed),
		byID:    map[string]*cbAgent{},
	}
	s.uploads.punishing = true
	s.refuse, s.limit, s.finish = cbRefuse, s.limited, s.finishAnswer
	s.routes = s.chatbaseRoutes()
	s.inspect = s.inspector()
	return s
}

// lock takes the lock and lets everything happen whose time has come.
func (s *Chatbase) lock() {
	s.mu.Lock()
	s.agenda.advance(time.Now())
}

// newID makes an id that no other object has. The lock must be held.
func (s *Chatbase) newID() string {
	s.seq++
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", s.rng.Uint32(), s.rng.Uint32()>>16, s.rng.Uint32()>>20, s.rng.Uint32()>>20, s.seq)
}

// ChatbaseSource is a snapshot of one source.
type ChatbaseSource struct {
	ID          string
	Agent       string
	Type        string // text, qna, link or file
	Name        string // of a link its address
	Content     []byte // the newest; shared with the simulator: must not be changed
	Status      string // untrained, updated, trained, failed or toBeDeleted, whatever the words on the wire
	Live        []byte // what the agent answers from; nil when that is nothing yet. Must not be changed
	LiveName    string
	Foreign     bool // made by Put, not through the API
	Training    bool // its newest content is on its way to be live
	Created     time.Time
	IsLive      bool // the agent answers from it, perhaps from an older version
	LiveCurrent bool // the agent answers from the newest content and name
}

// Documents returns the sources of all agents in creation order.
func (s *Chatbase) Documents() []ChatbaseSource {
	s.lock()
	defer s.mu.Unlock()
	out := []ChatbaseSource{}
	for _, a := range s.agents {
		for _, src := range a.sources {
			out = append(out, src.snapshot())
		}
	}
	return out
}

func (src *cbSource) snapshot() ChatbaseSource {
	out := ChatbaseSource{
		ID: src.id, Agent: src.agent.id, Type: src.kind, Name: src.now.name, Content: src.now.content, Status: src.status,
		Foreign: src.foreign, Training: src.training(), Created: src.created,
	}
	if src.live != nil {
		out.IsLive, out.Live, out.LiveName = true, src.live.content, src.live.name
		out.LiveCurrent = out.LiveName == out.Name && bytes.Equal(out.Live, out.Content)
	}
	return out
}

// AddAgent makes an agent exist; to v1 it is a chatbot. An agent that exists gets the name.
func (s *Chatbase) AddAgent(id, name string) {
	s.lock()
	defer s.mu.Unlock()
	s.addAgent(id, name)
}

// addAgent makes an agent exist. The lock must be held.
func (s *Chatbase) addAgent(id, name string) *cbAgent {
	a := s.byID[id]
	if a == nil {
		s.seq++
		a = &cbAgent{seq: s.seq, id: id, created: time.Now(), bundle: cbBundle{status: cbReady}}
		s.agents, s.byID[id] = append(s.agents, a), a
	}
	a.name = name
	return a
}

// Put stores a foreign text source, as a human would add it in the dashboard, trained and live, and returns its id. No
// rule of the API applies. The agent is made, with its id as its name, when there is none.
func (s *Chatbase) Put(agent, name string, content []byte) (id string) {
	s.lock()
	defer s.mu.Unlock()
	return s.put(agent, "text", cbVersion{name: name, content: content}).id
}

// put stores a foreign source. The lock must be held.
func (s *Chatbase) put(agent, kind string, v cbVersion) *cbSource {
	a := s.byID[agent]
	if a == nil {
		a = s.addAgent(agent, agent)
	}
	src := s.addSource(a, kind, v)
	src.foreign = true
	src.landed(src.now)
	return src
}

// Retrieve returns the names of the sources of an agent whose live content contains the marker: what its answers can
// draw on at this moment. A v1 text counts as a source with the chatbot's name.
func (s *Chatbase) Retrieve(agent, marker string) []string {
	s.lock()
	defer s.mu.Unlock()
	a := s.byID[agent]
	if a == nil {
		return nil
	}
	var names []string
	for _, src := range a.sources {
		if src.live != nil && bytes.Contains(src.live.content, []byte(marker)) {
			names = append(names, src.live.name)
		}
	}
	if bytes.Contains([]byte(a.bundle.live), []byte(marker)) {
		names = append(names, a.name)
	}
	return names
}

// addSource stores a source in training state untrained. The lock must be held.
func (s *Chatbase) addSource(a *cbAgent, kind string, v cbVersion) *cbSource {
	src := &cbSource{
		id: s.newID(), agent: a, kind: kind, status: cbUntrained, created: time.Now(), now: v,
		size: int64(len(v.content)), original: int64(len(v.content)),
	}
	src.seq = s.seq
	a.sources = append(a.sources, src)
	return src
}

// remove deletes a source for good. The lock must be held.
func (src *cbSource) remove() {
	src.job.cancel()
	src.job, src.live, src.gone = nil, nil, true
	src.agent.sources = slices.DeleteFunc(src.agent.sources, func(other *cbSource) bool { return other == src })
}

// find returns the source with that id, or nil.
func (a *cbAgent) find(id string) *cbSource {
	if i := slices.IndexFunc(a.sources, func(src *cbSource) bool { return src.id == id }); i >= 0 {
		return a.sources[i]
	}
	return nil
}

// size is the bytes of all sources of an agent.
func (a *cbAgent) size() (sum int64) {
	for _, src := range a.sources {
		sum += src.size
	}
	return sum
}
