package chatbase

import (
	"encoding/json"
	"testing"
)

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"data":[{"id":"a","name":null,"status":"trained"}],"pagination":{"cursor":"x","hasMore":true,"total":3}}`, `{"data":[],"pagination":null}`,
		`{"id":"a","name":"b","status":"toBeDeletedted","size":1.5}`, `{"data":{"id":1}}`, `[]`, `null`, `{"chatbots":[{"id":"a"}]}`, `{"data":[1]}`, `{"data":"x"}`,
		`{"pagination":{"total":-1e99}}`, `{"id":{"a":1},"data":{}}`,
		`{"data":[{"id":"a","type":"link","name":"https://a.example/x.kbaaaaaaaaaaaaaaa-0000000000.md","metadata":{"type":"individual","crawlStatus":"failed"}}]}`,
		`{"data":[{"id":"a","type":"link","name":"https://a.example","metadata":"crawl"},{"id":"b","type":"link","metadata":{"type":["x"]}}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := decodePage(b); err == nil {
			for _, s := range p.items {
				if s.ID == "" {
					t.Error("an item without an id")
				}
				r := s.remote()
				if r.Link != "" && (r.Name != "" || s.foreign()) {
					t.Errorf("a page with a name: %+v", r)
				}
				if r.Size != -1 || string(r.ID) != s.ID {
					t.Errorf("%+v", r)
				}
			}
			if p.total < -1 || len(p.items) > mostOnPage {
				t.Errorf("%+v", p)
			}
		}
		if list, err := decodeChatbots(b); err == nil {
			for _, c := range list {
				_, _ = c.id(), c.name()
			}
		}
		var s source
		if json.Valid(b) && json.Unmarshal(b, &s) == nil && s.gone() && s.state() == 0 {
			t.Errorf("%+v", s)
		}
		var a agent
		if json.Unmarshal(b, &a) == nil && a.Size < -1 {
			t.Errorf("%+v", a)
		}
	})
}
