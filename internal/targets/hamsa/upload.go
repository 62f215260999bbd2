package hamsa

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"unicode/utf8"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

const (
	maxTries    = 5                         // of a change whose answer is lost each time
	maxWait     = httpapi.DefaultMaxElapsed // for the vendor, between two of them
	mostOutages = 4                         // uploads in a row that find the vendor out of reach
)

// Upload implements targets.Target. The vendor knows no batches worth the name: what it answers to several items is not clear.
func (t *Target) Upload(ctx context.Context, batch []targets.Rendition) ([]targets.Result, error) {
	out := make([]targets.Result, len(batch))
	if err := t.outage.Err(); err != nil {
		return adapter.Fail(out, err), err
	}
	err := adapter.Each(ctx, t.cfg.Concurrency, out, func(i int) (err error) {
		out[i], err = t.uploadOne(ctx, batch[i])
		if ctx.Err() == nil {
			t.outage.Note(targets.Result{Err: err})
		}
		return err
	})
	return out, err
}

// uploadOne sends a rendition until it is there. Whenever an answer leaves that open, the store is looked at before it is sent again.
func (t *Target) uploadOne(ctx context.Context, r targets.Rendition) (targets.Result, error) {
	one, err := t.itemOf(ctx, r)
	if err != nil {
		return targets.Result{}, err
	}
	it, err := t.sentBefore(ctx, r.Name)
	for n := 1; it.ID == "" && err == nil; n++ {
		if it, err = t.create(ctx, one); err == nil {
			break
		}
		if !inDoubt(err) {
			return targets.Result{}, err
		}
		var lookErr error
		if it, lookErr = t.lookFor(ctx, r.Name); lookErr != nil {
			return targets.Result{}, fault.New(fault.ErrUnknown, "hamsa: whether the item arrived could not be seen").Because(errors.Join(err, lookErr))
		}
		if it.ID == "" {
			err = waitToRepeat(ctx, err, n)
		} else {
			err = nil
		}
	}
	if err != nil {
		return targets.Result{}, err
	}
	t.sent.keep(r.Name, it.ID)
	res := targets.Result{ID: targets.RemoteID(it.ID), Status: t.state(it).Status}
	if it.Name != "" && it.Name != r.Name {
		res.Name = it.Name
	}
	return res, nil
}

// waitToRepeat waits before what is not in the store is sent again, or says why it is not.
func waitToRepeat(ctx context.Context, err error, n int) error {
	wait := max(httpapi.Backoff(n), waitOf(err))
	if n >= maxTries || wait > maxWait || errors.Is(err, fault.ErrConflict) {
		return notLanded(err)
	}
	return httpapi.Pause(ctx, wait)
}

// newItem is what a creation sends (documented: "Create items"). A text has content, an address has itemUrl and no
// content.
type newItem struct {
	ItemName string  `json:"itemName"`
	Type     string  `json:"type"`
	Content  *string `json:"content,omitempty"`
	ItemURL  string  `json:"itemUrl,omitempty"`
}

// itemOf is the item to create for a rendition; it refuses what cannot be sent.
func (t *Target) itemOf(ctx context.Context, r targets.Rendition) (newItem, error) {
	if err := checkName(r.Name); err != nil {
		return newItem{}, err
	}
	if r.Link != "" {
		return newItem{ItemName: r.Name, Type: "URL", ItemURL: r.Link}, checkLink(r)
	}
	content, err := t.read(ctx, r)
	return newItem{ItemName: r.Name, Type: "TEXT", Content: &content}, err
}

// checkLink refuses what is no address of a page, or one that would tell the vendor a password.
func checkLink(r targets.Rendition) error {
	page := r.Link
	if i := strings.IndexAny(page, "?#"); i >= 0 {
		page = page[:i]
	}
	if msg := targets.CheckURL(page); msg != "" {
		return fault.New(fault.ErrRejected, "hamsa: the address of %s %s", r.Document, msg)
	}
	return nil
}

// read gives the text of a rendition.
func (t *Target) read(ctx context.Context, r targets.Rendition) (string, error) {
	most := t.mostBytes()
	switch {
	case r.Size > most:
		return "", fault.New(fault.ErrTooLarge, "hamsa: %d bytes are more than the limit of %d", r.Size, most).WithHint("see max_chars")
	case r.Size < 0:
		return "", fault.New(fault.ErrRejected, "hamsa: the size of %s is not known", kb.Printable(r.Name))
	}
	rc, err := r.Open(ctx)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(rc, r.Size+1))
	if err := errors.Join(err, rc.Close()); err != nil {
		return "", err
	}
	switch {
	case int64(len(b)) != r.Size:
		return "", fault.New(fault.ErrChanged, "hamsa: the document has another size than it had")
	case !utf8.Valid(b):
		return "", fault.New(fault.ErrRejected, "hamsa: the document is not text in UTF-8")
	}
	return string(b), nil
}

