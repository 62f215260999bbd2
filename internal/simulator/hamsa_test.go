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

const hamsaItems = "/v1/voice-agents/knowledge-base"

// hamsaRig is a Hamsa simulator with a client before it.
type hamsaRig struct {
	*client

	s *Hamsa
}

func makeHamsaRig(t *testing.T, o HamsaOptions) *hamsaRig {
	t.Helper()
	o.Key = testKey
	s := NewHamsa(o)
	return &hamsaRig{s: s, client: &client{
		t: t, front: s.front, auth: [2]string{"Authorization", "Token " + testKey}, problem: wantHamsaProblem,
	}}
}

func newHamsaRig(t *testing.T, o HamsaOptions) *hamsaRig {
	t.Helper()
	r := makeHamsaRig(t, o)
	r.served(r.s)
	return r
}

func newHamsaBubble(t *testing.T, o HamsaOptions) *hamsaRig {
	t.Helper()
	r := makeHamsaRig(t, o)
	r.called(r.s)
	return r
}

func wantHamsaProblem(t *testing.T, got reply) {
	t.Helper()
	if p := decodeInto[object](t, got.body); p["success"] != false || p["message"] == "" || p["messageKey"] == "" {
		t.Fatalf("not an error body: %s", got.body)
	}
}

// data calls and returns the data of the answer.
func (r *hamsaRig) data(want int, method, path, body string) object {
	r.t.Helper()
	data, _ := decodeInto[object](r.t, r.call(want, method, path, body).body)["data"].(object)
	return data
}

func (r *hamsaRig) create(name, content string) (id string) {
	r.t.Helper()
	body := fmt.Sprintf(`{"items":[{"itemName":%q,"type":"TEXT","content":%q}]}`, name, content)
	return r.data(201, "POST", hamsaItems, body)["id"].(string)
}

func (r *hamsaRig) set(want int, agent string, ids ...string) reply {
	r.t.Helper()
	b, _ := json.Marshal(map[string][]string{"knowledgeBaseItemsIds": append([]string{}, ids...)})
	return r.call(want, "PATCH", "/v2/voice-agents/"+agent, string(b))
}

func (r *hamsaRig) toggle(want int, agent, id string, active bool) {
	r.t.Helper()
	r.call(want, "POST", hamsaItems+"/toggle-activation",
		fmt.Sprintf(`{"voiceAgentId":%q,"knowledgeBaseItemId":%q,"isActive":%v}`, agent, id, active))
}

func (r *hamsaRig) status(id string) string {
	r.t.Helper()
	return r.data(200, "GET", hamsaItems+"/"+id, "")["status"].(string)
}

// list returns the names on one page.
func (r *hamsaRig) list(query string) (names []string) {
	r.t.Helper()
	for _, it := range r.data(200, "GET", hamsaItems+"/list"+query, "")["items"].([]any) {
		names = append(names, it.(object)["itemName"].(string))
	}
	return names
}

