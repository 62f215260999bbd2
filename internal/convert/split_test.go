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
