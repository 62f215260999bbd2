package hamsa

import (
	"strconv"
	"strings"
	"time"

	"kbsyncd/internal/targets"
)

// askAgain is how long it is remembered that the vendor deletes nothing.
const askAgain = 7 * 24 * time.Hour

// deletes tells whether a deletion is worth a request.
func (t *Target) deletes() bool { return t.cfg.TryDelete && !t.noDelete.Load() }

// recallRefusal takes over what another process found out. Without it, each would take what is out of use for something that could
// be deleted.
func (t *Target) recallRefusal() {
	if t.memory == nil || !t.deletes() {
		return
	}
	b, err := t.memory.Recall(t.refusalKey())
	if err != nil {
		t.log.Warn("whether the vendor deletes items was not recalled", "err", err)
	}
	secs, err := strconv.ParseInt(string(b), 10, 64)
	if age := time.Since(time.Unix(secs, 0)); err == nil && age >= 0 && age < askAgain {
		t.noDelete.Store(true)
	}
}

// giveUpDeleting notes that the vendor deletes nothing, because of err where there is one.
func (t *Target) giveUpDeleting(err error) {
	if !t.noDelete.CompareAndSwap(false, true) {
		return
	}
	t.log.Warn("the vendor does not delete items; they are taken out of use instead", "err", err)
	if t.memory == nil {
		return
	}
	if err := t.memory.Remember(t.refusalKey(), strconv.AppendInt(nil, time.Now().Unix(), 10)); err != nil {
		t.log.Warn("that the vendor deletes nothing was not remembered", "err", err)
	}
}

// refusalKey names the account and the route, so that setting another route begins anew.
func (t *Target) refusalKey() string {
	return "hamsa/no-delete/" + targets.PlaceOf(t.cfg.APIKey, strings.TrimRight(t.cfg.BaseURL, "/"), t.deleteRoute.Method, t.deleteRoute.Path)
}
