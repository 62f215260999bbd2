package hamsa

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// Assigned implements targets.Assigner.
func (t *Target) Assigned(ctx context.Context, agent string) (map[targets.RemoteID]bool, error) {
	ids, err := t.agentItems(ctx, agent)
	if err != nil {
		return nil, err
	}
	out := make(map[targets.RemoteID]bool, len(ids))
	for _, id := range ids {
		out[id] = true
	}
	return out, nil
}

// Assign implements targets.Assigner. What is written is the whole list (assumed, not documented), so it is read right before,
// written once, and read again to see whether it is as it should be; when somebody else wrote at the same moment it begins anew. What is
// not there any more after a write is not put back, because somebody may have taken it away, but it is an error.
func (t *Target) Assign(ctx context.Context, agent string, add, drop []targets.RemoteID) error {
	if len(add) == 0 && len(drop) == 0 {
		return nil
	}
	unlock, err := lockAgent(ctx, t.cfg.BaseURL+" "+agent)
	if err != nil {
		return fmt.Errorf("hamsa: update agent %s: %w", kb.Printable(agent), err)
	}
	defer unlock()
	s := swap{agent: agent, add: add, drop: drop}
	for n := 1; ; n++ {
		done, err := t.assignOnce(ctx, &s)
		if err != nil && !errors.Is(err, fault.ErrUnknown) {
			return err
		}
		switch {
		case done:
			return s.lost()
		case n < maxTries:
			if err := httpapi.Pause(ctx, max(httpapi.Backoff(n), waitOf(err))); err != nil {
				return err
			}
		case err != nil:
			return notLanded(err)
		default:
			return fault.New(fault.ErrConflict, "hamsa: the items of agent %s are not what was written, %d times", kb.Printable(agent), n).
				WithHint("somebody else may be editing the agent; the next pass tries again")
		}
	}
}

// swap is what one Assign is to do, and how far it is.
type swap struct {
	agent     string
	add, drop []targets.RemoteID
	kept      []targets.RemoteID // what the agent listed besides, right before it was written
	after     []targets.RemoteID // what it listed last
}

// missing are those of kept that the agent does not list any more.
func (s *swap) missing() []targets.RemoteID {
	return slices.DeleteFunc(slices.Clone(s.kept), func(id targets.RemoteID) bool { return slices.Contains(s.after, id) })
}

// lost is the error about what is missing in the end.
func (s *swap) lost() error {
	gone := s.missing()
	if len(gone) == 0 {
		return nil
	}
	var names []string
	for _, id := range gone[:min(len(gone), 5)] {
		names = append(names, kb.Printable(string(id)))
	}
	return fault.New(fault.ErrConflict, "hamsa: while agent %s was changed it lost %d other items, such as %s", kb.Printable(s.agent), len(gone), strings.Join(names, ", ")).
		WithHint("unless somebody took them away, give them to the agent again in the dashboard")
}

// assignOnce tells whether the agent has what it should have. Its error is fault.ErrUnknown when it has not and the answer
// to the change was lost.
func (t *Target) assignOnce(ctx context.Context, s *swap) (done bool, err error) {
	before, err := t.agentItems(ctx, s.agent)
	if err != nil {
		return false, err
	}
	s.after = before
	want := merged(before, s.add, s.drop)
	if slices.Equal(before, want) {
		return true, nil
	}
	for _, id := range merged(before, nil, s.drop) {
		if !slices.Contains(s.kept, id) {
			s.kept = append(s.kept, id)
		}
	}
	lost := t.writeItems(ctx, s.agent, want)
	if lost != nil && !errors.Is(lost, fault.ErrUnknown) {
		return false, lost
	}
	for _, id := range s.drop {
		if slices.Contains(before, id) {
			t.dropped.note(s.agent, id)
		}
	}
	if s.after, err = t.agentItems(ctx, s.agent); err != nil {
		return false, err
	}
	if slices.Equal(s.after, merged(s.after, s.add, s.drop)) && len(s.missing()) == 0 {
		return true, nil
	}
	return false, lost
}

