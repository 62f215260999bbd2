package epub_test

import (
	"flag"
	"testing"

	"kbsyncd/internal/convert/epub"
	"kbsyncd/internal/convert/readertest"
)

var update = flag.Bool("update", false, "write the Markdown of the samples anew")

const samples = "testdata/*.epub"

func TestBooks(t *testing.T) { readertest.Golden(t, samples, *update, epub.Read) }

func TestDamagedBooks(t *testing.T) {
	readertest.Mutate(t, readertest.Samples(t, samples), epub.Read)
}

func FuzzRead(f *testing.F) {
	for _, s := range readertest.Samples(f, samples) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src []byte) { readertest.Check(t, src, epub.Read) })
}
