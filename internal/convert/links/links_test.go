package links_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kbsyncd/internal/convert/links"
)

// base is where the tests have links lead.
const base = "https://x.example/"

// toBase has simple relative destinations lead to base.
func toBase(ref string) string {
	if ref == "" || strings.HasPrefix(ref, "#") || strings.Contains(strings.SplitN(ref, "/", 2)[0], ":") {
		return ref
	}
	return base + ref
}

func rewrite(text string) string {
	out, _ := links.Rewrite([]byte(text), 1<<30, toBase)
	return string(out)
}

// In these texts a destination that is to be rewritten is marked with @ in front of it.
var marked = map[string]string{
	"inline":               "see [t](@b.md), [t](@./b.md \"a title\") and [t]( @b.md 'x' ).\n",
	"title in parentheses": "[t](@b.md (x y))",
	"title on a line":      "[t](@b.md\n  \"x\ny\")",
	"image":                "![t](@b.png) and !\\[t](b.png) and \\![t](@b.png)",
	"image in a link":      "[![t](@b.png)](@b.md)",
	"link in a link":       "[a [t](@b.md) c](d.md)",
	"image around a link":  "![a [t](@b.md) c](@d.md)",
	"link after a link":    "[a [t](@b.md) c](d.md) [t](@e.md)",
	"text over lines":      "[a\nb](@c.md)",
	"brackets in the text": "[a [b] c](@d.md)",
	"parentheses":          "[t](@a/b.md) [t](a(b.md [t](@c) x)",
	"empty":                "[t]() [t](<>)",
	"no destination":       "[t](b c.md) [t](b.md \"x) [t] (b.md)\n\n[t](b\n\nc)",
	"absolute":             "[t](https://y.example/b.md) [t](mailto:a@b) [t](#part) <https://y.example/[t](b.md)>",
	"no opening":           "t](b.md) \\[t](b.md)",
	"escaped":              "[t\\](b.md) \\\\[t](@b.md)",
	"definition":           "[a]: @b.md\n[b]: <@c.md> 'x'\n[c]:\n  @d.md\n  \"x\ny\"\n[d]: e.md f\n[e]: g.md\n",
	"definition, two":      "[a]: @b.md\n\"x\" y\n",
	"definition, last":     "x\n[a]: b.md\n\n   [a]: @b.md\n\n> [c]: @d.md\n\n[]: b\n\n[ ]: b\n\n[a[b]: c",
	"footnote":             "x[^1].\n\n[^1]: word\n[^2]: [t](@b.md)\n\n    [t](@c.md)\n\n        [t](d.md)\n",
	"footnote, later":      "[a]: @b.md\n[^1]: word\n",
	"code span":            "`[t](b.md)` [t](@b.md) ``[t](b.md) ` [t](b.md)`` [`]`](@c.md) [t`](b.md)`",
	"code over lines":      "`[t](b.md)\n[t](b.md)` [t](@c.md)",
	"code never closed":    "`[t](@b.md) ``[t](@b.md)\n\n`[t](b.md)`",
	"escaped tick":         "\\`[t](@b.md)`",
	"tick in text":         "[`a](b.md)` [t](@c.md)",
	"indented code":        "x\n\n    [t](b.md)\n\n\t[t](b.md)\n  \t[t](b.md)\nx\n    [t](@c.md)\n",
	"indented first":       "    [t](b.md)\n\n   [t](@b.md)",
	"code after heading":   "# [t](@b.md) #\n    [t](c.md)\n[t](@d.md)\n---\n    [t](c.md)\n",
	"fence":                "```\n[t](b.md)\n\n[a]: b.md\n```\n[t](@c.md)\n~~~ md\n[t](b.md)\n```\n[t](b.md)\n~~~~\n[t](@c.md)\n",
	"fence, longer":        "````\n```\n[t](b.md)\n````\n[t](@b.md)\n   ```\n[t](b.md)\n    ```\n[t](b.md)\n",
	"fence, info":          "``` a`b\n[t](@b.md)\n",
	"fence, open":          "[t](@b.md)\n```\n[t](b.md)\n\n# [t](b.md)",
	"fence in item":        "- a\n\n  ```\n  [t](b.md)\n  ```\n  [t](@c.md)\n\n      [t](b.md)\n\n- ```\n  [t](b.md)\n[t](@c.md)\n",
	"fence in quotation":   "> ```\n> [t](b.md)\n[t](@c.md)\n\n> a\n> ```\n> [t](b.md)\n> ```\n> [t](@c.md)\n",
	"items":                "* [t](@b.md)\n  * [t](@b.md)\n    * [t](@b.md)\n\n      [t](@b.md)\n\n          [t](c.md)\n1. [t](@b.md)\n\n   [t](@b.md)\n10) [t](@b.md)\n",
	"item of code":         "-     [t](b.md)\n-    [t](@c.md)\n\n  [t](@c.md)\n",
	"item, empty":          "-\n  [t](@b.md)\n\n-\n\n      [t](b.md)\n",
	"no item":              "x\n2. [t](@b.md)\n-[t](@b.md)\n1234567890. [t](@b.md)\n",
	"tabs":                 "-\t[t](@b.md)\n\n\t[t](@b.md)\n\n\t  [t](@b.md)\n\n\t\t[t](c.md)\n\n>\t[t](@b.md)\n>\n>\t\t[t](c.md)\n",
	"quotation":            "> [t\n> x](@b.md)\n> `[t](c.md)\n[t](c.md)`\n\n>     [t](c.md)\n>> [t](@b.md)",
	"lazy":                 "> - a\nb [t](@c.md)\n    [t](@c.md)\n",
	"underlined":           "[t](@b.md)\n===\n    [t](c.md)\n",
	"rules":                "- - -\n    [t](c.md)\n***\n    [t](c.md)\n",
	"table":                "x `[t](@b.md)\n| a | ` |\n|---|:-:|\n| ` | [t](@b.md) ` |\n| `[t](b.md)` | [t](@c.md)\n[t](@d.md) \\| ` | `x\n\n[t](@b.md)",
	"no table":             "a | `b\n--- | --- | ---\n` | [t](@b.md) `c`\n",
	"html":                 "<a href=\"@b.md\">x</a> <A class='y' HREF='@b.md' title=\"a>b\"> <img alt=\"[t](b.md)\"\nsrc=\" @b.png \"/> <a data-href=\"b.md\"> <a href=\"https://y.example\"> <a name=x>",
	"html, bare":           "<a href=@b.md> <img src=@b.png/> <a href= @b.md >",
	"html, broken":         "<a href=\"b.md\" <a href=\"@c.md\"> <a href='b.md> <ahref=\"b.md\"> <a href=\"b.md\"class=x>",
	"html, others":         "<p href=\"b.md\"> <link href=\"b.md\"> <video src=\"@b.mp4\"> <source src='@b.mp4'> <area href='@b.md'>",
	"html, block":          "<div>\n  <a href=\"@b.md\">x</a>\n\n[t](@b.md)\n\n</div>\n",
	"html, no Markdown":    "<div>\n[t](b.md) `<a href=\"@b.md\">`\n[a]: b.md\n```\n\n[t](@b.md)\n</div>\n[t](b.md)\n\n<b>\n[t](b.md)\n\n</b>\n[t](b.md)\n\nx\n<b>\n[t](@b.md)\n\n<b> x\n[t](@b.md)\n</p>\n[t](b.md)",
	"html in containers":   "> <p\n> [t](b.md)\n[t](@b.md)\n\n- <td/>\n  [t](b.md)\n\n  [t](@b.md)\n- </b >\n  [t](b.md)\n- </b x>\n  [t](@b.md)\n",
	"html, program":        "<a href={b} to='b.md'>",
	"html, code":           "<code>[t](b.md) <a href='b.md'></code> [t](@b.md) <code/>[t](@b.md) <code>[t](@b.md)",
	"link around code":     "[a <code>[t](b.md)</code> x](b.md) ![a <code>x</code>](@b.md) [t](@b.md)",
	"html after a table":   "a|b\n-|-\n<b>\n```\n\n[t](b.md)\n```\n</pre>\n```\n\n[t](b.md)\n",
	"pre":                  "<pre>\n[t](b.md)\n\n<a href=\"b.md\">\n</PRE>\n[t](@b.md)\nx <pre>[t](b.md)</pre> [t](@b.md)\n",
	"script":               "<script src=\"b.js\">\n\"<a href='b.md'>\"\n\n</script>\n<style>\n[t](b.md)",
	"comment":              "<!-- [t](b.md) -->\nx <!-- [t](b.md)\n[t](b.md) --> [t](@b.md)\n\n<!--\n\n[t](b.md)\n\n```\n-->\n[t](@b.md)\n",
	"comment, open":        "[t](@b.md)\n<!-- [t](b.md)\n\n[t](b.md)",
	"comment in line":      "x <!-- [t](@b.md)\n\n-->",
	"processing":           "<?php [t](b.md)\n\n?>\n[t](@b.md) <?x [t](b.md) ?> <![CDATA[ [t](b.md) ]]> <!X [t](b.md)> [t](@c.md)\n\n<!DOCTYPE\n[t](b.md)>\n[t](@c.md)",
	"mkdocs":               "!!! note\n\n    [t](@b.md)\n\n        [t](c.md)\n\n=== \"A\"\n\n    ```\n    [t](b.md)\n    ```\n\n    [t](@b.md)\n",
	"line ends":            "[t](@b.md)\r\n\r\n    [t](c.md)\r\n\r\n```\r\n[t](c.md)\r\n```\r\n[a]: @b.md\r\n[b]: @c.md\r\n",
	"old line ends":        "[t](@b.md)\r\r    [t](c.md)\r\r```\r[t](c.md)\r```\r[t](@b.md)\r",
	"task":                 "- [ ] [t](@b.md)\n- [x] `[t](b.md)`\n",
	"unicode":              "[größe](@b.md) „[t](@b.md)“ \xff[t](@b.md)\x00[t](@c.md)",
}