// create makes one request. Its answer is documented by an example that shows one object, so other shapes are
// taken as well; one that names no item of ours leaves open what happened.
func (t *Target) create(ctx context.Context, one newItem) (item, error) {
	name := one.ItemName
	body, err := t.do(ctx, httpapi.Request{
		Op: "create item", Method: http.MethodPost, Path: itemsPath, Create: true, MaxAnswer: mostAnswer,
		JSON: map[string][]newItem{"items": {one}},
	})
	if err != nil {
		return item{}, noBase(err)
	}
	found := decodeItems(body)
	for _, it := range found {
		if it.Name == name || adapter.SameDocument(name, it.Name) {
			return it, checkID(it)
		}
	}
	switch {
	case len(found) == 1 && found[0].Name == "":
		return found[0], checkID(found[0])
	case len(found) == 1:
		return item{}, fault.New(fault.ErrRejected, "hamsa: the vendor changes names (sent %q, stored %q)", name, kb.Printable(found[0].Name)).
			WithHint("give the document another name; item %s may be left over, so look at it in the dashboard", kb.Printable(found[0].ID))
	}
	said := ""
	if no := wordsOf(body); no != "" {
		said = ": " + adapter.OneLine(no)
	}
	return item{}, fault.New(fault.ErrUnknown, "hamsa: create item: the answer names no item%s", said)
}

// checkID refuses an id with which nothing could be asked for.
func checkID(it item) error {
	if _, err := itemPath(targets.RemoteID(it.ID)); err != nil {
		return fault.New(fault.ErrUnknown, "hamsa: create item: the answer holds no usable id")
	}
	return nil
}

// inDoubt tells failures of a creation after which the item may be there: a lost answer, one that contradicts itself, or a
// name that is taken.
func inDoubt(err error) bool {
	s := httpapi.Status(err)
	return !fault.StopsTarget(err) && (errors.Is(err, fault.ErrUnknown) || errors.Is(err, fault.ErrConflict) || s >= 200 && s < 300)
}

// sentBefore gives the item that this process has sent under a name, should it be asked to send it again. An item without an
// id says that there is none.
func (t *Target) sentBefore(ctx context.Context, name string) (item, error) {
	switch id, known := t.sent.recall(name); {
	case !known:
		return item{}, nil
	case id == "":
		it, err := t.lookFor(ctx, name)
		if err != nil {
			err = fault.New(fault.ErrUnknown, "hamsa: whether the item arrived could not be seen").Because(err)
		}
		return it, err
	default:
		it, err := t.item(ctx, targets.RemoteID(id))
		if errors.Is(err, fault.ErrNotFound) || err == nil && it.Name != name {
			return item{}, nil
		}
		return it, err
	}
}

// lookFor finds an item of ours by its exact name. The parameter of the search is inferred, so what it does not find is looked for
// in the whole list. A failure of this look is remembered.
func (t *Target) lookFor(ctx context.Context, name string) (item, error) {
	var found item
	match := func(it item) error {
		if it.Name == name && (found.ID == "" || statuses[found.Status] == targets.StatusFailed) {
			found = it
		}
		return nil
	}
	if !t.noSearch.Load() {
		err := t.listAll(ctx, "search items", name, match)
		switch {
		case adapter.Ends(ctx, err):
			t.sent.keep(name, "")
			return item{}, err
		case errors.Is(err, fault.ErrRejected):
			t.noSearch.Store(true)
		}
	}
	if found.ID == "" {
		err := t.listAll(ctx, "list items", "", match)
		if err != nil {
			t.sent.keep(name, "")
			return item{}, err
		}
		if found.ID != "" {
			t.noSearch.Store(true)
		}
	}
	t.sent.keep(name, found.ID)
	return found, nil
}

// notLanded is the error of an item that was looked for and is not there: unlike the error of its request, its outcome is known.
func notLanded(err error) error {
	e, ok := errors.AsType[*httpapi.Error](err)
	if errors.Is(err, fault.ErrConflict) || ok && e.Class != nil && !errors.Is(e.Class, fault.ErrUnknown) {
		return err
	}
	return adapter.NotLanded("hamsa: not uploaded: ", err)
}

// mostSent is how many names are remembered. What is older is forgotten: the engine does not send a document twice in a
// pass, and a later pass that is not sure lists the store first.
const mostSent = 4096

// sentNames remembers which names were sent, so that nothing is sent twice.
type sentNames struct {
	mu  sync.Mutex
	ids map[string]string // guarded by mu; "" for a name whose outcome is not known
}

func (s *sentNames) recall(name string) (id string, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, known = s.ids[name]
	return id, known
}

func (s *sentNames) keep(name, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ids) >= mostSent {
		for n, known := range s.ids {
			if known != "" {
				delete(s.ids, n)
			}
		}
	}
	s.ids[name] = id
}
