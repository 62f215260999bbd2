package hamsa

import (
	"strings"
	"testing"

	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/targets/adapter"
)

func TestRefusal(t *testing.T) {
	for body, want := range map[string]*httpapi.Refusal{
		`{"success":false,"message":"done","data":{"id":"x"}}`:                                  nil,
		`{"success":false,"message":"Item activated","messageKey":"ItemActivatedSuccessfully"}`: nil,
		`{"success":true,"message":"URL deleted","messageKey":"URL_DELETED_SUCCESSFULLY"}`:      nil,
		`{"statusCode":404,"message":["a","b"],"error":"Not Found"}`:                            {Code: 404, Text: "a; b"},
		`{"statusCode":"403","message":"no"}`:                                                   {Code: 403, Text: "no"},
		`{"statusCode":404,"message":"x","data":{"id":"x"}}`:                                    nil,
		`{"statusCode":200,"message":"fine"}`:                                                   nil,
		`{"success":false,"message":"Knowledge base item not found","data":null}`:               {Code: 404, Text: "Knowledge base item not found"},
		`{"success":false,"messageKey":"ItemNotFound"}`:                                         {Code: 404, Text: "ItemNotFound"},
		`{"error":"broken"}`:              {Text: "broken"},
		`{"success":true,"error":"none"}`: nil,
		`{"error":null}`:                  nil, `{"error":false}`: nil, `[]`: nil, `null`: nil, `{}`: nil, `7`: nil,
	} {
		got := refusal([]byte(body))
		if (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%s: %+v, want %+v", body, got, want)
		}
	}
}

func TestDecodeProject(t *testing.T) {
	for body, want := range map[string]string{
		`{"data":{"id":"p","name":"n"}}`: "p n", `{"data":{"project":{"id":5}}}`: "5 5", `{"id":"p","projectName":"n"}`: "p n",
		`{"project":{"projectId":"p"}}`: "p p", `{}`: " ", `{"data":null}`: " ", `[]`: " ", `{"data":[{"id":"p"}]}`: " ",
	} {
		if id, name := decodeProject([]byte(body)); id+" "+name != want {
			t.Errorf("%s: %q %q", body, id, name)
		}
	}
}

// Whatever a vendor answers, a decoder returns, and what it gives can be used.
func FuzzDecoders(f *testing.F) {
	for _, s := range append(vague, `{"data":{"total":2,"filtered":"2","items":[{"id":1},{"id":"2","itemName":"x","status":"PROCESSED"}]}}`,
		`{"data":{"id":"agent-1","knowledgeBaseItemsIds":"[\"a\",\"b\"]"}}`, `{"knowledgeBaseItemsIds":"a,b"}`, `{"data":{"project":{"id":5,"name":"x"}}}`,
		`{"statusCode":404,"message":["a"],"error":"Not Found"}`) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, it := range decodeItems(b) {
			if it.ID == "" {
				t.Error("an item without an id")
			}
		}
		for _, search := range []bool{true, false} {
			if p, err := decodePage(b, search); err == nil {
				for _, it := range p.items {
					if it.ID == "" {
						t.Error("an item of the list without an id")
					}
				}
				if p.total < -1 {
					t.Errorf("%d items in all", p.total)
				}
			}
		}
		ids, told, err := decodeAgent(b, agent1)
		for _, id := range ids {
			if id == "" || err != nil || !told {
				t.Errorf("%q, %v, %v", id, told, err)
			}
		}
		if id, name := decodeProject(b); id != "" && name == "" {
			t.Error("a project without a name")
		}
		if no := refusal(b); no != nil && no.Code != 0 && no.Code < 400 {
			t.Errorf("refused with %d", no.Code)
		}
		_ = wordsOf(b)
	})
}

// What is retired can be told from what is in use, by its name alone.
func FuzzNames(f *testing.F) {
	f.Add("guide.kb7f3aq3v7x2mh4kd-a9c1d22e04.md")
	f.Add("guide.KB7F3AQ3V7X2MH4KD-p0002-a9c1d22e04(1).txt")
	f.Add("prices (retired)")
	f.Fuzz(func(t *testing.T, name string) {
		at, _ := markAt(name)
		if at < 0 || len(name) > nameChars {
			return
		}
		gone := retiredName(name)
		former, older, ok := formerName(gone)
		if !ok || !adapter.SameDocument(name, former) || adapter.SameDocument(name, older) || !strings.HasSuffix(gone, retiredMark) {
			t.Errorf("%q became %q and came back as %q", name, gone, former)
		}
		if at, _ := markAt(gone); at >= 0 {
			t.Errorf("%q looks as if it were in use", gone)
		}
	})
}
