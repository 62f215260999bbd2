// Package targets says what a knowledge store at a vendor is. The core interface is small; what only some vendors can
// do is a further interface that the engine finds by type assertion, and what a vendor cannot do its package does not
// implement. Each vendor is a package below this one and passes the suite in targettest.
package targets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"kbsyncd/internal/contract"
	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/secret"
)

// RemoteID is the vendor's id of one remote document. It is opaque and never empty.
type RemoteID string

// Target is one knowledge store. Its methods may be called concurrently. They retry what may be retried
// and translate every failure to the classes of package fault: ErrDenied, ErrSetup and ErrUnavailable stop the target for this pass.
//
// Every method but Close obeys the context between requests: once it is cancelled no new request starts, while a request
// in flight is allowed to finish within a few seconds, so that its outcome is known.
type Target interface {
	// Limits are the fixed facts; no request is made.
	Limits() Limits
	// Connect finds the store. Without create it changes nothing, and a store that is not there yet gives a Store with an
	// empty ID. With create it makes what is missing. It comes before every other call of a pass and may be repeated.
	Connect(ctx context.Context, create bool) (Store, error)
	// List gives every document in the store, ours or not, in any order; a document may come twice. A nil error is the only proof that
	// the listing is complete. A store that does not exist lists as empty.
	List(ctx context.Context, fn func(Remote) error) error
	// Upload creates one remote document for each rendition. The results are in the order of
	// the batch. A rendition whose answer was lost is looked for in the store before it is sent
	// again, so one call leaves at most one copy; fault.ErrUnknown in a result says that even this look failed. One
	// rendition at fault never fails the others. The error of the call is for what stops the target.
	Upload(ctx context.Context, batch []Rendition) ([]Result, error)
	// Delete removes remote documents; one that is gone already is a success. Results are in the order of ids.
	Delete(ctx context.Context, ids []RemoteID) ([]Result, error)
	// Close releases connections.
	Close() error
}

// Limits are a vendor's fixed facts, as far as the engine and the converters need them.
type Limits struct {
	BatchFiles  int   // renditions in one Upload
	BatchBytes  int64 // their sizes together
	MaxBytes    int64 // one rendition
	NameBytes   int   // one remote name
	Concurrency int   // calls of Upload or Delete at the same time that make sense
	// RequestsPerBatch and Rate (requests a second, 0: none) let a plan tell how long it takes.
	RequestsPerBatch int
	Rate             float64
	SettleTimeout    time.Duration // how long a document may settle without any progress
	// FilesLast: files that go as they are wait for one another at this vendor, so texts go before them.
	FilesLast bool
	// Links: the vendor fetches pages itself, so a rendition may be an address.
	Links   bool
	Accepts kb.Accepts
}

// Store is where the documents go.
type Store struct {
	ID      string // the vendor's id of the store; "" when it does not exist yet
	Name    string // for people, for example the name of the dataset
	Created bool   // made by this call
}

// Status is where a remote document is on its way to being searchable.
type Status uint8

// The statuses. Words that nobody knows count as StatusWorking.
const (
	StatusUnknown   Status = iota // the answer says nothing about it
	StatusWaiting                 // stored; indexing was not started
	StatusWorking                 // being parsed, trained or indexed
	StatusDone                    // searchable
	StatusFailed                  // the vendor gave up on it
	StatusCancelled               // stopped; may be started again
)

// String is the word for people.
func (s Status) String() string {
	return [...]string{"unknown", "waiting", "working", "searchable", "failed", "cancelled"}[s]
}

// Remote is one document in the store.
type Remote struct {
	ID       RemoteID
	Name     string
	Size     int64 // bytes; -1 when the vendor does not tell
	Status   Status
	Word     string // the vendor's own word for the status
	Detail   string // the vendor's reason for a failure, one line
	Progress string // anything that changes while work goes on; "" when there is nothing
	// Retired: an older version that the vendor cannot delete, taken out of use by Delete. Its name is the one that it had
	// when it was in use. It is only counted.
	Retired bool
	// Link is the address of a document that the vendor fetches itself and that carries no name of ours, only its address:
	// whose it is, and which version, only the records tell. Documents whose remote name carries our mark leave it empty.
	Link string
}