func wantList(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestHamsaAuthentication(t *testing.T) {
	r := newHamsaRig(t, HamsaOptions{})
	for _, value := range []string{"", "Token", "Token wrong", "Bearer " + testKey, testKey} {
		r.auth[1] = value
		r.call(401, "GET", hamsaItems+"/list", "")
	}
	r.wantViolation("Bearer")
	r.auth[1] = "Token " + testKey
	if got := r.data(200, "GET", "/v1/projects/by-api-key", ""); got["id"] == "" || got["name"] == "" {
		t.Fatal(got)
	}
	r.call(404, "GET", "/v1/knowledge-base/list", "")
	r.wantViolation("no such route")
	r = newHamsaRig(t, HamsaOptions{NoProject: true})
	r.call(404, "GET", "/v1/projects/by-api-key", "")
	r.wantNoViolations()
}

func TestHamsaProcessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newHamsaBubble(t, HamsaOptions{ProcessDelay: 10 * time.Second, FailWord: "READING_FAILURE"})
		r.s.SetFaults(Faults{
			ParseFail:  func(name string) bool { return strings.HasPrefix(name, "bad") },
			ParseStall: func(name string) bool { return strings.HasPrefix(name, "slow") },
			Reject:     func(name string) bool { return strings.HasPrefix(name, "evil") },
		})
		r.call(400, "POST", hamsaItems, `{"items":[{"itemName":"evil","type":"TEXT","content":"x"}]}`)
		good, bad, slow := r.create("good", "the marker"), r.create("bad", "x"), r.create("slow", "x")
		steps := []struct {
			wait             time.Duration
			good, bad, stall string
		}{
			{0, "PENDING", "PENDING", "PENDING"},
			{6 * time.Second, "PROCESSING", "PROCESSING", "PROCESSING"},
			{4 * time.Second, "PROCESSED", "READING_FAILURE", "PROCESSING"},
			{time.Hour, "PROCESSED", "READING_FAILURE", "PROCESSING"},
		}
		for _, step := range steps {
			time.Sleep(step.wait)
			if got := r.status(good); got != step.good {
				t.Fatal(got, step)
			}
			if got := r.status(bad); got != step.bad {
				t.Fatal(got, step)
			}
			if got := r.status(slow); got != step.stall {
				t.Fatal(got, step)
			}
		}
		docs := r.s.Documents()
		if docs[0].Status != StatusDone || !docs[0].Searchable || string(docs[0].Content) != "the marker" ||
			docs[1].Status != StatusFailed || docs[1].Searchable || docs[2].Status != StatusRunning {
			t.Fatalf("%+v", docs)
		}
		wantList(t, r.s.Retrieve("", "marker"), "good")
		wantList(t, r.s.Retrieve("", "x"))
		r.wantNoViolations()
	})
}

func TestHamsaPartial(t *testing.T) {
	r := newHamsaRig(t, HamsaOptions{FailWord: "COMPLETED_WITH_ERRORS", WorkWords: []string{"QUEUED"}})
	r.s.SetFaults(Faults{ParseFail: func(string) bool { return true }})
	if got := r.status(r.create("a", "marker")); got != "COMPLETED_WITH_ERRORS" {
		t.Fatal(got)
	}
	r.s.SetFaults(Faults{ParseStall: func(string) bool { return true }})
	if got := r.status(r.create("b", "marker")); got != "QUEUED" {
		t.Fatal(got)
	}
	wantList(t, r.s.Retrieve("", "marker"), "a")
	r.wantNoViolations()
}

func TestHamsaItem(t *testing.T) {
	r := newHamsaRig(t, HamsaOptions{})
	id := r.create("a.md", "one two three")
	it := r.data(200, "GET", hamsaItems+"/"+id, "")
	if it["content"] != "one two three" || it["type"] != "TEXT" || fmt.Sprint(it["wordsNumber"]) != "3" ||
		it["fileSize"] != "0.0KB" || it["extension"] != "txt" || it["used"] != false || it["isActive"] != true ||
		it["failureReason"] == "" || it["updatedAt"] != nil {
		t.Fatal(it)
	}
	it = r.data(200, "PATCH", hamsaItems+"/"+id, `{"itemName":"b.md"}`)
	if it["itemName"] != "b.md" || it["updatedAt"] == nil {
		t.Fatal(it)
	}
	r.call(404, "GET", hamsaItems+"/nope", "")
	r.call(404, "PATCH", hamsaItems+"/nope", `{"itemName":"b.md"}`)
	r.wantNoViolations()
	r.call(400, "PATCH", hamsaItems+"/"+id, `{"itemName":"b.md","content":"new"}`)
	r.wantViolation(`unknown field "content"`)
	r.call(400, "PATCH", hamsaItems+"/"+id, `{"itemName":"`+strings.Repeat("x", 251)+`"}`)
	r.call(200, "PATCH", hamsaItems+"/"+id, `{"itemName":"`+strings.Repeat("é", 250)+`"}`)

	r.s.SetPage("https://example.com/a", "page with marker")
	page := r.data(201, "POST", hamsaItems, `{"items":[{"itemName":"p","type":"URL","itemUrl":"https://example.com/a"}]}`)
	if page["itemUrl"] != "https://example.com/a" || page["content"] != nil || page["extension"] != "html" {
		t.Fatal(page)
	}
	wantList(t, r.s.Retrieve("", "marker"), "p")
	file := r.data(201, "POST", hamsaItems, `{"items":[{"itemName":"f","type":"FILE","itemUrl":"https://example.com/F.PDF"}]}`)
	r.call(200, "DELETE", hamsaItems+"/"+file["id"].(string)+"/url", `{"url":"https://example.com/F.PDF"}`)
	if got := r.data(200, "GET", hamsaItems+"/"+file["id"].(string), ""); file["extension"] != "pdf" || got["itemUrl"] != nil {
		t.Fatal(file, got)
	}
	pages := r.data(201, "POST", hamsaItems,
		`{"items":[{"itemName":"q","type":"URL","itemUrls":["https://example.com/b","https://example.com/c"]}]}`)
	path := hamsaItems + "/" + pages["id"].(string) + "/url"
	r.call(200, "DELETE", path, `{"url":"https://example.com/b"}`)
	r.call(404, "DELETE", path, `{"url":"https://example.com/b"}`)
	if got := r.data(200, "GET", strings.TrimSuffix(path, "/url"), ""); fmt.Sprint(got["itemUrls"]) != "[https://example.com/c]" {
		t.Fatal(got)
	}
}

