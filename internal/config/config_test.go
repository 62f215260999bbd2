package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kbsyncd/internal/fault"
	sourcekinds "kbsyncd/internal/sources/all"
	"kbsyncd/internal/targets"
	targetkinds "kbsyncd/internal/targets/all"
	"kbsyncd/internal/targets/starleads"
)

var update = flag.Bool("update", false, "rewrite the expected files")

func testKinds() Kinds {
	return Kinds{Sources: sourcekinds.Kinds(), Targets: targetkinds.Kinds()}
}

// testEnv is the environment of every test; the keys are recognisable in messages.
var testEnv = map[string]string{
	"STARLEADS_API_KEY": "secret-value-one", "CHATBASE_API_KEY": "secret-value-two",
	"HAMSA_API_KEY": "secret-value-three", "CONVERSE_API_KEY": "secret-value-four",
	"DOCS_TOKEN": "secret-value-five", "GIT_TOKEN": "secret-value-six",
	"SLACK_WEBHOOK": "https://hooks.example.com/secret-value-seven",
	"EMPTY":         "", "POLL": "5m", "DEPTH": "4", "YES": "true",
}

func lookup(name string) (string, bool) {
	v, ok := testEnv[name]
	return v, ok
}

// load writes a file and loads it under the name kbsync.yaml.
func load(t testing.TB, text string) (*Config, error) {
	t.Helper()
	return parse("kbsync.yaml", t.TempDir(), []byte(text), lookup, testKinds())
}

func problems(t testing.TB, err error) []Problem {
	t.Helper()
	p, ok := errors.AsType[*Problems](err)
	if !ok {
		t.Fatalf("error %v (%T) is not *Problems", err, err)
	}
	return p.List
}

func TestPairs(t *testing.T) {
	good, _ := filepath.Glob("testdata/*.good.yaml")
	bad, _ := filepath.Glob("testdata/*.bad.yaml")
	if len(good) < 3 || len(bad) < 5 {
		t.Fatalf("only %d good and %d bad files", len(good), len(bad))
	}
	for _, name := range good {
		t.Run(filepath.Base(name), func(t *testing.T) {
			if _, err := Load(name, lookup, testKinds()); err != nil {
				t.Error(err)
			}
		})
	}
	for _, name := range bad {
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			_, err = parse("kbsync.yaml", "testdata", data, lookup, testKinds())
			got := ""
			if err != nil {
				got = err.Error() + "\n"
			}
			golden := strings.TrimSuffix(name, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, _ := os.ReadFile(golden)
			if got == "" || got != string(want) {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
			if strings.Contains(got, "secret-value") {
				t.Error("a secret is in the message")
			}
		})
	}
}

const minimal = `
sources:
  product: { type: git, repo: /srv/product.git }
targets:
  voice: { type: hamsa, api_key: k }
`

func TestDefaults(t *testing.T) {
	c, err := load(t, minimal)
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:8642" || c.Owner != "kbsyncd" || c.Log != (Log{"info", "text"}) {
		t.Errorf("top level: %+v", c)
	}
	if want := filepath.Join(c.Dir, ".kbsync", "kbsync.db"); c.State != want {
		t.Errorf("state %s, want %s", c.State, want)
	}
	s, ok := c.Sync("default")
	if !ok || len(c.Syncs) != 1 || !slices.Equal(s.From, []string{"product"}) || !slices.Equal(s.To, []string{"voice"}) {
		t.Fatalf("syncs: %+v", c.Syncs)
	}
	if !s.Delete || s.DeleteAfter != time.Minute || s.Reconcile != 24*time.Hour || s.Cron == nil || !s.MaxDelete.Default {
		t.Errorf("sync: %+v", s)
	}
	if c.Targets["voice"].Kind.Name != "hamsa" || c.Sources["product"].Type != "git" {
		t.Errorf("kinds: %+v %+v", c.Targets["voice"], c.Sources["product"])
	}
}

func TestStateDirectory(t *testing.T) {
	env := func(name string) (string, bool) {
		if name == "STATE_DIRECTORY" {
			return "/var/lib/kbsync:/var/lib/other", true
		}
		return "", false
	}
	c, err := parse("kbsync.yaml", "/etc", []byte(minimal), env, testKinds())
	if err != nil || c.State != "/var/lib/kbsync/kbsync.db" {
		t.Errorf("%v, %v", c, err)
	}
}

