package simulator

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const chunkRunes = 500 // characters in one chunk

// wireDocument is a document as the API shows it. The lock must be held.
func (s *Converse) wireDocument(d *converseDocument) map[string]any {
	out := map[string]any{
		s.opts.IDField: s.wireID(d.id), s.opts.NameField: d.name, "type": d.kind, "created_at": wireTime(d.created),
	}
	words := map[string]string{
		StatusRunning: s.opts.WorkWord, StatusDone: s.opts.ReadyWord, StatusFailed: s.opts.FailWord,
	}
	if s.opts.StatusField != ConverseNone {
		out[s.opts.StatusField] = words[d.status]
	}
	if d.status == StatusFailed && s.opts.ErrorField != ConverseNone {
		out[s.opts.ErrorField] = "The document could not be indexed"
		if d.lost {
			out[s.opts.ErrorField] = "The URL could not be fetched"
		}
	}
	if s.opts.ChunkCountField != ConverseNone {
		out[s.opts.ChunkCountField] = d.chunkCount()
	}
	return out
}

// chunks are the pieces in which a document can be found.
func (d *converseDocument) chunks() (out []string) {
	if !d.chunked {
		return nil
	}
	text := []rune(string(d.content))
	for piece := range slices.Chunk(text, chunkRunes) {
		out = append(out, string(piece))
	}
	return out
}

// chunkCount is the number of chunks, which lists tell without making them.
func (d *converseDocument) chunkCount() int {
	if !d.chunked {
		return 0
	}
	return (d.runes + chunkRunes - 1) / chunkRunes
}

func (s *Converse) listDocuments(c *call) answer {
	s.lock()
	defer s.mu.Unlock()
	docs := s.world(c).docs
	return s.listAnswer(c, "", len(docs), func(i int) any { return s.wireDocument(docs[i]) })
}

// find returns the document that a path or body names. The lock must be held.
func (s *Converse) find(c *call, id string) (d *converseDocument, bad answer, ok bool) {
	if s.elsewhere[id] {
		return nil, converseProblem(http.StatusForbidden, "The document belongs to another organization"), false
	}
	if d = s.world(c).byID[id]; d == nil {
		return nil, converseProblem(http.StatusNotFound, "Document not found"), false
	}
	return d, answer{}, true
}

func (s *Converse) ingestText(c *call) answer {
	var body struct {
		Name    *string `json:"name"`
		Content *string `json:"content"`
	}
	if reason, ok := c.strictJSON(&body); !ok {
		return s.unprocessable("body", reason)
	}
	switch {
	case body.Name == nil:
		return s.invalid(c, "name", "name is required")
	case body.Content == nil:
		return s.invalid(c, "content", "content is required")
	case strings.TrimSpace(*body.Content) == "":
		return s.bad(c, "content is empty")
	}
	return s.create(c, *body.Name, &converseDocument{kind: "text", content: []byte(*body.Content)})
}

func (s *Converse) ingestURL(c *call) answer {
	var body struct {
		URL  *string `json:"url"`
		Name *string `json:"name"`
	}
	if reason, ok := c.strictJSON(&body); !ok {
		return s.unprocessable("body", reason)
	}
	switch {
	case body.URL == nil:
		return s.invalid(c, "url", "url is required")
	case body.Name == nil:
		return s.invalid(c, "name", "name is required")
	}
	if !isPage(*body.URL) {
		return s.bad(c, "url is not the address of a page")
	}
	text, err := s.at(c.r.Context(), *body.URL)
	if err != nil && s.opts.RefuseUnreachable {
		return converseProblem(http.StatusBadRequest, "The URL could not be fetched")
	}
	return s.create(c, *body.Name, &converseDocument{kind: "url", content: []byte(text), lost: err != nil})
}

