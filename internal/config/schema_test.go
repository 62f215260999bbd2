package config

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

const example = "../../kbsync.example.yaml"

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := Schema(testKinds())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("kbsync.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("kbsync.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// validate checks YAML text against the schema.
func validate(t *testing.T, s *jsonschema.Schema, text []byte) error {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	j, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(j))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc)
}

func TestSchema(t *testing.T) {
	s := compile(t)
	good, _ := filepath.Glob("testdata/*.good.yaml")
	for _, name := range append(good, example) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, s, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{"owner:", "ownr:"}, {"    path: ./docs", "    pth: ./docs"}, {"type: starleads", "type: starlead"}, {"      depth: 3", "      dept: 3"},
		{"poll: 1m", "poll: 1"}, {"watch: auto", "watch: maybe"}, {"    api_key: ${HAMSA_API_KEY}\n", ""}, {"max_pages: 1000", "max_pages: many"},
		{"    to: support", ""}, {"      - id: agt_3", "      - idd: agt_3"}, {"  handbook:", "  hand book:"},
	} {
		changed := strings.Replace(string(text), change[0], change[1], 1)
		if changed == string(text) {
			t.Fatalf("%q is not in the example", change[0])
		}
		if err := validate(t, s, []byte(changed)); err == nil {
			t.Errorf("the schema takes %q for %q", change[1], change[0])
		}
	}
}

func TestExample(t *testing.T) {
	c, err := Load(example, lookup, testKinds())
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Sources) != 3 || len(c.Targets) != 4 || len(c.Syncs) != 2 || len(c.Notify) != 1 {
		t.Errorf("%+v", c)
	}
}

const (
	docFile  = "../../docs/configuration.md"
	docBegin = "<!-- What follows is generated: go test ./internal/config -run TestReference -update -->\n"
)

// TestReference holds the generated part of the documentation to the code.
func TestReference(t *testing.T) {
	text, err := os.ReadFile(docFile)
	if err != nil {
		t.Fatal(err)
	}
	intro, got, ok := strings.Cut(string(text), docBegin)
	if !ok {
		t.Fatalf("%s lacks the line that begins the generated part", docFile)
	}
	want := "\n" + Reference(testKinds())
	if *update {
		if err := os.WriteFile(docFile, []byte(intro+docBegin+want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("%s is out of date: go test ./internal/config -run TestReference -update", docFile)
	}
}

// TestDocumented makes sure that every key says what it is for.
func TestDocumented(t *testing.T) {
	for line := range strings.SplitSeq(Reference(testKinds()), "\n") {
		if strings.HasPrefix(line, "| `") && strings.HasSuffix(line, "|  |") {
			t.Errorf("no doc tag: %s", line)
		}
	}
}
