package adapter

import (
	"hash/maphash"
	"sync"

	"kbsyncd/internal/kb"
)

// SameDocument tells whether a name at the vendor stands for the rendition that was sent under a name: the marks are equal. Without
// a mark only the same name will do.
func SameDocument(sent, there string) bool {
	m, _, marked := kb.ParseName(sent)
	if !marked {
		return there == sent
	}
	other, _, ok := kb.ParseName(there)
	return ok && other == m
}

// Names is a set of names, such as those that were sent in a pass. It keeps hashes, because a pass may have many; two that look
// alike cost one look too many. The zero value is empty; it is safe for concurrent use.
type Names struct {
	mu   sync.Mutex
	seed maphash.Seed        // guarded by mu
	sums map[uint64]struct{} // guarded by mu; nil while there are none
}

// Add notes a name and tells whether it was there.
func (n *Names) Add(name string) (again bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sums == nil {
		n.seed, n.sums = maphash.MakeSeed(), map[uint64]struct{}{}
	}
	sum := maphash.String(n.seed, name)
	_, again = n.sums[sum]
	n.sums[sum] = struct{}{}
	return again
}

// Has tells whether a name was added.
func (n *Names) Has(name string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sums == nil {
		return false
	}
	_, has := n.sums[maphash.String(n.seed, name)]
	return has
}

// Forget empties the set.
func (n *Names) Forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sums = nil
}
