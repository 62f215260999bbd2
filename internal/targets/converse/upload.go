package converse

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

const (
	maxTries    = 5 // of sending one document in one Upload
	mostOutages = 3 // uploads in a row that find the vendor out of reach
	markdown    = ".md"
)

// Upload implements targets.Target.
func (t *Target) Upload(ctx context.Context, batch []targets.Rendition) ([]targets.Result, error) {
	out := make([]targets.Result, len(batch))
	for i, r := range batch {
		err := t.outage.Err()
		if err == nil {
			out[i] = t.uploadOne(ctx, r)
			t.outage.Note(out[i])
			err = out[i].Err
		}
		if adapter.Ends(ctx, err) {
			adapter.Fail(out[i:], err)
			return out, err
		}
	}
	return out, nil
}

// uploadOne sends a document until it is there or refused. What may have been sent before, in this call or an earlier one, is
// looked for first, because the vendor takes a name any number of times.
func (t *Target) uploadOne(ctx context.Context, r targets.Rendition) targets.Result {
	if err := t.check(r); err != nil {
		return targets.Result{Err: err}
	}
	if err := ctx.Err(); err != nil {
		return targets.Result{Err: fmt.Errorf("converse: not sent: %w", err)}
	}
	if t.tried.Add(r.Name) {
		if d, err := t.look(ctx, r.Name); err != nil {
			return targets.Result{Err: err}
		} else if d.id != "" {
			return t.adopt(r, d)
		}
	}
	for n := 1; ; n++ {
		d, err := t.send(ctx, r)
		switch conflict := httpapi.Status(err) == http.StatusConflict && errors.Is(err, fault.ErrConflict); {
		case err == nil && d.id != "":
			return t.created(ctx, r, d)
		case err == nil && t.cfg.Mode == modeTest:
			return invented(r)
		case err == nil:
			err = fault.New(fault.ErrUnknown, "converse: the answer to the upload names no document")
		case conflict:
			return t.taken(ctx, r, err)
		case !errors.Is(err, fault.ErrUnknown):
			return targets.Result{Err: err}
		}
		d, lookErr := t.lookLater(ctx, r.Name, httpapi.Backoff(n), err)
		switch {
		case lookErr != nil:
			return targets.Result{Err: lookErr}
		case d.id != "":
			return t.adopt(r, d)
		case n == maxTries:
			return targets.Result{Err: adapter.NotLanded("converse: not uploaded: ", err)}
		}
	}
}

// check refuses what cannot be sent.
func (t *Target) check(r targets.Rendition) error {
	if r.Link != "" {
		if err := checkLink(r); err != nil {
			return err
		}
	}
	limit := t.cfg.MaxFileSize
	if path.Ext(r.Name) == markdown {
		limit = min(limit, textBytes)
	}
	switch {
	case r.Name == "" || len(r.Name) > nameBytes || strings.ContainsAny(r.Name, "/\\\r\n\x00") || r.Name == "." || r.Name == "..":
		return fault.New(fault.ErrRejected, "converse: %q cannot be the name of a document", r.Name)
	case r.Size > limit:
		return fault.New(fault.ErrTooLarge, "converse: %d bytes are more than the limit of %d", r.Size, limit)
	case r.Size < 0:
		return fault.New(fault.ErrRejected, "converse: the size of %s is not known", r.Name)
	}
	return nil
}

// linkExt ends the names of documents that were sent as an address.
const linkExt = ".url"

// isLink tells the name of a document that was sent as an address.
func isLink(name string) bool { return strings.EqualFold(path.Ext(name), linkExt) }

// checkLink refuses what is no address of a page, or one that would tell the vendor a password. Only by its name
// can a link be told from a text later.
func checkLink(r targets.Rendition) error {
	page := r.Link
	if i := strings.IndexAny(page, "?#"); i >= 0 {
		page = page[:i]
	}
	msg := targets.CheckURL(page)
	if msg == "" && !isLink(r.Name) {
		msg = "needs a name that ends in " + linkExt
	}
	if msg == "" {
		return nil
	}
	return fault.New(fault.ErrRejected, "converse: the address of %s %s", r.Document, msg)
}

// routeOf is where a rendition goes: an address for the vendor to fetch, Markdown as text, and files as they are.
func routeOf(r targets.Rendition) string {
	switch {
	case r.Link != "":
		return "ingest_url"
	case path.Ext(r.Name) == markdown:
		return "ingest"
	}
	return "upload"
}

