package converse

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/secret"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/targettest"
)

const testKey = "ck-very-secret-0123456789"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open makes a target that talks to a handler through memory.
func open(t *testing.T, h http.Handler, change func(*Config)) (*Target, *targettest.Logs) {
	t.Helper()
	cfg := NewConfig()
	cfg.APIKey = secret.New(testKey)
	cfg.BaseURL = "http://converse.test/api/v1"
	if change != nil {
		change(cfg)
	}
	logs := &targettest.Logs{}
	target, err := cfg.open(targets.Options{
		Name: "calls", UserAgent: "kbsyncd/test",
		Logger: logs.Logger(), Transport: targettest.Serve(t, h),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target, logs
}

// call is one request that a script received.
type call struct{ route, query, body string }

// script is a vendor that gives one answer for each "METHOD /path": a text is a 200 with that body, and a func decides by itself. What it
// does not know is a 404.
type script struct {
	t       *testing.T
	answers map[string]any

	mu    sync.Mutex
	calls []call
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	route := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/api/v1")
	s.mu.Lock()
	s.calls = append(s.calls, call{route, r.URL.RawQuery, string(body)})
	s.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer "+testKey {
		s.t.Errorf("%s without the key", route)
	}
	switch a := s.answers[route].(type) {
	case string:
		_, _ = io.WriteString(w, a)
	case int:
		w.WriteHeader(a)
		_, _ = fmt.Fprintf(w, `{"detail":"status %d"}`, a)
	case func(http.ResponseWriter, *http.Request):
		r.Body = io.NopCloser(bytes.NewReader(body))
		a(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"detail":"Not Found"}`)
	}
}

// routes are the requests so far as "METHOD /path".
func (s *script) routes() (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		out = append(out, c.route)
	}
	return out
}

// play runs fn with a target and a vendor that answers by a script.
func play(t *testing.T, answers map[string]any, fn func(*testing.T, *Target, *script)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &script{t: t, answers: answers}
		target, logs := open(t, s, nil)
		fn(t, target, s)
		if strings.Contains(logs.String(), testKey) {
			t.Error("the key is in the log")
		}
	})
}

func rendition(name, content string) targets.Rendition {
	return targets.Rendition{
		Document: kb.Key("src/" + name), Name: name, Size: int64(len(content)), Digest: kb.Sum([]byte(content)), MediaType: "text/markdown",
		Open: opener(content),
	}
}

func opener(content string) func(context.Context) (io.ReadCloser, error) {
	return func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }
}
