package simulator

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

func TestInspection(t *testing.T) {
	r := newRig(t, StarleadsOptions{})
	got := r.call(http.StatusCreated, "POST", "/_sim/documents", `{"dataset":"kb","name":"theirs.md","text":"abc","status":"done"}`)
	id := decodeInto[map[string]string](t, got.body)["id"]
	contentType, body := files("any", "form.txt", "from a form")
	r.want(http.StatusBadRequest, r.send("POST", "/_sim/documents", contentType, body))
	body = strings.Replace(body, "--", "--"+strings.TrimPrefix(contentType, "multipart/form-data; boundary=")+
		"\r\nContent-Disposition: form-data; name=\"dataset\"\r\n\r\nkb\r\n--", 1)
	r.want(http.StatusCreated, r.send("POST", "/_sim/documents", contentType, body))

	docs := decodeInto[[]object](t, r.call(200, "GET", "/_sim/documents", "").body)
	if len(docs) != 2 || docs[0]["searchable"] != true || docs[0]["datasetName"] != "kb" ||
		docs[0]["sha256"] != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" || docs[1]["name"] != "form.txt" {
		t.Fatal(docs)
	}
	if got := r.call(200, "GET", "/_sim/content/"+id, ""); got.body != "abc" {
		t.Fatal(got.body)
	}
	r.call(404, "GET", "/_sim/content/nope", "")
	r.call(http.StatusCreated, "POST", "/_sim/agents", `{"id":"bot","chat":"theirs"}`)
	if got := r.call(200, "GET", "/_sim/agents", ""); !strings.Contains(got.body, `"id":"bot","chat":"chat_`) {
		t.Fatal(got.body)
	}
	if got := r.call(200, "GET", "/_sim/requests", ""); got.body != "[]" {
		t.Fatal("inspection must not be recorded", got.body)
	}
	r.send("GET", "/Dataset?Foo=1", "", "")
	if got := r.call(200, "GET", "/_sim/requests", ""); !strings.Contains(got.body, `"path":"/Dataset","query":"Foo=1","status":200`) {
		t.Fatal(got.body)
	}
	if got := r.call(200, "GET", "/_sim/violations", ""); !strings.Contains(got.body, "Foo") {
		t.Fatal(got.body)
	}
	r.call(204, "DELETE", "/_sim/requests", "")
	r.call(200, "GET", "/_sim/datasets", "")
}

func TestInspectFaults(t *testing.T) {
	r := newRig(t, StarleadsOptions{})
	ds := r.dataset("kb")
	r.call(204, "POST", "/_sim/faults", `{"slow":{"*":0},"slow_by":"1ms","parse_fail":"^bad","reject":"evil",
		"next":[{"route":"dataset_list","status":418,"header":{"X-A":"b"},"body":"tea","delay":"1ms"}]}`)
	if got := r.send("GET", "/Dataset", "", ""); got.status != 418 || got.body != "tea" || got.header.Get("X-A") != "b" {
		t.Fatalf("%+v", got)
	}
	r.parse(200, ds, r.upload(ds, "bad.md", "x", "good.md", "x")...)
	if s := r.statuses(); s["bad.md"] != "failed" || s["good.md"] != "done" {
		t.Fatal(s)
	}
	r.want(400, r.sendFiles(ds, "evil.md", "x"))
	for _, bad := range []string{`{"nonsense":1}`, `{"parse_fail":"("}`, `{"slow_by":"soon"}`, `{"next":[{"status":99}]}`} {
		r.call(400, "POST", "/_sim/faults", bad)
	}
	r.call(204, "POST", "/_sim/faults", `{}`)
	r.want(200, r.sendFiles(ds, "evil.md", "x"))
}

func TestListenAndServe(t *testing.T) {
	s := NewStarleads(StarleadsOptions{Key: testKey})
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() { done <- ListenAndServe(ctx, "127.0.0.1:0", s, func(addr string) { ready <- addr }) }()
	r := &rig{s: s, client: &client{
		t: t, base: "http://" + <-ready, auth: [2]string{"X-Api-Key", testKey}, do: http.DefaultClient.Do,
	}}
	r.dataset("kb")
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := ListenAndServe(t.Context(), "127.0.0.1:-1", s, nil); err == nil {
		t.Fatal("a bad address must be refused")
	}
}
