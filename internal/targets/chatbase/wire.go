package chatbase

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// The documents of three generations of the API differ in places, so the decoders ignore what they do not know, take the object
// with or without {"data":…} around it, and read an unknown status as work that goes on.

// source is one source of an agent (documented: "Source object").
type source struct {
	ID       string
	Type     string
	Name     string // "" when the vendor has none; the address of a link
	Status   string
	LinkType string // of a link; "" when not told
	Crawl    string // how fetching the pages of a link went; "" when not told
}

// UnmarshalJSON implements json.Unmarshaler. What is no object decodes to nothing; the callers check for the id.
func (s *source) UnmarshalJSON(b []byte) error {
	var w struct {
		ID, Type, Name, Status text
		Metadata               json.RawMessage
	}
	*s = source{}
	if err := unmarshalObject(b, &w); err != nil {
		return err
	}
	var m struct{ Type, CrawlStatus text }
	_ = json.Unmarshal(w.Metadata, &m) // null, or of an older generation
	*s = source{
		ID: string(w.ID), Type: string(w.Type), Name: string(w.Name), Status: string(w.Status), LinkType: string(m.Type), Crawl: string(m.CrawlStatus),
	}
	return nil
}

// agent is what is read of an agent (documented: "Agent object").
type agent struct {
	ID, Name string
	Size     int64 // bytes of training data; -1 when not told
}

// UnmarshalJSON implements json.Unmarshaler.
func (a *agent) UnmarshalJSON(b []byte) error {
	var w struct {
		ID, Name text
		Size     count
	}
	*a = agent{}
	if err := unmarshalObject(b, &w); err != nil {
		return err
	}
	*a = agent{ID: string(w.ID), Name: string(w.Name), Size: w.Size.orMinusOne()}
	return nil
}

// summary is what is read of the sources' summary.
type summary struct{ ShouldRetrain bool }

// UnmarshalJSON implements json.Unmarshaler.
func (s *summary) UnmarshalJSON(b []byte) error {
	type wire summary
	*s = summary{}
	return unmarshalObject(b, (*wire)(s))
}

// text is a string that may come as a number or be null; anything else is empty.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(b []byte) error {
	*t = text(adapter.Scalar(b))
	return nil
}

// count is a number that counts something; what is none is unknown.
type count struct {
	n     int64
	known bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *count) UnmarshalJSON(b []byte) error {
	var v float64
	*c = count{}
	if string(b) != "null" && json.Unmarshal(b, &v) == nil && v >= 0 && v <= 1<<53 {
		*c = count{n: int64(v), known: true}
	}
	return nil
}

func (c count) orMinusOne() int64 {
	if !c.known {
		return -1
	}
	return c.n
}

// unmarshalObject decodes an object, with or without an envelope around it. What is no object leaves out alone.
func unmarshalObject(b []byte, out any) error {
	b = bytes.TrimSpace(b)
	if len(b) == 0 || b[0] != '{' {
		return nil
	}
	var w struct {
		ID   json.RawMessage `json:"id"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	if inner := bytes.TrimSpace(w.Data); w.ID == nil && len(inner) > 0 && inner[0] == '{' {
		b = inner
	}
	return json.Unmarshal(b, out)
}

// page is one page of a list of sources.
type page struct {
	items  []source
	cursor string // of the next page
	more   bool   // there is one
	total  int64  // of the whole list; -1 when not told
}

// mostOnPage bounds a page of which at most 100 were asked for.
const mostOnPage = 1000

// decodePage reads {"data":[…],"pagination":{"cursor","hasMore","total"}} (documented). An answer without a list is an error
// and not an empty list, and so is a full page that does not say whether there is more.
func decodePage(b []byte) (page, error) {
	p := page{total: -1}
	var w struct {
		Data       json.RawMessage
		Pagination *struct {
			Cursor  text
			HasMore *bool
			Total   count
		}
	}
	if b = bytes.TrimSpace(b); len(b) == 0 || b[0] != '{' {
		return p, adapter.ErrNoList
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return p, fmt.Errorf("the list cannot be read: %w", err)
	}
	var err error
	if p.items, err = adapter.Items(w.Data, mostOnPage, func(s source) string { return s.ID }); err != nil {
		return p, err
	}
	if w.Pagination == nil {
		if len(p.items) >= pageSize {
			return p, errors.New("the list does not say whether there is more")
		}
		return p, nil
	}
	p.cursor, p.total = string(w.Pagination.Cursor), w.Pagination.Total.orMinusOne()
	p.more = p.cursor != ""
	if w.Pagination.HasMore != nil {
		p.more = *w.Pagination.HasMore
	}
	return p, nil
}

// gone tells a source that was deleted and is still shown, however the generation spells it: toBeDeleted, toBeDeletedted, deleted.
func (s source) gone() bool {
	w := strings.ToLower(s.Status)
	return strings.HasPrefix(w, "tobedelete") || w == "deleted"
}

// state is where the source is on its way to being live. The vendor trains what is created or changed without being asked, so
// "untrained" and "updated" are work under way, and so is every word that nobody knows.
func (s source) state() targets.Status {
	switch strings.ToLower(s.Status) {
	case "":
		return targets.StatusUnknown
	case "trained":
		return targets.StatusDone
	case "failed":
		return targets.StatusFailed
	}
	if s.unfetched() {
		return targets.StatusFailed
	}
	return targets.StatusWorking
}

// unfetched tells a page that the vendor could not get. The word is documented for whole sites ("metadata": crawlStatus).
func (s source) unfetched() bool { return s.isPage() && strings.EqualFold(s.Crawl, "failed") }

// rank orders copies of one document: the one that is live already, then those on their way, then those that failed.
func (s source) rank() int {
	switch s.state() {
	case targets.StatusDone:
		return 0
	case targets.StatusFailed:
		return 2
	}
	return 1
}

// remote is the source for the engine. The vendor's sizes are those of extracted text, so they say nothing. The address of a page is no
// name: whatever stands in it, it must not be taken for a mark of ours.
func (s source) remote() targets.Remote {
	r := targets.Remote{ID: targets.RemoteID(s.ID), Name: s.Name, Size: -1, Status: s.state(), Word: kb.Printable(s.Status)}
	if s.isPage() {
		r.Name, r.Link = "", s.Name
	}
	switch {
	case r.Status != targets.StatusFailed:
	case s.unfetched():
		r.Detail = "the vendor could not fetch the page"
	case s.isPage():
		r.Detail = "the vendor could not fetch the page or train it, and gives no reason"
	default:
		r.Detail = "training failed, the vendor gives no reason"
	}
	return r
}
