// Package sourcetest holds the suite that every source passes and a source in memory for tests of the engine.
//
// The suite checks the contracts of sources.Source and kb.Opener through a Fixture, which lets it change what is behind the source.
// What a kind of source cannot do is left out of its fixture, and the cases that need it are skipped by name.
package sourcetest

import (
	"context"
	"io"
	"sync"
	"testing"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
)

// Fixture is a source with access to what is behind it. Paths are those of keys. Functions that are nil cannot be
// done with this kind of source.
type Fixture struct {
	Name   string // the source's name, the first element of its keys
	Source sources.Source

	Put    func(path string, content []byte) // creates or replaces
	Remove func(path string)
	Rename func(from, to string)
	// Break makes scans fail until the function that it returns is called. What else is in the source is as before.
	Break func() (repair func())
	// AddProblem puts something there that has a name and is no document, and returns its key.
	AddProblem func() kb.Key
	// Opens counts how often content has been asked for since the beginning; requests of a website count.
	Opens func() int
	// Snapshots: what a scan listed can be opened as it was then, whatever happened since.
	Snapshots bool
	// OddPaths are further paths that this kind of source must give as they are.
	OddPaths []string
}

// Listing is a sink that keeps everything. It is the sink of one scan at a time.
type Listing struct {
	Documents []kb.Document
	Problems  []kb.Problem
	Keys      []kb.Key // of both, in the order in which they came
}

var _ sources.Sink = (*Listing)(nil)

// Document implements sources.Sink.
func (l *Listing) Document(d kb.Document) error {
	l.Documents = append(l.Documents, d)
	l.Keys = append(l.Keys, d.Key)
	return nil
}

// Problem implements sources.Sink.
func (l *Listing) Problem(p kb.Problem) error {
	l.Problems = append(l.Problems, p)
	l.Keys = append(l.Keys, p.Key)
	return nil
}

// Paths are the paths of the documents.
func (l *Listing) Paths() []string {
	paths := make([]string, 0, len(l.Documents))
	for _, d := range l.Documents {
		paths = append(paths, d.Key.Path())
	}
	return paths
}

// Find gives the document with a path.
func (l *Listing) Find(path string) (kb.Document, bool) {
	for _, d := range l.Documents {
		if d.Key.Path() == path {
			return d, true
		}
	}
	return kb.Document{}, false
}

// Known is what the engine would know after this scan.
func (l *Listing) Known(identity string) sources.Known {
	docs := l.Documents
	return sources.Known{
		Identity:  identity,
		Documents: len(docs),
		Sample: func(n int) []sources.KnownDocument {
			var out []sources.KnownDocument
			for _, d := range docs[:min(n, len(docs))] {
				out = append(out, sources.KnownDocument{Key: d.Key, Fingerprint: d.Fingerprint})
			}
			return out
		},
	}
}

// Scan scans and fails the test unless the scan is complete.
func Scan(t testing.TB, src sources.Source) *Listing {
	t.Helper()
	l := &Listing{}
	if err := src.Scan(t.Context(), sources.Known{}, l); err != nil {
		t.Fatalf("Scan: %v", err)
	}
	return l
}

// Read reads a document to its end, verifies and closes it.
func Read(ctx context.Context, d kb.Document) (content []byte, doubtful bool, err error) {
	c, err := d.Open(ctx)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = c.Close() }()
	if content, err = io.ReadAll(c); err != nil {
		return nil, false, err
	}
	doubtful, err = c.Verify()
	return content, doubtful, err
}

// sinkFuncs is a sink made of functions; nil ones accept.
type sinkFuncs struct {
	mu       sync.Mutex
	document func(kb.Document) error
	problem  func(kb.Problem) error
}

func (s *sinkFuncs) Document(d kb.Document) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.document == nil {
		return nil
	}
	return s.document(d)
}

func (s *sinkFuncs) Problem(p kb.Problem) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.problem == nil {
		return nil
	}
	return s.problem(p)
}
