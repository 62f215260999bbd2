// Package folder is the source of documents in a folder.
//
// A scan walks the folder in the order of the keys, with workers that read directories and metadata ahead of the
// consumer, and opens no document. Memory is bounded by what may be read ahead, not by the number of files; only a
// single directory costs its own entries. A document is a regular file, also behind symbolic links that stay
// inside the folder, whose name the filters keep: hidden and temporary files are left out, then what the globs of
// the configuration and the .kbsyncignore files leave out. Whatever else bears a kept name, such as a pipe or a link that leaves the
// folder, is reported as a problem.
//
// A scan is complete or it fails, after it has given whatever it could: when a directory cannot be read, when something
// vanishes or is replaced while it is scanned, when the marker is missing, and when the folder is not the place that it was (another
// device, an empty mount point). Another device with many of the known documents fails one scan only.
//
// Everything is reached through os.Root, or through openat2 with the same guarantee, so nothing outside of the folder
// is ever read. Opening never waits for the other end of a pipe.
package folder

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/filter"
)

// Folder is a folder as a source. It holds nothing open between calls, so that its file system can be unmounted.
type Folder struct {
	name     string
	path     string // absolute
	marker   string // relative, slash-separated; "" without one
	public   kb.PublicURL
	filter   *filter.Filter
	log      *slog.Logger
	portable bool         // do without the fast calls of the system
	opens    atomic.Int64 // how many documents were opened

	mu       sync.Mutex
	current  *handle         // what calls share while at least one of them runs
	identity string          // of the last complete scan
	warned   map[string]bool // directories whose case collisions were logged
}

var (
	_ sources.Source     = (*Folder)(nil)
	_ sources.Identifier = (*Folder)(nil)
	_ sources.Checker    = (*Folder)(nil)
	_ sources.Explainer  = (*Folder)(nil)
	_ kb.Opener          = (*Folder)(nil)
)

// acquire gives the open folder. A scan asks for a fresh one, because something else may have been mounted or put in its place; other calls
// share the one of a running call.
func (f *Folder) acquire(fresh bool) (*handle, error) {
	if !fresh {
		f.mu.Lock()
		if h := f.current; h != nil {
			h.refs++
			f.mu.Unlock()
			return h, nil
		}
		f.mu.Unlock()
	}
	h, err := openHandle(f.path, f.portable)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	h.refs = 1
	if fresh || f.current == nil {
		f.current = h
	}
	return h, nil
}

func (f *Folder) release(h *handle) {
	f.mu.Lock()
	h.refs--
	last := h.refs == 0
	if last && f.current == h {
		f.current = nil
	}
	f.mu.Unlock()
	if last {
		h.close()
	}
}

// Close implements sources.Source. Nothing is held between calls.
func (f *Folder) Close() error { return nil }

// Identity implements sources.Identifier: the device that the folder was on when all of it was last listed.
func (f *Folder) Identity() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.identity
}

// warnOnce tells whether a directory's collision is to be logged: once, so that a folder that is polled every
// minute does not fill the log.
func (f *Folder) warnOnce(dir string) bool {
	const enough = 1000
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.warned[dir] || len(f.warned) >= enough {
		return false
	}
	if f.warned == nil {
		f.warned = map[string]bool{}
	}
	f.warned[dir] = true
	return true
}

// rootError says why the folder itself cannot be opened.
func (f *Folder) rootError(err error) error {
	e := func(what string) *fault.Error { return fault.New(fault.ErrIncomplete, "%s %s", f.path, what) }
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return e("does not exist").WithHint("create it or mount it, or correct `path`, or remove the source from kbsync.yaml")
	case errors.Is(err, syscall.ENOTDIR):
		return e("is a file, not a folder").WithHint("name its folder as `path` and the file under `include`")
	case errors.Is(err, fs.ErrPermission):
		return e("cannot be read: permission denied").WithHint("let the user kbsyncd runs as read it")
	}
	return e("cannot be read: " + plain(err))
}

// Exists implements sources.Checker. A document that the filters leave out does not exist; a folder that is not there or
// not the same place any more is an error.
func (f *Folder) Exists(ctx context.Context, k kb.Key) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if k.Source() != f.name || k.Path() == "" {
		return false, nil
	}
	h, err := f.acquire(false)
	if err != nil {
		return false, f.rootError(err)
	}
	defer f.release(h)
	if err := f.samePlace(h); err != nil {
		return false, err
	}
	t := tracer{f: f, h: h}
	kept, err := t.path(k.Path(), false)
	if err != nil || !kept {
		return false, err
	}
	_, st, err := h.locate(k.Path())
	switch {
	case isGone(err), isProblem(err):
		return false, nil
	case err != nil:
		return false, fault.New(fault.ErrIncomplete, "%s: %s", kb.Printable(k.Path()), plain(err))
	}
	return st.kind == kindFile, nil
}

// locate finds the entry that a path in NFC means, following links inside the folder: its path as it is opened, and what it is.
func (h *handle) locate(nfc string) (raw string, st stat, err error) {
	raw = nfc
	real, err := h.resolve(raw)
	if errors.Is(err, errBroken) && !isASCII(nfc) {
		if raw, err = h.respell(nfc); err == nil {
			real, err = h.resolve(raw)
		}
	}
	if err != nil {
		return "", st, err
	}
	st, err = h.lookup(real)
	return raw, st, err
}

// respell finds the names on disk whose normal form is the path.
func (h *handle) respell(nfc string) (string, error) {
	raw := ""
	for elem := range strings.SplitSeq(nfc, "/") {
		dir, err := h.resolve(raw)
		if err != nil {
			return "", err
		}
		d, err := h.openDir(dir, make([]byte, direntBuffer))
		if err != nil {
			return "", err
		}
		found := ""
		err = d.read(func(name []byte, _ kind) {
			if s := string(name); s == elem || normal(s) == elem && found != elem && (found == "" || s < found) {
				found = s
			}
		})
		d.close()
		switch {
		case err != nil:
			return "", err
		case found == "":
			return "", errBroken
		}
		raw = strings.TrimPrefix(raw+"/"+found, "/")
	}
	return raw, nil
}
