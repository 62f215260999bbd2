// Package sources says what a source of documents is. A source is level-triggered: Scan lists everything there is
// now, and the engine compares that with what it knows. Each kind of source is a package below this one
// and passes the suite in sourcetest.
package sources

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

// Source lists documents. Its methods may be called concurrently.
type Source interface {
	// Scan gives every document and every problem to the sink, ordered by key (byte order). A nil
	// error is the only proof that the listing is complete; after any other outcome nothing of this
	// source may be deleted, though every document that was given may be used.
	// An error of the sink ends the scan and is returned as it is. ErrUnsure is a listing that lacks nothing that was found, but cannot
	// tell whether what is missing is gone.
	Scan(ctx context.Context, known Known, sink Sink) error
	// Close releases what Open acquired.
	Close() error
}

// ErrUnsure is the class of the error of a scan that gave everything that it found, and of which nothing that is missing may be taken for
// gone. It is no failure of the source: when nothing is missing, nothing is wrong.
var ErrUnsure = errors.New("what is missing may not be gone")

// Sink receives a scan, in order, from one goroutine.
type Sink interface {
	Document(kb.Document) error
	Problem(kb.Problem) error
}

// Known is what the last complete scans of this source left behind. The zero value means that nothing is known.
type Known struct {
	Identity  string // what Identifier gave then; "" when unknown
	Documents int    // how many documents the targets hold from this source
	// Sample gives up to n known documents (key and fingerprint); nil when nothing is known. A source whose identity
	// changed uses it to tell "moved to another disk" from "something else is mounted here".
	Sample func(n int) []KnownDocument
	// Run is the same number for scans that belong to one run of the program over several targets, and 0 when nothing is known of that.
	// Such scans may share one look at a place that is far away, so that all targets are given the same version of it.
	Run uint64
	// Anew: ask even where the place itself said that nothing needs to be asked yet.
	Anew bool
	// Looked is told, while a source looks at a place that is far away before it gives the first document, how many
	// documents it has seen; nil when nobody wants to know. It may be called concurrently.
	Looked func(n int)
}

// KnownDocument is one document that the targets hold.
type KnownDocument struct {
	Key         kb.Key
	Fingerprint kb.Fingerprint
}

// Identifier is a source that can tell whether it is still the same place.
type Identifier interface {
	// Identity names the place itself, for example the device that a folder is on. It is called after a scan that
	// was complete, or that failed with fault.ErrIncomplete; what it gives is then remembered. A source that gives all
	// documents of a new place, but does not yet trust what it lacks, fails so and gives the new identity. "" is unknown.
	Identity() string
}

// Fetcher is a source whose content is far away and cheaper to get for many documents at once.
type Fetcher interface {
	// Fetch brings the content of documents that a scan gave to where opening them is cheap, and fills in their sizes where
	// these were not known. A document that cannot be had is no failure of Fetch: opening it says why. The error is for what
	// concerns all of them; the caller reports it for each, and deletes nothing.
	Fetch(ctx context.Context, docs []*kb.Document) error
}

// Metered is a source that counts what its scans cost.
type Metered interface {
	// Cost is what the scan with this Known.Run cost; a scan that shared the look of another one cost nothing of its own and gives
	// the same numbers.
	Cost(run uint64) Cost
}

// Cost is what a scan cost the place that was looked at.
type Cost struct {
	Requests      int64         // requests, or commands that went over the network
	NotModified   int64         // of them, those that were answered without a body because nothing had changed
	BytesReceived int64         // of bodies, as they came over the network
	Duration      time.Duration // of the look
	Pages         []PageCost    // the documents whose content was transferred, in order of their keys
}

// PageCost is what one document of a scan cost.
type PageCost struct {
	Key      kb.Key
	Bytes    int64
	Requests int           // with redirects and repetitions
	Duration time.Duration // until the last byte
}

// Memory is what a source keeps between processes, such as validators. It may be empty at any time, and then a scan costs
// more and gives the same. It is safe for concurrent use.
type Memory interface {
	// Load calls fn for every entry in order of the keys. The value is only valid during the call.
	Load(fn func(key string, value []byte) error) error
	// Save stores values and removes those that are nil, in one durable step. It does nothing in a dry run.
	Save(changes map[string][]byte) error
}

// Shaped is a source with settings that change what is sent of a document while the document stays the same.
type Shaped interface {
	// Shape names these settings; "" is the usual shape.
	Shape() string
}

// Checker is a source that can look at one document without a scan.
type Checker interface {
	// Exists looks whether the document is there now. The engine asks before it deletes.
	Exists(ctx context.Context, k kb.Key) (bool, error)
}

// Prober is a source that can be tried without a scan.
type Prober interface {
	// Probe asks with as few requests as can be whether the place is there and lets itself be read.
	Probe(ctx context.Context) error
}

// Explainer is a source that can tell why it gives or leaves out a path.
type Explainer interface {
	// Explain returns the rules that decide about the path, one line each, the last one decisive.
	Explain(path string) []string
}

// Config is the configuration of one source; its fields carry the tags that internal/config reads.
type Config interface {
	// Validate reports every problem with the values, without touching disk or network.
	Validate() []fault.Invalid
	// Open makes the source. It does not fail because documents are missing: that is for Scan to say.
	Open(o Options) (Source, error)
}

// Options is what every source is given.
type Options struct {
	Name   string // as in the configuration; the first element of every key
	Dir    string // where relative paths start
	Logger *slog.Logger
	// UserAgent is what requests over HTTP call themselves.
	UserAgent string
	// CacheDir is a directory for what is expensive to get again, shared by all sources and by other processes; it may not exist yet. ""
	// means that nothing may be kept: what a scan needs on disk goes to a temporary directory that Close removes.
	CacheDir string
	// Memory outlives the process; nil when nothing can be remembered.
	Memory Memory
}

// Kind is one kind of source, as listed in sources/all.
type Kind struct {
	Name      string        // the `type` in the configuration
	Summary   string        // one line for people
	NewConfig func() Config // a pointer to a config with its defaults
}