func TestRewrite(t *testing.T) {
	for name, text := range marked {
		in, want := strings.ReplaceAll(text, "@", ""), strings.ReplaceAll(text, "@", base)
		if name == "absolute" {
			in, want = text, text
		}
		if got := rewrite(in); got != want {
			t.Errorf("%s:\n%s\ngot\n%s\nwant\n%s", name, in, got, want)
		}
	}
}

// Destinations lose their escapes before they are resolved, and what comes out of it gets those of its place.
func TestEscapes(t *testing.T) {
	for in, want := range map[string]string{
		`[t](a\(b.md)`:                           `[t](https://x.example/a%28b.md)`,
		`[t](a(b)(c(d)).md)`:                     `[t](https://x.example/a%28b%29%28c%28d%29%29.md)`,
		`[t](<a b.md>)`:                          `[t](<https://x.example/a%20b.md>)`,
		`[t](<a\>(b.md> "x")`:                    `[t](<https://x.example/a%3E%28b.md> "x")`,
		`[t](a&amp;b.md)`:                        `[t](https://x.example/a&b.md)`,
		`[t](a&amp;lt;.md)`:                      `[t](https://x.example/a&amp;lt;.md)`,
		`[t](a\&lt;.md)`:                         `[t](https://x.example/a&amp;lt;.md)`,
		`[t](&auml;.md?a=1&copy=2)`:              `[t](https://x.example/%C3%A4.md?a=1&copy=2)`,
		`[t](a&#32;&#x20;b.md)`:                  `[t](https://x.example/a%20%20b.md)`,
		`[t](&unknown;.md)`:                      `[t](https://x.example/&amp;unknown;.md)`,
		`[t](a\b\_c.md)`:                         `[t](https://x.example/a%5Cb_c.md)`,
		`[t](größe.md#ü)`:                        `[t](https://x.example/gr%C3%B6%C3%9Fe.md#%C3%BC)`,
		`[t](a%20b.md)`:                          `[t](https://x.example/a%20b.md)`,
		`<a href="b.md?a=1&amp;b=2">`:            `<a href="https://x.example/b.md?a=1&amp;b=2">`,
		`<a href="b.md?a=1&copy=2">`:             `<a href="https://x.example/b.md?a=1&amp;copy=2">`,
		`<a href='a"b\c.md'>`:                    `<a href='https://x.example/a%22b%5Cc.md'>`,
		`[t](&#104;ttps://y.example)`:            `[t](&#104;ttps://y.example)`,
		"| a |\n|---|\n| [t](a\\|b) |":           "| a |\n|---|\n| [t](https://x.example/a%7Cb) |",
		"[a\\]b]: c\\_d.md 'x'":                  "[a\\]b]: https://x.example/c_d.md 'x'",
		"[t](" + strings.Repeat("(", 33):         "[t](" + strings.Repeat("(", 33),
		"[" + strings.Repeat("a", 1001) + "]: b": "[" + strings.Repeat("a", 1001) + "]: b",
	} {
		if got := rewrite(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	got, _ := links.Rewrite([]byte(`<a href=b.md> <a href="b.md">`), 1000, func(s string) string { return "https://x.example/?f=" + s })
	if want := `<a href="https://x.example/?f=b.md"> <a href="https://x.example/?f=b.md">`; string(got) != want {
		t.Errorf("got %s", got)
	}
}

func TestRewriteNothing(t *testing.T) {
	for _, text := range []string{"", "x", "[t](#a) <b> [t](https://y.example)", "`[t](b.md)`"} {
		in := []byte(text)
		out, changed := links.Rewrite(in, 1000, toBase)
		if changed || string(out) != text || len(in) > 0 && &out[0] != &in[0] {
			t.Errorf("%q: got %q, %v", text, out, changed)
		}
	}
	in := strings.Repeat("[t](b.md)\n", 100)
	if out, changed := links.Rewrite([]byte(in), len(in)+10, toBase); changed || string(out) != in {
		t.Errorf("above the bound: %d bytes", len(out))
	}
	if out, changed := links.Rewrite([]byte(in), len(in)+100*len(base), toBase); !changed || len(out) != len(in)+100*len(base) {
		t.Errorf("at the bound: %d bytes, %v", len(out), changed)
	}
	if out, changed := links.Rewrite([]byte("[t](b.md)"), 1000, func(string) string { return "" }); changed {
		t.Errorf("got %q", out)
	}
}

// Paragraphs with more lines than are remembered, and what is nested too deep, stay as they are; what follows does not.
func TestBounds(t *testing.T) {
	long := strings.Repeat("[t](b.md)\n", 100_001)
	deep := strings.Repeat("> ", 101) + "[t](b.md)\n" + strings.Repeat("> ", 101) + "[t](b.md)\n"
	for name, text := range map[string]string{"long": long, "deep": deep} {
		if got, want := rewrite(text+"\n[t](b.md)"), text+"\n[t]("+base+"b.md)"; got != want {
			t.Errorf("%s: %d bytes became %d", name, len(text), len(got))
		}
	}
}

// block is a piece of Markdown with what is to come out of it.
type block struct{ in, out string }

func (b block) each(f func(line string) string) block {
	one := func(s string) string {
		lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
		for i, l := range lines {
			lines[i] = f(l)
		}
		return strings.Join(lines, "\n") + "\n"
	}
	return block{one(b.in), one(b.out)}
}

// drawText draws a paragraph in which each link is in code or to be rewritten.
func drawText(t *rapid.T) block {
	var b block
	for range rapid.IntRange(1, 4).Draw(t, "pieces") {
		both := func(s string) { b.in += s; b.out += s }
		switch rapid.IntRange(0, 5).Draw(t, "piece") {
		case 0:
			both("word ")
		case 1:
			both("`[t](b.md)` ")
		case 2:
			both("<!-- [t](b.md) --> ")
		case 3:
			b.in += "[t `x`](b.md 'y') "
			b.out += "[t `x`](" + base + "b.md 'y') "
		case 4:
			b.in += "<a href=\"b.md\"> "
			b.out += "<a href=\"" + base + "b.md\"> "
		default:
			both("\nx")
		}
	}
	return block{"p " + b.in + "\n", "p " + b.out + "\n"}
}

func drawBlocks(t *rapid.T, depth int) block {
	var all block
	for range rapid.IntRange(1, 3).Draw(t, "blocks") {
		kinds := 7
		if depth == 0 {
			kinds = 4
		}
		var b block
		same := func(s string) block { return block{s, s} }
		switch rapid.IntRange(0, kinds).Draw(t, "block") {
		case 0, 1:
			b = drawText(t)
		case 2:
			b = same("```md\n[t](b.md)\n\n`[a]: b\n```\n")
		case 3:
			b = same("~~~\n> - [t](b.md)\n~~~\n")
		case 4:
			b = same("word\n\n    [t](b.md)\n\n    [a]: b\n")
		case 5:
			b = drawBlocks(t, depth-1).each(func(l string) string { return "> " + l })
		case 6:
			b = indented(drawBlocks(t, depth-1), "- ")
		default:
			b = indented(drawBlocks(t, depth-1), "12. ")
		}
		all.in += b.in + "\n"
		all.out += b.out + "\n"
	}
	return all
}

func indented(b block, sign string) block {
	b = b.each(func(l string) string {
		if l == "" {
			return l
		}
		return strings.Repeat(" ", len(sign)) + l
	})
	return block{sign + b.in[len(sign):], sign + b.out[len(sign):]}
}

// Nested as they may be, links are rewritten and code is not.
func TestRewriteNested(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBlocks(t, 3)
		if got := rewrite(b.in); got != b.out {
			t.Fatalf("%s\nbecame\n%s\nwant\n%s", b.in, got, b.out)
		}
	})
}

