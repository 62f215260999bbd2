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

// client is a plain HTTP client before one simulator.
type client struct {
	t       *testing.T
	front   *front
	base    string
	auth    [2]string // name and value of the header with the key
	do      func(*http.Request) (*http.Response, error)
	problem func(t *testing.T, got reply) // checks the body of an error that a vendor answers
}

// served serves a simulator over real HTTP.
func (c *client) served(h http.Handler) {
	c.t.Helper()
	server := httptest.NewServer(h)
	c.t.Cleanup(server.Close)
	c.t.Cleanup(c.front.Close)
	hc := server.Client()
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.base, c.do = server.URL, hc.Do
}

// called calls a simulator directly, for tests in a synctest bubble, where no network is allowed.
func (c *client) called(h http.Handler) {
	c.base = "http://sim"
	c.do = func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result(), nil
	}
}

// rig is a Starleads simulator with a client before it.
type rig struct {
	*client

	s *Starleads
}

func makeRig(t *testing.T, o StarleadsOptions) *rig {
	t.Helper()
	o.Key = testKey
	s := NewStarleads(o)
	return &rig{s: s, client: &client{
		t: t, front: s.front, auth: [2]string{"X-Api-Key", testKey}, problem: wantProblemDetails,
	}}
}

// newRig serves a simulator over real HTTP.
func newRig(t *testing.T, o StarleadsOptions) *rig {
	t.Helper()
	r := makeRig(t, o)
	r.served(r.s)
	return r
}

// newBubbleRig calls the simulator directly.
func newBubbleRig(t *testing.T, o StarleadsOptions) *rig {
	t.Helper()
	r := makeRig(t, o)
	r.called(r.s)
	return r
}

func wantProblemDetails(t *testing.T, got reply) {
	t.Helper()
	var p problemDetails
	if err := json.Unmarshal([]byte(got.body), &p); err != nil || p.Status != got.status || p.Type == "" || p.Title == "" || p.Detail == "" {
		t.Fatalf("not a problem body: %s", got.body)
	}
	if !strings.HasPrefix(got.header.Get("Content-Type"), "application/problem+json") {
		t.Fatalf("content type %q", got.header.Get("Content-Type"))
	}
}

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
	err    error // of the request, or of reading the answer
}

func (c *client) send(method, path, contentType, body string) reply {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set(c.auth[0], c.auth[1])
	req.Header.Set("User-Agent", "test/1")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return c.finish(req)
}

func (c *client) finish(req *http.Request) reply {
	c.t.Helper()
	resp, err := c.do(req)
	if err != nil {
		return reply{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return reply{status: resp.StatusCode, header: resp.Header, body: string(b), err: err}
}

// call sends a JSON request, or one without a body, and wants a status.
func (c *client) call(want int, method, path, body string) reply {
	c.t.Helper()
	contentType := ""
	if body != "" {
		contentType = "application/json"
	}
	got := c.send(method, path, contentType, body)
	c.want(want, got)
	return got
}

func (c *client) want(want int, got reply) {
	c.t.Helper()
	if got.err != nil || got.status != want {
		c.t.Fatalf("status %d, error %v, want %d: %s", got.status, got.err, want, got.body)
	}
	if want >= 400 && c.problem != nil {
		c.problem(c.t, got)
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
func (c *client) wantViolation(text string) {
	c.t.Helper()
	for _, v := range c.front.Violations() {
		if strings.Contains(v, text) {
			return
		}
	}
	c.t.Fatalf("no violation %q in %q", text, c.front.Violations())
}

func (c *client) wantNoViolations() {
	c.t.Helper()
	if got := c.front.Violations(); len(got) > 0 {
		c.t.Fatalf("violations: %q", got)
	}
}
