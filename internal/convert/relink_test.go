package convert_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"kbsyncd/internal/convert"
	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

const public = kb.PublicURL("https://docs.example.com/{page}")

// published is a document of a source that readers find as well.
func published(name string, data []byte) (kb.Document, *memory) {
	d, m := document(name, data)
	d.Public, d.Fingerprint = public, kb.Fingerprint(kb.Sum(data).String())
	return d, m
}

func TestPublishedDocuments(t *testing.T) {
	utf16 := "\xff\xfe[\x00t\x00]\x00(\x00b\x00.\x00m\x00d\x00)\x00"
	for _, tt := range []struct {
		name, data string
		to         convert.Target
		want       string
	}{
		{"guide/a.md", "[t](b.md#x) ![i](../img/c.png) `[t](b.md)`\n", starleads(0), "[t](https://docs.example.com/guide/b#x) ![i](https://docs.example.com/img/c.png) `[t](b.md)`\n"},
		{"a.mdx", "[t](b.mdx)", starleads(0), "[t](https://docs.example.com/b)"},
		{"a.qmd", "[t](b.qmd)", starleads(0), "[t](https://docs.example.com/b)"},
		{"a.md", "[t](b.md)\r\n", convert.Target{Accepts: kb.Accepts{Text: ".txt"}}, "[t](https://docs.example.com/b)\r\n"},
		{"a.md", "\ufeff[t](b.md)", starleads(0), "[t](https://docs.example.com/b)"},
		{"a.md", utf16, starleads(0), "[t](https://docs.example.com/b)"},
		{"a.md", "[t](gr\xfc.md)", starleads(0), "[t](https://docs.example.com/gr%C3%BC)"},
		{"a.html", "<p><a href=\"b.html\">t</a></p>", textOnly(1000), "[t](https://docs.example.com/b)\n"},
		// What goes as it is.
		{"a.html", "<p><a href=\"b.html\">t</a></p>", starleads(0), "<p><a href=\"b.html\">t</a></p>"},
		{"a.txt", "[t](b.md)", starleads(0), "[t](b.md)"},
		{"README", "[t](b.md)", starleads(0), "[t](b.md)"},
	} {
		d, m := published(tt.name, []byte(tt.data))
		r := mustRender(t, d, tt.to)
		if got := sent(t, d, r); len(got) != 1 || got[0] != tt.want {
			t.Errorf("%s %q: got %q, want %q", tt.name, tt.data, got, tt.want)
		}
		convert.Evict()
		if got := sent(t, d, r); got[0] != tt.want {
			t.Errorf("%s %q: made again: %q, want %q", tt.name, tt.data, got, tt.want)
		}
		if r.Digest != kb.Sum([]byte(tt.data)) || r.Parts[0].Digest != kb.Sum([]byte(tt.want)) || r.Parts[0].Size != int64(len(tt.want)) {
			t.Errorf("%s: got %+v", tt.name, r)
		}
		if m.opened != m.closed {
			t.Errorf("%s: left open", tt.name)
		}
	}
}

// What lies in the same file has no address of its own.
func TestSelfContainedDocuments(t *testing.T) {
	for ext, want := range map[string]string{".epub": "[t](b.md)\n", ".odt": "[t](https://docs.example.com/b)\n"} {
		convert.SetReader(t, ext, func(context.Context, []byte, markup.Limits) (markup.Result, error) {
			return markup.Result{Title: "[x](y.md)", Markdown: []byte("[t](b.md)\n")}, nil
		})
		d, _ := published("a"+ext, []byte("x"))
		if got := sent(t, d, mustRender(t, d, textOnly(1000))); got[0] != "# [x](y.md)\n\n"+want {
			t.Errorf("%s: got %q", ext, got)
		}
	}
}

// A document without anything to rewrite is rendered as if its source had no address, and read as often.
func TestNothingToRewrite(t *testing.T) {
	big := strings.Repeat("# Part\n\nSome words.\n\n", 100)
	for _, text := range []string{"x", "[t](https://y.example) `[t](b.md)`\n", "---\ntitle: T\n---\n\n[t](#x)\n", "\ufeff# x\n", big} {
		d, m := published("a.md", []byte(text))
		plain := d
		plain.Public = ""
		convert.Evict()
		got := mustRender(t, d, starleads(1000))
		if m.opened != 1 {
			t.Errorf("%.20q: read %d times", text, m.opened)
		}
		if _, kept := convert.Cached(); kept != 0 {
			t.Errorf("%.20q: is kept in memory", text)
		}
		want := mustRender(t, plain, starleads(1000))
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%.20q: got %+v, want %+v", text, got, want)
		}
		if a, b := sent(t, d, got), sent(t, plain, want); !reflect.DeepEqual(a, b) {
			t.Errorf("%.20q: got %q, want %q", text, a, b)
		}
	}
}

