package chatbase

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// The vendor allows 10 uploads of files a minute for each account, and a request that is refused for being too fast counts
// as well (documented), so trying harder never gets anywhere: requests to the files host take turns.

// refusedFor is the wait after a refusal that does not say how long: the vendor's whole window.
const refusedFor = time.Minute

// slack is the share of the pause between two uploads that is added to it: what arrives late makes what follows seem early.
const slack = 50

// turns spaces the uploads of one account.
type turns struct {
	mu   sync.Mutex
	next time.Time // guarded by mu; when the next one may start
}

// accounts holds the turns of all accounts of this process, for all of its life, so that opening a target anew forgets nothing.
var accounts = struct {
	sync.Mutex
	byPlace map[string]*turns // guarded by the mutex; by a digest of the key and the host
}{byPlace: map[string]*turns{}}

// uploads is one target's part in the turns of its account.
type uploads struct {
	turns  *turns
	every  time.Duration
	place  string
	memory targets.Memory // may be nil
	log    *slog.Logger
	recall sync.Once
}

func newUploads(c *Config, memory targets.Memory, log *slog.Logger) *uploads {
	place := targets.PlaceOf(c.APIKey, strings.TrimRight(c.FilesURL, "/"))
	accounts.Lock()
	defer accounts.Unlock()
	a := accounts.byPlace[place]
	if a == nil {
		a = &turns{}
		accounts.byPlace[place] = a
	}
	return &uploads{turns: a, every: c.UploadEvery + c.UploadEvery/slack, place: place, memory: memory, log: log}
}

// take waits for the turn of the next request.
func (u *uploads) take(ctx context.Context) error {
	u.recall.Do(u.remembered)
	for {
		wait := u.turns.take(u.every)
		if wait <= 0 {
			return ctx.Err()
		}
		if err := httpapi.Pause(ctx, wait); err != nil {
			return err
		}
	}
}

// take is 0 when it is the caller's turn, else how long to wait before asking again.
func (t *turns) take(every time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	// A clock that was set back must not keep everybody waiting.
	if wait := min(t.next.Sub(now), max(every, maxWait)); wait > 0 {
		t.next = now.Add(wait)
		return wait
	}
	t.next = now.Add(every)
	return 0
}

// hold lets nobody start before a time.
func (t *turns) hold(until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if until.After(t.next) {
		t.next = until
	}
}

// hold keeps everybody from starting for a while, also in the process after this one.
func (u *uploads) hold(d time.Duration) {
	until := time.Now().Add(d)
	u.turns.hold(until)
	if u.memory == nil {
		return
	}
	if err := u.memory.Remember(u.key(), strconv.AppendInt(nil, until.UnixMilli(), 10)); err != nil {
		u.log.Warn("the time of an upload was not remembered", "err", err)
	}
}

// refused notes a 429: the vendor's window begins anew.
func (u *uploads) refused(wait time.Duration) {
	if wait <= 0 {
		wait = refusedFor
	}
	u.hold(min(wait, maxWait))
}

// remembered takes over what another process did last.
func (u *uploads) remembered() {
	if u.memory == nil {
		return
	}
	b, err := u.memory.Recall(u.key())
	if err != nil || b == nil {
		return // it may be empty at any time
	}
	ms, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return
	}
	if until := time.UnixMilli(ms); time.Until(until) <= max(u.every, maxWait) { // else the clock was set back
		u.turns.hold(until)
	}
}

func (u *uploads) key() string { return "chatbase/upload/" + u.place }

// form is the body of a file source: its name and, unless only that changes, the file. That it is sent is noted, as it is
// opened once for every request.
func (u *uploads) form(name string, file *targets.Rendition) *httpapi.Body {
	parts := []adapter.Part{{Name: "name", Text: name}}
	if file != nil {
		parts = append(parts, adapter.Part{Name: "file", File: file})
	}
	b := adapter.Form(parts...)
	open := b.Open
	b.Open = func(ctx context.Context) (io.ReadCloser, error) {
		u.hold(u.every) // it begins now, which may be later than its turn came
		return open(ctx)
	}
	return b
}
