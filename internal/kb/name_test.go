package kb_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"kbsyncd/internal/kb"
)

func markOf(k kb.Key, part int) kb.Mark {
	return kb.Mark{Scope: kb.NewScope("acme", "support"), Key: k.Hash(), Part: part, Hash: kb.Sum([]byte(k)).Short()}
}

// hostile are names that people, scripts and other systems really make.
var hostile = []string{
	"a.md", "", ".", "..", ".md", ".kbabc.md", "CON", "con.md", "nul.txt", "README", "a.tar.gz", "-rf", "--", "___", "a b c.md",
	"name(1).md", "name (2).md", "a(1)", "it's \"quoted\".md", "<script>.md", "a;b&c|d.md", "a\\b.md", "a\nb.md", "a\x00b.md", "a\x1b[31m.md", "%2e%2e%2f.md",
	"\u202egnp.exe.md", "a\u200fb\u200e.md", "\ufeffbom.md", "zero\u200bwidth.md", "fu\u0308r.md", "f\u00fcr.md", "日本語の文書.md", "\xff\xfe\xfd.md", "a\xc3.md",
	"👩‍👩‍👧 family.md", "e\u0301\u0301\u0301.md", strings.Repeat("x", 255), strings.Repeat("é", 200) + ".md", strings.Repeat("日", 120) + ".md",
	"install.kbaaaaabbbbbbbbbb-0123456789.md", "INSTALL.KBAAAAABBBBBBBBBB-0123456789.MD", "x.kbaaaaabbbbbbbbbb-p0002-0123456789", ".kbaaaaabbbbbbbbbb-0123456789",
	"a..kbaaaaabbbbbbbbbb-0123456789", "kbaaaaabbbbbbbbbb-0123456789.md", "\u212Bngstr\u00f6m.\u212AB.md",
}

// checkName holds what is promised of every remote name.
func checkName(t interface {
	Helper()
	Fatalf(string, ...any)
}, k kb.Key, m kb.Mark, ext string, limit int,
) {
	t.Helper()
	name := kb.RemoteName(k, m, ext, limit)
	if len(name) > limit {
		t.Fatalf("%q: %q has %d bytes, limit %d", k, name, len(name), limit)
	}
	if !utf8.ValidString(name) || !norm.NFC.IsNormalString(name) {
		t.Fatalf("%q: %q is not valid UTF-8 in NFC", k, name)
	}
	for _, r := range name {
		if !unicode.In(r, unicode.L, unicode.M, unicode.Nd) && !strings.ContainsRune(".-_", r) {
			t.Fatalf("%q: %q has the character %U", k, name, r)
		}
	}
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") || !strings.HasSuffix(name, ext) {
		t.Fatalf("%q: %q begins or ends wrongly", k, name)
	}
	if n := strings.Count(strings.ToLower(name), ".kb"); n != 1 {
		t.Fatalf("%q: %q has %d beginnings of a mark", k, name, n)
	}
	base := strings.TrimSuffix(name, ext)
	for what, seen := range map[string]string{
		"as sent": name, "upper case": strings.ToUpper(name), "decomposed": norm.NFD.String(name), "counter": base + " (2)" + ext, "ASCII": ascii(name),
	} {
		if !kb.NamedFor(k, seen) {
			t.Fatalf("%s: %q is not named for %q", what, seen, k)
		}
	}
	for _, seen := range []string{"Re: " + name, "☃" + name, "☃ " + name, ".." + name} {
		if kb.NamedFor(k, seen) {
			t.Fatalf("%q is named for %q", seen, k)
		}
	}
	for what, seen := range map[string]string{
		"as sent": name, "upper case": strings.ToUpper(name), "other extension": base + ".txt", "no extension": base, "one more": name + ".txt",
	} {
		if got, copied, ok := kb.ParseName(seen); !ok || copied || got != m {
			t.Fatalf("%s: ParseName(%q) = %+v, %v, %v; want %+v", what, seen, got, copied, ok, m)
		}
	}
	for what, seen := range map[string]string{
		"counter": base + "(1)" + ext, "space and counter": base + " (12)" + ext, "long counter": base + "(2026)" + ext, "counter alone": base + "(4)",
	} {
		if got, copied, ok := kb.ParseName(seen); !ok || !copied || got != m {
			t.Fatalf("%s: ParseName(%q) = %+v, %v, %v; want %+v", what, seen, got, copied, ok, m)
		}
	}
	// A name cut short is nobody's: it must not become the mark of another document.
	for n := range len(base) {
		if got, _, ok := kb.ParseName(base[:n]); ok {
			t.Fatalf("ParseName(%q) = %+v, but the name was cut", base[:n], got)
		}
	}
}

// ascii is a name as some vendors keep it.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return -1
		}
		return r
	}, s)
}

