package htmlmd_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kbsyncd/internal/convert/htmlmd"
	"kbsyncd/internal/convert/markup"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestPages(t *testing.T) {
	pages, err := filepath.Glob("testdata/*.html")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, name := range pages {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := htmlmd.Read(t.Context(), src, markup.DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		golden := strings.TrimSuffix(name, ".html") + ".md"
		text := "Title: " + got.Title + "\n\n" + string(got.Markdown)
		if *update {
			if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if text != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, text, want)
		}
	}
}
