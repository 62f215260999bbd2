package targettest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/targets"
)

// patience is the longest that one call may take, whatever the vendor does.
const patience = time.Hour

var failures = []testCase{
	{"denied at once", func(e *env) {
		e.inject(Fault{Status: http.StatusUnauthorized})
		if _, err := e.Target.Connect(e.Context(), true); !errors.Is(e.note(err), fault.ErrDenied) {
			e.Errorf("connect: %v", err)
		}
		e.deniedEverywhere(0)
		e.Backend.Heal()
		e.connect() // a new pass tries again
	}},
	{"denied in the middle", func(e *env) {
		e.connect()
		e.mustUpload(docs(1, "a")...)
		e.inject(Fault{Status: http.StatusUnauthorized})
		e.deniedEverywhere(e.Backend.Requests())
	}},
	{"a refused document fails alone", func(e *env) {
		e.connect()
		all := docs(8, "a")
		e.inject(Fault{Reject: all[3].Name})
		e.inject(Fault{Reject: all[7].Name})
		res := e.upload(e.Context(), all)
		for i, r := range res {
			switch bad := i == 3 || i == 7; {
			case bad && r.Err == nil, !bad && r.Err != nil:
				e.Errorf("result %d: %v", i, r.Err)
			case bad && e.Retries:
				e.classed(r.Err)
			}
		}
		e.exactly(append(all[:3:3], all[4:7]...)...)
		e.Backend.Heal()
		e.mustUpload(all...)
		e.exactly(all...)
	}},
	{"the key is echoed", func(e *env) {
		e.connect()
		e.inject(Fault{Op: OpUpload, Times: 1, Status: http.StatusBadRequest, Body: fmt.Sprintf(`{"detail":"bad key %s for\n this"}`, e.Secret)})
		res := e.upload(e.Context(), docs(1, "a"))
		if res[0].Err == nil {
			e.Error("a refusal was taken for a success")
		} else if s := res[0].Err.Error(); strings.ContainsAny(s, "\n\r\t") {
			e.Errorf("not one line: %q", s)
		}
	}},
	{"429 with seconds", func(e *env) { e.limited("7", 7*time.Second) }},
	{"429 with a date", func(e *env) {
		e.limited(time.Now().Add(9*time.Second).UTC().Format(http.TimeFormat), 8*time.Second)
	}},
	{"429 for an hour", func(e *env) {
		e.connect()
		e.inject(Fault{Op: OpUpload, Status: http.StatusTooManyRequests, RetryAfter: "7200"})
		start := time.Now()
		res := e.upload(e.Context(), docs(2, "a"))
		if r, ok := errors.AsType[*fault.RetryAfter](res[0].Err); !ok || r.Wait < time.Hour {
			e.Errorf("%v", res[0].Err)
		}
		if took := time.Since(start); took > 10*time.Minute {
			e.Errorf("took %v", took)
		}
	}},
	{"5xx before the effect", func(e *env) { e.everyOp(Fault{Status: http.StatusBadGateway}) }},
	{"5xx after the effect", func(e *env) { e.everyOp(Fault{Status: http.StatusInternalServerError, AfterEffect: true}) }},
	{"dropped before the effect", func(e *env) { e.everyOp(Fault{Drop: true}) }},
	{"dropped after the effect", func(e *env) { e.everyOp(Fault{Drop: true, AfterEffect: true}) }},
	{"5xx for ever", func(e *env) {
		e.connect()
		all := docs(3, "a")
		e.inject(Fault{Op: OpUpload, Status: http.StatusServiceUnavailable})
		start := time.Now()
		for _, r := range e.upload(e.Context(), all) {
			if r.Err == nil {
				e.Error("succeeded")
				continue
			}
			e.classed(r.Err)
			if errors.Is(r.Err, fault.ErrUnknown) {
				e.Errorf("the store could be looked at, so the outcome is known: %v", r.Err)
			}
		}
		if took := time.Since(start); took > patience {
			e.Errorf("took %v", took)
		}
		e.Backend.Heal()
		e.connect() // a new pass tries again
		e.mustUpload(all...)
		e.exactly(all...)
	}},
	{"the look fails as well", func(e *env) {
		e.connect()
		all := docs(2, "a")
		e.inject(Fault{Op: OpUpload, Times: 1, Drop: true, AfterEffect: true})
		e.inject(Fault{Op: OpList, Drop: true})
		for _, r := range e.upload(e.Context(), all) {
			if r.Err != nil && !errors.Is(r.Err, fault.ErrUnknown) {
				e.Errorf("the outcome is not known: %v", r.Err)
			}
		}
		e.Backend.Heal()
		e.mustUpload(all...)
		e.exactly(all...)
	}},
	{"a listing that is cut is an error", func(e *env) {
		e.connect()
		e.mustUpload(docs(5, "a")...)
		e.inject(Fault{Op: OpList, Cut: true})
		if m, err := e.list(); err == nil {
			e.Errorf("%d documents and no error", len(m))
		} else {
			e.classed(err)
		}
		e.Backend.Heal()
		if n := len(e.mustList()); n != 5 {
			e.Errorf("%d documents afterwards", n)
		}
	}},
	{"a listing that fails late is an error", func(e *env) {
		e.connect()
		e.mustUpload(docs(130, "a")...)
		e.inject(Fault{Op: OpList, Status: http.StatusInternalServerError})
		if m, err := e.list(); err == nil {
			e.Errorf("%d documents and no error", len(m))
		}
	}},
	{"the answer to an upload is cut", func(e *env) {
		e.connect()
		all := docs(3, "a")
		e.inject(Fault{Op: OpUpload, Cut: true})
		e.upload(e.Context(), all)
		e.atMostOnce(all...)
		e.Backend.Heal()
		e.mustUpload(all...)
		e.exactly(all...)
	}},
	{"an answer that never comes", func(e *env) {
		e.connect()
		all := docs(2, "a")
		e.inject(Fault{Op: OpUpload, Times: 1, Delay: 24 * time.Hour, AfterEffect: true})
		start := time.Now()
		e.upload(e.Context(), all)
		if took := time.Since(start); took > patience {
			e.Errorf("took %v", took)
		}
		e.atMostOnce(all...)
		e.Backend.Heal()
		e.mustUpload(all...)
		e.exactly(all...)
	}},
	{"an answer of another kind", func(e *env) {
		e.connect()
		all := docs(2, "a")
		for _, body := range []string{
			"<html><title>Maintenance</title></html>", "{}", "[]", "null", `{"success":false,"message":"no"}`, `{"code":500,"message":"x","data":null}`,
			`[{"id":"","name":""}]`, "[1,2]", "}{",
		} {
			e.inject(Fault{Op: OpUpload, Times: 1, Status: http.StatusOK, Body: body})
			e.upload(e.Context(), all)
			e.atMostOnce(all...)
			e.inject(Fault{Op: OpList, Times: 1, Status: http.StatusOK, Body: body})
			if m, err := e.list(); body != "[]" && err == nil && len(m) != len(e.stored()) {
				e.Errorf("the answer %s counts as a listing of %d", body, len(m))
			}
			e.Backend.Heal()
		}
		e.mustUpload(all...)
		e.exactly(all...)
	}},
	{"cancelled in flight", func(e *env) {
		e.connect()
		all := docs(1, "a")
		e.inject(Fault{Op: OpUpload, Times: 1, Delay: 3 * time.Second})
		ctx, cancel := context.WithCancel(e.Context())
		defer cancel()
		var atCancel int
		time.AfterFunc(1500*time.Millisecond, func() { // one request a second is the slowest client
			atCancel = e.Backend.Requests()
			cancel()
		})
		start := time.Now()
		res := e.upload(ctx, all)
		synctest.Wait()
		if e.Retries {
			if n := e.Backend.Requests() - atCancel; n != 0 {
				e.Errorf("%d requests began after the cancellation", n)
			}
			if res[0].Err != nil {
				e.Errorf("the request in flight had time to finish: %v", res[0].Err)
			}
		}
		if took := time.Since(start); took > 20*time.Second {
			e.Errorf("took %v", took)
		}
		e.Backend.Heal()
		e.mustUpload(all...)
		e.exactly(all...)
	}},
	{"cancelled while waiting", func(e *env) {
		e.connect()
		e.inject(Fault{Op: OpUpload, Status: http.StatusTooManyRequests, RetryAfter: "100"})
		ctx, cancel := context.WithTimeout(e.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		if res := e.upload(ctx, docs(1, "a")); res[0].Err == nil {
			e.Error("succeeded")
		}
		if took := time.Since(start); took > 6*time.Second {
			e.Errorf("took %v", took)
		}
	}},
	{"random faults, then quiet", func(e *env) {
		e.connect()
		e.Backend.Put("theirs.md", []byte("by hand"))
		e.inject(Fault{Chance: 0.2})
		all := docs(45, "a")
		for range 3 {
			for _, r := range e.upload(e.Context(), all) {
				if r.Err != nil {
					e.classed(r.Err)
				}
			}
		}
		e.Backend.Heal()
		ids := e.mustUpload(all...)
		e.settleCopies(all)
		e.exactly(all...)
		e.inject(Fault{Chance: 0.2})
		_, err := e.Target.Delete(e.Context(), ids[:20])
		_ = e.note(err)
		e.Backend.Heal()
		e.mustDelete(ids[:20]...)
		e.exactly(all[20:]...)
		if n := len(e.stored()); n != 26 {
			e.Errorf("%d documents instead of 26", n)
		}
	}},
}

// settleCopies deletes second copies as the engine does after a listing: an outcome that stayed unknown may leave one.
func (e *env) settleCopies(all []targets.Rendition) {
	e.Helper()
	names := map[string]bool{}
	for _, r := range all {
		names[r.Name] = true
	}
	for id, r := range e.mustList() {
		if !names[r.Name] && r.Name != "theirs.md" {
			e.mustDelete(id)
		}
	}
}

// deniedEverywhere makes calls at the same time with a key that is refused.
func (e *env) deniedEverywhere(before int) {
	e.Helper()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := e.Target.List(e.Context(), func(targets.Remote) error { return nil }); err == nil && before > 0 {
				e.Error("list succeeded")
			}
			if _, err := e.Target.Upload(e.Context(), docs(2, "denied")); !fault.StopsTarget(err) {
				e.Errorf("upload: %v", err)
			}
			if _, err := e.Target.Delete(e.Context(), []targets.RemoteID{"a", "b"}); !fault.StopsTarget(err) {
				e.Errorf("delete: %v", err)
			}
		})
	}
	wg.Wait()
	if n := e.Backend.Requests() - before; e.Retries && n > 3 {
		e.Errorf("%d requests with a key that is refused", n)
	}
}

