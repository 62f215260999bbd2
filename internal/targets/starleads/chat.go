package starleads

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// Link implements targets.Linker. A chat on a dataset without parsed documents may be refused, so it waits for the first one.
func (t *Target) Link(ctx context.Context, r targets.LinkRequest) (targets.LinkResult, error) {
	var res targets.LinkResult
	want := unique(r.Want)
	drop := slices.DeleteFunc(unique(r.Ours), func(a string) bool { return slices.Contains(want, a) })
	if len(want) == 0 && len(drop) == 0 {
		return res, nil
	}
	l := &linking{Target: t, LinkRequest: r, res: &res}
	if t.cfg.Chat == "" && t.cfg.ChatID == "" {
		if len(want) == 0 {
			return res, l.release(ctx, drop)
		}
		l.keep(append(want, drop...))
		return res, l.problem(ctx, fault.New(fault.ErrSetup, "starleads: agents are given, but no chat to connect them to").
			WithHint("set chat (a name) or chat_id on the target"))
	}
	if !r.Searchable && !r.DryRun && len(want) > 0 && len(drop) == 0 {
		res.Waiting = slices.ContainsFunc(want, func(a string) bool { return !slices.Contains(r.Ours, a) })
		l.keep(want)
		return res, nil
	}
	c, err := l.prepare(ctx, len(want) > 0)
	if err != nil {
		l.keep(append(want, drop...))
		return res, l.problem(ctx, err)
	}
	return res, l.all(ctx, c, want, drop)
}

// linking is one call of Link.
type linking struct {
	*Target
	targets.LinkRequest
	res *targets.LinkResult
}

// keep notes agents of an earlier Link whose state did not change.
func (l *linking) keep(agents []string) {
	for _, a := range agents {
		if slices.Contains(l.Ours, a) && !slices.Contains(l.res.Ours, a) {
			l.res.Ours = append(l.res.Ours, a)
		}
	}
}

// problem files an error, unless it is a refused key or the end of the context, which end the call. What is wrong with the
// chat or an agent must not stop the documents.
func (l *linking) problem(ctx context.Context, err error) error {
	if errors.Is(err, fault.ErrDenied) || ctx.Err() != nil {
		return err
	}
	l.res.Problems = append(l.res.Problems, err)
	return nil
}

// all connects what is wanted and then disconnects the rest. When an agent cannot be connected nothing is disconnected: a
// slip in one id must not take the documents away from the agent that has them.
func (l *linking) all(ctx context.Context, c chat, want, drop []string) error {
	for i, a := range want {
		if !l.Searchable && !l.DryRun {
			l.keep([]string{a})
			l.res.Waiting = l.res.Waiting || !slices.Contains(l.Ours, a)
			continue
		}
		connected, err := l.connect(ctx, a, c)
		if connected {
			l.res.Ours = append(l.res.Ours, a)
		} else {
			l.keep([]string{a})
		}
		if err != nil {
			if err := l.problem(ctx, err); err != nil {
				l.keep(append(want[i:], drop...))
				return err
			}
		}
	}
	if len(l.res.Problems) > 0 && len(drop) > 0 {
		l.keep(drop)
		l.res.Problems[0] = targets.StaysConnected(l.res.Problems[0], drop)
		return nil
	}
	return l.each(ctx, drop, func(a string) error { return l.disconnect(ctx, a, c) })
}

// each disconnects agents. One that fails stays ours.
func (l *linking) each(ctx context.Context, drop []string, disconnect func(agent string) error) error {
	for i, a := range drop {
		if err := disconnect(a); err != nil {
			l.keep([]string{a})
			if err := l.problem(ctx, err); err != nil {
				l.keep(drop[i:])
				return err
			}
		}
	}
	return nil
}

