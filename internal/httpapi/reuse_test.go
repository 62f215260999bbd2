package httpapi

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"kbsyncd/internal/secret"
)

// counted is a vendor on real sockets that counts the connections made to it, and a client for four requests at a time.
func counted(t *testing.T, h http.HandlerFunc) (*Client, *atomic.Int64) {
	t.Helper()
	var conns atomic.Int64
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	c, err := New(Options{Vendor: "acme", BaseURL: srv.URL, Header: "X-Api-Key", Key: secret.New(key), Concurrency: 4, CheckOK: Envelope})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, &conns
}

// kinds are the answers of a vendor, by path.
var kinds = map[string]http.HandlerFunc{
	"/object": say(http.StatusOK, `{"id":"1"}`),
	"/long":   say(http.StatusOK, `["`+strings.Repeat("x", 1<<20)+`"]`),
	"/none":   say(http.StatusNoContent, ""),
	"/absent": say(http.StatusNotFound, `{"detail":"no such thing"}`),
	"/page":   say(http.StatusBadRequest, "<html>"+strings.Repeat("x", maxErrors+100)),
	"/no":     say(http.StatusOK, `{"success":false,"message":"no"}`),
	"/odd":    say(http.StatusOK, "{broken"),
	"/away":   say(http.StatusFound, "elsewhere", "Location", "http://127.0.0.1:1/"),
	"/chunks": func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			_, _ = io.WriteString(w, "["+strings.Repeat(" ", 1000))
			_ = http.NewResponseController(w).Flush()
		}
		_, _ = io.WriteString(w, "]]]")
	},
}

// Whatever the answer is, its connection is used again.
func TestConnectionsAreReused(t *testing.T) {
	c, conns := counted(t, func(w http.ResponseWriter, r *http.Request) { kinds[r.URL.Path](w, r) })
	ask := func(path string) {
		r := Request{Op: "look", Method: http.MethodPost, Path: path, JSON: "x"}
		if _, err := c.Do(t.Context(), r, new(any)); (err == nil) != (path == "/object" || path == "/long" || path == "/none" || path == "/chunks") {
			t.Errorf("%s: %v", path, err)
		}
	}
	paths := []string{"/object", "/long", "/none", "/absent", "/page", "/no", "/odd", "/away", "/chunks"}
	for i := range 100 {
		ask(paths[i%len(paths)])
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections for 100 requests one after the other", n)
	}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() { ask(paths[i%len(paths)]) })
	}
	wg.Wait()
	if n := conns.Load(); n > 4 {
		t.Errorf("%d connections for requests four at a time", n)
	}
}

// Bodies that are read slowly block nobody, and those that were read leave their connection to the next.
func TestStreamsHaveConnectionsOfTheirOwn(t *testing.T) {
	c, conns := counted(t, func(w http.ResponseWriter, r *http.Request) { kinds[r.URL.Path](w, r) })
	open := func(path string) io.ReadCloser {
		rc, err := c.Open(t.Context(), Request{Op: "download", Method: http.MethodGet, Path: path})
		if err != nil {
			t.Fatal(err)
		}
		return rc
	}
	for i := range 20 {
		rc := open([]string{"/long", "/chunks"}[i%2])
		if _, err := io.Copy(io.Discard, rc); err != nil {
			t.Error(err)
		}
		_ = rc.Close()
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections for 20 bodies one after the other", n)
	}
	for range 8 {
		rc := open("/long")
		defer func() { _ = rc.Close() }()
	}
	for range 20 {
		if _, err := c.Do(t.Context(), Request{Op: "look", Method: http.MethodGet, Path: "/object"}, nil); err != nil {
			t.Error(err)
		}
	}
	if n := conns.Load(); n != 9 {
		t.Errorf("%d connections for 8 open bodies and one request at a time", n)
	}
}
