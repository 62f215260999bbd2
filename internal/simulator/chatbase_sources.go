package simulator

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

// cbLink is what a link source knows besides its address.
type cbLink struct {
	LinkType         string
	ExcludePaths     []string
	IncludeOnlyPaths []string
	SlowScraping     bool
}

// cbQnA is what a Q&A source is made of.
type cbQnA struct {
	questions []string
	answer    string
}

// wireCBSource is a source as v2 shows it.
type wireCBSource struct {
	ID           string `json:"id"`
	Type         string `json:"type"`
	Name         string `json:"name"`
	Size         int64  `json:"size"`
	OriginalSize *int64 `json:"originalSize,omitempty"`
	CreatedAt    string `json:"createdAt"`
	Status       string `json:"status"`
	Metadata     any    `json:"metadata"`
}

// wireSource shows a source. The lock must be held.
func (s *Chatbase) wireSource(src *cbSource) wireCBSource {
	out := wireCBSource{
		ID: src.id, Type: src.kind, Name: src.now.name, Size: src.size, CreatedAt: cbStamp(src.created), Status: src.status,
	}
	if s.opts.OriginalSize {
		out.OriginalSize = &src.original
	}
	switch {
	case src.status == cbToBeDeleted && s.opts.MisspeltDeleted:
		out.Status = "toBeDeletedted"
	case src.pending() && s.opts.TrainingStatus != "":
		out.Status = s.opts.TrainingStatus
	}
	if l := src.link; l != nil && l.LinkType == "individual" {
		out.Metadata = map[string]any{"type": "individual"}
	} else if l != nil {
		out.Metadata = map[string]any{
			"type": l.LinkType, "excludePaths": orEmpty(l.ExcludePaths), "includeOnlyPaths": orEmpty(l.IncludeOnlyPaths),
			"slowScraping": l.SlowScraping, "crawlStatus": "fetched",
			"children": map[string]int{"included": 1, "excluded": 0, "failed": 0},
		}
	}
	return out
}

func orEmpty(list []string) []string { return append([]string{}, list...) }

// showSource is the answer that is a single source. The lock must be held.
func (s *Chatbase) showSource(status int, src *cbSource) answer {
	if s.opts.WrapData {
		return jsonAnswer(status, map[string]any{"data": s.wireSource(src)})
	}
	return jsonAnswer(status, s.wireSource(src))
}

// namedSource finds the source that a path names. The lock must be held.
func (s *Chatbase) namedSource(c *call) (src *cbSource, bad answer, ok bool) {
	a := s.byID[c.args[0]]
	if a == nil {
		return nil, cbNoAgent(), false
	}
	if src = a.find(c.args[1]); src == nil {
		return nil, cbNoSource(), false
	}
	return src, answer{}, true
}

var cbKinds = []string{"link", "file", "qna", "notionPage", "text"}

func (s *Chatbase) listSources(c *call) answer {
	var kinds []string
	if text, given := c.query["type"]; given {
		kinds = strings.Split(text, ",")
		for _, kind := range kinds {
			if !slices.Contains(cbKinds, kind) {
				c.violate("unknown source type %q", kind)
				return cbBadQuery("type", "Invalid source type "+kind)
			}
		}
	}
	part := strings.ToLower(c.query["name"])
	s.lock()
	defer s.mu.Unlock()
	a := s.byID[c.args[0]]
	if a == nil && s.opts.StrictAgents {
		return cbNoAgent()
	}
	var found []*cbSource
	if a != nil {
		for _, src := range a.sources {
			if (kinds == nil || slices.Contains(kinds, src.kind)) && strings.Contains(strings.ToLower(src.now.name), part) {
				found = append(found, src)
			}
		}
	}
	query := strings.Join([]string{c.args[0], c.query["type"], c.query["name"]}, "\x00")
	return cbPageOf(c, query, found, func(src *cbSource) uint64 { return src.seq }, func(src *cbSource) any { return s.wireSource(src) })
}

func (s *Chatbase) getSource(c *call) answer {
	s.lock()
	defer s.mu.Unlock()
	src, bad, ok := s.namedSource(c)
	if !ok {
		return bad
	}
	return s.showSource(http.StatusOK, src)
}

// cbText, cbQnAChange and cbLinkChange are the bodies of updates; absent fields are nil. Creations have more fields.
type (
	cbText struct {
		Name    *string `json:"name"`
		Content *string `json:"content"`
	}
	cbQnAChange struct {
		Name      *string   `json:"name"`
		Questions *[]string `json:"questions"`
		Answer    *string   `json:"answer"`
	}
	cbLinkChange struct {
		ExcludePaths     *[]string `json:"excludePaths"`
		IncludeOnlyPaths *[]string `json:"includeOnlyPaths"`
		SlowScraping     *bool     `json:"slowScraping"`
	}
	cbType struct {
		Type string `json:"type"`
	}
	cbLinkTarget struct {
		URL      string `json:"url"`
		LinkType string `json:"linkType"`
	}
)

