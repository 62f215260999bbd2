package chatbase

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"unicode/utf8"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// Upload implements targets.Target: one request a rendition.
func (t *Target) Upload(ctx context.Context, batch []targets.Rendition) ([]targets.Result, error) {
	out := make([]targets.Result, len(batch))
	if len(batch) == 0 {
		return out, nil
	}
	if err := t.ready(); err != nil {
		return adapter.Fail(out, err), err
	}
	for i, r := range batch {
		if err := t.uploadOne(ctx, r, &out[i]); err != nil {
			adapter.Fail(out[i+1:], err)
			return out, err
		}
	}
	return out, nil
}

// uploadOne creates a source; its error is what ends the work.
func (t *Target) uploadOne(ctx context.Context, r targets.Rendition, res *targets.Result) error {
	if err := t.outage.Err(); err != nil {
		res.Err = err
		return err
	}
	*res = t.create(ctx, r, "")
	if ctx.Err() != nil || fault.StopsTarget(res.Err) {
		return res.Err
	}
	t.note(res.Err)
	return nil
}

// note judges an upload. Whatever may pass counts, because every change is looked for before it is given up.
func (t *Target) note(err error) {
	_, passing := errors.AsType[*fault.RetryAfter](err)
	switch {
	case passing || errors.Is(err, fault.ErrUnknown):
		t.outage.Down(err)
	case err == nil || httpapi.Status(err) != 0:
		t.outage.Fine()
	}
}

// create makes one source. There are no idempotency keys and names need not be unique (documented), so what was sent
// before in this pass is looked for first. old is the source that was deleted to make way for a link, if any.
func (t *Target) create(ctx context.Context, r targets.Rendition, old targets.RemoteID) targets.Result {
	if err := t.check(r); err != nil {
		return targets.Result{Err: err}
	}
	look := func(ctx context.Context) (source, bool, error) { return t.adopt(ctx, r.Name) }
	if r.Link != "" {
		look = func(ctx context.Context) (source, bool, error) { return t.linkAt(ctx, r.Link, old) }
	}
	if t.sent.Has(cmp.Or(r.Link, r.Name)) {
		switch s, there, err := look(ctx); {
		case there:
			return result(s, r.Name)
		case fault.StopsTarget(err):
			return targets.Result{Err: err}
		case err != nil:
			return targets.Result{Err: fault.New(fault.ErrUnknown, "chatbase: whether an earlier upload arrived could not be seen").Because(err)}
		}
	}
	if p := t.full.Load(); p != nil {
		return targets.Result{Err: *p}
	}
	var s source
	var err error
	if r.Link != "" {
		s, err = t.putLink(ctx, r, old, look)
	} else {
		s, err = t.put(ctx, "create source", "", r, look)
	}
	switch {
	case err == nil:
		return result(s, r.Name)
	case errors.Is(err, fault.ErrQuota) && !isLinkLimit(err):
		err = t.fill(ctx, err)
	case httpapi.Status(err) == http.StatusNotFound && !fault.StopsTarget(err):
		err = fault.New(fault.ErrSetup, "chatbase: the agent %q takes no sources", kb.Printable(t.client.agent)).
			WithHint("it may have been deleted; check the agent, base_url and files_url").Because(adapter.Plain(err))
	}
	return targets.Result{Err: err}
}

// Replace implements targets.Replacer: a PUT in place. The agent keeps the old version until the new one is trained
// (documented). Names carry the digest of the content, so the name of a source tells which content it has. One that somebody made his
// own counts as gone. A link is deleted and created again.
func (t *Target) Replace(ctx context.Context, id targets.RemoteID, r targets.Rendition) targets.Result {
	if r.Link != "" {
		return t.replaceLink(ctx, id, r)
	}
	err := t.ready()
	if err == nil {
		err = t.check(r)
	}
	if err == nil {
		_, err = t.ours(ctx, id)
	}
	if err != nil {
		return targets.Result{ID: id, Err: err}
	}
	open := r.Open
	r.Open = func(ctx context.Context) (io.ReadCloser, error) {
		rc, err := open(ctx)
		if errors.Is(err, fault.ErrNotFound) { // the document, which must not look like the source
			err = fault.New(fault.ErrChanged, "%s is gone", r.Document).Because(adapter.Plain(err))
		}
		return rc, err
	}
	s, err := t.put(ctx, "update source", id, r, func(ctx context.Context) (source, bool, error) {
		s, err := t.ours(ctx, id)
		return s, err == nil && adapter.SameDocument(r.Name, s.Name) && s.state() != targets.StatusFailed, err
	})
	if err != nil {
		return targets.Result{ID: id, Err: err}
	}
	return result(s, r.Name)
}

// put sends a rendition to the host that takes it: a creation when id is "".
func (t *Target) put(ctx context.Context, op string, id targets.RemoteID, r targets.Rendition, look lookFunc) (source, error) {
	ch := change{op: op, file: isFile(r.Name), id: id, name: r.Name, look: look}
	var err error
	if ch.file {
		ch.request.Body = t.uploads.form(r.Name, &r)
	} else if ch.request.Body, err = textBody(ctx, id == "", r); err != nil {
		return source{}, err
	}
	if err := t.address(&ch); err != nil {
		return source{}, err
	}
	if id == "" {
		t.sent.Add(r.Name)
	}
	return t.send(ctx, ch)
}