func TestMaxDelete(t *testing.T) {
	for _, tt := range []struct {
		text            string
		documents, want int
	}{
		{"25%", 100, 25}, {"25%", 3, 0}, {"7", 1000, 7}, {"0", 50, 0}, {"0%", 50, 0}, {"100%", 50, 50}, {"2.5%", 1000, 25},
	} {
		var m MaxDelete
		if err := m.UnmarshalText([]byte(tt.text)); err != nil || m.Allowed(tt.documents) != tt.want || m.String() != tt.text {
			t.Errorf("%s of %d: %d (%s), %v, want %d", tt.text, tt.documents, m.Allowed(tt.documents), m, err, tt.want)
		}
	}
	std := MaxDelete{Percent: 25, Count: 10, Default: true}
	if std.Allowed(12) != 10 || std.Allowed(100) != 25 {
		t.Errorf("default: %d of 12, %d of 100", std.Allowed(12), std.Allowed(100))
	}
}

func TestScalars(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"10m": 10 * time.Minute, "1h30m": 90 * time.Minute, "1d": 24 * time.Hour, "1d12h": 36 * time.Hour, "0": 0, "500ms": 500 * time.Millisecond,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "10", "1w", "d", "1d-2h", "1d+2h", "abc", "99999999d", "36500d999999h", "9999999h"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
	for text, want := range map[string]int64{
		"5MB": 5_000_000, "5_000_000": 5_000_000, "5 MiB": 5_242_880, "1.5kb": 1500, "0": 0, "9007199254740993": 9007199254740993,
	} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-1", "5XB", "MB", "1e6", "99999999999999999999", "9999999999GB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestSchedules(t *testing.T) {
	for _, spec := range []string{
		"*/15 * * * *", "0 9 * * mon-fri", "0 0 29 2 *", "@hourly", "@every 10m", "@every 1d", "TZ=Europe/Berlin 0 6 * * *",
		"CRON_TZ=UTC @daily", "5,10-20/2 ? * jan,FEB 0",
	} {
		if s, err := ParseSchedule(spec); err != nil || s.Next(time.Now()).IsZero() {
			t.Errorf("%q: %v", spec, err)
		}
	}
	for spec, want := range map[string]string{
		"61 * * * *":                "minute 61 is out of range 0-59",
		"* * * * 7":                 "day of week 7 is out of range 0-6 (0 is Sunday)",
		"0 0 31 2 *":                "never fires",
		"* * *":                     "has 3 fields instead of 5",
		"TZ=Europe/Berlin":          "a time zone alone",
		"TZ=":                       "time zone",
		"CRON_TZ=Nowhere 0 * * * *": `time zone "Nowhere" is not known`,
		"@every 10ms":               "shorter than a second",
		"@every":                    "not a duration",
		"@hourli":                   `did you mean "@hourly"?`,
		"*/90 * * * *":              "larger than the range",
		"*/0 * * * *":               "not a positive number",
		"5-1 * * * *":               "runs backwards",
		", * * * *":                 "is not a number",
		"1-2-3 * * * *":             "is not a number",
		"":                          "has 0 fields",
	} {
		if _, err := ParseSchedule(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", spec, err, want)
		}
	}
}

func TestExpand(t *testing.T) {
	for text, want := range map[string]string{
		"${POLL}": "5m", "a${POLL}b${DEPTH}": "a5mb4", "${NONE:-x:-y}": "x:-y", "${EMPTY:-d}": "d", "${EMPTY}": "",
		"$${POLL}": "${POLL}", "$POLL": "$POLL", "$": "$", "a$${": "a${",
	} {
		if got, err := expand(text, lookup); err != nil || got.text != want {
			t.Errorf("%s: %q, %v, want %q", text, got.text, err, want)
		}
	}
	for _, text := range []string{"${NONE}", "${", "${}", "${a b}", "${A:-${B}}", "${secret-value-x"} {
		if _, err := expand(text, lookup); err == nil || strings.Contains(err.Error(), "secret-value") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestFind(t *testing.T) {
	t.Chdir(t.TempDir())
	env := map[string]string{}
	get := func(n string) (string, bool) { v, ok := env[n]; return v, ok }
	if _, err := os.Stat(searchPath[1]); err != nil {
		if _, err := Find("", get); !errors.Is(err, fault.ErrSetup) {
			t.Errorf("nothing there: %v", err)
		}
	}
	if err := os.WriteFile("kbsync.yaml", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, _ := Find("", get); got != "kbsync.yaml" {
		t.Errorf("here: %s", got)
	}
	env["KBSYNC_CONFIG"] = "other.yaml"
	if got, _ := Find("", get); got != "other.yaml" {
		t.Errorf("variable: %s", got)
	}
	if got, _ := Find("flag.yaml", get); got != "flag.yaml" {
		t.Errorf("flag: %s", got)
	}
	if _, err := Load("missing.yaml", get, testKinds()); !errors.Is(err, fault.ErrSetup) || !strings.HasPrefix(err.Error(), "missing.yaml: ") {
		t.Errorf("missing: %v", err)
	}
}

func TestLarge(t *testing.T) {
	_, err := load(t, minimal+strings.Repeat("#", maxFile))
	if got := problems(t, err); len(got) != 1 || !strings.Contains(got[0].Msg, "1 MB") {
		t.Error(err)
	}
}

func TestAliases(t *testing.T) {
	bomb := "sources: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'l'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat("*"+string(c-1)+",", 10), ",") + "]\n"
	}
	bomb += "targets: { s: { type: fake, parser_config: { a: *k } } }\n"
	start := time.Now()
	kinds := testKinds()
	kinds.Targets = append(kinds.Targets, targets.Kind{Name: "fake", NewConfig: func() targets.Config { return &fakeTarget{} }})
	_, err := parse("kbsync.yaml", "/", []byte(bomb), lookup, kinds)
	if err == nil || !strings.Contains(err.Error(), "aliases make the file too large") || time.Since(start) > 20*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	if _, err := parse("kbsync.yaml", "/", []byte("targets: { s: { type: fake, parser_config: &p { a: *p } } }"), lookup, kinds); err == nil || !strings.Contains(err.Error(), "refers to itself") {
		t.Error(err)
	}
	c, err := load(t, `
sources:
  a: &git { type: git, repo: /srv/a.git, include: ["**/*.md"] }
  b: { <<: *git, repo: /srv/b.git }
targets:
  voice: { type: hamsa, api_key: k }
`)
	if err != nil || c.Sources["b"].Type != "git" {
		t.Errorf("merge: %v", err)
	}
}

// fakeTarget has the field types that only some vendors use.
type fakeTarget struct {
	targets.Common
	Parser map[string]any `yaml:"parser_config"`
	Graph  *struct {
		Enabled bool `yaml:"enabled"`
	} `yaml:"graph"`
}

func (*fakeTarget) Validate() []fault.Invalid                    { return nil }
func (*fakeTarget) Open(targets.Options) (targets.Target, error) { return nil, nil }

func TestAnything(t *testing.T) {
	f := &fakeTarget{}
	kinds := Kinds{
		Sources: sourcekinds.Kinds(),
		Targets: []targets.Kind{{Name: "fake", NewConfig: func() targets.Config { return f }}},
	}
	_, err := parse("kbsync.yaml", "/", []byte(`
sources: { g: { type: git, repo: /x } }
targets:
  t:
    type: fake
    api_key: k
    graph: { enabled: "${YES}" }
    parser_config: { n: 5, s: "5", b: true, f: 1.5, l: [a, "${DEPTH}"], d: "${DEPTH}", nothing: }
    rate: "${DEPTH}"
    max_file_size: 5MiB
    timeout: 0
`), lookup, kinds)
	if err != nil {
		t.Fatal(err)
	}
	p := f.Parser
	if p["n"] != int64(5) || p["s"] != "5" || p["b"] != true || p["f"] != 1.5 || p["d"] != "4" || p["nothing"] != nil ||
		!f.Graph.Enabled || f.Rate != 4 || f.MaxFileSize != 5<<20 || f.Timeout != 0 {
		t.Errorf("%+v", f)
	}
}

func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("key", "secret-value-file\r\n")
	write("empty", "\n")
	write("lines", "secret-value-a\nsecret-value-b\n")
	text := func(key string) []byte {
		return []byte("sources: { g: { type: git, repo: /x } }\ntargets:\n  v:\n    type: hamsa\n    " + key + "\n")
	}
	c, err := parse("kbsync.yaml", dir, text("api_key_file: key"), lookup, testKinds())
	if err != nil {
		t.Fatal(err)
	}
	if got := reveal(c.Targets["v"].Config); got != "secret-value-file" {
		t.Errorf("key %q", got)
	}
	for key, want := range map[string]string{
		"api_key_file: empty": "the file is empty",
		"api_key_file: lines": "more than one line",
		"api_key_file: none":  "no such file",
		"api_key_file: .":     "not a regular file",
		"api_key_file: key\n    api_key: secret-value-inline": "given together with api_key",
		"api_key: ${EMPTY}":            "targets.v.api_key: empty",
		"api_keys: x":                  `did you mean "api_key"?`,
		"rate: 1":                      "targets.v.api_key: missing",
		`api_key: "secret-value\x01x"`: "control character",
	} {
		_, err := parse("kbsync.yaml", dir, text(key), lookup, testKinds())
		if got := problems(t, err); len(got) != 1 || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret-value") {
			t.Errorf("%s: %v, want %s", key, err, want)
		}
	}
}

