package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

// errReplaced: something else has taken the place of what was listed.
var errReplaced = errors.New("was replaced")

// trouble collects what makes a scan incomplete while the scan goes on with the rest.
type trouble struct {
	mu      sync.Mutex
	shown   []string
	more    int
	changed bool // something vanished or was replaced
	denied  bool
}

// shownTroubles is how many are named in the error.
const shownTroubles = 3

func (t *trouble) add(name string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	what := plain(err)
	switch {
	case isGone(err):
		t.changed, what = true, "vanished"
	case errors.Is(err, errReplaced):
		t.changed = true
	case errors.Is(err, fs.ErrPermission):
		t.denied = true
	}
	if len(t.shown) == shownTroubles {
		t.more++
		return
	}
	name = kb.Printable(path.Clean(name))
	t.shown = append(t.shown, name+": "+what)
}

// plain is an error without the paths that os puts into it, which are not the ones that the user knows.
func plain(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return err.Error()
}

// err is nil when the listing is complete.
func (t *trouble) err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.shown) == 0 {
		return nil
	}
	msg := strings.Join(t.shown, "; ")
	if t.more > 0 {
		msg += fmt.Sprintf("; and %d more", t.more)
	}
	if t.changed {
		msg = "the folder changed while it was scanned: " + msg
	}
	e := fault.New(fault.ErrIncomplete, "%s", msg)
	switch {
	case t.denied:
		return e.WithHint("let the user kbsyncd runs as read it, or exclude it")
	case t.changed:
		return e.WithHint("the next pass looks again")
	}
	return e
}
