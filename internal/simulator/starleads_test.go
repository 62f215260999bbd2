package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestAuthentication(t *testing.T) {
	r := newRig(t, StarleadsOptions{})
	for _, key := range []string{"", "wrong"} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, r.base+"/Dataset", nil)
		if key != "" {
			req.Header.Set("X-Api-Key", key)
		}
		r.want(http.StatusUnauthorized, r.finish(req))
	}
	r.wantViolation("User-Agent")
	if got := r.s.Requests(); len(got) != 2 || got[0].Status != 401 || got[0].Path != "/Dataset" {
		t.Fatalf("%+v", got)
	}
}

func TestUploadParseDownloadDelete(t *testing.T) {
	r := newRig(t, StarleadsOptions{})
	ds := r.dataset("kb")
	got := r.sendFiles(ds, "a.md", "# A", "b.txt", "bee")
	r.want(http.StatusOK, got)
	docs := decodeInto[[]object](t, got.body)
	if docs[0]["name"] != "a.md" || docs[0]["status"] != "pending" || docs[0]["chunkMethod"] != "naive" || fmt.Sprint(docs[0]["size"]) != "3" {
		t.Fatalf("%v", docs)
	}
	if _, err := time.Parse(time.RFC3339, docs[0]["createdAt"].(string)); err != nil {
		t.Fatal(err)
	}
	a, b := docs[0]["id"].(string), docs[1]["id"].(string)
	if s := r.statuses(); s["a.md"] != StatusPending {
		t.Fatal("an upload must not parse", s)
	}
	r.parse(200, ds, a, b)
	if d := r.s.Documents(); !d[0].Searchable || d[0].Status != StatusDone {
		t.Fatalf("%+v", d)
	}
	path := "/Dataset/" + ds + "/document/" + a
	file := r.call(200, "GET", path+"/download", "")
	if file.body != "# A" || file.header.Get("Content-Disposition") != "attachment; filename=a.md" {
		t.Fatalf("%+v", file)
	}
	r.call(200, "PATCH", path, `{"enabled":false}`)
	if r.s.Documents()[0].Searchable {
		t.Fatal("a disabled document must not be found")
	}
	if got := r.call(200, "DELETE", path, ""); got.body != `{"success":true}` {
		t.Fatal(got.body)
	}
	r.call(404, "DELETE", path, "")
	r.call(404, "GET", path+"/download", "")
	r.wantNames("b.txt")
	r.wantNoViolations()
	if reqs := r.s.Requests(); reqs[1].Files != 2 || reqs[1].Bytes == 0 || reqs[1].Method != http.MethodPost {
		t.Fatalf("%+v", reqs[1])
	}
}

func TestUploadLimits(t *testing.T) {
	eleven := []string{}
	for i := range 11 {
		eleven = append(eleven, fmt.Sprintf("%d.txt", i), "x")
	}
	big := strings.Repeat("x", maxFileSize)
	for name, tt := range map[string]struct {
		pairs     []string
		want      int
		violation string
	}{
		"ten":            {eleven[:20], 200, ""},
		"eleven":         {eleven, 400, "11 files"},
		"none":           {nil, 400, "without files"},
		"exactly 5 MB":   {[]string{"a.txt", big}, 200, ""},
		"above 5 MB":     {[]string{"a.txt", big + "x"}, 400, "above 5000000"},
		"above 25 MB":    {[]string{"a.txt", big, "b.txt", big, "c.txt", big, "d.txt", big, "e.txt", big, "f.txt", "x"}, 200, "above 25000000"},
		"above 30 MB":    {[]string{"a.txt", big, "b.txt", big, "c.txt", big, "d.txt", big, "e.txt", big, "f.txt", big}, 413, "above 30000000"},
		"long name":      {[]string{strings.Repeat("é", 126) + ".txt", "x"}, 400, "256 bytes"},
		"longest name":   {[]string{strings.Repeat("x", 251) + ".txt", "x"}, 200, ""},
		"slash":          {[]string{"a/b.txt", "x"}, 400, "slash"},
		"backslash":      {[]string{`a\b.txt`, "x"}, 400, "slash"},
		"unknown type":   {[]string{"a.yaml", "x"}, 400, ""},
		"no type":        {[]string{"Makefile", "x"}, 400, ""},
		"upper-case":     {[]string{"A.TXT", "x"}, 200, ""},
		"one bad of two": {[]string{"a.txt", "x", "b.rst", "x"}, 400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, StarleadsOptions{})
			ds := r.dataset("kb")
			r.want(tt.want, r.sendFiles(ds, tt.pairs...))
			if tt.violation == "" {
				r.wantNoViolations()
			} else {
				r.wantViolation(tt.violation)
			}
			if tt.want != 200 && len(r.s.Documents()) > 0 {
				t.Fatal("a refused batch was stored")
			}
		})
	}
}

