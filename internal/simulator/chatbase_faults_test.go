package simulator

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestChatbaseFaults(t *testing.T) {
	r := newCBRig(t, ChatbaseOptions{})
	r.s.SetFaults(Faults{Next: []Fault{
		{Route: "source_create", Status: 500, AfterEffect: true},
		{Route: "file_create", Status: 503},
		{Route: "source_delete", Status: 503, Body: `{"error":{"code":"ENDPOINT_TEMPORARILY_DISABLED","message":"x"}}`},
		{Route: "v1_update", Drop: true},
	}})
	lost := r.call(500, "POST", cbSources, `{"type":"text","name":"a","content":"x"}`)
	r.wantCode(500, "INTERNAL_SERVER_ERROR", lost)
	docs := r.s.Documents()
	if len(docs) != 1 {
		t.Fatal("the creation must have had its effect", docs)
	}
	r.wantCode(503, "SERVICE_UNDER_MAINTENANCE", r.upload("POST", cbFiles, "a", "a.txt", strings.Repeat("x", 60)))
	r.wantCode(503, "ENDPOINT_TEMPORARILY_DISABLED", r.call(503, "DELETE", cbSources+"/"+docs[0].ID, ""))
	if got := r.send("POST", "/api/v1/update-chatbot-data", "application/json", "{}"); got.err == nil {
		t.Fatalf("%+v", got)
	}
	r.call(200, "DELETE", cbSources+"/"+docs[0].ID, "")
	r.wantNoViolations()
}

func TestChatbaseFaultCodes(t *testing.T) {
	r := newCBRig(t, ChatbaseOptions{})
	for status, code := range map[int]string{
		401: "AUTH_INVALID_API_KEY", 403: "AUTH_INSUFFICIENT_PERMISSIONS", 404: "NOT_FOUND", 429: "RATE_LIMIT_TOO_MANY_REQUESTS",
		500: "INTERNAL_SERVER_ERROR", 503: "SERVICE_UNDER_MAINTENANCE",
	} {
		r.s.SetFaults(Faults{Next: []Fault{{Route: "source_list", Status: status}}})
		r.wantCode(status, code, r.call(status, "GET", cbSources, ""))
	}
}

func TestChatbaseRejects(t *testing.T) {
	r := newCBRig(t, ChatbaseOptions{})
	id := r.text("a", "x")
	r.s.SetFaults(Faults{Reject: func(n string) bool { return n == "evil" }})
	r.call(400, "POST", cbSources, `{"type":"text","name":"evil","content":"x"}`)
	r.call(400, "PUT", cbSources+"/"+id, `{"name":"evil"}`)
	r.want(400, r.upload("POST", cbFiles, "evil", "a.txt", strings.Repeat("x", 60)))
	got := r.upload("POST", cbFiles, "good", "a.txt", strings.Repeat("x", 60))
	r.want(201, got)
	r.want(400, r.upload("PUT", cbFiles+"/"+decodeInto[object](t, got.body)["id"].(string), "evil", "", ""))
	if docs := r.s.Documents(); len(docs) != 2 || docs[0].Name != "a" || docs[1].Name != "good" {
		t.Fatalf("%+v", docs)
	}
	r.wantNoViolations()
}

// Whatever a client sends is answered, and nothing of it is the simulator's own failure.
func FuzzChatbase(f *testing.F) {
	for _, seed := range []string{
		`{"type":"text","name":"a","content":"x"}`, `{"type":"qna","name":"q","questions":["a"],"answer":"b"}`,
		`{"type":"link","url":"https://example.com","linkType":"crawl","excludePaths":[".*"]}`, `{"questions":{"a":1}}`,
		`{"chatbotId":"bot","chatbotName":"abc","sourceText":"x"}`, `[]`, `null`, "\x00",
		"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nx\r\n--b--",
	} {
		f.Add("application/json", seed, "limit=1&cursor=eyJhIjoxfQ")
		f.Add("multipart/form-data; boundary=b", seed, "type=text,file&name=%00")
	}
	f.Fuzz(func(t *testing.T, contentType, body, query string) {
		s := NewChatbase(ChatbaseOptions{Key: testKey, StrictAgents: true, UpdateWhileTraining: true})
		s.AddAgent("bot", "Bot")
		id := s.Put("bot", "theirs", []byte("x"))
		for _, request := range []string{
			"POST " + cbSources, "PUT " + cbSources + "/" + id, "GET " + cbSources, "POST " + cbFiles, "PUT " + cbFiles + "/" + id,
			"POST " + v1Create, "POST " + v1Update, "PUT /api/v2/agents/bot/auto-retrain",
		} {
			method, path, _ := strings.Cut(request, " ")
			req := httptest.NewRequest(method, path, strings.NewReader(body))
			req.URL.RawQuery = query
			req.Header.Set("Authorization", "Bearer "+testKey)
			req.Header.Set("Content-Type", contentType)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, req)
			if w.Code >= 500 || !json.Valid(w.Body.Bytes()) {
				t.Fatalf("%s: %d %s", request, w.Code, w.Body)
			}
		}
		for _, d := range s.Documents() {
			if d.Name == "" || len(d.Content) == 0 {
				t.Fatalf("stored without a name or content: %+v", d)
			}
		}
	})
}

func TestChatbaseInspection(t *testing.T) {
	r := newCBRig(t, ChatbaseOptions{Generation: "A"})
	r.client.problem = wantProblemDetails
	id := r.s.Put("bot", "theirs", []byte("abc"))
	r.call(201, "POST", "/_sim/documents", `{"agent":"new","name":"n","text":"t"}`)
	r.call(400, "POST", "/_sim/documents", `{"agent":"new"}`)
	r.call(201, "POST", "/_sim/agents", `{"id":"third"}`)
	r.call(400, "POST", "/_sim/agents", `{}`)
	docs := decodeInto[[]object](t, r.call(200, "GET", "/_sim/documents", "").body)
	if len(docs) != 2 || docs[0]["foreign"] != true || docs[0]["current"] != true || docs[0]["status"] != "trained" || docs[1]["agent"] != "new" {
		t.Fatal(docs)
	}
	r.call(200, "PUT", cbSources+"/"+id, `{"content":"def"}`)
	for path, want := range map[string]string{
		"/_sim/content/" + id:                       "def",
		"/_sim/content/" + id + "?live=1":           "abc",
		"/_sim/retrieve?agent=bot&marker=b":         `["theirs"]`,
		"/_sim/retrieve?agent=bot&marker=e":         `[]`,
		"/_sim/violations":                          `[]`,
		"/_sim/retrieve?agent=unknown&marker=theme": `[]`,
	} {
		if got := r.call(200, "GET", path, ""); got.body != want {
			t.Fatalf("%s: %s", path, got.body)
		}
	}
	r.call(204, "POST", "/_sim/retrain", `{"agent":"bot"}`)
	r.call(409, "POST", "/_sim/retrain", `{"agent":"nobody"}`)
	r.call(404, "GET", "/_sim/content/nope", "")
	if got := r.call(200, "GET", "/_sim/content/"+id+"?live=1", ""); got.body != "def" {
		t.Fatal(got.body)
	}
	if got := r.call(200, "GET", "/_sim/agents", ""); !strings.Contains(got.body, `"id":"third","name":"third"`) {
		t.Fatal(got.body)
	}
	if got := r.call(200, "GET", "/_sim/requests", ""); !strings.Contains(got.body, `"path":"`+cbSources) {
		t.Fatal(got.body)
	}
}
