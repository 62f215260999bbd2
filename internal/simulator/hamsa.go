package simulator

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Secrets that every agent of a Hamsa simulator has in its body, as the vendor's agents do. They must never appear in
// logs, messages or requests of a client.
const (
	HamsaAgentKey    = "sk-llm-key-of-the-agent"    // llm.apiKey
	HamsaAgentSecret = "webhook-secret-of-an-agent" // webhookAuth.authSecret
)

// HamsaReply is the form of the answer to a creation, of which the documentation shows one object only.
type HamsaReply int

// The forms of the answer to a creation.
const (
	HamsaObject HamsaReply = iota // data is the first item
	HamsaArray                    // data is an array of the items
	HamsaItems                    // data is {"items": [...]}
	HamsaNoID                     // data is the first item without its id
	HamsaNoData                   // there is no data
)

// HamsaIDs is the form of knowledgeBaseItemsIds in the body of an agent.
type HamsaIDs int

// The forms of knowledgeBaseItemsIds.
const (
	HamsaIDList    HamsaIDs = iota // an array, as documented
	HamsaIDText                    // an array inside a string: "[]"
	HamsaIDNull                    // an array, or null when the agent holds nothing
	HamsaIDMissing                 // an array, or no such field when the agent holds nothing
)

// HamsaOptions configure a Hamsa simulator. The zero value, with a Key, behaves as the documentation says; the switches
// turn on what it leaves open or contradicts.
type HamsaOptions struct {
	Key          string        // value required after the word Token
	ProcessDelay time.Duration // how long a new item takes to be processed
	Latency      time.Duration // added to every request
	Rate         float64       // requests a second above which 429 with Retry-After is answered; 0 means no limit

	CreateReply      HamsaReply
	IDs              HamsaIDs
	SuccessFalse     bool     // "success" is false in good answers, as in the documented examples
	NestErrors       bool     // errors are {statusCode, message, error}, where message is at times an array
	NumericExtension bool     // "extension" is a number, as documented
	WorkWords        []string // statuses that an item passes before its last; PENDING and PROCESSING when empty
	FailWord         string   // status of an item that ParseFail names; FAILED when empty
	RepeatItems      bool     // later pages begin with the last item of the page before, as if one had been added
	LoseItems        bool     // the later pages of every other listing begin one item late, as if one had been deleted
	IgnorePaging     bool     // lists always give their first page
	IgnoreSearch     bool     // the search parameter, which is not documented for items, has no effect
	MaxTake          int      // items on a page at most, whatever take says; 0 means no limit
	NoProject        bool     // there is no by-api-key probe
	AllowDelete      bool     // items can be deleted by a route that is not documented
	DeleteStatus     int      // answered to that route unless AllowDelete; 0 means 404

	FetchPages    bool // pages on this machine that nobody set are fetched by plain http
	FetchAnywhere bool // all other pages are, too

	Seed uint64 // of ids and of probable faults
}

// Hamsa simulates the Hamsa API for knowledge-base items and voice agents. It implements http.Handler and is safe for
// concurrent use. Besides the API it answers under /_sim/, where its state can be inspected without a key.
type Hamsa struct {
	*front
	*pages

	opts    HamsaOptions
	routes  routes
	inspect http.Handler
	project string // id
	user    string // id

	mu       sync.Mutex // guards everything below
	rng      *rand.Rand
	seq      uint64
	listings int          // how often a listing began
	items    []*hamsaItem // in creation order
	byID     map[string]*hamsaItem
	agents   []*hamsaAgent // in creation order
}

// hamsaItem is one knowledge-base item. Its processing is worked out from the time whenever it is asked for.
type hamsaItem struct {
	id      string
	name    string
	kind    string   // TEXT, URL or FILE
	content string   // for URL and FILE, what stood at the addresses when the item was created
	url     string   // itemUrl
	urls    []string // itemUrls
	created time.Time
	updated time.Time       // zero until the first update
	ready   time.Time       // end of the processing
	stalls  bool            // the processing never ends
	last    string          // the word for its status once it is processed
	reason  string          // why it failed, wholly or in part
	foreign bool            // not made through the API
	off     map[string]bool // agents for which it was deactivated
}

// hamsaAgent is one voice agent.
type hamsaAgent struct {
	id      string
	items   []string        // ids, in the order that was set; changed by set
	has     map[string]bool // the same as a set
	created time.Time
	updated time.Time
}

// NewHamsa returns an empty simulator.
func NewHamsa(o HamsaOptions) *Hamsa {
	if len(o.WorkWords) == 0 {
		o.WorkWords = []string{"PENDING", "PROCESSING"}
	}
	if o.FailWord == "" {
		o.FailWord = "FAILED"
	}
	s := &Hamsa{
		front: newFront(o.Latency, o.Rate, o.Seed),
		opts:  o,
		rng:   rand.New(rand.NewPCG(o.Seed, 1)),
		pages: newPages(o.FetchPages, o.FetchAnywhere),
		byID:  map[string]*hamsaItem{},
	}
	s.project, s.user = s.newID(), s.newID()
	s.refuse = s.problem
	s.routes = s.hamsaRoutes()
	s.inspect = s.agentInspection(s, s.pages)
	return s
}

// newID makes a UUID that no other object has. The lock must be held.
func (s *Hamsa) newID() string {
	s.seq++
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", s.rng.Uint32(), s.rng.Uint32()&0xffff, s.rng.Uint32()&0xfff,
		s.rng.Uint32()&0xfff, s.seq)
}