func TestUploadForm(t *testing.T) {
	r := newRig(t, StarleadsOptions{})
	ds := r.dataset("kb")
	path := "/Dataset/" + ds + "/document"
	contentType, body := files("file", "a.txt", "x")
	r.want(400, r.send("POST", path, contentType, body))
	r.wantViolation(`field "file" instead of files`)
	r.want(400, r.send("POST", path, "multipart/form-data", body))
	r.wantViolation("without a boundary")
	r.want(415, r.send("POST", path, "application/json", body))
	r.wantViolation("instead of multipart/form-data")
	contentType, body = files("files", "a.txt", "x")
	r.want(400, r.send("POST", path, contentType, body[:len(body)-30]))
	r.want(404, r.send("POST", "/Dataset/nope/document", contentType, body))
	r.wantNames()
}

func TestTakenNames(t *testing.T) {
	r := newRig(t, StarleadsOptions{})
	ds := r.dataset("kb")
	r.upload(ds, "a.txt", "1", "a.txt", "2")
	r.upload(ds, "a.txt", "3", "a(1).txt", "4")
	r.wantNames("a.txt", "a(1).txt", "a(2).txt", "a(3).txt")
	other := r.call(http.StatusCreated, "POST", "/Dataset", `{"name":"kb"}`)
	if got := decodeInto[object](t, other.body)["name"]; got != "kb(1)" {
		t.Fatal(got)
	}
}

func TestParseOutcomes(t *testing.T) {
	r := newRig(t, StarleadsOptions{})
	ds := r.dataset("kb")
	ids := r.upload(ds, "empty.md", "", "a.ini", "x", "a.pptx", "x", "a.png", "x", "a.mail.eml", "x", "bad.md", "x")
	r.s.SetFaults(Faults{ParseFail: func(n string) bool { return n == "bad.md" }})
	r.parse(200, ds, ids...)
	want := map[string]string{
		"empty.md": "failed", "a.ini": "failed", "a.pptx": "done", "a.png": "done", "a.mail.eml": "done", "bad.md": "failed",
	}
	for name, status := range r.statuses() {
		if status != want[name] {
			t.Errorf("%s is %s, want %s", name, status, want[name])
		}
	}
}

func TestParseOrder(t *testing.T) {
	r := newRig(t, StarleadsOptions{ParseDelay: time.Hour})
	ds := r.dataset("kb")
	ids := r.upload(ds, "a.md", "a", "b.md", "b", "c.md", "c")
	r.parse(200, ds, ids[1])
	got := r.parse(409, ds, ids...)
	if !strings.Contains(got.body, "already being processed") {
		t.Fatal(got.body)
	}
	want := map[string]string{"a.md": "running", "b.md": "running", "c.md": "pending"}
	if s := r.statuses(); fmt.Sprint(s) != fmt.Sprint(want) {
		t.Fatal("the list must end at the busy document", s)
	}
	r.parse(404, ds, "nope", ids[2])
	if s := r.statuses(); s["c.md"] != "running" {
		t.Fatal("the others must be queued before an unknown id is reported", s)
	}
	r.wantNoViolations()
	r.parse(400, ds)
	r.wantViolation("no ids")
	r.parse(400, ds, "")
	r.wantViolation("empty id")
	r.call(200, "POST", "/Dataset/"+ds+"/document/stop-parsing", `{"documentIds":["`+ids[0]+`"]}`)
	r.call(400, "POST", "/Dataset/"+ds+"/document/stop-parsing", `{"documentIds":["`+ids[0]+`"]}`)
	if s := r.statuses(); s["a.md"] != StatusCancelled {
		t.Fatal(s)
	}
}

func TestParseTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newBubbleRig(t, StarleadsOptions{ParseDelay: 10 * time.Second, ParseSlots: 2})
		ds := r.dataset("kb")
		ids := r.upload(ds, "a.md", "a", "b.md", "b", "c.md", "c", "d.md", "d")
		r.parse(200, ds, ids...)
		done := func() (n int) {
			for _, d := range r.s.Documents() {
				if d.Searchable {
					n++
				}
			}
			return n
		}
		if n := done(); n != 0 {
			t.Fatalf("%d at once", n)
		}
		<-time.After(10 * time.Second)
		if n := done(); n != 2 {
			t.Fatalf("%d after one turn", n)
		}
		// Deleting a running document frees its slot; a repeated trigger drops the chunks.
		<-time.After(5 * time.Second)
		r.call(200, "DELETE", "/Dataset/"+ds+"/document/"+ids[2], "")
		r.parse(200, ds, ids[0])
		if n := done(); n != 1 {
			t.Fatalf("%d after a repeated trigger", n)
		}
		<-time.After(5 * time.Second)
		if n := done(); n != 2 {
			t.Fatalf("%d after two turns", n)
		}
		<-time.After(5 * time.Second)
		if n := done(); n != 3 {
			t.Fatalf("%d at the end", n)
		}
	})
}

func TestParseStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newBubbleRig(t, StarleadsOptions{ParseDelay: time.Second})
		ds := r.dataset("kb")
		id := r.upload(ds, "a.md", "a")[0]
		stalls := 1
		r.s.SetFaults(Faults{ParseStall: func(string) bool { stalls--; return stalls >= 0 }})
		r.parse(200, ds, id)
		<-time.After(time.Hour)
		if s := r.statuses(); s["a.md"] != "running" {
			t.Fatal(s)
		}
		r.call(200, "POST", "/Dataset/"+ds+"/document/stop-parsing", `{"documentIds":["`+id+`"]}`)
		r.parse(200, ds, id)
		<-time.After(time.Second)
		if s := r.statuses(); s["a.md"] != "done" {
			t.Fatal(s)
		}
	})
}

func TestUpdateDocument(t *testing.T) {
	r := newRig(t, StarleadsOptions{})
	ds := r.dataset("kb")
	ids := r.upload(ds, "a.md", "a", "b.md", "b", "p.png", "x")
	r.parse(200, ds, ids...)
	path := "/Dataset/" + ds + "/document/"
	r.call(400, "PATCH", path+ids[0], `{"name":"a.txt"}`)
	r.call(400, "PATCH", path+ids[0], `{"name":"b.md"}`)
	r.call(400, "PATCH", path+ids[2], `{"chunkMethod":"naive"}`)
	r.call(400, "PATCH", path+ids[0], `{"chunkMethod":"nope"}`)
	r.call(400, "PATCH", path+ids[0], `{"parserConfig":{"chunkTokenNum":0}}`)
	r.call(404, "PATCH", path+"nope", `{"name":"c.md"}`)
	r.call(200, "PATCH", path+ids[0], `{"name":"c.md","parserConfig":{"chunkTokenNum":9}}`)
	if s := r.statuses(); s["c.md"] != "done" {
		t.Fatal(s)
	}
	r.upload(ds, "a.md", "new")
	r.wantNames("c.md", "b.md", "p.png", "a.md")
	r.wantNoViolations()
	r.call(200, "PATCH", path+ids[0], `{"chunkMethod":"qa","nonsense":1}`)
	r.wantViolation(`unknown field "nonsense"`)
	if s := r.statuses(); s["c.md"] != "pending" {
		t.Fatal("another chunk method must drop the chunks", s)
	}
	r.want(415, r.send("PATCH", path+ids[0], "text/plain", `{"name":"d.md"}`))
	r.wantViolation("instead of application/json")
	r.call(400, "PATCH", path+ids[0], `{"name":`)
}

