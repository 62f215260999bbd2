package folder

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
)

const (
	// sampled is how many known documents tell whether a folder on another device is the same one.
	sampled = 100

	mountHint = "mount it and run again, or set `marker:` to be sure, or remove the source from kbsync.yaml"
)

// checkPlace makes sure that the folder is the one that the known documents came from, before
// anything is listed: a share that is not mounted must not look like a folder without documents. moved says that it is
// another place with many of the same documents: it is to be listed, but what is missing in it may be missing because of
// the move.
func (f *Folder) checkPlace(h *handle, known sources.Known) (identity string, moved bool, err error) {
	marked := f.marker != ""
	if marked {
		if _, err := h.root.Stat(filepath.FromSlash(f.marker)); err != nil {
			if !isGone(err) {
				return "", false, fault.New(fault.ErrIncomplete, "%s: marker %s: %s", f.path, f.marker, plain(err))
			}
			return "", false, fault.New(fault.ErrIncomplete, "%s lacks its marker %s", f.path, strconv.Quote(f.marker)).
				WithHint("mount what belongs there, or create the marker when this is the right folder")
		}
	}
	identity, mount := h.place()
	if marked {
		return identity, false, nil
	}
	moved = known.Identity != "" && known.Documents > 0 && identity != known.Identity
	if moved && h.holds(known) {
		return identity, true, nil
	}
	was := ""
	if known.Documents > 0 {
		was = fmt.Sprintf(" (was %s with %s)", known.Identity, documents(known.Documents))
	}
	if mount || moved {
		if empty, err := h.empty(); err == nil && empty {
			return "", false, fault.New(fault.ErrIncomplete, "%s is an empty mount point%s", f.path, was).WithHint(mountHint)
		}
	}
	if moved {
		return "", false, fault.New(fault.ErrIncomplete, "%s is on another device%s", f.path, was).WithHint(mountHint)
	}
	return identity, false, nil
}

// movedError ends a complete scan of another place than before.
func (f *Folder) movedError(was string) error {
	return fault.New(fault.ErrIncomplete,
		"%s is another place than before (was %s), though many documents are the same; nothing is deleted in this pass", f.path, was).
		WithHint("run again when this is the right place")
}

func documents(n int) string {
	if n == 1 {
		return "1 document"
	}
	return fmt.Sprintf("%d documents", n)
}

// holds tells whether at least half of the known documents are here, with the same size and
// modification time: a share gets another device number with every mount.
func (h *handle) holds(known sources.Known) bool {
	if known.Sample == nil {
		return false
	}
	docs, here := known.Sample(sampled), 0
	for _, d := range docs {
		if _, st, err := h.locate(d.Key.Path()); err == nil && SameVersion(fingerprint(&st), d.Fingerprint) {
			here++
		}
	}
	return len(docs) > 0 && 2*here >= len(docs)
}

// samePlace is an error when the folder is on another device than in the last complete scan.
func (f *Folder) samePlace(h *handle) error {
	was := f.Identity()
	if now, _ := h.place(); was != "" && now != was {
		return fault.New(fault.ErrIncomplete, "%s is on another device (was %s)", f.path, was).WithHint(mountHint)
	}
	return nil
}

// empty tells whether there is nothing in the folder but what a new file system brings along.
func (h *handle) empty() (bool, error) {
	d, err := h.root.Open(".")
	if err != nil {
		return false, err
	}
	defer func() { _ = d.Close() }()
	names, err := d.Readdirnames(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return strings.Join(names, "/") == "" || len(names) == 1 && names[0] == "lost+found", nil
}

// notHere says why a document that was listed cannot be opened.
func (f *Folder) notHere(h *handle, d kb.Document) error {
	if err := f.samePlace(h); err != nil {
		return err
	}
	return fault.New(fault.ErrNotFound, "%s is gone", kb.Printable(string(d.Key)))
}
