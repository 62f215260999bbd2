package gitrepo

import (
	"errors"
	"math"
	"syscall"
)

// What fetches may take on the disk.
const (
	tipRoom   = 2 << 30 // one commit with its trees
	wholeRoom = 8 << 30 // one commit with everything, of servers that send nothing less
	freeFloor = 128 << 20
)

var (
	// errBudget ends a fetch that brings more than is worth having.
	errBudget = errors.New("more bytes than expected")
	// errFull ends a fetch before the disk is full, which others need as well.
	errFull = errors.New("the disk is nearly full")
)

// within watches that what counts stays below a budget, and that the disk keeps some room.
func (r *Repo) within(count func() int64, budget int64) func() error {
	return func() error {
		if count() > budget {
			return errBudget
		}
		if free(r.cache.root) < r.floor {
			return errFull
		}
		return nil
	}
}

// free is how many bytes may still be written where a directory is.
func free(dir string) int64 {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return math.MaxInt64
	}
	return int64(min(uint64(st.Bavail)*uint64(st.Bsize), math.MaxInt64)) //nolint:unconvert // the types differ between systems
}

// packed counts the bytes of all packs, unfinished ones included.
func (c *cache) packed() int64 {
	_, bytes := c.size()
	return bytes
}
