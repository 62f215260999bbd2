package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"kbsyncd/internal/fault"
)

// How long another process may change the cache before that is told, and before waiting for it is given up.
const (
	lockTold  = 10 * time.Second
	lockLimit = 20 * time.Minute
)

// lock waits until nobody else changes the cache. Where commands do not end with this process, the file is handed to those that change the
// cache: should this process be killed, the lock lasts until they have ended as well.
func (c *cache) lock(ctx context.Context) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(c.root, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := c.await(ctx, f); err != nil {
		_ = f.Close()
		return nil, err
	}
	// Whoever waits is told for whom.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	}
	return f, nil
}

func (c *cache) await(ctx context.Context, f *os.File) error {
	start, told := time.Now(), false
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 200*time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			return err
		case time.Since(start) > c.lockLimit:
			return fault.New(fault.ErrIncomplete, "%s has been changing the cache of the repository for more than %v", holder(f), c.lockLimit).
				WithHint("see what it does; kill it, or a git command that it left behind, if it hangs")
		case time.Since(start) > lockTold && !told:
			told = true
			c.log.Info("waiting for the cache of the repository, which is being changed", "by", holder(f))
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}

// holder names who has the lock, as far as it is known.
func holder(f *os.File) string {
	b := make([]byte, 20)
	n, _ := f.ReadAt(b, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	switch {
	case err != nil:
		return "another process"
	case pid == os.Getpid():
		return "another source of this process"
	}
	return fmt.Sprintf("another process (%d)", pid)
}

// unlock gives the lock back, also when a command still holds the file.
func unlock(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	_ = f.Close()
}
