package hamsa

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
)

// text is a string that may come as a number or a word such as true; what is no single value is empty.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(b []byte) error {
	*t = ""
	switch {
	case len(b) == 0 || string(b) == "null" || b[0] == '{' || b[0] == '[':
		return nil
	case b[0] == '"':
		var s string
		err := json.Unmarshal(b, &s)
		*t = text(s)
		return err
	}
	*t = text(b)
	return nil
}

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
	return p, p.decode(list)
}

// count reads a number of items; -1 for anything else.
func count(t text) int {
	n, err := strconv.ParseFloat(strings.TrimSpace(string(t)), 64)
	if err != nil || !(n >= 0 && n < 1<<31) {
		return -1
	}
	return int(n)
}

func (p *page) decode(list json.RawMessage) error {
	if len(list) == 0 || list[0] != '[' {
		return errors.New("the answer holds no list")
	}
	dec := json.NewDecoder(bytes.NewReader(list))
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("the list cannot be read: %w", err)
	}
	for dec.More() {
		if len(p.items) == mostOnPage {
			return fmt.Errorf("a page of the list has more than %d items", mostOnPage)
		}
		var it item
		if err := dec.Decode(&it); err != nil {
			return fmt.Errorf("the list cannot be read: %w", err)
		}
		if it.ID == "" {
			return errors.New("an item of the list has no id")
		}
		p.items = append(p.items, it)
	}
	return nil
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
		r.Detail = kb.Printable(oneLine(it.Reason))
	case word == "COMPLETED_WITH_ERRORS":
		r.Detail = kb.Printable(oneLine(cmp.Or(it.Reason, "processed in part")))
		if _, logged := t.warned.LoadOrStore(it.ID, true); !logged {
			t.log.Warn("the vendor processed an item with errors", "id", it.ID, "name", kb.Printable(it.Name), "detail", r.Detail)
		}
	}
	return r
}

// oneLine is a longer text on one line, bounded.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "…"
	}
	return s
}
