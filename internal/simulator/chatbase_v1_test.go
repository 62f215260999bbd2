package simulator

import (
	"strings"
	"testing"
	"time"
)

const (
	v1Create = "/api/v1/create-chatbot"
	v1Update = "/api/v1/update-chatbot-data"
	v1List   = "/api/v1/get-chatbots"
	v1Delete = "/api/v1/delete-chatbot"
)

func (r *cbRig) wantChatbot(want string) {
	r.t.Helper()
	if got := r.call(200, "GET", v1List, ""); !strings.Contains(got.body, want) {
		r.t.Fatalf("want %s: %s", want, got.body)
	}
}

func TestChatbaseBundle(t *testing.T) {
	inBubble(t, ChatbaseOptions{TrainDelay: time.Second}, func(t *testing.T, r *cbRig) {
		update := func(text string) {
			t.Helper()
			got := r.call(200, "POST", v1Update, jsonText(object{"chatbotId": "bot", "chatbotName": "Support Bot", "sourceText": text}))
			if got.body != `{"chatbotId":"bot"}` {
				t.Fatal(got.body)
			}
		}
		r.wantChatbot(`"status":"ready"`)
		update("text-1")
		r.wantChatbot(`"status":"training"`)
		r.wantLive("text-1", false)
		time.Sleep(time.Second)
		r.wantChatbot(`"status":"ready"`)
		r.wantLive("text-1", true)

		update("text-2")
		time.Sleep(time.Second / 2)
		update("text-3") // starts the training again
		time.Sleep(time.Second / 2)
		if b := r.s.Bundle("bot"); b != (ChatbaseBundle{Name: "Support Bot", Live: "text-1", Pending: "text-3", Status: "training"}) {
			t.Fatalf("%+v", b)
		}
		time.Sleep(time.Second / 2)
		r.wantLive("text-3", true)

		r.s.SetFaults(Faults{TrainFail: func(string) bool { return true }})
		update("text-4")
		time.Sleep(time.Second)
		r.wantChatbot(`"status":"failed"`)
		r.wantLive("text-3", true)
		r.s.SetFaults(Faults{TrainStall: func(string) bool { return true }})
		update("text-5")
		time.Sleep(time.Hour)
		r.wantChatbot(`"status":"training"`)
		r.wantNoViolations()
	})
}

func TestChatbaseV1Refusals(t *testing.T) {
	for name, tt := range map[string]struct {
		method, path, body string
		want               int
		violation          string
	}{
		"another name":      {"POST", v1Update, `{"chatbotId":"bot","chatbotName":"Renamed","sourceText":"x"}`, 200, `from "Support Bot" to "Renamed"`},
		"no name":           {"POST", v1Update, `{"chatbotId":"bot","sourceText":"x"}`, 400, "less than 3"},
		"short name":        {"POST", v1Update, `{"chatbotId":"bot","chatbotName":"ab"}`, 400, "less than 3"},
		"no id":             {"POST", v1Update, `{"chatbotName":"Support Bot"}`, 400, "no chatbotId"},
		"unknown chatbot":   {"POST", v1Update, `{"chatbotId":"nope","chatbotName":"Support Bot"}`, 404, ""},
		"unknown field":     {"POST", v1Update, `{"chatbotId":"bot","chatbotName":"Support Bot","urlsToScrape":["https://example.com"]}`, 200, "urlsToScrape"},
		"not JSON":          {"POST", v1Update, `{`, 400, "malformed"},
		"text above plan":   {"POST", v1Update, `{"chatbotId":"bot","chatbotName":"Support Bot","sourceText":"eleven char"}`, 400, ""},
		"create":            {"POST", v1Create, `{"chatbotName":"n","sourceText":"ten chars."}`, 200, ""},
		"create above plan": {"POST", v1Create, `{"chatbotName":"n","sourceText":"eleven char"}`, 400, ""},
		"create nameless":   {"POST", v1Create, `{"sourceText":"x"}`, 400, ""},
		"delete":            {"DELETE", v1Delete + "?chatbotId=bot", "", 200, "deleted"},
		"delete unknown":    {"DELETE", v1Delete + "?chatbotId=nope", "", 404, "deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newCBRig(t, ChatbaseOptions{V1MaxChars: 10})
			r.call(tt.want, tt.method, tt.path, tt.body)
			if tt.violation == "" {
				r.wantNoViolations()
			} else {
				r.wantViolation(tt.violation)
			}
		})
	}
}

func TestChatbaseV1Spelling(t *testing.T) {
	r := newCBRig(t, ChatbaseOptions{ChatbotSpelling: true})
	r.wantChatbot(`"chatbotId":"bot","chatbotName":"Support Bot"`)
	r = newCBRig(t, ChatbaseOptions{})
	r.wantChatbot(`"id":"bot"`)
	r.wantChatbot(`"name":"Support Bot"`)
	got := r.call(200, "POST", v1Create, `{"chatbotName":"Second","sourceText":"marker"}`)
	id := decodeInto[map[string]string](t, got.body)["chatbotId"]
	if b := r.s.Bundle(id); b.Name != "Second" || b.Live != "marker" {
		t.Fatalf("%+v", b)
	}
	r.call(200, "DELETE", v1Delete+"?chatbotId="+id, "")
	if b := r.s.Bundle(id); b != (ChatbaseBundle{}) {
		t.Fatalf("%+v", b)
	}
}
