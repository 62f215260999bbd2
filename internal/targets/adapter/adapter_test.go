package adapter_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

func TestRequest(t *testing.T) {
	routes, err := adapter.Routes("acme", map[string]string{"drop": "DELETE /a/{id}", "look": "GET /a"}, targets.Routes{"drop": "POST /b/{id}/gone"})
	if err != nil || routes["look"] != (targets.Route{Method: "GET", Path: "/a"}) {
		t.Fatalf("%v, %v", routes, err)
	}
	for id, want := range map[string]string{"x": "/b/x/gone", "a/b": "/b/a%2Fb/gone", "": "", ".": "", "..": ""} {
		r, err := adapter.Request("acme", "drop it", routes["drop"], adapter.Vars{"id": id})
		if r.Path != want || (err != nil) != (want == "") || err != nil && !errors.Is(err, fault.ErrRejected) {
			t.Errorf("%q: %+v, %v", id, r, err)
		}
	}
	_, err = adapter.Routes("acme", map[string]string{"drop": "DELETE /a/{id}"}, targets.Routes{"drop": "DELETE /a"})
	if err == nil || !strings.HasPrefix(err.Error(), "acme: routes.drop: ") {
		t.Errorf("%v", err)
	}
}

func TestEach(t *testing.T) {
	ids := []targets.RemoteID{"a", "", "c", "d", "e"}
	failed := errors.New("c fails")
	synctest.Test(t, func(t *testing.T) {
		out := adapter.Results("acme", "everything", ids)
		start := time.Now()
		err := adapter.Each(t.Context(), 2, out, func(i int) error {
			time.Sleep(time.Second)
			if out[i].Status = targets.StatusDone; ids[i] == "c" {
				return failed
			}
			return nil
		})
		if took := time.Since(start); err != nil || took != 2*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		for i, r := range out {
			want := map[targets.RemoteID]error{"": fault.ErrRejected, "c": failed}[ids[i]]
			if r.ID != ids[i] || !errors.Is(r.Err, want) || (r.Status == targets.StatusDone) != (ids[i] != "") {
				t.Errorf("%+v, want %v", r, want)
			}
		}
	})
	stop := fault.New(fault.ErrDenied, "no")
	out := make([]targets.Result, 3)
	if err := adapter.Each(t.Context(), 1, out, func(int) error { return stop }); err != stop || out[2].Err != stop { //nolint:errorlint // the very one
		t.Errorf("%v, %+v", err, out)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out = make([]targets.Result, 3)
	err := adapter.Each(ctx, 1, out, func(int) error { cancel(); return ctx.Err() })
	if !errors.Is(err, context.Canceled) || !errors.Is(out[2].Err, context.Canceled) {
		t.Errorf("%v, %+v", err, out)
	}
}

// Documents that break the vendor must not keep the others out for ever.
func TestOutagesOfManyPasses(t *testing.T) {
	o := adapter.NewOutage("acme", 3)
	down := targets.Result{Err: &httpapi.Error{Status: 502}}
	borne := func() (n int) {
		o.Reset()
		for o.Err() == nil {
			o.Note(down)
			n++
		}
		return n
	}
	for pass, want := range []int{3, 6, 12, 24, 48, 48} {
		if n := borne(); n != want {
			t.Errorf("pass %d tries %d uploads, not %d", pass, n, want)
		}
	}
	err := o.Err()
	if _, passing := errors.AsType[*fault.RetryAfter](err); !passing || !errors.Is(err, fault.ErrUnavailable) || httpapi.Status(err) != 0 {
		t.Errorf("%v", err)
	}
	o.Reset()
	o.Note(down, targets.Result{ID: "x"}, down)
	if n := borne(); n != 3 {
		t.Errorf("%d uploads after a success", n)
	}
}

func TestOutageCountsWhatTheVendorAnswers(t *testing.T) {
	for _, c := range []struct {
		err  error
		down bool
		fine bool
	}{
		{nil, false, true},
		{&httpapi.Error{}, true, false},
		{&fault.RetryAfter{Err: &httpapi.Error{Status: 503}}, true, false},
		{&httpapi.Error{Status: 429}, true, false},
		{&httpapi.Error{Status: 408}, true, false},
		{&httpapi.Error{Status: 404, Class: fault.ErrNotFound}, false, true},
		{fault.New(fault.ErrChanged, "never sent"), false, false},
	} {
		o := adapter.NewOutage("acme", 2)
		o.Down(errors.New("before"))
		o.Note(targets.Result{Err: c.err})
		if down := o.Err() != nil; down != c.down {
			t.Errorf("%v: down is %v", c.err, down)
		}
		o.Down(errors.New("after"))
		if fine := o.Err() == nil; fine != c.fine {
			t.Errorf("%v: fine is %v", c.err, fine)
		}
	}
}

func TestErrors(t *testing.T) {
	lost := &httpapi.Error{Vendor: "acme", Op: "send", Status: 502, Wait: time.Minute, Class: fault.ErrUnknown}
	err := adapter.NotLanded("acme: not uploaded: ", fmt.Errorf("at last: %w", lost))
	again, ok := errors.AsType[*fault.RetryAfter](err)
	if !ok || again.Wait != time.Minute || errors.Is(err, fault.ErrUnknown) || err.Error() != lost.Error() || lost.Class == nil {
		t.Errorf("%v", err)
	}
	err = adapter.NotLanded("acme: not uploaded: ", fault.New(fault.ErrUnknown, "no id"))
	if _, ok := errors.AsType[*fault.RetryAfter](err); !ok || errors.Is(err, fault.ErrUnknown) || err.Error() != "acme: not uploaded: no id" {
		t.Errorf("%v", err)
	}
	cut := adapter.Incomplete(lost)
	if !errors.Is(cut, fault.ErrIncomplete) || httpapi.Status(cut) != 502 || cut.Error() != lost.Error() {
		t.Errorf("%v", cut)
	}
	for _, whole := range []error{fault.New(fault.ErrDenied, "no"), context.Canceled} {
		if err := adapter.Incomplete(whole); errors.Is(err, fault.ErrIncomplete) {
			t.Errorf("%v", err)
		}
	}
	if adapter.Plain(nil) != nil || errors.Is(adapter.Plain(lost), fault.ErrUnknown) {
		t.Error("plain")
	}
}

func TestNames(t *testing.T) {
	var n adapter.Names
	if n.Has("a") || n.Add("a") || !n.Add("a") || !n.Has("a") || n.Has("b") {
		t.Error("the set is wrong")
	}
	n.Forget()
	if n.Has("a") || n.Add("a") {
		t.Error("it does not forget")
	}
	mark := func(tag, content string) string {
		key := kb.Key("docs/" + tag)
		return kb.RemoteName(key, kb.Mark{Scope: kb.NewScope("o", "s"), Key: key.Hash(), Hash: kb.Sum([]byte(content)).Short()}, ".md", 255)
	}
	sent := mark("über.md", "x")
	for there, want := range map[string]bool{
		sent: true, "cut" + sent[strings.Index(sent, ".kb"):]: true, mark("über.md", "y"): false, mark("other.md", "x"): false, "über.md": false, "": false,
	} {
		if adapter.SameDocument(sent, there) != want {
			t.Errorf("%q and %q", sent, there)
		}
	}
	if !adapter.SameDocument("plain.md", "plain.md") || adapter.SameDocument("plain.md", sent) {
		t.Error("names without a mark")
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		`"a\n"`: "a\n", `12`: "12", `-1.5e3`: "-1.5e3", `true`: "true", `false`: "false", `null`: "", `{"a":1}`: "", `[1]`: "", `""`: "",
	} {
		got := struct{ V adapter.Text }{"before"}
		if err := json.Unmarshal([]byte(`{"v":`+in+`}`), &got); err != nil || string(got.V) != want {
			t.Errorf("%s: %q, %v", in, got.V, err)
		}
	}
}

type row struct{ ID string }

func (r row) id() string { return r.ID }

func TestItems(t *testing.T) {
	for in, want := range map[string]string{
		` [{"id":"a"},{"id":"b"}]`: "", `[]`: "", `{}`: "the answer holds no list", ``: "the answer holds no list",
		`[{"id":"a"},{}]`: "an item of the list has no id", `[{"id":"a"},{"id":1}]`: "the list cannot be read: json", `[{"id":"a"}`: "the list cannot be read: ",
		`[{"id":"a"},{"id":"b"},{"id":"c"}]`: "a page of the list has more than 2 items",
	} {
		items, err := adapter.Items(json.RawMessage(in), 2, row.id)
		if err == nil && want == "" {
			if len(items) != strings.Count(in, "id") {
				t.Errorf("%s: %v", in, items)
			}
		} else if err == nil || want == "" || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func FuzzItems(f *testing.F) {
	f.Add([]byte(`[{"id":"a"},{"id":"b"}]`))
	f.Add([]byte(`[{"id":"a"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		items, err := adapter.Items(b, 3, row.id)
		if len(items) > 3 || slices.ContainsFunc(items, func(r row) bool { return r.ID == "" }) {
			t.Errorf("%v, %v", items, err)
		}
		if s := adapter.Scalar(b); json.Valid(b) && s != "" && !strings.ContainsAny(string(b[:1]), `"-0123456789`) {
			t.Errorf("%q is %q", b, s)
		}
	})
}
