package converse

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"sync"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// mostChunks bounds how much of a list of chunks is read; the first chunk is enough.
const mostChunks = 64 << 20

// Start implements targets.Settler. The vendor indexes by itself what it is given.
func (t *Target) Start(ctx context.Context, ids []targets.RemoteID) ([]targets.Result, error) {
	return t.each(ctx, ids, func(targets.RemoteID) (targets.Status, error) {
		return targets.StatusWorking, ctx.Err()
	})
}

// Restart implements targets.Settler. A link from which nothing was indexed fails with fault.ErrUnsupported: it must be sent anew.
func (t *Target) Restart(ctx context.Context, id targets.RemoteID) error {
	return t.reindex(ctx, id)
}

// Reindex implements targets.Reindexer.
func (t *Target) Reindex(ctx context.Context, ids []targets.RemoteID) ([]targets.Result, error) {
	return t.each(ctx, ids, func(id targets.RemoteID) (targets.Status, error) { return targets.StatusWorking, t.reindex(ctx, id) })
}

// reindex has a document embedded anew. That does not fetch a page again (dossier, "How to sync"), so a link of which the vendor has
// no chunk is not sent there: only another ingestion of its address can help.
func (t *Target) reindex(ctx context.Context, id targets.RemoteID) error {
	if o := t.others.Load(); o != nil && o.empty[id] {
		return fault.New(fault.ErrUnsupported, "converse: the vendor has nothing of the page of document %s that it could index anew", kb.Printable(string(id))).
			WithHint("the next pass has it fetched again")
	}
	_, err := t.call(ctx, "reindex document", "reindex", adapter.Vars{"id": string(id)}, nil)
	if isBusy(err) {
		return nil
	}
	return err
}

// Statuses implements targets.Settler. There is no request for one document, so the list is read; documents of which it tells
// neither a status nor the number of chunks are asked for their chunks. An id that is listed under the name of another
// document is not given: it is not the document that was asked for.
func (t *Target) Statuses(ctx context.Context, ids map[targets.RemoteID]string, fn func(targets.Remote)) error {
	if len(ids) == 0 {
		return nil
	}
	var silent []targets.RemoteID
	listed := map[targets.RemoteID]targets.Remote{}
	err := t.List(ctx, func(r targets.Remote) error {
		name, asked := ids[r.ID]
		switch {
		case !asked || !adapter.SameDocument(name, r.Name):
		case r.Status == targets.StatusUnknown:
			listed[r.ID] = r
			silent = append(silent, r.ID)
		default:
			fn(r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.Sort(silent)
	var mu sync.Mutex // fn is called by one at a time
	res, err := t.each(ctx, silent, func(id targets.RemoteID) (targets.Status, error) {
		indexed, err := t.hasChunks(ctx, id)
		if isGone(err) {
			return targets.StatusUnknown, nil
		} else if err != nil {
			return targets.StatusUnknown, err
		}
		r := listed[id]
		if r.Status = targets.StatusWorking; indexed {
			r.Status = targets.StatusDone
		}
		mu.Lock()
		defer mu.Unlock()
		fn(r)
		return r.Status, nil
	})
	for _, r := range res {
		err = cmp.Or(err, r.Err)
	}
	return err
}

// hasChunks tells whether a document has a chunk. The vendor gives all of them, so reading ends with the first.
func (t *Target) hasChunks(ctx context.Context, id targets.RemoteID) (bool, error) {
	r, err := t.request("list chunks", "chunks", adapter.Vars{"id": string(id)})
	if err != nil {
		return false, err
	}
	r.MaxAnswer = mostChunks
	body, err := t.http.Open(ctx, r)
	if err != nil {
		return false, t.unrouted(r.Op, "chunks", err)
	}
	has, err := anyChunk(body)
	if err = errors.Join(err, body.Close()); err != nil {
		return false, fault.New(fault.ErrIncomplete, "converse: %s: the answer cannot be read", r.Op).Because(err)
	}
	return has, nil
}

// anyChunk reads an answer until it tells of a chunk: an item of a list, bare or in an envelope, or a count above 0. An answer that
// tells of neither is an error.
func anyChunk(r io.Reader) (bool, error) {
	dec := json.NewDecoder(r)
	found, told, err := chunkIn(dec, 0, true)
	switch {
	case err != nil:
		return false, err
	case !told:
		return false, adapter.ErrNoList
	}
	return found, nil
}

// chunkIn reads one value. wanted: a list here would be that of the chunks.
func chunkIn(dec *json.Decoder, depth int, wanted bool) (found, told bool, err error) {
	tok, err := dec.Token()
	if err != nil {
		return false, false, err
	}
	switch tok {
	case json.Delim('['):
		if wanted && dec.More() {
			return true, true, nil
		}
		return false, wanted, skip(dec)
	case json.Delim('{'):
		if !wanted || depth > 2 {
			return false, false, skip(dec)
		}
	default:
		return false, false, nil
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return false, false, err
		}
		name, _ := key.(string)
		if slices.Contains(countNames, name) {
			var n json.RawMessage
			if err := dec.Decode(&n); err != nil {
				return false, false, err
			}
			if v, ok := (object{name: n}).number(name); ok {
				told, found = true, v > 0
			}
		} else if f, t, err := chunkIn(dec, depth+1, slices.Contains(chunkNames, name)); err != nil {
			return false, false, err
		} else {
			found, told = f, told || t
		}
		if found {
			return true, true, nil
		}
	}
	_, err = dec.Token()
	return false, told, err
}

// skip reads to the end of the list or object that was begun.
func skip(dec *json.Decoder) error {
	for depth := 1; depth > 0; {
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		switch tok {
		case json.Delim('['), json.Delim('{'):
			depth++
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
	}
	return nil
}
