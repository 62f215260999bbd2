package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const converseDocs = "/api/v1/knowledge"

// converseRig is a Converse simulator with a client before it.
type converseRig struct {
	*client

	s *Converse
}

func makeConverseRig(t *testing.T, o ConverseOptions) *converseRig {
	t.Helper()
	o.Key = testKey
	s := NewConverse(o)
	return &converseRig{s: s, client: &client{
		t: t, front: s.front, auth: [2]string{"Authorization", "Bearer " + testKey}, problem: wantDetail,
	}}
}

func newConverseRig(t *testing.T, o ConverseOptions) *converseRig {
	t.Helper()
	r := makeConverseRig(t, o)
	r.served(r.s)
	return r
}

func newConverseBubble(t *testing.T, o ConverseOptions) *converseRig {
	t.Helper()
	r := makeConverseRig(t, o)
	r.called(r.s)
	return r
}

func wantDetail(t *testing.T, got reply) {
	t.Helper()
	if p := decodeInto[object](t, got.body); len(p) != 1 || p["detail"] == nil || p["detail"] == "" {
		t.Fatalf("not an error body: %s", got.body)
	}
}

func textBody(name, content string) string {
	return fmt.Sprintf(`{"name":%q,"content":%q}`, name, content)
}

func (r *converseRig) ingest(name, content string) (id string) {
	r.t.Helper()
	got := r.call(201, "POST", converseDocs+"/ingest-text", textBody(name, content))
	return fmt.Sprint(decodeInto[object](r.t, got.body)["id"])
}

func (r *converseRig) assign(want int, agent, id string) {
	r.t.Helper()
	r.call(want, "POST", converseDocs+"/agent/"+agent+"/assign/"+id, "")
}

func (r *converseRig) unassign(want int, agent, id string) {
	r.t.Helper()
	r.call(want, "DELETE", converseDocs+"/agent/"+agent+"/assign/"+id, "")
}

// rows returns a list that is a bare array.
func (r *converseRig) rows(path string) []object {
	r.t.Helper()
	return decodeInto[[]object](r.t, r.call(200, "GET", path, "").body)
}

// form encodes fields, given by turns as name and value, and a file unless its field is empty.
func form(fileField, filename, content string, fields ...string) (contentType, body string) {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for i := 0; i < len(fields); i += 2 {
		_ = w.WriteField(fields[i], fields[i+1])
	}
	if fileField != "" {
		part, _ := w.CreateFormFile(fileField, filename)
		_, _ = io.WriteString(part, content)
	}
	_ = w.Close()
	return w.FormDataContentType(), buf.String()
}

func TestConverseAuthentication(t *testing.T) {
	r := newConverseRig(t, ConverseOptions{})
	for _, value := range []string{"", "Bearer", "Bearer wrong", "Token " + testKey} {
		r.auth[1] = value
		r.call(401, "GET", converseDocs, "")
	}
	r.auth[1] = "Bearer " + testKey
	r.wantNoViolations()
	r.call(404, "GET", "/knowledge", "")
	r.wantViolation("no such route")
	r.call(405, "PUT", converseDocs, `{}`)
	r.call(405, "GET", converseDocs+"/some-id", "")
	r.call(422, "GET", converseDocs+"?mode=live", "")
	r.call(200, "GET", converseDocs+"?page=2", "")
	r.wantViolation(`unknown query parameter "page"`)
}

