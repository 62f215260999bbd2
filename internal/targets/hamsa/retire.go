package hamsa

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// Delete implements targets.Target. No deletion is documented: unless the configuration says to try one, an item is made
// inactive for the agents that it was taken from and gets a name that says that it is out of use. It does not touch the
// lists of agents. An item whose name carries no mark was named by somebody else since, and stays as it is.
func (t *Target) Delete(ctx context.Context, ids []targets.RemoteID) ([]targets.Result, error) {
	out := make([]targets.Result, len(ids))
	err := adapter.Each(ctx, t.cfg.Concurrency, out, func(i int) (err error) {
		out[i].ID = ids[i]
		out[i].Left, err = t.remove(ctx, ids[i])
		return err
	})
	return out, err
}

// remove deletes an item or takes it out of use; left tells that it is still there.
func (t *Target) remove(ctx context.Context, id targets.RemoteID) (left bool, err error) {
	it, err := t.item(ctx, id)
	if errors.Is(err, fault.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, _, inUse := kb.ParseName(it.Name)
	if _, _, retired := formerName(it.Name); t.deletes() && (inUse || retired) {
		if gone, err := t.tryDelete(ctx, id); gone || err != nil {
			return false, err
		}
	}
	if !inUse {
		return true, nil
	}
	return t.retire(ctx, it)
}

// tryDelete deletes an item and looks whether it is gone. gone is false without an error where the vendor refuses, and when
// that was because it deletes nothing, no other item is tried.
func (t *Target) tryDelete(ctx context.Context, id targets.RemoteID) (gone bool, err error) {
	r, err := adapter.Request("hamsa", "delete item", t.deleteRoute, adapter.Vars{"id": string(id)})
	if err != nil {
		return false, err
	}
	_, err = t.do(ctx, r)
	switch s := httpapi.Status(err); {
	case err == nil || errors.Is(err, fault.ErrNotFound):
	case s == http.StatusMethodNotAllowed || s == http.StatusNotImplemented:
		t.giveUpDeleting(err)
		return false, nil
	case adapter.Ends(ctx, err) || passing(err):
		return false, err
	default:
		t.log.Warn("an item could not be deleted and is taken out of use instead", "id", string(id), "err", err)
		return false, nil
	}
	_, lookErr := t.item(ctx, id)
	switch {
	case errors.Is(lookErr, fault.ErrNotFound):
		t.dropped.forget(id)
		return true, nil
	case lookErr != nil:
		return false, fault.New(fault.ErrUnknown, "hamsa: whether the item is gone could not be seen").Because(lookErr)
	}
	t.giveUpDeleting(err)
	return false, nil
}

// retire takes an item out of use.
func (t *Target) retire(ctx context.Context, it item) (left bool, err error) {
	id := targets.RemoteID(it.ID)
	// The name first: an item that is inactive under the name of a version in use would be taken for that version when it comes back.
	if _, err := t.rename(ctx, id, retiredName(it.Name)); err != nil && !errors.Is(err, fault.ErrNotFound) {
		return false, err
	} else if err != nil {
		return false, nil
	}
	for _, agent := range t.dropped.from(id) {
		if err := t.deactivate(ctx, agent, id); adapter.Ends(ctx, err) {
			return true, err
		} else if err != nil {
			t.log.Debug("an item stays active for an agent that does not list it", "id", string(id), "agent", agent, "err", err)
		}
	}
	t.dropped.forget(id)
	return true, nil
}

// deactivate makes an item inactive for an agent. The agent does not list it any more, so a failure does no harm.
func (t *Target) deactivate(ctx context.Context, agent string, id targets.RemoteID) error {
	_, err := t.do(ctx, httpapi.Request{
		Op: "deactivate item", Method: http.MethodPost, Path: itemsPath + "/toggle-activation",
		JSON: struct {
			VoiceAgentID string           `json:"voiceAgentId"`
			ItemID       targets.RemoteID `json:"knowledgeBaseItemId"`
			IsActive     bool             `json:"isActive"`
		}{agent, id, false},
	})
	return err
}

// droppedItems remembers from which agents items were taken, until the items are deleted. Losing it costs nothing but a request to
// make the item inactive.
type droppedItems struct {
	mu     sync.Mutex
	agents map[targets.RemoteID][]string // guarded by mu
}

func (d *droppedItems) note(agent string, id targets.RemoteID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.agents) >= mostSent {
		clear(d.agents)
	}
	if !slices.Contains(d.agents[id], agent) {
		d.agents[id] = append(d.agents[id], agent)
	}
}

func (d *droppedItems) from(id targets.RemoteID) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.agents[id])
}

func (d *droppedItems) forget(id targets.RemoteID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.agents, id)
}
