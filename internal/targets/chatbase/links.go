package chatbase

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// A page that the vendor fetches itself is a link source. It has no name of ours: the vendor names it by its address (documented:
// "Source object"), which cannot be changed ("Update source"), and takes each address once ("Create link", 409 SOURCE_DUPLICATE).

// purgeWait is the longest wait for a deleted source to be gone; the newest generation of the API needs seconds (documented). In the older
// ones it goes with the next training, for which nobody waits here.
const purgeWait = time.Minute

// linkFields is the body of a link source to a single page (documented: "Create link").
type linkFields struct {
	Type     string `json:"type"`
	URL      string `json:"url"`
	LinkType string `json:"linkType"`
}

// checkLink refuses what is no address of a page, or one that would tell the vendor a password.
func checkLink(r targets.Rendition) error {
	page := r.Link
	if i := strings.IndexAny(page, "?#"); i >= 0 {
		page = page[:i]
	}
	if msg := targets.CheckURL(page); msg != "" {
		return fault.New(fault.ErrRejected, "chatbase: the address of %s %s", r.Document, msg)
	}
	return nil
}

// isLink tells a link source of any kind.
func (s source) isLink() bool { return strings.EqualFold(s.Type, typeLink) }

// isPage tells a link source to a single page. The other kinds stand for a whole site, and always say which kind they are
// (documented: "metadata").
func (s source) isPage() bool {
	return s.isLink() && (s.LinkType == "" || strings.EqualFold(s.LinkType, individual))
}

const (
	typeLink   = "link"
	individual = "individual"
)

// putLink creates a link source. old is the source that was deleted to make way for it, if any; it is never taken for
// the new one. The vendor takes an address once, so what it calls a duplicate is the source that was to be made, or one that is
// about to go.
func (t *Target) putLink(ctx context.Context, r targets.Rendition, old targets.RemoteID, look lookFunc) (source, error) {
	ch := change{op: "create source", link: r.Link, look: look}
	var err error
	if ch.request.Body, err = jsonBody(linkFields{Type: typeLink, URL: r.Link, LinkType: individual}); err != nil {
		return source{}, err
	}
	if err := t.address(&ch); err != nil {
		return source{}, err
	}
	t.sent.Add(r.Link)
	start, wait := time.Now(), time.Duration(0)
	for {
		s, err := t.send(ctx, ch)
		if !isTaken(err) {
			return s, err
		}
		s, leaving, lookErr := t.holder(ctx, r.Link, old)
		switch {
		case lookErr != nil && fault.StopsTarget(lookErr):
			return s, lookErr
		case lookErr != nil:
			return s, fault.New(fault.ErrUnknown, "chatbase: create source: what has the address could not be seen").Because(errors.Join(err, lookErr))
		case s.ID != "":
			return s, nil
		case !leaving && old == "":
			return s, fault.New(fault.ErrConflict, "chatbase: the vendor says that the address of %s is a source already, and does not list it", r.Document).
				WithHint("look for it in the dashboard and delete it").Because(adapter.Plain(err))
		case t.lingers.Load() || time.Since(start) >= purgeWait:
			return s, t.blocked(err)
		}
		wait = min(max(wait*3/2, busyPoll), busyMost)
		if httpapi.Pause(ctx, wait) != nil {
			return s, err
		}
	}
}

// blocked notes that sources to the addresses of deleted ones cannot be made in this pass, so that no other one is deleted for that.
func (t *Target) blocked(why error) error {
	t.lingers.Store(true)
	var stays error = fault.New(fault.ErrConflict, "chatbase: a deleted link source is not gone yet and keeps its address").
		WithHint("the next pass goes on; retrain the agent in the Chatbase dashboard if this stays so").Because(adapter.Plain(why))
	t.stays.CompareAndSwap(nil, &stays)
	return *t.stays.Load()
}

// isTaken tells the refusals of an address that another source has.
func isTaken(err error) bool {
	e, ok := errors.AsType[*httpapi.Error](err)
	return ok && (e.Code == "SOURCE_DUPLICATE" || e.Code == "SOURCE_PENDING_DELETION")
}

// linkAt finds the source in use with exactly this address. A vendor that writes addresses in its own way says so by calling
// the next creation a duplicate.
func (t *Target) linkAt(ctx context.Context, address string, old targets.RemoteID) (source, bool, error) {
	found, err := t.find(ctx, url.Values{"type": {typeLink}, "name": {address}}, func(s source) bool {
		return s.isPage() && s.Name == address && !s.gone() && s.ID != string(old)
	})
	if err != nil || len(found) == 0 {
		return source{}, false, err
	}
	return slices.MinFunc(found, func(a, b source) int { return cmp.Compare(a.rank(), b.rank()) }), true, nil
}

