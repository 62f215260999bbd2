package converse

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

const (
	maxPages  = 100_000
	maxItems  = 5_000_000
	maxAnswer = 256 << 20 // of one page: the vendor documents no paging, so that it may be everything
)

// List implements targets.Target.
func (t *Target) List(ctx context.Context, fn func(targets.Remote) error) error {
	return t.documents(ctx, func(d document) error { return fn(t.remote(d)) })
}

// others are what is not to be treated like the rest in a listing.
type others struct {
	ids   map[targets.RemoteID]bool // documents of somebody else
	empty map[targets.RemoteID]bool // links of ours without a chunk, as far as told
	at    time.Time                 // when the listing began
}

// fresh is how long a listing tells who owns what.
const fresh = time.Minute

// theirs gives the documents whose name carries no mark of ours. What has no name may be ours.
func (t *Target) theirs(ctx context.Context) (map[targets.RemoteID]bool, error) {
	if o := t.others.Load(); o != nil && time.Since(o.at) < fresh {
		return o.ids, nil
	}
	if err := t.documents(ctx, func(document) error { return nil }); err != nil {
		return nil, err
	}
	return t.others.Load().ids, nil
}

func (t *Target) documents(ctx context.Context, fn func(document) error) error {
	seen := &others{ids: map[targets.RemoteID]bool{}, empty: map[targets.RemoteID]bool{}, at: time.Now()}
	err := t.rows(ctx, "list documents", "list", nil, listNames, func(row json.RawMessage) (string, func() error) {
		d := documentOf(asObject(row))
		return d.id, func() error {
			switch _, _, marked := kb.ParseName(d.name); {
			case d.name != "" && !marked:
				seen.ids[targets.RemoteID(d.id)] = true
			case isLink(d.name) && d.chunks <= 0:
				seen.empty[targets.RemoteID(d.id)] = true
			}
			return fn(d)
		}
	})
	if err == nil {
		t.others.Store(seen)
	}
	if isGone(err) {
		return fault.New(fault.ErrSetup, "converse: the documents cannot be listed").WithHint("check base_url").Because(adapter.Plain(err))
	}
	return err
}

// rows goes through a list, page by page where the answers tell of pages. For each row, read gives the id and what to do when it
// is the first with this id.
func (t *Target) rows(ctx context.Context, op, route string, v adapter.Vars, names []string, read func(json.RawMessage) (string, func() error)) error {
	seen := map[string]bool{}
	asked := url.Values{}
	for number := 1; number <= maxPages; number++ {
		list, around, err := t.page(ctx, op, route, v, asked, names)
		if err != nil {
			return err
		}
		before, n := len(seen), 0
		err = adapter.Rows(list, func(row json.RawMessage) error {
			id, first := read(row)
			switch n++; {
			case id == "":
				return fault.New(fault.ErrIncomplete, "converse: %s: an item of the list has no id", op)
			case seen[id]:
				return nil
			case len(seen) == maxItems:
				return fault.New(fault.ErrIncomplete, "converse: %s: more than %d items", op, maxItems)
			}
			seen[id] = true
			return first()
		})
		if err != nil {
			return err
		}
		if number > 1 && n > 0 && len(seen) == before {
			return fault.New(fault.ErrIncomplete, "converse: %s: the vendor gives the same page again", op)
		}
		next, told := after(around, number, asked)
		if next == nil || n == 0 {
			return t.ended(op, around, len(seen), told || number > 1)
		}
		asked = next
	}
	return fault.New(fault.ErrIncomplete, "converse: %s: more than %d pages", op, maxPages)
}

// page makes one request of a list.
func (t *Target) page(ctx context.Context, op, route string, v adapter.Vars, asked url.Values, names []string) (json.RawMessage, []object, error) {
	r, err := t.request(op, route, v)
	if err != nil {
		return nil, nil, err
	}
	r.MaxAnswer = maxAnswer
	for name, values := range asked {
		if name != "mode" {
			r.Query[name] = values
		}
	}
	body, err := t.do(ctx, route, r)
	if err != nil {
		return nil, nil, incomplete(err)
	}
	list, around, err := findList(body, names, 0)
	if err != nil {
		e := fault.New(fault.ErrIncomplete, "converse: %s", op).Because(err)
		if _, ok := guessed[route]; ok {
			return nil, nil, e.WithHint("check base_url, or set routes.%s", route)
		}
		return nil, nil, e.WithHint("check base_url")
	}
	return list, around, nil
}

// ended judges the end of a list of n items: the vendor may count more of them, or say nothing at all about pages.
func (t *Target) ended(op string, around []object, n int, told bool) error {
	for _, o := range sections(around) {
		if total, ok := o.number("total", "total_count"); ok {
			if float64(n) < total {
				return fault.New(fault.ErrIncomplete, "converse: %s: %d of %.0f items were given, and no next page", op, n, total)
			}
			told = true
		}
	}
	if !told && slices.Contains([]int{10, 20, 25, 50, 100}, n) {
		t.cut.Do(func() {
			t.log.Warn("the listing has a round number of items and says nothing of pages; it may be cut short", "op", op, "items", n)
		})
	}
	return nil
}

// sections are the objects in which an answer may tell of its pages.
func sections(around []object) []object {
	out := slices.Clone(around)
	for _, o := range around {
		for _, name := range []string{"meta", "pagination", "page_info"} {
			if inner := asObject(o[name]); inner != nil {
				out = append(out, inner)
			}
		}
	}
	return out
}

// after gives the query of the page after the number-th, which was asked for with a query; nil when there is none. told: the
// answer says something about pages.
func after(around []object, number int, asked url.Values) (next url.Values, told bool) {
	with := func(name, value string) url.Values {
		q := maps.Clone(asked)
		if q == nil {
			q = url.Values{}
		}
		q.Set(name, value)
		return q
	}
	for _, o := range sections(around) {
		_, hasNext := o["next"]
		_, hasCursor := o["next_cursor"]
		told = told || hasNext || hasCursor
		if cursor := adapter.Scalar(o["next_cursor"]); cursor != "" {
			return with("cursor", cursor), true
		}
		if text := adapter.Scalar(o["next"]); text != "" {
			return follow(text, with), true
		}
		pages, ok := o.number("total_pages")
		if !ok {
			continue
		}
		told = true
		following := number + 1
		if page, ok := o.number("page", "current_page"); ok && page == float64(number-1) {
			following = number // this vendor counts from 0
		}
		if float64(number) < pages {
			return with("page", strconv.Itoa(following)), true
		}
	}
	return nil, told
}

// follow reads a next that may be an address, of which only the query counts, the number of a page, or a cursor.
func follow(text string, with func(name, value string) url.Values) url.Values {
	if strings.ContainsAny(text, "/?") {
		if u, err := url.Parse(text); err == nil && len(u.Query()) > 0 {
			return u.Query()
		}
	}
	if _, err := strconv.Atoi(text); err == nil {
		return with("page", text)
	}
	return with("cursor", text)
}

// incomplete marks the failure of a listing, without hiding what stops the target.
func incomplete(err error) error {
	if isGone(err) {
		return err
	}
	return adapter.Incomplete(err)
}
