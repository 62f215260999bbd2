package simulator

import (
	"encoding/json"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
)

// wireDocument is a document as the API shows it.
type wireDocument struct {
	ID          any     `json:"id"`
	Name        string  `json:"name"`
	Size        int64   `json:"size"`
	Status      *string `json:"status"`
	ChunkMethod string  `json:"chunkMethod"`
	CreatedAt   string  `json:"createdAt"`
}

func (s *Starleads) wireDocument(d *document) wireDocument {
	status := s.wireStatus(d.status)
	return wireDocument{
		ID: s.wireID(d.id), Name: d.name, Size: int64(len(d.content)), Status: &status, ChunkMethod: d.method,
		CreatedAt: wireTime(d.created),
	}
}

var upperStatus = map[string]string{
	StatusPending:   "UNSTART",
	StatusRunning:   "RUNNING",
	StatusDone:      "DONE",
	StatusFailed:    "FAIL",
	StatusCancelled: "CANCEL",
}

func (s *Starleads) wireStatus(status string) string {
	if s.opts.UpperStatus {
		return upperStatus[status]
	}
	return status
}

// canonicalStatus is the Status constant for either wording; an unknown word is pending.
func canonicalStatus(word string) string {
	for status, upper := range upperStatus {
		if strings.EqualFold(word, status) || strings.EqualFold(word, upper) {
			return status
		}
	}
	return StatusPending
}

// findDocument returns the document that a path names. The lock must be held.
func (s *Starleads) findDocument(c *call) (d *document, bad answer, ok bool) {
	ds := s.findDataset(c.args[0])
	if ds == nil {
		return nil, s.unknown("dataset", c.args[0]), false
	}
	d = s.docs[c.args[1]]
	if d == nil || d.ds != ds {
		return nil, s.unknown("document", c.args[1]), false
	}
	return d, answer{}, true
}

func (s *Starleads) listDocuments(c *call) answer {
	p, bad, ok := s.readPage(c)
	if !ok {
		return bad
	}
	s.lock()
	defer s.mu.Unlock()
	ds := s.findDataset(c.args[0])
	if ds == nil {
		return s.unknown("dataset", c.args[0])
	}
	docs := ds.docs
	keywords, status := strings.ToLower(c.query["keywords"]), c.query["status"]
	if keywords != "" || status != "" {
		docs = nil
		for _, d := range ds.docs {
			if strings.Contains(d.lower, keywords) && (status == "" || strings.EqualFold(status, s.wireStatus(d.status))) {
				docs = append(docs, d)
			}
		}
	}
	from, to := p.cut(len(docs))
	var items []wireDocument
	for _, d := range docs[from:to] {
		items = append(items, s.wireDocument(d))
	}
	return listAnswer(s, p, len(docs), items)
}

// documentBody is the body of an update; absent fields are nil.
type documentBody struct {
	Name         *string         `json:"name"`
	Enabled      *bool           `json:"enabled"`
	ChunkMethod  *string         `json:"chunkMethod"`
	ParserConfig json.RawMessage `json:"parserConfig"`
}

func (s *Starleads) updateDocument(c *call) answer {
	var body documentBody
	if bad, ok := s.readJSON(c, &body, false); !ok {
		return bad
	}
	s.lock()
	defer s.mu.Unlock()
	d, bad, ok := s.findDocument(c)
	if !ok {
		return bad
	}
	if bad, ok := checkUpdate(c, d, body); !ok {
		return bad
	}
	parser := d.parser
	if bad, ok := parser.merge(c, body.ParserConfig); !ok {
		return bad
	}
	d.parser = parser
	if body.Name != nil && *body.Name != d.name {
		s.rename(d, *body.Name)
	}
	if body.Enabled != nil {
		d.enabled = *body.Enabled
	}
	if body.ChunkMethod != nil && *body.ChunkMethod != d.method {
		d.method = *body.ChunkMethod
		s.reset(d)
	}
	return jsonAnswer(http.StatusOK, s.wireDocument(d))
}

// checkUpdate refuses what cannot be changed, before anything is.
func checkUpdate(c *call, d *document, body documentBody) (bad answer, ok bool) {
	if body.Name != nil && *body.Name != d.name {
		if reason := checkName(c, *body.Name); reason != "" {
			return invalid("name", "%s", reason), false
		}
		if extension(*body.Name) != extension(d.name) {
			return invalid("name", "The extension of file can't be changed"), false
		}
		if d.ds.hasDocument(*body.Name) {
			return invalid("name", "Duplicated document name in the same dataset."), false
		}
	}
	if body.ChunkMethod == nil {
		return answer{}, true
	}
	if !slices.Contains(chunkMethods, *body.ChunkMethod) {
		return invalid("chunkMethod", "'%s' is not a chunk method.", *body.ChunkMethod), false
	}
	if fixedMethod(extension(d.name)) && *body.ChunkMethod != d.method {
		return invalid("chunkMethod", "Not supported yet!"), false
	}
	return answer{}, true
}

// rename gives a document a free name. The lock must be held.
func (s *Starleads) rename(d *document, name string) {
	delete(d.ds.byName, d.name)
	d.name, d.lower = name, strings.ToLower(name)
	d.ds.byName[name] = d
	if s.opts.RenameResets {
		s.reset(d)
	}
}

// reset drops a document's chunks and sets it back to pending. The lock must be held.
func (s *Starleads) reset(d *document) {
	s.cancel(d)
	d.status = StatusPending
}

func (s *Starleads) deleteDocument(c *call) answer {
	s.lock()
	defer s.mu.Unlock()
	d, bad, ok := s.findDocument(c)
	if !ok {
		return bad
	}
	s.removeDocument(d)
	return success()
}

func (s *Starleads) download(c *call) answer {
	s.lock()
	d, bad, ok := s.findDocument(c)
	if !ok {
		s.mu.Unlock()
		return bad
	}
	name, content := d.name, d.content
	s.mu.Unlock()
	media := mime.TypeByExtension(path.Ext(name))
	if media == "" {
		media = "application/octet-stream"
	}
	return answer{status: http.StatusOK, body: content, header: http.Header{
		"Content-Type":        {media},
		"Content-Disposition": {mime.FormatMediaType("attachment", map[string]string{"filename": name})},
	}}
}
