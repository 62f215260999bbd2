package converse

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/secret"
	"kbsyncd/internal/simulator"
	"kbsyncd/internal/targets"
)

const marked = "mine.kbaaaaaaaaaaaaaaa-0000000000.md"

func upload(t *testing.T, target *Target, r targets.Rendition) targets.Result {
	t.Helper()
	res, err := target.Upload(t.Context(), []targets.Rendition{r})
	if err != nil && !fault.StopsTarget(err) {
		t.Fatal(err)
	}
	return res[0]
}

// Markdown goes as text, and files go as they are, under the same name.
func TestWhatGoesWhere(t *testing.T) {
	const tricky = "a \"quoted\" & <b>\u2028 line\n"
	file := func(w http.ResponseWriter, r *http.Request) {
		f, h, err := r.FormFile("file")
		if err != nil {
			t.Error(err)
			return
		}
		b, _ := io.ReadAll(f)
		if string(b) != tricky || h.Filename != r.FormValue("name") || r.ContentLength <= int64(len(tricky)) || h.Header.Get("Content-Type") != "text/markdown" {
			t.Errorf("%q as %q, named %q, %d bytes, %v", b, h.Filename, r.FormValue("name"), r.ContentLength, h.Header)
		}
		fmt.Fprint(w, `{"id":"f"}`)
	}
	text := func(w http.ResponseWriter, r *http.Request) {
		var in map[string]string
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in["content"] != tricky || in["name"] != "a.md" || len(in) != 2 {
			t.Errorf("%v, %v", in, err)
		}
		fmt.Fprint(w, `{"data":{"id":"t","status":"queued"}}`)
	}
	play(t, map[string]any{"POST /knowledge/upload": file, "POST /knowledge/ingest-text": text}, func(t *testing.T, target *Target, s *script) {
		for name, id := range map[string]targets.RemoteID{"a.md": "t", "a.txt": "f", "a.pdf": "f", "a.docx": "f", "a.csv": "f", "straße 文.txt": "f"} {
			if res := upload(t, target, rendition(name, tricky)); res.ID != id || res.Err != nil || res.Name != "" {
				t.Errorf("%s: %+v", name, res)
			}
		}
		if n := len(s.routes()); n != 6 {
			t.Errorf("%d requests: %v", n, s.routes())
		}
	})
}

func TestWhatIsNotSent(t *testing.T) {
	play(t, nil, func(t *testing.T, target *Target, s *script) {
		big, unknown := rendition("a.pdf", ""), rendition("a.pdf", "")
		big.Size, unknown.Size = target.Limits().MaxBytes+1, -1
		for _, c := range []struct {
			r    targets.Rendition
			want error
		}{
			{rendition("", "x"), fault.ErrRejected},
			{rendition("..", "x"), fault.ErrRejected},
			{rendition("a/b.md", "x"), fault.ErrRejected},
			{rendition("a\r\nb.md", "x"), fault.ErrRejected},
			{rendition(strings.Repeat("x", nameBytes)+".md", "x"), fault.ErrRejected},
			{rendition("a.md", strings.Repeat("x", textBytes+1)), fault.ErrTooLarge},
			{rendition("a.md", "\xff\xfe"), fault.ErrRejected},
			{big, fault.ErrTooLarge},
			{unknown, fault.ErrRejected},
		} {
			if res := upload(t, target, c.r); !errors.Is(res.Err, c.want) {
				t.Errorf("%q: %v", c.r.Name, res.Err)
			}
		}
		if len(s.routes()) > 0 {
			t.Errorf("requests: %v", s.routes())
		}
	})
}

