// Package sources says what a source of documents is. A source is level-triggered: Scan lists everything there is
// now, and the engine compares that with what it knows. Each kind of source is a package below this one
// and passes the suite in sourcetest.
package sources

import (
	"context"
	"log/slog"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

// Source lists documents. Its methods may be called concurrently.
type Source interface {
	// Scan gives every document and every problem to the sink, ordered by key (byte order). A nil
	// error is the only proof that the listing is complete; after any other outcome nothing of this
	// source may be deleted, though every document that was given may be used.
	// An error of the sink ends the scan and is returned as it is.
	Scan(ctx context.Context, known Known, sink Sink) error
	// Close releases what Open acquired.
	Close() error
}

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

// Checker is a source that can look at one document without a scan.
type Checker interface {
	// Exists looks whether the document is there now. The engine asks before it deletes.
	Exists(ctx context.Context, k kb.Key) (bool, error)
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
}

// Kind is one kind of source, as listed in sources/all.
type Kind struct {
	Name      string        // the `type` in the configuration
	Summary   string        // one line for people
	NewConfig func() Config // a pointer to a config with its defaults
}
