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
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	cbSources = "/api/v2/agents/bot/sources"
	cbFiles   = "/files" + cbSources
)

// cbRig is a Chatbase simulator with the agent bot and a client before it.
type cbRig struct {
	*client

	s *Chatbase
}

func makeCBRig(t *testing.T, o ChatbaseOptions) *cbRig {
	t.Helper()
	o.Key = testKey
	s := NewChatbase(o)
	s.AddAgent("bot", "Support Bot")
	return &cbRig{s: s, client: &client{
		t: t, front: s.front, auth: [2]string{"Authorization", "Bearer " + testKey}, problem: wantEnvelope,
	}}
}

func newCBRig(t *testing.T, o ChatbaseOptions) *cbRig {
	t.Helper()
	r := makeCBRig(t, o)
	r.served(r.s)
	return r
}

// inBubble runs a test in a synctest bubble.
func inBubble(t *testing.T, o ChatbaseOptions, test func(t *testing.T, r *cbRig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := makeCBRig(t, o)
		r.called(r.s)
		test(t, r)
	})
}

// wantEnvelope wants an error of v2, or of v1.
func wantEnvelope(t *testing.T, got reply) {
	t.Helper()
	var v2 struct {
		Error struct{ Code, Message string }
	}
	var v1 struct{ Message string }
	if json.Unmarshal([]byte(got.body), &v2) != nil || json.Unmarshal([]byte(got.body), &v1) != nil ||
		(v2.Error.Code == "" || v2.Error.Message == "") && v1.Message == "" {
		t.Fatalf("not an error body: %s", got.body)
	}
	if got.header.Get("X-Request-Id") == "" {
		t.Fatal("an answer without a request id")
	}
}

func jsonText(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// text creates a text source and returns its id.
func (r *cbRig) text(name, content string) (id string) {
	r.t.Helper()
	got := r.call(http.StatusCreated, "POST", cbSources, jsonText(object{"type": "text", "name": name, "content": content}))
	return decodeInto[object](r.t, got.body)["id"].(string)
}

// cbEncode encodes an upload; an empty filename leaves the file out, and name "-" the name.
func cbEncode(name, filename, content string) (contentType, body string) {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	if name != "-" {
		_ = w.WriteField("name", name)
	}
	if filename != "" {
		part, _ := w.CreateFormFile("file", filename)
		_, _ = io.WriteString(part, content)
	}
	_ = w.Close()
	return w.FormDataContentType(), buf.String()
}

func (r *cbRig) upload(method, path, name, filename, content string) reply {
	r.t.Helper()
	contentType, body := cbEncode(name, filename, content)
	return r.send(method, path, contentType, body)
}

// wantCode wants an error of v2 with that code.
func (r *cbRig) wantCode(status int, code string, got reply) {
	r.t.Helper()
	r.want(status, got)
	if !strings.Contains(got.body, `"code":"`+code+`"`) {
		r.t.Fatalf("want the code %s: %s", code, got.body)
	}
}

func (r *cbRig) status(id string) string {
	r.t.Helper()
	got := r.call(200, "GET", cbSources+"/"+id, "")
	return decodeInto[object](r.t, got.body)["status"].(string)
}

func (r *cbRig) wantStatus(id, want string) {
	r.t.Helper()
	if got := r.status(id); got != want {
		r.t.Fatalf("status %q, want %q", got, want)
	}
}

// wantLive wants that the agent's answers can draw on the marker, or cannot.
func (r *cbRig) wantLive(marker string, want bool) {
	r.t.Helper()
	if got := r.s.Retrieve("bot", marker); (len(got) > 0) != want {
		r.t.Fatalf("%q found in %q, want %v", marker, got, want)
	}
}

func TestChatbaseAuthentication(t *testing.T) {
	r := newCBRig(t, ChatbaseOptions{})
	for _, tt := range []struct{ header, path, want string }{
		{"", "/api/v2/agents", "AUTH_MISSING_API_KEY"},
		{testKey, "/api/v2/agents", "AUTH_MISSING_API_KEY"},
		{"Bearer wrong", "/api/v2/agents", "AUTH_INVALID_API_KEY"},
		{"Bearer wrong", cbFiles, "AUTH_INVALID_API_KEY"},
		{"Bearer wrong", "/api/v1/get-chatbots", `{"message":`},
	} {
		r.auth[1] = tt.header
		if got := r.send("GET", tt.path, "", ""); got.status != 401 || !strings.Contains(got.body, tt.want) {
			t.Fatalf("%v: %+v", tt, got)
		}
	}
	r.call(200, "GET", "/api/v2/health", "")
	r.wantNoViolations()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, r.base+"/api/v2/agents", nil)
	r.want(401, r.finish(req))
	r.wantViolation("User-Agent")
}

