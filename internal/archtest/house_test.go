// Package archtest holds the house in order: which package may import which, where third-party modules are used, how large a
// file may grow, and that everything exported is documented. It has tests only and opens the source files itself, so that a
// result is never served from the test cache after a file changed.
package archtest

import (
	"path"
	"slices"
	"strings"
	"testing"
)

const (
	module   = "kbsyncd"
	maxLines = 600
)

// anything lets a package import every other one.
const anything = "*"

// house is the map: a package, and what it may import of this module. A package that is not listed
// fails the test: give it a line here, with the fewest imports that it can live with.
var house = map[string]string{
	"cmd/kbsyncd": anything,

	// The ground floor.
	"internal/kb":      "",
	"internal/fault":   "",
	"internal/secret":  "",
	"internal/suggest": "",

	"internal/httpapi":  "fault secret",
	"internal/contract": "fault suggest",
	"internal/convert":  "convert/epub convert/htmlmd convert/links convert/markup convert/office convert/pdf convert/plain convert/sheet fault kb leak",
	"internal/leak":     "",

	// One reader a family of formats; each turns bytes into Markdown and knows no target.
	"internal/convert/markup": "fault",
	"internal/convert/epub":   "convert/htmlmd convert/markup fault",
	"internal/convert/htmlmd": "convert/markup fault",
	"internal/convert/links":  "",
	"internal/convert/office": "convert/markup fault",
	"internal/convert/pdf":    "convert/markup fault",
	"internal/convert/plain":  "convert/htmlmd convert/markup fault",
	"internal/convert/sheet":  "convert/markup fault",

	"internal/convert/readertest": "convert/markup fault",

	"internal/state": "fault kb",

	"internal/sources":         "fault kb",
	"internal/sources/filter":  "fault kb",
	"internal/sources/folder":  "fault kb secret sources sources/filter",
	"internal/sources/gitrepo": "fault kb secret sources sources/filter",
	"internal/sources/web":     "fault kb secret sources sources/web/article sources/web/fetch",
	// Fetching knows no documents, and taking a page apart knows no network.
	"internal/sources/web/fetch":   "fault kb secret",
	"internal/sources/web/article": "convert/htmlmd convert/markup fault",
	"internal/sources/all":         "sources sources/folder sources/gitrepo sources/web",
	"internal/sources/sourcetest":  "fault kb secret sources",

	"internal/targets":            "contract fault kb secret suggest",
	"internal/targets/adapter":    "fault httpapi kb secret targets",
	"internal/targets/chatbase":   "contract fault httpapi kb secret targets targets/adapter",
	"internal/targets/converse":   "fault httpapi kb secret targets targets/adapter",
	"internal/targets/hamsa":      "fault httpapi kb secret targets targets/adapter",
	"internal/targets/starleads":  "contract fault httpapi kb secret targets targets/adapter",
	"internal/targets/all":        "targets targets/chatbase targets/converse targets/hamsa targets/starleads",
	"internal/targets/targettest": "fault kb secret simulator targets",

	"internal/sync":    "convert fault kb sources state targets",
	"internal/config":  "fault kb secret sources suggest targets",
	"internal/daemon":  "config contract convert fault kb secret sources state sync targets",
	"internal/web":     "daemon fault kb secret state sync",
	"internal/console": "sync",

	// The simulator shares no code with the clients, so that one cannot hide the other's mistake.
	"internal/simulator": "",

	"internal/archtest":  "",
	"internal/crashtest": anything,
	"internal/bench":     anything,
	"docs/picture":       "",
}

// testsMayImport is what test files may import besides what their package may, and besides their package.
var testsMayImport = map[string]string{
	"":                   "convert/readertest fault kb secret simulator sources/sourcetest targets/targettest",
	"internal/archtest":  "",
	"internal/config":    anything,
	"internal/daemon":    anything,
	"internal/simulator": "",
	"internal/sync":      anything,
	"internal/web":       anything,
}