// An answer that leaves in doubt what happened is followed by a look, and only then by another try.
func TestUploadsInDoubt(t *testing.T) {
	conflict := fmt.Sprintf(`[{"id":"other","name":"other.md"},{"id":"old","name":%q,"status":"pending"},{"id":"ours","name":%q,"status":"ready"}]`, marked, marked)
	for name, c := range map[string]struct {
		answer  any    // to the creation
		listing string // of the store afterwards
		id      targets.RemoteID
		class   error
		posts   int
	}{
		"taken by ours":           {http.StatusConflict, conflict, "ours", nil, 1},
		"taken, by the mark":      {http.StatusConflict, `[{"id":"x","name":"Mine.kbaaaaaaaaaaaaaaa-0000000000"}]`, "x", nil, 1},
		"taken by another":        {http.StatusConflict, `[{"id":"x","name":"mine.md"}]`, "", fault.ErrConflict, 1},
		"no id, there":            {`{"message":"accepted"}`, conflict, "ours", nil, 1},
		"no id, not there":        {`{"message":"accepted"}`, `[]`, "", nil, maxTries},
		"empty, there":            {``, conflict, "ours", nil, 1},
		"a page":                  {`<html>`, conflict, "ours", nil, 1},
		"broken, there":           {http.StatusInternalServerError, conflict, "ours", nil, 1},
		"broken, not there":       {http.StatusInternalServerError, `[]`, "", nil, maxTries},
		"broken, nobody can look": {http.StatusBadGateway, `{}`, "", fault.ErrUnknown, 1},
		"refused":                 {http.StatusUnprocessableEntity, conflict, "", fault.ErrRejected, 1},
		"stored under our name":   {`{"id":"n","name":"` + marked + `"}`, `[]`, "n", nil, 1},
		"stored under the mark":   {`{"id":"n","name":"x.kbaaaaaaaaaaaaaaa-0000000000.md"}`, `[]`, "n", nil, 1},
		"stored under another":    {`{"id":"n","name":"mine"}`, `[{"id":"n","name":"mine"}]`, "", fault.ErrRejected, 1},
		"answered with another":   {`{"id":"n","name":"mine"}`, conflict, "ours", nil, 1},
		"no such route":           {http.StatusNotFound, `[]`, "", fault.ErrSetup, 1},
		"no such verb":            {http.StatusMethodNotAllowed, `[]`, "", fault.ErrSetup, 1},
		"too large for them":      {http.StatusRequestEntityTooLarge, `[]`, "", fault.ErrTooLarge, 1},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, map[string]any{"POST /knowledge/ingest-text": c.answer, "GET /knowledge": c.listing, "GET /agents": "[]"}, func(t *testing.T, target *Target, s *script) {
				if _, err := target.Connect(t.Context(), true); err != nil {
					t.Fatal(err)
				}
				res := upload(t, target, rendition(marked, "text"))
				_, passing := errors.AsType[*fault.RetryAfter](res.Err)
				switch {
				case c.id != "" && (res.ID != c.id || res.Err != nil), c.class != nil && !errors.Is(res.Err, c.class):
					t.Errorf("%+v", res)
				case c.id == "" && c.class == nil && (!passing || errors.Is(res.Err, fault.ErrUnknown)):
					t.Errorf("the outcome is known, and it may pass: %v", res.Err)
				case res.Err != nil && strings.ContainsAny(res.Err.Error(), "\n\r"):
					t.Errorf("not one line: %v", res.Err)
				}
				posts := 0
				for _, r := range s.routes() {
					if strings.HasPrefix(r, "POST") {
						posts++
					}
				}
				if posts != c.posts {
					t.Errorf("sent %d times: %v", posts, s.routes())
				}
			})
		})
	}
}