func TestHamsaRefusals(t *testing.T) {
	r := newHamsaRig(t, HamsaOptions{})
	for _, items := range []string{
		``, `{}`, `{"type":"TEXT","content":"x"}`, `{"itemName":"a","content":"x"}`, `{"itemName":"a","type":"TEXT"}`,
		`{"itemName":"a","type":"TEXT","content":" "}`, `{"itemName":"","type":"TEXT","content":"x"}`,
		`{"itemName":"a","type":"PDF","content":"x"}`, `{"itemName":"a","type":"URL"}`, `{"itemName":5,"type":"TEXT","content":"x"}`,
		`{"itemName":"a","type":"URL","itemUrl":"ftp://example.com/"}`, `{"itemName":"a","type":"URL","itemUrl":"https://a/","content":"x"}`,
		`{"itemName":"a","type":"TEXT","content":"x","itemUrl":"https://a/"}`, `{"itemName":"a","type":"TEXT","content":"x","agent":"y"}`,
		`{"itemName":"good","type":"TEXT","content":"x"},{"itemName":"bad"}`,
	} {
		before := len(r.s.Violations())
		r.call(400, "POST", hamsaItems, `{"items":[`+items+`]}`)
		if len(r.s.Violations()) != before+1 {
			t.Errorf("%s is no violation", items)
		}
	}
	if got := r.s.Documents(); len(got) > 0 {
		t.Fatal("nothing must be stored", got)
	}
	r.want(400, r.send("POST", hamsaItems, "text/plain", `{"items":[]}`))
	r.call(400, "POST", hamsaItems, `[]`)
	for _, query := range []string{
		"skip=0", "take=0", "skip=x", "type=PDF", "status[]=PENDING", "extensions=md", "sortField=name", "sortOrder=up", "used=yes",
	} {
		before := len(r.s.Violations())
		r.call(400, "GET", hamsaItems+"/list?"+query, "")
		if len(r.s.Violations()) != before+1 {
			t.Errorf("%s is no violation", query)
		}
	}
	r.call(200, "GET", hamsaItems+"/list?page=2", "")
	r.wantViolation(`unknown query parameter "page"`)
}

func TestHamsaList(t *testing.T) {
	r := newHamsaRig(t, HamsaOptions{})
	var ids []string
	for i := range 12 {
		ids = append(ids, r.create(fmt.Sprintf("%02d.md", i), strings.Repeat("x ", 12-i)))
	}
	r.s.AddAgent("bot")
	r.set(200, "bot", ids[3], ids[4])
	r.toggle(200, "bot", ids[4], false)

	if got := r.list(""); len(got) != 10 || got[0] != "11.md" || got[9] != "02.md" {
		t.Fatal(got)
	}
	wantList(t, r.list("?skip=3&take=5&sortField=createdAt&sortOrder=asc"), "10.md", "11.md")
	wantList(t, r.list("?skip=4&take=5&sortOrder=asc"))
	wantList(t, r.list("?sortField=words&sortOrder=asc&take=2"), "11.md", "10.md")
	wantList(t, r.list("?sortField=fileSize&sortOrder=desc&take=1"), "00.md")
	wantList(t, r.list("?search=1.MD"), "11.md", "01.md")
	wantList(t, r.list("?used=true"), "04.md", "03.md")
	wantList(t, r.list("?voiceAgentId=bot&isActive=true"), "03.md")
	wantList(t, r.list("?isActive=false"), "04.md")
	wantList(t, r.list("?voiceAgentId=nobody"))
	wantList(t, r.list("?type=URL&status[]=PROCESSED"))
	wantList(t, r.list("?type[]=TEXT&type[]=URL&status=PROCESSED&extensions[]=txt&search=05"), "05.md")
	data := r.data(200, "GET", hamsaItems+"/list?search=1.md&take=1", "")
	if fmt.Sprint(data["total"], " ", data["filtered"]) != "12 2" {
		t.Fatal(data)
	}
	if v := r.s.Violations(); len(v) != 1 || !strings.Contains(v[0], "deactivated that the agent holds") {
		t.Fatal(v)
	}
}

