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

// Kinds of text that a vendor does not take as files become what people read.
func TestTextsForPeople(t *testing.T) {
	for _, tt := range []struct{ name, data, ext, want string }{
		{"a.csv", "Name,Price\nPump,12\n", ".md", "| Pump | 12 |"},
		{"a.tsv", "Name\tPrice\nPump\t12\n", ".md", "| Pump | 12 |"},
		{"a.json", `{"pump": 12}`, ".md", "```json\n{\"pump\": 12}\n```"},
		{"a.jsonl", "{\"pump\": 12}\n", ".md", "```jsonl\n{\"pump\": 12}"},
		{"a.yml", "pump: 12\n", ".md", "```yaml\npump: 12\n```"},
		{"a.xml", "<pump>12</pump>\n", ".md", "```xml\n<pump>12</pump>\n```"},
		{"a.html", "<title>Pumps</title><h2>Sizes</h2><p>Twelve", ".md", "# Pumps\n\n## Sizes\n\nTwelve"},
		{"a.srt", "1\n00:00:01,000 --> 00:00:02,000\nHello there.\n", ".md", "Hello there."},
		{"a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nHello there.\n", ".md", "Hello there."},
		{"a.eml", "From: a@example.com\r\nSubject: Pumps\r\n\r\nTwelve of them.\r\n", ".md", "# Pumps\n\n"},
		{"a.rtf", `{\rtf1 Twelve pumps.\par}`, ".md", "Twelve pumps."},
		{"a.toml", "pump = 12\n", ".txt", "pump = 12"},
		{"a.rst", "Pumps\n=====\n", ".txt", "Pumps\n====="},
	} {
		d, _ := document(tt.name, []byte(tt.data))
		r := mustRender(t, d, textOnly(1000))
		if got := sent(t, d, r)[0]; r.Parts[0].Ext != tt.ext || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q as %s, want %q as %s", tt.name, got, r.Parts[0].Ext, tt.want, tt.ext)
		}
	}
	// A vendor that reads files by their extension has no use for a fence around a text.
	d, _ := document("a.yaml", []byte("pump: 12\n"))
	if r := mustRender(t, d, starleads(0)); r.Parts[0].Ext != ".txt" || r.Parts[0].Converted() {
		t.Errorf("got %+v", r.Parts[0])
	}
	d, _ = document("a.ipynb", []byte(`{"nbformat":4,"cells":[{"cell_type":"markdown","source":["Twelve *pumps*"]}],"metadata":{}}`))
	if r := mustRender(t, d, starleads(0)); r.Parts[0].Ext != ".md" || !strings.Contains(sent(t, d, r)[0], "Twelve *pumps*") {
		t.Errorf("got %+v", r.Parts[0])
	}
}