// What was sent before is looked for before it is sent again, until the next pass, which knows the store.
func TestTheSameAgain(t *testing.T) {
	play(t, map[string]any{
		"GET /agents": `{}`, "GET /knowledge": `[{"id":"x","name":"a.md"}]`, "POST /knowledge/ingest-text": `{"id":"x"}`,
	}, func(t *testing.T, target *Target, s *script) {
		for range 2 {
			if _, err := target.Connect(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			upload(t, target, rendition("a.md", "a"))
			upload(t, target, rendition("a.md", "a"))
		}
		once := []string{"GET /agents", "POST /knowledge/ingest-text", "GET /knowledge"}
		if got := s.routes(); !slices.Equal(got, slices.Concat(once, once)) {
			t.Errorf("%v", got)
		}
	})
}

// A vendor that is down is left alone for the rest of the pass.
func TestVendorThatIsDown(t *testing.T) {
	play(t, map[string]any{
		"GET /agents": `[]`, "GET /knowledge": `[]`, "POST /knowledge/ingest-text": http.StatusServiceUnavailable,
	}, func(t *testing.T, target *Target, s *script) {
		for i := range mostOutages {
			if res := upload(t, target, rendition(fmt.Sprint(i, ".md"), "x")); fault.StopsTarget(res.Err) {
				t.Fatal(res.Err)
			}
		}
		before := len(s.routes())
		res := upload(t, target, rendition("more.md", "x"))
		if !errors.Is(res.Err, fault.ErrUnavailable) || errors.Is(res.Err, fault.ErrUnknown) || len(s.routes()) > before {
			t.Errorf("%v after %d requests", res.Err, len(s.routes())-before)
		}
		s.answers["POST /knowledge/ingest-text"] = `{"id":"x"}`
		if _, err := target.Connect(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if res := upload(t, target, rendition("more.md", "x")); res.Err != nil {
			t.Errorf("the next pass: %v", res.Err)
		}
	})
}

func TestAssign(t *testing.T) {
	const base = "/knowledge/agent/ann/assign/"
	for name, c := range map[string]struct {
		answers map[string]any
		class   error
		routes  []string
	}{
		"given, then taken": {map[string]any{"POST " + base + "a": "{}", "POST " + base + "b": ``, "DELETE " + base + "c": ``}, nil, []string{"POST a", "POST b", "DELETE c"}},
		"has it, lacks it":  {map[string]any{"POST " + base + "a": 409, "POST " + base + "b": 409, "DELETE " + base + "c": 404}, nil, []string{"POST a", "POST b", "DELETE c"}},
		"no agent":          {map[string]any{}, fault.ErrNotFound, []string{"POST a", "agent"}},
		"no document":       {map[string]any{"GET /agents/ann": "{}"}, fault.ErrUnknown, []string{"POST a", "agent"}},
		"nobody can tell":   {map[string]any{"GET /agents/ann": 403}, fault.ErrRejected, []string{"POST a", "agent"}},
		"of others":         {map[string]any{"POST " + base + "a": "{}", "POST " + base + "b": 403}, fault.ErrRejected, []string{"POST a", "POST b"}},
		"denied":            {map[string]any{"POST " + base + "a": 401}, fault.ErrDenied, []string{"POST a"}},
		"other verb":        {map[string]any{"POST " + base + "a": "{}", "POST " + base + "b": "{}", "DELETE " + base + "c": 405}, fault.ErrSetup, []string{"POST a", "POST b", "DELETE c"}},
	} {
		t.Run(name, func(t *testing.T) {
			answers := map[string]any{"GET /agents": "[]"}
			maps.Copy(answers, c.answers)
			play(t, answers, func(t *testing.T, target *Target, s *script) {
				if _, err := target.Connect(t.Context(), false); err != nil {
					t.Fatal(err)
				}
				err := target.Assign(t.Context(), "ann", []targets.RemoteID{"a", "b"}, []targets.RemoteID{"c"})
				if !errors.Is(err, c.class) {
					t.Errorf("%v", err)
				}
				short := strings.NewReplacer("GET /agents/ann", "agent", base, "")
				var got []string
				for _, r := range s.routes()[1:] {
					got = append(got, short.Replace(r))
				}
				if !slices.Equal(got, c.routes) {
					t.Errorf("%v", got)
				}
			})
		})
	}
}

// An empty id, or dots, would name another resource.
func TestNoRequestForNoID(t *testing.T) {
	play(t, nil, func(t *testing.T, target *Target, s *script) {
		for _, id := range []string{"", ".", ".."} {
			rid := targets.RemoteID(id)
			_, held := target.Assigned(t.Context(), id)
			del, _ := target.Delete(t.Context(), []targets.RemoteID{rid})
			anew, _ := target.Reindex(t.Context(), []targets.RemoteID{rid})
			for what, err := range map[string]error{
				"assign": target.Assign(t.Context(), "ann", []targets.RemoteID{rid}, nil), "agent": target.Assign(t.Context(), id, []targets.RemoteID{"a"}, nil),
				"take": target.Assign(t.Context(), "ann", nil, []targets.RemoteID{rid}), "assigned": held, "delete": del[0].Err, "reindex": anew[0].Err,
				"restart": target.Restart(t.Context(), rid),
			} {
				if !errors.Is(err, fault.ErrRejected) {
					t.Errorf("%s %q: %v", what, id, err)
				}
			}
		}
		if len(s.routes()) > 0 {
			t.Errorf("requests: %v", s.routes())
		}
	})
}

// Of an agent that is there and whose documents cannot be listed nobody can tell what it holds; one that holds nothing is another case.
func TestAssignedOfAnAgentThatCannotBeListed(t *testing.T) {
	for _, status := range []int{http.StatusNotFound, http.StatusMethodNotAllowed} {
		play(t, map[string]any{
			"GET /knowledge/agent/ann": status, "GET /knowledge/agent/bob": status, "GET /knowledge/agent/cid": status,
			"GET /agents/ann": `{"id":"ann"}`, "GET /agents/cid": 403,
		}, func(t *testing.T, target *Target, _ *script) {
			for range 2 {
				if held, err := target.Assigned(t.Context(), "ann"); err != nil || held != nil {
					t.Errorf("%d: %v, %v", status, held, err)
				}
			}
			for agent, class := range map[string]error{"bob": fault.ErrNotFound, "cid": fault.ErrRejected} {
				if held, err := target.Assigned(t.Context(), agent); !errors.Is(err, class) || held != nil {
					t.Errorf("%s, %d: %v, %v", agent, status, held, err)
				}
			}
		})
	}
	// What breaks off is not known either.
	play(t, map[string]any{
		"GET /agents/ann": `{"id":"ann"}`,
		"GET /knowledge/agent/ann": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("page") != "" {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			_, _ = io.WriteString(w, `{"documents":[{"id":"a"}],"next":"/knowledge/agent/ann?page=2"}`)
		},
	}, func(t *testing.T, target *Target, _ *script) {
		if held, err := target.Assigned(t.Context(), "ann"); err != nil || held != nil {
			t.Errorf("%v, %v", held, err)
		}
	})
	for in, want := range map[string][]targets.RemoteID{
		`["a",7]`: {"a", "7"}, `{"agent_id":"ann","document_ids":["a"]}`: {"a"}, `{"documents":[{"id":"as","document_id":"a"}]}`: {"a"}, `{"data":{"items":[]}}`: nil,
	} {
		play(t, map[string]any{"GET /knowledge/agent/ann": in}, func(t *testing.T, target *Target, _ *script) {
			held, err := target.Assigned(t.Context(), "ann")
			if got := slices.Collect(maps.Keys(held)); err != nil || held == nil || len(got) != len(want) || len(want) > 0 && !held[want[0]] {
				t.Errorf("%s: %v, %v", in, got, err)
			}
		})
	}
}

// Whom nobody can list is given and relieved all the same.
func TestAssignWithoutAList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, b, _ := pair(t, simulator.ConverseOptions{}, func(c *Config) {
			c.Routes = map[string]string{"agent_documents": "GET /knowledge/agents/{agent_id}"}
		})
		b.AddAgent("ann")
		if _, err := target.Connect(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		theirs := b.Put("theirs.md", []byte("by hand"))
		b.Give("ann", theirs)
		var ids []targets.RemoteID
		for _, name := range []string{"a.md", "b.md", "c.md"} {
			ids = append(ids, upload(t, target, rendition(name, "text")).ID)
		}
		for _, c := range []struct{ add, drop, want []targets.RemoteID }{
			{ids, nil, append(ids[:3:3], theirs)},
			{ids[:1], ids[1:], []targets.RemoteID{ids[0], theirs}},
			{nil, ids, []targets.RemoteID{theirs}}, // two of them it does not hold any more
		} {
			if held, err := target.Assigned(t.Context(), "ann"); err != nil || held != nil {
				t.Errorf("assigned: %v, %v", held, err)
			}
			err := target.Assign(t.Context(), "ann", c.add, c.drop)
			if got := slices.Sorted(slices.Values(b.Held("ann"))); err != nil || !slices.Equal(got, slices.Sorted(slices.Values(c.want))) {
				t.Errorf("+%v -%v: %v instead of %v, %v", c.add, c.drop, got, c.want, err)
			}
		}
	})
}