func TestHamsaSwapAndRetire(t *testing.T) {
	r := newHamsaRig(t, HamsaOptions{AllowDelete: true})
	r.s.AddAgent("bot")
	old, next := r.create("a.md", "marker one"), r.create("a.md", "marker two")
	theirs := r.s.Put("theirs", []byte("marker zero"))
	r.s.Give("bot", theirs)
	r.s.Give("bot", "dangling")
	wantList(t, r.s.Retrieve("bot", "marker"), "theirs")
	r.set(200, "bot", theirs, "dangling", old)
	wantList(t, r.s.Held("bot"), theirs, "dangling", old)
	r.set(200, "bot", theirs, "dangling", next)
	wantList(t, r.s.Retrieve("bot", "marker one"))
	wantList(t, r.s.Retrieve("bot", "marker two"), "a.md")
	r.toggle(200, "bot", old, false)
	wantList(t, r.s.Retrieve("", "marker one"))
	r.call(200, "DELETE", hamsaItems+"/"+old, "")
	r.call(404, "DELETE", hamsaItems+"/"+old, "")
	r.toggle(404, "bot", old, false)
	r.toggle(404, "nobody", next, false)
	r.wantNoViolations()

	r.toggle(200, "bot", next, false)
	wantList(t, r.s.Retrieve("bot", "marker"), "theirs")
	r.call(200, "POST", hamsaItems+"/toggle-activation", fmt.Sprintf(`{"voiceAgentId":"bot","knowledgeBaseItemId":%q}`, next))
	wantList(t, r.s.Retrieve("bot", "marker"), "a.md", "theirs")
	r.s.Take("bot", next)
	r.s.Remove(theirs)
	wantList(t, r.s.Held("bot"), "dangling")
	r.call(404, "GET", hamsaItems+"/"+theirs, "")
}