func TestLists(t *testing.T) {
	r := newRig(t, StarleadsOptions{})
	for i := range 120 {
		r.s.Put("kb", fmt.Sprintf("Doc-%03d.txt", i), []byte("x"), []string{"done", "pending"}[i%2])
	}
	var ds string
	for id := range r.s.Datasets() {
		ds = id
	}
	type envelope struct {
		CurrentPage, TotalPages, PageSize, TotalCount int
		Items                                         []struct{ Name, Status string }
	}
	list := func(query string) envelope {
		return decodeInto[envelope](t, r.call(200, "GET", "/Dataset/"+ds+"/document"+query, "").body)
	}
	for _, tt := range []struct {
		query              string
		items, total, page int
		first              string
	}{
		{"", 50, 120, 1, "Doc-000.txt"},
		{"?PageNumber=3", 20, 120, 3, "Doc-100.txt"},
		{"?pagenumber=2&pagesize=7", 7, 120, 2, "Doc-007.txt"},
		{"?PageNumber=4", 0, 120, 4, ""},
		{"?PageNumber=2147483647&PageSize=100", 0, 120, 2147483647, ""},
		{"?Keywords=dOC-11", 10, 10, 1, "Doc-110.txt"},
		{"?Status=DONE&PageSize=100", 60, 60, 1, "Doc-000.txt"},
		{"?Status=pending&Keywords=11&PageSize=2", 2, 6, 1, "Doc-011.txt"},
	} {
		got := list(tt.query)
		if len(got.Items) != tt.items || got.TotalCount != tt.total || got.CurrentPage != tt.page || tt.items > 0 && got.Items[0].Name != tt.first {
			t.Errorf("%s: %+v", tt.query, got)
		}
	}
	r.wantNoViolations()
	r.call(400, "GET", "/Dataset?PageNumber=0", "")
	r.call(400, "GET", "/Dataset?PageSize=x", "")
	if got := list("?PageSize=1000&Page=2"); len(got.Items) != 100 {
		t.Error(len(got.Items))
	}
	r.wantViolation("PageSize 1000")
	r.wantViolation(`"Page"`)
}

func TestDatasets(t *testing.T) {
	r := newRig(t, StarleadsOptions{})
	one, two := r.dataset("one"), r.dataset("two")
	got := decodeInto[object](t, r.call(200, "GET", "/Dataset/"+one, "").body)
	if got["name"] != "one" || got["description"] != nil || got["chunkMethod"] != "naive" {
		t.Fatal(got)
	}
	r.call(400, "PATCH", "/Dataset/"+one, `{"name":"two"}`)
	r.call(400, "PATCH", "/Dataset/"+one, `{"name":""}`)
	r.call(400, "POST", "/Dataset", `{}`)
	r.call(400, "POST", "/Dataset", `{"name":"`+strings.Repeat("x", 256)+`"}`)
	r.call(404, "GET", "/Dataset/nope", "")
	got = decodeInto[object](t, r.call(200, "PATCH", "/Dataset/"+one, `{"parserConfig":{"chunkTokenNum":7}}`).body)
	if p := got["parserConfig"].(object); fmt.Sprint(p["chunkTokenNum"]) != "7" || p["delimiter"] != "\n" {
		t.Fatal("parserConfig must merge", p)
	}
	r.wantNoViolations()
	r.call(404, "DELETE", "/Dataset/"+two+"/document/", "")
	r.call(405, "DELETE", "/Dataset/"+two+"/document", "")
	r.wantViolation("delete with an empty id")
	r.call(404, "GET", "/nothing", "")
	r.wantViolation("no such route")
	r.upload(two, "a.md", "x")
	r.call(200, "DELETE", "/Dataset/"+two, "")
	r.wantViolation("a dataset is deleted")
	r.wantNames()
}

