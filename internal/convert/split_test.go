package convert_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"kbsyncd/internal/convert"
)

func pieces(data []byte, r convert.Rendition) []string {
	var out []string
	for _, p := range r.Parts {
		out = append(out, string(data[p.Offset:p.Offset+p.Size-int64(len(p.Prefix))]))
	}
	return out
}

func split(t testing.TB, name, text string, limit int64) []string {
	t.Helper()
	d, _ := document(name, []byte(text))
	r := mustRender(t, d, starleads(limit))
	checkParts(t, []byte(text), r, limit)
	return pieces([]byte(text), r)
}

func TestSplitPlaces(t *testing.T) {
	tests := []struct {
		what, name, text string
		limit            int64
		want             []string // beginnings of the parts
	}{
		{"heading before paragraph", "a.md", "intro text\n\nsome more\n\n## Two\n\nparagraph\n", 40, []string{"intro", "## Two"}},
		{"fewer # win", "a.md", "intro text, intro text\n## Two\nx\n# One\ny\n### Three\nzzzzzzzzzzzzz\n", 60, []string{"intro", "# One"}},
		{"paragraph before line", "a.md", "aaaa aaaa aaaa\nbbbb\nbbbb\n\ncccc\ncccc\ndddd\n", 38, []string{"aaaa", "cccc"}},
		{"line", "a.csv", "1,2,3\n4,5,6\n7,8,9\n", 13, []string{"1,2,3", ""}},
		{"white space in an endless line", "a.txt", "wordone wordtwo wordthree", 20, []string{"wordone", "wordthree"}},
		{"character", "a.txt", strings.Repeat("日", 10), 13, []string{"日", "日", ""}},
		{"# is a comment in a program", "a.py", "x = 1\ny = 2\n# z\nz = 3\n\nw = 4\nv = 5\n", 28, []string{"x = 1", "w = 4"}},
		{"sentence in a long paragraph", "a.md", "Aaaa aaaa aaaa aaaa. Bbbb bbbb bbbb bbbb. Cccc cccc cccc.", 48, []string{"Aaaa", "Cccc"}},
		{"sentence before wrapped line", "a.txt", "Aaaa aaaa aaaa aaaa. Bbbb bbbb\nbbbb bbbb. Cccc\ncccc cccc.\n", 48, []string{"Aaaa", "Cccc"}},
		{"no sentence in an abbreviation", "a.md", "Aaaa aaaa aaaa aaaa. Bbbb e.g. bbbb i.e. bbbb bbbb bbbb.", 40, []string{"Aaaa", "Bbbb"}},
		{"Japanese sentences", "a.md", "日本語の文。次の文です。最後の文。", 40, []string{"日本語", "最後"}},
		{"item before sentence", "a.md", "- Aaa. Aaa aaa aaa\n- Bbb. Bbb bbb bbb\n- Ccc. Ccc ccc ccc\n", 40, []string{"- Aaa", "- Ccc"}},
		{"no sentences in rows", "a.md", "| Aaa. Aaa aaa aaa |\n| Bbb. Bbb bbb bbb |\n| Ccc. Ccc ccc |\n", 44, []string{"| Aaa", "| Ccc"}},
		{"AsciiDoc heading", "a.adoc", "== One\n\ntext text\n\ntext\n\n== Two\n\ntext text\n", 40, []string{"== One", "== Two"}},
		{"Org heading", "a.org", "* One\n\n- text text\n\ntext\n\n* Two\n\ntext text\n", 40, []string{"* One", "* Two"}},
		{"code block stays whole", "a.md", "intro\nintro\nintro\n```\ncode 1\n\ncode 2\n# code 3\n```\nafter\n", 44, []string{"intro", "```"}},
		{"# in a code block is no heading", "a.md", "```\naaaaaaaaaaaaa\n# bbbbbbb\n```\n\ntext text\n", 40, []string{"```", "text"}},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			got := split(t, tt.name, tt.text, tt.limit)
			if len(got) != len(tt.want) {
				t.Fatalf("got %d parts %q, want %d", len(got), got, len(tt.want))
			}
			for i := range got {
				if !strings.HasPrefix(got[i], tt.want[i]) {
					t.Errorf("part %d begins with %q, want %q", i+1, got[i], tt.want[i])
				}
			}
		})
	}
}

