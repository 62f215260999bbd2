package httpapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"kbsyncd/internal/fault"
)

const (
	maxDetail = 300      // bytes of a vendor's words that are kept
	maxErrors = 64 << 10 // bytes of an error's body that are read
)

// consume reads and judges a whole answer.
func (c *Client) consume(x *exchange, out any, ans *Answer) *failure {
	if f := c.checkStatus(x); f != nil {
		return f
	}
	r := x.request
	bad := func(detail string, err error) *failure {
		return &failure{err: &Error{Vendor: c.opts.Vendor, Op: r.Op, Status: x.resp.StatusCode, Detail: detail, Err: err}, ambiguous: true}
	}
	limit := r.maxAnswer()
	body, err := io.ReadAll(io.LimitReader(x.resp.Body, limit+1))
	if err != nil {
		f := bad("the answer was cut short", err)
		f.passing = true
		return f
	}
	if int64(len(body)) > limit {
		_ = x.resp.Body.Close()
		return bad(fmt.Sprintf("the answer is longer than %d bytes", limit), ErrLongAnswer)
	}
	body = c.redactJSON(body)
	if trimmed := bytes.TrimSpace(body); len(trimmed) > 0 {
		if trimmed[0] == '<' {
			detail := "a web page instead of an answer"
			if title := r.quote(c.words(trimmed)); title != "" {
				detail += ": " + title
			}
			return bad(join(detail, "check base_url"), nil)
		}
		if !json.Valid(trimmed) {
			return bad("the answer is not JSON", nil)
		}
		if c.opts.CheckOK != nil {
			if no := c.opts.CheckOK(trimmed); no != nil {
				f := c.refused(x, no)
				f.err.Code = c.codeOf(trimmed)
				return f
			}
		}
		if out != nil {
			if err := json.Unmarshal(trimmed, out); err != nil {
				detail := "the answer is not what was expected"
				if words := r.quote(c.clean(err.Error())); words != "" {
					detail += ": " + words
				}
				return bad(detail, err)
			}
		}
	}
	c.proven.Store(true)
	*ans = Answer{Status: x.resp.StatusCode, Header: x.resp.Header, Body: body}
	return nil
}

// checkStatus makes a failure of every status but 2xx.
func (c *Client) checkStatus(x *exchange) *failure {
	resp := x.resp
	switch s := resp.StatusCode; {
	case s >= 200 && s < 300:
		return nil
	case s < 400:
		host := "nowhere"
		if u, err := resp.Location(); err == nil {
			host = u.Host
		}
		e := &Error{Vendor: c.opts.Vendor, Op: x.request.Op, Status: s}
		e.Detail = c.clean("answered with a redirect to " + host + "; the key was not sent there; check base_url")
		return &failure{err: e, ambiguous: true}
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrors))
	f := c.statusFailure(x, resp.StatusCode, c.words(body))
	f.err.Code = c.codeOf(body)
	return f
}

// codeOf is the vendor's own word for an error, {"error":{"code":"A_WORD"}} or {"code":"A_WORD"}; "" when there is none or it is
// no single word in capitals, or the key.
func (c *Client) codeOf(body []byte) string {
	var top struct{ Code, Error json.RawMessage }
	if json.Unmarshal(body, &top) != nil {
		return ""
	}
	var nested struct{ Code json.RawMessage }
	_ = json.Unmarshal(top.Error, &nested) // an error that is no object has no code
	for _, raw := range []json.RawMessage{nested.Code, top.Code} {
		var code string
		if json.Unmarshal(raw, &code) == nil && codePattern.MatchString(code) && c.redact(code) == code {
			return code
		}
	}
	return ""
}

var codePattern = regexp.MustCompile(`^[A-Z][A-Z0-9_]{1,62}$`)

// refused makes a failure of a 2xx answer that says no.
func (c *Client) refused(x *exchange, no *Refusal) *failure {
	said := c.clean(no.Text)
	if no.Code >= 400 && no.Code < 600 {
		f := c.statusFailure(x, no.Code, said)
		f.err.Status = x.resp.StatusCode
		return f
	}
	e := &Error{Vendor: c.opts.Vendor, Op: x.request.Op, Status: x.resp.StatusCode, Detail: x.request.quote(said), Said: said}
	if no.Code != 0 {
		e.Detail = join(e.Detail, "code "+strconv.Itoa(no.Code))
	}
	e.Class = classify(http.StatusUnprocessableEntity, said, true)
	return &failure{err: e}
}

func (c *Client) statusFailure(x *exchange, status int, said string) *failure {
	e := &Error{Vendor: c.opts.Vendor, Op: x.request.Op, Status: status, Detail: x.request.quote(said), Said: said}
	e.Class = classify(status, said, c.proven.Load())
	if errors.Is(e.Class, fault.ErrDenied) {
		e.Detail = join(e.Detail, "check the API key and what it may do")
	}
	passing := e.Class == nil
	if passing {
		e.Wait = retryAfter(x.resp.Header, time.Now())
		if e.Wait == 0 && status == http.StatusTooManyRequests {
			e.Wait = untilReset(x.resp.Header, time.Now())
		}
	}
	return &failure{err: e, passing: passing}
}

// retryAfter reads both forms of the header. A date is compared with the vendor's own clock where it tells the time.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	const most = 365 * 24 * time.Hour
	if secs, err := strconv.ParseFloat(v, 64); err == nil && !math.IsNaN(secs) {
		return time.Duration(min(max(secs, 0), most.Seconds()) * float64(time.Second))
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), most)
}