// hostile are what makes careless scanners slow.
var hostile = []string{
	"[", "]", "![", "[]", "[](", "[a](b", "](", "[a](b \"", "[a](b '", "[a](b (", "[](<", "[](\\", "(", "[a](((",
	"`", "``` ", "` `` ", "`a``b```c", "\\`", "<", "<a ", "<a b='", "<a b=\"<a c='", "<a p=\"<a q='\" r='\" ", "<!--", "<!-- --", "<?", "<![CDATA[", "<!X", "</", "</a ", "<a@",
	"<code>", "<pre>", "<code></", "&", "&#", "&amp;", "[&amp;](&amp;)", "|", "| a ", "> ", "- ", "1. ", "> - ", "[^a]:", "!!! ", "[a]:", "[a]: b ", "*", "_", "\t", " ", "x\n", "- x\n\n", "-\n",
	"> x\n\n", "a|b\n-|-\n", "a\n===\n", "```\n", "<a href=b>", "[a](b)", "[a]: b\n", "[a]: b\n'", "\r", "\x00", "\xff",
}

// The bound is a hundred times what it takes, for a busy machine, and far below what the square of the length would take.
func TestLinearTime(t *testing.T) {
	const size = 1 << 18
	for _, piece := range hostile {
		for _, text := range []string{strings.Repeat(piece, size/len(piece)), strings.Repeat(piece, size/2/len(piece)) + strings.Repeat("]", size/4) + strings.Repeat("](x", size/12)} {
			start := time.Now()
			links.Rewrite([]byte(text), 1<<30, toBase)
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("%q: %s", piece, took)
			}
		}
	}
}

