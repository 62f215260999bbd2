package starleads

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// Finish implements targets.Finisher: it has the knowledge graph built, and asks to be called later while a build is under way. The vendor's index says that the graph is part of the Business
// plan, must be enabled before it is built, and is built in the background.
func (t *Target) Finish(ctx context.Context) error {
	if !t.cfg.KnowledgeGraph.Enabled {
		return nil
	}
	id, err := t.needDataset()
	if err != nil {
		return err
	}
	v := adapter.Vars{"datasetId": id}
	var state struct {
		Status   text   `json:"status"`
		Progress number `json:"progress"`
	}
	ans, err := t.answer(ctx, "get graph status", "graph_status", v, nil, &state)
	off := ans.Status == http.StatusNoContent || isGone(err)
	if err != nil && !off {
		return planHint(err, "graph_status")
	}
	if statuses[strings.ToLower(string(state.Status))] == targets.StatusWorking {
		return errBuilding
	}
	if !off {
		err = t.buildGraph(ctx, v)
		// The state of a graph that was never enabled may look like that of one that was never built.
		if off = strings.Contains(message(err), "enable"); !off {
			return planHint(err, "graph_build")
		}
	}
	err = t.call(ctx, "enable graph", "graph_enable", v, entityTypes{t.cfg.KnowledgeGraph.EntityTypes}, nil)
	if err != nil && !strings.Contains(message(err), "already") {
		return planHint(err, "graph_enable")
	}
	return planHint(t.buildGraph(ctx, v), "graph_build")
}

// errBuilding: the build that is under way began before the last change, so another one has to follow.
var errBuilding = fmt.Errorf("starleads: the knowledge graph is being built: %w", targets.ErrLater)

// buildGraph starts the building.
func (t *Target) buildGraph(ctx context.Context, v adapter.Vars) error {
	err := t.call(ctx, "build graph", "graph_build", v, nil, nil)
	if isBusy(err) || errors.Is(err, fault.ErrConflict) {
		return errBuilding
	}
	return err
}

type entityTypes struct {
	EntityTypes []string `json:"entityTypes,omitempty"`
}

// planHint says what a refusal probably means.
func planHint(err error, route string) error {
	switch httpapi.Status(err) {
	case http.StatusPaymentRequired, http.StatusForbidden:
		return fault.New(fault.ErrQuota, "starleads: the knowledge graph is refused").
			WithHint("it needs the Business plan; set knowledge_graph.enabled: false otherwise").Because(adapter.Plain(err))
	case http.StatusNotFound:
		return fault.New(fault.ErrNotFound, "starleads: the knowledge graph cannot be built").WithHint("%s", remedy(route)).Because(err)
	}
	return err
}
