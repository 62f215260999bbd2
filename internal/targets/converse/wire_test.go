package converse

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

func TestDocument(t *testing.T) {
	target := &Target{log: slog.New(slog.DiscardHandler)}
	remote := func(id, name string, s targets.Status, word, detail, progress string) targets.Remote {
		return targets.Remote{ID: targets.RemoteID(id), Name: name, Size: -1, Status: s, Word: word, Detail: detail, Progress: progress}
	}
	const done, failed, working, unknown = targets.StatusDone, targets.StatusFailed, targets.StatusWorking, targets.StatusUnknown
	for in, want := range map[string]targets.Remote{
		`{"id":"a","name":"n","status":"ready"}`:                              remote("a", "n", done, "ready", "", ""),
		`{"_id":"a","title":"n","state":"INDEXED","chunk_count":3}`:           remote("a", "n", done, "INDEXED", "", "3 chunks"),
		`{"doc_id":7,"filename":"n","processing_status":" Completed "}`:       remote("7", "n", done, "Completed", "", ""),
		`{"document_id":"a","file_name":"n","status":"complete"}`:             remote("a", "n", done, "complete", "", ""),
		`{"uuid":"a","status":"processed"}`:                                   remote("a", "", done, "processed", "", ""),
		`{"id":"a","status":"active"}`:                                        remote("a", "", done, "active", "", ""),
		`{"id":"a","status":"success"}`:                                       remote("a", "", done, "success", "", ""),
		`{"id":"a","status":"done","num_chunks":"2"}`:                         remote("a", "", done, "done", "", "2 chunks"),
		`{"id":"a","status":"ready","chunks_count":0}`:                        remote("a", "", failed, "ready", "no chunks", "0 chunks"),
		`{"id":"a","status":"ready","chunks":[]}`:                             remote("a", "", failed, "ready", "no chunks", "0 chunks"),
		`{"id":"a","status":"failed","error":"too odd"}`:                      remote("a", "", failed, "failed", "too odd", ""),
		`{"id":"a","status":"error","error_message":"x\n y"}`:                 remote("a", "", failed, "error", "x y", ""),
		`{"id":"a","status":"Errored","failure_reason":"x"}`:                  remote("a", "", failed, "Errored", "x", ""),
		`{"id":"a","status":"failed","detail":[{"loc":["b"],"msg":"m"},"n"]}`: remote("a", "", failed, "failed", "m; n", ""),
		`{"id":"a","status":"failed","error":{"message":"m","code":1}}`:       remote("a", "", failed, "failed", "m", ""),
		`{"id":"a","status":"processing","chunk_count":0}`:                    remote("a", "", working, "processing", "", "0 chunks"),
		`{"id":"a","status":"embedding","error":"not yet"}`:                   remote("a", "", working, "embedding", "", ""),
		`{"id":"a","status":{"ready":true}}`:                                  remote("a", "", unknown, "", "", ""),
		`{"id":"a","status":null,"chunk_count":null}`:                         remote("a", "", unknown, "", "", ""),
		`{"id":"a","chunk_count":1}`:                                          remote("a", "", done, "", "", "1 chunks"),
		`{"id":"a","chunk_count":0}`:                                          remote("a", "", working, "", "", "0 chunks"),
		`{"id":"a","chunk_count":-1}`:                                         remote("a", "", unknown, "", "", ""),
		`{"id":"a","chunk_count":1e99}`:                                       remote("a", "", unknown, "", "", ""),
		`{"id":null,"_id":"b","name":"","title":"n"}`:                         remote("b", "n", unknown, "", "", ""),
		`{"id":{"$oid":"b"},"name":["n"]}`:                                    remote("", "", unknown, "", "", ""),
		`[1]`:                                                                 remote("", "", unknown, "", "", ""),
		``:                                                                    remote("", "", unknown, "", "", ""),
	} {
		if got := target.remote(documentOf(asObject([]byte(in)))); !cmp.Equal(got, want) {
			t.Errorf("%s\n%s", in, cmp.Diff(want, got))
		}
	}
}

func TestDecodeCreated(t *testing.T) {
	for in, want := range map[string]string{
		`{"id":"a","name":"n"}`: "a", `{"data":{"id":1}}`: "1", `{"document":{"_id":"a"}}`: "a", `{"message":"ok","data":{"document":{"uuid":"a"}}}`: "a",
		`[{"id":"a"}]`: "a", `[{"id":"a"},{"id":"b"}]`: "", `{"success":true}`: "", `{}`: "", `null`: "", `[]`: "", ``: "", `"a"`: "", `{"data":"a"}`: "",
		`{"data":{"data":{"data":{"data":{"id":"a"}}}}}`: "",
	} {
		if got := decodeCreated([]byte(in)).id; got != want {
			t.Errorf("%s: %q instead of %q", in, got, want)
		}
	}
}

func TestHeldID(t *testing.T) {
	for in, want := range map[string]string{
		`"a"`: "a", `7`: "7", `{"id":"a"}`: "a", `{"id":"as_1","document_id":"a"}`: "a", `{"id":"as_1","doc_id":3}`: "3",
		`{"id":"as_1","document":{"id":"a"}}`: "a", `{"_id":"a","name":"n"}`: "a", `{}`: "", `null`: "", `[]`: "", `true`: "",
	} {
		if got := heldID(json.RawMessage(in)); got != want {
			t.Errorf("%s: %q instead of %q", in, got, want)
		}
	}
}