func TestConverseIndexing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newConverseBubble(t, ConverseOptions{
			IndexDelay: 10 * time.Second, LoseChunks: func(name string) bool { return strings.HasPrefix(name, "hollow") },
		})
		r.s.SetFaults(Faults{
			ParseFail:  func(name string) bool { return strings.HasPrefix(name, "bad") },
			ParseStall: func(name string) bool { return strings.HasPrefix(name, "slow") },
			Reject:     func(name string) bool { return strings.HasPrefix(name, "evil") },
		})
		r.call(400, "POST", converseDocs+"/ingest-text", textBody("evil", "x"))
		good, hollow := r.ingest("good", "marker "+strings.Repeat("x", 600)), r.ingest("hollow", "marker")
		r.ingest("bad", "marker")
		slow := r.ingest("slow", "marker")
		chunks := func(id string) int { return len(r.rows(converseDocs + "/" + id + "/chunks")) }
		states := func() (all string) {
			for _, d := range r.rows(converseDocs) {
				all += fmt.Sprint(d["status"], "/", d["chunk_count"], " ")
			}
			return strings.TrimSpace(all)
		}
		want := func(state string, found ...string) {
			t.Helper()
			if got := states(); got != state {
				t.Fatalf("%s, want %s", got, state)
			}
			wantList(t, r.s.Retrieve("", "marker"), found...)
		}
		want("processing/0 processing/0 processing/0 processing/0")
		if n := chunks(good); n != 0 {
			t.Fatal(n)
		}
		time.Sleep(10 * time.Second)
		want("indexed/2 indexed/0 failed/0 processing/0", "good")
		if n := chunks(good); n != 2 {
			t.Fatal(n)
		}
		if got := r.rows(converseDocs); got[2]["error"] == nil || got[0]["error"] != nil {
			t.Fatal(got)
		}
		r.s.SetFaults(Faults{})
		for _, id := range []string{good, hollow, slow} {
			r.call(200, "POST", converseDocs+"/"+id+"/reindex", "")
		}
		want("processing/2 processing/0 failed/0 processing/0", "good")
		time.Sleep(10 * time.Second)
		want("indexed/2 indexed/1 failed/0 indexed/1", "good", "hollow", "slow")
		r.s.SetFaults(Faults{ParseFail: func(string) bool { return true }})
		r.call(200, "POST", converseDocs+"/"+good+"/reindex", "")
		time.Sleep(10 * time.Second)
		want("failed/2 indexed/1 failed/0 indexed/1", "good", "hollow", "slow")
		if d := r.s.Documents(); d[0].Status != StatusFailed || !d[0].Searchable || d[2].Searchable {
			t.Fatalf("%+v", d)
		}
		r.wantNoViolations()
	})
}

func TestConverseUpload(t *testing.T) {
	r := newConverseRig(t, ConverseOptions{})
	send := func(want int, contentType, body string) reply {
		t.Helper()
		got := r.send("POST", converseDocs+"/upload", contentType, body)
		r.want(want, got)
		return got
	}
	upload := func(want int, fileField, filename, content string, fields ...string) reply {
		t.Helper()
		contentType, body := form(fileField, filename, content, fields...)
		return send(want, contentType, body)
	}
	upload(201, "file", "a.PDF", "%PDF marker")
	got := decodeInto[object](t, upload(201, "file", "b.csv", "x,y", "name", "docs/b.csv · 1234").body)
	if got["name"] != "docs/b.csv · 1234" || got["id"] == "" || got["type"] != "file" {
		t.Fatal(got)
	}
	wantList(t, r.s.Retrieve("", "marker"), "a.PDF")
	if reqs := r.s.Requests(); reqs[0].Files != 1 {
		t.Fatalf("%+v", reqs[0])
	}
	r.wantNoViolations()
	upload(400, "file", "a.md", "x")
	r.wantViolation("not a PDF")
	upload(400, "file", "a.txt", "")
	upload(422, "", "", "", "name", "x")
	upload(422, "document", "a.txt", "x")
	r.wantViolation(`unknown multipart field "document"`)
	upload(201, "file", "c.txt", "x", "agent", "bot")
	r.wantViolation(`unknown multipart field "agent"`)
	send(422, "application/json", `{}`)
	send(400, "multipart/form-data; boundary=b", "--b\r\nbroken")
	if n := len(r.s.Documents()); n != 3 {
		t.Fatal(n)
	}
	r = newConverseRig(t, ConverseOptions{UploadField: "document"})
	upload(422, "file", "a.txt", "x")
	upload(201, "document", "a.txt", "x")
}

