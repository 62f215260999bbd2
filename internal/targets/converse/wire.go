package converse

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strconv"
	"strings"

	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// The spellings of what an answer says; none is documented. The first that is there counts.
var (
	idNames     = []string{"id", "_id", "doc_id", "document_id", "uuid"}
	docIDNames  = []string{"doc_id", "document_id", "knowledge_id", "knowledge_document_id"} // where id may be that of something else
	nameNames   = []string{"name", "title", "filename", "file_name"}
	stateNames  = []string{"status", "state", "processing_status"}
	errorNames  = []string{"error", "error_message", "failure_reason", "detail"}
	countNames  = []string{"chunk_count", "chunks_count", "num_chunks"}
	listNames   = []string{"documents", "items", "data", "knowledge", "results"}
	heldNames   = append([]string{"document_ids", "doc_ids", "knowledge_ids"}, listNames...)
	hitNames    = append([]string{"matches", "hits", "passages", "chunks"}, listNames...)
	chunkNames  = append([]string{"chunks"}, listNames...)
	createNames = []string{"data", "document", "knowledge", "result"}
)

// object is a JSON object whose fields are read by their possible names.
type object map[string]json.RawMessage

// asObject is nil for what is no object.
func asObject(b []byte) object {
	var o object
	if b = bytes.TrimSpace(b); len(b) == 0 || b[0] != '{' || json.Unmarshal(b, &o) != nil {
		return nil
	}
	return o
}

// text is the first of the fields that is a string or a number and not empty.
func (o object) text(names []string) string {
	for _, name := range names {
		if s := adapter.Scalar(o[name]); s != "" {
			return s
		}
	}
	return ""
}

// number is the first of the fields that is a number; a string that is one counts.
func (o object) number(names ...string) (v float64, ok bool) {
	for _, name := range names {
		if v, err := strconv.ParseFloat(adapter.Scalar(o[name]), 64); err == nil {
			return v, true
		}
	}
	return 0, false
}

// words is what the first of the fields that says something says, as a text, a list or an object, on one line.
func (o object) words(names []string) string {
	for _, name := range names {
		if s := flat(o[name], 0); s != "" {
			return adapter.OneLine(s)
		}
	}
	return ""
}

// flat makes text of a text, a list of errors or an error object.
func flat(b json.RawMessage, depth int) string {
	if s := adapter.Scalar(b); s != "" || len(b) == 0 || depth > 3 {
		return s
	}
	switch b[0] {
	case '[':
		var all []json.RawMessage
		_ = json.Unmarshal(b, &all)
		var parts []string
		for _, one := range all[:min(len(all), 5)] {
			if s := flat(one, depth+1); s != "" {
				parts = append(parts, s)
			}
		}
		return strings.Join(parts, "; ")
	case '{':
		o := asObject(b)
		for _, name := range []string{"message", "msg", "detail", "reason", "error", "code"} {
			if s := flat(o[name], depth+1); s != "" {
				return s
			}
		}
	}
	return ""
}

// document is one document as an answer tells it.
type document struct {
	id, name string
	state    string // "" when not told
	detail   string
	chunks   int // -1 when not told
}

func documentOf(o object) document {
	d := document{id: o.text(idNames), name: o.text(nameNames), state: o.text(stateNames), detail: o.words(errorNames), chunks: -1}
	if n, ok := o.number(countNames...); ok && n >= 0 && n < 1<<31 {
		d.chunks = int(n)
	} else if list := bytes.TrimSpace(o["chunks"]); len(list) > 0 && list[0] == '[' {
		var rows []struct{}
		if json.Unmarshal(list, &rows) == nil {
			d.chunks = len(rows)
		}
	}
	return d
}

// decodeCreated finds the document in the answer to a creation; its id is empty when the answer does not tell.
func decodeCreated(b []byte) document {
	o := asObject(b)
	if o == nil {
		var list []json.RawMessage
		if json.Unmarshal(b, &list) != nil || len(list) != 1 {
			return document{}
		}
		o = asObject(list[0])
	}
	for depth := 0; o != nil && depth < 3; depth++ {
		if d := documentOf(o); d.id != "" {
			return d
		}
		var inner object
		for _, name := range createNames {
			if inner = asObject(o[name]); inner != nil {
				break
			}
		}
		o = inner
	}
	return document{}
}

// heldID is the id of a document in a list of what an agent holds: an id by itself, a document, or an assignment that names one.
func heldID(row json.RawMessage) string {
	if s := adapter.Scalar(row); s != "" {
		return s
	}
	o := asObject(row)
	if s := o.text(docIDNames); s != "" {
		return s
	}
	for _, name := range []string{"document", "doc", "knowledge"} {
		if s := asObject(o[name]).text(idNames); s != "" {
			return s
		}
	}
	return o.text(idNames)
}

// states are the words for a status in lower case that do not mean that work goes on.
var states = map[string]targets.Status{
	"ready": targets.StatusDone, "indexed": targets.StatusDone, "completed": targets.StatusDone, "complete": targets.StatusDone,
	"processed": targets.StatusDone, "active": targets.StatusDone, "success": targets.StatusDone, "done": targets.StatusDone,
	"failed": targets.StatusFailed, "error": targets.StatusFailed, "errored": targets.StatusFailed,
	"pending": targets.StatusWorking, "queued": targets.StatusWorking, "processing": targets.StatusWorking, "indexing": targets.StatusWorking,
}

// remote translates a document. A word that nobody knows means that work goes on, and is logged once. A document without chunks
// is not searchable whatever its status says: failed, so that it is indexed anew.
func (t *Target) remote(d document) targets.Remote {
	r := targets.Remote{ID: targets.RemoteID(d.id), Name: d.name, Size: -1, Word: adapter.OneLine(d.state)}
	if d.chunks >= 0 {
		r.Progress = strconv.Itoa(d.chunks) + " chunks"
	}
	word := strings.ToLower(strings.TrimSpace(d.state))
	switch s, known := states[word]; {
	case word == "" && d.chunks > 0:
		r.Status = targets.StatusDone
	case word == "" && d.chunks == 0:
		r.Status = targets.StatusWorking
	case word == "":
	case known:
		r.Status = s
	default:
		r.Status = targets.StatusWorking
		if _, logged := t.unknown.LoadOrStore(word, true); !logged {
			t.log.Warn("unknown status counts as still working", "status", r.Word)
		}
	}
	switch {
	case r.Status == targets.StatusDone && d.chunks == 0:
		r.Status, r.Detail = targets.StatusFailed, "no chunks"
	case r.Status == targets.StatusFailed:
		r.Detail = cmp.Or(d.detail, "the vendor gives no reason")
	}
	return r
}

// findList finds the list in an answer, bare or in an envelope, and gives the objects around it, the outermost first. An answer
// without any list is an error and not an empty list.
func findList(b []byte, names []string, depth int) (list json.RawMessage, around []object, err error) {
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] == '[' {
		return b, nil, nil
	}
	o := asObject(b)
	if o == nil || depth > 2 {
		return nil, nil, adapter.ErrNoList
	}
	for _, name := range names {
		list, inner, err := findList(o[name], names, depth+1)
		if err == nil {
			return list, append([]object{o}, inner...), nil
		}
	}
	return nil, nil, adapter.ErrNoList
}
