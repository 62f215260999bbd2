package pdf_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/convert/pdf"
)

// TestDamagedEngine runs with the tests of damaged documents, because it compiles the engine three times.
func TestDamagedEngine(t *testing.T) {
	if os.Getenv("KBSYNC_MUTATIONS") == "" {
		t.Skip("it takes many seconds; make damage runs it")
	}
	dir := t.TempDir()
	fresh := func() {
		t.Helper()
		if err := pdf.Close(); err != nil {
			t.Fatal(err)
		}
		pdf.SetCacheDir(dir)
		if _, err := pdf.Read(t.Context(), file("t", "BT /F 12 Tf 50 700 Td (words) Tj ET"), markup.DefaultLimits()); err != nil {
			t.Errorf("read: %v", err)
		}
	}
	fresh()
	for name, damage := range map[string]func([]byte) []byte{
		"cut":    func(b []byte) []byte { return b[:len(b)/2] },
		"spoilt": func(b []byte) []byte { b[len(b)/2] ^= 0xff; return b },
	} {
		n := 0
		err := filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(at)
			if err != nil || len(b) == 0 {
				return err
			}
			n++
			return os.WriteFile(at, damage(b), 0o600)
		})
		if err != nil || n == 0 {
			t.Fatalf("%s: %d files, %v", name, n, err)
		}
		fresh()
	}
}
