package starleads

import (
	"context"
	"errors"
	"strings"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// maxWait is the longest wait for the vendor within one Upload.
const maxWait = httpapi.DefaultMaxElapsed

const notUploaded = "starleads: not uploaded: "

// item is one rendition on its way.
type item struct {
	r     targets.Rendition
	res   *targets.Result
	tries int // requests that were sent with it and gave no result
	done  bool
	// copied is what an answer gave under the name of a copy ("name(1).md"); its ID is empty when there was none.
	copied targets.Remote
}

func (it *item) fail(err error) { it.res.Err, it.done = err, true }

func (it *item) adopt(r targets.Remote) {
	*it.res = targets.Result{ID: r.ID, Status: r.Status}
	if r.Name != it.r.Name {
		it.res.Name = r.Name
	}
	it.done = true
}

// Upload implements targets.Target.
func (t *Target) Upload(ctx context.Context, batch []targets.Rendition) ([]targets.Result, error) {
	out := make([]targets.Result, len(batch))
	if len(batch) == 0 {
		return out, nil
	}
	items := make([]*item, len(batch))
	for i, r := range batch {
		items[i] = &item{r: r, res: &out[i]}
		items[i].check(t.cfg.MaxFileSize)
	}
	err := t.outage.Err()
	if err == nil {
		err = t.uploadAll(ctx, items)
	}
	failRest(items, err)
	if err == nil && ctx.Err() == nil {
		t.outage.Note(out...)
	}
	return out, err
}

// part is a document as part of a request.
func part(r targets.Rendition) adapter.Part { return adapter.Part{Name: "files", File: &r} }

// check refuses what cannot be sent.
func (it *item) check(maxBytes int64) {
	switch n := it.r.Name; {
	case n == "" || len(n) > nameBytes || strings.ContainsAny(n, "/\\") || n == "." || n == "..":
		it.fail(fault.New(fault.ErrRejected, "starleads: %q cannot be the name of a document", n))
	case it.r.Size > maxBytes:
		it.fail(fault.New(fault.ErrTooLarge, "starleads: %d bytes are more than the limit of %d", it.r.Size, maxBytes))
	case it.r.Size < 0:
		it.fail(fault.New(fault.ErrRejected, "starleads: the size of %s is not known", n))
	}
}

// groups cuts the items that are not done into requests within the limits.
func (t *Target) groups(items []*item) [][]*item {
	limit := t.Limits().BatchBytes
	if learnt := t.bodyLimit.Load(); learnt > 0 {
		limit = min(limit, learnt)
	}
	var out [][]*item
	var bytes int64
	for _, it := range items {
		if it.done {
			continue
		}
		w := adapter.Form(part(it.r)).Size // alone it has an end of its own, so there is room for that
		if n := len(out); n == 0 || len(out[n-1]) == batchFiles || bytes+w > limit {
			out, bytes = append(out, nil), 0
		}
		n := len(out) - 1
		out[n], bytes = append(out[n], it), bytes+w
	}
	return out
}

// uploadAll works until every item is done. Its error is what ends the work before.
func (t *Target) uploadAll(ctx context.Context, items []*item) error {
	dataset, err := t.needDataset()
	if err != nil {
		return err
	}
	queue := t.groups(items)
	for len(queue) > 0 {
		group := pending(queue[0])
		queue = queue[1:]
		if len(group) == 0 {
			continue
		}
		again, err := t.send(ctx, dataset, group)
		if err != nil {
			return err
		}
		queue = append(again, queue...)
	}
	return nil
}

// send makes one request for a group and deals with what comes of it. It gives the groups that must be sent again.
func (t *Target) send(ctx context.Context, dataset string, group []*item) ([][]*item, error) {
	docs, err := t.post(ctx, dataset, group)
	if err == nil {
		if err = t.match(ctx, dataset, group, docs); err != nil {
			return nil, err
		}
		if group = pending(group); len(group) == 0 {
			return nil, nil
		}
		err = fault.New(fault.ErrUnknown, "starleads: the answer to the upload does not name every document")
	}
	broken, isBroken := errors.AsType[*adapter.PartError](err)
	_, passing := errors.AsType[*fault.RetryAfter](err)
	switch {
	case ctx.Err() != nil:
		failRest(group, err)
		return nil, ctx.Err()
	case fault.StopsTarget(err):
		return nil, err
	case isBroken:
		group[broken.Part].fail(broken.Err)
		group = pending(group)
	case errors.Is(err, fault.ErrNotFound):
		return nil, fault.New(fault.ErrSetup, "starleads: dataset %s takes no documents", dataset).
			WithHint("it may have been deleted; check the dataset and the API key").Because(err)
	case passing, len(group) == 1 && !errors.Is(err, fault.ErrUnknown):
		failRest(group, err) // nothing landed: it was never sent, or refused alone
		return nil, nil
	}
	return t.recover(ctx, dataset, group, err, isBroken)
}

// recover finds out what a request that failed left behind, and what to send again. broken says that the request
// failed by a document that could not be read.
func (t *Target) recover(ctx context.Context, dataset string, group []*item, err error, broken bool) ([][]*item, error) {
	if len(group) == 0 {
		return nil, nil
	}
	if lookErr := t.look(ctx, dataset, group); lookErr != nil {
		failRest(group, fault.New(fault.ErrUnknown, "starleads: whether the upload arrived could not be seen").Because(errors.Join(err, lookErr)))
		if fault.StopsTarget(lookErr) || ctx.Err() != nil {
			return nil, lookErr
		}
		return nil, nil
	}
	rest := pending(group)
	progress := len(rest) < len(group)
	switch {
	case len(rest) == 0:
		return nil, nil
	case broken:
		return [][]*item{rest}, nil
	case errors.Is(err, fault.ErrQuota):
		failRest(rest, err)
		return nil, nil
	case !errors.Is(err, fault.ErrUnknown): // refused: find the one at fault
		if errors.Is(err, fault.ErrTooLarge) && !progress {
			t.learnLimit(rest)
		}
		return halves(rest), nil
	}
	n := 0
	for _, it := range rest {
		it.tries++
		n = max(n, it.tries)
		if it.tries >= maxTries {
			it.fail(adapter.NotLanded(notUploaded, err))
		}
	}
	if rest = pending(rest); progress || len(rest) == 0 {
		return [][]*item{rest}, nil
	}
	wait := max(httpapi.Backoff(n), httpapi.WaitOf(err))
	if wait > maxWait {
		failRest(rest, adapter.NotLanded(notUploaded, err))
		return nil, nil
	}
	if err := httpapi.Pause(ctx, wait); err != nil {
		failRest(rest, adapter.NotLanded(notUploaded, err))
		return nil, err
	}
	return halves(rest), nil
}

// learnLimit remembers that a request with these documents was too large as a whole. It never falls below the limit of
// one document, because that one may have been the reason.
func (t *Target) learnLimit(items []*item) {
	var sum int64
	for _, it := range items {
		sum += it.r.Size
	}
	if was := t.bodyLimit.Load(); was == 0 || sum/2 < was {
		t.bodyLimit.Store(max(sum/2, t.cfg.MaxFileSize))
	}
}

func pending(items []*item) []*item {
	var out []*item
	for _, it := range items {
		if !it.done {
			out = append(out, it)
		}
	}
	return out
}

func failRest(items []*item, err error) {
	for _, it := range pending(items) {
		it.fail(err)
	}
}

func halves(items []*item) [][]*item {
	if len(items) < 2 {
		return [][]*item{items}
	}
	n := (len(items) + 1) / 2
	return [][]*item{items[:n], items[n:]}
}

// post sends a group and gives the documents of the answer.
func (t *Target) post(ctx context.Context, dataset string, group []*item) ([]document, error) {
	parts := make([]adapter.Part, len(group))
	for i, it := range group {
		parts[i] = part(it.r)
	}
	r, err := t.request("upload documents", "document_upload", adapter.Vars{"datasetId": dataset})
	if err != nil {
		return nil, err
	}
	r.Create, r.Body = true, adapter.Form(parts...)
	ans, err := t.http.Do(ctx, r, nil)
	if err != nil {
		return nil, err
	}
	docs, err := decodeUploaded(ans.Body)
	if err != nil {
		return nil, fault.New(fault.ErrUnknown, "starleads: upload documents").Because(err)
	}
	return docs, nil
}
