package chatbase

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/simulator"
	"kbsyncd/internal/targets"
)

func statusOf(t *testing.T, target *Target, ids map[targets.RemoteID]string) map[targets.RemoteID]targets.Remote {
	t.Helper()
	out := map[targets.RemoteID]targets.Remote{}
	if err := target.Statuses(t.Context(), ids, func(r targets.Remote) { out[r.ID] = r }); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestStatusWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for word, want := range map[string]targets.Status{
			"untrained": targets.StatusWorking, "updated": targets.StatusWorking, "trained": targets.StatusDone, "Trained": targets.StatusDone,
			"failed": targets.StatusFailed, "indexing": targets.StatusWorking, "": targets.StatusUnknown,
		} {
			target, _ := fake(t, nil, script{"GET /sources/s1": {`200 {"id":"s1","name":"` + newName + `","status":"` + word + `"}`}}.handler())
			if r := statusOf(t, target, map[targets.RemoteID]string{"s1": newName})["s1"]; r.Status != want || r.Word != word {
				t.Errorf("%s: %+v", word, r)
			}
		}
	})
}

func TestStatuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := listOf(`{"id":"s1","name":"`+oldName+`","status":"trained"}`, `{"id":"s2","name":"x","status":"toBeDeleted"}`, `{"id":"s4","name":"`+newName+`","status":"failed"}`,
			`{"id":"s5","name":"My notes","status":"trained"}`)
		target, v := fake(t, nil, script{
			"GET /sources": {list}, "GET /sources/s1": {`200 {"id":"s1","name":"` + oldName + `","status":"trained"}`},
			"GET /sources/s5": {`200 {"id":"s5","name":"My notes","status":"trained"}`},
			"GET /sources/s2": {`200 {"id":"s2","status":"toBeDeleted"}`}, "GET /sources/s3": {refusal(404, "SOURCE_NOT_FOUND")},
		}.handler())
		few := map[targets.RemoteID]string{"s1": newName, "s2": "x", "s3": "x"}
		got := statusOf(t, target, few)
		if len(got) != 1 || got["s1"].Status != targets.StatusWorking {
			t.Errorf("a look at single sources: %+v", got)
		}
		if n := v.count("GET /sources"); n != 0 {
			t.Errorf("%d listings for three sources", n)
		}
		few["s4"], few["s1"], few["s5"] = newName, oldName, oldName
		got = statusOf(t, target, few)
		if len(got) != 2 || got["s1"].Status != targets.StatusDone || got["s4"].Status != targets.StatusFailed || got["s4"].Detail == "" {
			t.Errorf("a look at the list: %+v", got)
		}
		if n := len(v.requests()); n != 5 {
			t.Errorf("%d requests: %q", n, v.requests())
		}
		if got = statusOf(t, target, map[targets.RemoteID]string{"s5": newName}); len(got) != 0 {
			t.Errorf("a look at somebody's own: %+v", got)
		}
	})
}