func TestHamsaHarm(t *testing.T) {
	tests := []struct {
		name      string
		status    int
		do        func(r *hamsaRig, ours, theirs string) (method, path, body string)
		violation string
	}{
		{"another field", 400, func(_ *hamsaRig, ours, theirs string) (string, string, string) {
			return "PATCH", "/v2/voice-agents/bot", fmt.Sprintf(`{"agentName":"x","knowledgeBaseItemsIds":[%q,%q]}`, ours, theirs)
		}, `unknown field "agentName"`},
		{"ids as text", 400, func(*hamsaRig, string, string) (string, string, string) {
			return "PATCH", "/v1/voice-agents/bot", `{"knowledgeBaseItemsIds":"[]"}`
		}, "cannot unmarshal"},
		{"no ids", 400, func(*hamsaRig, string, string) (string, string, string) {
			return "PATCH", "/v2/voice-agents/bot", `{"knowledgeBaseItemsIds":null}`
		}, "is required"},
		{"unknown id", 400, func(_ *hamsaRig, ours, theirs string) (string, string, string) {
			return "PATCH", "/v2/voice-agents/bot", fmt.Sprintf(`{"knowledgeBaseItemsIds":[%q,%q,"nope"]}`, ours, theirs)
		}, "no item with the id nope"},
		{"twice", 400, func(_ *hamsaRig, ours, theirs string) (string, string, string) {
			return "PATCH", "/v2/voice-agents/bot", fmt.Sprintf(`{"knowledgeBaseItemsIds":[%q,%q,%q]}`, ours, theirs, ours)
		}, "comes twice"},
		{"foreign id lost", 200, func(_ *hamsaRig, ours, _ string) (string, string, string) {
			return "PATCH", "/v2/voice-agents/bot", fmt.Sprintf(`{"knowledgeBaseItemsIds":[%q]}`, ours)
		}, "loses the foreign id"},
		{"swapped for an unfinished one", 200, func(r *hamsaRig, _, theirs string) (string, string, string) {
			r.s.SetFaults(Faults{ParseStall: func(string) bool { return true }})
			return "PATCH", "/v2/voice-agents/bot", fmt.Sprintf(`{"knowledgeBaseItemsIds":[%q,%q]}`, theirs, r.create("new", "x"))
		}, "which is not processed"},
		{"delete held", 200, func(_ *hamsaRig, ours, _ string) (string, string, string) {
			return "DELETE", hamsaItems + "/" + ours, ""
		}, "that an agent holds"},
		{"delete foreign", 200, func(_ *hamsaRig, _, theirs string) (string, string, string) {
			return "DELETE", hamsaItems + "/" + theirs, ""
		}, "a foreign item is deleted"},
		{"rename foreign", 200, func(_ *hamsaRig, _, theirs string) (string, string, string) {
			return "PATCH", hamsaItems + "/" + theirs, `{"itemName":"x"}`
		}, "a foreign item is renamed"},
		{"toggle foreign", 200, func(_ *hamsaRig, _, theirs string) (string, string, string) {
			return "POST", hamsaItems + "/toggle-activation",
				fmt.Sprintf(`{"voiceAgentId":"bot","knowledgeBaseItemId":%q,"isActive":false}`, theirs)
		}, "a foreign item is toggled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newHamsaRig(t, HamsaOptions{AllowDelete: true})
			ours, theirs := r.create("ours", "x"), r.s.Put("theirs", []byte("y"))
			r.s.Give("bot", theirs)
			r.set(200, "bot", theirs, ours)
			method, path, body := tt.do(r, ours, theirs)
			r.wantNoViolations()
			r.call(tt.status, method, path, body)
			r.wantViolation(tt.violation)
			if tt.status >= 400 {
				wantList(t, r.s.Held("bot"), theirs, ours)
			}
		})
	}
}

func TestHamsaAgents(t *testing.T) {
	r := newHamsaRig(t, HamsaOptions{})
	for _, id := range []string{"one", "two", "three"} {
		r.s.AddAgent(id)
	}
	r.call(404, "GET", "/v2/voice-agents/nope", "")
	r.set(404, "nope")
	v2, v1 := r.data(200, "GET", "/v2/voice-agents/one", ""), r.data(200, "GET", "/v1/voice-agents/one", "")
	if v2["llm"].(object)["apiKey"] != HamsaAgentKey || v2["webhookAuth"].(object)["authSecret"] != HamsaAgentSecret {
		t.Fatal("an agent's body must hold its secrets", v2)
	}
	if v2["callSettings"].(object)["agenticRag"] != true || v1["callSettings"] != nil || v1["agenticRag"] != true {
		t.Fatal(v2, v1)
	}
	for _, version := range []string{"/v1", "/v2"} {
		got := r.data(200, "GET", version+"/voice-agents?skip=2&take=2&sortField=createdAt&sortOrder=asc", "")
		list := got["voiceAgents"].([]any)
		if fmt.Sprint(got["total"], " ", got["filtered"]) != "3 3" || len(list) != 1 || list[0].(object)["id"] != "three" {
			t.Fatal(got)
		}
	}
	got := r.data(200, "GET", "/v2/voice-agents?search=TWO&type=Single+Prompt&language=en", "")
	if fmt.Sprint(got["total"], " ", got["filtered"]) != "3 1" {
		t.Fatal(got)
	}
	r.wantNoViolations()
	r.call(400, "GET", "/v2/voice-agents?sortField=name", "")
	r.call(404, "POST", "/v2/voice-agents", `{"agentName":"x"}`)
	r.wantViolation("no such route")
}

