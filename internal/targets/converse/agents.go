package converse

import (
	"context"
	"encoding/json"
	"net/http"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// Assigned implements targets.Assigner. It is nil where the vendor lists documents of agents by another route.
func (t *Target) Assigned(ctx context.Context, agent string) (map[targets.RemoteID]bool, error) {
	held := map[targets.RemoteID]bool{}
	err := t.rows(ctx, "list documents of agent", "agent_documents", adapter.Vars{"agent_id": agent}, heldNames, func(row json.RawMessage) (string, func() error) {
		id := heldID(row)
		return id, func() error {
			held[targets.RemoteID(id)] = true
			return nil
		}
	})
	switch {
	case err == nil:
		return held, nil
	case !isGone(err) && httpapi.Status(err) != http.StatusMethodNotAllowed:
		return nil, err
	}
	if err := t.checkAgent(ctx, agent); err != nil {
		return nil, err
	}
	// The agent is there, so it is the route that is not. What it holds can be given and taken blindly.
	t.noAgent.Do(func() {
		t.log.Warn("the documents of an agent cannot be listed; if this is so for every agent, set routes.agent_documents", "agent", agent)
	})
	return nil, nil
}

// checkAgent fails with fault.ErrNotFound when there is no such agent.
func (t *Target) checkAgent(ctx context.Context, agent string) error {
	_, err := t.call(ctx, "get agent", "agent", adapter.Vars{"agent_id": agent}, nil)
	if isGone(err) {
		return fault.New(fault.ErrNotFound, "converse: there is no agent %s", kb.Printable(agent)).
			WithHint("check the agents of the sync").Because(adapter.Plain(err))
	}
	return err
}

// Assign implements targets.Assigner: everything is given before anything is taken away.
func (t *Target) Assign(ctx context.Context, agent string, add, drop []targets.RemoteID) error {
	for _, id := range add {
		_, err := t.call(ctx, "assign document", "assign", adapter.Vars{"agent_id": agent, "doc_id": string(id)}, nil)
		switch {
		case err == nil || isBusy(err): // it has the document already
		case isGone(err):
			if err := t.checkAgent(ctx, agent); err != nil {
				return err
			}
			return fault.New(fault.ErrUnknown, "converse: document %s cannot be assigned because it does not exist", kb.Printable(string(id))).Because(adapter.Plain(err))
		default:
			return err
		}
	}
	for _, id := range drop {
		_, err := t.call(ctx, "take document from agent", "unassign", adapter.Vars{"agent_id": agent, "doc_id": string(id)}, nil)
		if err != nil && !isGone(err) {
			return err
		}
	}
	return nil
}
