package starleads

import (
	"hash/maphash"
	"runtime"
	"strconv"
	"testing"
)

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A listing of a million documents must fit beside what the engine keeps of them.
func TestMemoryOfALongListing(t *testing.T) {
	const items, most = 1_000_000, 40 << 20
	before := heap()
	seen := tally{seed: maphash.MakeSeed(), last: map[uint64]uint8{}, reading: 1}
	for i := range items {
		if _, fresh, first := seen.see("doc-" + strconv.Itoa(i)); !fresh || !first {
			t.Fatalf("item %d: fresh %t, first %t", i, fresh, first)
		}
	}
	if used := heap() - before; used > most {
		t.Errorf("%d items take %d bytes, more than %d", items, used, most)
	}
	seen.reading = 2
	for _, want := range []bool{true, false} {
		if _, fresh, first := seen.see("doc-7"); fresh != want || first {
			t.Errorf("in the second reading: fresh %t, first %t", fresh, first)
		}
	}
}