// Rendition is one part of a document in the form that the target takes.
type Rendition struct {
	Document  kb.Key
	Name      string // the remote name, unique to this document, part and version
	Size      int64  // bytes, exact
	Digest    kb.Digest
	MediaType string
	// Link is the address that the vendor is to fetch, at vendors with Limits.Links; then there are no bytes: Size is 0, Open is
	// nil, and Digest changes when what stands at the address does.
	Link string
	// Open starts reading the bytes; it may be called again. Reading fails with fault.ErrChanged instead of
	// ending when the bytes are not those of Digest.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Result is the outcome for one rendition or id.
type Result struct {
	ID     RemoteID // the new id of an upload
	Name   string   // the name that the vendor gave, when it differs from the one sent
	Status Status
	Err    error
	// Left, of a Delete: the document is out of use but stays at the vendor, who has no way to delete it.
	Left bool
}

// Settler is a target whose documents are not searchable right after the upload.
type Settler interface {
	// Start asks the vendor to parse or index the documents; one that is at it already is a success.
	Start(ctx context.Context, ids []RemoteID) ([]Result, error)
	// Restart stops a document that makes no progress and starts it again.
	Restart(ctx context.Context, id RemoteID) error
	// Statuses gives the present state of the documents. What the store does not list any more is not given; a nil error is
	// the only proof that the look was complete.
	Statuses(ctx context.Context, ids map[RemoteID]string, fn func(Remote)) error // id → remote name
}

// Renamer is a target that can give a document another name in place.
type Renamer interface {
	// Rename returns the state of the document afterwards; some vendors start parsing anew.
	// The extension of the name must stay the same.
	Rename(ctx context.Context, id RemoteID, name string) (Remote, error)
}

// Replacer is a target that gives a remote document new content in place, in one step: until the new content is searchable the
// old one is, and a new version that the vendor fails to process leaves the old one where it is.
type Replacer interface {
	// Replace gives the document the name and the content of the rendition. It waits while the vendor is busy with an
	// earlier version. A lost answer is looked into, so that the outcome is known; fault.ErrNotFound says that there is no such document
	// (any more). The extension of the name stays the same. A page that the vendor fetches itself may be one that cannot change in
	// place: then it is deleted and created again, the result has the new id, and in between there is neither.
	Replace(ctx context.Context, id RemoteID, r Rendition) Result
}

// Assigner is a target whose agents are given documents one by one.
type Assigner interface {
	// Assigned gives the ids of everything that the agent holds, ours or not. A nil map: the vendor cannot tell; one of an agent that
	// holds nothing is empty. fault.ErrNotFound: there is no such agent.
	Assigned(ctx context.Context, agent string) (map[RemoteID]bool, error)
	// Assign gives the agent the documents of add, and then, or in the same step, takes those of drop away; what it has or lacks
	// already is no failure. Everything else that it holds stays. fault.ErrNotFound: there is no such agent. When an
	// error is returned add may have been given, but nothing of drop was taken before all of add was there.
	Assign(ctx context.Context, agent string, add, drop []RemoteID) error
}

// Searcher is a target that answers questions from the store.
type Searcher interface {
	// Search gives at most top passages, best first.
	Search(ctx context.Context, question string, top int) ([]Hit, error)
}

// Hit is one passage found by a Searcher.
type Hit struct {
	ID    RemoteID // of the document; "" when the vendor does not tell
	Name  string   // its remote name; "" when the vendor does not tell
	Text  string
	Score float64 // the vendor's own measure, more is better; 0 when it does not tell
}

// Reindexer is a target that can be asked to index anew what it holds. Documents settle again afterwards.
type Reindexer interface {
	// Reindex starts it; results are in the order of ids.
	Reindex(ctx context.Context, ids []RemoteID) ([]Result, error)
}

// Bundler is a target that holds all documents of a sync as one text, which every change replaces as a whole. It says nothing
// of what it holds, so List is empty and Upload and Delete fail with fault.ErrUnsupported.
type Bundler interface {
	// SendBundle replaces everything that the store holds.
	SendBundle(ctx context.Context, r Rendition) Result
	// BundleStatus is how far the vendor is with the last one.
	BundleStatus(ctx context.Context) (Remote, error)
}

// Downloader is a target that gives back what it stores.
type Downloader interface {
	Download(ctx context.Context, id RemoteID) (io.ReadCloser, error)
}

// Linker is a target whose agents are connected to the store as a whole.
type Linker interface {
	// Link makes the agents use the store: Want are the agents of the configuration, Ours those that an earlier
	// Link connected. Only agents in Ours are ever disconnected. One agent at fault does not stop the others from being
	// connected, but then nobody is disconnected: those who left Want stay in Ours, and a problem says so (StaysConnected).
	Link(ctx context.Context, r LinkRequest) (LinkResult, error)
}

// LinkRequest says which agents should use the store.
type LinkRequest struct {
	Want, Ours []string
	Searchable bool // the store holds at least one searchable document
	DryRun     bool // read only; the result is what would happen
}

// LinkResult is what Link did.
type LinkResult struct {
	Assigned, Unassigned []string // agents connected and disconnected now
	Ours                 []string // what to pass next time
	Waiting              bool     // postponed until a document is searchable
	Problems             []error  // one for each agent at fault
}

// StaysConnected adds to the problem with an agent which others are left connected because of it.
func StaysConnected(problem error, agents []string) error {
	var names []string
	for _, a := range agents {
		names = append(names, kb.Printable(a))
	}
	if len(names) == 1 {
		return fmt.Errorf("%w; agent %s stays connected until this is put right", problem, names[0])
	}
	return fmt.Errorf("%w; the agents %s stay connected until this is put right", problem, strings.Join(names, ", "))
}

// Finisher is a target with work to do once after a pass that changed something and settled.
type Finisher interface {
	// Finish is called after agents were linked; it returns without waiting for long. ErrLater asks for another call in the
	// next pass, whether that changes something or not.
	Finish(ctx context.Context) error
}

// ErrLater is no failure: the vendor is still busy with an earlier Finish, which does not cover the last change.
var ErrLater = errors.New("later")

// Metered is a target that counts its traffic.
type Metered interface {
	// Traffic is the number of requests and of body bytes sent since Open.
	Traffic() (requests, bytesSent int64)
}

// Config is the configuration of one target; its fields carry the tags that internal/config reads.
type Config interface {
	// Validate reports every problem with the values, without touching the network.
	Validate() []fault.Invalid
	// Open makes the client; no request is made.
	Open(o Options) (Target, error)
}

// AgentChecker is a Config that needs more settings when the store is handed to agents.
type AgentChecker interface {
	// CheckAgents reports what keeps these agents from using the store, without touching the network; nil when nothing does.
	// There is at least one agent. The message goes before ", though the sync … has agents".
	CheckAgents(agents []string) *fault.Invalid
}

// Common are the settings that every target has.
type Common struct {
	APIKey        secret.String `yaml:"api_key" doc:"The vendor's API key; usually \"${VENDOR_API_KEY}\"."`
	APIKeyFile    string        `yaml:"api_key_file" kind:"path" doc:"A file that holds the API key, in place of api_key; for systemd credentials \"${CREDENTIALS_DIRECTORY}/name\"."`
	BaseURL       string        `yaml:"base_url" doc:"Where the API is."`
	Rate          float64       `yaml:"rate" doc:"Requests a second, for all syncs of this account together."`
	Concurrency   int           `yaml:"concurrency" doc:"Requests at the same time."`
	SettleTimeout time.Duration `yaml:"settle_timeout" doc:"How long a document may stay without progress while the vendor parses or trains it."`
	MaxFileSize   int64         `yaml:"max_file_size" kind:"size" doc:"Larger documents are split when they are text and skipped otherwise."`
	Timeout       time.Duration `yaml:"timeout" doc:"Longest wait for one answer."`
	Routes        Routes        `yaml:"routes" word:"auto" doc:"Overrides of paths or verbs that the vendor does not document, as \"METHOD /path/{placeholder}\"; auto takes them from the vendor's OpenAPI document, at vendors with the key openapi."`
}

// Routes are overrides by name, or what auto means: those of the vendor's document.
type Routes map[string]string

// auto is the word in place of a mapping, which package config keeps under no name.
const auto = "auto"

// AutoRoutes is what the word auto in place of a mapping means.
func AutoRoutes() Routes { return Routes{"": auto} }

// Auto tells whether the routes are those of the vendor's document.
func (r Routes) Auto() bool { return r[""] == auto }

// Contracted is a Config whose vendor publishes a document that its client can be compared with.
type Contracted interface {
	// Contract is what the client assumes with this configuration, and where the document is; no request is made.
	Contract() contract.Contract
}

// Exclusive is a Config whose store can serve one sync only.
type Exclusive interface {
	// OneSync says why; "" when several syncs may share it.
	OneSync() string
}

// Sided is a Config with modes whose records must not be mixed, such as a vendor's test mode.
type Sided interface {
	// Side names the mode; "" is the usual one.
	Side() string
}

// Options is what every target is given.
type Options struct {
	Name      string // as in the configuration
	UserAgent string
	Logger    *slog.Logger
	// Agent is whose copy this target is, at vendors with Kind.AgentCopies; "" elsewhere.
	Agent string
	// Memory outlives the process; nil when nothing can be remembered.
	Memory Memory
	// Transport carries the requests, for tests of several parts together; nil is the network.
	Transport http.RoundTripper
}

// Memory is a small store for what a client must remember between two processes, such as when it last used up a
// limit of the account. It may be empty at any time. It is safe for concurrent use.
type Memory interface {
	Recall(key string) ([]byte, error) // nil when there is nothing
	Remember(key string, value []byte) error
}

// Kind is one vendor, as listed in targets/all.
type Kind struct {
	Name      string        // the `type` in the configuration
	Summary   string        // one line for people
	NewConfig func() Config // a pointer to a config with its defaults
	// AgentMatch: documents can be handed to agents one by one, so `match` on an agent makes sense.
	AgentMatch bool
	// AgentCopies: the store is the agent's own, so each agent gets a target of its own (Options.Agent) and needs a copy of
	// every document; without agents there is nowhere to send anything.
	AgentCopies bool
	// Facts are lines for `kbsyncd providers`: what the vendor can do and how.
	Facts []Fact
}

// Fact is one line of the table of what vendors can do.
type Fact struct{ Name, Value string }
