package folder

import (
	"container/heap"
	"context"
	"runtime"
	"strings"
	"sync"

	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/filter"
)

// A scan is a walk in the order of the keys that workers run ahead of. The consumer, which is the caller of Scan,
// goes through the tree depth first and waits for each directory in turn; workers read directories in
// exactly the order in which the consumer will want them. How far they run ahead is bounded by what was
// read and not consumed, so that memory does not grow with the tree.
const (
	// maxAhead bounds the entries that wait for the consumer; a chunk costs chunkCost on top.
	maxAhead  = 16 << 10
	chunkCost = 16
	// chunkSize is how many entries of a large directory are looked at in one go; a directory with no more than twice
	// as many is done at once.
	chunkSize = 1024
	// workers are more than cores, because on disks and networks most of their time is waiting.
	minWorkers, maxWorkers = 2, 4
)

// node is one directory of a scan.
type node struct {
	parent *node
	prefix string        // the beginning of its entries' keys: source, path in NFC, slash
	raw    string        // its path as its entries are opened, with a slash at the end; "" for the folder itself
	real   string        // raw without symbolic links
	plain  bool          // raw is what follows the source in prefix, so that its entries' names need no second string
	links  int           // links to directories on the way here
	rules  *filter.Rules // from the ignore files in and above it; complete once it is listed

	big *bigDir // what is left to look at; nil in most directories. Set before listed.

	// Owned by scan.mu.
	listed bool
	total  int      // how many chunks it has, once listed
	chunks []*chunk // the ones that were handed out, in order
}

// bigDir are the kept entries of a large directory, which are looked at chunk by chunk.
type bigDir struct {
	entries []entry
	names   nameTable
	odd     map[uint32]*oddity
	self    stat
}

// chunk is a run of consecutive entries of one directory.
type chunk struct {
	node     *node
	from, to int // in node.big.entries
	recs     []rec
	text     string // keys and fingerprints, which the documents share
	extras   []extra
	dirs     []int32 // which recs are directories

	// Owned by scan.mu.
	done bool
	kids []*node // the directories that were handed out, in order
}

func (c *chunk) weight() int { return len(c.recs) + chunkCost }

// cursor is a run of units of work that nobody has taken yet: the directories in a chunk, or the chunks of a large directory.
type cursor struct {
	key   string // of the next unit; the consumer wants units in this order
	chunk *chunk
	node  *node
	next  int
}

type cursors []*cursor

func (q cursors) Len() int           { return len(q) }
func (q cursors) Less(i, j int) bool { return q[i].key < q[j].key }
func (q cursors) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *cursors) Push(x any) { *q = append(*q, x.(*cursor)) }

// Pop implements heap.Interface.
func (q *cursors) Pop() any {
	last := len(*q) - 1
	c := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return c
}

// scan is one run of Scan.
type scan struct {
	f       *Folder
	h       *handle
	ctx     context.Context
	sink    sources.Sink
	skip    int // length of the source's name and its slash: what a key has before the path
	trouble trouble

	mu      sync.Mutex
	work    sync.Cond // workers wait here for units and for room
	ready   sync.Cond // the consumer waits here for wanted
	queue   cursors
	ahead   int  // weight of what was read and not consumed
	idle    int  // workers that wait
	starved bool // the consumer wants the first unit in the queue, room or not
	wanted  any  // the *node or *chunk that the consumer waits for
	orphan  any  // the *chunk or *node whose next unit the consumer wants and nobody has taken
	stopped bool
}

// run walks through the tree and returns the sink's error or the context's.
func (s *scan) run() error {
	s.work.L, s.ready.L = &s.mu, &s.mu
	root := &node{prefix: s.f.name + "/", plain: true}
	top := &chunk{kids: []*node{root}}
	var wg sync.WaitGroup
	first := true
	for range min(max(runtime.GOMAXPROCS(0), minWorkers), maxWorkers) {
		w := newLister(s)
		start := first
		first = false
		wg.Go(func() {
			if start {
				w.list(root)
			}
			w.run()
		})
	}
	cancelled := context.AfterFunc(s.ctx, s.stop)
	err := s.consume(s.kid(top, 0))
	cancelled()
	s.stop()
	wg.Wait()
	if s.ctx.Err() != nil && err == nil {
		return s.ctx.Err()
	}
	return err
}

// stop makes workers and consumer return; more calls do nothing.
func (s *scan) stop() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.work.Broadcast()
	s.ready.Broadcast()
}

// take gives a worker the next unit: a directory to list or a chunk to fill; neither means that the scan is over.
func (s *scan) take() (*node, *chunk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.stopped {
		if len(s.queue) > 0 && (s.ahead < maxAhead || s.starved) {
			s.starved = false
			return s.advance(s.queue[0])
		}
		s.idle++
		s.work.Wait()
		s.idle--
	}
	return nil, nil
}

