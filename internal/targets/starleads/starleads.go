// Package starleads keeps a dataset of the Starleads knowledge base (https://docs.starleads.co). A dataset holds
// documents that are parsed after their upload; a chat makes datasets available, and an agent is connected to one chat. The
// package guarantees that a lost answer never leaves two copies, that a listing is complete or an error, that only
// the ids it is given are deleted, and that an agent's other chat is not taken away unasked. It must not delete
// datasets or chats, and it never sends an empty id.
//
// Large parts of the API are documented by one line only; what had to be guessed can be overridden under `routes`.
package starleads

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"kbsyncd/internal/contract"
	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// The limits: 10 files a request and 5 MB a file are documented in the RAG guide and on the upload page of the vendor; 25 MB a
// request stays below the stock body limit of the vendor's framework; names follow the parser behind the API.
const (
	batchFiles = 10
	batchBytes = 25_000_000
	nameBytes  = 255
	maxTries   = 5 // of sending one document in one Upload
	// mostOutages is how many uploads in a row may find the vendor out of reach.
	mostOutages = 3
)

// Target is one dataset. See targets.Target for the contract of each method.
type Target struct {
	cfg  Config
	http *httpapi.Client
	log  *slog.Logger

	mostItems int // of one list

	connecting sync.Mutex         // one Connect at a time, so that two never create two datasets
	follower   *contract.Follower // guarded by connecting; nil unless routes is auto

	mu      sync.Mutex
	routes  map[string]targets.Route // guarded by mu, never written to; all of them, by name
	dataset string                   // guarded by mu; the id, "" before Connect found it

	outage *adapter.Outage

	bodyLimit  atomic.Int64 // bytes of documents in one request that the vendor bears; 0: not known
	noKeywords atomic.Bool  // the search by name did not find what the listing has
	unknown    sync.Map     // words for a status that were logged
}

var (
	_ targets.Target     = (*Target)(nil)
	_ targets.Settler    = (*Target)(nil)
	_ targets.Renamer    = (*Target)(nil)
	_ targets.Downloader = (*Target)(nil)
	_ targets.Linker     = (*Target)(nil)
	_ targets.Finisher   = (*Target)(nil)
	_ targets.Metered    = (*Target)(nil)
	_ targets.Placed     = (*Target)(nil)
)

// native are the extensions that the parser takes as they are.
var native = []string{
	".pdf", ".docx", ".doc", ".xls", ".xlsx", ".csv", ".txt", ".md", ".mdx", ".html", ".htm", ".json", ".jsonl", ".ppt", ".pptx",
	".eml", ".py", ".js", ".java", ".c", ".cpp", ".h", ".php", ".go", ".ts", ".sh", ".cs", ".kt", ".sql",
}

// Limits implements targets.Target.
func (t *Target) Limits() targets.Limits {
	l := targets.Limits{
		BatchFiles: batchFiles, BatchBytes: max(batchBytes, t.cfg.MaxFileSize), MaxBytes: t.cfg.MaxFileSize, NameBytes: nameBytes,
		Concurrency: max(t.cfg.Concurrency, 1), RequestsPerBatch: 2, Rate: t.cfg.Rate, SettleTimeout: t.cfg.SettleTimeout,
		Accepts: kb.Accepts{Native: map[string]bool{}, Text: ".txt", Markdown: ".md"},
	}
	for _, ext := range native {
		l.Accepts.Native[ext] = true
	}
	return l
}

func (t *Target) datasetID() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dataset
}

// needDataset is the id for calls that make no sense without one.
func (t *Target) needDataset() (string, error) {
	if id := t.datasetID(); id != "" {
		return id, nil
	}
	return "", fault.New(fault.ErrSetup, "starleads: the dataset does not exist yet")
}

// List implements targets.Target.
func (t *Target) List(ctx context.Context, fn func(targets.Remote) error) error {
	id := t.datasetID()
	if id == "" {
		return nil
	}
	err := listAll(ctx, t, "list documents", "document_list", adapter.Vars{"datasetId": id}, func(d document) error {
		return fn(t.remote(d))
	})
	if errors.Is(err, fault.ErrNotFound) {
		// The dataset was there a moment ago. Calling it empty would have everything sent again.
		return fault.New(fault.ErrSetup, "starleads: the documents of dataset %s cannot be listed", id).
			WithHint("if the dataset still exists, %s", remedy("document_list")).Because(err)
	}
	return err
}

// Delete implements targets.Target.
func (t *Target) Delete(ctx context.Context, ids []targets.RemoteID) ([]targets.Result, error) {
	out := results(ids)
	dataset, err := t.needDataset()
	if err != nil {
		return adapter.Fail(out, err), err
	}
	var doubts atomic.Bool
	doubtful := make([]error, len(ids))
	err = adapter.Each(ctx, t.cfg.Concurrency, out, func(i int) error {
		err := t.deleteOne(ctx, dataset, ids[i])
		if err != nil && isGone(err) {
			doubtful[i], err = err, nil
			doubts.Store(true)
		}
		return err
	})
	switch {
	case !doubts.Load():
	case err == nil:
		err = t.confirmGone(ctx, ids, out, doubtful)
	default:
		judgeDoubts(ids, out, doubtful, nil, err)
	}
	return out, err
}

