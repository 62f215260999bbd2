package httpapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"kbsyncd/internal/fault"
)

// Error is a request that failed, in words for people. errors.Is finds the class of package fault
// and the cause. A failure that may pass is wrapped in a fault.RetryAfter.
type Error struct {
	Vendor string
	Op     string
	Status int           // the HTTP status; 0 when there was no answer
	Code   string        // the vendor's own word for it, such as "SOURCE_NOT_FOUND"; "" when it gives none
	Detail string        // what the vendor says, or what went wrong, one line without secrets
	Said   string        // what the vendor says, also when the request is Private and Detail lacks it; for decisions, not for people
	Wait   time.Duration // what the vendor asks to wait; 0 when it does not
	Class  error         // a class of package fault; nil for a failure that may pass
	Err    error         // the cause; may be nil
}

// ErrLongAnswer is the cause of a failure of Do when the answer is longer than MaxAnswer.
var ErrLongAnswer = errors.New("the answer is too long")

// Error is the message.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Vendor, e.Op)
	if e.Status != 0 {
		fmt.Fprintf(&b, ": %d", e.Status)
		if t := http.StatusText(e.Status); t != "" {
			b.WriteString(" " + t)
		}
	}
	if e.Detail != "" {
		b.WriteString(": " + unstopped(e.Detail))
	}
	return b.String()
}

// Unwrap gives the class and the cause.
func (e *Error) Unwrap() []error {
	var out []error
	if e.Class != nil {
		out = append(out, e.Class)
	}
	if e.Err != nil {
		out = append(out, e.Err)
	}
	return out
}

// Status is the HTTP status behind an error, 0 when there is none.
func Status(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	return 0
}

// WaitOf is what the vendor asks to wait in an error, 0 when it does not.
func WaitOf(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Wait
	}
	return 0
}

// failure is one try that failed.
type failure struct {
	err     *Error
	passing bool // the same request may succeed later
	unsent  bool // the vendor surely did nothing
	// ambiguous: the vendor may have done what was asked, but the answer does not say so.
	ambiguous bool
}

// retryable tells the statuses that may pass.
func retryable(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

// classify translates a status. proven says that the key was good for another request before.
func classify(status int, detail string, proven bool) error {
	switch {
	case status == http.StatusUnauthorized:
		return fault.ErrDenied
	case status == http.StatusPaymentRequired, aboutQuota(status, detail):
		return fault.ErrQuota
	case status == http.StatusForbidden && !proven:
		return fault.ErrDenied
	case status == http.StatusNotFound, status == http.StatusGone:
		return fault.ErrNotFound
	case status == http.StatusConflict:
		return fault.ErrConflict
	case status == http.StatusRequestEntityTooLarge:
		return fault.ErrTooLarge
	case retryable(status):
		return nil
	}
	return fault.ErrRejected
}

// aboutQuota tells refusals that speak of a full or unentitled account.
func aboutQuota(status int, detail string) bool {
	switch status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusConflict, http.StatusUnprocessableEntity:
	default:
		return false
	}
	detail = strings.ToLower(detail)
	for _, w := range []string{"quota", "storage limit", "maximum file number", "plan limit", "upgrade your plan", "limit of your plan"} {
		if strings.Contains(detail, w) {
			return true
		}
	}
	return false
}

// transportFailure words an error of the transport, without the address, which may hold a query.
func (c *Client) transportFailure(op string, err error, connected bool) *failure {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	detail := c.clean(err.Error())
	if errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		detail = "no complete answer in time"
	} else if errors.Is(err, context.Canceled) {
		detail = "interrupted"
	}
	e := &Error{Vendor: c.opts.Vendor, Op: op, Detail: detail, Err: err}
	f := &failure{err: e, passing: true, unsent: !connected && neverConnected(err)}
	if _, bad := errors.AsType[*tls.CertificateVerificationError](err); bad {
		f.passing = false
		e.Class = fault.ErrSetup
		e.Detail = join(detail, "check base_url, or add the authority to the certificates of this system")
	} else if !connected && !errors.Is(err, context.Canceled) {
		e.Detail = join(detail, "check base_url, the network and the proxy")
	}
	return f
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// neverConnected tells errors from before the first byte of the request: the connection could not be made.
func neverConnected(err error) bool {
	if oe, ok := errors.AsType[*net.OpError](err); ok && oe.Op == "dial" {
		return true
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	return false
}