func TestReplaceWhileTraining(t *testing.T) {
	source := func(name, status string) string {
		return fmt.Sprintf(`200 {"id":"s1","name":%q,"status":%q}`, name, status)
	}
	busy, took := refusal(409, "SOURCE_IS_TRAINING"), source(newName, "updated")
	for name, c := range map[string]struct {
		put, get []string
		class    error
		puts     int
		least    time.Duration
	}{
		"trained then":         {put: []string{busy, took}, get: []string{source(oldName, "updated"), source(oldName, "trained")}, puts: 2, least: 2 * time.Second},
		"failed then":          {put: []string{busy, took}, get: []string{source(oldName, "failed")}, puts: 2},
		"it has it already":    {put: []string{busy}, get: []string{source(newName, "updated")}, puts: 1},
		"it had and failed":    {put: []string{busy, took}, get: []string{source(newName, "failed")}, puts: 2},
		"never ends":           {put: []string{busy}, get: []string{source(oldName, "updated")}, class: fault.ErrConflict, puts: 1, least: 9 * time.Minute},
		"always refused":       {put: []string{busy}, get: []string{source(oldName, "trained")}, class: fault.ErrConflict, puts: 50, least: 9 * time.Minute},
		"deleted meanwhile":    {put: []string{busy}, get: []string{refusal(404, "SOURCE_NOT_FOUND")}, class: fault.ErrNotFound, puts: 1},
		"somebody's own then":  {put: []string{busy, took}, get: []string{source("My notes", "trained")}, class: fault.ErrNotFound, puts: 1},
		"waits for deletion":   {put: []string{refusal(409, "SOURCE_PENDING_DELETION")}, class: fault.ErrNotFound, puts: 1},
		"is not there":         {put: []string{refusal(404, "SOURCE_NOT_FOUND")}, class: fault.ErrNotFound, puts: 1},
		"lost and taken":       {put: []string{`502 `}, get: []string{source(newName, "updated")}, puts: 1},
		"lost and not taken":   {put: []string{`502 `, took}, get: []string{source(oldName, "trained")}, puts: 2},
		"lost, somebody's own": {put: []string{`502 `, took}, get: []string{source("My notes", "trained")}, class: fault.ErrNotFound, puts: 1},
		"lost and gone":        {put: []string{`502 `}, get: []string{refusal(404, "SOURCE_NOT_FOUND")}, class: fault.ErrNotFound, puts: 1},
		"lost, and no look":    {put: []string{`502 `}, get: []string{`500 `}, class: fault.ErrUnknown, puts: 1},
		"about another source": {put: []string{`200 {"id":"s2","name":"` + newName + `"}`, took}, get: []string{source(oldName, "trained")}, puts: 2},
		"the old name":         {put: []string{source(oldName, "updated")}, get: []string{source(oldName, "updated")}, class: fault.ErrRejected, puts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				get := append([]string{source(oldName, "trained")}, c.get...) // it is looked at before it is changed
				target, v := fake(t, nil, script{"PUT /sources/s1": c.put, "GET /sources/s1": get}.handler())
				start := time.Now()
				res := target.Replace(t.Context(), "s1", rendition(newName, "new"))
				took := time.Since(start)
				if c.class == nil && (res.Err != nil || res.Status != targets.StatusWorking) || !errors.Is(res.Err, c.class) || res.ID != "s1" && res.Err == nil {
					t.Errorf("%+v", res)
				}
				if n := v.count("PUT /sources/s1"); n != c.puts && (c.puts < 10 || n > c.puts) {
					t.Errorf("%d updates", n)
				}
				if took < c.least || took > c.least+2*time.Minute {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestRenameSendsTheNameOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bodies []string
		target, _ := fake(t, nil, func(w http.ResponseWriter, r *http.Request) {
			if b, _ := io.ReadAll(r.Body); r.Method != http.MethodGet {
				bodies = append(bodies, r.URL.Path+" "+string(b))
			}
			fmt.Fprintf(w, `{"id":%q,"status":"updated"}`, r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
		})
		for id, name := range map[targets.RemoteID]string{"s1": newName, "s2": fileName} {
			r, err := target.Rename(t.Context(), id, name)
			if err != nil || r.Name != name || r.ID != id || r.Status != targets.StatusWorking {
				t.Errorf("%+v, %v", r, err)
			}
		}
		all := strings.Join(bodies, "\n")
		if !strings.Contains(all, `/api/v2/agents/agt_1/sources/s1 {"name":"`+newName+`"}`) || !strings.Contains(all, "/files/api/v2/agents/agt_1/sources/s2") ||
			!strings.Contains(all, "form-data; name=\"name\"\r\n\r\n"+fileName+"\r\n--") || strings.Contains(all, `name="file"`) {
			t.Errorf("%s", all)
		}
	})
}

func TestTrainingIsAskedForOnceAPass(t *testing.T) {
	for name, c := range map[string]struct {
		answer, route string
		fails         bool
	}{
		"done":       {answer: `200 {"success":true}`},
		"under way":  {answer: refusal(409, "AGENT_ALREADY_TRAINING")},
		"no content": {answer: `204 `},
		"no route":   {answer: `404 <html><title>Not here</title></html>`, fails: true},
		"another":    {answer: `200 {}`, route: "PUT /bots/{agentId}/retrain"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stuck := `200 {"id":"s1","name":"` + newName + `","status":"untrained"}`
				target, v := fake(t, func(cfg *Config) {
					if c.route != "" {
						cfg.Routes = map[string]string{"train": c.route}
					}
				}, script{"POST /train": {c.answer}, "PUT /api/v2/bots/agt_1/retrain": {c.answer}, "GET /sources/s1": {stuck}}.handler())
				asked := map[targets.RemoteID]string{"s1": newName}
				if r := statusOf(t, target, asked)["s1"]; r.Detail != "" || r.Status != targets.StatusWorking {
					t.Errorf("before: %+v", r)
				}
				for i, id := range []targets.RemoteID{"s1", "s2", "s3"} {
					err := target.Restart(t.Context(), id)
					if (err != nil) != (c.fails && i == 0) || c.fails && err != nil && !strings.Contains(err.Error(), "dashboard") {
						t.Errorf("restart %d: %v", i, err)
					}
				}
				if n := v.count("POST /train") + v.count("PUT /api/v2/bots/agt_1/retrain"); n != 1 {
					t.Errorf("asked %d times", n)
				}
				if r := statusOf(t, target, asked)["s1"]; r.Detail != needsHand || r.Status != targets.StatusWorking {
					t.Errorf("afterwards: %+v", r)
				}
				mustConnect(t, target)
				if r := statusOf(t, target, asked)["s1"]; r.Detail != "" {
					t.Errorf("in the next pass: %+v", r)
				}
			})
		})
	}
}

