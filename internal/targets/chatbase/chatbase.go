package chatbase

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// The limits are documented, but for the least size of a file, which was observed. Text may have 1,048,576 characters and
// names 100; counting bytes keeps below both.
const (
	textBytes   = 1_000_000
	nameLength  = 100
	fileAtLeast = 50
	maxTries    = 5 // of one change, as long as its outcome is looked for
	mostOutages = 3 // uploads in a row that find the vendor out of reach
)

// native are the extensions that go as file sources.
var native = []string{".pdf", ".doc", ".docx"}

// Target is one agent. See targets.Target for the contract of each method.
type Target struct {
	cfg    Config
	client *client
	route  targets.Route // of training
	log    *slog.Logger

	uploads *uploads
	outage  *adapter.Outage

	connected atomic.Bool
	known     atomic.Int64          // sources in the last listing
	full      atomic.Pointer[error] // what creations of this pass fail with
	trained   atomic.Bool           // training was asked for in this pass
	lingers   atomic.Bool           // in this pass deleted sources stay longer than anybody waits
	stays     atomic.Pointer[error] // what replacing links of this pass fails with, because deleted ones keep their addresses

	sent  adapter.Names // sources created in this pass, or that may have been
	mu    sync.Mutex
	agent agent // guarded by mu; as the last Connect saw it
}

var (
	_ targets.Target    = (*Target)(nil)
	_ targets.Settler   = (*Target)(nil)
	_ targets.Replacer  = (*Target)(nil)
	_ targets.Renamer   = (*Target)(nil)
	_ targets.Reindexer = (*Target)(nil)
	_ targets.Finisher  = (*Target)(nil)
	_ targets.Metered   = (*Target)(nil)
	_ targets.Placed    = (*Target)(nil)
)

func (c *Config) open(o targets.Options) (*Target, error) {
	route, err := c.trainRoute()
	if err != nil {
		return nil, err
	}
	cl, err := c.newClient(o)
	if err != nil {
		return nil, err
	}
	t := &Target{
		cfg: *c, client: cl, route: route, log: cmp.Or(o.Logger, slog.New(slog.DiscardHandler)), outage: adapter.NewOutage("chatbase", mostOutages),
	}
	t.uploads = newUploads(c, o.Memory, t.log)
	return t, nil
}

// Limits implements targets.Target.
func (t *Target) Limits() targets.Limits {
	l := targets.Limits{
		BatchFiles: 1, BatchBytes: t.cfg.MaxFileSize, MaxBytes: t.cfg.MaxFileSize, NameBytes: nameLength,
		Concurrency: max(t.cfg.Concurrency, 1), RequestsPerBatch: 1, Rate: t.cfg.Rate, SettleTimeout: t.cfg.SettleTimeout,
		FilesLast: true, Links: true,
		Accepts: kb.Accepts{Native: map[string]bool{}, Text: ".txt", Markdown: ".md", TextBytes: min(textBytes, t.cfg.MaxFileSize)},
	}
	for _, ext := range native {
		l.Accepts.Native[ext] = true
	}
	return l
}

// Connect implements targets.Target. Agents are never created: one that does not exist is a mistake in the configuration. It has to
// be asked for, because the sources of an unknown agent list as empty (observed).
func (t *Target) Connect(ctx context.Context, _ bool) (targets.Store, error) {
	t.connected.Store(false)
	t.client.reset()
	t.outage.Reset()
	t.sent.Forget()
	t.full.Store(nil)
	t.trained.Store(false)
	t.lingers.Store(false)
	t.stays.Store(nil)

	a, err := t.look(ctx)
	if err != nil {
		return targets.Store{}, err
	}
	t.mu.Lock()
	t.agent = a
	t.mu.Unlock()
	t.connected.Store(true)
	return targets.Store{ID: t.client.agent, Name: kb.Printable(a.Name)}, nil
}

// look reads the agent.
func (t *Target) look(ctx context.Context) (a agent, err error) {
	id := t.client.agent
	err = t.client.get(ctx, "get agent", nil, &a)
	switch {
	case errors.Is(err, fault.ErrSetup) && httpapi.Status(err) != http.StatusNotFound:
		return a, err
	case httpapi.Status(err) == http.StatusNotFound, errors.Is(err, fault.ErrNotFound), httpapi.Status(err) == http.StatusBadRequest, id == "":
		return a, fault.New(fault.ErrSetup, "chatbase: there is no agent %q", kb.Printable(id)).
			WithHint("check the id under agents, base_url, and that the API key belongs to the agent's workspace").
			Because(fault.New(fault.ErrNotFound, "the vendor does not know it"))
	case err != nil:
		return a, err
	case a.ID != id:
		return a, fault.New(fault.ErrSetup, "chatbase: asked for the agent %q, the answer is about %q", kb.Printable(id), kb.Printable(a.ID)).
			WithHint("check base_url")
	}
	return a, nil
}

