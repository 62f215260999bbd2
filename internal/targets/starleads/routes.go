package starleads

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kbsyncd/internal/contract"
	"kbsyncd/internal/targets"
)

// published is where the vendor's pages say that they take their reference from.
const published = "https://docs.starleads.co/api-reference/openapi.json"

const (
	tagDataset  = "Dataset"
	tagDocument = "Document"
	tagChat     = "KnowledgeBaseChat"
	tagAgent    = "Agent"
	tagGraph    = "KnowledgeGraph"
)

// known are all requests of the client. Those of datasets, documents and the graph that are guessed are inferred from one-line
// summaries in the vendor's index and from its neighbouring pages, so each may be overridden; the others are documented
// (api-reference/dataset, /document, /knowledgebasechat, /agent).
var known = []contract.Assumption{
	guess("dataset_list", "GET /Dataset", tagDataset, "PageNumber PageSize", ""),
	guess("dataset_get", "GET /Dataset/{datasetId}", tagDataset, "", ""),
	documented("dataset_create", "POST /Dataset", tagDataset, "name chunkMethod parserConfig"),
	documented("dataset_update", "PATCH /Dataset/{datasetId}", tagDataset, "chunkMethod parserConfig"),
	documented("document_upload", "POST /Dataset/{datasetId}/document", tagDocument, "files"),
	guess("document_list", "GET /Dataset/{datasetId}/document", tagDocument, "PageNumber PageSize Keywords", ""),
	guess("document_update", "PATCH /Dataset/{datasetId}/document/{documentId}", tagDocument, "", "name"),
	guess("document_delete", "DELETE /Dataset/{datasetId}/document/{documentId}", tagDocument, "", ""),
	guess("document_download", "GET /Dataset/{datasetId}/document/{documentId}/download", tagDocument, "", ""),
	guess("document_parse", "POST /Dataset/{datasetId}/document/parse", tagDocument, "", "documentIds"),
	guess("document_stop", "POST /Dataset/{datasetId}/document/stop-parsing", tagDocument, "", "documentIds"),
	guess("chat_list", "GET /KnowledgeBaseChat", tagChat, "PageNumber PageSize", ""),
	documented("chat_create", "POST /KnowledgeBaseChat", tagChat, "name datasetIds"),
	documented("chat_get", "GET /KnowledgeBaseChat/{chatId}", tagChat, ""),
	documented("chat_update", "PATCH /KnowledgeBaseChat/{chatId}", tagChat, "datasetIds"),
	documented("agent_get", "GET /Agent/{agentId}/chat", tagAgent, ""),
	documented("agent_connect", "PUT /Agent/{agentId}/chat", tagAgent, "chatId"),
	documented("agent_detach", "DELETE /Agent/{agentId}/chat", tagAgent, ""),
	guess("graph_enable", "POST /Dataset/{datasetId}/knowledge-graph/enable", tagGraph, "", "entityTypes"),
	guess("graph_build", "POST /Dataset/{datasetId}/knowledge-graph/build", tagGraph, "", ""),
	guess("graph_status", "GET /Dataset/{datasetId}/knowledge-graph/status", tagGraph, "", ""),
	guess("graph_get", "GET /Dataset/{datasetId}/knowledge-graph", tagGraph, "", ""),
	guess("graph_delete", "DELETE /Dataset/{datasetId}/knowledge-graph", tagGraph, "", ""),
}

func guess(name, route, tag, query, body string) contract.Assumption {
	a := documented(name, route, tag, body)
	a.Guessed, a.Query = true, strings.Fields(query)
	return a
}

func documented(name, route, tag, body string) contract.Assumption {
	method, path, _ := strings.Cut(route, " ")
	return contract.Assumption{Name: name, Method: method, Path: path, Tags: []string{tag}, Body: strings.Fields(body)}
}

// defaultRoutes are the guessed ones, by name.
var defaultRoutes = func() map[string]string {
	out := map[string]string{}
	for _, a := range known {
		if a.Guessed {
			out[a.Name] = a.Route()
		}
	}
	return out
}()

// Contract implements targets.Contracted.
func (c *Config) Contract() contract.Contract {
	out := contract.Contract{
		Vendor: "starleads", Published: published, Where: c.OpenAPI, Base: c.BaseURL, Routes: slices.Clone(known), Auto: c.Routes.Auto(),
	}
	if out.Auto {
		return out
	}
	out.Given = maps.Clone(c.Routes)
	for i, a := range out.Routes {
		if r, msg, _ := targets.ParseRoute(a.Name, c.Routes[a.Name], defaultRoutes); msg == "" {
			out.Routes[i].Method, out.Routes[i].Path = r.Method, r.Path
		}
	}
	return out
}

// routing gives all routes by name, with some of the guessed ones replaced.
func routing(instead map[string]string) (map[string]targets.Route, error) {
	out := map[string]targets.Route{}
	for _, a := range known {
		out[a.Name] = targets.Route{Method: a.Method, Path: a.Path}
		if text, given := instead[a.Name]; given {
			r, msg, _ := targets.ParseRoute(a.Name, text, defaultRoutes)
			if msg != "" {
				return nil, fmt.Errorf("starleads: routes.%s: %s", a.Name, msg)
			}
			out[a.Name] = r
		}
	}
	return out, nil
}

func (t *Target) route(name string) targets.Route {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.routes[name]
}

// follow takes the routes of the vendor's document when routes is auto. The caller holds t.connecting.
func (t *Target) follow(ctx context.Context) {
	if t.follower == nil {
		return
	}
	instead := t.follower.Routes(ctx)
	routes, err := routing(instead)
	if err != nil {
		t.log.Warn("the routes of the vendor's document cannot be used; the known routes stand", "err", err)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(instead)) {
		if r := routes[name]; r != t.routes[name] {
			t.log.Info("a route is taken from the vendor's document", "name", name, "route", r.Method+" "+r.Path, "document", t.cfg.OpenAPI)
		}
	}
	t.routes = routes
}

// remedy is what to do about a guessed route that the vendor does not seem to have.
func remedy(name string) string {
	return "run kbsyncd check --connect to compare the routes with the vendor's document, then set routes." + name + " or routes: auto"
}
