package chatbase

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/simulator"
	"kbsyncd/internal/targets"
)

const (
	oldName   = "page.kbaaaaaaaaaaaaaaa-0000000000.md"
	newName   = "page.kbaaaaaaaaaaaaaaa-1111111111.md"
	otherName = "other.kbaaaaaaaaaaaaaab-0000000000.md"
	fileName  = "page.kbaaaaaaaaaaaaaaa-1111111111.pdf"
)

// vendor is a hand-made vendor that knows its agent and leaves the rest to a handler.
type vendor struct {
	h http.HandlerFunc

	mu   sync.Mutex
	seen []string    // guarded by mu; "METHOD /path" without the API's prefix
	at   []time.Time // guarded by mu
}

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	path := strings.Replace(r.URL.Path, "/api/v2/agents/"+testAgent, "", 1)
	v.seen, v.at = append(v.seen, strings.TrimSpace(r.Method+" "+path)), append(v.at, time.Now())
	v.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	if r.URL.Path == "/api/v2/agents/"+testAgent {
		fmt.Fprintf(w, `{"id":%q,"name":"Support bot","size":12345678,"status":"trained"}`, testAgent)
		return
	}
	v.h(w, r)
}

func (v *vendor) requests() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.seen)
}

func (v *vendor) count(what string) int {
	n := 0
	for _, s := range v.requests() {
		if s == what {
			n++
		}
	}
	return n
}

// fake is a target before a hand-made vendor, connected.
func fake(t *testing.T, change func(*Config), h http.HandlerFunc) (*Target, *vendor) {
	t.Helper()
	v := &vendor{h: h}
	cfg := testConfig()
	if change != nil {
		change(cfg)
	}
	opts, _ := testOptions(t, v)
	target, err := cfg.open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	mustConnect(t, target)
	return target, v
}

func mustConnect(t *testing.T, target targets.Target) {
	t.Helper()
	st, err := target.Connect(t.Context(), true)
	if err != nil || st.ID != testAgent || st.Created {
		t.Fatalf("connect: %+v, %v", st, err)
	}
}

// script answers a route with one step after the other; the last one stays.
type script map[string][]string

func (s script) handler() http.HandlerFunc {
	var mu sync.Mutex
	n := map[string]int{}
	return func(w http.ResponseWriter, r *http.Request) {
		route := strings.TrimSpace(r.Method + " " + strings.Replace(r.URL.Path, "/api/v2/agents/"+testAgent, "", 1))
		steps, ok := s[route]
		if !ok {
			http.Error(w, `{"error":{"code":"NO_SUCH_ROUTE","message":"`+route+`"}}`, http.StatusNotImplemented)
			return
		}
		mu.Lock()
		step := steps[min(n[route], len(steps)-1)]
		n[route]++
		mu.Unlock()
		status, body, _ := strings.Cut(step, " ")
		var code int
		_, _ = fmt.Sscan(status, &code)
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func listOf(items ...string) string {
	return fmt.Sprintf(`200 {"data":[%s],"pagination":{"cursor":null,"hasMore":false,"total":%d}}`, strings.Join(items, ","), len(items))
}

func refusal(status int, code string) string {
	return fmt.Sprintf(`%d {"error":{"code":%q,"message":"No."}}`, status, code)
}

func rendition(name, content string) targets.Rendition {
	return targets.Rendition{
		Document: "src/page.md", Name: name, Size: int64(len(content)), Digest: kb.Sum([]byte(content)), MediaType: "text/markdown",
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
	}
}

func upload(t *testing.T, target *Target, rs ...targets.Rendition) targets.Result {
	t.Helper()
	res, _ := target.Upload(t.Context(), rs)
	return res[len(res)-1]
}

func TestConnect(t *testing.T) {
	for name, c := range map[string]struct {
		agent, answer string
		class         error
		says          string
	}{
		"there":         {agent: testAgent, answer: `200 {"id":"agt_1","name":"Bot"}`},
		"wrapped":       {agent: testAgent, answer: `200 {"data":{"id":"agt_1","name":"Bot"}}`},
		"unknown":       {agent: testAgent, answer: refusal(404, "AGENT_NOT_FOUND"), class: fault.ErrSetup, says: "agt_1"},
		"404 of a page": {agent: testAgent, answer: `404 <html><title>Not here</title></html>`, class: fault.ErrSetup, says: "base_url"},
		"no such id":    {agent: testAgent, answer: refusal(400, "VALIDATION_INVALID_PARAMS"), class: fault.ErrSetup, says: "agents"},
		"another":       {agent: testAgent, answer: `200 {"id":"agt_2","name":"Bot"}`, class: fault.ErrSetup, says: "agt_2"},
		"nothing":       {agent: testAgent, answer: `200 {}`, class: fault.ErrSetup, says: "base_url"},
		"none given":    {agent: "", answer: `200 {"id":""}`, class: fault.ErrSetup, says: "agents"},
		"dots":          {agent: "..", answer: `200 {"id":".."}`, class: fault.ErrRejected},
		"bad plan":      {agent: testAgent, answer: refusal(403, "SUBSCRIPTION_API_RESTRICTED_PLAN"), class: fault.ErrDenied, says: "Standard plan"},
		"old key":       {agent: testAgent, answer: refusal(401, "AUTH_EXPIRED_API_KEY"), class: fault.ErrDenied, says: "make a new key"},
		"few scopes":    {agent: testAgent, answer: refusal(403, "AUTH_INSUFFICIENT_PERMISSIONS"), class: fault.ErrDenied, says: "sources:delete"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := testConfig()
				opts, _ := testOptions(t, script{"GET": {c.answer}}.handler())
				opts.Agent = c.agent
				target, err := cfg.open(opts)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = target.Close() }()
				st, err := target.Connect(t.Context(), true)
				if c.class == nil {
					if err != nil || st.ID != testAgent || st.Name != "Bot" {
						t.Errorf("%+v, %v", st, err)
					}
					return
				}
				if !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.says) || !errors.Is(c.class, fault.ErrRejected) && !fault.StopsTarget(err) {
					t.Errorf("%v", err)
				}
				// A store that nobody has seen is not an empty one.
				if err := target.List(t.Context(), func(targets.Remote) error { return nil }); !fault.StopsTarget(err) {
					t.Errorf("list: %v", err)
				}
			})
		})
	}
}