func TestConverseRefusals(t *testing.T) {
	tests := []struct {
		status     int
		path, body string
	}{
		{422, "/ingest-text", `{"name":"a"}`},
		{422, "/ingest-text", `{"content":"a"}`},
		{422, "/ingest-text", `{"name":"a","content":5}`},
		{422, "/ingest-text", `{"name":"a","content":"x","agent_id":"bot"}`},
		{422, "/ingest-text", `[]`},
		{400, "/ingest-text", `{"name":"a","content":" "}`},
		{400, "/ingest-text", `{"name":"","content":"x"}`},
		{422, "/ingest-url", `{"url":"https://example.com/"}`},
		{422, "/ingest-url", `{"name":"a"}`},
		{400, "/ingest-url", `{"url":"/page","name":"a"}`},
		{422, "/query", `{"top_k":5}`},
		{400, "/query", `{"query":""}`},
		{422, "/query", `{"query":"a","top_k":0}`},
		{422, "/query", `{"query":"a","agent_id":"bot"}`},
	}
	for _, list := range []bool{false, true} {
		r := newConverseRig(t, ConverseOptions{DetailList: list})
		for i, tt := range tests {
			got := r.call(tt.status, "POST", converseDocs+tt.path, tt.body)
			if n := len(r.s.Violations()); n != i+1 {
				t.Fatalf("%s: %d violations", tt.body, n)
			}
			_, isText := decodeInto[object](t, got.body)["detail"].(string)
			if isText == (list && tt.status == 422) {
				t.Fatal(got.body)
			}
		}
		if got := r.s.Documents(); len(got) > 0 {
			t.Fatal("nothing must be stored", got)
		}
	}
}

func TestConverseAssignment(t *testing.T) {
	r := newConverseRig(t, ConverseOptions{})
	r.s.AddAgent("bot")
	old, next := r.ingest("a.md", "marker one"), r.ingest("a.md · 2", "marker two")
	theirs := r.s.Put("theirs", []byte("marker zero"))
	r.s.Give("bot", theirs)
	r.s.Give("bot", "no document")
	r.assign(200, "bot", old)
	r.assign(200, "bot", old)
	r.assign(200, "bot", next)
	wantList(t, r.s.Held("bot"), theirs, old, next)
	r.unassign(200, "bot", old)
	r.unassign(404, "bot", old)
	wantList(t, r.s.Retrieve("bot", "marker"), "a.md · 2", "theirs")
	wantList(t, r.s.Retrieve("", "marker"), "a.md", "a.md · 2", "theirs")
	wantList(t, r.s.Retrieve("nobody", "marker"))
	if got := r.rows(converseDocs + "/agent/bot"); len(got) != 2 || got[0]["id"] != theirs || got[1]["id"] != next {
		t.Fatal(got)
	}
	if got := r.call(200, "DELETE", converseDocs+"/"+old, ""); got.body != `{"message":"Document deleted"}` {
		t.Fatal(got.body)
	}
	for _, path := range []string{"/" + old + "/chunks", "/agent/nobody"} {
		r.call(404, "GET", converseDocs+path, "")
	}
	r.call(404, "DELETE", converseDocs+"/"+old, "")
	r.assign(404, "bot", old)
	r.assign(404, "nobody", next)
	r.s.Take("bot", next)
	r.s.Remove(theirs)
	if got := r.s.Held("bot"); len(got) > 0 {
		t.Fatal(got)
	}
	r.s.Elsewhere("other-doc")
	r.s.Elsewhere("other-agent")
	r.call(403, "GET", converseDocs+"/other-doc/chunks", "")
	r.assign(403, "bot", "other-doc")
	r.assign(403, "other-agent", next)
	r.call(403, "GET", "/api/v1/agents/other-agent", "")
	r.wantNoViolations()

	r = newConverseRig(t, ConverseOptions{StrictAssign: true, EmptyDelete: true, UniqueNames: true})
	r.s.AddAgent("bot")
	id := r.ingest("a.md", "x")
	r.call(409, "POST", converseDocs+"/ingest-text", textBody("a.md", "y"))
	r.assign(200, "bot", id)
	r.assign(409, "bot", id)
	r.unassign(204, "bot", id)
	r.call(204, "DELETE", converseDocs+"/"+id, "")
	r.ingest("a.md", "y")
	r.wantNoViolations()
}

