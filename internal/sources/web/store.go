package web

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
	"sync"

	"kbsyncd/internal/sources"
)

// Keys of what is remembered: a kind and, but for the listing, an address.
const (
	pageKey    = "p "
	mapKey     = "m "
	listingKey = "listing"
)

// remembered is everything that is known of a site from earlier looks.
type remembered struct {
	pages, maps map[string]*entry // by address
	listing     listing
	damaged     []string // keys that are to be removed
}

// listing is what the sitemap and the crawl listed when they were last believed, and what is not believed yet.
type listing struct {
	settings uint64
	sitemap  tally
	crawl    tally
	crowd    crowd
}

// tally counts the addresses of one way to list them.
type tally struct {
	had  int // when it was last believed; 0: never
	low  int // how many it has listed since, far fewer
	runs int // how many times in a row
}

// load reads the memory. What is damaged counts as forgotten, and what is as it was when it was last read is taken from there.
func load(m sources.Memory, last *remembered) (*remembered, error) {
	if last == nil {
		last = &remembered{}
	}
	r := &remembered{pages: make(map[string]*entry, len(last.pages)), maps: map[string]*entry{}}
	err := m.Load(func(key string, value []byte) error {
		if key == listingKey {
			l, err := decodeListing(value)
			if err != nil {
				r.damaged = append(r.damaged, key)
			} else {
				r.listing = l
			}
			return nil
		}
		address, isPage := strings.CutPrefix(key, pageKey)
		if e := last.pages[address]; isPage && e != nil && e.stored == stampOf(value) {
			r.pages[address] = e
			return nil
		}
		e, err := decodeEntry(value)
		mapAddress, isMap := strings.CutPrefix(key, mapKey)
		switch {
		case err == nil && isPage:
			e.stored = stampOf(value)
			r.pages[address] = e
		case err == nil && isMap:
			r.maps[mapAddress] = e
		default:
			r.damaged = append(r.damaged, key)
		}
		return nil
	})
	return r, err
}

// stamp tells apart the versions of a stored entry: its length and its checksum. Two that look alike cost nothing but a full answer.
type stamp struct {
	size int
	sum  uint32
}

func stampOf(b []byte) stamp {
	if len(b) < 4 {
		return stamp{}
	}
	return stamp{len(b), binary.LittleEndian.Uint32(b[len(b)-4:])}
}

// changes are what has to be written so that the memory holds now and not old.
func changes(old, now *remembered) map[string][]byte {
	c := map[string][]byte{}
	for _, key := range old.damaged {
		c[key] = nil
	}
	compare := func(prefix string, before, after map[string]*entry) {
		for address, e := range after {
			was := before[address]
			if was == e {
				continue
			}
			if b := e.encode(); was == nil || !bytes.Equal(b, was.encode()) {
				c[prefix+address] = b
			}
		}
		for address := range before {
			if after[address] == nil {
				c[prefix+address] = nil
			}
		}
	}
	compare(pageKey, old.pages, now.pages)
	compare(mapKey, old.maps, now.maps)
	if old.listing != now.listing {
		c[listingKey] = now.listing.encode()
	}
	return c
}

func (l listing) encode() []byte {
	b := binary.LittleEndian.AppendUint64([]byte{entryVersion}, l.settings)
	for _, t := range []tally{l.sitemap, l.crawl} {
		for _, n := range []int{t.had, t.low, t.runs} {
			b = binary.AppendVarint(b, int64(n))
		}
	}
	b = binary.LittleEndian.AppendUint64(b, l.crowd.what)
	return seal(binary.AppendVarint(b, int64(l.crowd.runs)))
}

func decodeListing(b []byte) (listing, error) {
	if len(b) < 5 || b[0] != entryVersion || crc32.Checksum(b[:len(b)-4], crcTable) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return listing{}, errDamaged
	}
	r := reader{rest: b[1 : len(b)-4]}
	l := listing{settings: binary.LittleEndian.Uint64(pad8(r.bytes(8)))}
	for _, t := range []*tally{&l.sitemap, &l.crawl} {
		t.had, t.low, t.runs = int(r.number()), int(r.number()), int(r.number())
		r.bad = r.bad || t.had < 0 || t.low < 0 || t.runs < 0
	}
	l.crowd.what, l.crowd.runs = binary.LittleEndian.Uint64(pad8(r.bytes(8))), int(r.number())
	if r.bad || len(r.rest) > 0 || l.crowd.runs < 0 {
		return listing{}, errDamaged
	}
	return l, nil
}

// processMemory is the memory of a source that was given none: it lasts as long as the process.
type processMemory struct {
	mu     sync.Mutex
	values map[string][]byte
}

var _ sources.Memory = (*processMemory)(nil)

// Load implements sources.Memory.
func (m *processMemory) Load(fn func(key string, value []byte) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range slices.Sorted(maps.Keys(m.values)) {
		if err := fn(k, m.values[k]); err != nil {
			return err
		}
	}
	return nil
}

// Save implements sources.Memory.
func (m *processMemory) Save(changes map[string][]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, v := range changes {
		if v == nil {
			delete(m.values, k)
		} else {
			m.values[k] = v
		}
	}
	return nil
}
