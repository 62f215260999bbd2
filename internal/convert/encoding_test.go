package convert_test

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"

	"kbsyncd/internal/kb"
)

// Text in every common encoding becomes UTF-8 without a byte order mark.
func TestEncodings(t *testing.T) {
	const text = "# Grüße aus Köln\n\nDas Café „Zum Löwen“ öffnet um 9 Uhr – täglich, außer montags. Ein Menü kostet 12 €.\n"
	const latin = "# Grüße aus Köln\n\nDas Café öffnet um 9 Uhr, täglich außer montags. Führungen für Gäste auf Anfrage.\n"
	little := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	big := unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	tests := []struct {
		name, bom, text string
		in              encoding.Encoding
	}{
		{"UTF-8", "", text, encoding.Nop},
		{"UTF-8 with mark", "\xef\xbb\xbf", text, encoding.Nop},
		{"UTF-16 little", "\xff\xfe", text, little},
		{"UTF-16 big", "\xfe\xff", text, big},
		{"UTF-16 little without mark", "", text, little},
		{"UTF-16 big without mark", "", text, big},
		{"UTF-32 little", "\xff\xfe\x00\x00", text, utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM)},
		{"Windows-1251", "", "# Руководство\n\nНасос включается зелёной кнопкой и выключается красной.\n", charmap.Windows1251},
		{"Windows-1252", "", text, charmap.Windows1252},
		{"Latin-1", "", latin, charmap.ISO8859_1},
	}
	for _, tt := range tests {
		for _, repeat := range []int{1, 2000} {
			for _, name := range []string{"a.md", "README"} {
				want := strings.Repeat(tt.text, repeat)
				data, err := tt.in.NewEncoder().Bytes([]byte(want))
				if err != nil {
					t.Fatal(err)
				}
				data = append([]byte(tt.bom), data...)
				for _, limit := range []int64{0, 50_000} {
					d, m := document(name, data)
					r := mustRender(t, d, starleads(limit))
					got := ""
					for i, s := range sent(t, d, r) {
						if limit > 0 && int64(len(s)) > limit {
							t.Fatalf("%s, %s: a part of %d bytes", tt.name, name, len(s))
						}
						got += strings.TrimPrefix(s, r.Parts[i].Prefix)
					}
					if got != want {
						t.Fatalf("%s, %s: got %.200q", tt.name, name, got)
					}
					if r.Digest != kb.Sum(data) || m.opened != m.closed {
						t.Errorf("%s, %s: wrong digest of the source, or left open", tt.name, name)
					}
				}
			}
		}
	}
}

// One odd byte far behind the beginning is found as well, in one piece and in parts, in front matter and after it.
func TestLateOddByte(t *testing.T) {
	text := "---\ntitle: T\n---\n# A\n\n" + strings.Repeat("Plain words in a line of their own.\n", 20_000)
	for _, cut := range []string{"\xfc", "é\xe9", "\xe2\x82"} {
		data := []byte(text + cut + "ber\n" + strings.Repeat("More.\n", 10_000))
		for _, limit := range []int64{0, 50_000} {
			d, _ := document("a.md", data)
			r := mustRender(t, d, starleads(limit))
			if !r.Parts[0].Converted() {
				t.Errorf("%q went as it is", cut)
			}
			for _, s := range sent(t, d, r) {
				if !strings.HasPrefix(s, "# A\n") || strings.Contains(s, "title:") {
					t.Errorf("a part begins with %.40q", s)
				}
			}
		}
	}
	// A character that a read cuts is none.
	for n := range 5 {
		data := []byte(strings.Repeat("x", 128<<10-n) + "日本" + strings.Repeat("é", 70_000))
		d, m := document("a.txt", data)
		m.chunk = 1000
		if r := mustRender(t, d, starleads(0)); r.Parts[0].Converted() {
			t.Errorf("a character cut after %d bytes", n)
		}
	}
	if d, _ := document("a.txt", bytes.Repeat([]byte("x"), 200_000)); true {
		d.Size = -1
		d.From.(*memory).data = append(d.From.(*memory).data, "\xe2\x82"...)
		if r := mustRender(t, d, starleads(0)); !r.Parts[0].Converted() {
			t.Error("half a character at the end went as it is")
		}
	}
}
