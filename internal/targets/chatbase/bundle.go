package chatbase

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"unicode/utf8"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// bundleBytes keeps the one text of a chatbot below the limit of the platform's request bodies, about 4.5 MB (documented for Q&A).
const bundleBytes = 4_000_000

// Bundle is a chatbot of the first version of the API, which knows one text. Its only routes here are those that list
// chatbots and replace a chatbot's text.
type Bundle struct {
	cfg  Config
	http *httpapi.Client
	id   string

	sending sync.Mutex // one SendBundle at a time, so that none restores a name that was changed meanwhile
}

var (
	_ targets.Target  = (*Bundle)(nil)
	_ targets.Bundler = (*Bundle)(nil)
	_ targets.Metered = (*Bundle)(nil)
	_ targets.Placed  = (*Bundle)(nil)
)

func (c *Config) openBundle(o targets.Options) (*Bundle, error) {
	h, err := c.newHTTP(c.base(), 0, o)
	if err != nil {
		return nil, err
	}
	return &Bundle{cfg: *c, http: h, id: o.Agent}, nil
}

// Limits implements targets.Target.
func (b *Bundle) Limits() targets.Limits {
	return targets.Limits{
		BatchFiles: 1, BatchBytes: bundleBytes, MaxBytes: bundleBytes, NameBytes: nameLength, Concurrency: 1, RequestsPerBatch: 2,
		Rate: b.cfg.Rate, SettleTimeout: b.cfg.SettleTimeout, Accepts: kb.Accepts{Native: map[string]bool{}, Text: ".txt", Markdown: ".md"},
	}
}

// chatbot is one chatbot of the list, whose fields are documented under two sets of names.
type chatbot struct {
	ID          text `json:"id"`
	ChatbotID   text `json:"chatbotId"`
	Name        text `json:"name"`
	ChatbotName text `json:"chatbotName"`
	Status      text `json:"status"`
}

func (c chatbot) id() string {
	if c.ID != "" {
		return string(c.ID)
	}
	return string(c.ChatbotID)
}

func (c chatbot) name() string {
	if c.Name != "" {
		return string(c.Name)
	}
	return string(c.ChatbotName)
}

// decodeChatbots reads {"chatbots":[…]} (documented) or a bare array.
func decodeChatbots(raw []byte) ([]chatbot, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) > 0 && raw[0] == '{' {
		var w struct{ Chatbots json.RawMessage }
		if err := json.Unmarshal(raw, &w); err != nil {
			return nil, err
		}
		raw = bytes.TrimSpace(w.Chatbots)
	}
	if len(raw) == 0 || raw[0] != '[' {
		return nil, adapter.ErrNoList
	}
	var list []chatbot
	err := json.Unmarshal(raw, &list)
	return list, err
}

// find reads the chatbot.
func (b *Bundle) find(ctx context.Context) (chatbot, error) {
	var raw json.RawMessage
	_, err := b.http.Do(ctx, httpapi.Request{Op: "get chatbots", Method: http.MethodGet, Path: "/get-chatbots"}, &raw)
	if err != nil {
		return chatbot{}, err
	}
	list, err := decodeChatbots(raw)
	if err != nil {
		return chatbot{}, fault.New(fault.ErrIncomplete, "chatbase: get chatbots").Because(err).WithHint("check base_url")
	}
	for _, c := range list {
		if b.id != "" && c.id() == b.id {
			return c, nil
		}
	}
	return chatbot{}, fault.New(fault.ErrSetup, "chatbase: there is no chatbot %q", kb.Printable(b.id)).
		WithHint("check the id under agents, and that the API key belongs to the chatbot's account")
}

// Connect implements targets.Target; a chatbot is never created.
func (b *Bundle) Connect(ctx context.Context, _ bool) (targets.Store, error) {
	b.http.Reset()
	c, err := b.find(ctx)
	if err != nil {
		return targets.Store{}, err
	}
	return targets.Store{ID: b.id, Name: kb.Printable(c.name())}, nil
}

