package markup_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

func archive(t *testing.T, method uint16, members ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for i := 0; i+1 < len(members); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: members[i], Method: method})
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(members[i+1]))
	}
	z.Close()
	return buf.Bytes()
}

func TestArchive(t *testing.T) {
	src := archive(t, zip.Deflate, "a/B.xml", "content", "../out", "x", "/abs", "absolute", `win\dows`, "w", "dir/", "", "A/b.XML", "second", "a/../c", "c")
	a, err := markup.OpenArchive(src, markup.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a/B.xml", "abs", "win/dows", "c"}; !slices.Equal(a.Names(), want) {
		t.Errorf("names %q, want %q", a.Names(), want)
	}
	if got, err := a.Read("A/b.xml"); err != nil || string(got) != "content" { // the first of two counts
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := a.Read("gone"); a.Has("gone") || !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestArchiveIsBounded(t *testing.T) {
	l := markup.DefaultLimits()
	zeros := strings.Repeat("\x00", 8<<20)
	bomb := archive(t, zip.Deflate, "a", zeros)
	locked := archive(t, zip.Store, "a", "secret")
	locked[6] |= 1 // the flag in the member's head, and in the directory
	locked[bytes.Index(locked, []byte("PK\x01\x02"))+8] |= 1
	for name, c := range map[string]struct {
		src    []byte
		limits markup.Limits
		want   string
	}{
		"ratio":    {bomb, l, "more than is safe"},
		"unpacked": {archive(t, zip.Store, "a", zeros), markup.Limits{Unpacked: 1 << 20, Ratio: 200, Members: 10}, "more than is safe"},
		"members":  {archive(t, zip.Store, "a", "", "b", "", "c", ""), markup.Limits{Unpacked: 1 << 20, Ratio: 200, Members: 2}, "members"},
		"locked":   {locked, l, "password"},
		"cut":      {bomb[:len(bomb)/2], l, "damaged"},
		"ole":      {append([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), zeros...), l, "password"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := markup.OpenArchive(c.src, c.limits)
			if err == nil {
				_, err = a.Read("a")
			}
			if !errors.Is(err, fault.ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestSizesAreNotBelieved: a directory that claims another size than the member has must not make the reader allocate or loop.
func TestSizesAreNotBelieved(t *testing.T) {
	src := archive(t, zip.Deflate, "a", "content")
	at := bytes.Index(src, []byte("PK\x01\x02"))
	for _, size := range []uint32{0, 3, 1 << 30, 1<<32 - 2} {
		lie := bytes.Clone(src)
		binary.LittleEndian.PutUint32(lie[at+24:], size)
		a, err := markup.OpenArchive(lie, markup.DefaultLimits())
		if err != nil {
			continue
		}
		if got, err := a.Read("a"); err == nil && string(got) != "content" {
			t.Errorf("size %d: got %q", size, got)
		}
	}
}

// TestUnpackedCountsTogether: the bound is for all members together, also when one is read again and again.
func TestUnpackedCountsTogether(t *testing.T) {
	a, err := markup.OpenArchive(archive(t, zip.Store, "a", strings.Repeat("x", 600)), markup.Limits{Unpacked: 1000, Ratio: 200, Members: 10})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Read("a"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Read("a"); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestMemberName(t *testing.T) {
	for _, c := range [][3]string{
		{"ppt/slides/s1.xml", "../notes/n1.xml", "ppt/notes/n1.xml"},
		{"ppt/slides/s1.xml", "/ppt/x.xml", "ppt/x.xml"},
		{"a/b.xml", "../../../etc/passwd", ""},
		{"", "word/document.xml", "word/document.xml"},
		{"a/b.xml", `..\c.xml`, "c.xml"},
	} {
		if got := markup.MemberName(c[0], c[1]); got != c[2] {
			t.Errorf("MemberName(%q, %q) = %q, want %q", c[0], c[1], got, c[2])
		}
	}
}

// texts reads the text of every x in a document.
func texts(ctx context.Context, src []byte, l markup.Limits) (got []string, err error) {
	x := markup.NewXML(ctx, src, l)
	var each func(markup.Element) error
	each = func(e markup.Element) error {
		if e.Name == "x" {
			s, err := x.Text()
			got = append(got, s+e.Attr("a")+e.AttrNS("space", "b"))
			return err
		}
		return x.Each(each, nil)
	}
	return got, x.Each(each, nil)
}

func wide(order binary.AppendByteOrder, mark bool, s string) (out []byte) {
	units := utf16.Encode([]rune(s))
	if mark {
		units = append([]uint16{0xfeff}, units...)
	}
	for _, u := range units {
		out = order.AppendUint16(out, u)
	}
	return out
}

func TestXML(t *testing.T) {
	const doc = `<r xmlns:n="the/space"><skip><y/>no</skip><x a="1" n:b="2">é <i>in</i></x><x/><deep><x>&eacute;&amp;&#233;</x></deep></r>`
	want := []string{"é in12", "", "é&é"}
	for name, src := range map[string][]byte{
		"plain":         []byte(doc),
		"latin 1":       []byte(`<?xml version="1.0" encoding="ISO-8859-1"?>` + strings.ReplaceAll(doc, "é", "\xe9")),
		"UTF-16":        wide(binary.LittleEndian, true, `<?xml version="1.0" encoding="UTF-16"?>`+doc),
		"UTF-16, bare":  wide(binary.BigEndian, false, doc),
		"mark of UTF-8": []byte("\ufeff" + doc),
	} {
		if got, err := texts(t.Context(), src, markup.DefaultLimits()); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	if _, err := texts(t.Context(), []byte(strings.Repeat("<a>", 201)), markup.DefaultLimits()); err == nil || !strings.Contains(err.Error(), "nested") {
		t.Errorf("got %v", err)
	}
	for _, bad := range []string{"<r><x></r>", `<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/hostname">]><r><x>&e;</x></r>`, "<r>", "\x00\x01"} {
		if got, err := texts(t.Context(), []byte(bad), markup.DefaultLimits()); !errors.Is(err, fault.ErrUnsupported) {
			t.Errorf("%q: got %q, %v", bad, got, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := texts(ctx, []byte("<r>"+strings.Repeat("<y/>", 2000)+"</r>"), markup.DefaultLimits()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestLimitOfOutput(t *testing.T) {
	w := markup.NewWriter(50)
	for range 10 {
		w.Paragraph(markup.Text("ten words or so"))
	}
	if _, err := w.Result(""); !w.Full() || !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	if _, err := markup.NewWriter(50).Result("only a title"); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

// FuzzText holds that no text can end the paragraph that it is in, or begin another block.
func FuzzText(f *testing.F) {
	for _, s := range []string{"# a", "1. b\n- c", "a\n---\nb", "| a |\n| - |", "```\nx", "<b>&amp;*_`[x](y)", "\u2028\x00\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w := markup.NewWriter(1 << 20)
		w.Table([][]markup.Inline{{markup.Text(s), markup.Text("b")}, {markup.Text("c"), {{Text: s, Style: markup.Code}, {Text: s, Link: "http://x/" + s}}}})
		w.Paragraph(markup.Text(s))
		w.Heading(2, markup.Text("end "+s))
		got, err := w.Result("")
		if err != nil {
			t.Fatal(err)
		}
		md := string(got.Markdown)
		rows := 0
		for line := range strings.Lines(md) {
			if rows < 3 && strings.HasPrefix(line, "|") {
				rows++
				continue
			}
			if strings.HasPrefix(line, "# ") || strings.HasPrefix(line, "```") || strings.HasPrefix(line, "- ") || strings.HasPrefix(line, "> ") {
				t.Errorf("a block begins with %q", line)
			}
		}
		if rows != 3 || strings.Contains(md, "\n\n\n") {
			t.Errorf("got %q", md)
		}
	})
}