// Finish asks in every process, because the one that deleted something may be gone.
func TestFinish(t *testing.T) {
	for name, c := range map[string]struct {
		summary, train string
		want           error
		trains         int
	}{
		"nothing waits":      {summary: `200 {"texts":{"count":1,"size":2},"shouldRetrain":false}`},
		"not told":           {summary: `200 {}`},
		"waits for training": {summary: `200 {"shouldRetrain":true}`, train: `200 {}`, trains: 1},
		"wrapped":            {summary: `200 {"data":{"shouldRetrain":true}}`, train: `200 {}`, trains: 1},
		"is being trained":   {summary: `200 {"shouldRetrain":true}`, train: refusal(409, "AGENT_ALREADY_TRAINING"), want: fault.ErrConflict, trains: 1},
		"waits for a hand":   {summary: `200 {"shouldRetrain":true}`, train: "404 ", want: fault.ErrConflict, trains: 1},
		"may not train":      {summary: `200 {"shouldRetrain":true}`, train: refusal(403, "AUTH_INSUFFICIENT_PERMISSIONS"), want: fault.ErrDenied, trains: 1},
		"no answer":          {summary: `401 `, want: fault.ErrDenied},
		"refused":            {summary: `400 `, want: fault.ErrRejected},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				target, v := fake(t, nil, script{"GET /sources/summary": {c.summary}, "POST /train": {c.train}}.handler())
				for n := 1; n <= 2; n++ {
					err := target.Finish(t.Context())
					if !errors.Is(err, c.want) || err != nil && fault.StopsTarget(err) != fault.StopsTarget(c.want) {
						t.Errorf("%v", err)
					}
					if got := v.count("POST /train"); got != n*c.trains && !fault.StopsTarget(err) {
						t.Errorf("training was asked for %d times after %d calls", got, n)
					}
				}
			})
		})
	}
}

// A process that deleted a source of the middle generation and died leaves it live: the next one has it trained away.
func TestFinishAfterAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, b, _ := newPair(t, simulator.ChatbaseOptions{Generation: "B", TrainDelay: 5 * time.Second}, nil)
		mustConnect(t, target)
		res := upload(t, target, rendition(newName, "text"))
		if err := target.Restart(t.Context(), res.ID); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		if _, err := target.Delete(t.Context(), []targets.RemoteID{res.ID}); err != nil {
			t.Fatal(err)
		}
		_ = target.Close()
		opts, _ := testOptions(t, b)
		next, err := target.cfg.open(opts)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = next.Close() }()
		mustConnect(t, next)
		if len(b.sim.Retrieve(testAgent, "text")) != 1 {
			t.Fatal("this generation deletes at once")
		}
		if err := next.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		if left := b.sim.Retrieve(testAgent, "text"); len(left) != 0 {
			t.Errorf("the agent still knows %q", left)
		}
	})
}

// An account of the middle generation, left alone: nothing goes live until the client asks for it.
func TestGenerationThatMustBeAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, b, _ := newPair(t, simulator.ChatbaseOptions{Generation: "B", TrainDelay: 5 * time.Second}, nil)
		mustConnect(t, target)
		res := upload(t, target, rendition(newName, "text"))
		asked := map[targets.RemoteID]string{res.ID: newName}
		<-time.After(time.Hour)
		if r := statusOf(t, target, asked)[res.ID]; r.Status != targets.StatusWorking {
			t.Fatalf("%+v", r)
		}
		if err := target.Restart(t.Context(), res.ID); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		if r := statusOf(t, target, asked)[res.ID]; r.Status != targets.StatusDone {
			t.Fatalf("%+v", r)
		}
		if _, err := target.Delete(t.Context(), []targets.RemoteID{res.ID}); err != nil {
			t.Fatal(err)
		}
		if len(b.sim.Retrieve(testAgent, "text")) != 1 {
			t.Fatal("this generation deletes at once")
		}
		if err := target.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		if left := b.sim.Retrieve(testAgent, "text"); len(left) != 0 || len(b.sim.Documents()) != 0 {
			t.Errorf("the agent still knows %q", left)
		}
	})
}