// manual is a large Markdown document without two equal lines.
func manual(sections int) string {
	var b strings.Builder
	r := rand.New(rand.NewPCG(1, 2))
	for i := range sections {
		fmt.Fprintf(&b, "%s Section %d\n\n", []string{"#", "##", "##", "###"}[i%4], i)
		for range 3 {
			for range 8 {
				fmt.Fprintf(&b, "word%d ", r.IntN(1e6))
			}
			b.WriteString("\n\n")
		}
	}
	return b.String()
}

// An edit at the beginning leaves nearly all later parts what they were.
func TestSplitIsStable(t *testing.T) {
	text := manual(3000)
	const limit = 20_000
	before := map[string]bool{}
	parts := split(t, "a.md", text, limit)
	for _, p := range parts {
		before[p] = true
	}
	changed := 0
	for _, p := range split(t, "a.md", "# New\n\nA paragraph more.\n\n"+text, limit) {
		if !before[p] {
			changed++
		}
	}
	if changed > 5 {
		t.Errorf("%d of %d parts changed after an insertion at the beginning", changed, len(parts))
	}
}

func TestSplitFillsParts(t *testing.T) {
	const limit = 20_000
	for _, name := range []string{"a.md", "a.txt", "a.csv", "a.html"} {
		parts := split(t, name, manual(3000), limit)
		for i, p := range parts[:len(parts)-1] {
			if len(p) < limit/2 {
				t.Errorf("%s: part %d has only %d bytes", name, i+1, len(p))
			}
		}
	}
}

// Vendors refuse a part of white space alone, and the document would fail for ever.
func TestSplitLeavesOutBlankParts(t *testing.T) {
	blank := strings.Repeat("\n", 300_000)
	for what, text := range map[string]string{
		"before": blank + "x\n", "behind": "x\n" + blank, "between": "x\n" + blank + "# H\n\ny\n", "spaces": "x" + strings.ReplaceAll(blank, "\n", " ") + "y",
		"around parts": blank + manual(500) + blank,
	} {
		words := 0
		for _, p := range split(t, "a.md", text, 20_000) {
			if strings.TrimSpace(p) == "" {
				t.Errorf("%s: a blank part of %d bytes", what, len(p))
			}
			words += len(strings.Fields(p))
		}
		if want := len(strings.Fields(text)); words != want {
			t.Errorf("%s: got %d words, want %d", what, words, want)
		}
	}
	for _, limit := range []int64{0, 20_000} {
		d, _ := document("a.md", []byte(blank))
		if _, err := convert.Render(t.Context(), d, starleads(limit)); !isUnsupported(err) || !strings.Contains(err.Error(), "white space") {
			t.Errorf("nothing else, limit %d: %v", limit, err)
		}
	}
}

// Cuts do not depend on how the content arrives.
func TestSplitInSmallReads(t *testing.T) {
	text := []byte(manual(3000) + strings.Repeat("endless line ", 30_000))
	d, m := document("a.md", text)
	want := mustRender(t, d, starleads(50_000))
	for _, chunk := range []int{1000, 4093, 70_001} {
		m.chunk = chunk
		d.Size = -1
		got := mustRender(t, d, starleads(50_000))
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("reads of %d bytes give other parts", chunk)
		}
	}
}

func TestSplitKeepsBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.OneOf(
			rapid.SampledFrom([]string{"", "# A", "## B", "### C", "```", "````go", "~~~", "    x", "\t", "text\r", "日本語のテキスト", "é"}),
			rapid.StringMatching(`[a-z #]{0,80}`), rapid.StringMatching(`[a-zé日]{50,300}`),
		)
		text := strings.Join(rapid.SliceOfN(line, 1, 60).Draw(t, "lines"), rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "eol"))
		limit := rapid.Int64Range(8, 400).Draw(t, "limit")
		name := rapid.SampledFrom([]string{"a.md", "a.txt", "a.csv", "a.json", "a"}).Draw(t, "name")
		chunk := rapid.IntRange(0, 50).Draw(t, "chunk")
		if strings.TrimSpace(text) == "" {
			return
		}
		d, m := document(name, []byte(text))
		m.chunk = chunk
		if rapid.Bool().Draw(t, "size unknown") {
			d.Size = -1
		}
		r, err := convert.Render(context.Background(), d, starleads(limit))
		if err != nil {
			t.Fatal(err)
		}
		checkParts(t, []byte(text), r, limit)
		ps := pieces([]byte(text), r)
		for i, p := range ps {
			if !utf8.ValidString(p) {
				t.Fatalf("part %d cuts a character", i+1)
			}
			// A carriage return that belongs to no line end may stand anywhere.
			if strings.HasSuffix(p, "\r") && i+1 < len(ps) && strings.HasPrefix(ps[i+1], "\n") {
				t.Fatalf("part %d cuts a line end", i+1)
			}
		}
	})
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte("# A\n\ntext\n\n## B\n\n```\ncode\n\n```\n"), int64(9), 0)
	f.Add([]byte(strings.Repeat("日本", 40)), int64(16), 7)
	f.Add(bytes.Repeat([]byte("a\xff\x80\x80\x80"), 50), int64(11), 3)
	f.Fuzz(func(t *testing.T, data []byte, limit int64, chunk int) {
		limit = 1 + max(limit, -limit-1)%5000
		d, m := document("a.md", data)
		m.chunk = max(0, chunk)
		d.Size = -1
		r, err := convert.Render(t.Context(), d, starleads(limit))
		if isUnsupported(err) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if r.Parts[0].Converted() {
			sent(t, d, r)
			return
		}
		checkParts(t, data, r, limit)
		if limit < 8 {
			return
		}
		for i, p := range pieces(data, r) {
			if !utf8.ValidString(p) {
				t.Fatalf("part %d cuts a character", i+1)
			}
		}
	})
}

// partTexts renders a text and gives what is sent.
func partTexts(t testing.TB, name, text string, limit int64) []string {
	t.Helper()
	d, _ := document(name, []byte(text))
	r := mustRender(t, d, starleads(limit))
	checkParts(t, []byte(text), r, limit)
	return sent(t, d, r)
}

func TestPartsKeepTheirHeadings(t *testing.T) {
	filler := func(word string, n int) string { return strings.Repeat(word+" "+word+"\n\n", n) }
	tests := []struct {
		what, text string
		limit      int64
		want       []string // beginnings of the parts
	}{
		{"every part of a section", "# A\n\n" + filler("one", 30), 100, []string{"# A\n\none", "# A\n\none", "# A\n\none"}},
		{"only the missing ancestors", "# A\n\n" + filler("one", 8) + "## B\n\n" + filler("two", 8), 100, []string{"# A\n\none", "# A\n\n## B\n\ntwo"}},
		{"its own heading alone", "# A\n\n" + filler("one", 8) + "# B\n\n" + filler("two", 8), 100, []string{"# A\n\none", "# B\n\ntwo"}},
		{"the whole path", "# A\n\n### C #\n\n" + filler("one", 20), 100, []string{"# A\n\n### C #\n\none", "# A\n### C #\n\none"}},
		{"a deeper heading ends with its section", "# A\n\n### C\n\n" + filler("one", 8) + "## D\n\n" + filler("two", 20), 130, []string{"# A\n\n### C", "# A\n\n## D", "# A\n## D\n\ntwo"}},
		{"underlined headings", "A\n===\n\n" + filler("one", 8) + "B\n---\n\n" + filler("two", 20), 100, []string{"A\n===", "# A\n\nB\n---\n\ntwo", "# A\n## B\n\ntwo"}},
		{"a rule is no underline", "# A\n\n- one\n---\n\n" + filler("one", 20), 100, []string{"# A\n\n- one", "# A\n\none"}},
		{"Windows lines", "# A\r\n\r\n" + strings.Repeat("one one\r\n\r\n", 30), 100, []string{"# A\r\n\r\none", "# A\n\none"}},
		{"an endless line", "# A\n\n" + strings.Repeat("word ", 50), 100, []string{"# A\n\nword", "# A\n\nword", "# A\n\nword"}},
		{"none in a code block", "# A\n\n```\n# B\n```\n\n" + filler("one", 20), 100, []string{"# A\n\n```", "# A\n\none"}},
		{"an empty heading ends a section", "# A\n\n## B\n\n" + filler("one", 5) + "#\n\n" + filler("two", 20), 100, []string{"# A\n\n## B", "#\n\ntwo", "two"}},
		{"no room for far ancestors", "# " + strings.Repeat("a", 60) + "\n\n## B\n\n" + filler("one", 30), 100, []string{"# aaa", "## B\n\none"}},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			got := partTexts(t, "a.md", tt.text, tt.limit)
			if len(got) < len(tt.want) {
				t.Fatalf("got %d parts %q", len(got), got)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("part %d begins with %.40q, want %q", i+1, got[i], want)
				}
			}
		})
	}
	long := "# " + strings.Repeat("ä", 400) + "\n\n" + filler("one", 2000)
	if got := partTexts(t, "a.md", long, 8000)[1]; !strings.HasPrefix(got, "# "+strings.Repeat("ä", 127)+"\n\none") {
		t.Errorf("a heading of 800 bytes is repeated as %.300q", got)
	}
	for _, p := range partTexts(t, "a.py", "# A\n\n"+filler("one", 30), 100)[1:] {
		if strings.HasPrefix(p, "#") {
			t.Errorf("a program's comment is repeated: %q", p)
		}
	}
}

