package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Every vendor answers at the address of its own line, to its own header and to the key only.
func TestSimulateAllVendors(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"simulate", "--vendor", "all", "--key", "k", "--agent", "agt_1"}, w, io.Discard, noEnv)
		_ = w.Close()
	}()
	lines := bufio.NewScanner(r)
	for _, vendor := range []struct{ name, path, header, prefix string }{
		{"starleads", "/Dataset", "X-Api-Key", ""},
		{"chatbase", "/api/v2/agents/agt_1", "Authorization", "Bearer "},
		{"hamsa", "/v2/voice-agents/agt_1", "Authorization", "Token "},
		{"converse", "/api/v1/agents/agt_1", "Authorization", "Bearer "},
	} {
		if !lines.Scan() {
			t.Fatal("it ended early: ", lines.Err())
		}
		words := strings.Fields(lines.Text())
		if len(words) != 4 || words[0] != vendor.name || words[3] != `"k")` {
			t.Fatalf("it says %q", lines.Text())
		}
		for key, want := range map[string]int{"k": http.StatusOK, "other": http.StatusUnauthorized} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, words[1]+vendor.path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set(vendor.header, vendor.prefix+key)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%s with the key %q: %s", vendor.name, key, resp.Status)
			}
		}
	}
	cancel()
	if got := <-code; got != exitOK {
		t.Errorf("exit code %d", got)
	}
}

func TestSimulateWrongUse(t *testing.T) {
	for _, args := range []string{"--vendor nobody", "--vendor chatbase --generation D"} {
		var out strings.Builder
		if got := run(t.Context(), append([]string{"simulate"}, strings.Fields(args)...), &out, &out, noEnv); got != exitUsage {
			t.Errorf("%s: exit code %d: %s", args, got, out.String())
		}
	}
}

func TestNextPort(t *testing.T) {
	for _, tt := range []struct{ listen, bound, want string }{
		{"127.0.0.1:9000", "127.0.0.1:9000", "127.0.0.1:9001"},
		{":9000", "[::]:9000", ":9001"},
		{"[::1]:9000", "[::1]:9000", "[::1]:9001"},
		{"127.0.0.1:0", "127.0.0.1:43210", "127.0.0.1:0"},
		{":0", "[::]:43210", ":0"},
	} {
		if got := nextPort(tt.listen, tt.bound); got != tt.want {
			t.Errorf("nextPort(%q, %q) = %q, want %q", tt.listen, tt.bound, got, tt.want)
		}
	}
}
