package starleads

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

// The vendor's answers are documented in part only, and what is behind the API shows through in
// places, so the decoders here take several spellings of the same thing and ignore what they do not know.

// text is a string that may come as a number.
type text = adapter.Text

// number is a number that may come as a string, be null or be missing.
type number struct {
	value float64
	known bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseFloat(strings.Trim(string(b), `" `), 64)
	*n = number{value: v, known: err == nil}
	return nil
}

// whole is the number when it is one that counts something, else -1.
func (n number) whole() int64 {
	if !n.known || n.value < 0 || n.value > 1<<53 {
		return -1
	}
	return int64(n.value)
}

// document is one document (api-reference/document/upload-documents-to-a-dataset).
type document struct {
	ID       string
	Name     string
	Size     int64 // -1 when not told
	Status   string
	Detail   string
	Progress number
	chunks   number
}

// UnmarshalJSON implements json.Unmarshaler. What is no object decodes to nothing; the callers check for the id.
func (d *document) UnmarshalJSON(b []byte) error {
	var w struct {
		ID, DocumentID             text
		Name, FileName             text
		Size, FileSize             number
		Status, Run, ParsingStatus text
		Progress                   number
		ProgressMsg, Error         text
		ErrorMessage               text
		ProgressMsgSnake           text   `json:"progress_msg"`
		ChunkCount                 number `json:"chunkCount"`
		ChunkCountSnake            number `json:"chunk_count"`
	}
	*d = document{Size: -1}
	if len(b) == 0 || b[0] != '{' {
		return nil
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	d.ID = string(cmp.Or(w.ID, w.DocumentID))
	d.Name = string(cmp.Or(w.Name, w.FileName))
	d.Size = max(w.Size.whole(), w.FileSize.whole())
	// Behind the API `run` is the state of parsing and `status` only says whether the document is enabled.
	d.Status = string(cmp.Or(w.Run, w.ParsingStatus, w.Status))
	d.Progress = w.Progress
	d.chunks = w.ChunkCount
	if !d.chunks.known {
		d.chunks = w.ChunkCountSnake
	}
	d.Detail = string(cmp.Or(w.ErrorMessage, w.Error, w.ProgressMsg, w.ProgressMsgSnake))
	return nil
}

func (d document) key() string { return d.ID }

// dataset is one dataset (api-reference/dataset).
type dataset struct {
	ID           text                       `json:"id"`
	Name         text                       `json:"name"`
	ChunkMethod  text                       `json:"chunkMethod"`
	ParserConfig map[string]json.RawMessage `json:"parserConfig"`
}

func (d dataset) key() string { return string(d.ID) }

// chat is one knowledge base chat (api-reference/knowledgebasechat).
type chat struct {
	ID         text            `json:"id"`
	ChatID     text            `json:"chatId"`
	Name       text            `json:"name"`
	ChatName   text            `json:"chatName"`
	DatasetIDs json.RawMessage `json:"datasetIds"`
}

func (c chat) key() string { return string(c.ID) }

func (c chat) id() string { return string(cmp.Or(c.ID, c.ChatID)) }

func (c chat) name() string { return string(cmp.Or(c.Name, c.ChatName)) }

// datasets are the ids of the chat's datasets. told is false when the answer does not have them.
func (c chat) datasets() (ids []string, told bool) {
	if len(c.DatasetIDs) == 0 {
		return nil, false
	}
	var list []text
	if json.Unmarshal(c.DatasetIDs, &list) != nil {
		return nil, false
	}
	for _, id := range list {
		ids = append(ids, string(id))
	}
	return ids, true
}

// page is one page of a list.
type page[T listed] struct {
	items []T
	pages int  // how many there are; 0 when not told
	total int  // how many items there are; -1 when not told
	size  int  // of a full page
	sized bool // size is what the vendor says, not what was asked for
}

// count is how many pages there are, as far as this one tells; else 0.
func (p page[T]) count() int {
	switch {
	case p.pages > 0:
		return p.pages
	case p.sized && p.total > 0:
		return min((p.total-1)/p.size+1, maxPages)
	}
	return 0
}

// last tells whether there is nothing after this page, the number-th, when the pages so far hold seen items. A full page is never
// the last one, whatever the counts around it say, because they are known to be wrong at times; a short one is not when
// they say that there is more, because a vendor may give less than it is asked for.
func (p page[T]) last(number, seen int) bool {
	return len(p.items) < p.size && number >= p.pages && seen >= p.total
}

// The most items of one page: a list with an envelope has pages, a bare array may be the whole list.
const (
	mostOnPage  = 1_000
	mostInArray = 200_000
)

// decodePage reads a list: the documented envelope {currentPage,totalPages,pageSize,totalCount,items}, a bare array as
// in older copies of the documentation, or {data:…} around either. An answer without any list is an
// error and not an empty list.
func decodePage[T listed](b []byte) (page[T], error) {
	p := page[T]{total: -1, size: pageSize}
	raw, err := p.envelope(bytes.TrimSpace(b), 0)
	if err != nil {
		return p, err
	}
	most := mostInArray
	if b = bytes.TrimSpace(b); b[0] != '[' {
		most = mostOnPage
	}
	p.items, err = adapter.Items(raw, most, T.key)
	return p, err
}

// envelope finds the list and notes the counts around it.
func (p *page[T]) envelope(b []byte, depth int) (json.RawMessage, error) {
	switch {
	case len(b) == 0 || depth > 3:
		return nil, adapter.ErrNoList
	case b[0] == '[':
		return b, nil
	case b[0] != '{':
		return nil, adapter.ErrNoList
	}
	var w struct {
		TotalPages, PageSize, TotalCount, Total number

		Items, Docs, Documents, Results, Data, Datasets, Chats json.RawMessage
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return nil, fmt.Errorf("the list cannot be read: %w", err)
	}
	if n := w.TotalPages.whole(); n > 0 && n <= maxPages {
		p.pages = int(n)
	}
	if n := w.PageSize.whole(); n > 0 && n <= 1<<20 {
		p.size, p.sized = int(n), true
	}
	if n := max(w.TotalCount.whole(), w.Total.whole()); n >= 0 && n < 1<<31 {
		p.total = int(n)
	}
	for _, list := range []json.RawMessage{w.Items, w.Docs, w.Documents, w.Results, w.Datasets, w.Chats, w.Data} {
		list = bytes.TrimSpace(list)
		if len(list) > 0 && (list[0] == '[' || list[0] == '{') {
			return p.envelope(list, depth+1)
		}
	}
	return nil, adapter.ErrNoList
}

// decodeUploaded reads the answer of an upload: documented as a bare array of documents; a list in an envelope or, for one file, the
// document itself are taken as well.
func decodeUploaded(b []byte) ([]document, error) {
	p, err := decodePage[document](b)
	if err == nil {
		return p.items, nil
	}
	var d document
	if json.Unmarshal(b, &d) == nil && d.ID != "" && d.Name != "" {
		return []document{d}, nil
	}
	return nil, err
}

// statuses are the vendor's words in lower case. Only `pending` is documented; the others come from the engine that the API
// resembles, whose words and numbers may show through.
var statuses = map[string]targets.Status{
	"pending": targets.StatusWaiting, "unstart": targets.StatusWaiting, "unstarted": targets.StatusWaiting, "0": targets.StatusWaiting,
	"queued": targets.StatusWaiting, "scheduled": targets.StatusWaiting, "schedule": targets.StatusWaiting, "5": targets.StatusWaiting,
	"running": targets.StatusWorking, "parsing": targets.StatusWorking, "processing": targets.StatusWorking, "1": targets.StatusWorking,
	"done": targets.StatusDone, "completed": targets.StatusDone, "complete": targets.StatusDone, "success": targets.StatusDone,
	"parsed": targets.StatusDone, "ready": targets.StatusDone, "3": targets.StatusDone,
	"fail": targets.StatusFailed, "failed": targets.StatusFailed, "error": targets.StatusFailed, "4": targets.StatusFailed,
	"cancel": targets.StatusCancelled, "canceled": targets.StatusCancelled, "cancelled": targets.StatusCancelled,
	"stopped": targets.StatusCancelled, "2": targets.StatusCancelled,
}

// remote translates a document. A word that nobody knows means that work goes on, and is logged once.
func (t *Target) remote(d document) targets.Remote {
	r := targets.Remote{
		ID: targets.RemoteID(d.ID), Name: d.Name, Size: d.Size, Word: kb.Printable(d.Status), Detail: adapter.OneLine(d.Detail),
	}
	word := strings.ToLower(strings.TrimSpace(d.Status))
	switch s, known := statuses[word]; {
	case word == "":
		r.Status = targets.StatusUnknown
	case known:
		r.Status = s
	default:
		r.Status = targets.StatusWorking
		if _, logged := t.unknown.LoadOrStore(word, true); !logged {
			t.log.Warn("unknown status counts as still working", "status", r.Word)
		}
	}
	if d.Progress.known && d.Progress.value < 0 && r.Status != targets.StatusDone {
		r.Status = targets.StatusFailed // -1 stands for a failure behind the API
	}
	if d.Progress.known || d.chunks.known {
		r.Progress = fmt.Sprintf("%g/%g", d.Progress.value, d.chunks.value)
	}
	return r
}
