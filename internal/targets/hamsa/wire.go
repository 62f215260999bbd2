package hamsa

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// text is a string that may come as a number or a word such as true.
type text = adapter.Text

// words is what an error says: a string, or several in a list.
type words string

// UnmarshalJSON implements json.Unmarshaler.
func (w *words) UnmarshalJSON(b []byte) error {
	var list []text
	if json.Unmarshal(b, &list) != nil {
		var one text
		if err := json.Unmarshal(b, &one); err != nil {
			return err
		}
		list = []text{one}
	}
	var all []string
	for _, s := range list {
		if s != "" && s != "false" {
			all = append(all, string(s))
		}
	}
	*w = words(strings.Join(all, "; "))
	return nil
}

// item is one item of the knowledge base, as far as it matters here. fileSize ("2.5MB") is a rounded figure and so of no use.
type item struct {
	ID, Name, Status, Reason string
}

// UnmarshalJSON implements json.Unmarshaler. What is no object decodes to nothing; the callers check for the id.
func (it *item) UnmarshalJSON(b []byte) error {
	var w struct {
		ID            text `json:"id"`
		ItemName      text
		Name          text
		Status        text
		FailureReason text
	}
	*it = item{}
	if len(b) == 0 || b[0] != '{' {
		return nil
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*it = item{ID: string(w.ID), Name: string(cmp.Or(w.ItemName, w.Name)), Status: string(w.Status), Reason: string(w.FailureReason)}
	return nil
}

const mostNested = 3 // envelopes around what is looked for

// decodeItems finds the items of an answer that promises one or a few: an object, a list, {items}, or any of
// these inside data. It gives nothing for an answer without.
func decodeItems(b []byte) []item { return itemsIn(bytes.TrimSpace(b), 0) }

func itemsIn(b json.RawMessage, depth int) []item {
	switch {
	case len(b) == 0 || depth > mostNested:
		return nil
	case b[0] == '[':
		var list []item
		if json.Unmarshal(b, &list) != nil {
			return nil
		}
		var out []item
		for _, it := range list {
			if it.ID != "" {
				out = append(out, it)
			}
		}
		return out
	case b[0] != '{':
		return nil
	}
	var w struct{ Data, Item, Items, KnowledgeBaseItem, KnowledgeBaseItems json.RawMessage }
	if json.Unmarshal(b, &w) != nil {
		return nil
	}
	for _, inner := range []json.RawMessage{w.Data, w.Items, w.Item, w.KnowledgeBaseItem, w.KnowledgeBaseItems} {
		if found := itemsIn(inner, depth+1); found != nil {
			return found
		}
	}
	var it item
	if json.Unmarshal(b, &it) != nil || it.ID == "" {
		return nil
	}
	return []item{it}
}

// decodeProject finds the project that a key belongs to.
func decodeProject(b []byte) (id, name string) {
	type project struct {
		ID          text `json:"id"`
		ProjectID   text
		Name        text
		ProjectName text
	}
	var w struct {
		project
		Project project
		Data    struct {
			project
			Project project
		}
	}
	if json.Unmarshal(b, &w) != nil {
		return "", ""
	}
	for _, p := range []project{w.Data.project, w.Data.Project, w.project, w.Project} {
		if id := cmp.Or(p.ID, p.ProjectID); id != "" {
			return string(id), string(cmp.Or(p.Name, p.ProjectName, id))
		}
	}
	return "", ""
}

// page is one page of the list.
type page struct {
	items []item
	total int // how many the whole list has; -1 when not told
}

const mostOnPage = 10_000 // items; a page of nonsense takes no memory

// decodePage reads {data:{total, filtered, items:[…]}}; the envelope may be missing, and the items may be data itself. For a
// search only the count of what was found tells anything. An answer without a list is an error and not an empty list.
func decodePage(b []byte, search bool) (page, error) {
	p := page{total: -1}
	type counts struct{ Total, Filtered text }
	var w struct {
		counts
		Data, Items json.RawMessage
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return p, fmt.Errorf("the list cannot be read: %w", err)
	}
	list, told := w.Items, w.counts
	if data := bytes.TrimSpace(w.Data); len(data) > 0 && data[0] == '[' {
		list = data
	} else if len(data) > 0 && data[0] == '{' {
		var inner struct {
			counts
			Items json.RawMessage
		}
		if err := json.Unmarshal(data, &inner); err != nil {
			return p, fmt.Errorf("the list cannot be read: %w", err)
		}
		list, told = inner.Items, counts{cmp.Or(inner.Total, w.Total), cmp.Or(inner.Filtered, w.Filtered)}
	}
	p.total = count(told.Filtered)
	if !search {
		p.total = max(p.total, count(told.Total))
	}
	if list = bytes.TrimSpace(list); string(list) == "null" && p.total == 0 {
		return p, nil
	}
	var err error
	p.items, err = adapter.Items(list, mostOnPage, func(it item) string { return it.ID })
	return p, err
}

// count reads a number of items; -1 for anything else.
func count(t text) int {
	n, err := strconv.ParseFloat(strings.TrimSpace(string(t)), 64)
	if err != nil || !(n >= 0 && n < 1<<31) {
		return -1
	}
	return int(n)
}

// The words for a status. No word for work in progress is documented, so every other one stands for it.
var statuses = map[string]targets.Status{
	"PROCESSED":             targets.StatusDone,
	"COMPLETED_WITH_ERRORS": targets.StatusDone, // in part
	"FAILED":                targets.StatusFailed,
	"UPLOAD_FAILURE":        targets.StatusFailed,
	"READING_FAILURE":       targets.StatusFailed,
	"INGESTION_FAILURE":     targets.StatusFailed,
}

// state translates an item under its own name. The reason for a failure is there even in the example of a good item, so it
// counts only together with a word for a failure.
func (t *Target) state(it item) targets.Remote {
	r := targets.Remote{ID: targets.RemoteID(it.ID), Name: it.Name, Size: -1, Word: kb.Printable(it.Status), Status: targets.StatusWorking}
	word := strings.ToUpper(strings.TrimSpace(it.Status))
	if s, known := statuses[word]; known {
		r.Status = s
	}
	switch {
	case r.Status == targets.StatusFailed:
		r.Detail = adapter.OneLine(cmp.Or(it.Reason, "the vendor gives no reason"))
	case word == "COMPLETED_WITH_ERRORS":
		r.Detail = adapter.OneLine(cmp.Or(it.Reason, "processed in part"))
		if _, logged := t.warned.LoadOrStore(it.ID, true); !logged {
			t.log.Warn("the vendor processed an item with errors", "id", it.ID, "name", kb.Printable(it.Name), "detail", r.Detail)
		}
	}
	return r
}