func TestChatbaseTextLife(t *testing.T) {
	inBubble(t, ChatbaseOptions{TrainDelay: time.Second}, func(t *testing.T, r *cbRig) {
		got := r.call(http.StatusCreated, "POST", cbSources, `{"type":"text","name":"Faq","content":"one marker-1"}`)
		src := decodeInto[object](t, got.body)
		if src["type"] != "text" || src["name"] != "Faq" || fmt.Sprint(src["size"]) != "12" || src["status"] != "untrained" || src["metadata"] != nil {
			t.Fatal(src)
		}
		if _, err := time.Parse(time.RFC3339, src["createdAt"].(string)); err != nil {
			t.Fatal(err)
		}
		id := src["id"].(string)
		path := cbSources + "/" + id
		r.wantLive("marker-1", false)
		r.wantCode(409, "SOURCE_IS_TRAINING", r.call(409, "PUT", path, `{"content":"two"}`))
		time.Sleep(time.Second)
		r.wantStatus(id, "trained")
		r.wantLive("marker-1", true)

		if got := r.call(200, "PUT", path, `{"content":"two marker-2"}`); !strings.Contains(got.body, `"status":"updated"`) {
			t.Fatal(got.body)
		}
		r.wantLive("marker-1", true)
		r.wantLive("marker-2", false)
		time.Sleep(time.Second)
		r.wantLive("marker-1", false)
		r.wantLive("marker-2", true)
		r.call(200, "PUT", path, `{"name":"Questions"}`)
		if d := r.s.Documents()[0]; d.Name != "Questions" || d.LiveName != "Faq" || !d.IsLive || d.LiveCurrent || !d.Training {
			t.Fatalf("%+v", d)
		}
		if got := r.call(200, "DELETE", path, ""); !strings.Contains(got.body, `"status":"deleted"`) {
			t.Fatal(got.body)
		}
		r.wantLive("marker-2", false)
		r.wantCode(404, "SOURCE_NOT_FOUND", r.call(404, "DELETE", path, ""))
		r.wantCode(404, "SOURCE_NOT_FOUND", r.call(404, "GET", path, ""))
		time.Sleep(time.Second)
		if d := r.s.Documents(); len(d) != 0 {
			t.Fatal("a training brought back what was deleted", d)
		}
		r.wantNoViolations()
	})
}

func TestChatbaseFailedAndStalledTraining(t *testing.T) {
	inBubble(t, ChatbaseOptions{TrainDelay: time.Second}, func(t *testing.T, r *cbRig) {
		bad, stuck := r.text("bad", "bad-1"), r.text("stuck", "stuck-1")
		time.Sleep(time.Second)
		r.s.SetFaults(Faults{
			TrainFail:  func(n string) bool { return n == "bad" },
			TrainStall: func(n string) bool { return n == "stuck" },
		})
		r.call(200, "PUT", cbSources+"/"+bad, `{"content":"bad-2"}`)
		r.call(200, "PUT", cbSources+"/"+stuck, `{"content":"stuck-2"}`)
		time.Sleep(time.Hour)
		r.wantStatus(bad, "failed")
		r.wantStatus(stuck, "updated")
		r.wantLive("bad-1", true)
		r.wantLive("stuck-1", true)
		if got := r.call(200, "GET", "/api/v2/agents/bot", ""); !strings.Contains(got.body, `"status":"training"`) {
			t.Fatal(got.body)
		}
		r.wantCode(409, "SOURCE_IS_TRAINING", r.call(409, "PUT", cbSources+"/"+stuck, `{"content":"stuck-3"}`))
		r.call(200, "DELETE", cbSources+"/"+stuck, "")
		if got := r.call(200, "GET", "/api/v2/agents/bot", ""); !strings.Contains(got.body, `"status":"failed"`) {
			t.Fatal(got.body)
		}
		r.s.SetFaults(Faults{})
		r.call(200, "PUT", cbSources+"/"+bad, `{"content":"bad-3"}`)
		time.Sleep(time.Second)
		r.wantLive("bad-3", true)
		r.wantStatus(bad, "trained")
		r.wantNoViolations()
	})
}

