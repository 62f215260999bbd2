package kb_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"kbsyncd/internal/kb"
)

func TestKey(t *testing.T) {
	k := kb.NewKey("handbook", "setup/install.md")
	if k != "handbook/setup/install.md" || k.Source() != "handbook" || k.Path() != "setup/install.md" || k.Base() != "install.md" {
		t.Errorf("got %q: %q %q %q", k, k.Source(), k.Path(), k.Base())
	}
}

func TestDigest(t *testing.T) {
	d := kb.Sum([]byte("abc"))
	const want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if d.String() != want || d.Short().String() != want[:10] || d.IsZero() || !(kb.Digest{}).IsZero() {
		t.Errorf("got %s, %s", d, d.Short())
	}
}

func FuzzPrintable(f *testing.F) {
	for _, s := range append(hostile, "plain", "\u2066x\u2069", "a\u00adb", "tab\there") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := kb.Printable(s)
		if !utf8.ValidString(out) {
			t.Fatalf("%q is no UTF-8", out)
		}
		for _, r := range out {
			if !unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r) {
				t.Fatalf("%q shows %U", out, r)
			}
		}
		if again := kb.Printable(out); again != out {
			t.Fatalf("%q becomes %q", out, again)
		}
	})
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{"plain é 日本.md": "plain é 日本.md", "a\x1b[31m": `a\x1b[31m`, "\u202egnp": `\u202egnp`, "a\xffb": `a\xffb`, "\n": `\n`} {
		if got := kb.Printable(in); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
	if long := strings.Repeat("x", 10_000); kb.Printable(long) != long {
		t.Error("plain text was changed")
	}
}
