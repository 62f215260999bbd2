package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"kbsyncd/internal/fault"
)

func TestErrorIsItsClassAndItsCause(t *testing.T) {
	classes := []error{
		fault.ErrNotFound, fault.ErrDenied, fault.ErrRejected, fault.ErrTooLarge, fault.ErrConflict, fault.ErrQuota,
		fault.ErrUnknown, fault.ErrChanged, fault.ErrUnsupported, fault.ErrIncomplete, fault.ErrSetup, fault.ErrUnavailable,
	}
	for i, class := range classes {
		err := fmt.Errorf("layer: %w", fault.New(class, "it is %d", 1).Because(io.ErrUnexpectedEOF).WithHint("do %s", "this"))
		for j, other := range classes {
			if got := errors.Is(err, other); got != (i == j) {
				t.Errorf("errors.Is(%v, %v) = %v", class, other, got)
			}
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%v lost its cause", class)
		}
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Hint != "do this" {
			t.Errorf("%v lost its hint", class)
		}
		if want := "layer: it is 1: unexpected EOF; do this"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
		want := errors.Is(class, fault.ErrDenied) || errors.Is(class, fault.ErrSetup) || errors.Is(class, fault.ErrUnavailable)
		if got := fault.StopsTarget(err); got != want {
			t.Errorf("StopsTarget(%v) = %v", class, got)
		}
	}
	if bare := fault.New(fault.ErrDenied, "no"); bare.Error() != "no" || !errors.Is(bare, fault.ErrDenied) || errors.Is(bare, io.EOF) {
		t.Errorf("got %v", bare)
	}
}

func TestRetryAfterKeepsItsCause(t *testing.T) {
	err := fmt.Errorf("put: %w", &fault.RetryAfter{Wait: time.Minute, Err: fault.New(fault.ErrDenied, "busy")})
	again, ok := errors.AsType[*fault.RetryAfter](err)
	if !ok || again.Wait != time.Minute || !fault.StopsTarget(err) || err.Error() != "put: busy" {
		t.Errorf("got %v, %+v", err, again)
	}
}
