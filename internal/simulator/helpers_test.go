package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

const testKey = "key-for-tests"

// rig is a simulator with a plain HTTP client before it.
type rig struct {
	t    *testing.T
	s    *Starleads
	base string
	do   func(*http.Request) (*http.Response, error)
}

// newRig serves a simulator over real HTTP.
func newRig(t *testing.T, o StarleadsOptions) *rig {
	t.Helper()
	o.Key = testKey
	s := NewStarleads(o)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Cleanup(s.Close)
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &rig{t: t, s: s, base: server.URL, do: client.Do}
}

// newBubbleRig calls the simulator directly, for tests in a synctest bubble, where no network is allowed.
func newBubbleRig(t *testing.T, o StarleadsOptions) *rig {
	t.Helper()
	o.Key = testKey
	s := NewStarleads(o)
	return &rig{t: t, s: s, base: "http://sim", do: func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Result(), nil
	}}
}

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
	err    error // of the request, or of reading the answer
}

func (r *rig) send(method, path, contentType, body string) reply {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.base+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", testKey)
	req.Header.Set("User-Agent", "test/1")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return r.finish(req)
}

func (r *rig) finish(req *http.Request) reply {
	r.t.Helper()
	resp, err := r.do(req)
	if err != nil {
		return reply{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return reply{status: resp.StatusCode, header: resp.Header, body: string(b), err: err}
}

// call sends a JSON request, or one without a body, and wants a status.
func (r *rig) call(want int, method, path, body string) reply {
	r.t.Helper()
	contentType := ""
	if body != "" {
		contentType = "application/json"
	}
	got := r.send(method, path, contentType, body)
	r.want(want, got)
	return got
}

func (r *rig) want(want int, got reply) {
	r.t.Helper()
	if got.err != nil || got.status != want {
		r.t.Fatalf("status %d, error %v, want %d: %s", got.status, got.err, want, got.body)
	}
	if want >= 400 {
		var p problemDetails
		if err := json.Unmarshal([]byte(got.body), &p); err != nil || p.Status != want || p.Type == "" || p.Title == "" || p.Detail == "" {
			r.t.Fatalf("not a problem body: %s", got.body)
		}
		if !strings.HasPrefix(got.header.Get("Content-Type"), "application/problem+json") {
			r.t.Fatalf("content type %q", got.header.Get("Content-Type"))
		}
	}
}

func decodeInto[T any](t *testing.T, body string) T {
	t.Helper()
	var v T
	dec := json.NewDecoder(strings.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return v
}

type object = map[string]any

func (r *rig) dataset(name string) (id string) {
	r.t.Helper()
	got := r.call(http.StatusCreated, "POST", "/Dataset", fmt.Sprintf(`{"name":%q}`, name))
	return fmt.Sprint(decodeInto[object](r.t, got.body)["id"])
}

// files encodes names and contents, given by turns, as an upload.
func files(field string, pairs ...string) (contentType, body string) {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for i := 0; i < len(pairs); i += 2 {
		part, _ := w.CreateFormFile(field, pairs[i])
		_, _ = io.WriteString(part, pairs[i+1])
	}
	_ = w.Close()
	return w.FormDataContentType(), buf.String()
}

func (r *rig) sendFiles(ds string, pairs ...string) reply {
	r.t.Helper()
	contentType, body := files("files", pairs...)
	return r.send("POST", "/Dataset/"+ds+"/document", contentType, body)
}

// upload stores files and returns their ids in the order of the answer.
func (r *rig) upload(ds string, pairs ...string) (ids []string) {
	r.t.Helper()
	got := r.sendFiles(ds, pairs...)
	r.want(http.StatusOK, got)
	for _, d := range decodeInto[[]object](r.t, got.body) {
		ids = append(ids, fmt.Sprint(d["id"]))
	}
	return ids
}

func (r *rig) parse(want int, ds string, ids ...string) reply {
	r.t.Helper()
	b, _ := json.Marshal(map[string][]string{"documentIds": ids})
	return r.call(want, "POST", "/Dataset/"+ds+"/document/parse", string(b))
}

// statuses returns the status of each document by name.
func (r *rig) statuses() map[string]string {
	out := map[string]string{}
	for _, d := range r.s.Documents() {
		out[d.Name] = d.Status
	}
	return out
}

func (r *rig) names() (names []string) {
	for _, d := range r.s.Documents() {
		names = append(names, d.Name)
	}
	return names
}

func (r *rig) wantNames(want ...string) {
	r.t.Helper()
	if got := r.names(); !slices.Equal(got, want) {
		r.t.Fatalf("documents %q, want %q", got, want)
	}
}

// wantViolation wants that one was recorded with this text.
func (r *rig) wantViolation(text string) {
	r.t.Helper()
	for _, v := range r.s.Violations() {
		if strings.Contains(v, text) {
			return
		}
	}
	r.t.Fatalf("no violation %q in %q", text, r.s.Violations())
}

func (r *rig) wantNoViolations() {
	r.t.Helper()
	if got := r.s.Violations(); len(got) > 0 {
		r.t.Fatalf("violations: %q", got)
	}
}
