package starleads

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/targets"
)

// Finish implements targets.Finisher: it has the knowledge graph built. The vendor's index says that the graph is part of the Business
// plan, must be enabled before it is built, and is built in the background.
func (t *Target) Finish(ctx context.Context) error {
	if !t.cfg.KnowledgeGraph.Enabled {
		return nil
	}
	id, err := t.needDataset()
	if err != nil {
		return err
	}
	v := vars{"datasetId": id}
	var state struct {
		Status   text   `json:"status"`
		Progress number `json:"progress"`
	}
	ans, err := t.answer(ctx, "get graph status", "graph_status", v, nil, &state)
	off := ans.Status == http.StatusNoContent || isGone(err)
	if err != nil && !off {
		return planHint(err)
	}
	word := strings.ToLower(string(state.Status))
	if off || containsAny(word, "disabled", "not_enabled", "notenabled", "not enabled") {
		err := t.call(ctx, "enable graph", "graph_enable", v, entityTypes{t.cfg.KnowledgeGraph.EntityTypes}, nil)
		if err != nil && !strings.Contains(message(err), "already") {
			return planHint(err)
		}
	} else if statuses[word] == targets.StatusWorking {
		return nil
	}
	err = t.call(ctx, "build graph", "graph_build", v, nil, nil)
	if err != nil && !isBusy(err) && !errors.Is(err, fault.ErrConflict) {
		return planHint(err)
	}
	return nil
}

type entityTypes struct {
	EntityTypes []string `json:"entityTypes,omitempty"`
}

// planHint says what a refusal probably means.
func planHint(err error) error {
	switch httpapi.Status(err) {
	case http.StatusPaymentRequired, http.StatusForbidden:
		return fault.New(fault.ErrQuota, "starleads: the knowledge graph is refused").
			WithHint("it needs the Business plan; set knowledge_graph.enabled: false otherwise").Because(refused(err))
	}
	return err
}
