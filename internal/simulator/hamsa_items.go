package simulator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const maxHamsaName = 250 // characters in an item's name

// wireHamsaItem is an item as the API shows it.
type wireHamsaItem struct {
	ID            string   `json:"id,omitempty"`
	UserID        string   `json:"userId"`
	ProjectID     string   `json:"projectId"`
	ItemName      string   `json:"itemName"`
	Type          string   `json:"type"`
	Status        string   `json:"status"`
	FailureReason string   `json:"failureReason"`
	Content       string   `json:"content,omitempty"`
	ItemURL       string   `json:"itemUrl,omitempty"`
	ItemURLs      []string `json:"itemUrls,omitempty"`
	FileSize      string   `json:"fileSize"`
	WordsNumber   int      `json:"wordsNumber"`
	Extension     any      `json:"extension"`
	CreatedAt     string   `json:"createdAt"`
	UpdatedAt     string   `json:"updatedAt,omitempty"`
	IsActive      bool     `json:"isActive"`
	Used          bool     `json:"used"`
}

// wireItem shows an item as an agent has it; nil for no agent in particular. The lock must be held.
func (s *Hamsa) wireItem(it *hamsaItem, a *hamsaAgent) wireHamsaItem {
	out := wireHamsaItem{
		ID: it.id, UserID: s.user, ProjectID: s.project, ItemName: it.name, Type: it.kind, Status: s.word(it),
		FailureReason: "No failure", ItemURL: it.url, ItemURLs: it.urls, FileSize: hamsaSize(len(it.content)),
		WordsNumber: len(strings.Fields(it.content)), Extension: it.extension(), CreatedAt: wireTime(it.created),
		IsActive: s.active(it, a), Used: s.used(it.id),
	}
	if it.kind == "TEXT" {
		out.Content = it.content
	}
	if !it.updated.IsZero() {
		out.UpdatedAt = wireTime(it.updated)
	}
	if it.status(time.Now()) == StatusFailed || out.Status == hamsaPartial {
		out.FailureReason = cmp.Or(it.reason, "The content could not be processed")
	}
	if s.opts.NumericExtension {
		out.Extension = 1
	}
	return out
}

// word is the vendor's word for an item's status.
func (s *Hamsa) word(it *hamsaItem) string {
	words, left := s.opts.WorkWords, time.Until(it.ready)
	switch {
	case left <= 0 && it.stalls:
		return words[len(words)-1]
	case left <= 0:
		return it.last
	}
	done := len(words) - 1 - int(int64(left-1)*int64(len(words))/int64(max(s.opts.ProcessDelay, 1)))
	return words[min(max(done, 0), len(words)-1)]
}

// extension is what the vendor takes an item's content for.
func (it *hamsaItem) extension() string {
	switch it.kind {
	case "TEXT":
		return "txt"
	case "URL":
		return "html"
	}
	return strings.TrimPrefix(strings.ToLower(path.Ext(it.url)), ".")
}

