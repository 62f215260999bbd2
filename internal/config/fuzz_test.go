package config

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var problemLine = regexp.MustCompile(`^kbsync\.yaml:[1-9][0-9]*:[1-9][0-9]*: .`)

// FuzzLoad: no text makes Load panic, and everything wrong has a place.
func FuzzLoad(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yaml")
	for _, name := range append(files, example) {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("a: &a [*a]\n<<: *a")
	f.Add("? [x]\n: y\n<<: [1]")
	f.Add("syncs: {a: {schedule: \"TZ=\", agents: {}}}")
	kinds, dir := testKinds(), f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parse("kbsync.yaml", dir, []byte(text), lookup, kinds)
		if err == nil {
			if len(c.Syncs) == 0 || len(c.Sources) == 0 || len(c.Targets) == 0 {
				t.Fatalf("an empty configuration: %+v", c)
			}
			return
		}
		if _, ok := errors.AsType[*Problems](err); !ok || c != nil {
			t.Fatalf("%T with %v", err, c)
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if !problemLine.MatchString(line) {
				t.Fatalf("no place: %q", line)
			}
		}
	})
}