func TestNamedFor(t *testing.T) {
	k := kb.NewKey("src", "setup/Guide d'été.md") // its stem is Guide-d-été
	for stem, want := range map[string]bool{
		"Guide-d-été": true, "guide-D-ÉTÉ": true, "Guide-d-t": true, "Guide-d-té": true, "Guide-d": true, "Guide": true, "Guide-d-e\u0301te\u0301": true,
		"": false, "Guide-d-été-2": false, "Guide-d-étéé": false, "Comment on Guide-d-été": false, "Guide d été": false, "uide-d-été": false, "Guide-d-üté": false,
		"été": false, "document": false, "Guide-d-été.": false,
	} {
		if got := kb.NamedFor(k, stem+"."+markOf(k, 0).String()+".md"); got != want {
			t.Errorf("%q: %v", stem, got)
		}
	}
	nameless := kb.NewKey("src", "日本語.md")
	if !kb.NamedFor(nameless, "."+markOf(nameless, 2).String()) {
		t.Error("a vendor that drops the whole stem")
	}
	if other := kb.NewKey("src", "other/Guide d'été.md"); kb.NamedFor(other, kb.RemoteName(k, markOf(k, 0), ".md", 255)) {
		t.Error("named for another document with the same base name")
	}
	if kb.NamedFor(k, "Guide-d-été.md") || kb.NamedFor(k, "") {
		t.Error("a name without a mark")
	}
}

func TestRemoteNameHostile(t *testing.T) {
	seen := map[string]kb.Key{}
	for _, h := range hostile {
		for _, part := range []int{0, 1, 9999} {
			for _, limit := range []int{64, 100, 255} {
				k := kb.NewKey("src", "dir/"+h)
				checkName(t, k, markOf(k, part), ".md", limit)
				name := strings.ToLower(fmt.Sprint(limit, part, kb.RemoteName(k, markOf(k, part), ".md", limit)))
				if other, ok := seen[name]; ok {
					t.Errorf("%q and %q share the name %q", k, other, name)
				}
				seen[name] = k
			}
		}
	}
}

func TestRemoteNameIsReadable(t *testing.T) {
	for base, want := range map[string]string{
		"install-guide.md": "install-guide", "Guide d'été (v2).md": "Guide-d-été-v2", "日本語.md": "日本語", ".env": "env", "???": "document", "": "src",
		"fu\u0308r.md": "f\u00fcr", "a.KB.md": "a-KB", "notes.v1.2.md": "notes.v1.2", "README": "README",
	} {
		k := kb.NewKey("src", base)
		stem, _, _ := strings.Cut(kb.RemoteName(k, markOf(k, 0), ".md", 255), ".kb")
		if stem != want {
			t.Errorf("%q: got %q, want %q", base, stem, want)
		}
	}
	// One name as it stands in vendors' stores: this format may not change.
	const want = "install-guide.kbztikp7sq73vgluy-p0002-fca1fdd4cb.md"
	k := kb.Key("handbook/setup/install-guide.md")
	if got := kb.RemoteName(k, markOf(k, 2), ".md", 255); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Every remote name can be read back, whatever a converter or a vendor calls its extension.
func TestRemoteNameOddExtensions(t *testing.T) {
	k := kb.NewKey("src", "a.md")
	for _, ext := range []string{"", ".", "md", ".properties", ".c++", ".tar.gz", ".a.b.c", ".été", ".KBX", ". md", "(1)", "(1).md", ".md/x"} {
		m := markOf(k, 0)
		name := kb.RemoteName(k, m, ext, 255)
		if got, copied, ok := kb.ParseName(name); !ok || copied || got != m {
			t.Errorf("%q: ParseName(%q) = %+v, %v, %v", ext, name, got, copied, ok)
		}
	}
}

func TestRemoteNameClipsOnCharacters(t *testing.T) {
	k := kb.NewKey("src", strings.Repeat("日本", 100)+".md")
	for limit := 45; limit < 120; limit++ {
		checkName(t, k, markOf(k, 0), ".md", limit)
		if n := len(kb.RemoteName(k, markOf(k, 0), ".md", limit)); n < limit-2 {
			t.Errorf("limit %d: only %d bytes used", limit, n)
		}
	}
}

func TestRemoteNameProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.OneOf(rapid.String(), rapid.SampledFrom(hostile), rapid.StringMatching(`[a-zA-Z.kb()\-_ 0-9]{0,300}`)).Draw(t, "base")
		k := kb.NewKey("src", base)
		m := kb.Mark{
			Scope: kb.NewScope(rapid.String().Draw(t, "owner"), rapid.String().Draw(t, "sync")),
			Key:   k.Hash(), Part: rapid.IntRange(0, 9999).Draw(t, "part"), Hash: kb.Sum([]byte(rapid.String().Draw(t, "content"))).Short(),
		}
		ext := rapid.SampledFrom([]string{"", ".md", ".txt", ".json", ".docx"}).Draw(t, "ext")
		checkName(t, k, m, ext, rapid.IntRange(50, 300).Draw(t, "limit"))
	})
}

