package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"time"
)

// agentStore is a simulator of one store whose agents hold single documents.
type agentStore interface {
	Documents() []Document
	Put(name string, content []byte) (id string)
	Agents() []string
	AddAgent(id string)
	Held(agent string) []string
	Give(agent, id string)
	Retrieve(agent, marker string) []string
}

// agentInspection adds to the common inspection what such a store holds:
//
//	GET  /_sim/documents                  every document
//	POST /_sim/documents                  {"name","text"} stores a foreign one
//	GET  /_sim/content/{id}               its bytes
//	GET  /_sim/agents                     every agent with the ids that it holds
//	POST /_sim/agents                     {"id"} makes one; "give" names a document that a human gives to it
//	GET  /_sim/retrieve?agent=&marker=    names of live documents with this marker
//	POST /_sim/pages                      {"address","text"} says what stands there; "broken" that nothing can be fetched
func (f *front) agentInspection(s agentStore, p *pages) http.Handler {
	mux := f.inspection()
	mux.HandleFunc("POST /_sim/pages", p.inspectPage)
	mux.HandleFunc("GET /_sim/documents", func(w http.ResponseWriter, _ *http.Request) {
		inspectStored(w, s.Documents())
	})
	mux.HandleFunc("POST /_sim/documents", func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Name, Text string }
		err := readStrict(w, r, &body)
		if err == nil && body.Name == "" {
			err = errors.New("name is required")
		}
		if err != nil {
			problem(http.StatusBadRequest, "%v", err).write(w)
			return
		}
		jsonAnswer(http.StatusCreated, map[string]string{"id": s.Put(body.Name, []byte(body.Text))}).write(w)
	})
	mux.HandleFunc("GET /_sim/content/{id}", func(w http.ResponseWriter, r *http.Request) {
		for _, d := range s.Documents() {
			if d.ID == r.PathValue("id") {
				header := http.Header{"Content-Type": {"application/octet-stream"}}
				answer{status: http.StatusOK, header: header, body: d.Content}.write(w)
				return
			}
		}
		problem(http.StatusNotFound, "no such document").write(w)
	})
	mux.HandleFunc("GET /_sim/agents", func(w http.ResponseWriter, _ *http.Request) { inspectHoldings(w, s) })
	mux.HandleFunc("POST /_sim/agents", func(w http.ResponseWriter, r *http.Request) {
		var body struct{ ID, Give string }
		err := readStrict(w, r, &body)
		if err == nil && body.ID == "" {
			err = errors.New("id is required")
		}
		if err != nil {
			problem(http.StatusBadRequest, "%v", err).write(w)
			return
		}
		s.AddAgent(body.ID)
		if body.Give != "" {
			s.Give(body.ID, body.Give)
		}
		jsonAnswer(http.StatusCreated, map[string]string{"id": body.ID}).write(w)
	})
	mux.HandleFunc("GET /_sim/retrieve", func(w http.ResponseWriter, r *http.Request) {
		names := s.Retrieve(r.URL.Query().Get("agent"), r.URL.Query().Get("marker"))
		jsonAnswer(http.StatusOK, append([]string{}, names...)).write(w)
	})
	return mux
}

func inspectStored(w http.ResponseWriter, docs []Document) {
	type item struct {
		ID         string    `json:"id"`
		Name       string    `json:"name"`
		Size       int       `json:"size"`
		SHA256     string    `json:"sha256"`
		Status     string    `json:"status"`
		Searchable bool      `json:"searchable"`
		Created    time.Time `json:"created"`
	}
	items := []item{}
	for _, d := range docs {
		sum := sha256.Sum256(d.Content)
		items = append(items, item{
			ID: d.ID, Name: d.Name, Size: len(d.Content), SHA256: hex.EncodeToString(sum[:]), Status: d.Status,
			Searchable: d.Searchable, Created: d.Created,
		})
	}
	jsonAnswer(http.StatusOK, items).write(w)
}

func inspectHoldings(w http.ResponseWriter, s agentStore) {
	type item struct {
		ID        string   `json:"id"`
		Documents []string `json:"documents"`
	}
	items := []item{}
	agents := s.Agents()
	slices.Sort(agents)
	for _, id := range agents {
		items = append(items, item{ID: id, Documents: append([]string{}, s.Held(id)...)})
	}
	jsonAnswer(http.StatusOK, items).write(w)
}
