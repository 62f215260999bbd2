package simulator

import (
	"net/http"
	"time"
)

// graph is the knowledge graph of a dataset.
type graph struct {
	enabled bool
	types   []string
	started time.Time // of the last build; zero without one
	end     time.Time
}

func (g graph) running(now time.Time) bool { return !g.started.IsZero() && now.Before(g.end) }
func (g graph) built(now time.Time) bool   { return !g.started.IsZero() && !now.Before(g.end) }

// withDataset calls do with the dataset that a path names, while the lock is held.
func (s *Starleads) withDataset(c *call, do func(ds *dataset, now time.Time) answer) answer {
	s.lock()
	defer s.mu.Unlock()
	ds := s.findDataset(c.args[0])
	if ds == nil {
		return s.unknown("dataset", c.args[0])
	}
	return do(ds, time.Now())
}

func (s *Starleads) enableGraph(c *call) answer {
	var body struct {
		EntityTypes []string `json:"entityTypes"`
	}
	if bad, ok := s.readJSON(c, &body, true); !ok {
		return bad
	}
	return s.withDataset(c, func(ds *dataset, _ time.Time) answer {
		ds.graph.enabled, ds.graph.types = true, body.EntityTypes
		if len(body.EntityTypes) == 0 {
			ds.graph.types = []string{"organization", "person", "geo", "event", "category"}
		}
		return success()
	})
}

func (s *Starleads) buildGraph(c *call) answer {
	return s.withDataset(c, func(ds *dataset, now time.Time) answer {
		switch {
		case !ds.graph.enabled:
			return problem(http.StatusBadRequest, "The knowledge graph is not enabled for dataset %s.", ds.id)
		case ds.graph.running(now):
			return s.busy("The knowledge graph of dataset %s is already being built.", ds.id)
		}
		ds.graph.started, ds.graph.end = now, now.Add(s.opts.ParseDelay)
		return success()
	})
}

func (s *Starleads) graphStatus(c *call) answer {
	return s.withDataset(c, func(ds *dataset, now time.Time) answer {
		status, progress := StatusPending, 0.0
		switch {
		case ds.graph.built(now):
			status, progress = StatusDone, 1
		case ds.graph.running(now):
			status = StatusRunning
			progress = float64(now.Sub(ds.graph.started)) / float64(ds.graph.end.Sub(ds.graph.started))
		}
		return jsonAnswer(http.StatusOK, map[string]any{"status": s.wireStatus(status), "progress": progress})
	})
}

func (s *Starleads) getGraph(c *call) answer {
	return s.withDataset(c, func(ds *dataset, now time.Time) answer {
		if !ds.graph.built(now) {
			return noContent()
		}
		return jsonAnswer(http.StatusOK, map[string]any{
			"graph": map[string]any{"nodes": []any{}, "edges": []any{}}, "entityTypes": ds.graph.types,
		})
	})
}

func (s *Starleads) deleteGraph(c *call) answer {
	return s.withDataset(c, func(ds *dataset, now time.Time) answer {
		if !ds.graph.built(now) && !ds.graph.running(now) {
			return noContent()
		}
		ds.graph.started, ds.graph.end = time.Time{}, time.Time{}
		return success()
	})
}