// TestSecretsNeverShown puts a secret where it does not belong (promise P8).
func TestSecretsNeverShown(t *testing.T) {
	for _, text := range []string{
		"listen: ${GIT_TOKEN}", "owner: [\"${GIT_TOKEN}\"]", "log: { level: \"${GIT_TOKEN}\" }",
		"sources: { w: { type: url, urls: \"https://u:secret-value-pw@h/\" } }",
		"sources: { w: { type: \"${GIT_TOKEN}\" } }", "sources: { w: { type: url, urls: \"${GIT_TOKEN}\" } }",
		"sources: { w: { type: git, repo: \"https://x:${GIT_TOKEN}@h/r.git\", token: \"${GIT_TOKEN}\", ref: \"..${GIT_TOKEN}\" } }",
		"targets: { v: { type: hamsa, api_key: *secret-value-anchor } }",
		"targets: { v: { type: hamsa, api_key: [secret-value-list] } }",
		"targets: { v: { type: hamsa, api_key: { a: secret-value } } }",
		"targets: { v: { type: hamsa, api_key: secret-value-q, base_url: secret-value-q, routes: { item_delete: secret-value-q } } }",
		"targets:\n  v:\n    type: hamsa\n    api_key:secret-value-nospace", "targets:\n  v:\n    api_key:secret-value-alone",
		"targets: { v: { type: hamsa, api_key: \"${secret-value\" } }",
		"syncs: { s: { from: \"${GIT_TOKEN}\", to: \"${GIT_TOKEN}\", schedule: \"${GIT_TOKEN}\", max_delete: \"${GIT_TOKEN}\" } }",
		"notify: [ { url: \"${SLACK_WEBHOOK}\", on: \"${SLACK_WEBHOOK}\" } ]",
		"listen: secret-value-t\nlisten_token: secret-value-t", "api_key: !secret-value x", "a: \"secret-value\n b: c",
	} {
		_, err := load(t, text)
		if err == nil || strings.Contains(err.Error(), "secret-value") {
			t.Errorf("%s:\n%v", text, err)
		}
	}
}

