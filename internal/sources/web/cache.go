package web

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"kbsyncd/internal/kb"
)

// cache keeps the content of pages by its digest, so that what was listed can be opened without asking the site again. Anything in it may
// vanish or be damaged at any time; then the site is asked.
type cache struct {
	mu   sync.Mutex
	dir  string // "" until it is needed, when it is temporary
	temp bool
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*$`)

// newCache keeps content below root; without one, in a temporary directory.
func newCache(root, source string) *cache {
	if root == "" {
		return &cache{temp: true}
	}
	if !plainName.MatchString(source) {
		source = kb.Sum([]byte(source)).String()
	}
	return &cache{dir: filepath.Join(root, "web", source)}
}

// unfinished begins the names of files that are being written.
const unfinished = "new-"

// errCache is trouble with the disk, which is no fault of a page.
type errCache struct{ error }

func (e errCache) Unwrap() error { return e.error }

func (c *cache) place() (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	if c.dir == "" {
		c.dir, err = os.MkdirTemp("", "kbsyncd-web-")
	} else {
		err = os.MkdirAll(c.dir, 0o700)
	}
	if err != nil {
		return "", errCache{fmt.Errorf("keep pages on disk: %w", err)}
	}
	return c.dir, nil
}

func (c *cache) path(d kb.Digest) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dir == "" {
		return ""
	}
	return filepath.Join(c.dir, d.String())
}

// add keeps what r gives. An error of r is returned as it is; one of the disk is an errCache.
func (c *cache) add(r io.Reader) (kb.Digest, int64, error) {
	dir, err := c.place()
	if err != nil {
		return kb.Digest{}, 0, err
	}
	f, err := os.CreateTemp(dir, unfinished)
	if err != nil {
		return kb.Digest{}, 0, errCache{fmt.Errorf("keep pages on disk: %w", err)}
	}
	w := &hashWriter{to: f, sum: sha256.New()}
	n, err := io.Copy(w, r)
	err = errors.Join(err, asCache(f.Close()))
	var d kb.Digest
	w.sum.Sum(d[:0])
	if err == nil {
		err = asCache(os.Rename(f.Name(), filepath.Join(dir, d.String())))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return kb.Digest{}, 0, err
	}
	return d, n, nil
}

func asCache(err error) error {
	if err == nil {
		return nil
	}
	return errCache{fmt.Errorf("keep pages on disk: %w", err)}
}

// hashWriter writes and hashes, and marks its own errors.
type hashWriter struct {
	to  io.Writer
	sum hash.Hash
}

func (w *hashWriter) Write(p []byte) (int, error) {
	w.sum.Write(p)
	n, err := w.to.Write(p)
	return n, asCache(err)
}

// open gives the content with a digest from its beginning, if it is there and whole.
func (c *cache) open(d kb.Digest) (*os.File, bool) {
	p := c.path(d)
	if p == "" {
		return nil, false
	}
	f, err := os.Open(p)
	if err != nil {
		return nil, false
	}
	sum := sha256.New()
	var got kb.Digest
	if _, err = io.Copy(sum, f); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	sum.Sum(got[:0])
	if err != nil || got != d {
		_ = f.Close()
		_ = os.Remove(p)
		return nil, false
	}
	return f, true
}

// has tells whether content seems to be there; open may still find it damaged.
func (c *cache) has(d kb.Digest, size int64) bool {
	p := c.path(d)
	if p == "" {
		return false
	}
	info, err := os.Stat(p)
	return err == nil && info.Size() == size
}

// prune removes all content but that in keep.
func (c *cache) prune(keep map[kb.Digest]bool) {
	c.mu.Lock()
	dir := c.dir
	c.mu.Unlock()
	if dir == "" {
		return
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if d, err := hex.DecodeString(e.Name()); err == nil && len(d) == len(kb.Digest{}) {
			if !keep[kb.Digest(d)] {
				_ = os.Remove(filepath.Join(dir, e.Name()))
			}
			continue
		}
		// What a process that was killed did not finish.
		if info, err := e.Info(); err == nil && strings.HasPrefix(e.Name(), unfinished) && time.Since(info.ModTime()) > time.Hour {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

// close removes what was only meant for this process.
func (c *cache) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.temp || c.dir == "" {
		return nil
	}
	dir := c.dir
	c.dir = ""
	return os.RemoveAll(dir)
}