// SendBundle implements targets.Bundler. The request has to carry the chatbot's name and would change it (documented), so the
// present one is read first. Sending the same text twice is harmless.
func (b *Bundle) SendBundle(ctx context.Context, r targets.Rendition) targets.Result {
	b.sending.Lock()
	defer b.sending.Unlock()
	err := b.send(ctx, r)
	return targets.Result{ID: targets.RemoteID(b.id), Status: targets.StatusWorking, Err: err}
}

func (b *Bundle) send(ctx context.Context, r targets.Rendition) error {
	if r.Size > bundleBytes {
		return fault.New(fault.ErrTooLarge, "chatbase: all documents together have %d bytes, and one request takes %d", r.Size, bundleBytes).
			WithHint("use api: v2, which keeps one source for each document, or sync fewer documents")
	}
	if r.Size < 0 {
		return fault.New(fault.ErrRejected, "chatbase: the size of the text is not known")
	}
	content, err := adapter.ReadAll(ctx, r)
	if err != nil {
		return err
	}
	if !utf8.Valid(content) {
		return fault.New(fault.ErrRejected, "chatbase: the text is not UTF-8")
	}
	c, err := b.find(ctx)
	if err != nil {
		return err
	}
	if c.name() == "" {
		return fault.New(fault.ErrSetup, "chatbase: the name of the chatbot %q is not given, and sending without it would take it away", kb.Printable(b.id)).
			WithHint("use api: v2")
	}
	body, err := jsonBody(map[string]string{"chatbotId": b.id, "chatbotName": c.name(), "sourceText": string(content)})
	if err != nil {
		return err
	}
	var ans struct {
		ChatbotID text `json:"chatbotId"`
		ID        text `json:"id"`
	}
	_, err = b.http.Do(ctx, httpapi.Request{Op: "update chatbot data", Method: http.MethodPost, Path: "/update-chatbot-data", Body: body}, &ans)
	if err != nil {
		return err
	}
	if string(ans.ChatbotID) != b.id && string(ans.ID) != b.id {
		return fault.New(fault.ErrUnknown, "chatbase: update chatbot data: the answer does not name the chatbot").WithHint("the next pass sends the text again")
	}
	return nil
}

// BundleStatus implements targets.Bundler.
func (b *Bundle) BundleStatus(ctx context.Context) (targets.Remote, error) {
	c, err := b.find(ctx)
	if err != nil {
		return targets.Remote{}, err
	}
	r := targets.Remote{ID: targets.RemoteID(b.id), Name: c.name(), Size: -1, Word: kb.Printable(string(c.Status)), Status: targets.StatusWorking}
	switch strings.ToLower(string(c.Status)) {
	case "ready":
		r.Status = targets.StatusDone
	case "failed":
		r.Status, r.Detail = targets.StatusFailed, "training failed, the vendor gives no reason"
	}
	return r, nil
}

// List implements targets.Target: the vendor does not say what a chatbot holds.
func (b *Bundle) List(context.Context, func(targets.Remote) error) error { return nil }

var errBundled = fault.New(fault.ErrUnsupported, "chatbase: with api: v1 all documents are one text").WithHint("use api: v2 for single documents")

// Upload implements targets.Target.
func (b *Bundle) Upload(_ context.Context, batch []targets.Rendition) ([]targets.Result, error) {
	return adapter.Fail(make([]targets.Result, len(batch)), errBundled), errBundled
}

// Delete implements targets.Target.
func (b *Bundle) Delete(_ context.Context, ids []targets.RemoteID) ([]targets.Result, error) {
	return adapter.Fail(results(ids), errBundled), errBundled
}

// Traffic implements targets.Metered.
func (b *Bundle) Traffic() (requests, bytesSent int64) { return b.http.Traffic() }

// Place implements targets.Placed.
func (b *Bundle) Place() string { return b.cfg.place(b.id) }

// Close implements targets.Target.
func (b *Bundle) Close() error { return b.http.Close() }
