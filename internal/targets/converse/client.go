package converse

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// guessed are the routes whose verb or answer the vendor does not document. Each may be overridden.
var guessed = map[string]string{
	"agent_documents": "GET /knowledge/agent/{agent_id}",
	"unassign":        "DELETE /knowledge/agent/{agent_id}/assign/{doc_id}",
}

// documented are the routes that the vendor documents (API reference).
var documented = map[string]targets.Route{
	"list":       {Method: http.MethodGet, Path: "/knowledge"},
	"upload":     {Method: http.MethodPost, Path: "/knowledge/upload"},
	"ingest":     {Method: http.MethodPost, Path: "/knowledge/ingest-text"},
	"ingest_url": {Method: http.MethodPost, Path: "/knowledge/ingest-url"},
	"query":      {Method: http.MethodPost, Path: "/knowledge/query"},
	"reindex":    {Method: http.MethodPost, Path: "/knowledge/{id}/reindex"},
	"delete":     {Method: http.MethodDelete, Path: "/knowledge/{id}"},
	"chunks":     {Method: http.MethodGet, Path: "/knowledge/{id}/chunks"},
	"assign":     {Method: http.MethodPost, Path: "/knowledge/agent/{agent_id}/assign/{doc_id}"},
	"agents":     {Method: http.MethodGet, Path: "/agents"},
	"agent":      {Method: http.MethodGet, Path: "/agents/{agent_id}"},
}

// request fills a route's placeholders.
func (t *Target) request(op, name string, v adapter.Vars) (httpapi.Request, error) {
	r, err := adapter.Request("converse", op, t.routes[name], v)
	r.Query = url.Values{}
	if t.cfg.Mode == modeTest {
		r.Query.Set("mode", modeTest)
	}
	return r, err
}

// call makes a request that may be repeated and gives the answer's body.
func (t *Target) call(ctx context.Context, op, name string, v adapter.Vars, in any) ([]byte, error) {
	r, err := t.request(op, name, v)
	if err != nil {
		return nil, err
	}
	r.JSON = in
	return t.do(ctx, name, r)
}

func (t *Target) do(ctx context.Context, name string, r httpapi.Request) ([]byte, error) {
	ans, err := t.http.Do(ctx, r, nil)
	return ans.Body, t.unrouted(r.Op, name, err)
}

// unrouted words the refusal of a verb.
func (t *Target) unrouted(op, name string, err error) error {
	if httpapi.Status(err) != http.StatusMethodNotAllowed {
		return err
	}
	e := fault.New(fault.ErrSetup, "converse: %s: the vendor does not know this route", op).Because(err)
	if _, ok := guessed[name]; ok {
		return e.WithHint("set routes.%s", name)
	}
	return e.WithHint("check base_url")
}

// isGone tells that the vendor does not know the object.
func isGone(err error) bool { return errors.Is(err, fault.ErrNotFound) }

// isBusy tells that the object is in the wanted state or on its way there.
func isBusy(err error) bool { return httpapi.Status(err) == http.StatusConflict }
