package adapter

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/targets"
)

// Results are one for each id. An empty id is refused right here: all is what a request with it would name, for example
// "all documents".
func Results(vendor, all string, ids []targets.RemoteID) []targets.Result {
	out := make([]targets.Result, len(ids))
	for i, id := range ids {
		if out[i].ID = id; id == "" {
			out[i].Err = fault.New(fault.ErrRejected, "%s: an empty id was refused, because it would name %s", vendor, all)
		}
	}
	return out
}

// Fail gives every result the same error.
func Fail(out []targets.Result, err error) []targets.Result {
	for i := range out {
		out[i].Err = err
	}
	return out
}

// Ends tells errors after which nothing more is tried.
func Ends(ctx context.Context, err error) bool {
	return fault.StopsTarget(err) || err != nil && ctx.Err() != nil
}

// Each runs fn for every result that has not failed yet, most at a time, and files its errors; fn may fill in the rest of its
// result. An error that stops the target, or the end of the context, ends the work: what was not tried gets that error, and it is
// returned.
func Each(ctx context.Context, most int, out []targets.Result, fn func(i int) error) error {
	var g errgroup.Group
	g.SetLimit(max(most, 1))
	var stop atomic.Pointer[error]
	for i := range out {
		if out[i].Err != nil {
			continue
		}
		g.Go(func() error {
			if p := stop.Load(); p != nil {
				out[i].Err = *p
				return nil
			}
			err := fn(i)
			if out[i].Err = err; Ends(ctx, err) {
				stop.CompareAndSwap(nil, &err)
			}
			return nil
		})
	}
	_ = g.Wait()
	if p := stop.Load(); p != nil {
		return *p
	}
	return nil
}