func unique(list []string) []string {
	var out []string
	for _, s := range list {
		if s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// prepare finds the chat and, when agents need it, makes it and adds our dataset. The id of the result is empty when there
// is no chat and none was made.
func (l *linking) prepare(ctx context.Context, needed bool) (chat, error) {
	c, err := l.findChat(ctx)
	if err != nil {
		return c, err
	}
	dataset := l.datasetID()
	switch {
	case !needed || l.DryRun || !l.Searchable:
		return c, nil
	case dataset == "":
		return c, fault.New(fault.ErrSetup, "starleads: the dataset does not exist yet")
	case c.ID == "":
		return l.createChat(ctx, dataset)
	}
	return c, l.addDataset(ctx, c, dataset)
}

func (t *Target) findChat(ctx context.Context) (chat, error) {
	if t.cfg.ChatID != "" {
		c, err := t.chatByID(ctx, t.cfg.ChatID)
		switch httpapi.Status(err) {
		case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound:
			err = fault.New(fault.ErrSetup, "starleads: the chat %s cannot be used", kb.Printable(t.cfg.ChatID)).
				WithHint("check chat_id, and that the API key belongs to the same company").Because(err)
		}
		return c, err
	}
	var found []chat
	err := listAll(ctx, t, "list chats", "chat_list", nil, func(c chat) error {
		if c.name() == t.cfg.Chat {
			found = append(found, c)
		}
		return nil
	})
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return chat{}, fault.New(fault.ErrNotFound, "starleads: the chats cannot be listed").
			WithHint("%s", remedy("chat_list")).Because(err)
	case err != nil:
		return chat{}, err
	case len(found) > 1:
		return chat{}, fault.New(fault.ErrSetup, "starleads: there are %d chats named %q", len(found), t.cfg.Chat).
			WithHint("write chat_id: %s (or the id of another one) in place of chat", kb.Printable(found[0].id()))
	case len(found) == 0:
		return chat{}, nil
	}
	return found[0], nil
}

func (t *Target) chatByID(ctx context.Context, id string) (c chat, err error) {
	if err = t.call(ctx, "get chat", "chat_get", adapter.Vars{"chatId": id}, nil, &c); err != nil {
		return c, err
	}
	if c.id() != id {
		return c, fault.New(fault.ErrSetup, "starleads: asked for chat %s, the vendor answered with %q", kb.Printable(id), kb.Printable(c.id()))
	}
	c.ID = text(id)
	return c, nil
}

type newChat struct {
	Name       string   `json:"name"`
	DatasetIDs []string `json:"datasetIds"`
}

// createChat leaves model and prompt to the vendor's defaults. After a lost answer it looks before it tries again.
func (t *Target) createChat(ctx context.Context, dataset string) (c chat, err error) {
	for n := 1; ; n++ {
		c = chat{}
		err = t.create(ctx, "create chat", "chat_create", nil, newChat{t.cfg.Chat, []string{dataset}}, &c)
		if err == nil && c.ID != "" && c.name() == t.cfg.Chat {
			return c, nil
		}
		if err != nil && !errors.Is(err, fault.ErrUnknown) && !errors.Is(err, fault.ErrConflict) {
			return c, err
		}
		answered := c
		found, lookErr := t.findChat(ctx)
		switch {
		case lookErr != nil:
			return c, lookErr
		case found.ID != "":
			return found, t.addDataset(ctx, found, dataset)
		case answered.ID != "" && answered.name() != "":
			return c, fault.New(fault.ErrSetup, "starleads: the chat %q was created under the name %q", t.cfg.Chat, kb.Printable(answered.name())).
				WithHint("write chat_id: %s, or choose another name", kb.Printable(answered.id()))
		case answered.ID != "":
			return answered, nil
		case n == maxTries || errors.Is(err, fault.ErrConflict):
			return c, err
		}
		if err := httpapi.Pause(ctx, httpapi.Backoff(n)); err != nil {
			return c, err
		}
	}
}

// addDataset makes our dataset one of the chat's. The list that is written is the full new set, so
// it is read right before, and nothing is written when it cannot be read.
func (t *Target) addDataset(ctx context.Context, c chat, dataset string) error {
	if ids, told := c.datasets(); told && slices.Contains(ids, dataset) {
		return nil
	}
	c, err := t.chatByID(ctx, c.id())
	if err != nil {
		return err
	}
	ids, told := c.datasets()
	switch {
	case !told:
		return fault.New(fault.ErrRejected, "starleads: the vendor does not tell the datasets of chat %s, so none is added", c.id()).
			WithHint("add the dataset to the chat in the dashboard")
	case slices.Contains(ids, dataset):
		return nil
	}
	want := append(slices.Clone(ids), dataset)
	if err := t.call(ctx, "add dataset to chat", "chat_update", adapter.Vars{"chatId": c.id()}, map[string][]string{"datasetIds": want}, nil); err != nil {
		return err
	}
	now, err := t.chatByID(ctx, c.id())
	if err != nil {
		return err
	}
	if ids, told := now.datasets(); told && !slices.Contains(ids, dataset) {
		return fault.New(fault.ErrRejected, "starleads: chat %s did not take the dataset", c.id())
	}
	return nil
}

// agentChat is the chat of an agent; its id is empty when there is none (the vendor answers 204).
func (t *Target) agentChat(ctx context.Context, agent string) (c chat, err error) {
	err = t.call(ctx, "get chat of agent "+kb.Printable(agent), "agent_get", adapter.Vars{"agentId": agent}, nil, &c)
	if err != nil && isGone(err) {
		err = fault.New(fault.ErrNotFound, "starleads: agent %s is not known", kb.Printable(agent)).
			WithHint("check the id, and that the API key belongs to the same company").Because(err)
	}
	return c, err
}

// connect tells whether the agent uses our chat afterwards.
func (l *linking) connect(ctx context.Context, agent string, c chat) (bool, error) {
	now, err := l.agentChat(ctx, agent)
	switch {
	case err != nil:
		return false, err
	case c.id() != "" && now.id() == c.id():
		return true, nil
	case now.id() != "" && !l.cfg.TakeOver:
		return false, fault.New(fault.ErrConflict, "starleads: agent %s is connected to another chat, %q", kb.Printable(agent), kb.Printable(now.label())).
			WithHint("detach it in the dashboard, or set take_over: true on the target")
	case l.DryRun:
		l.res.Assigned = append(l.res.Assigned, agent)
		return true, nil
	}
	var got chat
	err = l.call(ctx, "connect agent "+kb.Printable(agent), "agent_connect", adapter.Vars{"agentId": agent}, map[string]string{"chatId": c.id()}, &got)
	if err != nil {
		return false, err
	}
	if string(got.ChatID) == "" {
		if got, err = l.agentChat(ctx, agent); err != nil {
			return false, err
		}
		got.ChatID = text(got.id())
	}
	if string(got.ChatID) != c.id() {
		return false, fault.New(fault.ErrRejected, "starleads: agent %s was not connected to the chat", kb.Printable(agent))
	}
	l.res.Assigned = append(l.res.Assigned, agent)
	return true, nil
}

func (c chat) label() string {
	if c.name() != "" {
		return c.name()
	}
	return c.id()
}

// disconnect detaches an agent that an earlier Link connected, if it still uses our chat.
func (l *linking) disconnect(ctx context.Context, agent string, c chat) error {
	now, err := l.agentChat(ctx, agent)
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return nil
	case err != nil:
		return err
	case c.id() == "" || now.id() != c.id():
		return nil // somebody gave it another chat, or none; that is theirs
	}
	return l.detach(ctx, agent)
}