func TestChatbaseBodies(t *testing.T) {
	long := strings.Repeat("x", cbMaxContent)
	link := func(u, kind string) string {
		return jsonText(object{"type": "link", "url": u, "linkType": kind})
	}
	for name, tt := range map[string]struct {
		body      string
		want      int
		text      string // in the answer
		violation string
	}{
		"longest":           {jsonText(object{"type": "text", "name": strings.Repeat("é", 100), "content": long}), 201, "", ""},
		"content too long":  {jsonText(object{"type": "text", "name": "a", "content": long + "x"}), 400, "VALIDATION_INVALID_BODY", "content"},
		"name too long":     {jsonText(object{"type": "text", "name": strings.Repeat("x", 101), "content": "x"}), 400, `"details":{"name"`, "name"},
		"two units a char":  {jsonText(object{"type": "text", "name": strings.Repeat("😀", 51), "content": "x"}), 400, `"details":{"name"`, "name"},
		"no name":           {`{"type":"text","content":"x"}`, 400, "name", "name"},
		"empty content":     {`{"type":"text","name":"a","content":""}`, 400, "content", "content"},
		"number as content": {`{"type":"text","name":"a","content":1}`, 400, `"details":{"content"`, ""},
		"not JSON":          {`{"type":"text"`, 400, "VALIDATION_INVALID_JSON", "malformed"},
		"no type":           {`{"name":"a","content":"x"}`, 400, "type", ""},
		"unknown type":      {`{"type":"notionPage","name":"a"}`, 400, "type", ""},
		"unknown field":     {`{"type":"text","name":"a","content":"x","mark":1}`, 201, "", `unknown field "mark"`},
		"above 4.5 MB":      {jsonText(object{"type": "text", "name": "a", "content": strings.Repeat("é", 2_300_000)}), 413, "", "above 4500000"},
		"qna":               {`{"type":"qna","name":"q","questions":["a?","b?"],"answer":"c"}`, 201, `"type":"qna"`, ""},
		"qna no questions":  {`{"type":"qna","name":"q","questions":[],"answer":"c"}`, 400, "questions", "questions"},
		"qna no answer":     {`{"type":"qna","name":"q","questions":["a?"]}`, 400, "answer", "answer"},
		"link":              {link("https://example.com/a", "individual"), 201, `"name":"https://example.com/a"`, ""},
		"crawl":             {link("https://example.com/a", "crawl"), 201, `"crawlStatus"`, ""},
		"bad address":       {link("example.com", "individual"), 400, "url", "url"},
		"bad link type":     {link("https://example.com", "all"), 400, "linkType", "linkType"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newCBRig(t, ChatbaseOptions{})
			if got := r.call(tt.want, "POST", cbSources, tt.body); !strings.Contains(got.body, tt.text) {
				t.Fatal(got.body)
			}
			if tt.violation == "" {
				r.wantNoViolations()
			} else {
				r.wantViolation(tt.violation)
			}
			if got := len(r.s.Documents()); (got == 1) != (tt.want == 201) {
				t.Fatalf("%d sources", got)
			}
		})
	}
}