// Only what stands for destinations differs, lines stay lines, and a second time nothing does.
func FuzzRewrite(f *testing.F) {
	for _, text := range marked {
		f.Add(strings.ReplaceAll(text, "@", ""))
	}
	for _, piece := range hostile {
		f.Add(strings.Repeat(piece, 5))
	}
	const mark = "QQ"
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "Q") {
			return
		}
		out, changed := links.Rewrite([]byte(text), 1<<20, func(ref string) string {
			if ref == "" || strings.Trim(ref, "abcdefghijklmnopqrstuvwxyz./") != "" {
				return ref
			}
			return mark + ref
		})
		if changed != strings.Contains(string(out), mark) {
			t.Fatalf("%q became %q: %v", text, out, changed)
		}
		escapes := strings.ContainsAny(text, "\\&") // are gone where something was rewritten
		if back := strings.ReplaceAll(string(out), mark, ""); back != text && !escapes {
			t.Fatalf("%q became %q", text, out)
		}
		once := rewrite(text)
		if twice := rewrite(once); twice != once {
			t.Fatalf("%q became %q, then %q", text, once, twice)
		}
		if strings.Count(once, "\n") != strings.Count(text, "\n") || strings.Count(once, "\r") != strings.Count(text, "\r") {
			t.Fatalf("%q became %q", text, once)
		}
	})
}