// A document without our mark is never deleted, whatever the records say; what is not listed is.
func TestDeleteLeavesWhatIsNotOurs(t *testing.T) {
	const page = `{"documents":[{"id":"own","name":"My notes.md"},{"id":"nameless"},{"id":"a","name":"a.kbaaaaaaaaaaaaaaa-0000000000.md"}]}`
	ids := []targets.RemoteID{"own", "a", "nameless", "elsewhere", ""}
	play(t, map[string]any{"GET /knowledge": page, "DELETE /knowledge/a": ``, "DELETE /knowledge/nameless": ``}, func(t *testing.T, target *Target, s *script) {
		for range 2 { // the second time the listing is a moment old
			res, err := target.Delete(t.Context(), ids)
			if err != nil || res[0].Err != nil || res[1].Err != nil || res[2].Err != nil || res[3].Err != nil || res[4].Err == nil {
				t.Errorf("%+v, %v", res, err)
			}
		}
		got := s.routes()
		slices.Sort(got)
		if want := []string{
			"DELETE /knowledge/a", "DELETE /knowledge/a", "DELETE /knowledge/elsewhere", "DELETE /knowledge/elsewhere",
			"DELETE /knowledge/nameless", "DELETE /knowledge/nameless", "GET /knowledge",
		}; !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		<-time.After(fresh)
		if _, err := target.Delete(t.Context(), ids[:1]); err != nil || len(s.routes()) != len(got)+1 {
			t.Errorf("later: %v, %q", err, s.routes())
		}
	})
	// Where nobody can see whose they are, none is deleted.
	for answer, class := range map[any]error{`{"surprise":1}`: fault.ErrIncomplete, 401: fault.ErrDenied, 404: fault.ErrSetup} {
		play(t, map[string]any{"GET /knowledge": answer}, func(t *testing.T, target *Target, s *script) {
			res, _ := target.Delete(t.Context(), ids)
			for _, r := range res[:4] {
				if !errors.Is(r.Err, class) {
					t.Errorf("%v: %+v", answer, r)
				}
			}
			if got := s.routes(); len(got) != 1 {
				t.Errorf("%v: %q", answer, got)
			}
		})
	}
}

