package readertest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kbsyncd/internal/convert/markup"
)

// Golden reads the samples that match the pattern and compares their Markdown with that beside them, in the same name with ".md" after it. With update it
// writes that anew.
func Golden(t *testing.T, pattern string, update bool, read markup.Reader) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no samples match %s: %v", pattern, err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got, err := read(t.Context(), src, markup.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if update {
				if err := os.WriteFile(name+".md", got.Markdown, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name + ".md")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got.Markdown)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if got.Title == "" {
				t.Error("it has no title")
			}
		})
	}
}

// Samples are the documents that match the pattern.
func Samples(t testing.TB, pattern string) [][]byte {
	t.Helper()
	names, err := filepath.Glob(pattern) // sorted
	if err != nil || len(names) == 0 {
		t.Fatalf("no samples match %s: %v", pattern, err)
	}
	samples := make([][]byte, len(names))
	for i, name := range names {
		if samples[i], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return samples
}
