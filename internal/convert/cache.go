package convert

import (
	"container/list"
	"sync"

	"kbsyncd/internal/kb"
)

// cacheBytes is how much of what was made is kept for sending.
const cacheBytes = 24 << 20

// products keeps what was made last. A document is rendered some time before its parts are opened one by one.
var products = &cache{most: cacheBytes, byKey: map[cacheKey]*list.Element{}, order: list.New()}

type cacheKey struct {
	key         kb.Key
	fingerprint kb.Fingerprint
	made        recipe
}

// cache is bounded by bytes; the product that came last stays even when it alone is above the bound, because its parts are about to
// be opened. It may be used concurrently.
type cache struct {
	most  int64
	mu    sync.Mutex
	size  int64
	byKey map[cacheKey]*list.Element
	order *list.List // of cached; the one used last is in front
}

type cached struct {
	key cacheKey
	*product
}

func (c *cache) get(d kb.Document, by recipe) *product {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[cacheKey{d.Key, d.Fingerprint, by}]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(cached).product
}

func (c *cache) put(d kb.Document, by recipe, p *product) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := cacheKey{d.Key, d.Fingerprint, by}
	if e := c.byKey[k]; e != nil {
		c.drop(e)
	}
	c.byKey[k] = c.order.PushFront(cached{k, p})
	c.size += int64(len(p.data))
	for c.size > c.most && c.order.Len() > 1 {
		c.drop(c.order.Back())
	}
}

// clear forgets everything.
func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.order.Len() > 0 {
		c.drop(c.order.Back())
	}
}

// drop forgets an entry; the lock is held.
func (c *cache) drop(e *list.Element) {
	old := c.order.Remove(e).(cached)
	delete(c.byKey, old.key)
	c.size -= int64(len(old.data))
}