func (t *Target) deleteOne(ctx context.Context, dataset string, id targets.RemoteID) error {
	v := adapter.Vars{"datasetId": dataset, "documentId": string(id)}
	err := t.call(ctx, "delete document", "document_delete", v, nil, nil)
	if err == nil || !errors.Is(err, fault.ErrConflict) && !isBusy(err) {
		return err
	}
	// A document that is being parsed may be refused; once stopped it can go.
	if stop := t.call(ctx, "stop parsing", "document_stop", adapter.Vars{"datasetId": dataset}, idList{[]targets.RemoteID{id}}, nil); fault.StopsTarget(stop) {
		return stop
	}
	return t.call(ctx, "delete document", "document_delete", v, nil, nil)
}

// confirmGone looks once for documents whose deletion was answered with "there is no such document": the words may
// also come from a wrong route or a dataset that cannot be reached.
func (t *Target) confirmGone(ctx context.Context, ids []targets.RemoteID, out []targets.Result, doubtful []error) error {
	there := map[targets.RemoteID]bool{}
	err := t.List(ctx, func(r targets.Remote) error {
		there[r.ID] = true
		return nil
	})
	judgeDoubts(ids, out, doubtful, there, err)
	if fault.StopsTarget(err) || ctx.Err() != nil {
		return err
	}
	return nil
}

// judgeDoubts files the results of doubtful deletions; err says that nobody could look.
func judgeDoubts(ids []targets.RemoteID, out []targets.Result, doubtful []error, there map[targets.RemoteID]bool, err error) {
	for i, doubt := range doubtful {
		switch {
		case doubt == nil:
		case err != nil:
			out[i].Err = fault.New(fault.ErrUnknown, "starleads: whether the document is gone could not be seen").Because(err)
		case there[ids[i]]:
			out[i].Err = fault.New(fault.ErrRejected, "starleads: the document is listed but cannot be deleted").
				WithHint("if this happens to every document, %s", remedy("document_delete")).Because(doubt)
		}
	}
}

// results are those of calls that an empty id must not reach.
func results(ids []targets.RemoteID) []targets.Result {
	return adapter.Results("starleads", "all documents", ids)
}

// Rename implements targets.Renamer. Some builds behind the API start parsing anew (dossier of the vendor's issues), so
// the state is what the answer says, or unknown.
func (t *Target) Rename(ctx context.Context, id targets.RemoteID, name string) (targets.Remote, error) {
	dataset, err := t.needDataset()
	if err != nil {
		return targets.Remote{}, err
	}
	var d document
	err = t.call(ctx, "rename document", "document_update", adapter.Vars{"datasetId": dataset, "documentId": string(id)}, map[string]string{"name": name}, &d)
	if err != nil {
		return targets.Remote{}, missing(err, id, "document_update")
	}
	if d.Name != "" && d.Name != name {
		return targets.Remote{}, fault.New(fault.ErrRejected, "starleads: the document was to be named %q and is named %q", name, kb.Printable(d.Name))
	}
	r := t.remote(d)
	r.ID, r.Name = id, name
	return r, nil
}

// Download implements targets.Downloader.
func (t *Target) Download(ctx context.Context, id targets.RemoteID) (io.ReadCloser, error) {
	dataset, err := t.needDataset()
	if err != nil {
		return nil, err
	}
	r, err := t.request("download document", "document_download", adapter.Vars{"datasetId": dataset, "documentId": string(id)})
	if err != nil {
		return nil, err
	}
	r.MaxAnswer = max(2*t.cfg.MaxFileSize, 64<<20)
	rc, err := t.http.Open(ctx, r)
	if err != nil {
		return nil, missing(unrouted(err, r.Op, "document_download"), id, "document_download")
	}
	return rc, nil
}

// missing judges a refusal on a guessed route that speaks of an unknown document; the vendor may use 400 for it. It may be
// the route that is not there, so nothing may be concluded but that this request did nothing.
func missing(err error, id targets.RemoteID, route string) error {
	if !isGone(err) {
		return err
	}
	return fault.New(fault.ErrNotFound, "starleads: no document %s, or no such route", id).
		WithHint("if this happens to every document, %s", remedy(route)).Because(err)
}

// Traffic implements targets.Metered.
func (t *Target) Traffic() (requests, bytesSent int64) { return t.http.Traffic() }

// Place implements targets.Placed.
func (t *Target) Place() string {
	c := &t.cfg
	return targets.PlaceOf(c.APIKey, strings.TrimRight(c.BaseURL, "/"), c.Dataset, c.DatasetID, c.Chat, c.ChatID)
}

// Close implements targets.Target.
func (t *Target) Close() error { return t.http.Close() }