// Without an address nothing is read that was not read before.
func TestWithoutAddressDocumentsStream(t *testing.T) {
	convert.Evict()
	d, m := document("a.md", []byte("[t](b.md)\n"))
	r := mustRender(t, d, starleads(0))
	if _, kept := convert.Cached(); m.opened != 1 || kept != 0 || r.Parts[0].Converted() {
		t.Errorf("opened %d times, %d kept, %+v", m.opened, kept, r.Parts)
	}
}

// Front matter says the same with an address and without, and the links in it stay.
func TestPublishedFrontMatter(t *testing.T) {
	const text = "---\ntitle: \"[x](y.md)\"\nkbsync: { agents: [a1] }\nnext: \"[t](b.md)\"\n---\n\n[t](b.md)\n"
	d, _ := published("a.md", []byte(text))
	to := starleads(0)
	r := mustRender(t, d, to)
	if got, want := sent(t, d, r)[0], "# [x](y.md)\n\n[t](https://docs.example.com/b)\n"; got != want || !r.Narrowed || !reflect.DeepEqual(r.Agents, []string{"a1"}) {
		t.Errorf("got %q, %+v", got, r)
	}
	to.KeepFrontMatter = true
	if got, want := sent(t, d, mustRender(t, d, to))[0], strings.Replace(text, "---\n\n[t](b.md)", "---\n\n[t](https://docs.example.com/b)", 1); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	d, _ = published("a.md", []byte("---\nkbsync: { skip: true }\n---\n[t](b.md)\n"))
	if _, err := convert.Render(t.Context(), d, to); !errors.Is(err, convert.ErrSkip) {
		t.Errorf("got %v", err)
	}
}

// What keeps a document from being sent is the same with an address.
func TestPublishedErrors(t *testing.T) {
	const link = "[t](b.md)\n"
	leaks := 0
	for _, text := range []string{
		"", " \n\t\n", png, link + "\x00" + link, "-----BEGIN OPENSSH PRIVATE KEY-----\nAAA" + link, "---\ntitle: x\n---\n \n",
		"---\nkbsync: 1\n---\n" + link, "---\nkbsync: { foo: 1 }\n---\n" + link, "---\nkbsync: [\n---\n" + link, "---\nkbsync: { skip: true }\n---\n\xff" + link,
		link + secret + "\n", link + "\xff\xfe\x00\x81",
	} {
		for _, known := range []bool{true, false} {
			d, _ := published("a.md", []byte(text))
			if !known {
				d.Size = -1
			}
			plain := d
			plain.Public = ""
			to := starleads(1000)
			to.Secrets = "block"
			_, got := convert.Render(t.Context(), d, to)
			_, want := convert.Render(t.Context(), plain, to)
			if errors.Is(want, convert.ErrLeak) {
				leaks++
			}
			if fmt.Sprint(got) != fmt.Sprint(want) || errors.Is(got, convert.ErrLeak) != errors.Is(want, convert.ErrLeak) {
				t.Errorf("%q: got %v, want %v", text, got, want)
			}
		}
	}
	if leaks != 2 {
		t.Errorf("%d of 2 documents with a secret were kept", leaks)
	}
}

func TestPublishedParts(t *testing.T) {
	text := strings.Repeat("# Part\n\nSee [t](b.md) for more words.\n\n", 100)
	want := strings.ReplaceAll(text, "b.md", "https://docs.example.com/b")
	d, _ := published("a.md", []byte(text))
	r := mustRender(t, d, starleads(1000))
	convert.Evict()
	got := strings.Join(sent(t, d, r), "")
	if len(r.Parts) < 5 || strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("%d parts: %.200q", len(r.Parts), got)
	}
	for _, p := range r.Parts {
		if p.Size > 1000 || !p.Converted() {
			t.Errorf("%+v", p)
		}
	}
}

// A part that was rendered is that of its address, whatever the address is by the time it is sent; another text is none.
func TestPublishedIsMadeAgain(t *testing.T) {
	d, m := published("a.md", []byte("[t](b.md)\n"))
	r := mustRender(t, d, starleads(0))
	d.Public = "https://other.example.com"
	convert.Evict()
	if got := sent(t, d, r)[0]; got != "[t](https://docs.example.com/b)\n" {
		t.Errorf("got %q", got)
	}
	if other := mustRender(t, d, starleads(0)); other.Digest != r.Digest || other.Parts[0].Digest == r.Parts[0].Digest {
		t.Errorf("got %+v", other)
	}
	convert.Evict()
	m.data = []byte("[t](c.md)\n")
	if _, err := convert.Open(t.Context(), d, r.Parts[0]); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("got %v", err)
	}
}