func TestConverseHarm(t *testing.T) {
	tests := []struct {
		name, method, path, body string // path with OURS and THEIRS
		status                   int
		violation                string
	}{
		{"delete held", "DELETE", converseDocs + "/OURS", "", 200, "that an agent holds"},
		{"delete foreign", "DELETE", converseDocs + "/THEIRS", "", 200, "foreign document is deleted"},
		{"unassign foreign", "DELETE", converseDocs + "/agent/bot/assign/THEIRS", "", 200, "foreign document is unassigned"},
		{"assign foreign", "POST", converseDocs + "/agent/bot/assign/THEIRS", "", 200, "foreign document is assigned"},
		{"reindex foreign", "POST", converseDocs + "/THEIRS/reindex", "", 200, "foreign document is reindexed"},
		{"change agent", "PUT", "/api/v1/agents/bot", `{"name":"x"}`, 400, "left as they are"},
		{"create agent", "POST", "/api/v1/agents", `{"name":"x"}`, 400, "left as they are"},
		{"delete agent", "DELETE", "/api/v1/agents/bot", "", 400, "left as they are"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newConverseRig(t, ConverseOptions{})
			ours, theirs := r.ingest("ours", "x"), r.s.Put("theirs", []byte("y"))
			r.s.Give("bot", theirs)
			r.assign(200, "bot", ours)
			r.wantNoViolations()
			r.call(tt.status, tt.method, strings.NewReplacer("OURS", ours, "THEIRS", theirs).Replace(tt.path), tt.body)
			r.wantViolation(tt.violation)
			if n := len(r.s.Agents()); n != 1 {
				t.Fatal(n)
			}
		})
	}
}

func TestConverseShapes(t *testing.T) {
	tests := []struct {
		name            string
		opts            ConverseOptions
		create          string // in the answer to a creation
		list, agents    string // beginnings of the lists
		inList, without string
	}{
		{"plain", ConverseOptions{}, `{"chunk_count":0,`, `[{`, `[{`, `"status":"indexed"`, `"error"`},
		{"documents", ConverseOptions{ListShape: "documents", CreateWrap: "data"}, `{"data":{`, `{"documents":[{`, `{"agents":[{`, `"id":"`, `x"`},
		{"results", ConverseOptions{ListShape: "results", CreateWrap: "document"}, `{"document":{`, `{"results":[{`, `{"results":[{`, `"name":"a"`, `x"`},
		{"deep", ConverseOptions{ListShape: "data.items"}, `{"chunk_count"`, `{"data":{"items":[{`, `{"data":{"items":[{`, `"name":"a"`, `x"`},
		{"fields", ConverseOptions{
			IDField: "_id", NameField: "title", StatusField: "state", ChunkCountField: "num_chunks", ReadyWord: "success",
		}, `"_id":"`, `[{"_id":"`, `[{`, `"num_chunks":1,"state":"success","title":"a"`, `"id":`},
		{"no status", ConverseOptions{StatusField: ConverseNone, ChunkCountField: ConverseNone}, `"id":`, `[{"created_at"`, `[{`, `"name":"a"`, `indexed`},
		{"numbers", ConverseOptions{NumericIDs: true}, `"id":90071992547409`, `[{`, `[{`, `"id":90071992547409`, `"id":"`},
		{"paged", ConverseOptions{Paging: ConversePages}, `"id":"`, `{"items":[{`, `{"items":[{`, `],"page":1,"total_pages":1}`, `next`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newConverseRig(t, tt.opts)
			r.s.AddAgent("bot")
			if got := r.call(201, "POST", converseDocs+"/ingest-text", textBody("a", "b")); !strings.Contains(got.body, tt.create) {
				t.Fatal(got.body)
			}
			got := r.call(200, "GET", converseDocs, "")
			if !strings.HasPrefix(got.body, tt.list) || !strings.Contains(got.body, tt.inList) || strings.Contains(got.body, tt.without) {
				t.Fatal(got.body)
			}
			if got := r.call(200, "GET", "/api/v1/agents", ""); !strings.HasPrefix(got.body, tt.agents) {
				t.Fatal(got.body)
			}
			r.s.Give("bot", r.s.Documents()[0].ID)
			if got := r.call(200, "GET", converseDocs+"/agent/bot", ""); !strings.HasPrefix(got.body, tt.list) {
				t.Fatal(got.body)
			}
			r.call(200, "POST", converseDocs+"/"+r.s.Documents()[0].ID+"/reindex", "")
			r.wantNoViolations()
		})
	}
}

