package gitrepo

import (
	"context"

	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/secret"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/filter"
)

// Repo is a repository as a source.
type Repo struct {
	name   string
	shown  string // the address, for messages
	ref    string
	path   string // clean; "" for the whole repository
	view   string // a short name for what ref, path and filters make of the repository
	filter *filter.Filter
	public kb.PublicURL
	token  secret.String
	access access
	log    *slog.Logger

	git                                *git
	cache                              *cache
	objects                            *objects
	large                              idSet
	lfsLess                            idSet
	largest                            int64 // bytes of a document
	most                               int   // documents
	tipRoom, wholeRoom, floor, lfsRoom int64 // bytes on the disk
	bounds                             bounds
	patience                           time.Duration // with a look at the tip
	stall                              time.Duration // with silence while something is fetched

	requests, received atomic.Int64
	opens              atomic.Int64

	looking chan struct{} // holds one token while nobody looks; it guards shared and checked
	shared  []sharedLook
	checked bool

	mu         sync.Mutex
	current    *listing // the last one that was complete
	spec       string   // what the tip was last fetched by
	wholeAgain bool     // since the last look the whole tip was fetched into a new repository
	costs      []runCost
	lfsRefused error // by the server, since the last look
	lfsBytes   int64 // of the files of git-lfs
	lfsCounted bool
}

// sharedLook is the outcome of a look that other scans of the same run may use.
type sharedLook struct {
	run     uint64
	listing *listing
	err     error
}

// maxShared is how many runs may be under way at once and still share their looks.
const maxShared = 4

type runCost struct {
	run                uint64
	cost               sources.Cost
	requests, received int64 // counted before the look
}

var (
	_ sources.Source    = (*Repo)(nil)
	_ sources.Fetcher   = (*Repo)(nil)
	_ sources.Metered   = (*Repo)(nil)
	_ sources.Checker   = (*Repo)(nil)
	_ sources.Explainer = (*Repo)(nil)
	_ kb.Opener         = (*Repo)(nil)
)

// ready makes the directories and looks once whether git is there.
func (r *Repo) ready(ctx context.Context) error {
	if err := r.open(); err != nil {
		return err
	}
	if r.checked {
		return nil
	}
	if err := r.git.check(ctx); err != nil {
		return err
	}
	r.checked = true
	return nil
}

func (r *Repo) open() error {
	if err := r.cache.open(); err != nil {
		return fault.New(fault.ErrIncomplete, "the cache cannot be made: %s", plainRun(err)).WithHint("make room, or let the user kbsyncd runs as write there")
	}
	return nil
}

// Close implements sources.Source.
func (r *Repo) Close() error {
	r.objects.close()
	return r.cache.close()
}

func (r *Repo) listing() *listing {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current
}

// begin notes what the tip is fetched by. What was given up before is tried again.
func (r *Repo) begin(spec string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spec, r.wholeAgain, r.lfsRefused, r.lfsCounted = spec, false, nil, false
}

// maxCosts is how many runs are remembered.
const maxCosts = 16

// noteCost remembers what a look cost; requests and received are what was counted before it.
func (r *Repo) noteCost(run uint64, c sources.Cost, requests, received int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.costs) == maxCosts {
		r.costs = append(r.costs[:0], r.costs[1:]...)
	}
	r.costs = append(r.costs, runCost{run, c, requests, received})
}

// Cost implements sources.Metered. What was fetched since, to be read, is part of it.
func (r *Repo) Cost(run uint64) sources.Cost {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range slices.Backward(r.costs) {
		if r.costs[i].run == run {
			c := r.costs[i].cost
			c.Requests, c.BytesReceived = r.requests.Load()-r.costs[i].requests, r.received.Load()-r.costs[i].received
			return c
		}
	}
	return sources.Cost{}
}

// Exists implements sources.Checker, from the last listing.
func (r *Repo) Exists(ctx context.Context, k kb.Key) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if k.Source() != r.name || k.Path() == "" {
		return false, nil
	}
	l := r.listing()
	if l == nil {
		var err error
		if l, err = r.look(ctx, sources.Known{}); err != nil {
			return false, err
		}
	}
	found := l.find(k.Path())
	return len(found) > 0 && found[0].kind == isDocument, nil
}

// Fetch implements sources.Fetcher: one batch brings whatever is missing of the documents.
func (r *Repo) Fetch(ctx context.Context, docs []*kb.Document) error {
	ids := make([]string, len(docs))
	for i, d := range docs {
		ids[i] = blobID(d.Fingerprint)
	}
	if err := r.fetch(ctx, ids); err != nil {
		return err
	}
	found, err := r.objects.info(ctx, ids)
	if err != nil {
		return r.trouble(ctx, err)
	}
	for i, ob := range found {
		if ob.kind == "blob" {
			docs[i].Size = ob.size
		}
		if ob.kind == "blob" && ob.size <= maxPointer {
			if p, err := r.pointer(ctx, ids[i]); err == nil && p != nil {
				docs[i].Size = p.size
			}
		}
	}
	return nil
}

// fetch brings blobs into the cache.
func (r *Repo) fetch(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	if err := r.open(); err != nil {
		return err
	}
	err := r.healing(ctx, len(ids[0]) == 64, func(held *os.File) error { return r.bring(ctx, ids, held) })
	if err != nil {
		return r.trouble(ctx, err)
	}
	return nil
}