// 403 speaks of something that belongs to another organisation, unless nothing worked before it.
func TestForbidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, b, _ := pair(t, simulator.ConverseOptions{}, nil)
		if _, err := target.Connect(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		mine := upload(t, target, rendition("a.kbaaaaaaaaaaaaaaa-0000000000.md", "x"))
		b.sim.Elsewhere("theirs")
		before := b.Requests()
		res, err := target.Delete(t.Context(), []targets.RemoteID{"theirs", mine.ID})
		if err != nil || !errors.Is(res[0].Err, fault.ErrRejected) || res[1].Err != nil {
			t.Errorf("%+v, %v", res, err)
		}
		if n := b.Requests() - before; n != 3 || len(b.Documents()) != 0 {
			t.Errorf("%d requests, %v", n, b.Documents())
		}
	})
	play(t, map[string]any{"GET /agents": http.StatusForbidden}, func(t *testing.T, target *Target, _ *script) {
		if _, err := target.Connect(t.Context(), true); !errors.Is(err, fault.ErrDenied) {
			t.Errorf("the first call: %v", err)
		}
	})
}

// What the vendor says of an error is one line, in whatever form it comes.
func TestDetails(t *testing.T) {
	for in, want := range map[string]string{
		`{"detail":"No such\nthing"}`: "No such thing",
		`{"detail":[{"loc":["body","name"],"msg":"field required","type":"missing"},{"loc":["body"],"msg":"too short"}]}`: "field required; too short",
		`{"detail":{"message":"quota of words","code":7}}`:                                                                "quota of words",
	} {
		answer := func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprint(w, in)
		}
		play(t, map[string]any{"POST /knowledge/ingest-text": answer}, func(t *testing.T, target *Target, _ *script) {
			res := upload(t, target, rendition("a.md", "x"))
			if res.Err == nil || !strings.Contains(res.Err.Error(), want) || strings.Contains(res.Err.Error(), "\n") {
				t.Errorf("%s: %v", in, res.Err)
			}
		})
	}
}

func TestSearch(t *testing.T) {
	query := func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		var got, want any
		if err := errors.Join(json.Unmarshal(b, &got), json.Unmarshal([]byte(`{"query":"how?","top_k":2,"voice_mode":false}`), &want)); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s, %v", b, err)
		}
		fmt.Fprint(w, `{"results":[{"text":"a"},{"text":"b"},{"text":"c"}]}`)
	}
	play(t, map[string]any{"POST /knowledge/query": query}, func(t *testing.T, target *Target, _ *script) {
		if hits, err := target.Search(t.Context(), "how?", 2); err != nil || len(hits) != 2 {
			t.Errorf("%v, %v", hits, err)
		}
	})
}

