package gitrepo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// The files of the cache that hold sets of ids.
const (
	// largeIDs are blobs that are too large to be documents.
	largeIDs = "large"
	// withoutLFS are pointers that were to be read while git-lfs was not installed.
	withoutLFS = "without-lfs"
)

// idSet is a set of ids that later processes know too.
type idSet struct {
	cache *cache
	file  string

	mu    sync.Mutex
	known map[string]bool // nil until the file was read
}

func (s *idSet) read() {
	if s.known != nil {
		return
	}
	s.known = map[string]bool{}
	text, _ := os.ReadFile(filepath.Join(s.cache.root, s.file))
	for line := range strings.Lines(string(text)) {
		s.known[strings.TrimSpace(line)] = true
	}
}

func (s *idSet) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read()
	return s.known[id]
}

func (s *idSet) add(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read(); s.known[id] {
		return
	}
	s.known[id] = true
	f, err := os.OpenFile(filepath.Join(s.cache.root, s.file), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return // then it is found out again
	}
	_, _ = fmt.Fprintln(f, id)
	_ = f.Close()
}

// forget lets the file be read again, since other processes may have added to it.
func (s *idSet) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = nil
}