// send makes the one request that creates a document.
func (t *Target) send(ctx context.Context, r targets.Rendition) (document, error) {
	route := routeOf(r)
	req, err := t.request("upload document", route, nil)
	if err != nil {
		return document{}, err
	}
	req.Create = true
	switch route {
	case "upload":
		// The reference does not name the parts; these are the usual ones.
		req.Body = adapter.Form(adapter.Part{Name: "name", Text: r.Name}, adapter.Part{Name: "file", File: &r})
	case "ingest_url":
		// The vendor takes a snapshot of the page, which goes by the name that is given with it (documented: "Ingest URL").
		req.JSON = map[string]string{"url": r.Link, "name": r.Name}
	default:
		text, err := adapter.ReadAll(ctx, r)
		if err != nil {
			return document{}, fmt.Errorf("converse: %w", err)
		}
		if !utf8.Valid(text) {
			return document{}, fault.New(fault.ErrRejected, "converse: %s is not UTF-8 text", r.Document)
		}
		req.JSON = map[string]string{"name": r.Name, "content": string(text)}
	}
	body, err := t.do(ctx, route, req)
	if isGone(err) {
		return document{}, fault.New(fault.ErrSetup, "converse: documents cannot be created").WithHint("check base_url").Because(adapter.Plain(err))
	}
	return decodeCreated(body), err
}

// created judges the answer to a creation. What is stored under a name without our mark no later look could tell for ours, so it
// would be sent again and again.
func (t *Target) created(ctx context.Context, r targets.Rendition, d document) targets.Result {
	switch {
	case d.name == "" || adapter.SameDocument(r.Name, d.name):
		return t.adopt(r, d)
	case t.cfg.Mode == modeTest:
		return invented(r)
	}
	listed, err := t.look(ctx, r.Name)
	switch {
	case err != nil:
		return targets.Result{Err: fault.New(fault.ErrUnknown, "converse: whether the upload arrived could not be seen").Because(err)}
	case listed.id != "":
		return t.adopt(r, listed)
	}
	return targets.Result{Err: fault.New(fault.ErrRejected, "converse: the vendor changes names (sent %q, stored %q)", r.Name, kb.Printable(d.name)).
		WithHint("give the document another name; document %s may be left over, so look at it in the dashboard", kb.Printable(d.id))}
}

// invented is the outcome in test mode when the vendor took the document and answered with data of its own, which are the same for
// every document. Nothing is kept there, so there is nothing to wait for.
func invented(r targets.Rendition) targets.Result {
	return targets.Result{ID: targets.RemoteID("test-" + r.Name), Status: targets.StatusDone}
}

func (t *Target) adopt(r targets.Rendition, d document) targets.Result {
	remote := t.remote(d)
	res := targets.Result{ID: remote.ID, Status: remote.Status}
	if d.name != "" && d.name != r.Name {
		res.Name = d.name
	}
	return res
}

// taken deals with a name that is taken. The name carries the digest of the content, so what has it is the same rendition.
func (t *Target) taken(ctx context.Context, r targets.Rendition, conflict error) targets.Result {
	d, err := t.look(ctx, r.Name)
	switch {
	case err != nil:
		return targets.Result{Err: err}
	case d.id != "":
		return t.adopt(r, d)
	}
	return targets.Result{Err: fault.New(fault.ErrConflict, "converse: the vendor says that %q is there already, and does not list it", r.Name).
		WithHint("look for it in the dashboard and delete it").Because(adapter.Plain(conflict))}
}

// lookLater looks for a document whose creation was left in doubt, after a while in which it may still arrive.
func (t *Target) lookLater(ctx context.Context, name string, wait time.Duration, doubt error) (document, error) {
	err := httpapi.Pause(ctx, wait)
	var d document
	if err == nil {
		d, err = t.look(ctx, name)
	}
	if err == nil || fault.StopsTarget(err) {
		return d, err
	}
	return d, fault.New(fault.ErrUnknown, "converse: whether the upload arrived could not be seen").Because(fmt.Errorf("%w; %w", doubt, err))
}

// look finds a document by its name, or by the mark in it; its id is empty when there is none. A searchable one is preferred.
func (t *Target) look(ctx context.Context, name string) (found document, err error) {
	rank := 0
	err = t.documents(ctx, func(d document) error {
		now := 0
		switch {
		case d.name == name:
			now = 3
		case adapter.SameDocument(name, d.name):
			now = 1
		default:
			return nil
		}
		if t.remote(d).Status == targets.StatusDone {
			now++
		}
		if now > rank {
			found, rank = d, now
		}
		return nil
	})
	return found, err
}
