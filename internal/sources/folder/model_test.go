//go:build unix

package folder

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/filter"
	"kbsyncd/internal/sources/sourcetest"
)

var nothingKnown sources.Known

// A scan gives what the standard library's walk finds, in the order of the keys, whatever the tree looks like.
func TestScanEqualsWalk(t *testing.T) {
	elem := rapid.SampledFrom([]string{"a", "b", "a.md", "a-", "a0", "A", "é", "é", "ab", "c d", "\x01", "~", "zz", "日本", "a\nb"})
	path := rapid.Custom(func(rt *rapid.T) string {
		return strings.Join(rapid.SliceOfN(elem, 1, 5).Draw(rt, "elems"), "/")
	})
	rapid.Check(t, func(rt *rapid.T) {
		tr := newTree(t)
		for _, p := range rapid.SliceOfN(path, 0, 40).Draw(rt, "paths") {
			// A file may be in the way of a directory, and the other way round.
			if os.MkdirAll(filepath.Dir(tr.at(p)), 0o755) == nil {
				_ = os.WriteFile(tr.at(p), []byte(p), 0o644)
			}
		}
		seen, want := map[string]bool{}, []string{}
		err := filepath.WalkDir(tr.dir, func(p string, d fs.DirEntry, err error) error {
			if rel, _ := filepath.Rel(tr.dir, p); err == nil && d.Type().IsRegular() {
				if n := norm.NFC.String(rel); !seen[n] && tr.keeps(n) {
					seen[n] = true
					want = append(want, n)
				}
			}
			return err
		})
		if err != nil {
			rt.Fatal(err)
		}
		slices.Sort(want)
		for _, portable := range []bool{false, true} {
			f := tr.open()
			f.portable = portable
			l := &sourcetest.Listing{}
			if err := f.Scan(t.Context(), nothingKnown, l); err != nil {
				rt.Fatal(err)
			}
			// Of directories that differ only in their normal form, one is a problem, and with it what it holds.
			if got := l.Paths(); !slices.IsSorted(l.Keys) || len(l.Problems) == 0 && !slices.Equal(got, want) {
				rt.Fatalf("portable %v\n got %q\nwant %q", portable, got, want)
			}
		}
	})
}

// keeps tells whether the default filters keep a path.
func (tr *tree) keeps(path string) bool {
	f := filter.New(nil, nil, "")
	for elem := range strings.SplitSeq(path, "/") {
		if !f.WantsName(elem) {
			return false
		}
	}
	return true
}

// Names of any bytes become documents or problems, in order, and documents can be opened.
func FuzzNames(f *testing.F) {
	f.Add("a.md", "b\xff")
	f.Add("e\u0301", "\u00e9")
	f.Add("\u202e", "-\n\"")
	f.Fuzz(func(t *testing.T, a, b string) {
		tr := newTree(t)
		for _, n := range []string{a, b} {
			if n == "" || n == "." || n == ".." || len(n) > 255 || strings.ContainsAny(n, "/\x00") {
				return
			}
			tr.put(n, n)
		}
		l := tr.scan()
		kept := 0
		for i, n := range []string{a, b} {
			if tr.open().filter.WantsName(n) && (i == 0 || a != b) {
				kept++
			}
		}
		if len(l.Keys) != kept || !slices.IsSorted(l.Keys) {
			t.Errorf("%q, %q give %q", a, b, l.Keys)
		}
		for _, d := range l.Documents {
			got, _, err := sourcetest.Read(t.Context(), d)
			if err != nil || string(got) != d.Raw || norm.NFC.String(d.Raw) != d.Key.Path() || !utf8.ValidString(string(d.Key)) {
				t.Errorf("%q reads %q, %v", d.Key, got, err)
			}
		}
	})
}

// A directory that is looked at chunk by chunk is listed as any other, with its directories in their places.
func TestLargeDirectory(t *testing.T) {
	tr := newTree(t)
	var want []string
	for i := range 5*chunkSize + 17 {
		name := "f" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + strings.Repeat("0", i%5) + itoa(i)
		if i%50 == 0 {
			name += "/inner.md"
		}
		tr.put(name, "")
		want = append(want, name)
	}
	if l := tr.want(want...); !slices.IsSorted(l.Keys) {
		t.Error("not in order")
	}
}

func itoa(i int) string {
	return string([]byte{byte('0' + i/1000%10), byte('0' + i/100%10), byte('0' + i/10%10), byte('0' + i%10)})
}