func TestPlace(t *testing.T) {
	base := func() *Config {
		c := NewConfig()
		c.APIKey = secret.New("k")
		return c
	}
	seen := map[string]string{}
	for name, change := range map[string]func(*Config){
		"usual": func(*Config) {}, "test": func(c *Config) { c.Mode = modeTest }, "address": func(c *Config) { c.BaseURL = "https://x" },
		"key": func(c *Config) { c.APIKey = secret.New("l") },
	} {
		c := base()
		change(c)
		target, err := c.Open(targets.Options{})
		if err != nil {
			t.Fatal(err)
		}
		place := target.(targets.Placed).Place()
		if other, taken := seen[place]; taken {
			t.Errorf("%s is the place of %s", name, other)
		}
		seen[place] = name
		if side := c.Side(); side == modeTest != (name == "test") || side != modeTest && side != "" {
			t.Errorf("%s is on side %q", name, side)
		}
		_ = target.Close()
	}
	slash := base()
	slash.BaseURL += "/"
	target, err := slash.Open(targets.Options{})
	if err != nil || seen[target.(targets.Placed).Place()] != "usual" {
		t.Errorf("a slash makes another place, %v", err)
	}
	_ = target.Close()
}

func TestValidate(t *testing.T) {
	for field, change := range map[string]func(*Config){
		"":                func(*Config) {},
		"settle_timeout":  func(c *Config) { c.SettleTimeout = 0 },
		"max_file_size":   func(c *Config) { c.MaxFileSize = 0 },
		"base_url":        func(c *Config) { c.BaseURL = "ftp://x" },
		"routes.list":     func(c *Config) { c.Routes = map[string]string{"list": "GET /x"} },
		"routes.unassign": func(c *Config) { c.Routes = map[string]string{"unassign": "POST /x/{agent_id}"} },
	} {
		c := NewConfig()
		change(c)
		bad := c.Validate()
		if field == "" && len(bad) > 0 || field != "" && (len(bad) != 1 || bad[0].Field != field) {
			t.Errorf("%s: %+v", field, bad)
		}
	}
	c := NewConfig()
	c.APIKey = secret.New("bad\nkey")
	if target, err := c.Open(targets.Options{}); err == nil || target != nil || strings.Contains(err.Error(), "bad\nkey") {
		t.Errorf("%v, %v", target, err)
	}
}

// Routes that are guessed can be given.
func TestRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{t: t, answers: map[string]any{"POST /docs/of/ann": `["a"]`, "POST /drop/a/ann": ``}}
		target, _ := open(t, s, func(c *Config) {
			c.Routes = map[string]string{"agent_documents": "POST /docs/of/{agent_id}", "unassign": "POST /drop/{doc_id}/{agent_id}"}
		})
		held, err := target.Assigned(t.Context(), "ann")
		if err != nil || !held["a"] {
			t.Errorf("%v, %v", held, err)
		}
		if err := target.Assign(t.Context(), "ann", nil, []targets.RemoteID{"a"}); err != nil {
			t.Error(err)
		}
	})
}

// The key in the words of a document shows nowhere.
func TestKeyInAnAnswer(t *testing.T) {
	play(t, map[string]any{
		"GET /knowledge":        fmt.Sprintf(`[{"id":"x","name":"%[1]s.md","status":"failed","error":"for %[1]s"},{"id":"y","status":"%[1]s"}]`, testKey),
		"POST /knowledge/query": fmt.Sprintf(`["%s"]`, testKey),
	}, func(t *testing.T, target *Target, _ *script) {
		err := target.List(t.Context(), func(r targets.Remote) error {
			if s := fmt.Sprintf("%+v", r); strings.Contains(s, testKey) {
				t.Error(s)
			}
			return nil
		})
		hits, searched := target.Search(t.Context(), "q", 1)
		if err := errors.Join(err, searched); err != nil || len(hits) != 1 || strings.Contains(hits[0].Text, testKey) {
			t.Errorf("%v, %v", hits, err)
		}
	})
}
