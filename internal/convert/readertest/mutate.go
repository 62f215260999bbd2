// Package readertest holds the readers of foreign formats to their promises: documents give the Markdown that was once looked at, and damaged or hostile
// ones give an error that says so, in time and within bounds.
package readertest

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

const (
	// mutations is how many damaged documents a reader is given; KBSYNC_MUTATIONS says another number.
	mutations = 300
	patience  = 5 * time.Second
	// maxHeap is what a reader may have on the heap, garbage included, for a sample of some kilobytes.
	maxHeap = 128 << 20
)

// Mutate gives the reader damaged forms of the samples: bits flipped, bytes cut out, doubled, and put in from elsewhere. Half of those
// of an archive are damaged inside of a member, where checksums hide nothing. The same samples give the same damage in every run.
func Mutate(t *testing.T, samples [][]byte, read markup.Reader) {
	t.Helper()
	n := mutations
	if s := os.Getenv("KBSYNC_MUTATIONS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatalf("KBSYNC_MUTATIONS: %v", err)
		}
	}
	for _, s := range samples { // warm up, and see that they are good
		if _, err := read(t.Context(), s, markup.DefaultLimits()); err != nil {
			t.Fatalf("a sample cannot be read: %v", err)
		}
	}
	peak := watchHeap(t)
	for i := range n {
		src := mutate(rand.New(rand.NewPCG(1, uint64(i))), samples)
		Check(t, src, read)
		if grown := peak(); grown > maxHeap {
			t.Errorf("the heap grew to %d MB", grown>>20)
		}
		if t.Failed() {
			t.Fatalf("mutation %d, of %d bytes", i, len(src))
		}
	}
}

// Check reads one document, however damaged, and holds what comes out to what a markup.Reader promises.
func Check(t *testing.T, src []byte, read markup.Reader) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	l := markup.DefaultLimits()
	before := bytes.Clone(src)
	began := time.Now()
	res, err := read(ctx, src, l)
	if took := time.Since(began); took > patience {
		t.Errorf("took %v", took)
	}
	if !bytes.Equal(src, before) {
		t.Error("the reader changed the source")
	}
	if err != nil {
		if !errors.Is(err, fault.ErrUnsupported) {
			t.Errorf("error of another class than fault.ErrUnsupported: %v", err)
		}
		return
	}
	md := string(res.Markdown)
	switch {
	case !utf8.ValidString(md) || !utf8.ValidString(res.Title):
		t.Error("not UTF-8")
	case int64(len(md)) > l.Output:
		t.Errorf("%d bytes are above the limit", len(md))
	case !strings.HasSuffix(md, "\n") || strings.HasSuffix(md, "\n\n") || strings.ContainsAny(md, "\r\x00"):
		t.Errorf("not lines of text that end in one LF: …%q", md[max(0, len(md)-40):])
	case strings.ContainsAny(res.Title, "\n\r"):
		t.Errorf("the title has more than one line: %q", res.Title)
	}
}

// watchHeap gives a function that tells by how much the heap grew at most since it was called last.
func watchHeap(t *testing.T) func() uint64 {
	read := func() uint64 {
		s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	base := read()
	ask, stop, stopped := make(chan chan uint64), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		var peak uint64
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			if now := read(); now > base {
				peak = max(peak, now-base)
			}
			select {
			case <-tick.C:
			case answer := <-ask:
				answer <- peak
				peak = 0
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-stopped })
	return func() uint64 {
		answer := make(chan uint64)
		ask <- answer
		return <-answer
	}
}

func mutate(r *rand.Rand, samples [][]byte) []byte {
	src := samples[r.IntN(len(samples))]
	if bytes.HasPrefix(src, []byte("PK")) && r.IntN(2) == 0 {
		return mutateMember(r, src)
	}
	return damage(r, src, samples[r.IntN(len(samples))])
}

// damage changes some places of src; what it puts in comes from src or other.
func damage(r *rand.Rand, src, other []byte) []byte {
	out := bytes.Clone(src)
	for range 1 + r.IntN(8) {
		if len(out) == 0 {
			break
		}
		at, n := r.IntN(len(out)), 1+r.IntN(1+r.IntN(512))
		end := min(len(out), at+n)
		switch r.IntN(6) {
		case 0:
			out[at] ^= 1 << r.IntN(8)
		case 1:
			out[at] = byte(r.Uint32())
		case 2: // cut out
			out = append(out[:at:at], out[end:]...)
		case 3: // cut off, rarely, for it leaves little to damage
			if r.IntN(4) == 0 {
				out = out[:at]
			}
		case 4: // doubled
			out = append(out[:end:end], out[at:]...)
		case 5: // from elsewhere
			if len(other) > 0 {
				from := r.IntN(len(other))
				piece := other[from:min(len(other), from+n)]
				out = append(out[:at:at], append(bytes.Clone(piece), out[at:]...)...)
			}
		}
	}
	return out
}

// mutateMember damages one member of an archive, and packs all anew.
func mutateMember(r *rand.Rand, src []byte) []byte {
	in, err := zip.NewReader(bytes.NewReader(src), int64(len(src)))
	if err != nil || len(in.File) == 0 {
		return src
	}
	members := make([][]byte, len(in.File))
	for i, f := range in.File {
		if rc, err := f.Open(); err == nil {
			// What a sample holds can be read.
			members[i], _ = io.ReadAll(rc)
			_ = rc.Close()
		}
	}
	victim := r.IntN(len(members))
	members[victim] = damage(r, members[victim], members[r.IntN(len(members))])
	var buf bytes.Buffer
	out := zip.NewWriter(&buf)
	for i, f := range in.File {
		// Writing to memory does not fail.
		w, _ := out.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Store})
		_, _ = w.Write(members[i])
	}
	_ = out.Close()
	return buf.Bytes()
}
