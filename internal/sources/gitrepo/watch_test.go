package gitrepo

import (
	"errors"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/sourcetest"
)

// A server that takes a request for files and never answers fails the pass soon, and harms nothing.
func TestServerFallsSilent(t *testing.T) {
	thorough(t)
	t.Parallel()
	o := sample(t)
	var release func()
	s := o.serve(func(s *server) { _, release = stuck(s) })
	defer release()
	r := o.open(overHTTP(s, nil))
	r.stall = 300 * time.Millisecond
	err := r.Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
	if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), "the server has sent nothing for 300ms") {
		t.Fatalf("a silent server: %v", err)
	}
	release()
	r.stall = stallLimit
	readAll(t, sourcetest.Scan(t, r))
}

// Work of the processor is progress, waiting is not.
func TestProgress(t *testing.T) {
	thorough(t)
	t.Parallel()
	if !leashed {
		t.Skip("the time that processes use is not known here")
	}
	for script, silent := range map[string]bool{"while :; do :; done": false, "exec sleep 1000": true} {
		cmd := exec.Command("sh", "-c", script)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		p := &progress{limit: 400 * time.Millisecond, every: 50 * time.Millisecond, group: cmd.Process.Pid, most: memoryLimit, value: func() int64 { return 0 }}
		var got error
		watched := make(chan struct{})
		start := time.Now()
		stop := watching(func() error {
			if got = p.check(); got != nil || time.Since(start) > 600*time.Millisecond {
				close(watched)
				return errTimeout
			}
			return nil
		}, func(error) {})
		<-watched
		stop()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if errors.Is(got, errSilent) != silent {
			t.Errorf("%s: %v", script, got)
		}
	}
}

// A command that a killed process leaves behind does not keep the next one from the cache, even if its server never answers.
func TestKilledWhileServerIsSilent(t *testing.T) {
	t.Parallel()
	o := sample(t)
	var first atomic.Bool
	reached, gate := make(chan struct{}), make(chan struct{})
	s := o.serve(func(s *server) {
		s.hold = func(req *http.Request) {
			if req.Method == http.MethodPost && req.ContentLength > 300 && first.CompareAndSwap(false, true) {
				close(reached)
				<-gate
			}
		}
	})
	defer close(gate)
	cache := filepath.Join(t.TempDir(), "cache")
	cmd := alone(t.Context(), s.repo(), cache)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-reached
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if out, err := alone(t.Context(), s.repo(), cache).CombinedOutput(); err != nil || strings.Count(string(out), "\n") != 22 {
		t.Errorf("after a kill: %v\n%s", err, out)
	}
}

func TestWaitForTheCacheEnds(t *testing.T) {
	t.Parallel()
	r, held := lockedCache(t)
	r.cache.lockLimit = 50 * time.Millisecond
	err := r.Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
	if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), "another source of this process has been changing the cache") {
		t.Error(err)
	}
	unlock(held)
	sourcetest.Scan(t, r)
}