func TestChatsAndAgents(t *testing.T) {
	r := newRig(t, StarleadsOptions{})
	ds, empty := r.dataset("kb"), r.dataset("empty")
	id := r.upload(ds, "a.md", "x")[0]
	create := fmt.Sprintf(`{"name":"help","datasetIds":[%q]}`, ds)
	if got := r.call(400, "POST", "/KnowledgeBaseChat", create); !strings.Contains(got.body, "doesn't own parsed file") {
		t.Fatal(got.body)
	}
	r.parse(200, ds, id)
	got := decodeInto[object](t, r.call(http.StatusCreated, "POST", "/KnowledgeBaseChat", create).body)
	chatID := got["id"].(string)
	if got["updatedAt"] != nil || fmt.Sprint(got["datasetNames"]) != "[kb]" {
		t.Fatal(got)
	}
	r.call(400, "POST", "/KnowledgeBaseChat", create)
	r.call(400, "PATCH", "/KnowledgeBaseChat/"+chatID, fmt.Sprintf(`{"datasetIds":[%q,%q]}`, ds, empty))
	r.call(404, "PATCH", "/KnowledgeBaseChat/"+chatID, `{"datasetIds":["nope"]}`)
	got = decodeInto[object](t, r.call(200, "PATCH", "/KnowledgeBaseChat/"+chatID, `{"promptSettings":{"topN":3}}`).body)
	if p := got["promptSettings"].(object); fmt.Sprint(p["topN"]) != "3" || p["similarityThreshold"] == nil || got["updatedAt"] == nil {
		t.Fatal(got)
	}

	connect := fmt.Sprintf(`{"chatId":%q}`, chatID)
	r.call(404, "PUT", "/Agent/bot/chat", connect)
	r.s.AddAgent("bot")
	r.call(204, "GET", "/Agent/bot/chat", "")
	r.call(404, "PUT", "/Agent/bot/chat", `{"chatId":"nope"}`)
	if got := r.call(200, "PUT", "/Agent/bot/chat", connect); !strings.Contains(got.body, `"chatName":"help"`) {
		t.Fatal(got.body)
	}
	if c, sets := r.s.AgentChat("bot"); c != chatID || !slices.Equal(sets, []string{ds}) {
		t.Fatal(c, sets)
	}
	got = decodeInto[object](t, r.call(200, "GET", "/KnowledgeBaseChat/"+chatID, "").body)
	if fmt.Sprint(got["connectedAgentCount"]) != "1" {
		t.Fatal(got)
	}
	other := r.s.Connect("bot", "someone else's")
	if got := r.call(200, "GET", "/Agent/bot/chat", ""); !strings.Contains(got.body, other) {
		t.Fatal(got.body)
	}
	r.call(200, "DELETE", "/Agent/bot/chat", "")
	r.call(200, "PUT", "/Agent/bot/chat", connect)
	r.call(200, "DELETE", "/KnowledgeBaseChat/"+chatID, "")
	r.call(204, "GET", "/Agent/bot/chat", "")
	r.call(404, "GET", "/KnowledgeBaseChat/"+chatID, "")
	if got := r.call(200, "GET", "/KnowledgeBaseChat", ""); !strings.Contains(got.body, `"totalCount":1`) {
		t.Fatal(got.body)
	}
	r.call(200, "GET", "/Agent/bot/prompt", "")
	r.wantNoViolations()
	r.call(200, "PUT", "/Agent/bot/prompt", `{"prompt":"be nice"}`)
	r.wantViolation("prompt is changed")
}

func TestGraph(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newBubbleRig(t, StarleadsOptions{ParseDelay: 10 * time.Second})
		path := "/Dataset/" + r.dataset("kb") + "/knowledge-graph"
		r.call(400, "POST", path+"/build", "")
		r.call(204, "GET", path, "")
		r.call(200, "POST", path+"/enable", `{"entityTypes":["person"]}`)
		r.call(200, "POST", path+"/build", "")
		r.call(409, "POST", path+"/build", "")
		<-time.After(5 * time.Second)
		if got := r.call(200, "GET", path+"/status", ""); got.body != `{"progress":0.5,"status":"running"}` {
			t.Fatal(got.body)
		}
		<-time.After(5 * time.Second)
		if got := r.call(200, "GET", path+"/status", ""); got.body != `{"progress":1,"status":"done"}` {
			t.Fatal(got.body)
		}
		r.call(200, "GET", path, "")
		r.call(200, "POST", path+"/build", "")
		r.call(200, "DELETE", path, "")
		r.call(204, "DELETE", path, "")
		r.wantNoViolations()
	})
}

