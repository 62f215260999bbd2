package converse

import (
	"context"
	"hash/maphash"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
)

// The vendor documents no limits; these are careful.
const (
	nameBytes = 255
	textBytes = 1_000_000
)

// Target is the knowledge base of one organisation. See targets.Target for the contract of each method.
type Target struct {
	cfg    Config
	http   *httpapi.Client
	log    *slog.Logger
	routes map[string]targets.Route // all of them, by name

	tried   tried     // names that were sent since Connect
	outage  outage    // uploads that found the vendor out of reach
	cut     sync.Once // a listing may be cut short: said once
	noAgent sync.Once // the documents of an agent cannot be listed: said once
	testing sync.Once // test mode: said once
	unknown sync.Map  // words for a status that were logged
}

var (
	_ targets.Target    = (*Target)(nil)
	_ targets.Settler   = (*Target)(nil)
	_ targets.Reindexer = (*Target)(nil)
	_ targets.Assigner  = (*Target)(nil)
	_ targets.Searcher  = (*Target)(nil)
	_ targets.Metered   = (*Target)(nil)
	_ targets.Placed    = (*Target)(nil)
)

// Limits implements targets.Target.
func (t *Target) Limits() targets.Limits {
	return targets.Limits{
		BatchFiles: 1, BatchBytes: t.cfg.MaxFileSize, MaxBytes: t.cfg.MaxFileSize, NameBytes: nameBytes,
		Concurrency: max(t.cfg.Concurrency, 1), RequestsPerBatch: 1, Rate: t.cfg.Rate, SettleTimeout: t.cfg.SettleTimeout,
		Accepts: kb.Accepts{
			Native: map[string]bool{".pdf": true, ".docx": true, ".csv": true, ".txt": true},
			Text:   ".txt", Markdown: ".md", TextBytes: min(textBytes, t.cfg.MaxFileSize),
		},
	}
}

// Connect implements targets.Target. The store is there with the account; listing the agents shows that the key is good.
func (t *Target) Connect(ctx context.Context, _ bool) (targets.Store, error) {
	t.http.Reset()
	t.tried.forget()
	t.outage.reset()
	if _, err := t.call(ctx, "list agents", "agents", nil, nil); err != nil {
		if isGone(err) {
			err = fault.New(fault.ErrSetup, "converse: the agents cannot be listed").WithHint("check base_url").Because(plain(err))
		}
		return targets.Store{}, err
	}
	if t.cfg.Mode == modeTest {
		t.testing.Do(func() {
			t.log.Warn("test mode: the vendor answers with invented data; the live knowledge base stays as it is")
		})
		return targets.Store{ID: "knowledge-test", Name: "knowledge base (test mode)"}, nil
	}
	return targets.Store{ID: "knowledge", Name: "knowledge base"}, nil
}

// Delete implements targets.Target.
func (t *Target) Delete(ctx context.Context, ids []targets.RemoteID) ([]targets.Result, error) {
	return t.each(ctx, ids, func(id targets.RemoteID) (targets.Result, error) {
		_, err := t.call(ctx, "delete document", "delete", vars{"id": string(id)}, nil)
		if isGone(err) {
			err = nil
		}
		return targets.Result{ID: id}, err
	})
}

// each runs fn for every id that is not empty; results are in the order of ids. An error that stops the target, or the end of
// the context, ends the work; what was not tried gets that error.
func (t *Target) each(ctx context.Context, ids []targets.RemoteID, fn func(targets.RemoteID) (targets.Result, error)) ([]targets.Result, error) {
	out := make([]targets.Result, len(ids))
	var g errgroup.Group
	g.SetLimit(max(t.cfg.Concurrency, 1))
	var stop atomic.Pointer[error]
	for i, id := range ids {
		if id == "" {
			out[i].Err = fault.New(fault.ErrRejected, "converse: an empty id was refused, because it would name all documents")
			continue
		}
		g.Go(func() error {
			if p := stop.Load(); p != nil {
				out[i] = targets.Result{ID: id, Err: *p}
				return nil
			}
			res, err := fn(id)
			if err != nil {
				res = targets.Result{ID: id, Err: err}
				if fault.StopsTarget(err) || ctx.Err() != nil {
					stop.CompareAndSwap(nil, &err)
				}
			}
			out[i] = res
			return nil
		})
	}
	_ = g.Wait()
	if p := stop.Load(); p != nil {
		return out, *p
	}
	return out, nil
}

// Traffic implements targets.Metered.
func (t *Target) Traffic() (requests, bytesSent int64) { return t.http.Traffic() }

// Place implements targets.Placed.
func (t *Target) Place() string {
	return targets.PlaceOf(t.cfg.APIKey, strings.TrimRight(t.cfg.BaseURL, "/"), t.cfg.Mode)
}

// Close implements targets.Target.
func (t *Target) Close() error { return t.http.Close() }

// tried is the set of names that were sent. The vendor takes a name any number of times, so what was sent before is looked for
// before it is sent again. It keeps hashes, because a pass may have many names; two that look alike cost one look.
type tried struct {
	mu    sync.Mutex
	seed  maphash.Seed        // guarded by mu
	names map[uint64]struct{} // guarded by mu
}

func (s *tried) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seed, s.names = maphash.MakeSeed(), map[uint64]struct{}{}
}

// add notes a name and tells whether it was there.
func (s *tried) add(name string) (again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := maphash.String(s.seed, name)
	_, again = s.names[h]
	s.names[h] = struct{}{}
	return again
}
