package simulator

import (
	"strings"
	"testing"
	"time"
)

const cbPageURL = "https://example.com/prices"

// link creates a link source of a single page and returns its id.
func (r *cbRig) link(address string) (id string) {
	r.t.Helper()
	got := r.call(201, "POST", cbSources, jsonText(object{"type": "link", "url": address, "linkType": "individual"}))
	return decodeInto[object](r.t, got.body)["id"].(string)
}

func TestChatbaseLinkKnowsThePageOfItsTraining(t *testing.T) {
	inBubble(t, ChatbaseOptions{TrainDelay: time.Second}, func(t *testing.T, r *cbRig) {
		r.s.SetPage(cbPageURL, "price-1")
		id := r.link(cbPageURL)
		r.wantLive("price-1", false)
		time.Sleep(time.Second)
		r.wantStatus(id, "trained")
		r.wantLive("price-1", true)

		r.s.SetPage(cbPageURL, "price-2")
		r.s.Retrain("bot")
		r.call(200, "POST", "/api/v2/agents/bot/train", "")
		r.call(200, "PUT", cbSources+"/"+id, `{"slowScraping":true}`)
		time.Sleep(time.Second)
		r.wantStatus(id, "trained")
		r.wantLive("price-1", true)
		r.wantLive("price-2", false)

		r.call(200, "DELETE", cbSources+"/"+id, "")
		if again := r.link(cbPageURL); again == id {
			t.Fatal("the same id again")
		}
		time.Sleep(time.Second)
		r.wantLive("price-1", false)
		r.wantLive("price-2", true)
		d := r.s.Documents()
		if len(d) != 1 || d[0].Type != "link" || d[0].Name != cbPageURL || string(d[0].Content) != "price-2" || !d[0].LiveCurrent {
			t.Fatalf("%+v", d)
		}
		r.wantNoViolations()
	})
}

func TestChatbaseLinkThatCannotBeFetched(t *testing.T) {
	inBubble(t, ChatbaseOptions{TrainDelay: time.Second}, func(t *testing.T, r *cbRig) {
		r.s.BreakPage(cbPageURL)
		id := r.link(cbPageURL)
		time.Sleep(time.Second)
		r.wantStatus(id, "failed")
		r.s.SetPage(cbPageURL, "back again")
		r.call(200, "PUT", cbSources+"/"+id, `{"slowScraping":true}`)
		time.Sleep(time.Second)
		r.wantStatus(id, "failed") // an update fetches nothing
		r.s.Retrain("bot")
		time.Sleep(time.Second)
		r.wantStatus(id, "trained")
		r.wantLive("back again", true)
		r.wantNoViolations()
	})
}

func TestChatbaseLinkUpdateThatFetches(t *testing.T) {
	inBubble(t, ChatbaseOptions{UpdateFetches: true}, func(t *testing.T, r *cbRig) {
		r.s.SetPage(cbPageURL, "price-1")
		id, other := r.link(cbPageURL), r.text("other", "price-1")
		r.s.SetPage(cbPageURL, "price-2")
		r.call(200, "PUT", cbSources+"/"+id, `{"slowScraping":true}`)
		r.call(200, "PUT", cbSources+"/"+other, `{"name":"renamed"}`)
		if got := r.s.Retrieve("bot", "price-2"); len(got) != 1 || got[0] != cbPageURL {
			t.Fatal(got)
		}
		wantList(t, r.s.Retrieve("bot", "price-1"), "renamed")
	})
}

// Before generation C a training takes in what stands at the address at its beginning, and ends deletions.
func TestChatbaseLinkInEarlierGenerations(t *testing.T) {
	for _, blocks := range []bool{false, true} {
		inBubble(t, ChatbaseOptions{Generation: "B", TrainDelay: time.Second, PendingBlocks: blocks}, func(t *testing.T, r *cbRig) {
			train := func() {
				t.Helper()
				r.call(200, "POST", "/api/v2/agents/bot/train", "")
				time.Sleep(time.Second)
			}
			r.s.BreakPage(cbPageURL)
			id := r.link(cbPageURL)
			train()
			r.wantStatus(id, "untrained")
			r.s.SetPage(cbPageURL, "price-1")
			train()
			r.wantStatus(id, "trained")
			r.wantLive("price-1", true)

			r.s.SetPage(cbPageURL, "price-2")
			r.call(200, "DELETE", cbSources+"/"+id, "")
			r.wantStatus(id, "toBeDeleted")
			body := jsonText(object{"type": "link", "url": cbPageURL, "linkType": "individual"})
			if blocks {
				r.wantCode(409, "SOURCE_DUPLICATE", r.call(409, "POST", cbSources, body))
				train()
			}
			r.call(201, "POST", cbSources, body)
			train()
			r.wantLive("price-1", false)
			r.wantLive("price-2", true)
			r.wantNoViolations()
		})
	}
}

func TestChatbaseLinkOfSomebodyElse(t *testing.T) {
	r := newCBRig(t, ChatbaseOptions{})
	r.s.SetPage(cbPageURL, "price-1")
	id := r.s.PutLink("bot", cbPageURL)
	got := r.call(200, "GET", cbSources+"/"+id, "").body
	if !strings.Contains(got, `"metadata":{"type":"individual"}`) || !strings.Contains(got, `"name":"`+cbPageURL+`"`) {
		t.Fatal(got)
	}
	if d := r.s.Documents()[0]; !d.Foreign || d.Type != "link" || !d.IsLive {
		t.Fatalf("%+v", d)
	}
	r.wantLive("price-1", true)
	r.wantCode(409, "SOURCE_DUPLICATE",
		r.call(409, "POST", cbSources, jsonText(object{"type": "link", "url": cbPageURL, "linkType": "individual"})))
}

func TestChatbaseLinkBodies(t *testing.T) {
	for name, tt := range map[string]struct{ body, violation string }{
		"no url":         {`{"type":"link","linkType":"individual"}`, "url"},
		"no link type":   {`{"type":"link","url":"https://example.com"}`, "linkType"},
		"a name":         {`{"type":"link","url":"https://example.com","linkType":"individual","name":"a"}`, `unknown field "name"`},
		"another scheme": {`{"type":"link","url":"ftp://example.com","linkType":"individual"}`, "url"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newCBRig(t, ChatbaseOptions{})
			r.send("POST", cbSources, "application/json", tt.body)
			r.wantViolation(tt.violation)
		})
	}
	r := newCBRig(t, ChatbaseOptions{})
	r.call(200, "PUT", cbSources+"/"+r.link(cbPageURL), `{"url":"https://example.com/other"}`)
	r.wantViolation(`unknown field "url"`)
	if got := r.s.Documents()[0].Name; got != cbPageURL {
		t.Fatalf("the address became %q", got)
	}
}
