// Package fault is the one vocabulary of errors. Sources and targets translate what they
// meet (system calls, HTTP statuses) into it at their edge; the engine above knows only these
// classes and what follows from each: try later, skip the document until it changes, stop the target.
package fault

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// The classes. Wrap them with %w or with New, and test with errors.Is.
var (
	// ErrNotFound: the document or object is not there.
	ErrNotFound = errors.New("not found")
	// ErrDenied: the key is wrong or may not do this; stops the target for this pass.
	ErrDenied = errors.New("access denied")
	// ErrRejected: the vendor refuses this document as it is; repeating it is pointless until it changes.
	ErrRejected = errors.New("rejected")
	// ErrTooLarge: the document or request is above a limit.
	ErrTooLarge = errors.New("too large")
	// ErrConflict: the object is busy or in another state than the request needs.
	ErrConflict = errors.New("conflict")
	// ErrQuota: the account is full or not entitled; creations stop, the rest goes on.
	ErrQuota = errors.New("quota exhausted")
	// ErrUnknown: the request may or may not have taken effect; look before repeating it.
	ErrUnknown = errors.New("outcome unknown")
	// ErrChanged: the document changed while it was read; it waits for the next pass.
	ErrChanged = errors.New("changed while being read")
	// ErrUnsupported: no target of the sync takes this kind of document; it is skipped, and that is no failure.
	ErrUnsupported = errors.New("not supported")
	// ErrIncomplete: a listing was cut short, so nothing may be concluded from what it lacks.
	ErrIncomplete = errors.New("listing incomplete")
	// ErrSetup: something named in the configuration is missing or ambiguous at the vendor; a human must act.
	ErrSetup = errors.New("setup")
	// ErrUnavailable: the vendor is out of reach; stops the target for this pass, and the next one goes on.
	ErrUnavailable = errors.New("vendor out of reach")
)

// Error is a message of one class with, where there is one, the next step for the user.
type Error struct {
	Class error  // one of the classes above
	Msg   string // what is wrong, one line, no secret
	Hint  string // what to do about it; may be empty
	Err   error  // the cause; may be nil
}

// New makes an error of a class.
func New(class error, format string, args ...any) *Error {
	return &Error{Class: class, Msg: fmt.Sprintf(format, args...)}
}

// WithHint adds the next step.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// Because adds the cause; it is part of the message.
func (e *Error) Because(err error) *Error {
	e.Err = err
	return e
}

// Error is the message, the cause and the hint on one line.
func (e *Error) Error() string {
	s := e.Msg
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Hint != "" {
		s = strings.TrimRight(s, ". ") + "; " + e.Hint
	}
	return s
}

// Unwrap gives the class and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Class}
	}
	return []error{e.Class, e.Err}
}

// RetryAfter is a failure that may pass: the same request may be tried again after Wait.
type RetryAfter struct {
	Wait time.Duration // 0: the caller's own backoff
	Err  error
}

func (e *RetryAfter) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *RetryAfter) Unwrap() error { return e.Err }

// StopsTarget tells whether nothing more should be sent to the target in this pass.
func StopsTarget(err error) bool {
	return errors.Is(err, ErrDenied) || errors.Is(err, ErrSetup) || errors.Is(err, ErrUnavailable)
}

// Invalid is a wrong value in a configuration.
type Invalid struct {
	Field string // the key as written in the file, for example "poll" or "crawl.depth"
	Msg   string // what is wrong
	Hint  string // what to write instead
}