func TestPlace(t *testing.T) {
	seen := map[string]string{}
	usual := NewConfig()
	for name, change := range map[string]func(*Config) string{
		"usual":   func(*Config) string { return testAgent },
		"agent":   func(*Config) string { return "agt_2" },
		"address": func(c *Config) string { c.BaseURL = "http://elsewhere.test/api/v2"; return testAgent },
		"api":     func(c *Config) string { c.API = apiV1; return testAgent },
	} {
		cfg := *usual
		target, err := cfg.Open(targets.Options{Agent: change(&cfg)})
		if err != nil {
			t.Fatal(err)
		}
		p := target.(targets.Placed).Place()
		if other, taken := seen[p]; taken || p == "" {
			t.Errorf("%s and %s are one place", name, other)
		}
		seen[p] = name
		_ = target.Close()
	}
}

func TestTextIsSentAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		content := "# <b>A & B</b>\u2028\"quoted\" \\ \x00 \t😀\r\n"
		var bodies []string
		target, _ := fake(t, nil, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				_, _ = io.WriteString(w, `{"id":"s1","name":"`+oldName+`"}`)
				return
			}
			b, _ := io.ReadAll(r.Body)
			if r.Header.Get("Authorization") != "Bearer "+testKey || r.Header.Get("Content-Type") != "application/json" || r.ContentLength != int64(len(b)) {
				t.Errorf("headers %v", r.Header)
			}
			bodies = append(bodies, string(b))
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"id":"s1","type":"text","name":"`+newName+`","status":"untrained","size":1}`)
		})
		res := upload(t, target, rendition(newName, content))
		if res.Err != nil || res.ID != "s1" || res.Status != targets.StatusWorking || res.Name != "" {
			t.Fatalf("%+v", res)
		}
		if res := target.Replace(t.Context(), "s1", rendition(newName, content)); res.Err != nil || res.ID != "s1" {
			t.Fatalf("%+v", res)
		}
		for i, want := range []map[string]string{{"type": "text", "name": newName, "content": content}, {"name": newName, "content": content}} {
			var got map[string]string
			if err := json.Unmarshal([]byte(bodies[i]), &got); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %v", bodies[i], err)
			}
			if strings.Contains(bodies[i], `\u003c`) {
				t.Errorf("escaped for web pages: %s", bodies[i])
			}
		}
	})
}

func TestWhatIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, v := fake(t, nil, script{"GET /sources/s1": {`200 {"id":"s1","name":"` + oldName + `"}`}}.handler())
		large := rendition(newName, "x")
		large.Size = textBytes + 1
		for name, c := range map[string]struct {
			r     targets.Rendition
			class error
		}{
			"not UTF-8":       {rendition(newName, "a\xffb"), fault.ErrRejected},
			"empty":           {rendition(newName, ""), fault.ErrUnsupported},
			"large text":      {large, fault.ErrTooLarge},
			"no name":         {rendition("", "x"), fault.ErrRejected},
			"long name":       {rendition(strings.Repeat("ü", 101), "x"), fault.ErrRejected},
			"a tiny file":     {rendition(fileName, strings.Repeat("x", 49)), fault.ErrUnsupported},
			"shorter than it": {targets.Rendition{Name: newName, Size: 9, Open: rendition(newName, "x").Open}, fault.ErrChanged},
			"longer than it":  {targets.Rendition{Name: newName, Size: 1, Open: rendition(newName, "xyz").Open}, fault.ErrChanged},
		} {
			if res := upload(t, target, c.r); !errors.Is(res.Err, c.class) {
				t.Errorf("upload %s: %+v", name, res)
			}
			if res := target.Replace(t.Context(), "s1", c.r); !errors.Is(res.Err, c.class) || res.ID != "s1" {
				t.Errorf("replace %s: %+v", name, res)
			}
		}
		gone := rendition(newName, "x")
		gone.Open = func(context.Context) (io.ReadCloser, error) { return nil, fault.New(fault.ErrNotFound, "no such file") }
		if res := target.Replace(t.Context(), "s1", gone); !errors.Is(res.Err, fault.ErrChanged) || errors.Is(res.Err, fault.ErrNotFound) {
			t.Errorf("a document that is gone looks like a source that is: %+v", res)
		}
		for _, r := range v.requests()[1:] {
			if !strings.HasPrefix(r, "GET") {
				t.Errorf("sent: %s", r)
			}
		}
	})
}

func TestCreationsThatAnswerOddly(t *testing.T) {
	const ok = `201 {"id":"s9","name":"` + newName + `","status":"untrained"}`
	there := `{"id":"s7","name":"` + newName + `","status":"trained"}`
	for name, c := range map[string]struct {
		create, list []string
		class        error // nil: success
		id           targets.RemoteID
		creates      int
	}{
		"no id, landed":         {create: []string{`201 {"name":"x"}`}, list: []string{listOf(there)}, id: "s7", creates: 1},
		"no id, not landed":     {create: []string{`201 {}`, ok}, list: []string{listOf()}, id: "s9", creates: 2},
		"no content":            {create: []string{`201 `, ok}, list: []string{listOf()}, id: "s9", creates: 2},
		"wrapped":               {create: []string{`201 {"data":{"id":"s9","name":"` + newName + `"}}`}, id: "s9", creates: 1},
		"no name":               {create: []string{`201 {"id":"s9","name":null}`}, id: "s9", creates: 1},
		"a number for an id":    {create: []string{`201 {"id":17}`}, id: "17", creates: 1},
		"an error in a 200":     {create: []string{`200 {"error":{"code":"VALIDATION_INVALID_BODY","message":"no"}}`}, class: fault.ErrRejected, creates: 1},
		"another name":          {create: []string{`201 {"id":"s9","name":"x.md"}`}, list: []string{listOf()}, class: fault.ErrRejected, creates: 1},
		"only a part of it":     {create: []string{`503 `, ok}, list: []string{listOf(`{"id":"s7","name":"copy of ` + newName + `"}`)}, id: "s9", creates: 2},
		"another letter case":   {create: []string{`503 `, ok}, list: []string{listOf(`{"id":"s7","name":"` + strings.ToUpper(newName) + `"}`)}, id: "s9", creates: 2},
		"about to be deleted":   {create: []string{`503 `, ok}, list: []string{listOf(`{"id":"s7","name":"` + newName + `","status":"toBeDeleted"}`)}, id: "s9", creates: 2},
		"the list fails":        {create: []string{`503 `}, list: []string{`500 `}, class: fault.ErrUnknown, creates: 1},
		"the list is cut":       {create: []string{`503 `}, list: []string{`200 {"data":[],"pagination":{"hasMore":true}}`}, class: fault.ErrUnknown, creates: 1},
		"not an agent any more": {create: []string{refusal(404, "SOURCE_NOT_FOUND")}, class: fault.ErrSetup, creates: 1},
		"nor by its own word":   {create: []string{refusal(404, "AGENT_NOT_FOUND")}, class: fault.ErrSetup, creates: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := script{"POST /sources": c.create}
				if c.list != nil {
					s["GET /sources"] = c.list
				}
				target, v := fake(t, nil, s.handler())
				res := upload(t, target, rendition(newName, "text"))
				if c.class == nil && (res.Err != nil || res.ID != c.id) || !errors.Is(res.Err, c.class) {
					t.Errorf("%+v", res)
				}
				if n := v.count("POST /sources"); n != c.creates {
					t.Errorf("%d creations", n)
				}
			})
		})
	}
}

// A request that was thought lost may arrive after all, so the look may find two.
func TestCopiesAreMerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		copies := []string{
			`{"id":"failed","name":"` + newName + `","status":"failed"}`, `{"id":"live","name":"` + newName + `","status":"trained"}`,
			`{"id":"coming","name":"` + newName + `","status":"untrained"}`, `{"id":"other","name":"` + otherName + `","status":"trained"}`,
		}
		target, v := fake(t, nil, script{
			"POST /sources": {"502 "}, "GET /sources": {listOf(copies...)},
			"DELETE /sources/failed": {`200 {"id":"failed","status":"deleted"}`}, "DELETE /sources/coming": {`200 {"id":"coming","status":"deleted"}`},
		}.handler())
		if res := upload(t, target, rendition(newName, "text")); res.Err != nil || res.ID != "live" || res.Status != targets.StatusDone {
			t.Errorf("%+v", res)
		}
		if v.count("DELETE /sources/failed") != 1 || v.count("DELETE /sources/coming") != 1 || len(v.requests()) != 5 {
			t.Errorf("%q", v.requests())
		}
	})
}

func TestFullAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, v := fake(t, nil, script{
			"POST /sources": {refusal(422, "SOURCE_SIZE_LIMIT_EXCEEDED"), `201 {"id":"s9"}`}, "GET /sources/s1": {`200 {"id":"s1","name":"` + oldName + `"}`},
			"PUT /sources/s1": {`200 {"id":"s1"}`}, "DELETE /sources/s1": {`200 {"id":"s1","status":"deleted"}`},
		}.handler())
		for i := range 3 {
			res, err := target.Upload(t.Context(), []targets.Rendition{rendition(fmt.Sprint(i, newName), "text")})
			if err != nil || !errors.Is(res[0].Err, fault.ErrQuota) || !strings.Contains(res[0].Err.Error(), "12.3 MB") {
				t.Errorf("%v, %v", res[0].Err, err)
			}
		}
		if n := v.count("POST /sources"); n != 1 {
			t.Errorf("%d creations", n)
		}
		if res := target.Replace(t.Context(), "s1", rendition(newName, "text")); res.Err != nil {
			t.Errorf("an update: %v", res.Err)
		}
		if res, err := target.Delete(t.Context(), []targets.RemoteID{"s1"}); err != nil || res[0].Err != nil {
			t.Errorf("a deletion: %+v, %v", res, err)
		}
		mustConnect(t, target)
		if res := upload(t, target, rendition(newName, "text")); res.Err != nil || res.ID != "s9" {
			t.Errorf("in the next pass: %+v", res)
		}
	})
}

// What one host refuses is not tried at the other one.
func TestKeyThatMayNotWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, v := fake(t, nil, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				_, _ = io.WriteString(w, listOf()[4:])
				return
			}
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"error":{"code":"AUTH_INSUFFICIENT_PERMISSIONS","message":"Not allowed."}}`)
		})
		if err := target.List(t.Context(), func(targets.Remote) error { return nil }); err != nil {
			t.Fatal(err)
		}
		before := len(v.requests())
		for _, name := range []string{newName, fileName, otherName} {
			res, err := target.Upload(t.Context(), []targets.Rendition{rendition(name, strings.Repeat("x", 60))})
			if !errors.Is(err, fault.ErrDenied) || !errors.Is(res[0].Err, fault.ErrDenied) || !strings.Contains(err.Error(), "sources:write") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := len(v.requests()) - before; n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestVendorThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, v := fake(t, nil, script{"POST /sources": {"503 "}, "GET /sources": {listOf()}}.handler())
		var rs []targets.Rendition
		for i := range 50 {
			rs = append(rs, rendition(fmt.Sprint(i, newName), "text"))
		}
		res, err := target.Upload(t.Context(), rs)
		if !errors.Is(err, fault.ErrUnavailable) || errors.Is(res[0].Err, fault.ErrUnknown) || !errors.Is(res[49].Err, fault.ErrUnavailable) {
			t.Errorf("%v, %v", res[0].Err, err)
		}
		if n := v.count("POST /sources"); n != mostOutages*maxTries {
			t.Errorf("%d creations", n)
		}
		// A vendor that breaks on some documents must not keep the others out for ever.
		mustConnect(t, target)
		if _, err := target.Upload(t.Context(), rs); !errors.Is(err, fault.ErrUnavailable) {
			t.Errorf("in the next pass: %v", err)
		}
		if n := v.count("POST /sources"); n != 3*mostOutages*maxTries {
			t.Errorf("%d creations after the next pass", n)
		}
	})
}

