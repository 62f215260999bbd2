package hamsa

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
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
// written once, and read again to see whether it is as it should be; when somebody else wrote at the same moment it begins anew.
func (t *Target) Assign(ctx context.Context, agent string, add, drop []targets.RemoteID) error {
	if len(add) == 0 && len(drop) == 0 {
		return nil
	}
	unlock, err := lockAgent(ctx, t.cfg.BaseURL+" "+agent)
	if err != nil {
		return fmt.Errorf("hamsa: update agent %s: %w", kb.Printable(agent), err)
	}
	defer unlock()
	for n := 1; ; n++ {
		done, err := t.assignOnce(ctx, agent, add, drop)
		if done || err != nil && !errors.Is(err, fault.ErrUnknown) {
			return err
		}
		switch {
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

// assignOnce tells whether the agent has what it should have. Its error is fault.ErrUnknown when it has not and the answer
// to the change was lost. Ids that somebody took away meanwhile are not put back.
func (t *Target) assignOnce(ctx context.Context, agent string, add, drop []targets.RemoteID) (done bool, err error) {
	before, err := t.agentItems(ctx, agent)
	if err != nil {
		return false, err
	}
	want := merged(before, add, drop)
	if slices.Equal(before, want) {
		return true, nil
	}
	lost := t.writeItems(ctx, agent, want)
	if lost != nil && !errors.Is(lost, fault.ErrUnknown) {
		return false, lost
	}
	for _, id := range drop {
		if slices.Contains(before, id) {
			t.dropped.note(agent, id)
		}
	}
	after, err := t.agentItems(ctx, agent)
	if err != nil {
		return false, err
	}
	if slices.Equal(after, merged(after, add, drop)) {
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
	ids, err := decodeAgent(body, agent)
	if err != nil {
		return nil, fault.New(fault.ErrRejected, "hamsa: %s", op).Because(err).WithHint("nothing of the agent was changed")
	}
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

// decodeAgent finds the ids that an agent lists. An answer that is not surely this agent's is an error, because what is
// concluded from it is written back.
func decodeAgent(b []byte, agent string) ([]targets.RemoteID, error) {
	type wire struct {
		ID, VoiceAgentID      text
		KnowledgeBaseItemsIDs json.RawMessage
	}
	type nested struct {
		wire
		VoiceAgent, Agent wire
	}
	var w struct {
		nested
		Data nested
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return nil, errors.New("the answer is no agent")
	}
	for _, a := range []wire{w.Data.wire, w.Data.VoiceAgent, w.Data.Agent, w.wire, w.VoiceAgent, w.Agent} {
		id := string(cmp.Or(a.ID, a.VoiceAgentID))
		switch {
		case id != "" && !strings.EqualFold(id, agent):
			return nil, errors.New("the answer is another agent")
		case len(a.KnowledgeBaseItemsIDs) > 0:
			return decodeIDs(a.KnowledgeBaseItemsIDs, 0)
		case id != "":
			return nil, nil // an agent without items need not have the list
		}
	}
	return nil, errors.New("the answer does not tell the items of the agent")
}

var errNoIDs = errors.New("the list of items cannot be read")

// decodeIDs reads a list that comes as one, as null, or as a string with JSON or with commas inside. What cannot be read as a whole is an
// error, because the rest would be lost.
func decodeIDs(b json.RawMessage, depth int) ([]targets.RemoteID, error) {
	b = bytes.TrimSpace(b)
	switch {
	case len(b) == 0 || string(b) == "null":
		return nil, nil
	case b[0] == '"' && depth < 2:
		var s string
		if json.Unmarshal(b, &s) != nil {
			return nil, errNoIDs
		}
		s = strings.TrimSpace(s)
		if strings.HasPrefix(s, "[") || strings.HasPrefix(s, `"`) || s == "null" {
			return decodeIDs(json.RawMessage(s), depth+1)
		}
		return splitIDs(s)
	case b[0] != '[':
		return nil, errNoIDs
	}
	var list []json.RawMessage
	if json.Unmarshal(b, &list) != nil {
		return nil, errNoIDs
	}
	var out []targets.RemoteID
	for _, raw := range list {
		var id text
		if len(raw) > 0 && raw[0] == '{' {
			var it item
			if json.Unmarshal(raw, &it) != nil {
				return nil, errNoIDs
			}
			id = text(it.ID)
		} else if json.Unmarshal(raw, &id) != nil {
			return nil, errNoIDs
		}
		if id == "" {
			return nil, errNoIDs
		}
		out = append(out, targets.RemoteID(id))
	}
	return out, nil
}

func splitIDs(s string) ([]targets.RemoteID, error) {
	var out []targets.RemoteID
	for id := range strings.SplitSeq(s, ",") {
		switch id = strings.TrimSpace(id); {
		case id == "":
		case strings.ContainsAny(id, "{}[]\"\\ "):
			return nil, errNoIDs
		default:
			out = append(out, targets.RemoteID(id))
		}
	}
	return out, nil
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