// cbDraft is a source as a request wants it to be.
type cbDraft struct {
	cbVersion

	qna  cbQnA
	link *cbLink
}

// wrongHost refuses a file on the host for JSON: there it is not found.
func wrongHost(c *call) (bad answer, ok bool) {
	if media, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type")); media == "multipart/form-data" {
		c.violate("a file sent to the wrong host")
		return cbError(http.StatusNotFound, "NOT_FOUND", "Not found"), false
	}
	return answer{}, true
}

func (s *Chatbase) createSource(c *call) answer {
	if bad, ok := wrongHost(c); !ok {
		return bad
	}
	body, bad, ok := s.readBody(c)
	if !ok {
		return bad
	}
	var kind cbType
	if json.Unmarshal(body, &kind) != nil || !slices.Contains([]string{"text", "qna", "link"}, kind.Type) {
		return cbInvalid("type", "Must be text, qna or link")
	}
	draft, bad, ok := s.readDraft(c, body, kind.Type, nil)
	if !ok {
		return bad
	}
	if draft.link != nil {
		f := s.visit(c.r.Context(), draft.name)
		draft.content, draft.lost = []byte(f.text), f.lost
	}
	s.lock()
	defer s.mu.Unlock()
	a := s.byID[c.args[0]]
	switch {
	case a == nil && s.opts.StrictAgents:
		return cbNoAgent()
	case a == nil:
		return cbRefuse(http.StatusInternalServerError, "")
	case draft.link != nil && s.hasLink(a, draft.name, draft.link.LinkType):
		return cbError(http.StatusConflict, "SOURCE_DUPLICATE", "A source with this URL already exists")
	case s.rejected(draft.name):
		return cbInvalid("content", "The source was rejected")
	case !s.fits(a, nil, int64(len(draft.content))):
		return cbTooLarge()
	}
	src := s.addSource(a, kind.Type, draft.cbVersion)
	src.qna, src.link = draft.qna, draft.link
	s.change(src, draft.cbVersion)
	return s.showSource(http.StatusCreated, src)
}

// rejected asks whether the simulator was told to refuse a source of that name.
func (s *Chatbase) rejected(name string) bool {
	reject := s.hooks().Reject
	return reject != nil && reject(name)
}

// fits tells whether an agent has room for a source of that size, which may take the place of another.
func (s *Chatbase) fits(a *cbAgent, old *cbSource, size int64) bool {
	sum := a.size() + size
	if old != nil {
		sum -= old.size
	}
	return s.opts.StorageBytes <= 0 || sum <= s.opts.StorageBytes
}

// updateSource changes the fields that the request gives.
func (s *Chatbase) updateSource(c *call) answer {
	if bad, ok := wrongHost(c); !ok {
		return bad
	}
	body, bad, ok := s.readBody(c)
	if !ok {
		return bad
	}
	fetched := s.visitLinks(c.r.Context(), c.args[0], func(src *cbSource) bool {
		return s.opts.UpdateFetches && src.id == c.args[1]
	})
	s.lock()
	defer s.mu.Unlock()
	src, bad, ok := s.updatable(c)
	switch {
	case !ok:
		return bad
	case src.kind == "file":
		return cbInvalid("type", "File sources are updated on the files host")
	}
	draft, bad, ok := s.readDraft(c, body, src.kind, src)
	switch {
	case !ok:
		return bad
	case s.rejected(draft.name):
		return cbInvalid("content", "The source was rejected")
	case !s.fits(src.agent, src, int64(len(draft.content))):
		return cbTooLarge()
	}
	if f, ok := fetched[src]; ok {
		draft.content, draft.lost = []byte(f.text), f.lost
	}
	src.qna, src.link, src.size, src.original = draft.qna, draft.link, int64(len(draft.content)), int64(len(draft.content))
	s.change(src, draft.cbVersion)
	return s.showSource(http.StatusOK, src)
}

// updatable finds the source of an update, unless it is in a state that allows none. The lock must be held.
func (s *Chatbase) updatable(c *call) (src *cbSource, bad answer, ok bool) {
	src, bad, ok = s.namedSource(c)
	switch {
	case !ok:
		return nil, bad, false
	case src.status == cbToBeDeleted:
		return nil, cbError(http.StatusConflict, "SOURCE_PENDING_DELETION", "The source is pending deletion"), false
	case src.training() && !s.opts.UpdateWhileTraining:
		return nil, cbError(http.StatusConflict, "SOURCE_IS_TRAINING", "The source is training"), false
	}
	return src, answer{}, true
}