func TestMarksDiffer(t *testing.T) {
	scopes, keys := map[kb.Scope]bool{}, map[kb.KeyHash]bool{}
	for i := range 1000 {
		scopes[kb.NewScope("acme", fmt.Sprint("sync", i))] = true
		keys[kb.NewKey("src", fmt.Sprint(i, ".md")).Hash()] = true
	}
	if len(scopes) != 1000 || len(keys) != 1000 {
		t.Errorf("%d scopes, %d keys of 1000", len(scopes), len(keys))
	}
	if kb.NewScope("a", "bc") == kb.NewScope("ab", "c") {
		t.Error("owner and sync run into each other")
	}
}

// A stranger's document is never taken for ours (P3).
func TestParseNameStrangers(t *testing.T) {
	for _, name := range []string{
		"", ".", "kb", ".kb", "x.kb", "install.md", "report.kbx", "a.kb.md", "guide.kbaaaaabbbbbbbbbb.md", "guide.kbaaaaabbbbbbbbbb-.md",
		"guide.kbaaaaabbbbbbbbbb-012345678.md", "guide.kbaaaaabbbbbbbbbb-0123456789a.md", "guide.kbaaaaabbbbbbbbbb-012345678g.md", "guide.kbaaaaabbbbbbbbb1-0123456789.md",
		"guide.kbaaaaabbbbbbbbbb-p2-0123456789.md", "guide.kbaaaaabbbbbbbbbb-p0000-0123456789.md", "guide.kbaaaaabbbbbbbbbb-p00002-0123456789.md", "guide.kbaaaaabbbbbbbbbb-p-001-0123456789.md",
		"guide.kbaaaaabbbbbbbbbb-p+001-0123456789.md", "guide.kbaaaaabbbbbbbbbb-p0001-012345678", "guide.kbaaaaabbbbbbbbbb-0123456789(x).md", "guide.kbaaaaabbbbbbbbbb-0123456789(1)x.md",
		"guide.kbaaaaabbbbbbbbbb-0123456789(1.md", "guide.kbaaaaabbbbbbbbbb-0123456789_(3).md", "guide.kbaaaaabbbbbbbbbb-0123456789  (3).md", "guide.kbaaaaabbbbbbbbbb-0123456789(20261).md",
		"guide.kbaaaaabbbbbbbbbb-0123456789().md", "guide.kbaaaaabbbbbbbbbb-0123456789(+1).md", "guide.kbaaaaabbbbbbbbbb-0123456789(1)(2).md", "guide.kbaaaaabbbbbbbbbb-0123456789 .md",
		"Re: guide.kbaaaaabbbbbbbbbb-0123456789.md - remarks.md", "guide.kbaaaaabbbbbbbbbb-0123456789.md.kbcopy.pdf", "guide.kbaaaaabbbbbbbbbb-0123456789.a.b.c",
		"guide.kbaaaaabbbbbbbbbb-0123456789.", "guide.kbaaaaabbbbbbbbbb-0123456789..md", "guide.kbaaaaabbbbbbbbbb-0123456789.my notes", "guide.kbaaaaabbbbbbbbbb-0123456789.translated", "guide.kbaaaaabbbbbbbbbb-0123456789.été",
		"guide.kbaaaaabbbbbbbbbb-0123456789.kbaaaaabbbbbbbbbb-0123456789 and more.md",
		"guide.kbaaaaabbbbbbbbbb-0123456789x", "guidekbaaaaabbbbbbbbbb-0123456789.md", "guide.kbaaaaabbbbbbbbbb0123456789.md",
	} {
		if m, _, ok := kb.ParseName(name); ok {
			t.Errorf("ParseName(%q) = %+v", name, m)
		}
	}
}

func FuzzRemoteName(f *testing.F) {
	for i, h := range hostile {
		f.Add(h, i)
	}
	f.Fuzz(func(t *testing.T, base string, part int) {
		k := kb.NewKey("src", base)
		part = max(part, -part-1) % 10_000
		checkName(t, k, markOf(k, part), ".md", 60+part%200)
	})
}

func FuzzParseName(f *testing.F) {
	for _, h := range hostile {
		k := kb.NewKey("src", h)
		f.Add(h)
		f.Add(kb.RemoteName(k, markOf(k, 3), ".md", 255))
	}
	f.Fuzz(func(t *testing.T, name string) {
		m, _, ok := kb.ParseName(name)
		if !ok {
			return
		}
		// What was understood can be said again in the same words.
		if !strings.Contains(strings.ToLower(name), m.String()) {
			t.Fatalf("ParseName(%q) = %s, which is not in the name", name, m)
		}
		again, _, ok := kb.ParseName("x." + m.String() + ".md")
		if !ok || again != m {
			t.Fatalf("%s does not round trip", m)
		}
	})
}
