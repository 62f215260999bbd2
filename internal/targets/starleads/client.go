package starleads

import (
	"context"
	"encoding/json"
	"errors"
	"hash/maphash"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// idList is the body of parse and stop.
type idList struct {
	DocumentIDs []targets.RemoteID `json:"documentIds"`
}

// request fills a route's placeholders.
func (t *Target) request(op, name string, v adapter.Vars) (httpapi.Request, error) {
	return adapter.Request("starleads", op, t.route(name), v)
}

// call makes a request that may be repeated.
func (t *Target) call(ctx context.Context, op, name string, v adapter.Vars, in, out any) error {
	_, err := t.answer(ctx, op, name, v, in, out)
	return err
}

func (t *Target) answer(ctx context.Context, op, name string, v adapter.Vars, in, out any) (httpapi.Answer, error) {
	r, err := t.request(op, name, v)
	if err != nil {
		return httpapi.Answer{}, err
	}
	r.JSON = in
	ans, err := t.http.Do(ctx, r, out)
	return ans, unrouted(err, op, name)
}

// unrouted gives a refusal of the verb its class: it is the route that is wrong, not what it was used for.
func unrouted(err error, op, name string) error {
	if httpapi.Status(err) != http.StatusMethodNotAllowed {
		return err
	}
	e := fault.New(fault.ErrSetup, "starleads: %s: the vendor does not know this route", op).Because(err)
	if _, guessed := defaultRoutes[name]; guessed {
		e = e.WithHint("%s", remedy(name))
	}
	return e
}

// create makes a request that must not be done twice.
func (t *Target) create(ctx context.Context, op, name string, v adapter.Vars, in, out any) error {
	r, err := t.request(op, name, v)
	if err != nil {
		return err
	}
	r.JSON, r.Create = in, true
	_, err = t.http.Do(ctx, r, out)
	return err
}

// message is a refusal in lower case, "" for anything else.
func message(err error) string {
	e, ok := errors.AsType[*httpapi.Error](err)
	if !ok || e.Status == 0 || e.Status >= 500 || errors.Is(err, fault.ErrDenied) {
		return ""
	}
	return strings.ToLower(e.Detail)
}

// isGone tells refusals that speak of an object that does not exist. The vendor documents a 400 with
// "No campaign exists with campaignId : 11111111" for an unknown id, so 404 is not the only form.
func isGone(err error) bool {
	if errors.Is(err, fault.ErrNotFound) || httpapi.Status(err) == http.StatusNotFound || httpapi.Status(err) == http.StatusGone {
		return true
	}
	m := message(err)
	if i := strings.Index(m, "no "); i >= 0 && strings.Contains(m[i:], "exist") {
		return true
	}
	return containsAny(m, "not found", "not exist", "n't exist", "n't find", "n't own", "unknown document", "unknown id")
}

// isBusy tells refusals that speak of work already under way.
func isBusy(err error) bool {
	m := message(err)
	return !containsAny(m, "not running", "not being", "not in progress") &&
		containsAny(m, "already", "being processed", "being parsed", "currently", "running", "in progress")
}

func containsAny(s string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

const (
	pageSize    = 50
	maxPages    = 100_000
	maxItems    = 5_000_000 // of one list
	maxListings = 5         // of one store, while it changes under our eyes
)

// listed is an item of a list.
type listed interface{ key() string }

// listAll gives every item of a paged list, each once. A list that loses items while it is read
// shifts others to pages that were read before, so it is read again until the vendor's own count agrees
// or two readings agree with each other.
func listAll[T listed](ctx context.Context, t *Target, op, name string, v adapter.Vars, fn func(T) error) error {
	seen := tally{seed: maphash.MakeSeed(), last: map[uint64]uint8{}, most: t.mostItems}
	last := reading{n: -1}
	for range maxListings {
		seen.reading++
		now, err := readList(ctx, t, op, name, v, &seen, fn)
		if err != nil {
			return err
		}
		switch {
		case now.stuck && now == last:
			return fault.New(fault.ErrIncomplete, "starleads: %s: the vendor gives the same page of %d again and again", op, now.n).
				WithHint("set routes.%s", name)
		case !now.stuck && (now.whole || now == last):
			return nil
		}
		last = now
	}
	return fault.New(fault.ErrIncomplete, "starleads: %s: the list changes faster than it can be read", op)
}

// tally knows which items of a list were seen, and so given to the caller. It keeps hashes in place of ids, because a list may
// have a million items. Every listing hashes in its own way: two ids that look alike in one do not in the next.
type tally struct {
	seed    maphash.Seed
	last    map[uint64]uint8 // the reading that saw an item last
	reading uint8            // the present one; the first is 1
	most    int              // items that a list may have
}

// see notes an id and gives its hash. fresh: this reading sees it for the first time; first: so do all readings.
func (t *tally) see(id string) (sum uint64, fresh, first bool) {
	sum = maphash.String(t.seed, id)
	before := t.last[sum]
	t.last[sum] = t.reading
	return sum, before != t.reading, before == 0
}

// reading is the result of going through a list once: two equal ones have seen the same items.
type reading struct {
	n     int
	sum   uint64
	whole bool // nothing speaks against its completeness
	stuck bool // the vendor gave the same page twice
}

// readList goes through a list once and gives what no earlier reading has seen.
func readList[T listed](ctx context.Context, t *Target, op, name string, v adapter.Vars, seen *tally, fn func(T) error) (reading, error) {
	var out reading
	ctx, cancel := context.WithCancel(ctx)
	pages := pager[T]{most: max(t.cfg.Concurrency, 1), fetch: func(ctx context.Context, number int) (page[T], error) {
		return fetchPage[T](ctx, t, op, name, v, number, "")
	}}
	defer pages.running.Wait()
	defer cancel()
	first, least := -1, math.MaxInt
	for number := 1; number <= maxPages; number++ {
		p, err := pages.next(ctx)
		if err != nil {
			return out, err
		}
		before := out.n
		for _, item := range p.items {
			sum, fresh, unseen := seen.see(item.key())
			if !fresh {
				continue
			}
			if out.n++; len(seen.last) > seen.most {
				return out, fault.New(fault.ErrIncomplete, "starleads: %s: more than %d items", op, seen.most)
			}
			out.sum += sum
			if unseen {
				if err := fn(item); err != nil {
					return out, err
				}
			}
		}
		if first < 0 {
			first = p.total
		}
		total := p.total
		if total >= 0 {
			least = min(least, total) // pages fetched at the same time are not answered in their order
		}
		repeated := number > 1 && out.n == before && len(p.items) > 0
		if len(p.items) == 0 || repeated || p.last(number, out.n) {
			out.whole = total < 0 || least >= first && out.n >= total
			// The same full page again, and more is said to be there, or nothing says that this was all.
			out.stuck = repeated && (total < 0 && len(p.items) == p.size || out.n < total)
			return out, nil
		}
	}
	return out, fault.New(fault.ErrIncomplete, "starleads: %s: more than %d pages", op, maxPages)
}

func fetchPage[T listed](ctx context.Context, t *Target, op, name string, v adapter.Vars, number int, keywords string) (page[T], error) {
	var p page[T]
	r, err := t.request(op, name, v)
	if err != nil {
		return p, err
	}
	r.Query = url.Values{"PageNumber": {strconv.Itoa(number)}, "PageSize": {strconv.Itoa(pageSize)}}
	if keywords != "" {
		r.Query.Set("Keywords", keywords)
	}
	var body json.RawMessage
	if _, err := t.http.Do(ctx, r, &body); err != nil {
		return p, incomplete(unrouted(err, op, name))
	}
	if p, err = decodePage[T](body); err != nil {
		if len(body) == 0 {
			err = errors.New("an empty answer instead of a list")
		}
		return p, fault.New(fault.ErrIncomplete, "starleads: %s", op).Because(err).WithHint("check base_url, or set routes.%s", name)
	}
	return p, nil
}

// incomplete marks the failure of a listing, without hiding what stops the target.
func incomplete(err error) error {
	if errors.Is(err, fault.ErrNotFound) {
		return err
	}
	return adapter.Incomplete(err)
}