func TestConversePaging(t *testing.T) {
	names := func(body object) (all []string) {
		for _, d := range body["items"].([]any) {
			all = append(all, d.(object)["name"].(string))
		}
		return all
	}
	tests := []struct {
		name   string
		paging ConversePaging
		next   func(r *converseRig, got object) (path string) // empty at the end
	}{
		{"next", ConverseNext, func(r *converseRig, got object) string {
			address, _ := got["next"].(string)
			return strings.TrimPrefix(address, r.base)
		}},
		{"cursor", ConverseCursor, func(_ *converseRig, got object) string {
			if cursor, ok := got["next_cursor"].(string); ok {
				return converseDocs + "?cursor=" + cursor
			}
			return ""
		}},
		{"pages", ConversePages, func(_ *converseRig, got object) string {
			page, _ := got["page"].(json.Number).Int64()
			if last, _ := got["total_pages"].(json.Number).Int64(); page < last {
				return fmt.Sprint(converseDocs, "?page=", page+1)
			}
			return ""
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newConverseRig(t, ConverseOptions{Paging: tt.paging, PageSize: 2})
			for i := range 5 {
				r.ingest(fmt.Sprint(i), "x")
			}
			var all []string
			for path, n := converseDocs, 0; path != ""; n++ {
				got := decodeInto[object](t, r.call(200, "GET", path, "").body)
				all = append(all, names(got)...)
				path = tt.next(r, got)
				if n > 3 {
					t.Fatal("no end", got)
				}
			}
			wantList(t, all, "0", "1", "2", "3", "4")
			r.wantNoViolations()
		})
	}
	r := newConverseRig(t, ConverseOptions{PageSize: 2})
	for range 3 {
		r.ingest("a", "x")
	}
	if got := r.rows(converseDocs); len(got) != 2 {
		t.Fatal("the rest must be missing", got)
	}
	r = newConverseRig(t, ConverseOptions{Paging: ConversePages})
	r.call(422, "GET", converseDocs+"?page=0", "")
}

func TestConverseTestMode(t *testing.T) {
	r := newConverseRig(t, ConverseOptions{})
	r.s.AddAgent("bot")
	r.ingest("live", "marker")
	got := r.call(201, "POST", converseDocs+"/ingest-text?mode=test", textBody("trial", "marker"))
	id := decodeInto[object](t, got.body)["id"].(string)
	r.call(200, "POST", converseDocs+"/agent/bot/assign/"+id+"?mode=test", "")
	r.assign(404, "bot", id)
	if got := r.rows(converseDocs + "/agent/bot?mode=test"); len(got) != 1 || got[0]["name"] != "trial" {
		t.Fatal(got)
	}
	if got := r.rows(converseDocs + "?mode=test"); len(got) != 1 || got[0]["name"] != "trial" {
		t.Fatal(got)
	}
	wantList(t, r.s.Retrieve("", "marker"), "live")
	if docs := r.s.TestDocuments(); len(docs) != 1 || docs[0].Name != "trial" || len(r.s.Held("bot")) != 0 {
		t.Fatal(docs)
	}

	r = newConverseRig(t, ConverseOptions{MockTest: true})
	for _, name := range []string{"a", "b"} {
		got := r.call(201, "POST", converseDocs+"/ingest-text?mode=test", textBody(name, "x"))
		if got.body != `{"id":"mock_document","name":"Mock document"}` {
			t.Fatal(got.body)
		}
	}
	for _, path := range []string{converseDocs, converseDocs + "/x/chunks", "/api/v1/agents", "/api/v1/agents/x"} {
		if got := r.call(200, "GET", path+"?mode=test", ""); !strings.Contains(got.body, "mock_") {
			t.Fatal(got.body)
		}
	}
	r.call(200, "DELETE", converseDocs+"/x?mode=test", "")
	if len(r.s.Documents())+len(r.s.TestDocuments()) > 0 {
		t.Fatal("mock answers must store nothing")
	}
	r.ingest("live", "x")
	r.wantNoViolations()
}