// ready keeps everything else from going on with an agent that nobody has seen.
func (t *Target) ready() error {
	if t.connected.Load() {
		return nil
	}
	if p := t.client.denied.Load(); p != nil {
		return *p
	}
	return fault.New(fault.ErrSetup, "chatbase: the agent %q was not found yet", kb.Printable(t.client.agent))
}

// get reads one source; fault.ErrNotFound when there is none or it waits for its deletion.
func (t *Target) get(ctx context.Context, id targets.RemoteID) (s source, err error) {
	if err := t.client.get(ctx, "get source", nil, &s, "sources", string(id)); err != nil {
		return s, err
	}
	if s.ID != string(id) {
		return s, fault.New(fault.ErrUnknown, "chatbase: get source: the answer is not about the source that was asked for")
	}
	if s.gone() {
		return s, fault.New(fault.ErrNotFound, "chatbase: source %s waits for its deletion", kb.Printable(s.ID))
	}
	return s, nil
}

// ours is get for a source of ours. One whose name carries no mark any more is somebody's own, made so in
// the dashboard, and as good as gone. An answer without a name proves nothing, and the link to a page never carries one: whose it is
// the records tell.
func (t *Target) ours(ctx context.Context, id targets.RemoteID) (source, error) {
	s, err := t.get(ctx, id)
	if err == nil && s.foreign() {
		t.log.Warn("a source that somebody renamed is left alone", "id", kb.Printable(s.ID), "name", kb.Printable(s.Name))
		return s, fault.New(fault.ErrNotFound, "chatbase: source %s was renamed to %q and is left alone", kb.Printable(s.ID), kb.Printable(s.Name))
	}
	return s, err
}

// foreign tells a source that is not ours.
func (s source) foreign() bool { return !s.isPage() && foreign(s.Name) }

// foreign tells the name of a source that is not ours.
func foreign(name string) bool {
	_, _, marked := kb.ParseName(name)
	return name != "" && !marked
}

// Delete implements targets.Target. A source that somebody made his own stays, and counts as gone.
func (t *Target) Delete(ctx context.Context, ids []targets.RemoteID) ([]targets.Result, error) {
	if err := t.ready(); err != nil {
		return adapter.Fail(results(ids), err), err
	}
	out := results(ids)
	err := adapter.Each(ctx, t.cfg.Concurrency, out, func(i int) error {
		switch _, err := t.ours(ctx, ids[i]); {
		case errors.Is(err, fault.ErrNotFound):
			return nil
		case err != nil:
			return err
		}
		return t.deleteOne(ctx, ids[i])
	})
	return out, err
}

// deleteOne deletes a source that was just seen to be ours. The older generations only mark it until the next training.
func (t *Target) deleteOne(ctx context.Context, id targets.RemoteID) error {
	p, err := t.client.agentPath("sources", string(id))
	if err != nil {
		return err
	}
	var s source
	_, err = t.client.do(ctx, t.client.json, httpapi.Request{Op: "delete source", Method: http.MethodDelete, Path: p}, &s)
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return nil // gone already, or about to go
	case err != nil:
		return err
	case s.gone():
		return nil
	}
	// The answer does not promise what it should.
	if _, err = t.get(ctx, id); errors.Is(err, fault.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	return fault.New(fault.ErrRejected, "chatbase: source %s is still there after its deletion", kb.Printable(string(id)))
}

// results are those of calls that an empty id must not reach.
func results(ids []targets.RemoteID) []targets.Result {
	return adapter.Results("chatbase", "all sources", ids)
}

// Traffic implements targets.Metered.
func (t *Target) Traffic() (requests, bytesSent int64) {
	r1, b1 := t.client.json.Traffic()
	r2, b2 := t.client.files.Traffic()
	return r1 + r2, b1 + b2
}

// Place implements targets.Placed.
func (t *Target) Place() string { return t.cfg.place(t.client.agent) }

func (c *Config) place(agent string) string {
	return targets.PlaceOf(c.APIKey, strings.TrimRight(c.base(), "/"), c.API, agent)
}

// Close implements targets.Target.
func (t *Target) Close() error { return t.client.close() }