// advance takes the first unit of a cursor.
func (s *scan) advance(cur *cursor) (n *node, c *chunk) {
	more := false
	if cur.chunk != nil {
		n = cur.chunk.child(cur.next, s.skip)
		cur.chunk.kids = append(cur.chunk.kids, n)
		if s.orphan == any(cur.chunk) {
			s.orphan, s.wanted = nil, n
		}
		cur.next++
		if more = cur.next < len(cur.chunk.dirs); more {
			cur.key = cur.chunk.key(int(cur.chunk.dirs[cur.next]))
		}
	} else {
		big := cur.node.big
		from := cur.next * chunkSize
		c = &chunk{node: cur.node, from: from, to: min(from+chunkSize, len(big.entries))}
		cur.node.chunks = append(cur.node.chunks, c)
		if s.orphan == any(cur.node) {
			s.orphan, s.wanted = nil, c
		}
		cur.next++
		if more = cur.next < cur.node.total; more {
			cur.key = cur.node.chunkKey(cur.next)
		}
	}
	if more {
		heap.Fix(&s.queue, 0)
	} else {
		heap.Pop(&s.queue)
	}
	return n, c
}

// chunkKey is the key of the first entry of a chunk.
func (n *node) chunkKey(i int) string {
	e := &n.big.entries[i*chunkSize]
	var b strings.Builder
	b.WriteString(n.prefix)
	b.Write(n.big.names.sortName(e, n.big.odd))
	if e.kind == kindDir {
		b.WriteByte('/')
	}
	return b.String()
}

// child makes the node of the directory behind a record.
func (c *chunk) child(i, skip int) *node {
	r := &c.recs[c.dirs[i]]
	key := c.key(int(c.dirs[i]))
	n := &node{parent: c.node, prefix: key, links: c.node.links, rules: c.node.rules}
	if r.extra == 0 {
		if n.plain = c.node.plain; n.plain {
			n.raw = key[skip:]
		} else {
			n.raw = c.node.raw + key[len(c.node.prefix):]
		}
		n.real = n.raw
		if c.node.real != c.node.raw {
			n.real = c.node.real + key[len(c.node.prefix):]
		}
		return n
	}
	x := &c.extras[r.extra-1]
	n.raw, n.real = c.node.raw+x.name+"/", c.node.real+x.name+"/"
	n.plain = n.raw == key[skip:]
	if x.link {
		n.links++
		if n.real = x.real + "/"; x.real == "" {
			n.real = ""
		}
	}
	return n
}

// publishNode announces that a directory was listed.
func (s *scan) publishNode(n *node, only *chunk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.listed = true
	switch {
	case n.big != nil:
		n.total = (len(n.big.entries) + chunkSize - 1) / chunkSize
		heap.Push(&s.queue, &cursor{key: n.chunkKey(0), node: n})
	case only != nil:
		n.total = 1
		n.chunks = append(n.chunks, only)
		s.publishLocked(only)
	}
	s.announce(n)
}

// publishChunk announces that a chunk of a large directory was filled.
func (s *scan) publishChunk(c *chunk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publishLocked(c)
	s.announce(c)
}

func (s *scan) publishLocked(c *chunk) {
	c.done = true
	s.ahead += c.weight()
	if len(c.dirs) > 0 {
		heap.Push(&s.queue, &cursor{key: c.key(int(c.dirs[0])), chunk: c})
	}
}

// announce wakes whoever waits: the consumer only for what it wants, because every needless wake-up is a system call.
func (s *scan) announce(x any) {
	if s.wanted == x {
		s.wanted = nil
		s.ready.Signal()
	}
	if s.idle > 0 && len(s.queue) > 0 && s.ahead < maxAhead {
		s.work.Broadcast()
	}
}

// kid waits for a directory and gives it once it is listed; nil when the scan was stopped.
func (s *scan) kid(c *chunk, i int) *node {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.stopped {
		switch {
		case len(c.kids) <= i:
			s.want(c)
		case !c.kids[i].listed:
			s.wanted = c.kids[i]
		default:
			n := c.kids[i]
			c.kids[i] = nil
			return n
		}
		s.ready.Wait()
	}
	return nil
}

// chunk waits for a chunk and gives it once it is filled; nil when there are no more or the scan was stopped.
func (s *scan) chunk(n *node, i int) *chunk {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.stopped && i < n.total {
		switch {
		case len(n.chunks) <= i:
			s.want(n)
		case !n.chunks[i].done:
			s.wanted = n.chunks[i]
		default:
			c := n.chunks[i]
			n.chunks[i] = nil
			return c
		}
		s.ready.Wait()
	}
	return nil
}

// want asks for the next unit of x, which is the first in the queue: everything before it has been consumed.
func (s *scan) want(x any) {
	s.orphan, s.starved = x, true
	if s.idle > 0 {
		s.work.Signal()
	}
}

// consumed makes room. Workers are woken when half of the room is free, not for every directory.
func (s *scan) consumed(c *chunk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead -= c.weight()
	if s.idle > 0 && s.ahead < maxAhead/2 && len(s.queue) > 0 {
		s.work.Broadcast()
	}
}
