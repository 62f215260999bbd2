package converse

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// The vendor documents no limits; these are careful.
const (
	nameBytes = 255
	textBytes = 1_000_000
)

// Target is the knowledge base of one organisation. See targets.Target for the contract of each method.
type Target struct {
	cfg    Config
	http   *httpapi.Client
	log    *slog.Logger
	routes map[string]targets.Route // all of them, by name

	// tried are names that were sent since Connect. The vendor takes a name any number of times, so what was sent before is looked for
	// before it is sent again.
	tried  adapter.Names
	outage *adapter.Outage // uploads that found the vendor out of reach

	cut     sync.Once // a listing may be cut short: said once
	noAgent sync.Once // the documents of an agent cannot be listed: said once
	testing sync.Once // test mode: said once
	unknown sync.Map  // words for a status that were logged

	others atomic.Pointer[others] // and empty links, as of the last whole listing
}

var (
	_ targets.Target    = (*Target)(nil)
	_ targets.Settler   = (*Target)(nil)
	_ targets.Reindexer = (*Target)(nil)
	_ targets.Assigner  = (*Target)(nil)
	_ targets.Searcher  = (*Target)(nil)
	_ targets.Metered   = (*Target)(nil)
	_ targets.Placed    = (*Target)(nil)
)

// Limits implements targets.Target.
func (t *Target) Limits() targets.Limits {
	return targets.Limits{
		BatchFiles: 1, BatchBytes: t.cfg.MaxFileSize, MaxBytes: t.cfg.MaxFileSize, NameBytes: nameBytes,
		Concurrency: max(t.cfg.Concurrency, 1), RequestsPerBatch: 1, Rate: t.cfg.Rate, SettleTimeout: t.cfg.SettleTimeout,
		Links: true,
		Accepts: kb.Accepts{
			Native: map[string]bool{".pdf": true, ".docx": true, ".csv": true, ".txt": true},
			Text:   ".txt", Markdown: ".md", TextBytes: min(textBytes, t.cfg.MaxFileSize),
		},
	}
}

// Connect implements targets.Target. The store is there with the account; listing the agents shows that the key is good.
func (t *Target) Connect(ctx context.Context, _ bool) (targets.Store, error) {
	t.http.Reset()
	t.tried.Forget()
	t.outage.Reset()
	if _, err := t.call(ctx, "list agents", "agents", nil, nil); err != nil {
		if isGone(err) {
			err = fault.New(fault.ErrSetup, "converse: the agents cannot be listed").WithHint("check base_url").Because(adapter.Plain(err))
		}
		return targets.Store{}, err
	}
	if t.cfg.Mode == modeTest {
		t.testing.Do(func() {
			t.log.Warn("test mode: the vendor answers with invented data; the live knowledge base stays as it is")
		})
		return targets.Store{ID: "knowledge-test", Name: "knowledge base (test mode)"}, nil
	}
	return targets.Store{ID: "knowledge", Name: "knowledge base"}, nil
}

// Delete implements targets.Target. A document that is listed under a name without our mark is somebody else's, whatever the records
// say: it stays, and counts as gone.
func (t *Target) Delete(ctx context.Context, ids []targets.RemoteID) ([]targets.Result, error) {
	request := func(id targets.RemoteID) (httpapi.Request, error) {
		return t.request("delete document", "delete", adapter.Vars{"id": string(id)})
	}
	var theirs map[targets.RemoteID]bool
	var unseen error
	if slices.ContainsFunc(ids, func(id targets.RemoteID) bool { _, err := request(id); return err == nil }) {
		theirs, unseen = t.theirs(ctx)
	}
	return t.each(ctx, ids, func(id targets.RemoteID) (targets.Status, error) {
		r, err := request(id)
		switch err = cmp.Or(err, unseen); {
		case err != nil:
			return targets.StatusUnknown, err
		case theirs[id]:
			t.log.Warn("a document of somebody else is left alone", "id", kb.Printable(string(id)))
			return targets.StatusUnknown, nil
		}
		if _, err = t.do(ctx, "delete", r); isGone(err) {
			err = nil
		}
		return targets.StatusUnknown, err
	})
}

// each runs fn for every id that is not empty; results are in the order of ids. See adapter.Each.
func (t *Target) each(ctx context.Context, ids []targets.RemoteID, fn func(targets.RemoteID) (targets.Status, error)) ([]targets.Result, error) {
	out := adapter.Results("converse", "all documents", ids)
	err := adapter.Each(ctx, t.cfg.Concurrency, out, func(i int) error {
		status, err := fn(ids[i])
		if err == nil {
			out[i].Status = status
		}
		return err
	})
	return out, err
}

// Traffic implements targets.Metered.
func (t *Target) Traffic() (requests, bytesSent int64) { return t.http.Traffic() }

// Place implements targets.Placed.
func (t *Target) Place() string {
	return targets.PlaceOf(t.cfg.APIKey, strings.TrimRight(t.cfg.BaseURL, "/"), t.cfg.Mode)
}

// Close implements targets.Target.
func (t *Target) Close() error { return t.http.Close() }
