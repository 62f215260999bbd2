package starleads

import (
	"context"
	"path"
	"strings"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// index finds the item that a vendor's name belongs to.
type index struct {
	names map[string]*item
	marks map[kb.Mark]*item // nil for a mark that several items have
}

func indexOf(items []*item) index {
	x := index{map[string]*item{}, map[kb.Mark]*item{}}
	for _, it := range items {
		x.names[it.r.Name] = it
		if m, _, ok := kb.ParseName(it.r.Name); ok {
			if other, taken := x.marks[m]; taken && (other == nil || other.r.Name != it.r.Name) {
				it = nil
			}
			x.marks[m] = it
		}
	}
	return x
}

// find goes by the whole name, and else by the mark, because vendors strip accents and cut names, or by the name without a
// counter. It gives nil for a name that belongs to none.
func (x index) find(name string) *item {
	if it := x.names[name]; it != nil {
		return it
	}
	if m, _, ok := kb.ParseName(name); ok {
		if it := x.marks[m]; it != nil {
			return it
		}
	}
	return x.names[original(name)]
}

// match files the documents of an answer with their items, by name, because nothing promises the order. An item for which the
// answer leaves any doubt stays pending, to be looked for: the answer has more documents than were sent, an id or a
// name comes twice. The error is what stops the target.
func (t *Target) match(ctx context.Context, dataset string, group []*item, docs []document) error {
	if len(docs) > len(group) {
		return nil
	}
	times := map[string]int{}
	for _, d := range docs {
		times[d.ID]++
	}
	x, given := indexOf(group), map[*item][]targets.Remote{}
	for _, d := range docs {
		r := t.remote(d)
		if it := x.find(r.Name); it != nil {
			given[it] = append(given[it], r)
		}
	}
	for _, it := range group {
		if len(given[it]) != 1 || times[string(given[it][0].ID)] > 1 {
			continue
		}
		if r := given[it][0]; isCopy(it.r.Name, r.Name) {
			it.copied = r
			t.mergeCopy(ctx, dataset, it)
		} else {
			it.adopt(r)
		}
	}
	if len(group) == 1 && len(docs) == 1 && !group[0].done {
		return t.renamed(ctx, dataset, group[0], t.remote(docs[0]))
	}
	return nil
}

// isCopy tells whether a stored name is a sent one with a counter.
func isCopy(sent, stored string) bool {
	if _, copied, ok := kb.ParseName(stored); ok {
		return copied
	}
	return sent != stored && original(stored) == sent
}

// renamed deals with the answer to a single file that came back under a name without any mark: no later look could tell whose
// it is, so it goes again and is not sent any more. Only what a listing shows under that name and with the file's size is
// deleted: the answer alone could name the document of somebody else.
func (t *Target) renamed(ctx context.Context, dataset string, it *item, answered targets.Remote) error {
	_, _, sent := kb.ParseName(it.r.Name)
	if _, _, marked := kb.ParseName(answered.Name); !sent || marked || answered.Name == "" {
		return nil
	}
	var own []targets.Remote
	there := false
	err := t.List(ctx, func(r targets.Remote) error {
		switch {
		case adapter.SameDocument(it.r.Name, r.Name):
			own = append(own, r)
		case r.ID == answered.ID && r.Name == answered.Name:
			size := max(r.Size, answered.Size)
			there = size == it.r.Size && it.sizeFits(r) && it.sizeFits(answered)
		}
		return nil
	})
	if err != nil {
		it.fail(fault.New(fault.ErrUnknown, "starleads: whether the upload arrived could not be seen").Because(err))
		if fault.StopsTarget(err) || ctx.Err() != nil {
			return err
		}
		return nil
	}
	if t.choose(ctx, dataset, it, own); it.done {
		return nil
	}
	if there {
		if err := t.deleteOne(ctx, dataset, answered.ID); err != nil && !isGone(err) {
			there = false
		}
	}
	stays := ""
	if !there {
		stays = "; document " + kb.Printable(string(answered.ID)) + " may be left over, so look at it in the dashboard"
	}
	it.fail(fault.New(fault.ErrRejected, "starleads: the vendor changes names (sent %q, stored %q)", it.r.Name, kb.Printable(answered.Name)).
		WithHint("give the document another name%s", stays))
	return nil
}

// mergeCopy deals with an item that came back as "name(1).md". The name carries the digest of the content, so the document
// that has the exact name is the same rendition, from an earlier attempt: one of the two must go.
func (t *Target) mergeCopy(ctx context.Context, dataset string, it *item) {
	if err := t.look(ctx, dataset, []*item{it}); err != nil || !it.done {
		it.adopt(it.copied)
	}
}

// dropCopy deletes a second copy that a listing shows. When that fails, the copy still carries the mark of its document, so
// the next comparison with the listing finds it.
func (t *Target) dropCopy(ctx context.Context, dataset string, r targets.Remote) {
	if err := t.deleteOne(ctx, dataset, r.ID); err != nil && !isGone(err) {
		t.log.Warn("second copy of a document stays", "id", string(r.ID), "err", err)
	}
}

// look adopts what is in the store already under an item's name and with its size.
func (t *Target) look(ctx context.Context, dataset string, items []*item) error {
	items = pending(items)
	if len(items) <= fewIDs && !t.noKeywords.Load() {
		for _, it := range items {
			var found []targets.Remote
			if err := t.search(ctx, it.r.Name, func(r targets.Remote) { found = append(found, r) }); err != nil {
				return err
			}
			t.choose(ctx, dataset, it, found)
		}
		if items = pending(items); len(items) == 0 {
			return nil
		}
	}
	x, found := indexOf(items), map[string][]targets.Remote{}
	err := t.List(ctx, func(r targets.Remote) error {
		if it := x.find(r.Name); it != nil {
			found[it.r.Name] = append(found[it.r.Name], r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, it := range items {
		t.choose(ctx, dataset, it, found[it.r.Name])
	}
	return nil
}

// choose adopts the best of what a listing shows and deletes the copies of ours beside it: what has exactly the name that was
// sent, or that name with a counter.
func (t *Target) choose(ctx context.Context, dataset string, it *item, found []targets.Remote) {
	var keep *targets.Remote
	var copies, others []targets.Remote
	for _, r := range found {
		switch {
		case !it.sizeFits(r):
		case r.Name == it.r.Name && keep == nil:
			keep = &r
		case r.Name == it.r.Name || original(r.Name) == it.r.Name:
			copies = append(copies, r)
		case adapter.SameDocument(it.r.Name, r.Name):
			others = append(others, r)
		}
	}
	switch {
	case keep != nil:
	case len(others) > 0:
		keep = &others[0]
	case len(copies) > 0:
		keep, copies = &copies[0], copies[1:]
	default:
		return
	}
	it.adopt(*keep)
	for _, r := range copies {
		if r.ID == keep.ID {
			continue // listed twice
		}
		if _, _, ours := kb.ParseName(r.Name); ours || r.ID == it.copied.ID && r.Name == it.copied.Name {
			t.dropCopy(ctx, dataset, r)
		}
	}
}

// sizeFits tells whether what is stored may be the rendition. Broken PDF files are repaired behind the API, which
// changes their size.
func (it *item) sizeFits(r targets.Remote) bool {
	return r.Size < 0 || r.Size == it.r.Size || strings.EqualFold(path.Ext(r.Name), ".pdf")
}
