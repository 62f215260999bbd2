package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var recipe = regexp.MustCompile("(?ms)^```yaml\n(sources:\n.*?)^```$")

// Every recipe of docs/sources.md is a configuration that `check` takes.
func TestRecipes(t *testing.T) {
	text, err := os.ReadFile(filepath.FromSlash("../../docs/sources.md"))
	if err != nil {
		t.Fatal(err)
	}
	recipes := recipe.FindAllStringSubmatch(string(text), -1)
	if len(recipes) < 15 {
		t.Errorf("only %d recipes were found", len(recipes))
	}
	env := func(string) (string, bool) { return "token", true }
	for _, r := range recipes {
		file := filepath.Join(t.TempDir(), "kbsync.yaml")
		if err := os.WriteFile(file, []byte(r[1]+"targets: { support: { type: starleads, api_key: k, dataset: d } }\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if code := run(t.Context(), []string{"--config", file, "check"}, &out, &out, env); code != exitOK {
			t.Errorf("check ends with %d: %s\n%s", code, out.String(), r[1])
		}
	}
}