func TestHamsaForms(t *testing.T) {
	const create = `{"items":[{"itemName":"a","type":"TEXT","content":"x"},{"itemName":"b","type":"TEXT","content":"y"}]}`
	const bot = "/v2/voice-agents/bot"
	tests := []struct {
		name                   string
		opts                   HamsaOptions
		method, path, body     string
		status                 int
		contains, doesNotMatch string
	}{
		{"object", HamsaOptions{}, "POST", hamsaItems, create, 201, `"data":{"id":`, `"itemName":"b"`},
		{"array", HamsaOptions{CreateReply: HamsaArray}, "POST", hamsaItems, create, 201, `"data":[{"id":`, `{"items"`},
		{"items", HamsaOptions{CreateReply: HamsaItems}, "POST", hamsaItems, create, 201, `"data":{"items":[{"id":`, `,"items"`},
		{"no id", HamsaOptions{CreateReply: HamsaNoID}, "POST", hamsaItems, create, 201, `"data":{"userId":`, `"id":`},
		{"no data", HamsaOptions{CreateReply: HamsaNoData}, "POST", hamsaItems, create, 201, `"success":true`, `"data"`},
		{"success false", HamsaOptions{SuccessFalse: true}, "POST", hamsaItems, create, 201, `"success":false`, `true,"message"`},
		{"number", HamsaOptions{NumericExtension: true}, "POST", hamsaItems, create, 201, `"extension":1,`, `"extension":"`},
		{"ids", HamsaOptions{}, "GET", bot, "", 200, `"knowledgeBaseItemsIds":[]`, `null`},
		{"ids as text", HamsaOptions{IDs: HamsaIDText}, "GET", bot, "", 200, `"knowledgeBaseItemsIds":"[]"`, `null`},
		{"ids null", HamsaOptions{IDs: HamsaIDNull}, "GET", bot, "", 200, `"knowledgeBaseItemsIds":null`, `[]`},
		{"no ids", HamsaOptions{IDs: HamsaIDMissing}, "GET", bot, "", 200, `"success":true`, `knowledgeBaseItemsIds`},
		{"nest text", HamsaOptions{NestErrors: true}, "GET", hamsaItems + "/x", "", 404, `{"statusCode":404,"message":"K`, `success`},
		{"nest list", HamsaOptions{NestErrors: true}, "POST", hamsaItems, `{}`, 400, `{"statusCode":400,"message":["`, `success`},
		{"no delete", HamsaOptions{}, "DELETE", hamsaItems + "/x", "", 404, `Cannot DELETE`, `statusCode`},
		{"delete 405", HamsaOptions{DeleteStatus: 405}, "DELETE", hamsaItems + "/x", "", 405, `Method Not Allowed`, `statusCode`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newHamsaRig(t, tt.opts)
			r.problem = nil
			r.s.AddAgent("bot")
			got := r.call(tt.status, tt.method, tt.path, tt.body)
			if !strings.Contains(got.body, tt.contains) || strings.Contains(got.body, tt.doesNotMatch) {
				t.Fatal(got.body)
			}
			if tt.status == 201 && len(r.s.Documents()) != 2 {
				t.Fatal(r.s.Documents())
			}
		})
	}
	r := newHamsaRig(t, HamsaOptions{IDs: HamsaIDText})
	id := r.create("a", "x")
	r.s.Give("bot", id)
	if got := r.data(200, "GET", bot, ""); got["knowledgeBaseItemsIds"] != `["`+id+`"]` {
		t.Fatal(got)
	}
}

func TestHamsaShiftingPages(t *testing.T) {
	pages := func(r *hamsaRig, n int) (all [][]string) {
		for i := range 6 {
			r.create(fmt.Sprint(i), "x")
		}
		for p := 1; p <= n; p++ {
			all = append(all, r.list(fmt.Sprintf("?take=3&sortOrder=asc&skip=%d", p)))
		}
		return all
	}
	tests := []struct {
		name string
		opts HamsaOptions
		want string
	}{
		{"steady", HamsaOptions{}, "[[0 1 2] [3 4 5] []]"},
		{"repeat", HamsaOptions{RepeatItems: true}, "[[0 1 2] [2 3 4] [5]]"},
		{"lose", HamsaOptions{LoseItems: true}, "[[0 1 2] [4 5] []]"},
		{"ignore", HamsaOptions{IgnorePaging: true}, "[[0 1 2] [0 1 2] [0 1 2]]"},
		{"cap", HamsaOptions{MaxTake: 2}, "[[0 1] [2 3] [4 5]]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newHamsaRig(t, tt.opts)
			if got := fmt.Sprint(pages(r, 3)); got != tt.want {
				t.Fatalf("%s, want %s", got, tt.want)
			}
			r.list("?take=3&sortOrder=asc")
			if got := r.list("?take=3&sortOrder=asc&skip=2"); tt.opts.LoseItems && len(got) != 3 {
				t.Fatal("the second listing must be whole", got)
			}
			if tt.opts.IgnorePaging {
				return
			}
			r.wantNoViolations()
		})
	}
	r := newHamsaRig(t, HamsaOptions{IgnoreSearch: true})
	r.create("a", "x")
	wantList(t, r.list("?search=nothing"), "a")
}

