package simulator

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"time"
)

// inspector adds to the common inspection what a Chatbase simulator holds:
//
//	GET  /_sim/documents                every source
//	POST /_sim/documents                {"agent","name","text"} stores a foreign one
//	GET  /_sim/content/{id}             its newest content; ?live=1 what the agent answers from
//	GET  /_sim/agents                   every agent, with what v1 gave it
//	POST /_sim/agents                   {"id","name"} makes one
//	POST /_sim/retrain                  {"agent"} trains one as the dashboard does
//	GET  /_sim/retrieve?agent=&marker=  names of live sources with this marker
//	POST /_sim/pages                    {"address","text"} says what stands there; "broken" that nothing can be fetched
func (s *Chatbase) inspector() http.Handler {
	mux := s.inspection()
	mux.HandleFunc("POST /_sim/pages", s.inspectPage)
	mux.HandleFunc("GET /_sim/documents", s.inspectSources)
	mux.HandleFunc("POST /_sim/documents", s.inspectPut)
	mux.HandleFunc("GET /_sim/content/{id}", s.inspectContent)
	mux.HandleFunc("GET /_sim/agents", s.inspectAgents)
	mux.HandleFunc("POST /_sim/agents", s.inspectAddAgent)
	mux.HandleFunc("POST /_sim/retrain", s.inspectRetrain)
	mux.HandleFunc("GET /_sim/retrieve", func(w http.ResponseWriter, r *http.Request) {
		names := s.Retrieve(r.URL.Query().Get("agent"), r.URL.Query().Get("marker"))
		jsonAnswer(http.StatusOK, append([]string{}, names...)).write(w)
	})
	return mux
}

func (s *Chatbase) inspectSources(w http.ResponseWriter, _ *http.Request) {
	type item struct {
		ID      string    `json:"id"`
		Agent   string    `json:"agent"`
		Type    string    `json:"type"`
		Name    string    `json:"name"`
		Size    int       `json:"size"`
		SHA256  string    `json:"sha256"`
		Status  string    `json:"status"`
		Live    bool      `json:"live"`    // the agent answers from it, perhaps from an older version
		Current bool      `json:"current"` // the agent answers from this version
		Foreign bool      `json:"foreign"`
		Created time.Time `json:"created"`
	}
	items := []item{}
	for _, d := range s.Documents() {
		sum := sha256.Sum256(d.Content)
		items = append(items, item{
			ID: d.ID, Agent: d.Agent, Type: d.Type, Name: d.Name, Size: len(d.Content), SHA256: hex.EncodeToString(sum[:]),
			Status: d.Status, Live: d.IsLive, Current: d.LiveCurrent, Foreign: d.Foreign, Created: d.Created,
		})
	}
	jsonAnswer(http.StatusOK, items).write(w)
}

func (s *Chatbase) inspectPut(w http.ResponseWriter, r *http.Request) {
	var body struct{ Agent, Name, Text string }
	err := readStrict(w, r, &body)
	if err == nil && (body.Agent == "" || body.Name == "") {
		err = errors.New("agent and name are required")
	}
	if err != nil {
		problem(http.StatusBadRequest, "%v", err).write(w)
		return
	}
	id := s.Put(body.Agent, body.Name, []byte(body.Text))
	jsonAnswer(http.StatusCreated, map[string]string{"id": id}).write(w)
}

func (s *Chatbase) inspectContent(w http.ResponseWriter, r *http.Request) {
	for _, d := range s.Documents() {
		content := d.Content
		if r.URL.Query().Get("live") != "" {
			content = d.Live
		}
		if d.ID == r.PathValue("id") && content != nil {
			header := http.Header{"Content-Type": {"application/octet-stream"}}
			answer{status: http.StatusOK, header: header, body: content}.write(w)
			return
		}
	}
	problem(http.StatusNotFound, "no such content").write(w)
}

func (s *Chatbase) inspectAgents(w http.ResponseWriter, _ *http.Request) {
	type bundle struct {
		Live    string `json:"live"`
		Pending string `json:"pending"`
		Status  string `json:"status"`
	}
	type item struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		Sources int    `json:"sources"`
		V1      bundle `json:"v1"`
	}
	items := []item{}
	s.lock()
	for _, a := range s.agents {
		b := a.bundle
		items = append(items, item{
			ID: a.id, Name: a.name, Sources: len(a.sources), V1: bundle{Live: b.live, Pending: b.pending, Status: b.status},
		})
	}
	s.mu.Unlock()
	jsonAnswer(http.StatusOK, items).write(w)
}

func (s *Chatbase) inspectAddAgent(w http.ResponseWriter, r *http.Request) {
	var body struct{ ID, Name string }
	err := readStrict(w, r, &body)
	if err == nil && body.ID == "" {
		err = errors.New("id is required")
	}
	if err != nil {
		problem(http.StatusBadRequest, "%v", err).write(w)
		return
	}
	s.AddAgent(body.ID, cmp.Or(body.Name, body.ID))
	jsonAnswer(http.StatusCreated, map[string]string{"id": body.ID}).write(w)
}

func (s *Chatbase) inspectRetrain(w http.ResponseWriter, r *http.Request) {
	var body struct{ Agent string }
	if err := readStrict(w, r, &body); err != nil {
		problem(http.StatusBadRequest, "%v", err).write(w)
		return
	}
	if !s.retrain(r.Context(), body.Agent) {
		problem(http.StatusConflict, "no such agent, or it is being trained").write(w)
		return
	}
	noContent().write(w)
}