func TestDelete(t *testing.T) {
	const there = `200 {"id":"s1","name":"` + oldName + `","status":"trained"}`
	for name, c := range map[string]struct {
		before string // what the source answers; as it should when empty
		answer string // to its deletion; none is asked for when empty
		after  string // what the source answers then
		class  error
		passes bool // the error may be gone later
	}{
		"deleted":             {answer: `200 {"id":"s1","status":"deleted"}`},
		"marked":              {answer: `200 {"id":"s1","status":"toBeDeleted"}`},
		"misspelt":            {answer: `200 {"id":"s1","status":"TOBEDELETEDTED"}`},
		"wrapped":             {answer: `200 {"data":{"id":"s1","status":"deleted"}}`},
		"gone meanwhile":      {answer: refusal(404, "SOURCE_NOT_FOUND")},
		"marked meanwhile":    {answer: refusal(409, "SOURCE_ALREADY_PENDING_DELETION")},
		"being trained":       {answer: refusal(409, "SOURCE_IS_TRAINING"), class: fault.ErrConflict},
		"no such agent":       {answer: refusal(404, "AGENT_NOT_FOUND"), class: fault.ErrSetup},
		"a bare success":      {answer: `200 {"success":true}`, after: refusal(404, "SOURCE_NOT_FOUND")},
		"no content, marked":  {answer: `204 `, after: `200 {"id":"s1","status":"toBeDeleted"}`},
		"still there":         {answer: `200 {"id":"s1","status":"trained"}`, after: there, class: fault.ErrRejected},
		"an error in a 200":   {answer: `200 {"error":{"code":"SOURCE_LOCKED","message":""}}`, class: fault.ErrRejected},
		"no name":             {before: `200 {"id":"s1"}`, answer: `200 {"id":"s1","status":"deleted"}`},
		"gone already":        {before: refusal(404, "SOURCE_NOT_FOUND")},
		"marked already":      {before: `200 {"id":"s1","name":"` + oldName + `","status":"toBeDeleted"}`},
		"somebody's own":      {before: `200 {"id":"s1","name":"My own notes","status":"trained"}`},
		"cannot be looked at": {before: `500 `, passes: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				target, v := fake(t, nil, script{"DELETE /sources/s1": {c.answer + " "}, "GET /sources/s1": {cmp.Or(c.before, there), c.after + " "}}.handler())
				res, _ := target.Delete(t.Context(), []targets.RemoteID{"s1"})
				_, passes := errors.AsType[*fault.RetryAfter](res[0].Err)
				if !errors.Is(res[0].Err, c.class) && !c.passes || passes != c.passes {
					t.Errorf("%v", res[0].Err)
				}
				if n := v.count("DELETE /sources/s1"); (n == 1) != (c.answer != "") {
					t.Errorf("%d deletions", n)
				}
			})
		})
	}
}

// What somebody made his own in the dashboard is neither overwritten nor renamed nor deleted.
func TestSourceThatSomebodyRenamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, b, _ := newPair(t, simulator.ChatbaseOptions{}, nil)
		mustConnect(t, target)
		id := b.Put("My own notes", []byte("precious"))
		before := b.Documents()
		for _, name := range []string{newName, fileName} {
			if res := target.Replace(t.Context(), id, rendition(name, strings.Repeat("new ", 20))); !errors.Is(res.Err, fault.ErrNotFound) {
				t.Errorf("replace: %+v", res)
			}
			if _, err := target.Rename(t.Context(), id, name); !errors.Is(err, fault.ErrNotFound) {
				t.Errorf("rename: %v", err)
			}
		}
		if res, err := target.Delete(t.Context(), []targets.RemoteID{id}); err != nil || res[0].Err != nil || res[0].Left {
			t.Errorf("delete: %+v, %v", res, err)
		}
		if got := b.Documents(); !reflect.DeepEqual(got, before) || len(got) != 1 {
			t.Errorf("%+v", got)
		}
		if v := b.Violations(); len(v) != 0 {
			t.Errorf("%q", v)
		}
	})
}
