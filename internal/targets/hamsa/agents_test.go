package hamsa

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/targets"
)

func TestAssignKeepsWhatOthersGave(t *testing.T) {
	for name, c := range map[string]struct{ before, want any }{
		"list":              {[]string{"theirs", "old", "too"}, `["theirs","too","new"]`},
		"JSON in a string":  {`["theirs","old"]`, `["theirs","new"]`},
		"empty in a string": {"[]", `["new"]`},
		"empty string":      {"", `["new"]`},
		"commas":            {"theirs, old,too", `["theirs","too","new"]`},
		"null":              {nil, `["new"]`},
		"numbers":           {[]any{17, "old"}, `["17","new"]`},
		"objects":           {[]any{map[string]any{"id": "theirs", "itemName": "x"}}, `["theirs","new"]`},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, nil, func(t *testing.T, target *Target, f *fake) {
				f.agents[agent1] = c.before
				for range 2 { // the second time there is nothing to do
					if err := target.Assign(t.Context(), agent1, []targets.RemoteID{"new"}, []targets.RemoteID{"old", "absent"}); err != nil {
						t.Fatal(err)
					}
				}
				if got := f.held(agent1); got != c.want {
					t.Errorf("the agent has %s, want %s", got, c.want)
				}
				if len(f.bodies) != 1 || f.bodies[0] != `{"knowledgeBaseItemsIds":`+c.want.(string)+`}` {
					t.Errorf("sent %q", f.bodies)
				}
				held, err := target.Assigned(t.Context(), agent1)
				if err != nil || !held["new"] || held["old"] {
					t.Errorf("assigned: %v, %v", held, err)
				}
			})
		})
	}
}

// What is not surely the list of this agent must not be written back.
func TestAssignLeavesWhatItCannotRead(t *testing.T) {
	for _, answer := range []string{
		`{}`, `{"data":{}}`, `[]`, `null`, `{"data":{"id":"agent-2","knowledgeBaseItemsIds":[]}}`, `{"data":{"id":"agent-1","knowledgeBaseItemsIds":{"a":1}}}`,
		`{"data":{"id":"agent-1","knowledgeBaseItemsIds":["a",null]}}`, `{"data":{"id":"agent-1","knowledgeBaseItemsIds":[["a"]]}}`,
		`{"data":{"id":"agent-1","knowledgeBaseItemsIds":"{a,b}"}}`, `{"data":{"id":"agent-1","knowledgeBaseItemsIds":"[\"a\""}}`,
		`{"data":{"id":"agent-1","knowledgeBaseItemsIds":[{"name":"x"}]}}`, `{"data":{"agentName":"Sara"}}`,
		`{"success":true,"data":{"id":"agent-1"}}`, `{"id":"agent-1"}`, `{"success":true,"statusCode":200,"message":"x","messageKey":"y","id":"agent-1"}`,
		`{"data":{"id":"agent-1","agentName":null,"llm":null,"lang":null,"type":"x"}}`,
	} {
		in(t, nil, func(t *testing.T, target *Target, f *fake) {
			f.hook = func(w http.ResponseWriter, r *http.Request, _ string) bool {
				if r.Method == http.MethodGet {
					_, _ = w.Write([]byte(answer))
				}
				return r.Method == http.MethodGet
			}
			if err := target.Assign(t.Context(), agent1, []targets.RemoteID{"new"}, nil); err == nil || len(f.bodies) != 0 {
				t.Errorf("%s: %v, sent %q", answer, err, f.bodies)
			}
		})
	}
}

// whole is an agent as the vendor shows one that lists nothing, if it leaves the list out.
const whole = `{"data":{"id":"agent-1","agentName":"Sara","lang":"en","llm":{"apiKey":"` + foreignKey + `"}}}`

func TestAssignWithoutList(t *testing.T) {
	for answer, want := range map[string]bool{
		whole: false, `{"id":"agent-1","agentName":"Sara","lang":"en","type":"x"}`: false, `{"data":{"voiceAgent":{"id":"agent-1","a":1,"b":2,"c":3}}}`: false,
		`{"data":{"agent":{"id":"agent-1","knowledgeBaseItemsIds":null}}}`: true, `{"data":{"id":"agent-1","agent":{"knowledgeBaseItemsIds":[]}}}`: true,
	} {
		if ids, told, err := decodeAgent([]byte(answer), agent1); err != nil || told != want || len(ids) != 0 {
			t.Errorf("%s: %v, %v, %v", answer, ids, told, err)
		}
	}
}

