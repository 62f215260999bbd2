package simulator

import (
	"strings"
	"testing"
	"time"
)

func TestChatbaseGenerationB(t *testing.T) {
	inBubble(t, ChatbaseOptions{Generation: "B", TrainDelay: time.Second}, func(t *testing.T, r *cbRig) {
		const train = "/api/v2/agents/bot/train"
		r.call(500, "POST", train, "") // with zero sources, as was observed
		a, b := r.text("a", "a-1"), r.text("b", "b-1")
		time.Sleep(time.Hour)
		r.wantStatus(a, "untrained")
		r.wantLive("a-1", false)
		if got := r.call(200, "GET", cbSources+"/summary", ""); !strings.Contains(got.body, `"shouldRetrain":true`) {
			t.Fatal(got.body)
		}
		r.call(200, "POST", train, "")
		r.wantCode(409, "AGENT_ALREADY_TRAINING", r.call(409, "POST", train, ""))
		r.call(200, "PUT", cbSources+"/"+a, `{"content":"a-2"}`)
		time.Sleep(time.Second)
		r.wantStatus(a, "untrained")
		r.wantStatus(b, "trained")
		r.wantLive("a-1", true)
		r.call(200, "POST", train, "")
		time.Sleep(time.Second)
		r.wantLive("a-2", true)
		r.wantStatus(a, "trained")

		path := cbSources + "/" + b
		if got := r.call(200, "DELETE", path, ""); !strings.Contains(got.body, `"status":"toBeDeleted"`) {
			t.Fatal(got.body)
		}
		r.wantCode(409, "SOURCE_ALREADY_PENDING_DELETION", r.call(409, "DELETE", path, ""))
		r.wantCode(409, "SOURCE_PENDING_DELETION", r.call(409, "PUT", path, `{"content":"b-2"}`))
		r.call(200, "POST", path+"/restore", "")
		r.wantStatus(b, "trained")
		r.call(200, "DELETE", path, "")
		r.wantLive("b-1", true)
		r.call(200, "POST", train, "")
		time.Sleep(time.Second)
		r.wantLive("b-1", false)
		r.call(404, "GET", path, "")
		r.s.SetFaults(Faults{TrainFail: func(string) bool { return true }})
		r.call(200, "PUT", cbSources+"/"+a, `{"content":"a-3"}`)
		r.call(200, "POST", train, "")
		time.Sleep(time.Second)
		r.wantStatus(a, "updated")
		r.wantNoViolations()
	})
}

func TestChatbaseGenerationA(t *testing.T) {
	r := newCBRig(t, ChatbaseOptions{Generation: "A", MisspeltDeleted: true})
	id := r.text("a", "a-1")
	r.call(404, "POST", "/api/v2/agents/bot/train", "")
	r.wantStatus(id, "untrained")
	if !r.s.Retrain("bot") || r.s.Retrain("nope") {
		t.Fatal("Retrain must find the agent")
	}
	r.wantLive("a-1", true)
	if got := r.call(200, "DELETE", cbSources+"/"+id, ""); !strings.Contains(got.body, `"toBeDeletedted"`) {
		t.Fatal(got.body)
	}
	if got := r.call(200, "GET", "/api/v2/agents/bot", ""); strings.Contains(got.body, "status") {
		t.Fatal(got.body)
	}
	r.wantNoViolations()
}

func TestChatbaseOddities(t *testing.T) {
	o := ChatbaseOptions{TrainDelay: time.Second, PurgeDelay: time.Second, FilesNeedTraining: true, UpdateWhileTraining: true, WrapData: true, TrainingStatus: "indexing"}
	inBubble(t, o, func(t *testing.T, r *cbRig) {
		got := r.call(201, "POST", cbSources, `{"type":"text","name":"a","content":"a-1"}`)
		wrapped := decodeInto[struct{ Data object }](t, got.body).Data
		if wrapped["status"] != "indexing" {
			t.Fatal(got.body)
		}
		path := cbSources + "/" + wrapped["id"].(string)
		time.Sleep(time.Second / 2)
		r.call(200, "PUT", path, `{"content":"a-2"}`)
		time.Sleep(time.Second / 2)
		r.wantLive("a-", false) // the training of the first version was given up
		time.Sleep(time.Second / 2)
		r.wantLive("a-2", true)
		r.want(201, r.upload("POST", cbFiles, "f", "f.txt", "f-1"+strings.Repeat("x", 60)))
		time.Sleep(time.Hour)
		r.wantLive("f-1", false)
		r.call(200, "POST", "/api/v2/agents/bot/train", "")
		time.Sleep(time.Second)
		r.wantLive("f-1", true)
		r.call(200, "POST", path+"/restore", "")
		if got := r.call(200, "DELETE", path, ""); !strings.Contains(got.body, `"toBeDeleted"`) {
			t.Fatal(got.body)
		}
		r.wantLive("a-2", false)
		r.wantCode(409, "SOURCE_ALREADY_PENDING_DELETION", r.call(409, "DELETE", path, ""))
		time.Sleep(time.Second)
		r.call(404, "DELETE", path, "")
		r.wantNoViolations()
	})
}

func TestChatbaseRetrainStartsAgain(t *testing.T) {
	inBubble(t, ChatbaseOptions{TrainDelay: time.Second}, func(t *testing.T, r *cbRig) {
		r.s.SetFaults(Faults{
			TrainFail:  func(n string) bool { return n == "bad" },
			TrainStall: func(n string) bool { return n == "stuck" },
		})
		bad, stuck := r.text("bad", "bad-1"), r.text("stuck", "stuck-1")
		time.Sleep(time.Hour)
		r.wantStatus(bad, "failed")
		r.wantStatus(stuck, "untrained")
		r.call(200, "POST", "/api/v2/agents/bot/train", "") // does nothing
		time.Sleep(time.Second)
		r.wantLive("-1", false)
		r.s.SetFaults(Faults{})
		r.s.Retrain("bot")
		time.Sleep(time.Second)
		r.wantLive("bad-1", true)
		r.wantLive("stuck-1", true)
	})
}

func TestChatbaseAgentStatus(t *testing.T) {
	for generation, want := range map[string][]string{
		"B": {"untrained", "untrained", "training", "trained"},
		"C": {"untrained", "training", "training", "trained"},
	} {
		inBubble(t, ChatbaseOptions{Generation: generation, TrainDelay: time.Second}, func(t *testing.T, r *cbRig) {
			for i, step := range []func(){
				func() {},
				func() { r.text("a", "x") },
				func() { r.call(200, "POST", "/api/v2/agents/bot/train", "") },
				func() { time.Sleep(time.Second) },
			} {
				step()
				agent := decodeInto[object](t, r.call(200, "GET", "/api/v2/agents/bot", "").body)
				if agent["status"] != want[i] {
					t.Errorf("generation %s, step %d: %v, want %s", generation, i, agent["status"], want[i])
				}
			}
		})
	}
}

func TestChatbaseUnknownGeneration(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("an unknown generation must not be simulated")
		}
	}()
	NewChatbase(ChatbaseOptions{Generation: "D"})
}