func TestFindList(t *testing.T) {
	for in, want := range map[string]int{
		`[]`: 0, ` [1,2]`: 2, `{"documents":[1]}`: 1, `{"items":[1]}`: 1, `{"data":[1]}`: 1, `{"knowledge":[1]}`: 1, `{"results":[1]}`: 1,
		`{"data":{"items":[1,2,3]}}`: 3, `{"data":{"data":{"items":[1]}}}`: 1, `{"documents":{},"items":[1]}`: 1, `{"items":[]}`: 0,
		`{}`: -1, ``: -1, `null`: -1, `{"items":null}`: -1, `{"detail":"x"}`: -1, `"x"`: -1, `{"other":[1]}`: -1, `{"data":{"data":{"data":{"items":[1]}}}}`: -1,
	} {
		list, _, err := findList([]byte(in), listNames, 0)
		got := -1
		if err == nil {
			got = 0
			if err := adapter.Rows(list, func(json.RawMessage) error { got++; return nil }); err != nil {
				t.Error(in, err)
			}
		}
		if got != want {
			t.Errorf("%s: %d rows instead of %d", in, got, want)
		}
	}
}

func TestAnyChunk(t *testing.T) {
	for in, want := range map[string]string{
		`[]`: "no", `[{"text":"a"}]`: "yes", `[`: "error", `[{"text":"cut sho`: "yes", `{"chunks":[]}`: "no", `{"chunks":["a"]}`: "yes", `{"total":5,"items":[1]}`: "yes",
		`{"data":{"chunks":[1]}}`: "yes", `{"data":{"chunks":[]}}`: "no", `{"chunk_count":0}`: "no", `{"chunk_count":"2"}`: "yes", `{"num_chunks":3,"chunks":`: "yes",
		`{"meta":{"tags":["a"]},"chunks":[]}`: "no", `{"tags":["a"]}`: "error", `{}`: "error", `null`: "error", `"x"`: "error", ``: "error", `{"chunks":[]`: "error",
		`<html>`: "error", `{"document":{"chunks":[1]}}`: "error", `{"tags":[[{"chunks":[1]}]],"chunks":[]}`: "no",
	} {
		has, err := anyChunk(strings.NewReader(in))
		got := map[bool]string{true: "yes", false: "no"}[has]
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%s: %s instead of %s (%v)", in, got, want, err)
		}
	}
}

func TestDecodeHits(t *testing.T) {
	for in, want := range map[string][]targets.Hit{
		`[]`:        nil,
		`["a","b"]`: {{Text: "a"}, {Text: "b"}},
		`{"results":[{"text":"low","score":0.1},{"content":"high","score":"0.9","document_id":"d","document_name":"n"}]}`: {
			{ID: "d", Name: "n", Text: "high", Score: 0.9}, {Text: "low", Score: 0.1},
		},
		`{"matches":[{"id":"chunk_1","chunk":"c","metadata":{"id":"x","doc_id":"d","filename":"n"},"distance":0.2}]}`: {{ID: "d", Name: "n", Text: "c", Score: -0.2}},
		`{"chunks":[{"chunk_text":"c","document":{"_id":3,"title":"n"}},{"no":"text"},7]}`:                            {{ID: "3", Name: "n", Text: "c"}, {Text: "7"}},
		`{"answer":"it is closed","sources":[]}`:                                                                      {{Text: "it is closed"}},
	} {
		if got, err := decodeHits([]byte(in)); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %v\n%s", in, err, cmp.Diff(want, got))
		}
	}
	for _, in := range []string{``, `{}`, `null`, `{"detail":"no"}`, `3`} {
		if got, err := decodeHits([]byte(in)); err == nil {
			t.Errorf("%s: %v", in, got)
		}
	}
}

func FuzzDecoders(f *testing.F) {
	for _, s := range []string{
		`[]`, `[{"id":"a","name":"n","status":"ready","chunk_count":1}]`, `{"data":{"items":[{"_id":1}],"page":1,"total_pages":2}}`, `{"next":"?cursor=x","results":["a"]}`,
		`{"chunks":[{"text":"a"}],"chunk_count":1e400}`, `{"results":[{"text":"t","score":1,"document":{"id":"d"}}]}`, `{"data":{"data":{"data":{"data":[]}}}}`, `null`,
		`{"detail":[{"loc":["body"],"msg":"m"}]}`, `{"total":-1,"page":1e300,"total_pages":"9","items":[]}`,
	} {
		f.Add([]byte(s))
	}
	target := &Target{log: slog.New(slog.DiscardHandler)}
	f.Fuzz(func(t *testing.T, b []byte) {
		list, around, err := findList(b, listNames, 0)
		if err == nil {
			_ = adapter.Rows(list, func(row json.RawMessage) error {
				r := target.remote(documentOf(asObject(row)))
				if strings.ContainsAny(r.Word+r.Detail, "\n\r\x1b") || len(r.Detail) > 2000 {
					t.Errorf("%+v", r)
				}
				heldID(row)
				return nil
			})
			if next, told := after(around, 1, nil); next != nil && !told {
				t.Errorf("a next page that nobody told of: %v", next)
			}
		}
		if list == nil == (err == nil) {
			t.Errorf("a list %t and %v", list != nil, err)
		}
		decodeCreated(b)
		_, _ = anyChunk(strings.NewReader(string(b)))
		if hits, err := decodeHits(b); err == nil {
			for _, h := range hits {
				if h.Text == "" {
					t.Error("a hit without text")
				}
			}
		}
	})
}
