package gitrepo

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"
)

// outside is a runner of commands with nothing but a directory.
func outside(t *testing.T) *git {
	t.Helper()
	c := &cache{parent: t.TempDir(), name: "c", lockLimit: lockLimit, log: slog.New(slog.DiscardHandler)}
	if err := c.open(); err != nil {
		t.Fatal(err)
	}
	return &git{cache: c, protocol: "file"}
}

func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	g := outside(t)
	_, err := g.runAs(t.Context(), "sh", command{args: []string{"-c", "yes | head -c 3000000 >&2; exit 1"}, limit: time.Minute})
	f, ok := errors.AsType[*failure](err)
	if !ok || len(f.stderr) != maxStderr {
		t.Fatalf("a flood of complaints: %T, %d bytes", err, len(f.stderr))
	}
	start := time.Now()
	if _, err := g.runAs(t.Context(), "yes", command{limit: time.Minute}); !errors.Is(err, errOutput) || time.Since(start) > 30*time.Second {
		t.Errorf("a flood of output: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	floods := make(chan struct{})
	go func() {
		_, err := g.runAs(ctx, "sh", command{args: []string{"-c", "yes >&2"}, watch: func() error {
			select {
			case floods <- struct{}{}:
			default:
			}
			return nil
		}})
		ended <- err
	}()
	<-floods
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(4 * time.Second):
		t.Error("a command goes on after it was cancelled")
	}
}