// address fills in where a change goes. Neither kind is repeated blindly: a creation would make a second copy, and
// an update would meet its own training.
func (t *Target) address(ch *change) (err error) {
	ch.request.Op, ch.request.Method, ch.request.Create = ch.op, http.MethodPost, true
	below := []string{"sources"}
	if ch.id != "" {
		ch.request.Method = http.MethodPut
		below = append(below, string(ch.id))
	}
	ch.request.Path, err = t.client.agentPath(below...)
	return err
}

// textBody reads a rendition and builds the body of a text source.
func textBody(ctx context.Context, create bool, r targets.Rendition) (*httpapi.Body, error) {
	content, err := adapter.ReadAll(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("chatbase: %w", err)
	}
	if !utf8.Valid(content) {
		return nil, fault.New(fault.ErrRejected, "chatbase: %s is not UTF-8 text", r.Document).WithHint("save it as UTF-8")
	}
	fields := textFields{Name: r.Name, Content: string(content)}
	if create {
		fields.Type = "text"
	}
	return jsonBody(fields)
}

// textFields is the body of a text source (documented); an update leaves out what stays.
type textFields struct {
	Type    string `json:"type,omitempty"`
	Name    string `json:"name"`
	Content string `json:"content,omitempty"`
}

// jsonBody encodes v without the escapes that are meant for web pages, which would make text larger than it is.
func jsonBody(v any) (*httpapi.Body, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("chatbase: %w", err)
	}
	return &httpapi.Body{Size: int64(b.Len()), ContentType: "application/json", Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b.Bytes())), nil
	}}, nil
}

// adopt finds what a creation left behind. Copies beside it, which a request that was thought lost may have made, are deleted.
func (t *Target) adopt(ctx context.Context, name string) (source, bool, error) {
	found, err := t.find(ctx, url.Values{"name": {name}}, func(s source) bool { return s.Name == name && !s.gone() })
	if err != nil || len(found) == 0 {
		return source{}, false, err
	}
	slices.SortStableFunc(found, func(a, b source) int { return cmp.Compare(a.rank(), b.rank()) })
	if _, _, ours := kb.ParseName(name); ours {
		for _, s := range found[1:] {
			// Left over, it carries the mark of its document, so the next comparison with the listing finds it.
			if err := t.deleteOne(ctx, targets.RemoteID(s.ID)); err != nil {
				t.log.Warn("second copy of a document stays", "id", kb.Printable(s.ID), "err", err)
			}
		}
	}
	return found[0], true, nil
}

// result is the outcome of a change that took effect.
func result(s source, sent string) targets.Result {
	r := targets.Result{ID: targets.RemoteID(s.ID), Status: s.state()}
	if s.Name != "" && s.Name != sent && !s.isLink() {
		r.Name = s.Name
	}
	if r.Status == targets.StatusUnknown {
		r.Status = targets.StatusWorking // created means training (documented)
	}
	return r
}

// fill notes that the agent takes no more: later creations of this pass fail without a request.
func (t *Target) fill(ctx context.Context, err error) error {
	t.mu.Lock()
	a := t.agent
	t.mu.Unlock()
	if now, lookErr := t.look(ctx); lookErr == nil {
		a = now
	}
	holds := ""
	if a.Size >= 0 {
		holds = fmt.Sprintf("; it holds %.1f MB of training data", float64(a.Size)/1e6)
	}
	var full error = fault.New(fault.ErrQuota, "chatbase: the agent %q takes no more sources%s", kb.Printable(cmp.Or(a.Name, t.client.agent)), holds).
		WithHint("upgrade the plan, or send this agent less").Because(err)
	t.full.CompareAndSwap(nil, &full)
	return *t.full.Load()
}

// Rename implements targets.Renamer: the content stays, though the vendor may train it anew. The link to a page carries no name of
// ours, so nothing of it is to be changed.
func (t *Target) Rename(ctx context.Context, id targets.RemoteID, name string) (targets.Remote, error) {
	if err := t.ready(); err != nil {
		return targets.Remote{}, err
	}
	if err := t.check(targets.Rendition{Name: name, Size: fileAtLeast}); err != nil {
		return targets.Remote{}, err
	}
	switch s, err := t.ours(ctx, id); {
	case err != nil:
		return targets.Remote{}, err
	case s.isLink():
		return t.remote(s), nil
	}
	ch := change{op: "rename source", file: isFile(name), id: id, name: name, look: func(ctx context.Context) (source, bool, error) {
		s, err := t.ours(ctx, id)
		return s, err == nil && s.Name == name, err
	}}
	var err error
	if ch.file {
		ch.request.Body = t.uploads.form(name, nil)
	} else if ch.request.Body, err = jsonBody(textFields{Name: name}); err != nil {
		return targets.Remote{}, err
	}
	if err := t.address(&ch); err != nil {
		return targets.Remote{}, err
	}
	s, err := t.send(ctx, ch)
	if err != nil {
		return targets.Remote{}, err
	}
	if s.Name != "" && s.Name != name {
		return targets.Remote{}, fault.New(fault.ErrRejected, "chatbase: the source was to be named %q and is named %q", name, kb.Printable(s.Name))
	}
	r := t.remote(s)
	r.Name = name
	return r, nil
}