func TestChatbaseUpdates(t *testing.T) {
	r := newCBRig(t, ChatbaseOptions{})
	id := r.text("a", "one")
	r.call(200, "PUT", cbSources+"/"+id, `{"content":"two","type":"text"}`)
	r.wantViolation(`unknown field "type"`)
	r.call(400, "PUT", cbSources+"/"+id, `{"content":""}`)
	r.wantCode(404, "SOURCE_NOT_FOUND", r.call(404, "PUT", cbSources+"/nope", `{"content":"x"}`))
	created := r.call(201, "POST", cbSources, `{"type":"link","url":"https://example.com","linkType":"individual"}`)
	again := r.call(409, "POST", cbSources, `{"type":"link","url":"https://example.com","linkType":"individual"}`)
	r.wantCode(409, "SOURCE_DUPLICATE", again)
	r.call(201, "POST", cbSources, `{"type":"link","url":"https://example.com","linkType":"crawl"}`)
	link := decodeInto[object](t, created.body)["id"].(string)
	r.call(200, "PUT", cbSources+"/"+link, `{"slowScraping":true}`)
	r.call(200, "DELETE", cbSources+"/"+link, "")
	r.call(201, "POST", cbSources, `{"type":"link","url":"https://example.com","linkType":"individual"}`)
	r.call(404, "DELETE", cbSources+"/", "")
	r.wantViolation("empty id")
}

func TestChatbaseFiles(t *testing.T) {
	fifty := strings.Repeat("x", cbMinFile)
	for name, tt := range map[string]struct {
		field, filename, content string
		want                     int
		violation                string
	}{
		"smallest":     {"A", "a.txt", fifty, 201, ""},
		"too small":    {"A", "a.txt", fifty[1:], 400, "50 bytes"},
		"largest":      {"A", "a.pdf", strings.Repeat("x", cbMaxFile), 201, ""},
		"too large":    {"A", "a.pdf", strings.Repeat("x", cbMaxFile+1), 400, "20 MB"},
		"much larger":  {"A", "a.pdf", strings.Repeat("x", cbMaxUpload+1), 400, "20 MB"},
		"upper-case":   {"A", "A.DOCX", fifty, 201, ""},
		"json":         {"A", "a.json", fifty, 201, ""},
		"markdown":     {"A", "a.md", fifty, 400, "Unsupported"},
		"no extension": {"A", "a", fifty, 400, "Unsupported"},
		"no file":      {"A", "", "", 400, "file: Required"},
		"no name":      {"-", "a.txt", fifty, 400, "name: Required"},
		"empty name":   {"", "a.txt", fifty, 400, "name"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newCBRig(t, ChatbaseOptions{})
			r.want(tt.want, r.upload("POST", cbFiles, tt.field, tt.filename, tt.content))
			if tt.violation == "" {
				r.wantNoViolations()
			} else {
				r.wantViolation(tt.violation)
			}
		})
	}
}

func TestChatbaseFileUpdate(t *testing.T) {
	r := newCBRig(t, ChatbaseOptions{OriginalSize: true})
	one, two := strings.Repeat("1", 80), strings.Repeat("2", 90)
	got := r.upload("POST", cbFiles, "Manual", "m.pdf", one)
	r.want(201, got)
	src := decodeInto[object](t, got.body)
	if fmt.Sprint(src["size"]) != "21" || fmt.Sprint(src["originalSize"]) != "80" || src["type"] != "file" {
		t.Fatal(src)
	}
	path := cbFiles + "/" + src["id"].(string)
	r.want(200, r.upload("PUT", path, "-", "m.pdf", two))
	r.wantLive(two, true)
	r.want(200, r.upload("PUT", path, "Handbook", "", ""))
	if d := r.s.Documents()[0]; d.Name != "Handbook" || string(d.Live) != two || !d.LiveCurrent {
		t.Fatalf("%+v", d)
	}
	r.wantNoViolations()
	r.want(400, r.upload("PUT", path, "-", "", ""))
	r.wantCode(404, "SOURCE_NOT_FOUND", r.upload("PUT", cbFiles+"/nope", "x", "", ""))
	r.want(400, r.call(400, "PUT", strings.TrimPrefix(path, "/files"), `{"name":"x"}`))
	r.want(400, r.upload("PUT", cbFiles+"/"+r.text("t", "x"), "x", "", ""))
}

