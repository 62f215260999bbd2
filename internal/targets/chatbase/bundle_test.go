package chatbase

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/simulator"
	"kbsyncd/internal/targets"
)

// newBundle makes the target of a chatbot and a simulator.
func newBundle(t *testing.T, o simulator.ChatbaseOptions, chatbot string) (*Bundle, *simulator.Chatbase) {
	t.Helper()
	o.Key = testKey
	sim := simulator.NewChatbase(o)
	sim.AddAgent(testAgent, "Support bot")
	cfg := testConfig()
	cfg.API, cfg.BaseURL = apiV1, strings.Replace(cfg.BaseURL, "v2", "v1", 1)
	opts, _ := testOptions(t, sim)
	opts.Agent = chatbot
	target, err := cfg.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = target.Close()
		sim.Close()
	})
	return target.(*Bundle), sim
}

func TestBundle(t *testing.T) {
	for name, o := range map[string]simulator.ChatbaseOptions{
		"documented": {TrainDelay: 5 * time.Second}, "other spelling": {ChatbotSpelling: true, TrainDelay: 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, sim := newBundle(t, o, testAgent)
				mustConnect(t, b)
				sim.AddAgent(testAgent, "Renamed \"by hand\"") // after the connection, as people do
				const text = "# handbook/a.md\n\n<all> & \"more\"\n"
				sim.SetFaults(simulator.Faults{Next: []simulator.Fault{{Route: "v1_update", Status: 502, AfterEffect: true}}})
				if res := b.SendBundle(t.Context(), rendition("bundle.md", text)); res.Err != nil || res.ID != testAgent || res.Status != targets.StatusWorking {
					t.Fatalf("%+v", res)
				}
				if got := sim.Bundle(testAgent); got.Name != "Renamed \"by hand\"" || got.Pending != text {
					t.Errorf("%+v", got)
				}
				if r, err := b.BundleStatus(t.Context()); err != nil || r.Status != targets.StatusWorking || r.ID != testAgent {
					t.Errorf("%+v, %v", r, err)
				}
				<-time.After(10 * time.Second)
				if r, err := b.BundleStatus(t.Context()); err != nil || r.Status != targets.StatusDone || sim.Bundle(testAgent).Live != text {
					t.Errorf("%+v, %v", r, err)
				}
				for _, r := range sim.Requests() {
					if !strings.HasSuffix(r.Path, "/get-chatbots") && !strings.HasSuffix(r.Path, "/update-chatbot-data") {
						t.Errorf("asked for %s", r.Path)
					}
				}
				if v := sim.Violations(); len(v) > 0 {
					t.Errorf("%q", v)
				}
			})
		})
	}
}

func TestBundleThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, sim := newBundle(t, simulator.ChatbaseOptions{}, testAgent)
		mustConnect(t, b)
		sim.SetFaults(simulator.Faults{TrainFail: func(string) bool { return true }})
		if res := b.SendBundle(t.Context(), rendition("bundle.md", "text")); res.Err != nil {
			t.Fatal(res.Err)
		}
		<-time.After(time.Minute)
		if r, err := b.BundleStatus(t.Context()); err != nil || r.Status != targets.StatusFailed || r.Detail == "" {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestBundleOfAnUnknownChatbot(t *testing.T) {
	for _, id := range []string{"agt_2", ""} {
		synctest.Test(t, func(t *testing.T) {
			b, sim := newBundle(t, simulator.ChatbaseOptions{}, id)
			if _, err := b.Connect(t.Context(), true); !errors.Is(err, fault.ErrSetup) {
				t.Errorf("%v", err)
			}
			if res := b.SendBundle(t.Context(), rendition("bundle.md", "text")); !errors.Is(res.Err, fault.ErrSetup) {
				t.Errorf("%v", res.Err)
			}
			if slices.ContainsFunc(sim.Requests(), func(r simulator.Request) bool { return !strings.HasSuffix(r.Path, "/get-chatbots") }) {
				t.Error("something was sent")
			}
		})
	}
}

func TestBundleIsNoSetOfDocuments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, sim := newBundle(t, simulator.ChatbaseOptions{}, testAgent)
		mustConnect(t, b)
		before := len(sim.Requests())
		large := rendition("bundle.md", "x")
		large.Size = bundleBytes + 1
		if res := b.SendBundle(t.Context(), large); !errors.Is(res.Err, fault.ErrTooLarge) || !strings.Contains(res.Err.Error(), "api: v2") {
			t.Errorf("%v", res.Err)
		}
		for name, r := range map[string]targets.Rendition{"no UTF-8": rendition("b.md", "\xff"), "short": {Size: 9, Open: rendition("b.md", "x").Open}} {
			if res := b.SendBundle(t.Context(), r); res.Err == nil {
				t.Errorf("%s was sent", name)
			}
		}
		if res, err := b.Upload(t.Context(), []targets.Rendition{large}); !errors.Is(err, fault.ErrUnsupported) || !errors.Is(res[0].Err, fault.ErrUnsupported) {
			t.Errorf("%+v, %v", res, err)
		}
		if res, err := b.Delete(t.Context(), []targets.RemoteID{"a"}); !errors.Is(err, fault.ErrUnsupported) || !errors.Is(res[0].Err, fault.ErrUnsupported) {
			t.Errorf("%+v, %v", res, err)
		}
		if err := b.List(t.Context(), func(targets.Remote) error { return io.EOF }); err != nil {
			t.Errorf("%v", err)
		}
		if n := len(sim.Requests()) - before; n != 0 || b.Limits().MaxBytes != bundleBytes {
			t.Errorf("%d requests, %+v", n, b.Limits())
		}
	})
}

func TestBundleAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		list, update string
		class        error
	}{
		"a bare list":       {list: `200 [{"chatbotId":"agt_1","chatbotName":"Bot"}]`, update: `200 {"chatbotId":"agt_1"}`},
		"no name":           {list: `200 {"chatbots":[{"id":"agt_1"}]}`, class: fault.ErrSetup},
		"no list":           {list: `200 {}`, class: fault.ErrIncomplete},
		"a list of nothing": {list: `200 {"chatbots":[]}`, class: fault.ErrSetup},
		"another chatbot":   {list: `200 {"chatbots":[{"id":"agt_1","name":"Bot"}]}`, update: `200 {"chatbotId":"agt_2"}`, class: fault.ErrUnknown},
		"an empty answer":   {list: `200 {"chatbots":[{"id":"agt_1","name":"Bot"}]}`, update: `200 `, class: fault.ErrUnknown},
		"a refusal":         {list: `200 {"chatbots":[{"id":"agt_1","name":"Bot"}]}`, update: `400 {"message":"too short"}`, class: fault.ErrRejected},
		"a key that is bad": {list: `401 {"message":"no"}`, class: fault.ErrDenied},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := testConfig()
				cfg.API, cfg.BaseURL = apiV1, strings.Replace(cfg.BaseURL, "v2", "v1", 1)
				opts, _ := testOptions(t, script{"GET /api/v1/get-chatbots": {c.list}, "POST /api/v1/update-chatbot-data": {c.update}}.handler())
				b, err := cfg.openBundle(opts)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = b.Close() }()
				if res := b.SendBundle(t.Context(), rendition("bundle.md", "text")); !errors.Is(res.Err, c.class) {
					t.Errorf("%v", res.Err)
				}
			})
		})
	}
}