// readDraft reads a creation, or an update of old, whose fields stay where the body has none.
func (s *Chatbase) readDraft(c *call, body []byte, kind string, old *cbSource) (d cbDraft, bad answer, ok bool) {
	if old != nil {
		d = cbDraft{cbVersion: old.now, qna: old.qna, link: old.link}
	}
	read := func(creation, update any) bool {
		if old != nil {
			creation = update
		}
		bad, ok = s.decodeInto(c, body, creation)
		return ok
	}
	var field, text string
	switch kind {
	case "text":
		var in struct {
			cbType
			cbText
		}
		if read(&in, &in.cbText) {
			field, text = d.takeText(in.cbText)
		}
	case "qna":
		var in struct {
			cbType
			cbQnAChange
		}
		if read(&in, &in.cbQnAChange) {
			field, text = d.takeQnA(in.cbQnAChange)
		}
	default:
		var in struct {
			cbType
			cbLinkTarget
			cbLinkChange
		}
		if read(&in, &in.cbLinkChange) {
			field, text = d.takeLink(in.cbLinkTarget, in.cbLinkChange)
		}
	}
	if ok && field != "" {
		c.violate("%s: %s", field, text)
		return d, cbInvalid(field, text), false
	}
	return d, bad, ok
}

// takeText puts a text body's fields into the draft; what is wrong is told by field.
func (d *cbDraft) takeText(in cbText) (field, text string) {
	if in.Name != nil {
		d.name = *in.Name
	}
	if in.Content != nil {
		d.content = []byte(*in.Content)
	}
	switch n := chars(string(d.content)); {
	case n == 0:
		return "content", "Must contain at least 1 character(s)"
	case n > cbMaxContent:
		return "content", fmt.Sprintf("Must contain at most %d character(s)", cbMaxContent)
	}
	return checkCBName(d.name, cbMaxName)
}

func checkCBName(name string, most int) (field, text string) {
	switch n := chars(name); {
	case n == 0:
		return "name", "Must contain at least 1 character(s)"
	case n > most:
		return "name", fmt.Sprintf("Must contain at most %d character(s)", most)
	}
	return "", ""
}

func (d *cbDraft) takeQnA(in cbQnAChange) (field, text string) {
	if in.Name != nil {
		d.name = *in.Name
	}
	if in.Questions != nil {
		d.qna.questions = *in.Questions
	}
	if in.Answer != nil {
		d.qna.answer = *in.Answer
	}
	switch {
	case d.name == "":
		return "name", "Required"
	case len(d.qna.questions) == 0, len(d.qna.questions) > cbMaxQuestions, slices.Contains(d.qna.questions, ""):
		return "questions", "Must be 1 to 50, none of them empty"
	case d.qna.answer == "":
		return "answer", "Required"
	}
	d.content = []byte(strings.Join(d.qna.questions, "\n") + "\n" + d.qna.answer)
	return "", ""
}

// takeLink puts a link body's fields into the draft; its page is fetched afterwards. An update has no target: the address
// cannot be changed.
func (d *cbDraft) takeLink(target cbLinkTarget, in cbLinkChange) (field, text string) {
	l := cbLink{LinkType: target.LinkType}
	if d.link != nil {
		l = *d.link
	} else {
		d.name = target.URL
	}
	if in.ExcludePaths != nil {
		l.ExcludePaths = *in.ExcludePaths
	}
	if in.IncludeOnlyPaths != nil {
		l.IncludeOnlyPaths = *in.IncludeOnlyPaths
	}
	if in.SlowScraping != nil {
		l.SlowScraping = *in.SlowScraping
	}
	switch {
	case !isPage(d.name):
		return "url", "Invalid url"
	case !slices.Contains([]string{"individual", "sitemap", "crawl"}, l.LinkType):
		return "linkType", "Must be individual, sitemap or crawl"
	}
	d.link = &l
	return "", ""
}

// deleteSource deletes at once in generation C, where it may still be listed for a while, and before it only marks the
// source until the next training.
func (s *Chatbase) deleteSource(c *call) answer {
	s.lock()
	defer s.mu.Unlock()
	src, bad, ok := s.namedSource(c)
	switch {
	case !ok:
		return bad
	case src.status == cbToBeDeleted:
		return cbError(http.StatusConflict, "SOURCE_ALREADY_PENDING_DELETION", "The source is already pending deletion")
	}
	src.before, src.status = src.status, cbToBeDeleted
	if s.opts.Generation != "C" {
		return s.showSource(http.StatusOK, src)
	}
	src.job.cancel()
	src.job, src.stalled, src.live = nil, false, nil
	if s.opts.PurgeDelay > 0 {
		s.agenda.add(time.Now().Add(s.opts.PurgeDelay), src.remove)
		return s.showSource(http.StatusOK, src)
	}
	src.remove()
	src.status = cbDeleted
	return s.showSource(http.StatusOK, src)
}

// restoreSource takes back a deletion in generations A and B, and does nothing in C.
func (s *Chatbase) restoreSource(c *call) answer {
	s.lock()
	defer s.mu.Unlock()
	src, bad, ok := s.namedSource(c)
	if !ok {
		return bad
	}
	if s.opts.Generation == "C" {
		return success()
	}
	if src.status == cbToBeDeleted {
		src.status = src.before
	}
	return s.showSource(http.StatusOK, src)
}
