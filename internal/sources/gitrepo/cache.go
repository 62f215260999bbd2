package gitrepo

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The cache is made anew when it holds more packs than this, or more bytes than so many times what it held at first and a little on top.
const (
	maxPacks     = 400
	growthFactor = 4
	growthSlack  = 256 << 20
)

// cache is a bare repository, without blobs that nobody asked for, and the listings made from it. Other processes and other sources
// with the same repository share it; whoever changes it holds its lock.
type cache struct {
	parent    string // "" for a temporary directory
	name      string // of the directory in parent
	log       *slog.Logger
	lockLimit time.Duration

	mu   sync.Mutex
	shut bool
	root string // "" until it is needed
	dir  string // the repository
	home string // an empty directory
}

// open makes the directories.
func (c *cache) open() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shut {
		return errClosed
	}
	if c.root != "" {
		if _, err := os.Stat(c.home); err == nil {
			return nil
		}
	}
	root := c.root
	switch {
	case root != "":
	case c.parent == "":
		var err error
		if root, err = os.MkdirTemp("", "kbsyncd-git-"); err != nil {
			return err
		}
	default:
		root = filepath.Join(c.parent, c.name)
	}
	home := filepath.Join(root, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	if c.root == "" {
		c.root, c.home, c.dir = root, home, filepath.Join(root, "repo.git")
	}
	return nil
}

// close removes what was only for this process.
func (c *cache) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shut = true
	if c.parent != "" || c.root == "" {
		return nil
	}
	return os.RemoveAll(c.root)
}

// configuration is the whole config file of the repository. That blobs are missing on purpose is not in it but told to the commands that
// fetch: else every other command would fetch missing blobs by itself, one at a time.
func configuration(sha256 bool) string {
	s := "[core]\n\trepositoryformatversion = 1\n\tbare = true\n"
	if sha256 {
		s += "[extensions]\n\tobjectformat = sha256\n"
	}
	return s
}

// ensure makes sure that there is a repository, without leftovers of commands that were killed. The lock is held.
func (c *cache) ensure(sha256 bool) error {
	want := configuration(sha256)
	got, err := os.ReadFile(filepath.Join(c.dir, "config"))
	if err == nil && strings.Contains(string(got), "objectformat = sha256") != sha256 {
		if err := c.discard(); err != nil {
			return err
		}
	}
	for _, d := range []string{"objects/pack", "objects/info", "refs/kbsyncd"} {
		if err := os.MkdirAll(filepath.Join(c.dir, d), 0o700); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{"HEAD": "ref: refs/heads/none\n", "config": want} {
		at := filepath.Join(c.dir, name)
		if got, err := os.ReadFile(at); err == nil && string(got) == text {
			continue
		}
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			return err
		}
	}
	c.tidy()
	return nil
}

// tidy removes what killed commands left behind. Nobody else is at work, since the lock is held.
func (c *cache) tidy() {
	for _, glob := range []string{"*.lock", "refs/kbsyncd/*.lock", "objects/pack/tmp_*", "objects/tmp_*", "objects/info/*.lock", "shallow_*", "lfs/incomplete/*", "lfs/tmp/*", "../list-*.tmp"} {
		found, _ := filepath.Glob(filepath.Join(escapeGlob(c.dir), glob))
		for _, f := range found {
			_ = os.RemoveAll(f)
		}
	}
}

func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// discard removes the repository, not the listings: they have sums of their own. Reading goes on from what is open.
func (c *cache) discard() error {
	aside, err := os.MkdirTemp(c.root, "old-")
	if err != nil {
		return err
	}
	if err := os.Rename(c.dir, filepath.Join(aside, "repo.git")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	old, _ := filepath.Glob(filepath.Join(escapeGlob(c.root), "old-*"))
	for _, o := range old {
		if err := os.RemoveAll(o); err != nil {
			return err
		}
	}
	return errors.Join(os.RemoveAll(filepath.Join(c.root, "first-size")), os.RemoveAll(filepath.Join(c.root, "damaged")))
}

// size counts the packs and all bytes of objects, unfinished ones included.
func (c *cache) size() (packs int, bytes int64) {
	entries, err := os.ReadDir(filepath.Join(c.dir, "objects", "pack"))
	if err != nil {
		return 0, 0
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			bytes += info.Size()
		}
		if strings.HasSuffix(e.Name(), ".pack") {
			packs++
		}
	}
	return packs, bytes
}

// overgrown tells that the cache has grown out of proportion.
func (c *cache) overgrown() bool {
	packs, bytes := c.size()
	if packs > maxPacks {
		return true
	}
	first, ok := c.number("first-size")
	return ok && bytes > growthFactor*first+growthSlack
}

// grown notes the size of a new cache, once it holds documents.
func (c *cache) grown() {
	if _, ok := c.number("first-size"); !ok {
		_, bytes := c.size()
		_ = os.WriteFile(filepath.Join(c.root, "first-size"), []byte(strconv.FormatInt(bytes, 10)), 0o600)
	}
}

func (c *cache) number(name string) (int64, bool) {
	text, err := os.ReadFile(filepath.Join(c.root, name))
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	return n, err == nil && n >= 0
}

// flag tells whether a fact was noted, and note notes it.
func (c *cache) flag(name string) bool {
	_, err := os.Stat(filepath.Join(c.root, name))
	return err == nil
}

func (c *cache) note(name string) error {
	return os.WriteFile(filepath.Join(c.root, name), nil, 0o600)
}

// tag is a short name for a text of any length and content.
func tag(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(strconv.Itoa(len(p)) + ":" + p))
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}
