package chatbase

import (
	"context"
	"maps"
	"strings"
	"sync"

	"kbsyncd/internal/contract"
	"kbsyncd/internal/fault"
	"kbsyncd/internal/targets"
)

// published is the vendor's own document of v2 (documented). It leaves out the host of file sources.
const published = "https://www.chatbase.co/docs/api-v2-merged-openapi.json"

// known are the requests of v2 to the host that the document describes.
var known = []contract.Assumption{
	assume("agent_get", "GET /agents/{agentId}", "Agents", "", ""),
	assume("source_list", "GET /agents/{agentId}/sources", "Sources", "limit cursor type name", ""),
	assume("source_summary", "GET /agents/{agentId}/sources/summary", "Sources", "", ""),
	assume("source_get", "GET /agents/{agentId}/sources/{sourceId}", "Sources", "", ""),
	assume("source_create", "POST /agents/{agentId}/sources", "Sources", "", "type name content url linkType"),
	assume("source_update", "PUT /agents/{agentId}/sources/{sourceId}", "Sources", "", "name content"),
	assume("source_delete", "DELETE /agents/{agentId}/sources/{sourceId}", "Sources", "", ""),
	assume(routeTrain, routes[routeTrain], "Agents", "", ""),
}

func assume(name, route, tag, query, body string) contract.Assumption {
	method, path, _ := strings.Cut(route, " ")
	_, guessed := routes[name]
	return contract.Assumption{
		Name: name, Guessed: guessed, Method: method, Path: path, Tags: []string{tag}, Query: strings.Fields(query), Body: strings.Fields(body),
	}
}

// Contract implements targets.Contracted. There is no document of v1, so then nothing is assumed.
func (c *Config) Contract() contract.Contract {
	out := contract.Contract{Vendor: "chatbase", Published: published, Where: c.OpenAPI, Base: c.base(), Auto: c.Routes.Auto()}
	if c.API == apiV1 {
		out.Auto = false
		return out
	}
	for _, a := range known {
		if r, msg, _ := targets.ParseRoute(a.Name, c.Routes[a.Name], routes); msg == "" {
			a.Method, a.Path = r.Method, r.Path
		}
		out.Routes = append(out.Routes, a)
	}
	if !out.Auto {
		out.Given = maps.Clone(c.Routes)
	}
	return out
}

// checkRoutes reports problems with the settings that all targets have.
func (c *Config) checkRoutes() []fault.Invalid {
	if c.API == apiV1 {
		return targets.CheckCommon(&c.Common, routes, "settle_timeout", "max_file_size")
	}
	return targets.CheckPublished(&c.Common, c.OpenAPI, routes, "settle_timeout", "max_file_size")
}

// follow makes a target take its route from the document, when routes is auto.
func (c *Config) follow(t *Target, o targets.Options) targets.Target {
	if !c.Routes.Auto() {
		return t
	}
	return &following{Target: t, follower: &contract.Follower{Contract: c.Contract(), UserAgent: o.UserAgent, Memory: o.Memory, Log: t.log}}
}

// following is a target whose route of training is that of the vendor's document.
type following struct {
	*Target

	mu       sync.Mutex
	follower *contract.Follower // guarded by mu
}

// Connect implements targets.Target. It comes before every other call of a pass, so nobody uses the route now.
func (f *following) Connect(ctx context.Context, create bool) (targets.Store, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	text, given := f.follower.Routes(ctx)[routeTrain]
	if !given {
		text = routes[routeTrain]
	}
	if r, msg, _ := targets.ParseRoute(routeTrain, text, routes); msg == "" && r != f.route {
		f.log.Info("a route is taken from the vendor's document", "name", routeTrain, "route", text, "document", f.cfg.OpenAPI)
		f.route = r
	}
	return f.Target.Connect(ctx, create)
}
