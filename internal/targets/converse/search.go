package converse

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

var (
	passageNames = []string{"text", "content", "chunk", "chunk_text", "passage", "snippet", "answer", "context"}
	titleNames   = []string{"document_name", "name", "title", "filename", "file_name"}
)

// Search implements targets.Searcher.
func (t *Target) Search(ctx context.Context, question string, top int) ([]targets.Hit, error) {
	in := map[string]any{"query": question, "top_k": top, "voice_mode": false}
	body, err := t.call(ctx, "search", "query", nil, in)
	if err != nil {
		return nil, err
	}
	hits, err := decodeHits(body)
	if err != nil {
		return nil, fault.New(fault.ErrUnknown, "converse: search").Because(err)
	}
	return hits[:min(len(hits), max(top, 0))], nil
}

// decodeHits reads a list of passages, or one text, and puts the best first.
func decodeHits(b []byte) ([]targets.Hit, error) {
	list, _, err := findList(b, hitNames, 0)
	if err != nil {
		if h := hitOf(asObject(b)); h.Text != "" {
			return []targets.Hit{h}, nil
		}
		return nil, err
	}
	var hits []targets.Hit
	err = adapter.Rows(list, func(row json.RawMessage) error {
		h := targets.Hit{Text: adapter.Scalar(row)}
		if o := asObject(row); o != nil {
			h = hitOf(o)
		}
		if h.Text != "" {
			hits = append(hits, h)
		}
		return nil
	})
	slices.SortStableFunc(hits, func(a, b targets.Hit) int { return cmp.Compare(b.Score, a.Score) })
	return hits, err
}

// hitOf reads one passage. What it says of its document may stand beside the text or in an object of its own.
func hitOf(o object) targets.Hit {
	h := targets.Hit{Text: o.text(passageNames), ID: targets.RemoteID(o.text(docIDNames)), Name: o.text(titleNames)}
	if score, ok := o.number("score", "similarity", "relevance"); ok {
		h.Score = score
	} else if distance, ok := o.number("distance"); ok {
		h.Score = -distance
	}
	for name, ids := range map[string][]string{"metadata": docIDNames, "document": idNames, "doc": idNames} {
		if inner := asObject(o[name]); inner != nil {
			h.ID = cmp.Or(h.ID, targets.RemoteID(inner.text(ids)))
			h.Name = cmp.Or(h.Name, inner.text(titleNames))
		}
	}
	return h
}
