package simulator

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestScriptedFaults(t *testing.T) {
	r := newRig(t, StarleadsOptions{})
	ds := r.dataset("kb")
	r.s.SetFaults(Faults{Next: []Fault{
		{Route: "document_upload", Status: 503, Header: http.Header{"retry-after": {"7"}}},
		{Route: "document_upload", Drop: true},
		{Route: "document_upload", Drop: true, AfterEffect: true},
		{Route: "document_upload", Status: 502, AfterEffect: true, Body: "<html>bad gateway</html>"},
		{Route: "document_list", Header: http.Header{"Content-Type": {"text/plain"}}},
		{Route: "dataset_list", Status: 302, Header: http.Header{"Location": {"http://elsewhere.example/"}}},
		{Route: "dataset_list", Body: `{"success":false}`},
	}})
	got := r.sendFiles(ds, "1.md", "x")
	r.want(503, got)
	if got.header.Get("Retry-After") != "7" {
		t.Fatal(got.header)
	}
	if got := r.sendFiles(ds, "2.md", "x"); got.err == nil {
		t.Fatal("the connection must drop")
	}
	r.wantNames()
	if got := r.sendFiles(ds, "3.md", "x"); got.err == nil {
		t.Fatal("the connection must drop")
	}
	r.wantNames("3.md")
	if got := r.sendFiles(ds, "4.md", "x"); got.status != 502 || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
		t.Fatalf("%+v", got)
	}
	r.wantNames("3.md", "4.md")
	if got := r.call(200, "GET", "/Dataset/"+ds+"/document", ""); got.header.Get("Content-Type") != "text/plain" || !strings.Contains(got.body, "3.md") {
		t.Fatalf("%+v", got)
	}
	if got := r.send("GET", "/Dataset", "", ""); got.status != 302 || got.header.Get("Location") == "" {
		t.Fatalf("%+v", got)
	}
	if got := r.send("GET", "/Dataset", "", ""); got.status != 200 || got.body != `{"success":false}` {
		t.Fatalf("%+v", got)
	}
	r.call(200, "GET", "/Dataset", "")
	if reqs := r.s.Requests(); reqs[2].Status != 0 || reqs[4].Status != 502 {
		t.Fatalf("%+v", reqs)
	}
}

func TestProbableFaults(t *testing.T) {
	r := newRig(t, StarleadsOptions{Seed: 3})
	ds := r.dataset("kb")
	r.s.SetFaults(Faults{Before: map[string]float64{"document_upload": 1}})
	for range 10 {
		if got := r.sendFiles(ds, "a.md", "x"); got.err == nil && got.status < 500 {
			t.Fatalf("%+v", got)
		}
	}
	r.wantNames()
	r.call(200, "GET", "/Dataset", "")
	r.s.SetFaults(Faults{After: map[string]float64{"*": 1, "dataset_list": 0}})
	if got := r.sendFiles(ds, "a.md", "x"); got.err == nil && got.status < 500 {
		t.Fatalf("%+v", got)
	}
	r.wantNames("a.md")
	r.call(200, "GET", "/Dataset", "")
	r.s.SetFaults(Faults{Cut: map[string]float64{"*": 1}})
	if got := r.send("GET", "/Dataset", "", ""); got.status != 200 || got.err == nil || got.body == "" {
		t.Fatalf("the body must be cut: %+v", got)
	}
	r.s.SetFaults(Faults{Reject: func(name string) bool { return name == "no.md" }})
	r.want(400, r.sendFiles(ds, "no.md", "x"))
	r.s.SetFaults(Faults{})
	r.want(200, r.sendFiles(ds, "no.md", "x"))
}

func TestZeros(t *testing.T) {
	r := newRig(t, StarleadsOptions{})
	r.s.SetFaults(Faults{Next: []Fault{{Body: "zeros:1000001"}, {Body: "zeros:10000000000"}}})
	if got := r.send("GET", "/Dataset", "", ""); len(got.body) != 1_000_001 || strings.Trim(got.body, "\x00") != "" {
		t.Fatal(len(got.body), got.err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, r.base+"/Dataset", nil)
	resp, err := r.do(req)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.CopyN(io.Discard, resp.Body, 20<<20); n != 20<<20 {
		t.Fatal(n, err)
	}
	_ = resp.Body.Close()
}

func TestDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newBubbleRig(t, StarleadsOptions{Latency: time.Second})
		timed := func(f func()) time.Duration {
			start := time.Now()
			f()
			return time.Since(start)
		}
		var ds string
		if d := timed(func() { ds = r.dataset("kb") }); d != time.Second {
			t.Error("latency", d)
		}
		r.s.SetFaults(Faults{
			Slow: map[string]float64{"dataset_list": 1}, SlowBy: time.Minute,
			Next: []Fault{{Route: "dataset_get", Delay: time.Hour}},
		})
		if d := timed(func() { r.call(200, "GET", "/Dataset", "") }); d != time.Minute+time.Second {
			t.Error("slow", d)
		}
		if d := timed(func() { r.call(200, "GET", "/Dataset/"+ds, "") }); d != time.Hour+time.Second {
			t.Error("delay", d)
		}

		// A client that gives up while the answer is delayed finds the effect only where it came first.
		for _, tt := range []struct {
			fault Fault
			want  int
		}{{Fault{Delay: time.Hour}, 0}, {Fault{Delay: time.Hour, AfterEffect: true}, 1}} {
			r.s.SetFaults(Faults{Next: []Fault{tt.fault}})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			contentType, body := files("files", "a.md", "x")
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, r.base+"/Dataset/"+ds+"/document", strings.NewReader(body))
			req.Header.Set("Content-Type", contentType)
			req.Header.Set("X-Api-Key", testKey)
			func() {
				defer func() {
					if recover() != http.ErrAbortHandler { //nolint:errorlint // the value is compared, as net/http does
						t.Error("the connection must drop")
					}
				}()
				_ = r.finish(req)
			}()
			cancel()
			if n := len(r.s.Documents()); n != tt.want {
				t.Errorf("%d documents, want %d", n, tt.want)
			}
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newBubbleRig(t, StarleadsOptions{Latency: time.Hour})
		dropped := make(chan any, 1)
		go func() {
			defer func() { dropped <- recover() }()
			r.send("GET", "/Dataset", "", "")
		}()
		synctest.Wait()
		r.s.Close()
		r.s.Close()
		if <-dropped != http.ErrAbortHandler { //nolint:errorlint // the value is compared, as net/http does
			t.Fatal("a waiting request must be dropped")
		}
	})
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newBubbleRig(t, StarleadsOptions{Rate: 2})
		r.call(200, "GET", "/Dataset", "")
		r.call(200, "GET", "/Dataset", "")
		if got := r.call(429, "GET", "/Dataset", ""); got.header.Get("Retry-After") != "1" {
			t.Fatal(got.header)
		}
		<-time.After(time.Second)
		r.call(200, "GET", "/Dataset", "")
	})
}
