package sync_test

import (
	"path"
	"slices"
	"testing"
	"testing/synctest"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/sync"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/targettest"
)

// Where files wait for one another at the vendor, no text waits for a file.
func TestTextsGoBeforeFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.foreign = nil
		w.vendor = targettest.NewMemory(targettest.MemoryOptions{Limits: targets.Limits{
			FilesLast: true, Concurrency: 1, BatchFiles: 1,
			Accepts: kb.Accepts{Native: map[string]bool{".pdf": true}, Text: ".txt", Markdown: ".md"},
		}})
		for _, name := range []string{"a.pdf", "b.md", "c.pdf", "d.txt", "e.pdf", "f.md"} {
			w.put(name, "%PDF-1.4 "+name+"\n")
		}
		w.put("b.md", "# b\n")
		w.put("d.txt", "d\n")
		w.put("f.md", "# f\n")
		if e := w.pass(t.Context(), sync.Options{}); e.Uploaded != 6 || e.Outcome != sync.OutcomeOK {
			w.fatalf("%+v", e)
		}
		var sent []string
		for _, c := range w.vendor.Calls() {
			if c.Op == targettest.OpUpload {
				sent = append(sent, path.Ext(c.Name))
			}
		}
		slices.Sort(sent[:3])
		if !slices.Equal(sent, []string{".md", ".md", ".txt", ".pdf", ".pdf", ".pdf"}) {
			w.fatalf("sent %v", sent)
		}
	})
}