// fences tell which packages may import a module or a package of the standard library, and all below it.
// Test files may as well when tests is set.
var fences = []struct {
	path  string
	in    string
	tests bool
}{
	{"go.etcd.io/bbolt", "internal/state", true},
	{"go.yaml.in/yaml", "internal/config internal/contract internal/convert", true},
	{"github.com/fsnotify/fsnotify", "internal/sources/folder", false},
	{"github.com/spf13/cobra", "cmd/kbsyncd", false},
	{"github.com/spf13/pflag", "cmd/kbsyncd", false},
	{"github.com/gabriel-vasile/mimetype", "internal/convert internal/sources/web", true},
	{"github.com/BurntSushi/toml", "internal/convert", true},
	{"github.com/klippa-app/go-pdfium", "internal/convert/pdf", true},
	{"github.com/tetratelabs/wazero", "internal/convert/pdf", true},
	{"github.com/xuri/excelize", "internal/convert/sheet", true},
	{"code.dny.dev/ssrf", "internal/sources/web/fetch", true},
	{"github.com/andybalholm/cascadia", "internal/sources/web/article", true},
	{"codeberg.org/readeck/go-readability", "internal/sources/web/article internal/bench", true},
	{"github.com/getkin/kin-openapi", "*test", true},
	{"testing", "*test", true},
	{"pgregory.net/rapid", "*test", true},
	{"go.uber.org/goleak", "*test", true},
	{"github.com/google/go-cmp", "*test", true},
	{"github.com/rogpeppe/go-internal", "*test", true},
}

func TestImports(t *testing.T) {
	for _, f := range load(t) {
		allowed, listed := house[f.dir]
		if !listed {
			t.Errorf("%s: package %s is not in the house map; add it to house in internal/archtest", f.name, f.dir)
			continue
		}
		if f.test {
			extra, special := testsMayImport[f.dir]
			if !special {
				extra = testsMayImport[""]
			}
			allowed += " " + extra
		}
		for _, imported := range f.imports {
			if inside, ok := strings.CutPrefix(imported, module+"/"); ok {
				if !permits(allowed, strings.TrimPrefix(inside, "internal/")) && !(f.test && inside == f.dir) {
					t.Errorf("%s imports %s, which %s may not; see house in internal/archtest", f.name, imported, f.dir)
				}
				continue
			}
			checkFences(t, f, imported)
		}
	}
}

func permits(allowed, imported string) bool {
	list := strings.Fields(allowed)
	return slices.Contains(list, anything) || slices.Contains(list, imported)
}

func checkFences(t *testing.T, f file, imported string) {
	t.Helper()
	for _, fence := range fences {
		if imported != fence.path && !strings.HasPrefix(imported, fence.path+"/") || f.test && fence.tests {
			continue
		}
		if fence.in == "*test" && strings.HasSuffix(path.Base(f.dir), "test") || slices.Contains(strings.Fields(fence.in), f.dir) {
			continue
		}
		t.Errorf("%s imports %s, which belongs to %s only", f.name, imported, fence.in)
	}
}

// TestHouseMap holds that every line of the map names packages of the map.
func TestHouseMap(t *testing.T) {
	for pkg, allowed := range house {
		for name := range strings.FieldsSeq(allowed) {
			if _, ok := house["internal/"+name]; !ok && name != anything {
				t.Errorf("%s may import %s, which is not in the map", pkg, name)
			}
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	for _, f := range load(t) {
		if !f.test && f.lines > maxLines {
			t.Errorf("%s has %d lines, more than %d: divide it by subject", f.name, f.lines, maxLines)
		}
	}
}

func TestEverythingIsDocumented(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range load(t) {
		if f.test && f.dir != "internal/archtest" {
			continue
		}
		documented[f.dir] = documented[f.dir] || f.packageDoc != ""
		for _, missing := range f.undocumented {
			t.Errorf("%s: %s has no doc comment", f.name, missing)
		}
		if want := "Package " + f.pkg; f.packageDoc != "" && f.pkg != "main" && !strings.HasPrefix(f.packageDoc, want+" ") {
			t.Errorf("%s: the package comment begins with %.40q, want %q", f.name, f.packageDoc, want)
		}
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s has no package comment", dir)
		}
	}
}
