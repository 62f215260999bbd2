package hamsa

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// nameChars is the longest item name (documented for renaming). The limits count bytes, of which a name has no fewer.
const nameChars = 250

// Target is the knowledge base of one project. See targets.Target for the contract of each method.
type Target struct {
	cfg         Config
	http        *httpapi.Client
	log         *slog.Logger
	deleteRoute targets.Route
	memory      targets.Memory // may be nil

	outage  *adapter.Outage
	sent    sentNames
	dropped droppedItems

	take     atomic.Int32 // items asked for in one page
	pages    atomic.Int32 // of the last complete listing
	noSearch atomic.Bool  // the search by name is refused or did not find what the listing has
	noDelete atomic.Bool  // the vendor has shown that it deletes nothing
	listed   sync.Map     // whether an agent listed items when it last said so, for as long as the process lives
	warned   sync.Map     // ids of items processed with errors, each logged once
}

var (
	_ targets.Target   = (*Target)(nil)
	_ targets.Settler  = (*Target)(nil)
	_ targets.Renamer  = (*Target)(nil)
	_ targets.Assigner = (*Target)(nil)
	_ targets.Metered  = (*Target)(nil)
	_ targets.Placed   = (*Target)(nil)
)

// Limits implements targets.Target. The vendor documents no size; max_chars counts characters, of which a text has no
// more than bytes.
func (t *Target) Limits() targets.Limits {
	most := t.mostBytes()
	return targets.Limits{
		BatchFiles: 1, BatchBytes: most, MaxBytes: most, NameBytes: nameChars, Concurrency: max(t.cfg.Concurrency, 1),
		RequestsPerBatch: 1, Rate: t.cfg.Rate, SettleTimeout: t.cfg.SettleTimeout,
		Links:   true,
		Accepts: kb.Accepts{Text: ".txt", Markdown: ".md", TextBytes: most},
	}
}

func (t *Target) mostBytes() int64 {
	most := int64(t.cfg.MaxChars)
	if t.cfg.MaxFileSize > 0 {
		most = min(most, t.cfg.MaxFileSize)
	}
	return most
}

// projectID is the store's id where the vendor does not tell the project.
const projectID = "project"

// Connect implements targets.Target. The project is what the key belongs to, so there is nothing to create. The request for it is
// known from other clients only; without it a page of the list shows that the key is good.
func (t *Target) Connect(ctx context.Context, _ bool) (targets.Store, error) {
	t.http.Reset()
	t.outage.Reset()
	t.recallRefusal()
	body, err := t.do(ctx, httpapi.Request{Op: "get project", Method: http.MethodGet, Path: "/v1/projects/by-api-key"})
	switch s := httpapi.Status(err); {
	case err == nil:
		if id, name := decodeProject(body); id != "" {
			return targets.Store{ID: id, Name: kb.Printable(name)}, nil
		}
	case s != http.StatusNotFound && s != http.StatusMethodNotAllowed:
		return targets.Store{}, err
	}
	if _, err := t.fetchPage(ctx, "list items", "", 1, 1); err != nil {
		return targets.Store{}, noBase(err)
	}
	return targets.Store{ID: projectID, Name: projectID}, nil
}

// noBase explains why a documented address is not there.
func noBase(err error) error {
	switch httpapi.Status(err) {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		return fault.New(fault.ErrSetup, "hamsa: the knowledge base cannot be reached").WithHint("check base_url").Because(err)
	}
	return err
}

// List implements targets.Target.
func (t *Target) List(ctx context.Context, fn func(targets.Remote) error) error {
	return t.listAll(ctx, "list items", "", func(it item) error { return fn(t.remote(it)) })
}

// remote translates an item as List gives it. One that is out of use goes by its former name and counts as retired. While the
// vendor may delete it, it is given as some older version of its document instead: the former name itself could be
// the one that the document has again, and the item is not fit to be that.
func (t *Target) remote(it item) targets.Remote {
	r := t.state(it)
	name, older, retired := formerName(it.Name)
	switch {
	case !retired:
	case t.deletes():
		r.Name = older
	default:
		r.Name, r.Retired = name, true
	}
	return r
}

// item asks for one item. fault.ErrNotFound: there is none.
func (t *Target) item(ctx context.Context, id targets.RemoteID) (item, error) {
	path, err := itemPath(id)
	if err != nil {
		return item{}, err
	}
	body, err := t.do(ctx, httpapi.Request{Op: "get item", Method: http.MethodGet, Path: path, MaxAnswer: mostAnswer})
	if err != nil {
		return item{}, missing(err, id)
	}
	for _, it := range decodeItems(body) {
		if it.ID == string(id) {
			return it, nil
		}
	}
	return item{}, fault.New(fault.ErrIncomplete, "hamsa: get item: the answer does not hold item %s", kb.Printable(string(id)))
}

// Rename implements targets.Renamer. What was retired counts as gone, and so does what somebody made his own.
func (t *Target) Rename(ctx context.Context, id targets.RemoteID, name string) (targets.Remote, error) {
	if err := checkName(name); err != nil {
		return targets.Remote{}, err
	}
	it, err := t.item(ctx, id)
	if err != nil {
		return targets.Remote{}, err
	}
	if _, _, ours := kb.ParseName(it.Name); !ours {
		return targets.Remote{}, fault.New(fault.ErrNotFound, "hamsa: item %s is out of use, or somebody's own", kb.Printable(string(id)))
	}
	if it, err = t.rename(ctx, id, name); err != nil {
		return targets.Remote{}, err
	}
	return t.state(it), nil
}

// rename is documented to change the name and nothing else. An answer without the item is looked into.
func (t *Target) rename(ctx context.Context, id targets.RemoteID, name string) (item, error) {
	path, err := itemPath(id)
	if err != nil {
		return item{}, err
	}
	body, err := t.do(ctx, httpapi.Request{
		Op: "rename item", Method: http.MethodPatch, Path: path, JSON: map[string]string{"itemName": name}, MaxAnswer: mostAnswer,
	})
	if err != nil {
		return item{}, missing(err, id)
	}
	var it item
	if all := decodeItems(body); len(all) == 1 && all[0].ID == string(id) && all[0].Name != "" {
		it = all[0]
	} else if it, err = t.item(ctx, id); err != nil {
		return item{}, err
	}
	if it.Name != name {
		return item{}, fault.New(fault.ErrRejected, "hamsa: the item was to be named %q and is named %q", name, kb.Printable(it.Name))
	}
	return it, nil
}

// checkName refuses what cannot be the name of an item.
func checkName(name string) error {
	if name == "" || len(name) > nameChars {
		return fault.New(fault.ErrRejected, "hamsa: %q cannot be the name of an item, which has 1 to %d characters", kb.Printable(name), nameChars)
	}
	return nil
}

// passing tells failures that may be gone later.
func passing(err error) bool {
	_, ok := errors.AsType[*fault.RetryAfter](err)
	return ok
}

// Traffic implements targets.Metered.
func (t *Target) Traffic() (requests, bytesSent int64) { return t.http.Traffic() }

// Place implements targets.Placed.
func (t *Target) Place() string {
	return targets.PlaceOf(t.cfg.APIKey, strings.TrimRight(t.cfg.BaseURL, "/"))
}

// Close implements targets.Target.
func (t *Target) Close() error { return t.http.Close() }
