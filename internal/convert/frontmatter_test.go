package convert_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"kbsyncd/internal/convert"
	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

func TestFrontMatter(t *testing.T) {
	tests := []struct {
		what, text, want string
		agents           string // "-" is everybody
	}{
		{"YAML", "---\ntitle: Guide\ntags: [a]\n---\n\nText\n", "# Guide\n\nText\n", "-"},
		{"TOML", "+++\ntitle = \"Guide\"\n+++\nText\n", "# Guide\n\nText\n", "-"},
		{"ends in dots", "---\na: b\n...\nText\n", "Text\n", "-"},
		{"Windows lines", "---\r\ntitle: Guide\r\n---\r\n\r\nText\r\n", "# Guide\n\nText\r\n", "-"},
		{"byte order mark", "\xef\xbb\xbf---\na: b\n---\n\xc3\xa4\n", "ä\n", "-"},
		{"heading of its own", "---\ntitle: Guide\n---\n\n# Other\n", "# Other\n", "-"},
		{"heading of the second level", "---\ntitle: Guide\n---\n## Two\n", "# Guide\n\n## Two\n", "-"},
		{"our title first", "---\ntitle: Guide\nkbsync:\n  title: Manual\n---\nText\n", "# Manual\n\nText\n", "-"},
		{"number as title", "---\ntitle: 2024\n---\nText\n", "# 2024\n\nText\n", "-"},
		{"list as title", "---\ntitle: [a]\n---\nText\n", "Text\n", "-"},
		{"agents", "---\nkbsync: {agents: [b, a, b]}\n---\nText\n", "Text\n", "[b a]"},
		{"agents in TOML", "+++\n[kbsync]\nagents = [\"a\"]\n+++\nText\n", "Text\n", "[a]"},
		{"nobody", "---\nkbsync:\n  agents: []\n---\nText\n", "Text\n", "[]"},
		{"no skip", "---\nkbsync: {skip: false}\n---\nText\n", "Text\n", "-"},
		{"nothing said", "---\nkbsync:\n---\nText\n", "Text\n", "-"},
		{"empty", "---\n---\nText\n", "Text\n", "-"},
		{"a rule", "---\n\nText: is\n not: a table\n---\n", "---\n\nText: is\n not: a table\n---\n", "-"},
		{"our name between rules", "---\nWhat kbsync: is\nkbsyncd: a: b\n---\nText\n", "---\nWhat kbsync: is\nkbsyncd: a: b\n---\nText\n", "-"},
		{"prose between rules", "---\nSome words\n---\nText\n", "---\nSome words\n---\nText\n", "-"},
		{"no end", "---\ntitle: a\n", "---\ntitle: a\n", "-"},
		{"broken TOML", "+++\ntitle =\n+++\nText\n", "+++\ntitle =\n+++\nText\n", "-"},
		{"not at the beginning", "\n---\ntitle: a\n---\n", "\n---\ntitle: a\n---\n", "-"},
		{"too large", "---\na: " + strings.Repeat("x", 70_000) + "\n---\nText\n", "---\na: " + strings.Repeat("x", 70_000) + "\n---\nText\n", "-"},
		{"deep", "---\na: " + strings.Repeat("[", 30_000) + "\n---\nText\n", "---\na: " + strings.Repeat("[", 30_000) + "\n---\nText\n", "-"},
		{"aliases", "---\na: &a [x, x]\nb: &b [*a, *a]\ntitle: &t Hi\nkbsync: {title: *t}\n---\nText\n", "# Hi\n\nText\n", "-"},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			for _, name := range []string{"a.md", "a.mdx", "a.markdown"} {
				d, m := document(name, []byte(tt.text))
				r := mustRender(t, d, starleads(0))
				if got := sent(t, d, r)[0]; got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				if got := fmt.Sprint(r.Agents); r.Narrowed != (tt.agents != "-") || r.Narrowed && got != tt.agents {
					t.Errorf("narrowed %t to %s, want %s", r.Narrowed, got, tt.agents)
				}
				if r.Digest != kb.Sum(m.data) || m.opened != m.closed {
					t.Error("wrong digest of the source, or left open")
				}
			}
		})
	}
}

func TestFrontMatterErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"---\na: b\nkbsync:\n  skip: maybe\n---\nText\n", "line 4: kbsync.skip must be true or false"},
		{"---\nkbsync: {agents: a}\n---\nText\n", "line 2: kbsync.agents must be a list"},
		{"---\nkbsync:\n  agents: [a, [b]]\n---\nText\n", "line 3: kbsync.agents must be a list of the ids"},
		{"---\nkbsync:\n  agents: ['']\n---\nText\n", "line 3: kbsync.agents must be a list of the ids"},
		{"---\nkbsync:\n  title: {a: b}\n---\nText\n", "line 3: kbsync.title must be a text"},
		{"---\nkbsync:\n  titel: a\n---\nText\n", "line 3: kbsync.titel is not known; kbsync takes skip, title and agents"},
		{"---\nkbsync: yes please\n---\nText\n", "line 2: kbsync must hold keys"},
		{"---\nkbsync: [skip]\n---\nText\n", "line 2: kbsync must hold keys"},
		{"+++\na = 1\n[kbsync]\nskip = 1\n+++\nText\n", "line 4: kbsync.skip must be true or false"},
		{"+++\nkbsync.agents = \"a\"\n+++\nText\n", "line 2: kbsync.agents must be a list"},
		{"---\ntitle: a\n---\n\n \n", "nothing but front matter"},
		// What cannot be read must not let a document out that was to be kept in.
		{"---\ntitle: Setup: the internal way\nkbsync: {skip: true}\n---\nText\n", "line 3: it holds kbsync, but it cannot be read"},
		{"---\r\na: b: c\r\nkbsync:\r\n  agents: [a9]\r\n---\r\nText\r\n", "line 3: it holds kbsync"},
		{"---\rkbsync: {skip: true}\r---\rText\r", "line 2: it holds kbsync"},
		{"---\na: 1\na: 2\n\"kbsync\": {skip: true}\n---\nText\n", "line 4: it holds kbsync"},
		{"---\n{a: b: c, kbsync: {skip: true}}\n---\nText\n", "line 2: it holds kbsync"},
		{"---\nkbsync: {skip: true}\na: " + strings.Repeat("x", 70_000) + "\n---\nText\n", "line 2: it holds kbsync"},
		{"---\na: " + strings.Repeat("x", 70_000) + "\nkbsync: {skip: true}\n---\nText\n", "line 3: it holds kbsync"},
		{"---\nkbsync: {skip: true}\nText\n", "line 2: it holds kbsync"},
		{"+++\ntitle = \n[kbsync]\nskip = true\n+++\nText\n", "line 3: it holds kbsync"},
		{"+++\ntitle = \nkbsync.skip = true\n+++\nText\n", "line 3: it holds kbsync"},
	}
	for _, tt := range tests {
		d, _ := document("a.md", []byte(tt.text))
		_, err := convert.Render(t.Context(), d, starleads(0))
		refused := errors.Is(err, fault.ErrRejected) || strings.Contains(tt.want, "nothing but") && isUnsupported(err)
		if !refused || errors.Is(err, convert.ErrSkip) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %q", tt.text, err, tt.want)
		}
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Hint == "" {
			t.Errorf("%v has no next step", err)
		}
	}
	for _, text := range []string{
		"---\nkbsync: {skip: true}\n---\nText\n", "---\nkbsync:\n  skip: yes\n---\n", "+++\nkbsync.skip = true\n+++\nText\n",
	} {
		d, _ := document("a.md", []byte(text))
		if _, err := convert.Render(t.Context(), d, starleads(0)); !errors.Is(err, convert.ErrSkip) || !isUnsupported(err) {
			t.Errorf("%q: got %v, want ErrSkip", text, err)
		}
	}
	// Other kinds of documents have none.
	d, _ := document("a.txt", []byte("---\nkbsync: {skip: true}\n---\nText\n"))
	if r := mustRender(t, d, starleads(0)); r.Parts[0].Size != d.Size {
		t.Errorf("got %+v", r)
	}
}

