package sourcetest

import (
	"context"
	"sync"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
)

// Far is a Memory whose content must be fetched before it can be opened, like that of a repository on a server: a scan tells no
// sizes. All methods may be called concurrently.
type Far struct {
	*Memory

	mu      sync.Mutex
	near    map[kb.Fingerprint]bool
	fetches []int // how many documents each call of Fetch was asked for
	fail    error
}

var (
	_ sources.Source  = (*Far)(nil)
	_ sources.Fetcher = (*Far)(nil)
	_ kb.Opener       = (*Far)(nil)
)

// AsFar is the same source at a distance.
func (m *Memory) AsFar() *Far { return &Far{Memory: m, near: map[kb.Fingerprint]bool{}} }

// FailFetch makes Fetch fail; nil ends that.
func (f *Far) FailFetch(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = err
}

// Fetches are the numbers of documents that each Fetch was asked for, so far.
func (f *Far) Fetches() []int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]int(nil), f.fetches...)
}

// farSink gives documents without their size.
type farSink struct {
	sources.Sink
	from *Far
}

func (s farSink) Document(d kb.Document) error {
	d.Size, d.From = -1, s.from
	return s.Sink.Document(d)
}

// Scan implements sources.Source.
func (f *Far) Scan(ctx context.Context, known sources.Known, sink sources.Sink) error {
	return f.Memory.Scan(ctx, known, farSink{sink, f})
}

// Fetch implements sources.Fetcher.
func (f *Far) Fetch(ctx context.Context, docs []*kb.Document) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fetches = append(f.fetches, len(docs))
	if f.fail != nil {
		return f.fail
	}
	for _, d := range docs {
		f.near[d.Fingerprint] = true
		if size, ok := f.sizeOf(*d); ok {
			d.Size = size
		}
	}
	return nil
}

// sizeOf is the size of a version, while it is the current one.
func (m *Memory) sizeOf(d kb.Document) (int64, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, ok := m.docs[d.Raw]
	return int64(len(now.content)), ok && now.print == d.Fingerprint
}

// Open implements kb.Opener.
func (f *Far) Open(ctx context.Context, d kb.Document) (kb.Content, error) {
	f.mu.Lock()
	near := f.near[d.Fingerprint]
	f.mu.Unlock()
	if !near {
		return nil, fault.New(fault.ErrIncomplete, "%s was opened without being fetched", d.Key)
	}
	return f.Memory.Open(ctx, d)
}
