package adapter

import (
	"context"
	"errors"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
)

// Plain keeps the words of an error and drops its classes.
func Plain(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(err.Error())
}

// NotLanded is the error of a document that was looked for and is not there: unlike the error of its request, its outcome is
// known, and it may be sent again. The prefix is for errors that are not those of a request.
func NotLanded(prefix string, err error) error {
	e, ok := errors.AsType[*httpapi.Error](err)
	if !ok {
		return &fault.RetryAfter{Err: errors.New(prefix + err.Error())}
	}
	known := *e
	known.Class, known.Err = nil, nil
	return &fault.RetryAfter{Wait: e.Wait, Err: &known}
}

// Incomplete marks the failure of a request in the middle of a listing with fault.ErrIncomplete, in the same words, without
// hiding what stops the target.
func Incomplete(err error) error {
	if fault.StopsTarget(err) || errors.Is(err, context.Canceled) {
		return err
	}
	return cutShort{err}
}

type cutShort struct{ error }

// Unwrap gives the class and the cause.
func (e cutShort) Unwrap() []error { return []error{fault.ErrIncomplete, e.error} }