func TestSurprises(t *testing.T) {
	t.Run("mixed batch", func(t *testing.T) {
		r := newRig(t, StarleadsOptions{MixedBatch500: true})
		ds := r.dataset("kb")
		r.want(500, r.sendFiles(ds, "a.md", "x", "b.rst", "x", "c.md", "x"))
		r.wantNames("a.md", "c.md")
		r.want(400, r.sendFiles(ds, "b.rst", "x"))
	})
	t.Run("bare lists and ignored paging", func(t *testing.T) {
		r := newRig(t, StarleadsOptions{BareLists: true, IgnorePaging: true})
		ds := r.dataset("kb")
		if got := r.call(200, "GET", "/Dataset/"+ds+"/document", ""); got.body != "[]" {
			t.Fatal(got.body)
		}
		if got := r.call(200, "GET", "/Dataset?PageNumber=9", ""); len(decodeInto[[]object](t, got.body)) != 1 {
			t.Fatal(got.body)
		}
	})
	t.Run("upper-case status", func(t *testing.T) {
		r := newRig(t, StarleadsOptions{UpperStatus: true})
		ds := r.dataset("kb")
		r.parse(200, ds, r.upload(ds, "a.md", "x")...)
		if got := r.call(200, "GET", "/Dataset/"+ds+"/document?Status=done", ""); !strings.Contains(got.body, `"status":"DONE"`) {
			t.Fatal(got.body)
		}
	})
	t.Run("unknown ids", func(t *testing.T) {
		r := newRig(t, StarleadsOptions{BadIDs400: true})
		got := r.call(400, "DELETE", "/Dataset/"+r.dataset("kb")+"/document/77", "")
		if !strings.Contains(got.body, "No document exists with documentId : 77") {
			t.Fatal(got.body)
		}
	})
	t.Run("shuffled and null status", func(t *testing.T) {
		r := newRig(t, StarleadsOptions{ShuffledUpload: true, NoStatus: true})
		got := decodeInto[[]object](t, r.sendFiles(r.dataset("kb"), "a.md", "x", "b.md", "x", "c.md", "x").body)
		if len(got) != 3 || got[0]["name"] == "a.md" || got[0]["status"] != nil {
			t.Fatal(got)
		}
		r.wantNames("a.md", "b.md", "c.md")
	})
	t.Run("numeric ids", func(t *testing.T) {
		r := newRig(t, StarleadsOptions{NumericIDs: true})
		ds := r.dataset("kb")
		ids := r.upload(ds, "a.md", "x")
		r.call(200, "POST", "/Dataset/"+ds+"/document/parse", `{"documentIds":[`+ids[0]+`]}`)
		r.parse(200, ds, ids[0])
		got := decodeInto[[]object](t, r.sendFiles(ds, "b.md", "x").body)
		if _, ok := got[0]["id"].(json.Number); !ok {
			t.Fatal(got)
		}
	})
	t.Run("rename resets, empty chat", func(t *testing.T) {
		r := newRig(t, StarleadsOptions{RenameResets: true, AllowEmptyChat: true})
		ds := r.dataset("kb")
		r.call(http.StatusCreated, "POST", "/KnowledgeBaseChat", fmt.Sprintf(`{"name":"c","datasetIds":[%q]}`, ds))
		id := r.upload(ds, "a.md", "x")[0]
		r.parse(200, ds, id)
		r.call(200, "PATCH", "/Dataset/"+ds+"/document/"+id, `{"name":"b.md"}`)
		if s := r.statuses(); s["b.md"] != "pending" {
			t.Fatal(s)
		}
	})
}

func TestManyDocuments(t *testing.T) {
	r := newRig(t, StarleadsOptions{ParseDelay: time.Hour, ParseSlots: 1})
	const total = 100_000
	for i := range total {
		r.s.Put("kb", fmt.Sprintf("%06d.txt", i), []byte("x"), "running")
	}
	var ds string
	for id := range r.s.Datasets() {
		ds = id
	}
	start := time.Now()
	for n := 1; n <= total/100; n += 10 {
		r.call(200, "GET", fmt.Sprintf("/Dataset/%s/document?PageSize=100&PageNumber=%d", ds, n), "")
	}
	docs := r.s.Documents()
	for _, d := range docs[:200] {
		r.call(200, "DELETE", "/Dataset/"+ds+"/document/"+d.ID, "")
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
	if n := len(r.s.Documents()); n != total-200 {
		t.Fatal(n)
	}
}

func TestConcurrentUse(t *testing.T) {
	r := newRig(t, StarleadsOptions{ParseDelay: time.Millisecond, ParseSlots: 3, Rate: 1e6})
	ds := r.dataset("kb")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				got := r.sendFiles(ds, fmt.Sprintf("%d-%d.md", i, j), "x", "same.md", "x")
				if got.status != 200 {
					t.Errorf("%+v", got)
					return
				}
				r.send("GET", "/Dataset/"+ds+"/document", "", "")
				r.s.SetFaults(Faults{Next: []Fault{{Route: "nothing"}}})
				r.s.Documents()
				r.s.Requests()
			}
		})
	}
	wg.Wait()
	if n := len(r.s.Documents()); n != 320 {
		t.Fatal(n)
	}
}