// merged is a list without the ids of drop, followed by those of add that it lacks. Everything else stays, in its order.
func merged(list, add, drop []targets.RemoteID) []targets.RemoteID {
	has := make(map[targets.RemoteID]bool, len(list)+len(add))
	gone := make(map[targets.RemoteID]bool, len(drop))
	for _, id := range drop {
		gone[id] = true
	}
	for _, id := range add {
		gone[id] = false
	}
	out := make([]targets.RemoteID, 0, len(list)+len(add))
	for _, id := range list {
		has[id] = true
		if !gone[id] {
			out = append(out, id)
		}
	}
	for _, id := range add {
		if !has[id] && id != "" {
			has[id] = true
			out = append(out, id)
		}
	}
	return out
}

// agentItems reads the ids that the agent lists, ours and others.
func (t *Target) agentItems(ctx context.Context, agent string) ([]targets.RemoteID, error) {
	path, err := agentPath(agent)
	if err != nil {
		return nil, err
	}
	op := "get agent " + kb.Printable(agent)
	body, err := t.do(ctx, httpapi.Request{Op: op, Method: http.MethodGet, Path: path, Private: true})
	if err != nil {
		if isGone(err) {
			return nil, noAgent(agent)
		}
		return nil, err
	}
	ids, told, err := decodeAgent(body, agent)
	if err != nil {
		return nil, fault.New(fault.ErrRejected, "hamsa: %s", op).Because(err).WithHint("an agent whose items are not known is not changed")
	}
	if had, _ := t.listed.Load(agent); !told && had == true {
		return nil, fault.New(fault.ErrIncomplete, "hamsa: %s: the answer says nothing of items, and the agent had some", op).
			WithHint("an agent whose items are not known is not changed; if somebody took all of them away, restart kbsyncd")
	}
	t.listed.Store(agent, len(ids) > 0)
	return ids, nil
}

// writeItems replaces the list of ids and sends nothing else: what is read of an agent holds keys of others. A lost
// answer is not repeated, because somebody may write meanwhile.
func (t *Target) writeItems(ctx context.Context, agent string, ids []targets.RemoteID) error {
	path, err := agentPath(agent)
	if err != nil {
		return err
	}
	_, err = t.do(ctx, httpapi.Request{
		Op: "update agent " + kb.Printable(agent), Method: http.MethodPatch, Path: path, Create: true, Private: true,
		JSON: map[string][]targets.RemoteID{"knowledgeBaseItemsIds": ids},
	})
	if len(ids) == 0 && (err == nil || errors.Is(err, fault.ErrUnknown)) {
		t.listed.Store(agent, false)
	}
	if errors.Is(err, fault.ErrNotFound) {
		// The agent was there a moment ago: it may be one of the items that is not.
		if _, err := t.agentItems(ctx, agent); err != nil {
			return err
		}
		return fault.New(fault.ErrRejected, "hamsa: agent %s did not take the items", kb.Printable(agent)).Because(adapter.Plain(err))
	}
	return err
}

func agentPath(agent string) (string, error) {
	p, err := httpapi.Path(agent)
	if err != nil {
		return "", fault.New(fault.ErrRejected, "hamsa: %q is no id of an agent", agent)
	}
	return agentsPath + p, nil
}

func noAgent(agent string) error {
	return fault.New(fault.ErrNotFound, "hamsa: agent %s does not exist", kb.Printable(agent)).
		WithHint("check the id, and that the API key belongs to the same project")
}

// agentLock lets one at a time change an agent, whatever sync it belongs to.
type agentLock struct {
	turn  chan struct{} // holds a token while somebody changes the agent
	users int           // who have it or wait for it
}

// agentLocks are those that are in use, by address and agent.
var agentLocks = struct {
	sync.Mutex
	byName map[string]*agentLock // guarded by the mutex
}{byName: map[string]*agentLock{}}

func lockAgent(ctx context.Context, name string) (unlock func(), err error) {
	agentLocks.Lock()
	l := agentLocks.byName[name]
	if l == nil {
		l = &agentLock{turn: make(chan struct{}, 1)}
		agentLocks.byName[name] = l
	}
	l.users++
	agentLocks.Unlock()
	leave := func() {
		agentLocks.Lock()
		defer agentLocks.Unlock()
		if l.users--; l.users == 0 {
			delete(agentLocks.byName, name)
		}
	}
	select {
	case l.turn <- struct{}{}:
		return func() {
			<-l.turn
			leave()
		}, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
