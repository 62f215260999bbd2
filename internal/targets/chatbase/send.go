package chatbase

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

const (
	maxWait  = httpapi.DefaultMaxElapsed // the longest wait for the vendor within one change
	busyPoll = time.Second               // first pause between looks at a source that is being trained
	busyMost = 15 * time.Second
)

// change is one creation or update, made so that its outcome is known: what the vendor may have done is looked for before it is sent again.
type change struct {
	op      string
	file    bool // goes to the files host, and takes a turn there
	request httpapi.Request
	id      targets.RemoteID // of the source; "" for a creation
	name    string           // the name afterwards
	link    string           // the address of a link source, which has no name of ours
	// look tells whether the change took effect, and gives the source as it is.
	look lookFunc
}

type lookFunc func(ctx context.Context) (s source, landed bool, err error)

// errOther is in the error of an answer about a source that has another name than the one sent.
var errOther = errors.New("another name")

// send makes the change.
func (t *Target) send(ctx context.Context, ch change) (source, error) {
	start := time.Now()
	var busy busyness
	for n := 1; ; n++ {
		s, err := t.try(ctx, ch)
		if err == nil || ctx.Err() != nil || fault.StopsTarget(err) {
			return s, err
		}
		wait := max(httpapi.Backoff(n+1), httpapi.WaitOf(err))
		last := n == maxTries || time.Since(start)+wait > maxWait
		_, passing := errors.AsType[*fault.RetryAfter](err)
		switch {
		case errors.Is(err, errBusy) && ch.id != "":
			s, landed, err := t.whileBusy(ctx, ch, &busy)
			if landed || err != nil {
				return s, err
			}
			n, start = 0, time.Now()
		case errors.Is(err, fault.ErrUnknown):
			s, landed, err := t.landed(ctx, ch, err, wait, last)
			if landed || err != nil {
				return s, err
			}
		case passing && ch.file && !last: // the client of the files host does not repeat by itself
			if httpapi.Pause(ctx, wait) != nil {
				return source{}, err
			}
		default:
			return source{}, err
		}
	}
}

// try sends the change once.
func (t *Target) try(ctx context.Context, ch change) (source, error) {
	by := t.client.json
	if ch.file {
		by = t.client.files
		if err := t.uploads.take(ctx); err != nil {
			return source{}, fmt.Errorf("chatbase: %s: %w", ch.op, err)
		}
	}
	ans, err := t.client.do(ctx, by, ch.request, nil)
	if err != nil {
		if ch.file && httpapi.Status(err) == http.StatusTooManyRequests {
			t.uploads.refused(httpapi.WaitOf(err))
		}
		return source{}, err
	}
	var s source
	switch err := json.Unmarshal(ans.Body, &s); {
	case err != nil || s.ID == "" || ch.id != "" && s.ID != string(ch.id):
		return source{}, fault.New(fault.ErrUnknown, "chatbase: %s: the answer does not name the source", ch.op)
	case ch.link != "":
		if s.Type != "" && !s.isPage() || s.Name != "" && plainAddress(s.Name) != plainAddress(ch.link) {
			return source{}, fault.New(fault.ErrUnknown, "chatbase: %s: the answer is about another page", ch.op).Because(errOther)
		}
		s.Type, s.LinkType = typeLink, individual
	case s.Name != "" && !adapter.SameDocument(ch.name, s.Name):
		return source{}, fault.New(fault.ErrUnknown, "chatbase: %s: sent %q, the answer is about %q", ch.op, ch.name, kb.Printable(s.Name)).Because(errOther)
	}
	return s, nil
}

// landed looks for a change whose answer was lost or says nothing. Its error ends the work: why is that of the request, last says
// that it is not to be sent again.
func (t *Target) landed(ctx context.Context, ch change, why error, wait time.Duration, last bool) (source, bool, error) {
	if !last && httpapi.Pause(ctx, wait) != nil {
		return source{}, false, why
	}
	s, landed, err := ch.look(ctx)
	switch {
	case landed:
		return s, true, nil
	case errors.Is(err, fault.ErrNotFound), fault.StopsTarget(err):
		return s, false, err
	case err != nil:
		return s, false, fault.New(fault.ErrUnknown, "chatbase: %s: whether it took effect could not be seen", ch.op).Because(errors.Join(why, err))
	case errors.Is(why, errOther) && ch.link != "":
		return s, false, fault.New(fault.ErrRejected, "%s", why).WithHint("look for a leftover in the dashboard")
	case errors.Is(why, errOther):
		return s, false, fault.New(fault.ErrRejected, "%s", why).WithHint("give the document another name, and look for a leftover in the dashboard")
	case last:
		return s, false, adapter.NotLanded("", why)
	}
	return s, false, nil
}

// busyness is how long a source is busy already, and the wait before the next look at it.
type busyness struct {
	since time.Time
	wait  time.Duration
}

// whileBusy waits until the source is not being trained any more, or already is what the change makes it.
func (t *Target) whileBusy(ctx context.Context, ch change, b *busyness) (source, bool, error) {
	if b.since.IsZero() {
		b.since = time.Now()
	}
	for {
		b.wait = min(max(b.wait*3/2, busyPoll), busyMost)
		if time.Since(b.since) >= t.cfg.SettleTimeout {
			return source{}, false, fault.New(fault.ErrConflict, "chatbase: %s: the source is being trained for %s", ch.op, t.cfg.SettleTimeout).
				WithHint("the next pass tries again; retrain the agent in the Chatbase dashboard if this stays so")
		}
		if err := httpapi.Pause(ctx, b.wait); err != nil {
			return source{}, false, fmt.Errorf("chatbase: %s: %w", ch.op, err)
		}
		s, landed, err := ch.look(ctx)
		if landed || err != nil || s.state() != targets.StatusWorking {
			return s, landed, err
		}
	}
}

// isFile tells what goes to the files host from what is a text source.
func isFile(name string) bool { return slices.Contains(native, strings.ToLower(path.Ext(name))) }

// check refuses what cannot be sent.
func (t *Target) check(r targets.Rendition) error {
	if r.Link != "" {
		return checkLink(r)
	}
	most, file := t.Limits().Accepts.TextBytes, isFile(r.Name)
	if file {
		most = t.cfg.MaxFileSize
	}
	switch {
	case r.Name == "" || !utf8.ValidString(r.Name) || utf8.RuneCountInString(r.Name) > nameLength:
		return fault.New(fault.ErrRejected, "chatbase: %q cannot be the name of a source", kb.Printable(r.Name)).
			WithHint("names have 1 to %d characters", nameLength)
	case r.Size < 0:
		return fault.New(fault.ErrRejected, "chatbase: the size of %s is not known", r.Name)
	case r.Size > most:
		return fault.New(fault.ErrTooLarge, "chatbase: %d bytes are more than the limit of %d", r.Size, most)
	case file && r.Size < fileAtLeast:
		return fault.New(fault.ErrUnsupported, "chatbase takes no files below %d bytes, and this one has %d", fileAtLeast, r.Size)
	case r.Size == 0:
		return fault.New(fault.ErrUnsupported, "chatbase takes no empty text")
	}
	return nil
}