func hamsaSize(n int) string {
	if n < 1<<20 {
		return fmt.Sprintf("%.1fKB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1fMB", float64(n)/(1<<20))
}

func (s *Hamsa) unknownItem() answer {
	return s.problem(http.StatusNotFound, "Knowledge base item not found")
}

func (s *Hamsa) getItem(c *call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.byID[c.args[0]]
	if it == nil {
		return s.unknownItem()
	}
	return s.success(http.StatusOK, "", s.wireItem(it, nil))
}

// hamsaNewItem is one item in the body of a creation; absent fields are nil.
type hamsaNewItem struct {
	ItemName *string   `json:"itemName"`
	Type     *string   `json:"type"`
	Content  *string   `json:"content"`
	ItemURL  *string   `json:"itemUrl"`
	ItemURLs *[]string `json:"itemUrls"`
}

func (s *Hamsa) createItems(c *call) answer {
	var body struct {
		Items []hamsaNewItem `json:"items"`
	}
	if reason, ok := c.strictJSON(&body); !ok {
		return s.problem(http.StatusBadRequest, reason)
	}
	if len(body.Items) == 0 {
		return s.bad(c, "items must have at least one item")
	}
	hooks := s.hooks()
	for i, n := range body.Items {
		if err := n.check(); err != nil {
			return s.bad(c, "items[%d].%v", i, err)
		}
		if hooks.Reject != nil && hooks.Reject(*n.ItemName) {
			return s.problem(http.StatusBadRequest, "The item was rejected")
		}
	}
	read := make([]hamsaPages, len(body.Items))
	for i, n := range body.Items {
		read[i] = s.read(c.r.Context(), n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var made []wireHamsaItem
	for i, n := range body.Items {
		made = append(made, s.wireItem(s.create(n, read[i], hooks), nil))
	}
	return s.success(http.StatusCreated, "KnowledgeBaseItemsCreatedSuccessfully", s.created(made))
}

// created is the data of the answer to a creation.
func (s *Hamsa) created(made []wireHamsaItem) any {
	switch s.opts.CreateReply {
	case HamsaArray:
		return made
	case HamsaItems:
		return map[string]any{"items": made}
	case HamsaNoID:
		made[0].ID = ""
	case HamsaNoData:
		return nil
	}
	return made[0]
}

// hamsaPages is what stood at the addresses of an item.
type hamsaPages struct {
	text         string
	read, failed int // how many pages
}

// read fetches what an item refers to.
func (s *Hamsa) read(ctx context.Context, n hamsaNewItem) (p hamsaPages) {
	one, several := n.addresses()
	if one != "" {
		several = append([]string{one}, several...)
	}
	var texts []string
	for _, address := range several {
		text, err := s.at(ctx, address)
		if err != nil {
			p.failed++
			continue
		}
		p.read++
		texts = append(texts, text)
	}
	p.text = strings.Join(texts, "\n")
	return p
}

// create stores an item and starts its processing. The lock must be held.
func (s *Hamsa) create(n hamsaNewItem, p hamsaPages, hooks Faults) *hamsaItem {
	now := time.Now()
	it := &hamsaItem{
		id: s.newID(), name: *n.ItemName, kind: *n.Type, created: now, ready: now.Add(s.opts.ProcessDelay),
		last: hamsaProcessed, off: map[string]bool{},
		stalls: hooks.ParseStall != nil && hooks.ParseStall(*n.ItemName),
	}
	if hooks.ParseFail != nil && hooks.ParseFail(it.name) {
		it.last = s.opts.FailWord
	}
	if it.kind == "TEXT" {
		it.content = *n.Content
	} else {
		it.url, it.urls = n.addresses()
		it.content = p.text
	}
	switch {
	case p.failed > 0 && p.read > 0:
		it.last, it.reason = hamsaPartial, "Some pages could not be fetched"
	case p.failed > 0:
		it.last, it.reason = s.opts.FailWord, "The page could not be fetched"
	}
	s.add(it)
	return it
}

func (n hamsaNewItem) addresses() (one string, several []string) {
	if n.ItemURL != nil {
		one = *n.ItemURL
	}
	if n.ItemURLs != nil {
		several = slices.Clone(*n.ItemURLs)
	}
	return one, several
}

// check tells what is wrong with an item of a creation.
func (n hamsaNewItem) check() error {
	one, several := n.addresses()
	switch {
	case n.ItemName == nil, n.Type == nil:
		return errors.New("itemName and type are required")
	case *n.ItemName == "", utf8.RuneCountInString(*n.ItemName) > maxHamsaName:
		return fmt.Errorf("itemName must have 1 to %d characters", maxHamsaName)
	case !slices.Contains([]string{"TEXT", "URL", "FILE"}, *n.Type):
		return errors.New("type must be TEXT, URL or FILE")
	case *n.Type == "TEXT" && (n.Content == nil || strings.TrimSpace(*n.Content) == ""):
		return errors.New("content is required for TEXT")
	case *n.Type == "TEXT" && (n.ItemURL != nil || n.ItemURLs != nil):
		return errors.New("itemUrl and itemUrls are not for TEXT")
	case *n.Type == "TEXT":
		return nil
	case n.Content != nil:
		return errors.New("content is for TEXT only")
	case one == "" && len(several) == 0:
		return errors.New("itemUrl or itemUrls is required")
	}
	if n.ItemURL != nil {
		several = append(several, one)
	}
	for _, address := range several {
		if !isPage(address) {
			return fmt.Errorf("itemUrl: %q is not the address of a page", address)
		}
	}
	return nil
}

func (s *Hamsa) renameItem(c *call) answer {
	var body struct {
		ItemName *string `json:"itemName"`
	}
	if reason, ok := c.strictJSON(&body); !ok {
		return s.problem(http.StatusBadRequest, reason)
	}
	if body.ItemName == nil || *body.ItemName == "" || utf8.RuneCountInString(*body.ItemName) > maxHamsaName {
		return s.bad(c, "itemName must have 1 to %d characters", maxHamsaName)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.byID[c.args[0]]
	if it == nil {
		return s.unknownItem()
	}
	if it.foreign {
		c.violate("a foreign item is renamed")
	}
	it.name, it.updated = *body.ItemName, time.Now()
	return s.success(http.StatusOK, "KnowledgeBaseItemUpdatedSuccessfully", s.wireItem(it, nil))
}

func (s *Hamsa) toggleItem(c *call) answer {
	var body struct {
		VoiceAgentID        *string `json:"voiceAgentId"`
		KnowledgeBaseItemID *string `json:"knowledgeBaseItemId"`
		IsActive            *bool   `json:"isActive"` // true when absent
	}
	if reason, ok := c.strictJSON(&body); !ok {
		return s.problem(http.StatusBadRequest, reason)
	}
	if body.VoiceAgentID == nil || body.KnowledgeBaseItemID == nil {
		return s.bad(c, "voiceAgentId and knowledgeBaseItemId are required")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, it := s.agent(*body.VoiceAgentID), s.byID[*body.KnowledgeBaseItemID]
	switch {
	case a == nil:
		return s.unknownAgent()
	case it == nil:
		return s.unknownItem()
	case it.foreign:
		c.violate("a foreign item is toggled")
	}
	if body.IsActive == nil || *body.IsActive {
		delete(it.off, a.id)
		return s.success(http.StatusOK, "ItemActivatedSuccessfully", nil)
	}
	if a.has[it.id] {
		c.violate("an item is deactivated that the agent holds")
	}
	it.off[a.id] = true
	return s.success(http.StatusOK, "ItemDeactivatedSuccessfully", nil)
}

// deleteItem is the route that the vendor may or may not have.
func (s *Hamsa) deleteItem(c *call) answer {
	switch {
	case s.opts.AllowDelete:
	case s.opts.DeleteStatus == 0:
		return s.noSuchRoute(c)
	default:
		return s.problem(s.opts.DeleteStatus, http.StatusText(s.opts.DeleteStatus))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.byID[c.args[0]]
	if it == nil {
		return s.unknownItem()
	}
	if it.foreign {
		c.violate("a foreign item is deleted")
	}
	if s.used(it.id) {
		c.violate("an item is deleted that an agent holds")
	}
	s.remove(it.id)
	return s.success(http.StatusOK, "ItemDeletedSuccessfully", nil)
}

func (s *Hamsa) deleteURL(c *call) answer {
	var body struct {
		URL *string `json:"url"`
	}
	if reason, ok := c.strictJSON(&body); !ok {
		return s.problem(http.StatusBadRequest, reason)
	}
	if body.URL == nil || *body.URL == "" {
		return s.bad(c, "url is required")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.byID[c.args[0]]
	switch {
	case it == nil:
		return s.unknownItem()
	case it.foreign:
		c.violate("an address of a foreign item is deleted")
	}
	switch {
	case it.url == *body.URL:
		it.url = ""
	case slices.Contains(it.urls, *body.URL):
		it.urls = slices.DeleteFunc(it.urls, func(u string) bool { return u == *body.URL })
	default:
		return s.problem(http.StatusNotFound, "The item has no such URL")
	}
	return s.success(http.StatusOK, "URL_DELETED_SUCCESSFULLY", nil)
}
