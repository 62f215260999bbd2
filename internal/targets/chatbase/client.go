package chatbase

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// errBusy is in the errors that say that a source is being trained; such a request may be sent again later.
var errBusy = errors.New("busy")

// client makes the requests to the two hosts with one key. A key that one of them refuses is not shown to the other one again.
type client struct {
	agent  string
	json   *httpapi.Client
	files  *httpapi.Client       // one try each: every try takes a turn of the account
	denied atomic.Pointer[error] // what every further request of this pass fails with
}

// newHTTP is the client of one host.
func (c *Config) newHTTP(base string, tries int, o targets.Options) (*httpapi.Client, error) {
	h := adapter.ClientOptions("chatbase", &c.Common, o)
	h.BaseURL, h.Header, h.Scheme, h.MaxTries = base, "Authorization", "Bearer ", tries
	return httpapi.New(h)
}

func (c *Config) newClient(o targets.Options) (*client, error) {
	json, err := c.newHTTP(c.base(), 0, o)
	if err != nil {
		return nil, err
	}
	files, err := c.newHTTP(c.FilesURL, 1, o)
	if err != nil {
		_ = json.Close()
		return nil, err
	}
	return &client{agent: o.Agent, json: json, files: files}, nil
}

// reset begins a new pass.
func (c *client) reset() {
	c.json.Reset()
	c.files.Reset()
	c.denied.Store(nil)
}

func (c *client) close() error { return errors.Join(c.json.Close(), c.files.Close()) }

// agentPath is the path of the agent and what is below it; every segment is escaped.
func (c *client) agentPath(more ...string) (string, error) {
	p, err := httpapi.Path(append([]string{"agents", c.agent}, more...)...)
	if err != nil {
		return "", fault.New(fault.ErrRejected, "chatbase").Because(err)
	}
	return p, nil
}

func (c *client) do(ctx context.Context, by *httpapi.Client, r httpapi.Request, out any) (httpapi.Answer, error) {
	if p := c.denied.Load(); p != nil {
		return httpapi.Answer{}, *p
	}
	ans, err := by.Do(ctx, r, out)
	if err = c.judge(err); errors.Is(err, fault.ErrDenied) {
		c.denied.CompareAndSwap(nil, &err)
	}
	return ans, err
}

// get reads something below the agent.
func (c *client) get(ctx context.Context, op string, query url.Values, out any, more ...string) error {
	p, err := c.agentPath(more...)
	if err != nil {
		return err
	}
	_, err = c.do(ctx, c.json, httpapi.Request{Op: op, Method: http.MethodGet, Path: p, Query: query}, out)
	return err
}

// verdict is what one of the vendor's codes means.
type verdict struct {
	class error
	hint  string
	busy  bool
}

const (
	keyHint   = "make a new key in the Chatbase dashboard under Workspace settings, API keys"
	scopeHint = "give the key the scopes agents:read, sources:read, sources:write and sources:delete"
)

// verdicts are the documented codes that say more than the status, and those that the vendor's own tool knows.
var verdicts = map[string]verdict{
	"AUTH_MISSING_API_KEY":             {class: fault.ErrDenied},
	"AUTH_INVALID_API_KEY":             {class: fault.ErrDenied},
	"AUTH_EXPIRED_API_KEY":             {class: fault.ErrDenied, hint: keyHint},
	"API_KEY_EXPIRED":                  {class: fault.ErrDenied, hint: keyHint},
	"AUTH_INSUFFICIENT_PERMISSIONS":    {class: fault.ErrDenied, hint: scopeHint},
	"PERMISSION_DENIED":                {class: fault.ErrDenied, hint: scopeHint},
	"SUBSCRIPTION_API_RESTRICTED_PLAN": {class: fault.ErrDenied, hint: "the API needs Chatbase's Standard plan or above; upgrade the workspace of this key"},
	"AGENT_NOT_FOUND":                  {class: fault.ErrSetup, hint: "check the agent's id, and that the key belongs to its workspace"},
	"SOURCE_NOT_FOUND":                 {class: fault.ErrNotFound},
	"SOURCE_PENDING_DELETION":          {class: fault.ErrNotFound},
	"SOURCE_ALREADY_PENDING_DELETION":  {class: fault.ErrNotFound},
	"SOURCE_IS_TRAINING":               {class: fault.ErrConflict, busy: true},
	"SOURCE_SIZE_LIMIT_EXCEEDED":       {class: fault.ErrQuota},
	codeLinkLimit:                      {class: fault.ErrQuota, hint: "upgrade the plan, or send this agent fewer links"},
}

// codeLinkLimit was met by others: the agent takes no more links, which says nothing about texts and files.
const codeLinkLimit = "SOURCE_LINK_LIMIT_EXCEEDED"

func isLinkLimit(err error) bool {
	e, ok := errors.AsType[*httpapi.Error](err)
	return ok && e.Code == codeLinkLimit
}

// judge gives a refusal the class of the vendor's own word for it. What may pass later stays what it is.
func (c *client) judge(err error) error {
	e, ok := errors.AsType[*httpapi.Error](err)
	if !ok || e.Code == "" {
		return err
	}
	if _, passing := errors.AsType[*fault.RetryAfter](err); passing || errors.Is(err, fault.ErrUnknown) {
		return err
	}
	v, known := verdicts[e.Code]
	if !known {
		if e.Status != http.StatusUnprocessableEntity || !strings.Contains(e.Code, "LIMIT") && !strings.Contains(e.Code, "STORAGE") {
			return err
		}
		v = verdict{class: fault.ErrQuota}
	}
	out := *e
	out.Class = v.class
	if errors.Is(v.class, fault.ErrSetup) {
		v.hint = "there is no agent " + kb.Printable(c.agent) + "; " + v.hint
	}
	if v.hint != "" {
		out.Detail = strings.TrimSuffix(out.Detail, ".") + "; " + v.hint
	}
	if v.busy {
		out.Err = errBusy
	}
	return &out
}
