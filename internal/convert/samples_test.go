package convert_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kbsyncd/internal/convert"
)

// The samples of the readers (but PDF files, whose engine takes seconds to start) go through: the same every time, with their title, and in parts that stand alone.
func TestRealDocuments(t *testing.T) {
	samples, err := filepath.Glob("*/testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	kinds := []string{".docx", ".pptx", ".odt", ".rtf", ".epub", ".html", ".xlsx", ".ipynb", ".eml"}
	done := 0
	to := textOnly(2000)
	to.Accepts.Native = nil
	for _, name := range samples {
		if !slices.Contains(kinds, filepath.Ext(name)) {
			continue
		}
		done++
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			d, _ := document(filepath.Base(name), data)
			r := mustRender(t, d, to)
			once := sent(t, d, r)
			convert.Evict()
			if again := sent(t, d, r); fmt.Sprint(again) != fmt.Sprint(once) {
				t.Error("it is not the same a second time")
			}
			title, _, _ := strings.Cut(once[0], "\n")
			for i, s := range once {
				if len(s) > 2000 || r.Parts[i].Ext != ".md" {
					t.Errorf("part %d has %d bytes as %s", i+1, len(s), r.Parts[i].Ext)
				}
				if first, _, _ := strings.Cut(s, "\n"); strings.HasPrefix(title, "# ") && !strings.HasPrefix(first, "# ") {
					t.Errorf("part %d begins with %.40q", i+1, s)
				}
			}
		})
	}
	if done == 0 {
		t.Errorf("%d samples", done)
	}
}