// The headings above a part are those that stand above its first line in the text.
func TestHeadingPaths(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		line := rapid.SampledFrom([]string{"# A", "# B", "## C", "## D", "### E", "###### F", "", "", "text text text", "---", "====", "A sentence. Another one. And more of it.", "- item"})
		lines := rapid.SliceOfN(line, 60, 200).Draw(rt, "lines")
		text := strings.Join(lines, "\n")
		limit := rapid.Int64Range(300, 500).Draw(rt, "limit")
		if strings.TrimSpace(text) == "" {
			return
		}
		d, _ := document("a.md", []byte(text))
		r, err := convert.Render(t.Context(), d, starleads(limit))
		if err != nil {
			rt.Fatal(err)
		}
		checkParts(rt, []byte(text), r, limit)
		for _, p := range r.Parts[1:] {
			if want := above(text, int(p.Offset)); p.Prefix != want {
				rt.Fatalf("prefix %q before %.40q, want %q", p.Prefix, text[p.Offset:], want)
			}
		}
	})
}

// above says plainly which headings a place stands under, when a part begins there.
func above(text string, at int) string {
	lines := strings.Split(text, "\n")
	heading := func(i int) (level int, line string) {
		rule := func(i int) bool { return i < len(lines) && (lines[i] == "---" || lines[i] == "====") }
		sign, _, _ := strings.Cut(lines[i], " ")
		switch {
		case sign != "" && strings.Trim(sign, "#") == "":
			return len(sign), lines[i]
		case lines[i] == "" || sign == "-" || rule(i) || !rule(i+1) || i > 0 && lines[i-1] != "":
			return 0, ""
		case lines[i+1] == "====":
			return 1, "# " + lines[i]
		default:
			return 2, "## " + lines[i]
		}
	}
	var path [7]string
	enter := func(level int, line string) {
		clear(path[level:])
		path[level] = line
	}
	first := strings.Count(text[:at], "\n")
	for i := range first {
		if level, line := heading(i); level > 0 {
			enter(level, line)
		}
	}
	if level, _ := heading(first); level > 0 && (at == 0 || text[at-1] == '\n') {
		enter(level, "")
	}
	out := ""
	for _, line := range path {
		if line != "" {
			out += line + "\n"
		}
	}
	if out == "" {
		return ""
	}
	return out + "\n"
}

// Random edits of a large text change the parts near them and hardly any other.
func TestEditsChangeFewParts(t *testing.T) {
	const limit = 20_000
	random := rand.New(rand.NewPCG(3, 4))
	text := "# Manual\n\n" + strings.ReplaceAll(manual(2000), "\n# ", "\n## ")
	parts := partTexts(t, "a.md", text, limit)
	before := map[string]bool{}
	for _, p := range parts {
		before[p] = true
	}
	total, most := 0, 0
	const edits = 20
	for range edits {
		at := random.IntN(len(text) - 5000)
		at += strings.Index(text[at:], "word")
		var edited string
		switch random.IntN(3) {
		case 0:
			edited = text[:at] + "changed " + text[at:]
		case 1:
			edited = text[:at] + "word\n\nA new paragraph.\n\n## A new section\n\n" + text[at:]
		default:
			edited = text[:at] + text[at+random.IntN(4000):]
		}
		changed := 0
		for _, p := range partTexts(t, "a.md", edited, limit) {
			if !before[p] {
				changed++
			}
		}
		total, most = total+changed, max(most, changed)
	}
	t.Logf("%d parts, %.1f changed by an edit, at most %d", len(parts), float64(total)/edits, most)
	if total > 3*edits || most > 10 {
		t.Errorf("of %d parts %.1f changed with each edit, at most %d", len(parts), float64(total)/edits, most)
	}
}