func TestHamsaFaultsAndInspection(t *testing.T) {
	r := newHamsaRig(t, HamsaOptions{})
	r.s.SetFaults(Faults{Next: []Fault{
		{Route: "item_create", Status: 503},
		{Route: "item_create", Drop: true, AfterEffect: true},
		{Route: "agent_update", Status: 429, Header: http.Header{"Retry-After": {"3"}}},
	}})
	const create = `{"items":[{"itemName":"a","type":"TEXT","content":"marker"}]}`
	r.call(503, "POST", hamsaItems, create)
	if got := r.send("POST", hamsaItems, "application/json", create); got.err == nil {
		t.Fatal("the connection must drop")
	}
	docs := r.s.Documents()
	if len(docs) != 1 {
		t.Fatal(docs)
	}
	r.s.AddAgent("bot")
	if got := r.set(429, "bot", docs[0].ID); got.header.Get("Retry-After") != "3" {
		t.Fatal(got.header)
	}
	requests := len(r.s.Requests())
	r.problem = nil
	if got := r.call(200, "GET", "/_sim/documents", ""); !strings.Contains(got.body, `"name":"a","size":6,`) {
		t.Fatal(got.body)
	}
	if got := r.call(200, "GET", "/_sim/content/"+docs[0].ID, ""); got.body != "marker" {
		t.Fatal(got.body)
	}
	r.call(404, "GET", "/_sim/content/nope", "")
	theirs := decodeInto[object](t, r.call(201, "POST", "/_sim/documents", `{"name":"theirs","text":"their marker"}`).body)["id"]
	r.call(400, "POST", "/_sim/documents", `{"text":"x"}`)
	r.call(201, "POST", "/_sim/agents", fmt.Sprintf(`{"id":"other","give":%q}`, theirs))
	r.call(400, "POST", "/_sim/agents", `{"name":"other"}`)
	if got := r.call(200, "GET", "/_sim/agents", ""); got.body != fmt.Sprintf(
		`[{"id":"bot","documents":[]},{"id":"other","documents":[%q]}]`, theirs) {
		t.Fatal(got.body)
	}
	if got := r.call(200, "GET", "/_sim/retrieve?agent=other&marker=marker", ""); got.body != `["theirs"]` {
		t.Fatal(got.body)
	}
	if got := r.call(200, "GET", "/_sim/retrieve?agent=nobody", ""); got.body != `[]` {
		t.Fatal(got.body)
	}
	r.call(200, "GET", "/_sim/violations", "")
	if len(r.s.Requests()) != requests {
		t.Fatal("inspection must not be recorded")
	}
	r.wantNoViolations()
}

func TestHamsaRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newHamsaBubble(t, HamsaOptions{Rate: 2, Latency: time.Second / 100})
		for range 2 {
			r.call(200, "GET", hamsaItems+"/list", "")
		}
		if got := r.call(429, "GET", hamsaItems+"/list", ""); got.header.Get("Retry-After") != "1" {
			t.Fatal(got.header)
		}
		time.Sleep(time.Second)
		r.call(200, "GET", hamsaItems+"/list", "")
	})
}

func TestHamsaConcurrentUse(t *testing.T) {
	r := newHamsaRig(t, HamsaOptions{ProcessDelay: time.Millisecond})
	r.s.AddAgent("bot")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 10 {
				r.s.Give("bot", r.create(fmt.Sprintf("%d-%d", i, j), "x"))
				r.list("?voiceAgentId=bot")
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