// untilReset reads the header that tells when a rate limit begins anew: a point of time in seconds or milliseconds, which only
// its magnitude tells apart, because the documents of one vendor say both.
func untilReset(h http.Header, now time.Time) time.Duration {
	v, err := strconv.ParseFloat(strings.TrimSpace(h.Get("X-RateLimit-Reset")), 64)
	if err != nil || math.IsNaN(v) {
		return 0
	}
	if v > 1e11 {
		v /= 1000
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	left := v - float64(now.UnixMilli())/1000
	return time.Duration(min(max(left, 0), maxPause.Seconds()) * float64(time.Second))
}

// Refusal is the no inside a 2xx answer.
type Refusal struct {
	Code int // the vendor's code; one from 400 to 599 counts as that status
	Text string
}

// Envelope finds the refusals that several vendors put into a 2xx answer: {"success":false,…}, {"code":102,"message":…}
// without data, {"status":404,"title":…} as in RFC 7807, and {"error":…} without anything else. It is meant for
// Options.CheckOK.
func Envelope(body []byte) *Refusal {
	if len(body) == 0 || body[0] != '{' {
		return nil
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(body, &m) != nil {
		return nil
	}
	code, _ := strconv.Atoi(strings.Trim(string(m["code"]), `"`))
	no := func() *Refusal { return &Refusal{Code: code, Text: explain(body)} }
	success, told := field(m, "success")
	status, _ := strconv.Atoi(string(value(m, "status")))
	switch {
	case status >= http.StatusBadRequest && (!blank(value(m, "title")) || !blank(value(m, "detail"))):
		return &Refusal{Code: status, Text: explain(body)}
	case told && string(success) == "false":
		return no()
	case code != 0 && code != http.StatusOK && code != http.StatusCreated && blank(m["data"]) && m["id"] == nil && (m["message"] != nil || m["msg"] != nil):
		return no()
	case !blank(m["error"]) && string(m["error"]) != "false" && len(m) <= 2 && m["id"] == nil:
		return no()
	}
	return nil
}

func field(m map[string]json.RawMessage, name string) (json.RawMessage, bool) {
	for k, v := range m {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return nil, false
}

func value(m map[string]json.RawMessage, name string) json.RawMessage {
	v, _ := field(m, name)
	return v
}

func blank(v json.RawMessage) bool {
	switch string(bytes.TrimSpace(v)) {
	case "", "null", "false", `""`, "[]", "{}":
		return true
	}
	return false
}

// words is what the body of an error says, on one short line.
func (c *Client) words(body []byte) string {
	body = bytes.TrimSpace(body)
	switch {
	case len(body) == 0:
		return ""
	case body[0] == '{' || body[0] == '[' || body[0] == '"':
		if s := explain(body); s != "" {
			return c.clean(s)
		}
	case body[0] == '<':
		// The key first: with a < in it, a piece of it could pass for a tag.
		return c.clean(pageText(c.redact(string(body))))
	}
	return c.clean(string(body))
}

// explain finds the words in the usual JSON shapes of errors: RFC 7807 with the errors and traceId of ASP.NET,
// {"code","message"}, {"error":…} and what is nested in them.
func explain(body []byte) string {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return ""
	}
	return explainValue(v, 0)
}

func explainValue(v any, depth int) string {
	if depth > 4 {
		return ""
	}
	switch v := v.(type) {
	case string:
		return v
	case []any:
		all := ""
		for _, e := range v[:min(len(v), 5)] {
			all = join(all, explainValue(e, depth+1))
		}
		return all
	case map[string]any:
		return explainObject(v, depth)
	}
	return ""
}

func explainObject(m map[string]any, depth int) string {
	get := func(names ...string) string {
		for _, name := range names {
			for k, v := range m {
				if strings.EqualFold(k, name) {
					if s := explainValue(v, depth+1); s != "" {
						return s
					}
				}
			}
		}
		return ""
	}
	text := cmp.Or(get("detail"), get("message"), get("msg"), get("error_description"), get("error"), get("title"), get("reason"))
	fields, ok := m["errors"].(map[string]any)
	if !ok {
		fields, ok = m["details"].(map[string]any)
	}
	if ok {
		names := make([]string, 0, len(fields))
		for name := range fields {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names[:min(len(names), 5)] {
			text = join(text, name+": "+explainValue(fields[name], depth+1))
		}
	} else if text == "" {
		text = get("errors")
	}
	if text != "" && depth == 0 {
		if id := get("traceId"); id != "" {
			text = join(text, "trace "+id)
		}
	}
	return text
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return unstopped(a) + "; " + b
}

// unstopped is a sentence without its full stop, because messages go on after it.
func unstopped(s string) string {
	if strings.HasSuffix(s, "..") {
		return s
	}
	return strings.TrimSuffix(s, ".")
}

// pageText is the title of an HTML page or else its text.
func pageText(page string) string {
	low := strings.ToLower(page)
	if len(low) == len(page) {
		if i := strings.Index(low, "<title"); i >= 0 {
			if j := strings.IndexByte(low[i:], '>'); j >= 0 {
				title, _, _ := strings.Cut(page[i+j+1:], "<")
				if title = strings.TrimSpace(title); title != "" {
					return title
				}
			}
		}
	}
	var b strings.Builder
	in := false
	for _, r := range page {
		switch {
		case r == '<':
			in = true
			b.WriteByte(' ')
		case r == '>':
			in = false
		case !in:
			b.WriteRune(r)
		}
		if b.Len() > 4*maxDetail {
			break
		}
	}
	return b.String()
}