// Documents returns all items in creation order. Searchable means that Retrieve finds them in the whole store.
func (s *Hamsa) Documents() []Document {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Document{}
	for _, it := range s.items {
		out = append(out, Document{
			ID: it.id, Name: it.name, Content: []byte(it.content), Status: it.status(time.Now()), Created: it.created,
			Searchable: s.live(it, nil),
		})
	}
	return out
}

// Put stores a foreign item of type TEXT that is processed already, as a human would make it in the dashboard, and
// returns its id.
func (s *Hamsa) Put(name string, content []byte) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	it := &hamsaItem{
		id: s.newID(), name: name, kind: "TEXT", content: string(content), created: now, ready: now,
		last: hamsaProcessed, foreign: true, off: map[string]bool{},
	}
	s.add(it)
	return it.id
}

// PutLink stores a foreign item of type URL, as a human would make it in the dashboard, with what stands at the address
// now, and returns its id.
func (s *Hamsa) PutLink(name, address string) (id string) {
	text, _ := s.at(context.Background(), address)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	it := &hamsaItem{
		id: s.newID(), name: name, kind: "URL", url: address, content: text, created: now, ready: now,
		last: hamsaProcessed, foreign: true, off: map[string]bool{},
	}
	s.add(it)
	return it.id
}

// add stores an item. The lock must be held.
func (s *Hamsa) add(it *hamsaItem) {
	s.items = append(s.items, it)
	s.byID[it.id] = it
}

// Remove deletes an item, as a human would in the dashboard; agents hold it no longer.
func (s *Hamsa) Remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(id)
}

// remove deletes an item. The lock must be held.
func (s *Hamsa) remove(id string) {
	s.items = slices.DeleteFunc(s.items, func(it *hamsaItem) bool { return it.id == id })
	delete(s.byID, id)
	for _, a := range s.agents {
		a.drop(id)
	}
}

// AddAgent makes an agent exist.
func (s *Hamsa) AddAgent(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addAgent(id)
}

// addAgent returns the agent, made when missing. The lock must be held.
func (s *Hamsa) addAgent(id string) *hamsaAgent {
	a := s.agent(id)
	if a == nil {
		a = &hamsaAgent{id: id, created: time.Now(), updated: time.Now()}
		s.agents = append(s.agents, a)
	}
	return a
}

// Agents returns the ids of all agents.
func (s *Hamsa) Agents() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, a := range s.agents {
		ids = append(ids, a.id)
	}
	return ids
}

// Held returns the ids in an agent's list, in its order, whether the items are active or not.
func (s *Hamsa) Held(agent string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.agent(agent); a != nil {
		return slices.Clone(a.items)
	}
	return nil
}

// Give adds an id to an agent's list, as a human would; the agent is made when missing. It may be the id of no item:
// then, like an item of Put, it is foreign and must stay.
func (s *Hamsa) Give(agent, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.addAgent(agent); !a.has[id] {
		a.set(append(a.items, id))
	}
}

// Take removes an id from an agent's list, as a human would.
func (s *Hamsa) Take(agent, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.agent(agent); a != nil {
		a.drop(id)
	}
}

// Retrieve returns the names of the live items that contain the marker, in creation order. Live are, for an agent, items
// of its list that are processed and active for it; with agent "", all that are processed and not out of use.
func (s *Hamsa) Retrieve(agent, marker string) (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.agent(agent)
	if agent != "" && a == nil {
		return nil
	}
	for _, it := range s.items {
		if s.live(it, a) && strings.Contains(it.content, marker) {
			names = append(names, it.name)
		}
	}
	return names
}

// live tells whether the agent, or with nil anybody, can find the item. The lock must be held.
func (s *Hamsa) live(it *hamsaItem, a *hamsaAgent) bool {
	if it.status(time.Now()) != StatusDone {
		return false
	}
	return s.active(it, a) && (a == nil || a.has[it.id])
}

// active tells whether the item is active for the agent; with nil, whether it is for any agent that holds it, or was never
// deactivated. The lock must be held.
func (s *Hamsa) active(it *hamsaItem, a *hamsaAgent) bool {
	if a != nil {
		return !it.off[a.id]
	}
	return len(it.off) == 0 || slices.ContainsFunc(s.agents, func(a *hamsaAgent) bool {
		return a.has[it.id] && !it.off[a.id]
	})
}

// used tells whether any agent holds the item. The lock must be held.
func (s *Hamsa) used(id string) bool {
	return slices.ContainsFunc(s.agents, func(a *hamsaAgent) bool { return a.has[id] })
}

// agent returns the agent with that id, or nil. The lock must be held.
func (s *Hamsa) agent(id string) *hamsaAgent {
	if i := slices.IndexFunc(s.agents, func(a *hamsaAgent) bool { return a.id == id }); i >= 0 {
		return s.agents[i]
	}
	return nil
}

// set replaces the agent's list.
func (a *hamsaAgent) set(ids []string) {
	a.items, a.has = ids, make(map[string]bool, len(ids))
	for _, id := range ids {
		a.has[id] = true
	}
}

func (a *hamsaAgent) drop(id string) {
	if a.has[id] {
		a.set(slices.DeleteFunc(a.items, func(held string) bool { return held == id }))
	}
}

// Statuses of an item whose processing ended well, or nearly so.
const (
	hamsaProcessed = "PROCESSED"
	hamsaPartial   = "COMPLETED_WITH_ERRORS"
)

// status is one of the Status constants. An item with errors counts as done: what could be processed is found.
func (it *hamsaItem) status(now time.Time) string {
	switch {
	case it.stalls, now.Before(it.ready):
		return StatusRunning
	case it.last == hamsaProcessed, it.last == hamsaPartial:
		return StatusDone
	}
	return StatusFailed
}
