package gitrepo

import (
	"context"
	"errors"
	"time"
)

// stallLimit is how long a server may be silent while something is fetched.
const stallLimit = 2 * time.Minute

// A command keeps in memory what a server says of its refs, so that this is bounded too.
const (
	memoryLimit = 2 << 30
	memoryEvery = time.Second
)

// errSilent ends a command that waits for a server in vain.
var errSilent = errors.New("nothing came for too long")

// progress watches whether a command goes on: something comes, or the processor is used for what came.
type progress struct {
	limit time.Duration
	value func() int64  // changes while something comes
	group int           // of the processes
	most  int64         // bytes of memory that they may use
	every time.Duration // how often that is looked at

	last  int64
	since time.Time
	used  time.Duration // by the processes at that time, or -1 while it is not known
	asked time.Time     // when their memory was last looked at
}

// check gives errSilent when there was no progress for the whole limit, and errOutput when what came takes too much memory.
func (p *progress) check() error {
	now, value := time.Now(), p.value()
	if p.asked.IsZero() {
		p.asked = now // most commands end before this costs anything
	}
	if value != p.last || p.since.IsZero() {
		p.last, p.since, p.used = value, now, -1
	}
	silent := now.Sub(p.since) >= p.limit
	if !silent && now.Sub(p.asked) < p.every {
		return nil
	}
	p.asked = now
	used, memory := usage(p.group)
	switch {
	case memory > p.most:
		return errOutput
	case p.used < 0:
		p.used = used
	}
	if !silent {
		return nil
	}
	if used-p.used < p.limit/10 {
		return errSilent
	}
	p.since, p.used = now, used
	return nil
}

// both watches two things; either may be nil.
func both(a, b func() error) func() error {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	return func() error {
		if err := a(); err != nil {
			return err
		}
		return b()
	}
}

// watching calls watch again and again until the function that it returns is called; an error of watch goes to stop.
func watching(watch func() error, stop context.CancelCauseFunc) (done func()) {
	if watch == nil {
		return func() {}
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(50 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-quit:
				return
			case <-t.C:
				if err := watch(); err != nil {
					stop(err)
					return
				}
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
	}
}