func TestChatbaseHosts(t *testing.T) {
	r := newCBRig(t, ChatbaseOptions{})
	r.want(404, r.upload("POST", cbSources, "a", "a.txt", strings.Repeat("x", 60)))
	r.wantViolation("wrong host")
	r.call(404, "POST", cbFiles, `{"type":"text","name":"a","content":"x"}`)
	r.wantViolation("on the files host")
	r.call(405, "GET", cbFiles, "")
	r.call(404, "GET", "/files/api/v2/agents", "")
	r.call(404, "GET", "/api/v2/nope", "")
	r.call(404, "POST", "/api/v1/update-chatbot-settings", `{}`)
	if got := len(r.s.Documents()); got != 0 {
		t.Fatal(got)
	}
}

type cbList struct {
	Data       []object
	Pagination struct {
		Cursor  *string
		HasMore bool
		Total   int
	}
}

func TestChatbaseLists(t *testing.T) {
	r := newCBRig(t, ChatbaseOptions{})
	for i := range 25 {
		r.text(fmt.Sprintf("Doc %02d", i), "x")
	}
	r.want(201, r.upload("POST", cbFiles, "Doc file", "a.txt", strings.Repeat("x", 60)))
	list := func(query string) cbList {
		t.Helper()
		return decodeInto[cbList](t, r.call(200, "GET", cbSources+query, "").body)
	}
	all := list("")
	if len(all.Data) != 20 || !all.Pagination.HasMore || all.Pagination.Total != 26 || all.Pagination.Cursor == nil {
		t.Fatalf("%+v", all.Pagination)
	}
	r.text("late", "x")
	rest := list("?limit=20&cursor=" + *all.Pagination.Cursor)
	if len(rest.Data) != 7 || rest.Pagination.HasMore || rest.Pagination.Cursor != nil || rest.Data[0]["name"] != "Doc 20" {
		t.Fatalf("%+v", rest)
	}
	if got := list("?name=dOC%201&type=text,link&limit=100"); len(got.Data) != 10 || got.Pagination.Total != 10 {
		t.Fatalf("%+v", got)
	}
	if got := list("?type=file"); len(got.Data) != 1 || got.Data[0]["name"] != "Doc file" {
		t.Fatalf("%+v", got)
	}
	r.wantNoViolations()
	for _, query := range []string{"?limit=0", "?limit=101", "?limit=x", "?cursor=x", "?type=page", "?name=doc&cursor=" + *all.Pagination.Cursor} {
		r.call(400, "GET", cbSources+query, "")
	}
	r.wantViolation("not given for this query")
	list("?page=2")
	r.wantViolation(`unknown query parameter "page"`)

	sum := decodeInto[map[string]any](t, r.call(200, "GET", cbSources+"/summary", "").body)
	if jsonText(sum["texts"]) != `{"count":26,"size":26}` || jsonText(sum["files"]) != `{"count":1,"size":60}` || sum["shouldRetrain"] != false {
		t.Fatal(sum)
	}
}

func TestChatbaseAgents(t *testing.T) {
	r := newCBRig(t, ChatbaseOptions{})
	r.s.AddAgent("other", "Other")
	got := decodeInto[cbList](t, r.call(200, "GET", "/api/v2/agents?limit=1", "").body)
	if len(got.Data) != 1 || got.Data[0]["id"] != "bot" || got.Pagination.Total != 2 {
		t.Fatalf("%+v", got)
	}
	got = decodeInto[cbList](t, r.call(200, "GET", "/api/v2/agents?limit=1&cursor="+*got.Pagination.Cursor, "").body)
	if got.Data[0]["name"] != "Other" || got.Pagination.HasMore {
		t.Fatalf("%+v", got)
	}
	agent := decodeInto[object](t, r.call(200, "GET", "/api/v2/agents/bot", "").body)
	if agent["status"] != "untrained" || agent["lastTrainedAt"] != nil || agent["autoRetrain"] != false {
		t.Fatal(agent)
	}
	r.wantCode(409, "AGENT_NOT_TRAINED", r.call(409, "PUT", "/api/v2/agents/bot/auto-retrain", `{"enabled":true}`))
	r.text("a", "12345")
	r.call(200, "PUT", "/api/v2/agents/bot/auto-retrain", `{"enabled":true}`)
	agent = decodeInto[object](t, r.call(200, "GET", "/api/v2/agents/bot", "").body)
	if agent["status"] != "trained" || agent["lastTrainedAt"] == nil || agent["autoRetrain"] != true || fmt.Sprint(agent["size"]) != "5" {
		t.Fatal(agent)
	}
	r.wantCode(404, "AGENT_NOT_FOUND", r.call(404, "GET", "/api/v2/agents/nope", ""))
	r.wantNoViolations()
}

