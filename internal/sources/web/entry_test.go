package web

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kbsyncd/internal/kb"
)

func sampleEntry() *entry {
	return &entry{
		settings: 7, etag: `W/"x"`, modified: "Mon, 02 Jan 2006 15:04:05 GMT", fresh: 1700000000, print: kb.Sum([]byte("x")), size: 12,
		typ: ".md", final: "https://h/b", moved: "https://h/c", canonical: "https://h/d", refresh: "https://h/e", noIndex: true, way: "semantic",
		links: []string{"https://h/a/1", "https://h/a/2", "https://h/b"}, gone: 2, changed: -5, rule: byLink, from: "https://h/",
	}
}

func TestEntry(t *testing.T) {
	for name, e := range map[string]*entry{"full": sampleEntry(), "empty": {}} {
		b := e.encode()
		got, err := decodeEntry(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(e, got, cmp.AllowUnexported(entry{}, stamp{})); diff != "" {
			t.Errorf("%s (-written +read):\n%s", name, diff)
		}
		for i := range b {
			if _, err := decodeEntry(b[:i]); err == nil {
				t.Errorf("%s cut after %d bytes is read", name, i)
			}
			damaged := slices.Clone(b)
			damaged[i] ^= 0x20
			if _, err := decodeEntry(damaged); err == nil {
				t.Errorf("%s with byte %d damaged is read", name, i)
			}
		}
	}
	l := listing{settings: 1, sitemap: tally{had: 3, low: 1, runs: 2}, crawl: tally{had: 9}, crowd: crowd{what: 1 << 63, runs: 2}}
	if got, err := decodeListing(l.encode()); err != nil || got != l {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Whatever is in the memory: it is read as what was written, or it is forgotten.
func FuzzEntry(f *testing.F) {
	f.Add(sampleEntry().encode()[1:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		// With a checksum that fits, so that what is behind it is reached.
		sealed := seal(append([]byte{entryVersion}, b...))
		if e, err := decodeEntry(sealed); err == nil {
			again, err := decodeEntry(e.encode())
			if err != nil || !bytes.Equal(again.encode(), e.encode()) {
				t.Fatalf("%x is read as %+v, which does not come back: %v", b, e, err)
			}
		}
		if l, err := decodeListing(sealed); err == nil {
			if again, err := decodeListing(l.encode()); err != nil || again != l {
				t.Fatalf("%x is read as %+v", b, l)
			}
		}
	})
}

// Damaged memory costs requests and nothing else, and is replaced.
func TestDamagedMemory(t *testing.T) {
	srv := newServer(t)
	srv.html("/a", "apples")
	m := newSpy()
	m.values = map[string][]byte{"p " + srv.URL + "/a": []byte("nonsense"), "listing": {1, 2, 3}, "from the future": {9}}
	s := open(t, opening{memory: m}, fromSitemap(srv))
	want(t, s, "a", "")
	if r, err := load(m, nil); err != nil || len(r.damaged) != 0 || !r.pages[srv.URL+"/a"].held() || r.listing.sitemap.had != 2 {
		t.Errorf("the memory is now %+v, %v", r, err)
	}
}

func TestBelieve(t *testing.T) {
	type step struct {
		n  int
		ok bool
	}
	for name, steps := range map[string][]step{
		"grows":           {{5, true}, {50, true}, {500, true}},
		"few":             {{2, true}, {1, true}},
		"small":           {{3, true}, {1, false}, {1, false}, {1, true}},
		"goes on living":  {{100, true}, {40, false}, {43, false}, {40, true}},
		"moves on":        {{100, true}, {40, false}, {30, false}, {31, false}, {30, true}},
		"halves":          {{100, true}, {50, true}, {25, true}},
		"breaks":          {{100, true}, {49, false}, {49, false}, {49, true}, {49, true}},
		"breaks in parts": {{100, true}, {49, false}, {20, false}, {20, false}, {20, true}},
		"recovers":        {{100, true}, {49, false}, {49, false}, {100, true}, {49, false}},
		"empty":           {{100, true}, {0, false}, {0, false}, {0, true}, {0, true}, {3, false}, {3, false}, {3, true}},
		"always empty":    {{0, false}, {0, false}, {0, true}, {5, true}},
	} {
		var (
			state tally
			err   error
		)
		for i, s := range steps {
			state, err = state.believe("sitemap", s.n, 3)
			if (err == nil) != s.ok {
				t.Errorf("%s: step %d with %d addresses: %v", name, i, s.n, err)
			}
		}
	}
}
