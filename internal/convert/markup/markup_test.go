package markup_test

import (
	"testing"

	"kbsyncd/internal/convert/markup"
)

func TestWriter(t *testing.T) {
	w := markup.NewWriter(1 << 20)
	w.Heading(0, markup.Inline{{Text: "A ", Style: markup.Bold}, {Text: "title\u00a0#1"}})
	w.Paragraph(markup.Inline{
		{Text: "See "}, {Text: "the docs ", Link: "https://example.com/a b"}, {Text: "and "}, {Text: "bold", Style: markup.Bold},
		{Text: ", "}, {Text: "f(`x`)", Style: markup.Code}, {Text: ", "}, {Text: "in", Style: markup.Italic}, {Text: "side."},
		{Text: "[^1]", Style: markup.Raw},
	})
	w.Item(0, -1, markup.Text("one"))
	w.Item(1, 1, markup.Text("one and one"))
	w.Paragraph(markup.Text("more of it"))
	w.Item(1, 2, markup.Text("one and two"))
	w.Item(0, -1, markup.Text("two"))
	w.Leave(0)
	w.Item(0, 10, markup.Text("ten"))
	w.Code("go", "a := `x`\n\n```\n")
	w.Leave(0)
	w.Table([][]markup.Inline{
		{markup.Text("k|ey"), markup.Text("value")}, nil,
		{markup.Text("a"), markup.Text("b\nc"), markup.Text("")}, {markup.Text("d")},
	})
	w.Table([][]markup.Inline{{markup.Text("framed")}})
	w.Note("1", markup.Text("first\nsecond"))
	w.Markdown([]byte("\n\nraw *text*\r\n\n"))
	got, err := w.Result("")
	if err != nil {
		t.Fatal(err)
	}
	want := "# A title #1\n\nSee [the docs](https://example.com/a%20b) and **bold**, ``f(`x`)``, inside.[^1]\n\n" +
		"- one\n  1. one and one\n\n     more of it\n\n  2. one and two\n- two\n\n10. ten\n\n    ````go\n    a := `x`\n\n    ```\n    ````\n\n" +
		"| k\\|ey | value |\n| --- | --- |\n| a | b c |\n| d |  |\n\nframed\n\n[^1]: first  \n    second\n\nraw *text*\n"
	if string(got.Markdown) != want {
		t.Errorf("got\n%s\nwant\n%s", got.Markdown, want)
	}
	if got.Title != "A title #1" {
		t.Errorf("title %q", got.Title)
	}
}

func TestTextStaysText(t *testing.T) {
	for in, want := range map[string]string{
		"# no heading":           `\# no heading`,
		"#hash":                  `#hash`,
		"1. no item":             `1\. no item`,
		"2024 was":               `2024 was`,
		"- no item\n+ nor this":  "\\- no item  \n\\+ nor this",
		"-5 degrees":             `-5 degrees`,
		"---":                    `\---`,
		"a\n---|---":             "a  \n\\---|---",
		"a\n===":                 "a  \n\\===",
		"> quote":                `\> quote`,
		"~~~":                    `\~\~\~`,
		"snake_case and _this_":  `snake_case and \_this\_`,
		"2 * 3, 2*3*4":           `2 * 3, 2\*3\*4`,
		"Name: ____":             `Name: ____`,
		`C:\Users\new \\srv \*`:  `C:\Users\new \\\srv \\\*`,
		"a < b, a<b>, </p>":      `a < b, a\<b>, \</p>`,
		"AT&T &amp; &#65; & co;": `AT&T \&amp; \&#65; & co;`,
		"[x](y) [a] [^1] ![i]":   `[x\](y) [a] \[^1] \![i]`,
		"soft\u00adhyphen zero\u200bwidth\ufeff \u00a0x\x00\x07": "softhyphen zerowidth  x",
		"bad \xff byte":  "bad \uFFFD byte",
		"ن\u200cم مرحبا": "ن\u200cم مرحبا",
	} {
		w := markup.NewWriter(1 << 20)
		w.Paragraph(markup.Text(in))
		got, err := w.Result("t")
		if err != nil || string(got.Markdown) != want+"\n" {
			t.Errorf("%q: got %q, %v, want %q", in, got.Markdown, err, want)
		}
	}
	for _, in := range []string{"a\x0bb", "a\rb", "a\r\nb"} {
		if got := markup.Clean(in); got != "a\nb" {
			t.Errorf("%q: got %q", in, got)
		}
	}
}