func TestChatbaseWrongAgent(t *testing.T) {
	const text = `{"type":"text","name":"a","content":"x"}`
	wrong := strings.Replace(cbSources, "bot", "nope", 1)
	r := newCBRig(t, ChatbaseOptions{})
	if got := r.call(200, "GET", wrong, ""); got.body != `{"data":[],"pagination":{"cursor":null,"hasMore":false,"total":0}}` {
		t.Fatal(got.body)
	}
	r.wantCode(500, "INTERNAL_SERVER_ERROR", r.call(500, "POST", wrong, text))
	r.wantCode(404, "SOURCE_NOT_FOUND", r.upload("POST", "/files"+wrong, "a", "a.txt", strings.Repeat("x", 60)))
	r.wantCode(404, "AGENT_NOT_FOUND", r.call(404, "GET", wrong+"/id", ""))

	r = newCBRig(t, ChatbaseOptions{StrictAgents: true})
	r.wantCode(404, "AGENT_NOT_FOUND", r.call(404, "GET", wrong, ""))
	r.wantCode(404, "AGENT_NOT_FOUND", r.call(404, "POST", wrong, text))
	r.wantCode(404, "AGENT_NOT_FOUND", r.upload("POST", "/files"+wrong, "a", "a.txt", strings.Repeat("x", 60)))
}

func TestChatbaseStorage(t *testing.T) {
	r := newCBRig(t, ChatbaseOptions{StorageBytes: 100})
	id := r.text("a", strings.Repeat("x", 60))
	full := r.call(422, "POST", cbSources, jsonText(object{"type": "text", "name": "b", "content": strings.Repeat("x", 41)}))
	r.wantCode(422, "SOURCE_SIZE_LIMIT_EXCEEDED", full)
	r.want(422, r.upload("POST", cbFiles, "b", "b.txt", strings.Repeat("x", 50)))
	r.call(200, "PUT", cbSources+"/"+id, jsonText(object{"content": strings.Repeat("x", 100)}))
	r.call(422, "PUT", cbSources+"/"+id, jsonText(object{"content": strings.Repeat("x", 101)}))
	r.call(200, "DELETE", cbSources+"/"+id, "")
	r.text("b", strings.Repeat("x", 100))
	r.wantNoViolations()
}

func TestChatbaseIsConcurrent(t *testing.T) {
	r := newCBRig(t, ChatbaseOptions{Rate: 100_000})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 10 {
				w := httptest.NewRecorder()
				req := httptest.NewRequest(http.MethodPost, cbSources, strings.NewReader(fmt.Sprintf(`{"type":"text","name":"%d-%d","content":"x"}`, i, k)))
				req.Header.Set("Authorization", "Bearer "+testKey)
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("User-Agent", "test/1")
				r.s.ServeHTTP(w, req)
				r.s.Retrieve("bot", "x")
			}
		})
	}
	wg.Wait()
	docs := r.s.Documents()
	ids := map[string]bool{}
	for _, d := range docs {
		ids[d.ID] = true
	}
	if len(docs) != 80 || len(ids) != 80 || slices.ContainsFunc(docs, func(d ChatbaseSource) bool { return d.Status != "trained" }) {
		t.Fatalf("%d sources, %d ids", len(docs), len(ids))
	}
	r.wantNoViolations()
}
