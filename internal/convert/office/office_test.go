package office_test

import (
	"flag"
	"testing"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/convert/office"
	"kbsyncd/internal/convert/readertest"
)

var update = flag.Bool("update", false, "write the Markdown of the samples anew")

var readers = map[string]markup.Reader{"docx": office.DOCX, "pptx": office.PPTX, "odt": office.ODT, "rtf": office.RTF}

func TestDocuments(t *testing.T) {
	for ext, read := range readers {
		readertest.Golden(t, "testdata/*."+ext, *update, read)
	}
}

func TestDamagedDocuments(t *testing.T) {
	for ext, read := range readers {
		t.Run(ext, func(t *testing.T) {
			readertest.Mutate(t, readertest.Samples(t, "testdata/*."+ext), read)
		})
	}
}

func FuzzDOCX(f *testing.F) { fuzz(f, "docx") }
func FuzzPPTX(f *testing.F) { fuzz(f, "pptx") }
func FuzzODT(f *testing.F)  { fuzz(f, "odt") }
func FuzzRTF(f *testing.F)  { fuzz(f, "rtf") }

func fuzz(f *testing.F, ext string) {
	for _, s := range readertest.Samples(f, "testdata/*."+ext) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src []byte) { readertest.Check(t, src, readers[ext]) })
}
