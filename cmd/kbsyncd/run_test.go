package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

func noEnv(string) (string, bool) { return "", false }

func TestSimulateServesUntilItIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"simulate", "--key", "k", "--agent", "agt_1"}, w, w, noEnv)
		_ = w.Close()
	}()
	lines := bufio.NewReader(r)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	words := strings.Fields(line)
	if len(words) != 4 || words[0] != "starleads" || words[3] != `"k")` {
		t.Fatalf("it says %q", line)
	}
	for key, want := range map[string]int{"k": http.StatusNoContent, "other": http.StatusUnauthorized} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, words[1]+"/Agent/agt_1/chat", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("with the key %q: %s", key, resp.Status)
		}
	}
	cancel()
	if got := <-code; got != exitOK {
		t.Errorf("exit code %d", got)
	}
}

func TestSimulateNeedsAFreeAddress(t *testing.T) {
	var out strings.Builder
	if got := run(t.Context(), []string{"simulate", "--listen", "127.0.0.1:notaport"}, &out, &out, noEnv); got != exitIncomplete {
		t.Errorf("exit code %d: %s", got, out.String())
	}
}
