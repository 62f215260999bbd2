package simulator

import (
	"context"
	"net/http"
	"time"
)

// training tells whether the newest content of a source is on its way to be live.
func (src *cbSource) training() bool { return src.job != nil || src.stalled }

// pending tells whether a source waits for a training.
func (src *cbSource) pending() bool { return src.status == cbUntrained || src.status == cbUpdated }

// landed makes a version live. The lock must be held.
func (src *cbSource) landed(v cbVersion) {
	src.live, src.agent.trained = &v, time.Now()
	if src.now.number == v.number {
		src.status = cbTrained
	}
}

// change gives a new source, or one that was updated, its knowledge. In generation C training starts; in the others the
// source waits for it. The lock must be held.
func (s *Chatbase) change(src *cbSource, v cbVersion) {
	v.number = src.now.number + 1
	src.now = v
	src.status = cbUntrained
	if src.live != nil {
		src.status = cbUpdated
	}
	if s.opts.Generation == "C" && !(src.kind == "file" && s.opts.FilesNeedTraining) {
		s.start(src)
	}
}

// start begins the training of one source in generation C. The lock must be held.
func (s *Chatbase) start(src *cbSource) {
	src.job.cancel()
	src.job, src.stalled = nil, false
	hooks := s.hooks()
	v := src.now
	if hooks.TrainStall != nil && hooks.TrainStall(v.name) {
		src.stalled = true
		return
	}
	fails := v.lost || hooks.TrainFail != nil && hooks.TrainFail(v.name)
	src.job = s.agenda.add(time.Now().Add(s.opts.TrainDelay), func() {
		src.job = nil
		if fails {
			src.status = cbFailed // an earlier version stays live
			return
		}
		src.landed(v)
	})
}

// Retrain trains an agent as a human does with the dashboard's button, and reports whether there is such an agent with
// no training under way. In generation C it starts again what failed or stalled. Links that it trains are fetched anew.
func (s *Chatbase) Retrain(agent string) bool { return s.retrain(context.Background(), agent) }

func (s *Chatbase) retrain(ctx context.Context, agent string) bool {
	fetched := s.visitLinks(ctx, agent, func(src *cbSource) bool { return src.pending() || src.status == cbFailed })
	s.lock()
	defer s.mu.Unlock()
	a := s.byID[agent]
	if a == nil || a.training {
		return false
	}
	s.take(fetched)
	if s.opts.Generation != "C" {
		s.trainAgent(a)
		return true
	}
	for _, src := range a.sources {
		if src.pending() || src.status == cbFailed {
			s.start(src)
		}
	}
	return true
}

// trainAgent begins a training of generations A and B: what it takes in is what the sources are at its start. Only at
// its end do deletions take effect, too. A source that fails keeps its status. The lock must be held.
func (s *Chatbase) trainAgent(a *cbAgent) {
	hooks := s.hooks()
	taken := map[*cbSource]cbVersion{}
	var deleted []*cbSource
	for _, src := range a.sources {
		spoilt := src.now.lost || hooks.TrainFail != nil && hooks.TrainFail(src.now.name) || hooks.TrainStall != nil && hooks.TrainStall(src.now.name)
		switch {
		case src.status == cbToBeDeleted:
			deleted = append(deleted, src)
		case src.pending() && !spoilt:
			taken[src] = src.now
		}
	}
	a.training = true
	s.agenda.add(time.Now().Add(s.opts.TrainDelay), func() {
		a.training, a.trained = false, time.Now()
		for src, v := range taken {
			if !src.gone && src.status != cbToBeDeleted {
				src.landed(v)
			}
		}
		for _, src := range deleted {
			if src.status == cbToBeDeleted {
				src.remove()
			}
		}
	})
}

// train is POST …/train: a training in generation B, nothing in C, unknown to A.
func (s *Chatbase) train(c *call) answer {
	fetched := s.visitLinks(c.r.Context(), c.args[0], func(src *cbSource) bool { return s.opts.Generation != "C" && src.pending() })
	s.lock()
	defer s.mu.Unlock()
	a := s.byID[c.args[0]]
	switch {
	case a == nil:
		return cbNoAgent()
	case s.opts.Generation == "C":
		for _, src := range a.sources {
			if s.opts.FilesNeedTraining && src.kind == "file" && src.pending() && !src.training() {
				s.start(src)
			}
		}
	case a.training:
		return cbError(http.StatusConflict, "AGENT_ALREADY_TRAINING", "The agent is already training")
	case len(a.sources) == 0: // observed
		return cbRefuse(http.StatusInternalServerError, "")
	default:
		s.take(fetched)
		s.trainAgent(a)
	}
	return success()
}

// autoRetrain switches the weekly training, which the simulator never reaches.
func (s *Chatbase) autoRetrain(c *call) answer {
	var body struct {
		Enabled *bool `json:"enabled"`
	}
	if bad, ok := s.readJSON(c, &body); !ok {
		return bad
	}
	if body.Enabled == nil {
		return cbInvalid("enabled", "Required")
	}
	s.lock()
	defer s.mu.Unlock()
	a := s.byID[c.args[0]]
	switch {
	case a == nil:
		return cbNoAgent()
	case *body.Enabled && a.trained.IsZero():
		return cbError(http.StatusConflict, "AGENT_NOT_TRAINED", "The agent has not been trained yet")
	}
	a.autoRetrain = *body.Enabled
	return success()
}

// agentStatus is derived from the sources in generation C, and is that of the agent's training before it.
func (s *Chatbase) agentStatus(a *cbAgent) string {
	if s.opts.Generation != "C" {
		switch {
		case a.training:
			return "training"
		case a.trained.IsZero():
			return cbUntrained
		}
		return cbTrained
	}
	status := cbUntrained
	for _, src := range a.sources {
		switch {
		case src.pending():
			return "training"
		case src.status == cbFailed:
			status = cbFailed
		case src.status == cbTrained && status == cbUntrained:
			status = cbTrained
		}
	}
	return status
}