// An agent that listed items and then shows no list at all is not an empty one, unless it was emptied by us.
func TestListThatGoesMissing(t *testing.T) {
	in(t, nil, func(t *testing.T, target *Target, f *fake) {
		missing := false
		f.hook = func(w http.ResponseWriter, r *http.Request, _ string) bool {
			if missing && r.Method == http.MethodGet {
				_, _ = w.Write([]byte(whole))
			}
			return missing && r.Method == http.MethodGet
		}
		f.agents[agent1] = []string{"theirs"}
		assigned := func(want int) {
			t.Helper()
			if held, err := target.Assigned(t.Context(), agent1); err != nil || held == nil || len(held) != want {
				t.Errorf("assigned: %v, %v", held, err)
			}
		}
		missing = true
		assigned(0) // nothing speaks against it
		missing = false
		assigned(1)
		missing = true
		if held, err := target.Assigned(t.Context(), agent1); !errors.Is(err, fault.ErrIncomplete) || strings.Contains(err.Error(), foreignKey) {
			t.Errorf("assigned: %v, %v", held, err)
		}
		err := target.Assign(t.Context(), agent1, []targets.RemoteID{"new"}, nil)
		if !errors.Is(err, fault.ErrIncomplete) || len(f.bodies) != 0 || f.held(agent1) != `["theirs"]` {
			t.Errorf("assign: %v, sent %q, the agent has %s", err, f.bodies, f.held(agent1))
		}
		missing = false
		f.after = func(method, _ string) { missing = method == http.MethodPatch }
		if err := target.Assign(t.Context(), agent1, nil, []targets.RemoteID{"theirs"}); err != nil || f.held(agent1) != `[]` {
			t.Errorf("the last one: %v, the agent has %s", err, f.held(agent1))
		}
		assigned(0)
	})
}

// What others gave must be there after a write as well. A list that shows less for a moment is read again.
func TestAssignThatLosesWhatOthersGave(t *testing.T) {
	for name, lasts := range map[string]bool{"for good": true, "for a moment": false} {
		t.Run(name, func(t *testing.T) {
			in(t, nil, func(t *testing.T, target *Target, f *fake) {
				f.agents[agent1] = []any{"theirs", "too", "old"}
				written := false
				f.after = func(method, _ string) { // with the lock, before the next request
					switch {
					case method == http.MethodPatch && lasts:
						f.agents[agent1] = []any{"too", "new"}
					case method == http.MethodPatch:
						written = true
					}
				}
				f.hook = func(w http.ResponseWriter, r *http.Request, _ string) bool {
					if !written || r.Method != http.MethodGet {
						return false
					}
					written = false
					reply(w, 200, map[string]any{"data": map[string]any{"id": agent1, "knowledgeBaseItemsIds": []string{"new"}}})
					return true
				}
				err := target.Assign(t.Context(), agent1, []targets.RemoteID{"new"}, []targets.RemoteID{"old"})
				if lasts != errors.Is(err, fault.ErrConflict) || lasts && !strings.Contains(err.Error(), "theirs") || !lasts && err != nil {
					t.Errorf("%v", err)
				}
				if n := f.count("PATCH"); n != 1 {
					t.Errorf("%d writes", n)
				}
				want := map[bool]string{true: `["too","new"]`, false: `["theirs","too","new"]`}[lasts]
				if got := f.held(agent1); got != want {
					t.Errorf("the agent has %s", got)
				}
				// Once it is told, it is over.
				if err := target.Assign(t.Context(), agent1, []targets.RemoteID{"new"}, []targets.RemoteID{"old"}); err != nil {
					t.Errorf("once more: %v", err)
				}
			})
		})
	}
}

func TestAssignWhileOthersEdit(t *testing.T) {
	// edit stands for the dashboard, which writes a list that it read before we wrote.
	run := func(t *testing.T, times int) (held string, err error) {
		in(t, nil, func(t *testing.T, target *Target, f *fake) {
			f.agents[agent1] = []any{"theirs", "old"}
			f.after = func(method, _ string) {
				if method == http.MethodPatch && times > 0 {
					times--
					f.agents[agent1] = []any{"theirs", "old", "by hand"}
				}
			}
			err = target.Assign(t.Context(), agent1, []targets.RemoteID{"new"}, []targets.RemoteID{"old"})
			held = f.held(agent1)
		})
		return held, err
	}
	if held, err := run(t, 2); err != nil || held != `["theirs","by hand","new"]` {
		t.Errorf("twice: %v, %s", err, held)
	}
	if held, err := run(t, 1000); !errors.Is(err, fault.ErrConflict) || !strings.Contains(held, "by hand") {
		t.Errorf("always: %v, %s", err, held)
	}
}

