package targettest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/targets"
)

// replaceCase is a case for targets that are a Replacer.
func replaceCase(name string, run func(*env, targets.Replacer)) testCase {
	return testCase{"replace in place: " + name, func(e *env) {
		r, ok := e.Target.(targets.Replacer)
		if !ok {
			e.Skip("is no Replacer")
		}
		e.connect()
		run(e, r)
	}}
}

var replacing = []testCase{
	replaceCase("content and name change, the id stays", func(e *env, r targets.Replacer) {
		old, now, other := doc("page.md", "old text"), doc("page.md", "new text"), doc("other.md", "stays")
		ids := e.live(old, other)
		e.mustReplace(r, ids[0], now)
		e.done(ids[:1], now)
		e.exactly(now, other)
		if e.copies(old) != 0 {
			e.Error("the old version is still there")
		}
		if got := e.mustList()[ids[0]].Name; got != now.Name {
			e.Errorf("%s is listed as %q", ids[0], got)
		}
	}),
	replaceCase("the old version is live until the new one is", func(e *env, r targets.Replacer) {
		b, ok := e.Backend.(LiveVersions)
		if !ok {
			e.Skip("the backend does not tell")
		}
		old, now := doc("page.md", "old text"), doc("page.md", "new text")
		ids := e.live(old)
		e.mustReplace(r, ids[0], now)
		for range 60 { // looks between the sending and the end of settling
			if !b.Live(old.Name, "old text") && !b.Live(now.Name, "new text") {
				e.Fatal("no version is live")
			}
			after(500 * time.Millisecond)
		}
		e.done(ids, now)
		if !b.Live(now.Name, "new text") || b.Live(old.Name, "old text") {
			e.Error("the new version is not the live one")
		}
	}),
	replaceCase("twice is once", func(e *env, r targets.Replacer) {
		now := doc("page.md", "new text")
		ids := e.live(doc("page.md", "old text"))
		e.mustReplace(r, ids[0], now)
		e.mustReplace(r, ids[0], now)
		e.done(ids, now)
		e.exactly(now)
	}),
	replaceCase("waits while the vendor is busy", func(e *env, r targets.Replacer) {
		ids := e.live(doc("page.md", "version 0"))
		var last targets.Rendition
		for i := range 4 {
			last = doc("page.md", fmt.Sprintf("version %d", i+1))
			e.mustReplace(r, ids[0], last)
			if s, ok := e.Target.(targets.Settler); ok {
				if _, err := s.Start(e.Context(), ids); e.note(err) != nil {
					e.Fatal(err)
				}
			}
		}
		e.done(ids, last)
		e.exactly(last)
	}),
	replaceCase("what is absent", func(e *env, r targets.Replacer) {
		ids := e.live(docs(2, "a")...)
		e.mustDelete(ids[0])
		now := doc("page.md", "new text")
		if res := r.Replace(e.Context(), ids[0], now); !errors.Is(e.note(res.Err), fault.ErrNotFound) {
			e.Errorf("%+v", res)
		}
		if e.copies(now) != 0 {
			e.Error("it was created")
		}
	}),
	replaceCase("one that is refused changes nothing", func(e *env, r targets.Replacer) {
		old := doc("page.md", "old text")
		ids := e.live(old)
		e.inject(Fault{Op: OpReplace, Times: 1, Status: http.StatusBadRequest, Body: fmt.Sprintf(`{"detail":"bad key %s"}`, e.Secret)})
		if res := r.Replace(e.Context(), ids[0], doc("page.md", "new text")); res.Err == nil {
			e.Error("a refusal was taken for a success")
		} else {
			e.classed(e.note(res.Err))
		}
		e.exactly(old)
	}),
	replaceCase("a reader that fails changes nothing", func(e *env, r targets.Replacer) {
		old := doc("page.md", "old text")
		ids := e.live(old)
		bad := doc("page.md", "new text")
		bad.Open = func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("new"), failing{fault.New(fault.ErrChanged, "the file changed")})), nil
		}
		if res := r.Replace(e.Context(), ids[0], bad); !errors.Is(e.note(res.Err), fault.ErrChanged) {
			e.Errorf("%+v", res)
		}
		short := doc("page.md", "newer text")
		short.Size++
		if res := r.Replace(e.Context(), ids[0], short); !errors.Is(e.note(res.Err), fault.ErrChanged) {
			e.Errorf("%+v", res)
		}
		big := doc("page.md", "x")
		big.Size = e.Target.Limits().MaxBytes + 1
		big.Open = func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(io.LimitReader(zeros{}, big.Size)), nil
		}
		if res := r.Replace(e.Context(), ids[0], big); !errors.Is(e.note(res.Err), fault.ErrTooLarge) {
			e.Errorf("%+v", res)
		}
		e.exactly(old)
	}),
	replaceCase("faults that pass", func(e *env, r targets.Replacer) {
		ids := e.live(doc("page.md", "version 0"))
		for i, f := range passing {
			now := doc("page.md", fmt.Sprintf("version %d", i+1))
			f.Op, f.Times = OpReplace, 1
			if !e.Backend.Inject(f) {
				continue
			}
			e.overcome(f, r.Replace(e.Context(), ids[0], now).Err)
			e.Backend.Heal()
			e.mustReplace(r, ids[0], now)
			e.done(ids, now)
			e.exactly(now)
		}
	}),
	replaceCase("many at once", func(e *env, r targets.Replacer) {
		old, now := docs(12, "a"), docs(12, "a")
		for i := range now {
			now[i] = doc(now[i].Document.Path(), fmt.Sprintf("new text %d", i))
		}
		ids := e.live(old...)
		var wg sync.WaitGroup
		for i, id := range ids {
			wg.Go(func() {
				if res := r.Replace(e.Context(), id, now[i]); res.Err != nil {
					e.Errorf("replace %s: %v", id, res.Err)
				}
			})
		}
		wg.Wait()
		e.done(ids, now...)
		e.exactly(now...)
	}),
	replaceCase("a cancelled context starts nothing", func(e *env, r targets.Replacer) {
		old := doc("page.md", "old text")
		ids := e.live(old)
		ctx, cancel := context.WithCancel(e.Context())
		cancel()
		before := e.Backend.Requests()
		if res := r.Replace(ctx, ids[0], doc("page.md", "new text")); res.Err == nil || e.Backend.Requests() != before {
			e.Errorf("%+v", res)
		}
		e.exactly(old)
	}),
}