// create stores a document of some kind and content under a name and starts its indexing.
func (s *Converse) create(c *call, name string, d *converseDocument) answer {
	if strings.TrimSpace(name) == "" {
		return s.bad(c, "name is empty")
	}
	hooks := s.hooks()
	if hooks.Reject != nil && hooks.Reject(name) {
		return converseProblem(http.StatusBadRequest, "The document was rejected")
	}
	s.lock()
	defer s.mu.Unlock()
	w := s.world(c)
	if s.opts.UniqueNames && slices.ContainsFunc(w.docs, func(d *converseDocument) bool { return d.name == name }) {
		return converseProblem(http.StatusConflict, "A document with this name already exists")
	}
	d.id, d.name, d.runes, d.created = s.newID(), name, utf8.RuneCount(d.content), time.Now()
	d.loses = s.opts.LoseChunks != nil && s.opts.LoseChunks(name)
	w.add(d)
	s.index(d, hooks)
	return s.createdAnswer(s.wireDocument(d))
}

func (s *Converse) createdAnswer(doc map[string]any) answer {
	if s.opts.CreateWrap != "" {
		return jsonAnswer(http.StatusCreated, map[string]any{s.opts.CreateWrap: doc})
	}
	return jsonAnswer(http.StatusCreated, doc)
}

func (s *Converse) reindex(c *call) answer {
	hooks := s.hooks()
	s.lock()
	defer s.mu.Unlock()
	d, bad, ok := s.find(c, c.args[0])
	if !ok {
		return bad
	}
	if d.foreign {
		c.violate("a foreign document is reindexed")
	}
	d.loses = false
	s.index(d, hooks)
	return jsonAnswer(http.StatusOK, s.wireDocument(d))
}

func (s *Converse) deleteDocument(c *call) answer {
	s.lock()
	defer s.mu.Unlock()
	d, bad, ok := s.find(c, c.args[0])
	if !ok {
		return bad
	}
	w := s.world(c)
	if d.foreign {
		c.violate("a foreign document is deleted")
	}
	if w.assigned(d.id) {
		c.violate("a document is deleted that an agent holds")
	}
	s.remove(w, d.id)
	return s.done("Document deleted")
}

func (s *Converse) listChunks(c *call) answer {
	s.lock()
	defer s.mu.Unlock()
	d, bad, ok := s.find(c, c.args[0])
	if !ok {
		return bad
	}
	chunks := d.chunks()
	return s.listAnswer(c, "chunks", len(chunks), func(i int) any {
		return map[string]any{"index": i, "content": chunks[i]}
	})
}

func (s *Converse) query(c *call) answer {
	var body struct {
		Query     *string `json:"query"`
		TopK      *int    `json:"top_k"`      // 5 when absent
		VoiceMode bool    `json:"voice_mode"` // shorter answers
	}
	if reason, ok := c.strictJSON(&body); !ok {
		return s.unprocessable("body", reason)
	}
	top := 5
	if body.TopK != nil {
		top = *body.TopK
	}
	switch {
	case body.Query == nil:
		return s.invalid(c, "query", "query is required")
	case strings.TrimSpace(*body.Query) == "":
		return s.bad(c, "query is empty")
	case top < 1:
		return s.invalid(c, "top_k", "top_k must be at least 1")
	}
	s.lock()
	defer s.mu.Unlock()
	hits := s.search(s.world(c), wordsOf(*body.Query))
	return jsonAnswer(http.StatusOK, map[string]any{"results": hits[:min(top, len(hits))]})
}

// converseHit is one chunk in the answer to a query. The documentation shows none.
type converseHit struct {
	DocumentID   any     `json:"document_id"`
	DocumentName string  `json:"document_name"`
	Content      string  `json:"content"`
	Score        float64 `json:"score"`
}

// search ranks all chunks by the share of the question's words that are in them. The lock must be held.
func (s *Converse) search(w *converseWorld, question map[string]bool) []converseHit {
	hits := []converseHit{}
	for _, d := range w.docs {
		for _, text := range d.chunks() {
			common := 0
			for word := range wordsOf(text) {
				if question[word] {
					common++
				}
			}
			if common > 0 {
				hits = append(hits, converseHit{s.wireID(d.id), d.name, text, float64(common) / float64(len(question))})
			}
		}
	}
	slices.SortStableFunc(hits, func(a, b converseHit) int { return cmp.Compare(b.Score, a.Score) })
	return hits
}

func wordsOf(text string) map[string]bool {
	out := map[string]bool{}
	for word := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		out[word] = true
	}
	return out
}