func TestConverseQueryAndPages(t *testing.T) {
	r := newConverseRig(t, ConverseOptions{})
	r.s.SetPage("https://example.com/a", "How to return a parcel, free of charge.")
	r.call(201, "POST", converseDocs+"/ingest-url", `{"url":"https://example.com/a","name":"page"}`)
	r.ingest("other", "A parcel weighs 3 kg.")
	r.ingest("third", "Nothing of the kind")
	ask := func(body string) (names []string) {
		t.Helper()
		got := decodeInto[map[string][]object](t, r.call(200, "POST", converseDocs+"/query", body).body)
		for _, hit := range got["results"] {
			names = append(names, hit["document_name"].(string))
		}
		return names
	}
	wantList(t, ask(`{"query":"Return a PARCEL?","voice_mode":false}`), "page", "other")
	wantList(t, ask(`{"query":"return a parcel","top_k":1}`), "page")
	wantList(t, ask(`{"query":"absent"}`))
	wantList(t, r.s.Retrieve("", "free of charge"), "page")
	r.call(201, "POST", converseDocs+"/ingest-url", `{"url":"https://example.com/b","name":"unset"}`)
	wantList(t, r.s.Retrieve("", "https://example.com/b"), "unset")
	r.wantNoViolations()
}

func TestConverseFaultsAndInspection(t *testing.T) {
	r := newConverseRig(t, ConverseOptions{})
	r.s.SetFaults(Faults{Next: []Fault{
		{Route: "knowledge_ingest_text", Status: 500},
		{Route: "knowledge_ingest_text", Drop: true, AfterEffect: true},
		{Route: "agent_assign", Status: 429, Header: http.Header{"Retry-After": {"3"}}},
	}})
	r.call(500, "POST", converseDocs+"/ingest-text", textBody("a", "x"))
	if got := r.send("POST", converseDocs+"/ingest-text", "application/json", textBody("a", "x")); got.err == nil {
		t.Fatal("the connection must drop")
	}
	docs := r.s.Documents()
	if len(docs) != 1 {
		t.Fatal(docs)
	}
	r.s.AddAgent("bot")
	r.assign(429, "bot", docs[0].ID)
	r.assign(200, "bot", docs[0].ID)
	if got := r.call(200, "GET", "/_sim/agents", ""); got.body != fmt.Sprintf(`[{"id":"bot","documents":[%q]}]`, docs[0].ID) {
		t.Fatal(got.body)
	}
	if got := r.call(200, "GET", "/_sim/retrieve?agent=bot&marker=x", ""); got.body != `["a"]` {
		t.Fatal(got.body)
	}
	if got := r.call(200, "GET", "/api/v1/agents/bot", ""); !strings.Contains(got.body, `"system_prompt"`) {
		t.Fatal(got.body)
	}
	r.wantNoViolations()
}

func TestConverseConcurrentUse(t *testing.T) {
	r := newConverseRig(t, ConverseOptions{IndexDelay: time.Millisecond, Rate: 1e6})
	r.s.AddAgent("bot")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 10 {
				r.assign(200, "bot", r.ingest(fmt.Sprintf("%d-%d", i, j), "x"))
				r.rows(converseDocs + "/agent/bot")
				r.s.Retrieve("bot", "x")
				r.s.Documents()
				r.s.Held("bot")
			}
		})
	}
	wg.Wait()
	if n := len(r.s.Held("bot")); n != 80 {
		t.Fatal(n)
	}
}
