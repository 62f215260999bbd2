package gitrepo

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"kbsyncd/internal/fault"
)

const (
	// largest is the largest document that is worth having.
	largest = 64 << 20
	// perBlob is what each blob of a batch adds to what the batch may bring.
	perBlob = 256 << 10
	// batch bounds how many blobs are asked for at once.
	batch = 50_000
	// maxLost is how many blobs a server may say that it lacks before the rest is given up.
	maxLost = 32
)

// How long commands may take. Silence of a server is noticed much earlier, by git and ssh.
const (
	lookLimit  = 2 * time.Minute
	fetchLimit = time.Hour
)

// network runs a command that goes over the network, and counts it.
func (r *Repo) network(ctx context.Context, c command) ([]byte, error) {
	set, env, err := r.remote(ctx)
	if err != nil {
		return nil, err
	}
	c.settings = append(slices.Clone(c.settings), set...)
	c.env = append(c.env, env...)
	c.stall = r.stall
	if c.grown == nil {
		c.grown = r.cache.packed
	}
	r.requests.Add(1)
	return r.git.run(ctx, c)
}

// partial says that the blobs that are missing can be had from the server.
var partial = []setting{
	{"remote.origin.promisor", "true"},
	{"remote.origin.partialclonefilter", "blob:none"},
}

var fetchArgs = []string{"fetch", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--no-auto-maintenance", "--no-progress", "--force"}

// fetchTip brings one commit with its trees, and with its blobs where the server knows no filter. The lock is held.
func (r *Repo) fetchTip(ctx context.Context, spec string, held *os.File) error {
	c := command{args: append(slices.Clone(fetchArgs), "--depth=1"), dir: r.cache.dir, hold: held, limit: fetchLimit}
	room := r.wholeRoom
	if !r.cache.flag("whole") {
		c.args = append(c.args, "--filter=blob:none")
		c.settings = partial
		room = r.tipRoom
	}
	c.args = append(c.args, "--end-of-options", "origin", spec)
	before := r.cache.packed()
	c.watch = r.within(r.cache.packed, before+room)
	_, err := r.network(ctx, c)
	came := max(0, r.cache.packed()-before)
	r.received.Add(came)
	if err == nil && came > room {
		err = errBudget // it came faster than anybody looked
	}
	if err != nil {
		r.cache.tidy()
	}
	if errors.Is(err, errBudget) {
		if r.cache.packed() > before {
			r.objects.reset()
			if err := r.cache.discard(); err != nil {
				return err
			}
		}
		return fault.New(fault.ErrIncomplete, "%s: the server sends more than %d MiB for one commit", r.shown, max(1, room>>20)).
			WithHint("use a server with partial clones (protocol version 2), or a smaller repository")
	}
	return err
}

// fetchBlobs brings blobs in one batch, if none of them is too large: then the batch is halved until the large ones stand alone. What the
// server lacks is left out. The lock is held.
func (r *Repo) fetchBlobs(ctx context.Context, ids []string, held *os.File) error {
	for len(ids) > batch {
		if err := r.fetchBlobs(ctx, ids[:batch], held); err != nil {
			return err
		}
		ids = ids[batch:]
	}
	for range maxLost {
		if len(ids) == 0 {
			return nil
		}
		err := r.fetchOnce(ctx, ids, held)
		lost := notOurs(err)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errBudget) && len(ids) == 1:
			r.large.add(ids[0])
			return nil
		case errors.Is(err, errBudget):
			half := len(ids) / 2
			if err := r.fetchBlobs(ctx, ids[:half], held); err != nil {
				return err
			}
			ids = ids[half:]
			continue
		case len(lost) == 0:
			return err
		}
		ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return slices.Contains(lost, id) })
	}
	return fault.New(fault.ErrIncomplete, "%s: the server no longer has many of the documents", r.shown).WithHint("the next pass looks again")
}

func (r *Repo) fetchOnce(ctx context.Context, ids []string, held *os.File) error {
	before := r.cache.packed()
	_, err := r.network(ctx, command{
		args: append(slices.Clone(fetchArgs), "--filter=blob:none", "--stdin", "--end-of-options", "origin"),
		dir:  r.cache.dir, hold: held, limit: fetchLimit,
		settings: append([]setting{{"fetch.negotiationAlgorithm", "noop"}}, partial...),
		stdin:    strings.NewReader(strings.Join(ids, "\n") + "\n"),
		watch:    r.within(r.cache.packed, before+r.largest+perBlob*int64(len(ids))),
	})
	r.received.Add(max(0, r.cache.packed()-before))
	if err != nil {
		r.cache.tidy()
	}
	return err
}

// bring makes sure that blobs are in the cache, as far as they can be had. The lock is held.
func (r *Repo) bring(ctx context.Context, ids []string, held *os.File) error {
	want, err := r.missing(ctx, ids)
	if err != nil || len(want) == 0 {
		return err
	}
	err = r.fetchBlobs(ctx, want, held)
	if refusesIDs(err) {
		return r.fetchWhole(ctx, len(want[0]) == 64, err, held)
	}
	if err == nil {
		r.cache.grown()
	}
	return err
}

// fetchWhole is for a server that sends only what has a name: all blobs of the tip come together then, into a new repository, because git
// does not ask again for what a commit it has should have brought. A look does so once: what the tip does not bring is gone. The lock is held.
func (r *Repo) fetchWhole(ctx context.Context, sha256 bool, why error, held *os.File) error {
	r.mu.Lock()
	spec, again := r.spec, r.wholeAgain
	r.mu.Unlock()
	if spec == "" || again {
		return why
	}
	r.log.Info("server sends no single files, fetching the whole commit")
	if err := r.cache.note("whole"); err != nil {
		return err
	}
	if err := r.renew(sha256); err != nil {
		return err
	}
	if err := r.fetchTip(ctx, spec, held); err != nil {
		return err
	}
	r.mu.Lock()
	r.wholeAgain = true
	r.mu.Unlock()
	r.cache.grown()
	return nil
}

// missing are those of the blobs that have to be fetched.
func (r *Repo) missing(ctx context.Context, ids []string) ([]string, error) {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	found, err := r.objects.info(ctx, ids)
	if err != nil {
		return nil, err
	}
	var want []string
	for i, ob := range found {
		if ob.kind == "" && !r.large.has(ids[i]) {
			want = append(want, ids[i])
		}
	}
	return want, nil
}

// renew makes the repository anew, empty. The lock is held.
func (r *Repo) renew(sha256 bool) error {
	r.objects.reset()
	if err := r.cache.discard(); err != nil {
		return err
	}
	return r.cache.ensure(sha256)
}

// healing runs fn with the lock. When the cache turns out to be damaged, it is made anew once.
func (r *Repo) healing(ctx context.Context, sha256 bool, fn func(held *os.File) error) error {
	held, err := r.cache.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock(held)
	if err := r.cache.ensure(sha256); err != nil {
		return err
	}
	if r.cache.flag("damaged") {
		if err := r.renew(sha256); err != nil {
			return err
		}
	}
	err = fn(held)
	if err == nil || ctx.Err() != nil || !errors.Is(err, errDamaged) && !errors.Is(err, errMissing) && foreign(err) {
		return err
	}
	r.log.Warn("cache of the repository is damaged, making it anew", "err", r.clean(err.Error()))
	if err := r.renew(sha256); err != nil {
		return err
	}
	return fn(held)
}