// Blocks that would cost a parser minutes are content.
func TestHostileFrontMatter(t *testing.T) {
	for what, text := range map[string]string{
		"dotted table":      "+++\n[" + strings.Repeat("a.", 30_000) + "a]\n+++\nText\n",
		"dotted key":        "+++\n" + strings.Repeat("a.", 30_000) + "a=1\n+++\nText\n",
		"inline tables":     "+++\na=" + strings.Repeat("{a=", 20_000) + "\n+++\nText\n",
		"lists in lists":    "+++\na=" + strings.Repeat("[", 60_000) + "\n+++\nText\n",
		"YAML in brackets":  "---\na: " + strings.Repeat("{a: ", 15_000) + "\n---\nText\n",
		"a key 20000 times": "---\n" + strings.Repeat("a:\n", 20_000) + "---\nText\n",
	} {
		began := time.Now()
		d, _ := document("a.md", []byte(text))
		if r := mustRender(t, d, starleads(0)); r.Parts[0].Size != d.Size {
			t.Errorf("%s: not sent as it is", what)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: took %s", what, took)
		}
	}
}

// A change of front matter that says nothing to us sends nothing.
func TestFrontMatterAlone(t *testing.T) {
	body := manual(300)
	with := func(front string) []string {
		d, _ := document("a.md", []byte(front+body))
		r := mustRender(t, d, starleads(5000))
		checkParts(t, []byte(front+body), r, 5000)
		return sent(t, d, r)
	}
	plain := with("")
	for _, front := range []string{"---\ndraft: false\n---\n", "---\ndraft: true\ndate: 2024-01-01\n---\n\n", "+++\nkbsync.agents = []\n+++\n"} {
		if fmt.Sprint(with(front)) != fmt.Sprint(plain) {
			t.Errorf("%q changes what is sent", front)
		}
	}
}

func TestKeepFrontMatter(t *testing.T) {
	to := starleads(0)
	to.KeepFrontMatter = true
	text := "---\ntitle: Guide\nkbsync: {agents: [a]}\n---\nText\n"
	d, _ := document("a.md", []byte(text))
	r := mustRender(t, d, to)
	if got := sent(t, d, r)[0]; got != text || !r.Narrowed {
		t.Errorf("got %q, %+v", got, r)
	}
}

// The title stands above every part.
func TestTitleOfParts(t *testing.T) {
	text := "---\ntitle: Guide\n---\n" + strings.Repeat("A paragraph of some length, without headings.\n\n", 40)
	d, _ := document("a.md", []byte(text))
	r := mustRender(t, d, starleads(300))
	checkParts(t, []byte(text), r, 300)
	for i, s := range sent(t, d, r) {
		if !strings.HasPrefix(s, "# Guide\n\nA paragraph") {
			t.Errorf("part %d begins with %.30q", i+1, s)
		}
	}
}

func FuzzFrontMatter(f *testing.F) {
	for _, s := range []string{
		"---\ntitle: a\nkbsync: {skip: false, agents: [a]}\n---\n# T\n", "+++\n[kbsync]\ntitle = 'x'\n+++\ntext",
		"---\n? [a]\n: b\n<<: *a\n---\n", "---\na: &a [*a]\n---\nx", "---\n!!binary a: b\n---\nx",
	} {
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, keep bool) {
		d, m := document("a.md", data)
		to := starleads(100)
		to.KeepFrontMatter = keep
		r, err := convert.Render(t.Context(), d, to)
		if m.opened != m.closed {
			t.Fatal("left open")
		}
		if err != nil {
			if !isUnsupported(err) && !errors.Is(err, fault.ErrRejected) {
				t.Fatal(err)
			}
			return
		}
		body := ""
		for i, s := range sent(t, d, r) {
			body += strings.TrimPrefix(s, r.Parts[i].Prefix)
		}
		if !r.Parts[0].Converted() && !strings.HasSuffix(string(data), body) {
			t.Fatalf("%q became %q", data, body)
		}
		if keep && r.Parts[0].Prefix != "" {
			t.Fatalf("a title %q before front matter", r.Parts[0].Prefix)
		}
	})
}
