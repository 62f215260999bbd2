package chatbase

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// fewIDs is how many sources are asked for one by one at least; else it depends on how many pages the list has.
const fewIDs = 3

// needsHand is the state of a source that training was asked for in vain.
const needsHand = "needs retraining in the Chatbase dashboard"

// remote is a source for the engine.
func (t *Target) remote(s source) targets.Remote {
	r := s.remote()
	if w := strings.ToLower(s.Status); t.trained.Load() && (w == "untrained" || w == "updated") {
		r.Detail = needsHand
	}
	return r
}

// Start implements targets.Settler. What is created is being trained already (documented), so this only looks
// whether the sources are there.
func (t *Target) Start(ctx context.Context, ids []targets.RemoteID) ([]targets.Result, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if err := t.ready(); err != nil {
		return adapter.Fail(results(ids), err), err
	}
	asked, there := map[targets.RemoteID]string{}, map[targets.RemoteID]targets.Status{}
	for _, id := range ids {
		if id != "" {
			asked[id] = ""
		}
	}
	err := t.Statuses(ctx, asked, func(r targets.Remote) { there[r.ID] = r.Status })
	if err != nil {
		out := adapter.Fail(results(ids), err)
		if fault.StopsTarget(err) || ctx.Err() != nil {
			return out, err
		}
		return out, nil
	}
	out := make([]targets.Result, len(ids))
	for i, id := range ids {
		st, ok := there[id]
		out[i] = targets.Result{ID: id, Status: st}
		if !ok {
			out[i].Err = fault.New(fault.ErrNotFound, "chatbase: no source %q", kb.Printable(string(id)))
		}
	}
	return out, nil
}

// Restart implements targets.Settler: training is asked for once a pass, because it is the agent's and not the source's. The
// newest generation of the API answers and does nothing.
func (t *Target) Restart(ctx context.Context, id targets.RemoteID) error {
	if err := t.ready(); err != nil {
		return err
	}
	if id == "" {
		return fault.New(fault.ErrRejected, "chatbase: an empty id was refused")
	}
	_, err := t.trainOnce(ctx)
	return err
}

// Reindex implements targets.Reindexer.
func (t *Target) Reindex(ctx context.Context, ids []targets.RemoteID) ([]targets.Result, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	out, err := t.Start(ctx, ids)
	if err != nil {
		return out, err
	}
	if _, err := t.trainOnce(ctx); err != nil {
		out = adapter.Fail(results(ids), err)
		if fault.StopsTarget(err) || ctx.Err() != nil {
			return out, err
		}
	}
	return out, nil
}

// trainOnce asks for training unless that was done in this pass.
func (t *Target) trainOnce(ctx context.Context) (running bool, err error) {
	if t.trained.Swap(true) {
		return false, nil
	}
	return t.trainNow(ctx)
}

// trainNow asks for training. running says that it was under way, so that it may not see the last change. The oldest generation
// of the API has no such route: then people have to press the button, and the sources say so.
func (t *Target) trainNow(ctx context.Context) (running bool, err error) {
	r, err := adapter.Request("chatbase", "train agent", t.route, adapter.Vars{"agentId": t.client.agent})
	if err != nil {
		return false, err
	}
	_, err = t.client.do(ctx, t.client.json, r, nil)
	switch s := httpapi.Status(err); {
	case err == nil || fault.StopsTarget(err):
		return false, err
	case s == http.StatusConflict:
		return true, nil
	case s == http.StatusNotFound || s == http.StatusMethodNotAllowed:
		return false, fault.New(fault.ErrConflict, "chatbase: training cannot be asked for").
			WithHint("retrain the agent %q in the Chatbase dashboard, or set routes.train", kb.Printable(t.client.agent)).Because(adapter.Plain(err))
	}
	return false, err
}

// Finish implements targets.Finisher. Deleted sources of the older generations are known to the agent until the next training. Whether
// one is due is asked, because the process that deleted them may be gone.
func (t *Target) Finish(ctx context.Context) error {
	if err := t.ready(); err != nil {
		return err
	}
	var sum summary
	if err := t.client.get(ctx, "get summary of sources", nil, &sum, "sources", "summary"); err != nil {
		return err
	}
	if !sum.ShouldRetrain {
		return nil
	}
	t.trained.Store(true)
	running, err := t.trainNow(ctx)
	if running {
		return fault.New(fault.ErrConflict, "chatbase: the agent was being trained already, which does not cover the last deletions").
			WithHint("the next pass asks again")
	}
	return err
}

// Statuses implements targets.Settler. A source that carries no mark of ours is not the one that was asked for.
func (t *Target) Statuses(ctx context.Context, ids map[targets.RemoteID]string, fn func(targets.Remote)) error {
	if len(ids) == 0 {
		return nil
	}
	if err := t.ready(); err != nil {
		return err
	}
	if int64(len(ids)) <= max(fewIDs, t.known.Load()/pageSize) {
		return t.statusesByID(ctx, ids, fn)
	}
	given := map[targets.RemoteID]bool{}
	return t.List(ctx, func(r targets.Remote) error {
		if name, asked := ids[r.ID]; asked && !given[r.ID] && !foreign(r.Name) {
			given[r.ID] = true
			fn(asOf(r, name))
		}
		return nil
	})
}

func (t *Target) statusesByID(ctx context.Context, ids map[targets.RemoteID]string, fn func(targets.Remote)) error {
	all := slices.Collect(maps.Keys(ids))
	found := make([]*targets.Remote, len(all))
	var g errgroup.Group
	g.SetLimit(max(t.cfg.Concurrency, 1))
	for i, id := range all {
		name := ids[id]
		g.Go(func() error {
			s, err := t.ours(ctx, id)
			if errors.Is(err, fault.ErrNotFound) {
				return nil
			}
			r := asOf(t.remote(s), name)
			found[i] = &r
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, r := range found {
		if r != nil {
			fn(*r)
		}
	}
	return nil
}

// asOf is the state of the version with this name. While the vendor still shows another one, that one's state says nothing.
func asOf(r targets.Remote, name string) targets.Remote {
	if name != "" && r.Name != "" && r.Status == targets.StatusDone && !adapter.SameDocument(name, r.Name) {
		r.Status, r.Detail = targets.StatusWorking, "the vendor shows another version"
	}
	return r
}
