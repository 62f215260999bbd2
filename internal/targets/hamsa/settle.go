package hamsa

import (
	"context"
	"errors"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// fewIDs is how many items are asked for one by one; for more of them the list costs less, unless it has many pages.
const fewIDs = 5

// Start implements targets.Settler. The vendor processes what it is given without being asked, so this only looks
// whether the items are there.
func (t *Target) Start(ctx context.Context, ids []targets.RemoteID) ([]targets.Result, error) {
	out := make([]targets.Result, len(ids))
	there := map[targets.RemoteID]targets.Status{}
	err := t.states(ctx, ids, func(it item) {
		if _, _, retired := formerName(it.Name); !retired {
			there[targets.RemoteID(it.ID)] = t.state(it).Status
		}
	})
	for i, id := range ids {
		out[i].ID = id
		status, found := there[id]
		switch {
		case found:
			out[i].Status = status
		case err != nil:
			out[i].Err = err
		default:
			out[i].Err = fault.New(fault.ErrNotFound, "hamsa: there is no item %s", kb.Printable(string(id)))
		}
	}
	if adapter.Ends(ctx, err) {
		return out, err
	}
	return out, nil
}

// Restart implements targets.Settler. The vendor has no request for it, so it always fails, with fault.ErrUnsupported; an item
// that failed for good is sent anew in a later pass.
func (t *Target) Restart(_ context.Context, id targets.RemoteID) error {
	return fault.New(fault.ErrUnsupported, "hamsa: item %s cannot be processed again", kb.Printable(string(id)))
}

// Statuses implements targets.Settler. An item that goes by the name of another document by now, or is out of use, is not the one
// that was asked for.
func (t *Target) Statuses(ctx context.Context, ids map[targets.RemoteID]string, fn func(targets.Remote)) error {
	list := make([]targets.RemoteID, 0, len(ids))
	for id := range ids {
		list = append(list, id)
	}
	return t.states(ctx, list, func(it item) {
		if adapter.SameDocument(ids[targets.RemoteID(it.ID)], it.Name) {
			fn(t.state(it))
		}
	})
}

// states gives those of the items that are there.
func (t *Target) states(ctx context.Context, ids []targets.RemoteID, fn func(item)) error {
	wanted := map[targets.RemoteID]bool{}
	for _, id := range ids {
		if _, err := itemPath(id); err == nil {
			wanted[id] = true
		}
	}
	if len(wanted) > max(fewIDs, int(t.pages.Load())) {
		return t.listAll(ctx, "list items", "", func(it item) error {
			if wanted[targets.RemoteID(it.ID)] {
				fn(it)
			}
			return nil
		})
	}
	for id := range wanted {
		it, err := t.item(ctx, id)
		switch {
		case errors.Is(err, fault.ErrNotFound):
		case err != nil:
			return err
		default:
			fn(it)
		}
	}
	return nil
}
