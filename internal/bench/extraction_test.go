package bench

import (
	"bytes"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"codeberg.org/readeck/go-readability/v2"

	"kbsyncd/internal/convert/htmlmd"
	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/sources/web/article"
)

// TestExtraction looks in what comes of real pages for what must be there and what must not, as testdata/expected.txt of
// the package article lists them, for our way, for readability alone and for the whole page. It runs when KBSYNC_CONVERSION=1, on the pages of
// the directory KBSYNC_PAGES, which .ci/pages prepares; its table is the one of docs/conversion.md.
func TestExtraction(t *testing.T) {
	dir := os.Getenv("KBSYNC_PAGES")
	if os.Getenv("KBSYNC_CONVERSION") != "1" || dir == "" {
		t.Skip("KBSYNC_CONVERSION=1 and KBSYNC_PAGES=DIRECTORY run it; .ci/pages prepares the directory")
	}
	var out strings.Builder
	out.WriteString("| page | layout | seen | found by | kept | noise | readability: kept | noise | whole page: kept | noise | KB | ms |\n" +
		"| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	sums := map[string]*[3]hits{"looked at": {}, "held out first": {}, "held out last": {}}
	for _, p := range expectedPages(t) {
		src, err := os.ReadFile(filepath.Join(dir, p.name+".html"))
		if err != nil {
			t.Logf("%s is left out: %v", p.name, err)
			continue
		}
		way, took, found := measurePage(t, p, src)
		fmt.Fprintf(&out, "| %s | %s | %s | %s |", p.name, p.layout, p.group, way)
		for i, h := range found {
			fmt.Fprintf(&out, " %s |", h)
			sums[p.group][i].add(h)
		}
		fmt.Fprintf(&out, " %d | %.1f |\n", len(src)>>10, took.Seconds()*1e3)
	}
	for _, group := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(&out, "| all | | %s | |", group)
		for _, h := range sums[group] {
			fmt.Fprintf(&out, " %s |", h)
		}
		out.WriteString(" | |\n")
		if ours := sums[group][0]; ours.kept*100 < ours.wanted*95 || ours.noise*100 > ours.unwanted*10 {
			t.Errorf("%s: %s", group, ours)
		}
	}
	fmt.Fprint(os.Stdout, out.String())
}

// hits are how much of what is wanted, and of what is not, is in a text.
type hits struct{ kept, wanted, noise, unwanted int }

func (h *hits) add(o hits) {
	h.kept, h.wanted, h.noise, h.unwanted = h.kept+o.kept, h.wanted+o.wanted, h.noise+o.noise, h.unwanted+o.unwanted
}

func (h hits) String() string {
	return fmt.Sprintf("%d/%d | %d/%d", h.kept, h.wanted, h.noise, h.unwanted)
}

type expectedPage struct {
	name, layout  string
	group         string // whether rules were written with the page in view
	keep, discard []string
}

// measurePage gives how our reader found the content and in what time, the shortest of several, and the hits of ours, of readability and of the whole page.
func measurePage(t *testing.T, p expectedPage, src []byte) (way string, took time.Duration, found [3]hits) {
	t.Helper()
	address, err := url.Parse("https://docs.example.com/manual/" + p.name + ".html")
	if err != nil {
		t.Fatal(err)
	}
	read := func(o article.Options) article.Page {
		page, err := article.Read(t.Context(), src, "text/html", address, o)
		if err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		return page
	}
	ours := read(article.Options{}) // what is made once
	took = time.Hour
	for range 10 { // the machine may be busy with other work
		began := time.Now()
		read(article.Options{})
		took = min(took, time.Since(began))
	}
	var missing, surplus []string
	found[0], missing, surplus = p.look(ours.Markdown)
	if len(missing)+len(surplus) > 0 {
		t.Logf("%s: missing %q, noise %q", p.name, missing, surplus)
	}
	found[1], _, _ = p.look(byReadability(t, src, address))
	found[2], _, _ = p.look(read(article.Options{Whole: true}).Markdown)
	if to := os.Getenv("KBSYNC_EXTRACTED"); to != "" {
		if err := os.WriteFile(filepath.Join(to, p.name+".md"), ours.Markdown, 0o600); err != nil {
			t.Error(err)
		}
	}
	return ours.Way, took, found
}

func byReadability(t *testing.T, src []byte, address *url.URL) []byte {
	t.Helper()
	found, err := readability.FromReader(bytes.NewReader(src), address)
	if err != nil || found.Node == nil {
		return nil
	}
	var b bytes.Buffer
	if err := found.RenderHTML(&b); err != nil {
		return nil
	}
	md, err := htmlmd.Fragment(t.Context(), b.Bytes(), markup.DefaultLimits())
	if err != nil {
		return nil
	}
	return append([]byte("# "+found.Title()+"\n\n"), md...)
}

// look counts what is in a Markdown text, whose signs and breaks of lines do not matter. Noise is looked for as whole words.
func (p expectedPage) look(md []byte) (h hits, missing, surplus []string) {
	text := plainWords(stripMarkdown(string(md)))
	for _, s := range p.keep {
		if h.wanted++; strings.Contains(text, strings.TrimSpace(plainWords(s))) {
			h.kept++
		} else {
			missing = append(missing, s)
		}
	}
	for _, s := range p.discard {
		if h.unwanted++; containsWords(text, strings.TrimSpace(plainWords(s))) {
			h.noise++
			surplus = append(surplus, s)
		}
	}
	return h, missing, surplus
}

// containsWords tells whether s is in a text and is not a part of longer words.
func containsWords(text, s string) bool {
	for i := 0; ; {
		j := strings.Index(text[i:], s)
		if j < 0 {
			return false
		}
		before, _ := utf8.DecodeLastRuneInString(text[:i+j])
		after, _ := utf8.DecodeRuneInString(text[i+j+len(s):])
		if !unicode.IsLetter(before) && !unicode.IsLetter(after) {
			return true
		}
		i += j + len(s)
	}
}

// plainWords is a text without the signs that Markdown adds, each run of blanks being one.
func plainWords(s string) string {
	return " " + strings.Join(strings.Fields(strings.NewReplacer("\\", "", "*", "", "_", "", "`", "", "[", "", "]", "", "|", " ", "#", "", ">", " ").Replace(s)), " ") + " "
}

func expectedPages(t *testing.T) (pages []expectedPage) {
	t.Helper()
	list, err := os.ReadFile("../sources/web/article/testdata/expected.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(list)) {
		line = strings.TrimSpace(line)
		if head, ok := strings.CutPrefix(line, "page "); ok {
			fields := strings.Split(head, "; ")
			pages = append(pages, expectedPage{name: fields[0], layout: fields[1], group: append(fields, "looked at")[2]})
		}
		if len(pages) == 0 {
			continue
		}
		p := &pages[len(pages)-1]
		if s, ok := strings.CutPrefix(line, "+ "); ok {
			p.keep = append(p.keep, s)
		} else if s, ok := strings.CutPrefix(line, "- "); ok {
			p.discard = append(p.discard, s)
		}
	}
	return pages
}