func TestScopeCollision(t *testing.T) {
	first, second := collision(t)
	_, err := load(t, minimal+"syncs:\n  "+first+": { from: product, to: voice }\n  "+second+": { from: product, to: voice }\n")
	if got := problems(t, err); len(got) != 1 || !strings.Contains(got[0].Msg, "mark is the same") {
		t.Error(err)
	}
}

func TestDeep(t *testing.T) {
	_, err := load(t, "sources: "+strings.Repeat("[", 3000)+strings.Repeat("]", 3000))
	problems(t, err)
	_, err = load(t, minimal+"notify: "+strings.Repeat("[", 9000)+strings.Repeat("]", 9000))
	problems(t, err)
}

func TestRoutes(t *testing.T) {
	c, err := Load("testdata/routes.good.yaml", lookup, testKinds())
	if err != nil {
		t.Fatal(err)
	}
	followed := c.Targets["followed"].Config.(*starleads.Config)
	if !followed.Routes.Auto() || followed.OpenAPI != "https://docs.starleads.co/api-reference/openapi.json" {
		t.Errorf("routes %v of %s", followed.Routes, followed.OpenAPI)
	}
	mapped := c.Targets["mapped"].Config.(*starleads.Config)
	if mapped.Routes.Auto() || len(mapped.Routes) != 1 || mapped.OpenAPI != filepath.Join(c.Dir, "vendor", "openapi.json") {
		t.Errorf("routes %v of %s", mapped.Routes, mapped.OpenAPI)
	}
}
