package starleads

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// fewIDs is how many documents are looked for by name; for more of them the whole list costs less.
const fewIDs = 3

// Start implements targets.Settler. An upload does not start parsing (RAG guide), and one bad id spoils a whole request,
// so a refused batch is repeated one by one.
func (t *Target) Start(ctx context.Context, ids []targets.RemoteID) ([]targets.Result, error) {
	out := results(ids)
	dataset, err := t.needDataset()
	if err != nil {
		return adapter.Fail(out, err), err
	}
	var doubtful []int
	for at := range slices.Chunk(validIDs(ids, out), batchFiles) {
		doubts, err := t.startBatch(ctx, dataset, ids, at, out)
		if err != nil {
			for i := at[0]; i < len(ids); i++ {
				if out[i].Status == targets.StatusUnknown && out[i].Err == nil {
					out[i].Err = err
				}
			}
			return out, err
		}
		doubtful = append(doubtful, doubts...)
	}
	return out, t.judgeUnknown(ctx, ids, doubtful, out)
}

// validIDs are the indices of the ids, each id once; the empty ones are refused.
func validIDs(ids []targets.RemoteID, out []targets.Result) []int {
	var at []int
	seen := map[targets.RemoteID]bool{}
	for i, id := range ids {
		out[i] = targets.Result{ID: id, Status: targets.StatusWorking}
		if id == "" {
			out[i] = targets.Result{Err: fault.New(fault.ErrRejected, "starleads: an empty id was refused")}
			continue
		}
		if !seen[id] {
			seen[id] = true
			out[i].Status = targets.StatusUnknown
			at = append(at, i)
		}
	}
	return at
}

// startBatch gives the indices of the ids that the vendor says it does not know.
func (t *Target) startBatch(ctx context.Context, dataset string, ids []targets.RemoteID, at []int, out []targets.Result) (doubtful []int, err error) {
	all := make([]targets.RemoteID, len(at))
	for n, i := range at {
		all[n] = ids[i]
	}
	err = t.parse(ctx, dataset, all)
	switch {
	case err == nil:
		for _, i := range at {
			out[i].Status = targets.StatusWorking
		}
		return nil, nil
	case fault.StopsTarget(err) || ctx.Err() != nil:
		return nil, err
	case len(at) > 1 && refusal(err):
		for _, i := range at {
			d, err := t.startBatch(ctx, dataset, ids, []int{i}, out)
			if err != nil {
				return doubtful, err
			}
			doubtful = append(doubtful, d...)
		}
		return doubtful, nil
	}
	for _, i := range at {
		switch {
		case isBusy(err) || httpapi.Status(err) == http.StatusConflict:
			out[i].Status = targets.StatusWorking
		case isGone(err):
			out[i].Err = err
			doubtful = append(doubtful, i)
		default:
			out[i].Err = err
		}
	}
	return doubtful, nil
}

func (t *Target) parse(ctx context.Context, dataset string, ids []targets.RemoteID) error {
	return t.call(ctx, "parse documents", "document_parse", adapter.Vars{"datasetId": dataset}, idList{ids}, nil)
}

// refusal tells an answer that says no, as against none or one that may pass.
func refusal(err error) bool {
	s := httpapi.Status(err)
	_, passing := errors.AsType[*fault.RetryAfter](err)
	return !passing && s != 0 && !errors.Is(err, fault.ErrQuota) && !errors.Is(err, fault.ErrUnknown)
}

// judgeUnknown looks once whether the documents that the vendor does not know are listed. If they are, it is the route that is wrong.
func (t *Target) judgeUnknown(ctx context.Context, ids []targets.RemoteID, doubtful []int, out []targets.Result) error {
	if len(doubtful) == 0 {
		return nil
	}
	there := map[targets.RemoteID]bool{}
	err := t.List(ctx, func(r targets.Remote) error {
		there[r.ID] = true
		return nil
	})
	if err != nil {
		if fault.StopsTarget(err) || ctx.Err() != nil {
			return err
		}
		return nil // the refusals stand as they are
	}
	for _, i := range doubtful {
		if there[ids[i]] {
			out[i].Err = fault.New(fault.ErrConflict, "starleads: the document is listed but parsing cannot be started").
				WithHint("if this happens to every document, %s", remedy("document_parse")).Because(adapter.Plain(out[i].Err))
			continue
		}
		out[i].Err = fault.New(fault.ErrNotFound, "starleads: no document %s", ids[i])
	}
	return nil
}

// Restart implements targets.Settler.
func (t *Target) Restart(ctx context.Context, id targets.RemoteID) error {
	dataset, err := t.needDataset()
	if err != nil {
		return err
	}
	if id == "" {
		return fault.New(fault.ErrRejected, "starleads: an empty id was refused")
	}
	// Stopping what does not run is refused; only what stops everything matters here.
	err = t.call(ctx, "stop parsing", "document_stop", adapter.Vars{"datasetId": dataset}, idList{[]targets.RemoteID{id}}, nil)
	if err != nil && (!refusal(err) || fault.StopsTarget(err)) {
		return err
	}
	res, err := t.Start(ctx, []targets.RemoteID{id})
	if err != nil {
		return err
	}
	return res[0].Err
}

// Statuses implements targets.Settler. There is no request for one document, only a list with a search. An id that is listed
// under the name of another document is not given: it is not the document that was asked for.
func (t *Target) Statuses(ctx context.Context, ids map[targets.RemoteID]string, fn func(targets.Remote)) error {
	if len(ids) == 0 {
		return nil
	}
	missing := maps.Clone(ids)
	if len(ids) <= fewIDs && !t.noKeywords.Load() {
		for id, name := range ids {
			if _, still := missing[id]; !still {
				continue // came along with another one
			}
			err := t.search(ctx, name, func(r targets.Remote) {
				if asked, wanted := missing[r.ID]; wanted && adapter.SameDocument(asked, r.Name) {
					delete(missing, r.ID)
					fn(r)
				}
			})
			if err != nil {
				return err
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	searched := len(missing) < len(ids) || len(ids) <= fewIDs
	return t.List(ctx, func(r targets.Remote) error {
		if name, asked := missing[r.ID]; asked && adapter.SameDocument(name, r.Name) {
			if searched && r.Name == name {
				t.noKeywords.Store(true) // the search should have found it
			}
			fn(r)
		}
		return nil
	})
}

// search gives the first page of what the vendor finds by a remote name. What it does not find may be there all the same.
func (t *Target) search(ctx context.Context, name string, fn func(targets.Remote)) error {
	dataset, err := t.needDataset()
	if err != nil {
		return err
	}
	keywords := strings.TrimSuffix(name, path.Ext(name))
	if keywords == "" {
		return nil
	}
	p, err := fetchPage[document](ctx, t, "search documents", "document_list", adapter.Vars{"datasetId": dataset}, 1, keywords)
	if err != nil {
		if refusal(err) && !fault.StopsTarget(err) {
			t.noKeywords.Store(true) // a search that finds nothing may be an error behind the API
			return nil
		}
		return err
	}
	for _, d := range p.items {
		fn(t.remote(d))
	}
	return nil
}
