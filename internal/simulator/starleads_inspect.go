package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// inspector adds to the common inspection what a Starleads simulator holds.
func (s *Starleads) inspector() http.Handler {
	mux := s.inspection()
	mux.HandleFunc("GET /_sim/documents", s.inspectDocuments)
	mux.HandleFunc("POST /_sim/documents", s.inspectPut)
	mux.HandleFunc("GET /_sim/content/{id}", s.inspectContent)
	mux.HandleFunc("GET /_sim/datasets", func(w http.ResponseWriter, _ *http.Request) {
		jsonAnswer(http.StatusOK, s.Datasets()).write(w)
	})
	mux.HandleFunc("GET /_sim/agents", s.inspectAgents)
	mux.HandleFunc("POST /_sim/agents", s.inspectAddAgent)
	return mux
}

func (s *Starleads) inspectDocuments(w http.ResponseWriter, _ *http.Request) {
	type item struct {
		ID          string    `json:"id"`
		Dataset     string    `json:"dataset"`
		DatasetName string    `json:"datasetName"`
		Name        string    `json:"name"`
		Size        int       `json:"size"`
		SHA256      string    `json:"sha256"`
		Status      string    `json:"status"`
		Searchable  bool      `json:"searchable"`
		ChunkMethod string    `json:"chunkMethod"`
		Created     time.Time `json:"created"`
	}
	names := s.Datasets()
	items := []item{}
	for _, d := range s.Documents() {
		sum := sha256.Sum256(d.Content)
		items = append(items, item{
			ID: d.ID, Dataset: d.Dataset, DatasetName: names[d.Dataset], Name: d.Name, Size: len(d.Content),
			SHA256: hex.EncodeToString(sum[:]), Status: d.Status, Searchable: d.Searchable, ChunkMethod: d.ChunkMethod,
			Created: d.Created,
		})
	}
	jsonAnswer(http.StatusOK, items).write(w)
}

// inspectPut stores a foreign document: JSON {"dataset","name","text","status"?}, or a multipart form with the fields
// dataset, status (optional) and a file of any field name.
func (s *Starleads) inspectPut(w http.ResponseWriter, r *http.Request) {
	var doc struct {
		Dataset string `json:"dataset"`
		Name    string `json:"name"`
		Text    string `json:"text"`
		Status  string `json:"status"`
	}
	var content []byte
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		r.Body = http.MaxBytesReader(w, r.Body, maxInspectBody)
		name, data, err := formFile(r)
		if err != nil {
			problem(http.StatusBadRequest, "%v", err).write(w)
			return
		}
		doc.Dataset, doc.Status, doc.Name, content = r.FormValue("dataset"), r.FormValue("status"), name, data
	} else {
		if err := readStrict(w, r, &doc); err != nil {
			problem(http.StatusBadRequest, "%v", err).write(w)
			return
		}
		content = []byte(doc.Text)
	}
	if doc.Dataset == "" || doc.Name == "" {
		problem(http.StatusBadRequest, "dataset and name are required").write(w)
		return
	}
	id := s.Put(doc.Dataset, doc.Name, content, doc.Status)
	jsonAnswer(http.StatusCreated, map[string]string{"id": id}).write(w)
}

func (s *Starleads) inspectContent(w http.ResponseWriter, r *http.Request) {
	s.lock()
	d := s.docs[r.PathValue("id")]
	s.mu.Unlock()
	if d == nil {
		problem(http.StatusNotFound, "no such document").write(w)
		return
	}
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	answer{status: http.StatusOK, header: header, body: d.content}.write(w)
}

func (s *Starleads) inspectAgents(w http.ResponseWriter, _ *http.Request) {
	type item struct {
		ID       string   `json:"id"`
		Chat     string   `json:"chat"`
		Datasets []string `json:"datasets"`
	}
	items := []item{}
	s.lock()
	for id, a := range s.agents {
		it := item{ID: id, Datasets: []string{}}
		if a.chat != nil {
			it.Chat, it.Datasets = a.chat.id, append(it.Datasets, a.chat.datasets...)
		}
		items = append(items, it)
	}
	s.mu.Unlock()
	slices.SortFunc(items, func(a, b item) int { return strings.Compare(a.ID, b.ID) })
	jsonAnswer(http.StatusOK, items).write(w)
}

// inspectAddAgent makes an agent exist: {"id"}, and with "chat" connects it to the chat of that name as a human would.
func (s *Starleads) inspectAddAgent(w http.ResponseWriter, r *http.Request) {
	var body struct {
		ID   string `json:"id"`
		Chat string `json:"chat"`
	}
	err := readStrict(w, r, &body)
	if err == nil && body.ID == "" {
		err = errors.New("id is required")
	}
	if err != nil {
		problem(http.StatusBadRequest, "%v", err).write(w)
		return
	}
	s.AddAgent(body.ID)
	out := map[string]string{"id": body.ID}
	if body.Chat != "" {
		out["chat"] = s.Connect(body.ID, body.Chat)
	}
	jsonAnswer(http.StatusCreated, out).write(w)
}