// holder finds the source that the vendor means by a duplicate: the one with the address, else one with the same address in another
// spelling. leaving tells that only old, or one that waits for its deletion, has it.
func (t *Target) holder(ctx context.Context, address string, old targets.RemoteID) (s source, leaving bool, err error) {
	var found []source
	same := plainAddress(address)
	_, err = t.readAll(ctx, "look for source", url.Values{"type": {typeLink}}, false, func(s source) error {
		switch {
		case !s.isPage() || plainAddress(s.Name) != same:
		case s.gone() || s.ID == string(old):
			leaving = true
		default:
			found = append(found, s)
		}
		return nil
	})
	if err != nil || len(found) == 0 {
		return source{}, leaving, err
	}
	inexact := func(s source) int {
		if s.Name == address {
			return 0
		}
		return 1
	}
	return slices.MinFunc(found, func(a, b source) int {
		return cmp.Or(cmp.Compare(inexact(a), inexact(b)), cmp.Compare(a.rank(), b.rank()))
	}), false, nil
}

// plainAddress is one spelling for all addresses that differ in nothing a vendor may tell pages by: letter case of the host, the usual
// port, a slash at the end, escapes, the fragment.
func plainAddress(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return address
	}
	scheme, port := strings.ToLower(u.Scheme), u.Port()
	if scheme == "http" && port == "80" || scheme == "https" && port == "443" {
		port = ""
	}
	return strings.Join([]string{scheme, strings.ToLower(u.Hostname()), port, strings.TrimRight(u.Path, "/"), u.Query().Encode()}, "\n")
}

// replaceLink deletes the source and makes another one, because a link source is fetched once and its address cannot be
// changed. Should that end in between, the source is gone and only the second half is left to do. Its failure never is
// fault.ErrConflict, after which the caller would create a document beside this one.
func (t *Target) replaceLink(ctx context.Context, id targets.RemoteID, r targets.Rendition) targets.Result {
	deleted, err := t.makeWay(ctx, id, r)
	if err == nil {
		res := t.create(ctx, r, id)
		if res.Err == nil {
			return res
		}
		err = res.Err
	}
	known := ctx.Err() != nil || fault.StopsTarget(err) || errors.Is(err, fault.ErrQuota)
	if !known && (deleted || errors.Is(err, fault.ErrConflict)) {
		err = fault.New(fault.ErrUnknown, "chatbase: the page of %s was not given to the vendor anew", r.Document).
			WithHint("the next pass does it").Because(adapter.Plain(err))
	}
	return targets.Result{ID: id, Err: err}
}

// makeWay deletes the source of a page and waits until it is gone. deleted: it does not stand at the vendor any more, or may not.
// Nothing is deleted while it is known that the new one could not be made.
func (t *Target) makeWay(ctx context.Context, id targets.RemoteID, r targets.Rendition) (deleted bool, err error) {
	if err := cmp.Or(t.ready(), t.check(r), t.outage.Err()); err != nil {
		return false, err
	}
	for _, p := range []*error{t.full.Load(), t.stays.Load()} {
		if p != nil {
			return false, *p
		}
	}
	s, err := t.get(ctx, id)
	switch {
	case errors.Is(err, fault.ErrNotFound): // deleted before, or about to go
		return true, t.awaitPurge(ctx, id)
	case err != nil:
		return false, err
	case !s.isPage():
		return false, fault.New(fault.ErrNotFound, "chatbase: source %s is not the page of %s", kb.Printable(s.ID), r.Document)
	}
	if err := t.deleteOne(ctx, id); err != nil {
		return true, err
	}
	return true, t.awaitPurge(ctx, id)
}

// awaitPurge waits until the vendor does not show a deleted source any more, because until then it may keep its address. Where that
// takes long, it is the next creation that tells.
func (t *Target) awaitPurge(ctx context.Context, id targets.RemoteID) error {
	start, wait := time.Now(), time.Duration(0)
	for !t.lingers.Load() {
		var s source
		err := t.client.get(ctx, "get source", nil, &s, "sources", string(id))
		switch {
		case httpapi.Status(err) == http.StatusNotFound && errors.Is(err, fault.ErrNotFound):
			return nil
		case err != nil && !errors.Is(err, fault.ErrNotFound):
			return err
		case time.Since(start) >= purgeWait:
			t.lingers.Store(true)
			return nil
		}
		wait = min(max(wait*3/2, busyPoll), busyMost)
		if err := httpapi.Pause(ctx, wait); err != nil {
			return err
		}
	}
	return nil
}