// overcome checks what a client makes of a fault that passes. Answers that are cut short are so until Heal.
func (e *env) overcome(f Fault, err error) {
	e.Helper()
	if e.note(err) == nil {
		return
	}
	e.classed(err)
	if e.Retries && !f.Cut {
		e.Errorf("%+v: %v", f, err)
	}
}

// passing are faults that a client gets over by itself.
var passing = []Fault{
	{Status: http.StatusBadGateway},
	{Status: http.StatusInternalServerError, AfterEffect: true},
	{Drop: true},
	{Drop: true, AfterEffect: true},
	{Cut: true},
	{Status: http.StatusTooManyRequests, RetryAfter: "3"},
	{Delay: 20 * time.Second},
	{Delay: 24 * time.Hour, AfterEffect: true},
}

func (e *env) mustReplace(r targets.Replacer, id targets.RemoteID, rd targets.Rendition) {
	e.Helper()
	res := r.Replace(e.Context(), id, rd)
	if e.note(res.Err) != nil {
		e.Fatalf("replace %s: %v", id, res.Err)
	}
	if res.ID != id {
		e.Fatalf("replace %s gave the id %q", id, res.ID)
	}
}

// live uploads renditions and waits until they are searchable.
func (e *env) live(all ...targets.Rendition) []targets.RemoteID {
	e.Helper()
	ids := e.mustUpload(all...)
	e.done(ids, all...)
	return ids
}

// done starts documents and waits until they are searchable.
func (e *env) done(ids []targets.RemoteID, all ...targets.Rendition) {
	e.Helper()
	s, ok := e.Target.(targets.Settler)
	if !ok {
		return
	}
	if _, err := s.Start(e.Context(), ids); e.note(err) != nil {
		e.Fatal(err)
	}
	e.settle(s, ids, all)
}