// limited uploads while the vendor asks to wait.
func (e *env) limited(retryAfter string, atLeast time.Duration) {
	e.Helper()
	e.connect()
	all := docs(2, "a")
	e.inject(Fault{Op: OpUpload, Times: 1, Status: http.StatusTooManyRequests, RetryAfter: retryAfter})
	start := time.Now()
	res := e.upload(e.Context(), all)
	took := time.Since(start)
	if !e.Retries {
		if _, ok := errors.AsType[*fault.RetryAfter](res[0].Err); !ok {
			e.Errorf("%v", res[0].Err)
		}
		return
	}
	if res[0].Err != nil || took < atLeast || took > atLeast+time.Minute {
		e.Errorf("after %v: %v", took, res[0].Err)
	}
	e.exactly(all...)
}

// everyOp meets a passing fault once in each operation.
func (e *env) everyOp(f Fault) {
	e.Helper()
	f.Times = 1
	e.connect()
	all := docs(4, "a")
	f.Op = OpUpload
	e.inject(f)
	for _, r := range e.upload(e.Context(), all) {
		if r.Err != nil && e.Retries {
			e.Errorf("upload: %v", r.Err)
		}
	}
	e.atMostOnce(all...)
	ids := e.mustUpload(all...)
	e.exactly(all...)

	f.Op = OpList
	e.inject(f)
	if m, err := e.list(); err == nil && len(m) != 4 || err != nil && e.Retries {
		e.Errorf("list: %d, %v", len(m), err)
	}
	f.Op = OpConnect
	e.inject(f)
	if _, err := e.Target.Connect(e.Context(), true); err != nil && e.Retries {
		e.Errorf("connect: %v", err)
	}
	f.Op = OpDelete
	e.inject(f)
	res, err := e.Target.Delete(e.Context(), ids[:2])
	if e.note(err) != nil || e.Retries && (res[0].Err != nil || res[1].Err != nil) {
		e.Errorf("delete: %+v, %v", res, err)
	}
	e.Backend.Heal()
	e.mustDelete(ids[:2]...)
	e.exactly(all[2:]...)
	if n := len(e.stored()); n != 2 {
		e.Errorf("%d documents instead of 2", n)
	}
}
