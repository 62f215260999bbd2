package epub_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kbsyncd/internal/convert/epub"
	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

// book makes an EPUB of members given by name and content, in turns, beside its container.
func book(t *testing.T, members ...string) []byte {
	t.Helper()
	members = append(members, "META-INF/container.xml", `<container><rootfiles><rootfile full-path="OE/p.opf"/></rootfiles></container>`)
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for i := 0; i+1 < len(members); i += 2 {
		w, err := z.Create(members[i])
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(members[i+1]))
	}
	z.Close()
	return buf.Bytes()
}

const opf = `<package xmlns:dc="d"><metadata><dc:title>The book</dc:title></metadata><manifest>
	<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>
	<item id="two" href="text/second%20one.xhtml" media-type="application/xhtml+xml"/>
	<item id="one" href="text/first.xhtml#top" media-type="application/xhtml+xml"/>
	<item id="gone" href="gone.xhtml" media-type="application/xhtml+xml"/>
	<item id="out" href="../../etc/passwd" media-type="application/xhtml+xml"/>
	<item id="pic" href="p.svg" media-type="image/svg+xml"/><item id="aside" href="aside.xhtml" media-type="application/xhtml+xml"/>
	</manifest><spine><itemref idref="nav"/><itemref idref="one"/><itemref idref="two"/><itemref idref="one"/><itemref idref="gone"/><itemref idref="out"/>
	<itemref idref="pic"/><itemref idref="aside" linear="no"/></spine></package>`

func chapter(body string) string {
	return `<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="x.js"/></head><body>` + body + `</body></html>`
}

func TestChaptersInTheOrderOfTheSpine(t *testing.T) {
	src := book(t, "OE/p.opf", opf,
		"OE/nav.xhtml", chapter("<nav>contents</nav>"), "OE/aside.xhtml", chapter("<p>aside</p>"), "OE/p.svg", "<svg/>",
		"OE/text/second one.xhtml", chapter(`<h1><a id="x"/>Two</h1><p>to <a href="first.xhtml#top">one</a> and <a href="https://example.com/a?b=1&amp;c=2">out</a></p><p><img src="p.png" alt="A &lt;pump&gt;"/></p>`),
		"OE/text/first.xhtml", chapter(`<h1 title="a &amp; b">One</h1><p>first &eacute; text</p>`))
	got, err := epub.Read(t.Context(), src, markup.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := "# One\n\nfirst é text\n\n# Two\n\nto one and [out](https://example.com/a?b=1&c=2)\n\n[A <pump>]\n"
	if diff := cmp.Diff(want, strings.ReplaceAll(string(got.Markdown), `\`, "")); diff != "" || got.Title != "The book" {
		t.Errorf("title %q (-want +got)\n%s", got.Title, diff)
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	locked := `<encryption><EncryptedData><CipherData><CipherReference URI="OE/text/first.xhtml"/></CipherData></EncryptedData></encryption>`
	for name, c := range map[string]struct {
		src  []byte
		want string
	}{
		"no archive": {[]byte("text"), "damaged"},
		"encrypted":  {book(t, "OE/p.opf", opf, "OE/text/first.xhtml", "\x00\x01", "META-INF/encryption.xml", locked), "encrypted"},
		"no package": {book(t), "damaged"},
		"no text":    {book(t, "OE/p.opf", opf), "no text"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := epub.Read(t.Context(), c.src, markup.DefaultLimits())
			if f, ok := errors.AsType[*fault.Error](err); !ok || !errors.Is(err, fault.ErrUnsupported) || f.Hint == "" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
