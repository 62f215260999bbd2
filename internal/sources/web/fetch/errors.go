package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"kbsyncd/internal/fault"
)

var errNoLocation = errors.New("it is missing or cannot be read")

// failure is a request without an answer that can be used.
type failure struct {
	err     *fault.Error
	status  int           // 0 when there was no answer
	passing bool          // another try may succeed
	wait    time.Duration // what the site asks to wait
}

func fail(err *fault.Error) *failure { return &failure{err: err} }

// conclude tells how often it was tried.
func (f *failure) conclude(tries int) {
	if f.passing && tries > 1 {
		f.err.Msg += fmt.Sprintf(" (tried %d times)", tries)
	}
}

// busy is the failure of an answer that may pass.
func (g *getting) busy(resp *http.Response, now time.Time) *failure {
	f := &failure{status: resp.StatusCode, passing: true, err: fault.New(fault.ErrIncomplete, "%s answers %s", g.name(), words(resp.StatusCode))}
	if wait, ok := retryAfter(resp.Header.Get("Retry-After"), now); ok {
		f.wait = wait
		if wait > maxWait {
			f.passing = false
			_ = f.err.WithHint("the site asks to come back in %s", wait.Round(time.Minute))
		}
	}
	return f
}

// refused is the failure of an answer that another try would not change.
func (g *getting) refused(status int, authorized bool) *failure {
	err := fault.New(fault.ErrIncomplete, "%s answers %s", g.name(), words(status))
	switch {
	case status == http.StatusProxyAuthRequired:
		_ = err.WithHint("give the proxy's credentials in HTTPS_PROXY or HTTP_PROXY")
	case status != http.StatusUnauthorized && status != http.StatusForbidden:
	case authorized:
		_ = err.WithHint("check the credentials under headers")
	default:
		_ = err.WithHint("if the page needs credentials, give them under headers; they are sent to the hosts of the configuration only")
	}
	return &failure{err: err, status: status}
}

func words(status int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
}

// forbidden is the failure of an address that is not asked.
func (g *getting) forbidden(err error) *failure {
	class := fault.ErrUnsupported
	if g.at != g.from {
		class = fault.ErrIncomplete // the redirect may be gone the next time
	}
	return fail(explained(fault.New(class, "%s is not asked: %s", g.name(), g.client.hide(err.Error())), err))
}

// explained adds how to allow an address.
func explained(e *fault.Error, err error) *fault.Error {
	r, ok := errors.AsType[*refusal](err)
	switch {
	case !ok:
		return e.WithHint("name the host and port under urls if it is meant")
	case never(r.addr) != "":
		return e.WithHint("allow_private does not open it; name this very address under urls if it is meant")
	}
	return e.WithHint("name the host under urls, or set allow_private: true, if it is meant")
}

func (g *getting) badProxy() *failure {
	return fail(fault.New(fault.ErrIncomplete, "%s cannot be asked: the address of the proxy cannot be read", g.name()).
		WithHint("check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"))
}

// stopped is the failure of a request that was not made because it may not be any more.
func (g *getting) stopped(err error) *failure {
	if left, ok := errors.AsType[*leftOutError](err); ok {
		return fail(fault.New(fault.ErrIncomplete, "%s is not asked, because %s failed too often in a row; the last time: %s",
			g.show(), g.client.clean(left.host), left.last))
	}
	return fail(fault.New(fault.ErrIncomplete, "%s: interrupted", g.name()).Because(err))
}

// unanswered is the failure of a request without an answer.
func (g *getting) unanswered(err error, h *host) *failure {
	if errors.Is(err, errTooSlow) {
		err = &slow{g.client.opts.Timeout}
	} else if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errClosed) {
		return g.stopped(err)
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		e := fault.New(fault.ErrIncomplete, "%s is not asked: %s leads to %v", g.name(), g.client.clean(g.at.Hostname()), r)
		return fail(explained(e, r))
	}
	p := g.client.describe(err)
	e := fault.New(fault.ErrIncomplete, "%s %s", g.name(), p.what)
	if p.hint != "" {
		_ = e.WithHint("%s", p.hint)
	}
	h.failed(e.Error())
	return &failure{err: e, passing: !p.lasting}
}

// proxyRefusal is a proxy that makes no connection.
type proxyRefusal struct{ status int }

func (p *proxyRefusal) Error() string { return "the proxy answers " + words(p.status) }

// slow is an answer that took too long.
type slow struct{ allowed time.Duration }

func (s *slow) Error() string { return "no complete answer within " + s.allowed.String() }

// phrase is what a failed connection means.
type phrase struct {
	what, hint string
	lasting    bool // another try is pointless
}

// describe puts an error of the transport in words. Those of the other side are part of it only where nothing better is known.
func (c *Client) describe(err error) phrase {
	if s, ok := errors.AsType[*slow](err); ok {
		return phrase{what: "gave " + s.Error()}
	}
	if refused, ok := errors.AsType[*proxyRefusal](err); ok {
		return phrase{"cannot be reached: " + refused.Error(), "check HTTPS_PROXY and what the proxy allows", !passing(refused.status)}
	}
	if oe, ok := errors.AsType[*net.OpError](err); ok && oe.Op == "proxyconnect" {
		return phrase{what: "cannot be reached through the proxy", hint: "check HTTPS_PROXY and HTTP_PROXY, and whether the proxy is up"}
	}
	if p, ok := describeName(err); ok {
		return p
	}
	if p, ok := describeTLS(err); ok {
		return p
	}
	if p, ok := describeLine(err); ok {
		return p
	}
	return phrase{what: "gives no answer that can be read: " + c.clean(err.Error())}
}

func describeName(err error) (phrase, bool) {
	de, ok := errors.AsType[*net.DNSError](err)
	switch {
	case !ok:
		return phrase{}, false
	case de.IsNotFound:
		return phrase{"cannot be reached: there is no host of this name", "check the address", true}, true
	case de.IsTimeout:
		return phrase{what: "cannot be reached: the name server does not answer", hint: "check the network and its name server"}, true
	}
	return phrase{what: "cannot be reached: its name cannot be resolved", hint: "check the network and its name server"}, true
}

func describeTLS(err error) (phrase, bool) {
	const authority = "add the authority to the certificates of this system (SSL_CERT_FILE names others)"
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if invalid.Reason == x509.Expired {
			return phrase{"has a certificate that has expired or is not valid yet", "renew it, or check the clock of this machine", true}, true
		}
		return phrase{"has a certificate that is not valid for a website", "", true}, true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return phrase{"has a certificate of an authority that is not known here", authority, true}, true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return phrase{"has a certificate for another name", "check the address", true}, true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return phrase{"has a certificate that cannot be verified", authority, true}, true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return phrase{"does not speak TLS", "is http:// meant?", true}, true
	}
	if alert, ok := errors.AsType[tls.AlertError](err); ok {
		return phrase{"ends the TLS handshake: " + alert.Error(), "", true}, true
	}
	return phrase{}, false
}

func describeLine(err error) (phrase, bool) {
	ne, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return phrase{what: "cannot be reached: the connection is refused", hint: "check that the server is up and that the port is right"}, true
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return phrase{what: "cannot be reached: there is no way to it from here", hint: "check the network"}, true
	case ok && ne.Timeout():
		return phrase{what: "cannot be reached: no connection within " + dialTimeout.String(), hint: "check the network and the firewall"}, true
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), ended(err):
		return phrase{what: "broke the connection before it answered"}, true
	}
	return phrase{}, false
}