func TestAssignAtTheSameTime(t *testing.T) {
	in(t, nil, func(t *testing.T, target *Target, f *fake) {
		var wg sync.WaitGroup
		for _, id := range []targets.RemoteID{"a", "b", "c", "d", "e"} {
			wg.Go(func() {
				if err := target.Assign(t.Context(), agent1, []targets.RemoteID{id}, nil); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := f.count("PATCH"); n != 5 {
			t.Errorf("%d writes for 5 calls", n)
		}
		held, err := target.Assigned(t.Context(), agent1)
		if err != nil || len(held) != 5 {
			t.Errorf("%v, %v", held, err)
		}
		if len(agentLocks.byName) != 0 {
			t.Errorf("%d locks are left", len(agentLocks.byName))
		}
	})
}

func TestAssignFailures(t *testing.T) {
	body := map[string]any{"id": agent1, "llm": map[string]any{"apiKey": foreignKey}}
	add := []targets.RemoteID{"new"}
	for name, c := range map[string]struct {
		method string
		status int
		class  error
	}{
		"get refused":       {http.MethodGet, 400, fault.ErrRejected},
		"get denied":        {http.MethodGet, 401, fault.ErrDenied},
		"get unavailable":   {http.MethodGet, 503, nil},
		"patch refused":     {http.MethodPatch, 422, fault.ErrRejected},
		"patch item absent": {http.MethodPatch, 404, fault.ErrRejected},
		"patch unavailable": {http.MethodPatch, 503, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctestAssign(t, func(w http.ResponseWriter, r *http.Request, _ string) bool {
				if r.Method == c.method && strings.HasPrefix(r.URL.Path, agentsPath) {
					reply(w, c.status, body)
					return true
				}
				return false
			}, func(t *testing.T, target *Target, f *fake) {
				err := target.Assign(t.Context(), agent1, add, nil)
				if err == nil || c.class != nil && !errors.Is(err, c.class) || errors.Is(err, fault.ErrNotFound) {
					t.Errorf("%v", err)
				} else if passing(err) != (c.status == 503) {
					t.Errorf("whether it may pass: %v", err)
				} else if strings.Contains(err.Error(), foreignKey) {
					t.Errorf("the error repeats the agent: %v", err)
				}
				if f.held(agent1) != "[]" {
					t.Errorf("the agent has %s", f.held(agent1))
				}
			})
		})
	}
	in(t, nil, func(t *testing.T, target *Target, f *fake) {
		if _, err := target.Assigned(t.Context(), "nobody"); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("assigned to nobody: %v", err)
		}
		err := target.Assign(t.Context(), "nobody", add, nil)
		if !errors.Is(err, fault.ErrNotFound) || !strings.Contains(err.Error(), "agent nobody does not exist") {
			t.Errorf("assign to nobody: %v", err)
		}
		for _, id := range []string{"", ".", ".."} {
			if err := target.Assign(t.Context(), id, add, nil); err == nil {
				t.Errorf("assign to %q", id)
			}
		}
		before := len(f.requests)
		if err := target.Assign(t.Context(), agent1, nil, nil); err != nil || len(f.requests) != before {
			t.Errorf("nothing to do: %v, %q", err, f.requests[before:])
		}
	})
	// An answer that is lost after the effect is not repeated.
	in(t, nil, func(t *testing.T, target *Target, f *fake) {
		f.hook = func(w http.ResponseWriter, r *http.Request, body string) bool {
			if r.Method != http.MethodPatch {
				return false
			}
			var in map[string]any
			_ = json.Unmarshal([]byte(body), &in)
			f.agent(r.Method, agent1, in)
			reply(w, 502, nil)
			return true
		}
		if err := target.Assign(t.Context(), agent1, add, nil); err != nil || f.count("PATCH") != 1 || f.held(agent1) != `["new"]` {
			t.Errorf("%v, %d writes, %s", err, f.count("PATCH"), f.held(agent1))
		}
	})
}

// synctestAssign is in with a hook.
func synctestAssign(t *testing.T, hook func(http.ResponseWriter, *http.Request, string) bool, fn func(*testing.T, *Target, *fake)) {
	t.Helper()
	in(t, nil, func(t *testing.T, target *Target, f *fake) {
		f.hook = hook
		fn(t, target, f)
	})
}

func TestMerged(t *testing.T) {
	type ids = []targets.RemoteID
	for _, c := range []struct{ list, add, drop, want ids }{
		{nil, nil, nil, ids{}},
		{ids{"a", "b"}, ids{"b", "c", "c"}, nil, ids{"a", "b", "c"}},
		{ids{"a", "b", "a"}, nil, ids{"b"}, ids{"a", "a"}},
		{ids{"a"}, ids{"a", "b", ""}, ids{"a", "b"}, ids{"a", "b"}}, // what is wanted is not taken
	} {
		if got := merged(c.list, c.add, c.drop); !slices.Equal(got, c.want) {
			t.Errorf("%v + %v - %v = %v, want %v", c.list, c.add, c.drop, got, c.want)
		}
	}
}
