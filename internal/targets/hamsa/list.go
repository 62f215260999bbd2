package hamsa

import (
	"context"
	"errors"
	"hash/maphash"
	"math"
	"net/http"
	"net/url"
	"strconv"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/targets/adapter"
)

const (
	mostTaken   = 100 // items in a page; the vendor's default is 10
	maxPages    = 100_000
	maxListings = 5 // of one list, while it changes under our eyes
)

// listAll gives every item once, or every one whose name the vendor finds by a search. Items that are deleted while the
// list is read shift others to pages that were read before, so it is read again until nothing is missing by
// the vendor's own count.
func (t *Target) listAll(ctx context.Context, op, search string, fn func(item) error) error {
	r := reader{t: t, op: op, search: search, fn: fn, seed: maphash.MakeSeed(), seen: map[uint64]uint8{}}
	last := reading{n: -1}
	for range maxListings {
		r.number++
		now, err := r.read(ctx)
		switch {
		case errors.Is(err, errTooLong):
			last = reading{n: -1}
		case err != nil:
			return err
		case now.whole:
			if search == "" {
				t.pages.Store(int32(min(now.pages, maxPages)))
			}
			return nil
		case now == last:
			return fault.New(fault.ErrIncomplete, "hamsa: %s: the list does not end after the %d items that it gives", op, now.n)
		default:
			last = now
		}
	}
	return fault.New(fault.ErrIncomplete, "hamsa: %s: the list changes faster than it can be read", op)
}

// reader goes through a list, again and again if need be. It keeps hashes in place of ids, because a list may be long;
// every reader hashes in its own way, so two ids that look alike to one do not to the next.
type reader struct {
	t          *Target
	op, search string
	fn         func(item) error
	seed       maphash.Seed
	seen       map[uint64]uint8 // the reading that saw an item last
	number     uint8            // of the present reading; the first is 1
}

// reading is the result of going through a list once: two equal ones have seen the same items.
type reading struct {
	n, pages int
	sum      uint64
	whole    bool // nothing is missing by the vendor's count, and nothing went while it was read
}

// read goes through the list once and gives what no earlier reading has seen.
func (r *reader) read(ctx context.Context) (out reading, err error) {
	first, least := -1, math.MaxInt
	take := int(r.t.take.Load())
	for number := 1; number <= maxPages; number++ {
		p, err := r.t.fetchPage(ctx, r.op, r.search, number, take)
		if err != nil {
			return out, err
		}
		out.pages = number
		before := out.n
		for _, it := range p.items {
			if err := r.give(it, &out); err != nil {
				return out, err
			}
		}
		if first < 0 {
			first = p.total
		}
		if p.total >= 0 {
			least = min(least, p.total)
		}
		repeated := number > 1 && out.n == before
		// A short page is the last one only when the count agrees, because a vendor may give less than it is asked for.
		if len(p.items) == 0 || repeated || p.total >= 0 && len(p.items) < take && out.n >= p.total {
			out.whole = least == math.MaxInt && len(p.items) < take || least >= first && out.n >= p.total && p.total >= 0
			return out, nil
		}
	}
	return out, fault.New(fault.ErrIncomplete, "hamsa: %s: more than %d pages", r.op, maxPages)
}

// give notes an item and hands it on when it was not seen before.
func (r *reader) give(it item, out *reading) error {
	sum := maphash.String(r.seed, it.ID)
	before := r.seen[sum]
	if before == r.number {
		return nil
	}
	r.seen[sum] = r.number
	out.n++
	out.sum += sum
	if before != 0 {
		return nil
	}
	return r.fn(it)
}

// errTooLong is a page that does not fit into the bound of an answer. The next try asks for smaller ones.
var errTooLong = errors.New("page too long")

// fetchPage asks for one page. In this API skip is the number of the page, from 1 on, and all values are strings (documented).
func (t *Target) fetchPage(ctx context.Context, op, search string, number, take int) (page, error) {
	q := url.Values{
		"skip": {strconv.Itoa(number)}, "take": {strconv.Itoa(take)}, "sortField": {"createdAt"}, "sortOrder": {"asc"},
	}
	if search != "" {
		q.Set("search", search)
	}
	body, err := t.do(ctx, httpapi.Request{Op: op, Method: http.MethodGet, Path: itemsPath + "/list", Query: q, MaxAnswer: mostAnswer})
	if err != nil {
		if errors.Is(err, httpapi.ErrLongAnswer) && take > 1 { // the list may hold the texts of its items
			t.take.Store(int32(max(take/4, 1)))
			return page{}, errTooLong
		}
		return page{}, incomplete(err)
	}
	p, err := decodePage(body, search != "")
	if err != nil {
		if len(body) == 0 {
			err = errors.New("an empty answer instead of a list")
		}
		return p, fault.New(fault.ErrIncomplete, "hamsa: %s", op).Because(err).WithHint("check base_url")
	}
	return p, nil
}

// incomplete marks the failure of a listing, without hiding what stops the target.
func incomplete(err error) error {
	switch httpapi.Status(err) {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		return noBase(err)
	}
	return adapter.Incomplete(err)
}