func (l *linking) detach(ctx context.Context, agent string) error {
	if !l.DryRun {
		err := l.call(ctx, "detach agent "+kb.Printable(agent), "agent_detach", adapter.Vars{"agentId": agent}, nil, nil)
		if err != nil && !errors.Is(err, fault.ErrNotFound) {
			return err
		}
	}
	l.res.Unassigned = append(l.res.Unassigned, agent)
	return nil
}

// release detaches agents that an earlier Link connected when the configuration names no chat any more. What is ours then
// shows in the agent's own chat: it uses our dataset.
func (l *linking) release(ctx context.Context, drop []string) error {
	dataset := l.datasetID()
	if dataset == "" {
		return nil // nothing can use it
	}
	return l.each(ctx, drop, func(agent string) error {
		c, err := l.agentChat(ctx, agent)
		if errors.Is(err, fault.ErrNotFound) || err == nil && c.id() == "" {
			return nil
		}
		if err != nil {
			return err
		}
		ids, told := c.datasets()
		if !told {
			if c, err = l.chatByID(ctx, c.id()); err != nil {
				return err
			}
			ids, told = c.datasets()
		}
		switch {
		case !told: // asking again would give the same, so it is said once and the agent is forgotten
			l.res.Problems = append(l.res.Problems, fault.New(fault.ErrRejected,
				"starleads: the vendor does not tell whether agent %s uses the dataset, so it stays connected", kb.Printable(agent)).
				WithHint("detach it in the dashboard"))
			return nil
		case !slices.Contains(ids, dataset):
			return nil
		}
		return l.detach(ctx, agent)
	})
}
