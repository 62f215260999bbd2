package chatbase

import (
	"context"
	"encoding/json"
	"hash/maphash"
	"maps"
	"net/url"
	"strconv"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

const (
	pageSize    = 100 // the most that is documented
	maxPages    = 100_000
	maxItems    = 1_000_000 // of one list
	maxBarren   = 100       // pages in a row without anything new
	maxReadings = 5         // of one list, while it changes under our eyes
)

// List implements targets.Target: sources of every type, ours or not. What waits for its deletion is not there any more.
func (t *Target) List(ctx context.Context, fn func(targets.Remote) error) error {
	if err := t.ready(); err != nil {
		return err
	}
	total, err := t.readAll(ctx, "list sources", nil, true, func(s source) error {
		if s.gone() {
			return nil
		}
		return fn(t.remote(s))
	})
	if err == nil {
		t.known.Store(total)
	}
	return err
}

// find gives those of the sources that pass the vendor's filter which match.
func (t *Target) find(ctx context.Context, filter url.Values, match func(source) bool) ([]source, error) {
	found := map[string]source{}
	var order []string
	// The vendor's filter finds parts of names in any case, and its count may be that of the whole list.
	_, err := t.readAll(ctx, "look for source", filter, false, func(s source) error {
		if !match(s) {
			return nil
		}
		if _, twice := found[s.ID]; !twice {
			order = append(order, s.ID)
		}
		found[s.ID] = s
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]source, 0, len(order))
	for _, id := range order {
		out = append(out, found[id])
	}
	return out, nil
}

// reading is the result of going through a list once; two equal ones have seen the same items.
type reading struct {
	n     int64  // different items
	sum   uint64 // of their hashes
	total int64  // what the vendor said last; -1 when it did not
	whole bool   // nothing speaks against its completeness
}

// readAll gives every item of a list, some perhaps twice, and tells how many there are. A list that loses items
// while it is read may hide others, so it is read again until nothing was lost or two readings agree. counted says that
// the vendor's count is the list's, so that fewer items are an error.
func (t *Target) readAll(ctx context.Context, op string, filter url.Values, counted bool, fn func(source) error) (int64, error) {
	last, seed := reading{n: -1}, maphash.MakeSeed()
	for range maxReadings {
		now, err := t.read(ctx, op, filter, seed, fn)
		if err != nil {
			return 0, err
		}
		if now.whole || now == last && (!counted || now.n >= now.total) {
			return now.n, nil
		}
		last = now
	}
	return 0, fault.New(fault.ErrIncomplete, "chatbase: %s: %d of %d sources were given", op, last.n, last.total).
		WithHint("the next pass looks again")
}

// read goes through a list once.
func (t *Target) read(ctx context.Context, op string, filter url.Values, seed maphash.Seed, fn func(source) error) (reading, error) {
	out := reading{total: -1}
	seen := map[uint64]struct{}{}
	first, most, cursor := int64(-1), int64(-1), "" // what the vendor said at first, and at most
	shrunk, barren := false, 0
	for range maxPages {
		p, err := t.fetchPage(ctx, op, filter, cursor)
		if err != nil {
			return out, err
		}
		before := out.n
		for _, s := range p.items {
			sum := maphash.String(seed, s.ID)
			if _, twice := seen[sum]; !twice {
				seen[sum] = struct{}{}
				out.n, out.sum = out.n+1, out.sum+sum
			}
			if err := fn(s); err != nil {
				return out, err
			}
		}
		if first < 0 {
			first = p.total
		}
		shrunk = shrunk || p.total < most
		most, out.total = max(most, p.total), p.total
		if !p.more {
			out.whole = out.n >= most || !shrunk && out.n >= first
			return out, nil
		}
		if barren++; out.n > before {
			barren = 0
		}
		if p.cursor == "" || p.cursor == cursor || barren > maxBarren || out.n > maxItems {
			return out, fault.New(fault.ErrIncomplete, "chatbase: %s: after %d sources the list does not come to an end", op, out.n)
		}
		cursor = p.cursor
	}
	return out, fault.New(fault.ErrIncomplete, "chatbase: %s: more than %d pages", op, maxPages)
}

func (t *Target) fetchPage(ctx context.Context, op string, filter url.Values, cursor string) (page, error) {
	q := url.Values{"limit": {strconv.Itoa(pageSize)}}
	maps.Copy(q, filter)
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	var body json.RawMessage
	if err := t.client.get(ctx, op, q, &body, "sources"); err != nil {
		return page{}, adapter.Incomplete(err)
	}
	p, err := decodePage(body)
	if err != nil {
		return p, fault.New(fault.ErrIncomplete, "chatbase: %s", op).Because(err).WithHint("check base_url")
	}
	return p, nil
}
