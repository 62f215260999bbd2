package gitrepo

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/sourcetest"
)

// What a server sends for one commit is bounded, whether it is on its way when somebody looks or already there.
func TestCommitTooLarge(t *testing.T) {
	thorough(t)
	t.Parallel()
	o := newOrigin(t)
	o.git("config", "uploadpack.allowFilter", "false") // so that the files come along
	large := make([]byte, 3<<20)
	for i := range large {
		large[i] = byte(rand.Uint32())
	}
	o.put("large.bin", large)
	o.put("a.md", []byte("a"))
	o.flush()
	r := o.withRef("")
	r.tipRoom = 1 << 20
	for range 2 {
		err := r.Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
		if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), "more than 1 MiB for one commit") {
			t.Fatal(err)
		}
		if n := r.cache.packed(); n > 0 {
			t.Errorf("%d bytes are left", n)
		}
	}
	r.tipRoom = tipRoom
	o.scan(r)
}

// A fetch does not take the last room of a disk that others need.
func TestDiskNearlyFull(t *testing.T) {
	t.Parallel()
	o := sample(t)
	var release func()
	s := o.serve(func(s *server) { _, release = stuck(s) }) // so that there is time to look
	defer release()
	r := o.open(overHTTP(s, nil))
	r.floor = math.MaxInt64
	err := r.Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
	if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), "are left on the disk of the cache; make room") {
		t.Error(err)
	}
}