// Above what is read into memory, and where too much would come out, links stay.
func TestPublishedTooLong(t *testing.T) {
	const most = 64 << 20
	to := starleads(0)
	to.Secrets = "off"
	for _, tt := range []struct {
		text  string
		known bool
	}{
		{"[t](b.md)\n" + strings.Repeat("words words words\n", most/18+1), true},
		{"[t](b.md)\n" + strings.Repeat("words words words\n", most/18+1), false},
		{strings.Repeat("[t](b)\n", 3_000_000), true},
	} {
		d, m := published("a.md", []byte(tt.text))
		if !tt.known {
			d.Size = -1
		}
		r := mustRender(t, d, to)
		if r.Parts[0].Converted() || r.Parts[0].Digest != kb.Sum(m.data) || r.Parts[0].Size != int64(len(m.data)) {
			t.Errorf("%d bytes: got %+v", len(tt.text), r.Parts)
		}
		if m.opened != m.closed {
			t.Error("left open")
		}
	}
}

// The type that its source gives a document counts, not the ending of its address.
func TestTypedDocuments(t *testing.T) {
	const text = "---\ntitle: T\nkbsync: { agents: [a1] }\n---\n\n[t](b.html)\n"
	d, _ := document("site/faq.html", []byte(text))
	d.Type = ".md"
	r := mustRender(t, d, starleads(0))
	if got := sent(t, d, r)[0]; got != "# T\n\n[t](b.html)\n" || r.Parts[0].Ext != ".md" || r.Parts[0].MediaType != "text/markdown" || !r.Narrowed {
		t.Errorf("got %q, %+v", got, r)
	}
	d.Public = "https://docs.example.com"
	if got := sent(t, d, mustRender(t, d, starleads(0)))[0]; got != "# T\n\n[t](https://docs.example.com/site/b.html)\n" {
		t.Errorf("published: got %q", got)
	}
	skipped, _ := document("site/faq.html", []byte("---\nkbsync: { skip: true }\n---\nx\n"))
	skipped.Type = ".md"
	if _, err := convert.Render(t.Context(), skipped, starleads(0)); !errors.Is(err, convert.ErrSkip) {
		t.Errorf("got %v", err)
	}
	long, _ := document("site/data.json", []byte(strings.Repeat("# Part\n\nSome words.\n\n", 100)))
	long.Type = ".md"
	r = mustRender(t, long, starleads(1000))
	parts := sent(t, long, r)
	if len(parts) < 2 || r.Parts[0].Ext != ".md" {
		t.Fatalf("got %+v", r.Parts)
	}
	for i, p := range parts {
		if !strings.HasPrefix(p, "# Part\n") {
			t.Errorf("part %d begins with %.20q", i, p)
		}
	}
	picture, _ := document("site/logo", []byte("x"))
	picture.Type = ".png"
	if err := convert.Choose(picture, starleads(0)); !isUnsupported(err) {
		t.Errorf("got %v", err)
	}
	same, _ := document("site/a.MD", []byte("# x\n"))
	same.Type = ".md"
	if r := mustRender(t, same, starleads(0)); r.Parts[0].Ext != ".md" {
		t.Errorf("got %+v", r.Parts)
	}
}

// A page that the vendor fetches itself is never opened: there is nothing behind these documents that could be.
func TestLinkedPages(t *testing.T) {
	to := starleads(1000)
	to.Links = true
	d := kb.Document{Key: "site/faq.png", Size: -1, Fingerprint: "1", Link: "https://docs.example.com/faq"}
	if err := convert.Choose(d, to); err != nil {
		t.Fatal(err)
	}
	r := mustRender(t, d, to)
	p := r.Parts[0]
	if len(r.Parts) != 1 || p.Link != d.Link || p.Ext != convert.LinkExt || p.Index != 0 || p.Size != 0 || p.Converted() || r.Doubtful || p.Digest.IsZero() {
		t.Errorf("got %+v", r)
	}
	if again := mustRender(t, d, to); !reflect.DeepEqual(again, r) {
		t.Errorf("got %+v, then %+v", r, again)
	}
	for _, change := range []func(*kb.Document){
		func(d *kb.Document) { d.Fingerprint = "2" },
		func(d *kb.Document) { d.Link += "#x" },
	} {
		other := d
		change(&other)
		if got := mustRender(t, other, to); got.Parts[0].Digest == p.Digest {
			t.Errorf("%+v has the digest of %+v", other, d)
		}
	}
	// A vendor that does not, and a document that has no address, are as ever.
	to.Links = false
	if err := convert.Choose(d, to); !isUnsupported(err) {
		t.Errorf("got %v", err)
	}
	to.Links = true
	text, _ := document("a.md", []byte("# x\n"))
	if r := mustRender(t, text, to); r.Parts[0].Link != "" || sent(t, text, r)[0] != "# x\n" {
		t.Errorf("got %+v", r)
	}
}
