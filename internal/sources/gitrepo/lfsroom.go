package gitrepo

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"kbsyncd/internal/fault"
)

const (
	// lfsRoom is how many bytes of git-lfs files are kept. They are read once, when they are new.
	lfsRoom = 2 << 30
	// lfsSlack is what a download may take besides the bytes of the file.
	lfsSlack = 1 << 20
)

// lfsUnfinished counts the bytes of downloads under way.
func (c *cache) lfsUnfinished() (bytes int64) {
	for _, name := range []string{"incomplete", "tmp"} {
		entries, _ := os.ReadDir(filepath.Join(c.dir, "lfs", name))
		for _, e := range entries {
			if info, err := e.Info(); err == nil {
				bytes += info.Size()
			}
		}
	}
	return bytes
}

// lfsFile is a finished download.
type lfsFile struct {
	at   string
	size int64
	when time.Time
}

func (c *cache) lfsFiles() (found []lfsFile, bytes int64) {
	_ = filepath.WalkDir(filepath.Join(c.dir, "lfs", "objects"), func(at string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // what cannot be seen cannot be removed either
		}
		if info, err := d.Info(); err == nil {
			found = append(found, lfsFile{at, info.Size(), info.ModTime()})
			bytes += info.Size()
		}
		return nil
	})
	return found, bytes
}

// makeRoomForLFS removes the oldest files, should the next one not fit. Readers of a file that is removed go on. The lock is held.
func (r *Repo) makeRoomForLFS(size int64) {
	r.mu.Lock()
	r.lfsBytes += size
	fits := r.lfsCounted && r.lfsBytes <= r.lfsRoom
	r.mu.Unlock()
	if fits {
		return
	}
	found, bytes := r.cache.lfsFiles()
	bytes += size
	if bytes > r.lfsRoom {
		slices.SortFunc(found, func(a, b lfsFile) int { return cmp.Or(a.when.Compare(b.when), cmp.Compare(a.at, b.at)) })
		for _, f := range found {
			if bytes <= r.lfsRoom/2 {
				break
			}
			if os.Remove(f.at) == nil {
				bytes -= f.size
			}
		}
	}
	r.mu.Lock()
	r.lfsBytes, r.lfsCounted = bytes, true
	r.mu.Unlock()
}

var lfsDenial = regexp.MustCompile(`(?i)authori[sz]ation error|authentication required|HTTP:? 40[13]|status[ :=a-z]*40[13]|access denied|Bad credentials`)

// lfsDenied tells that the server of the large files refuses whoever asks.
func lfsDenied(err error) bool {
	f, ok := errors.AsType[*failure](err)
	return ok && lfsDenial.MatchString(f.stderr)
}

// giveUpLFS lets the rest of the scan ask the server for no more large files.
func (r *Repo) giveUpLFS() error {
	hint := "check that the user may read the files of git-lfs"
	switch {
	case !r.token.IsZero():
		hint = "check that the token may read the files of git-lfs, not only the repository"
	case r.access.form == formHTTPS || r.access.form == formHTTP:
		hint = "set token"
	}
	err := fault.New(fault.ErrIncomplete, "the server refuses access to the files of git-lfs").WithHint("%s", hint)
	r.mu.Lock()
	r.lfsRefused = err
	r.mu.Unlock()
	return err
}

func (r *Repo) refusesLFS() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lfsRefused
}
