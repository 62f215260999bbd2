package bench

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"kbsyncd/internal/convert/epub"
	"kbsyncd/internal/convert/htmlmd"
	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/convert/office"
	"kbsyncd/internal/convert/pdf"
)

// formats are the formats that are measured, and what the project asks of them: how much of what comes out is in the reference
// (precision), and how much of the reference comes out (recall).
var formats = []struct {
	ext     string
	read    markup.Reader
	atLeast float64
}{
	{"docx", office.DOCX, 0.95},
	{"odt", office.ODT, 0.95},
	{"epub", epub.Read, 0.95},
	{"html", htmlmd.Read, 0.95},
	{"pdf", pdf.Read, 0.95},
	{"rtf", office.RTF, 0.90},
	{"pptx", office.PPTX, 0.90},
}

// TestConversion compares the words that the readers find with those of a reference, and tells what reading costs. It runs when
// KBSYNC_CONVERSION=1, needs pandoc, and measures more with LibreOffice and pdftotext; its table is the one of docs/conversion.md.
//
// The documents are real ones that are on the machine (documentation of Go and of modules that kbsyncd uses, manual pages in several languages) and
// a short handbook in five languages. Each is made into every format by pandoc, and from that anew by LibreOffice, whose files look quite
// different. The reference is pandoc's plain text of the source, not of the made document: pandoc's own readers lose text at times. For PDF it is
// pdftotext's text of the same file. Words are runs of letters and digits after NFKC and lower-casing, counted as often as they occur, in
// no order; addresses of links, the languages of code blocks and line-break tags are taken off our Markdown before, as plain text has none.
func TestConversion(t *testing.T) {
	if os.Getenv("KBSYNC_CONVERSION") != "1" {
		t.Skip("KBSYNC_CONVERSION=1 runs it")
	}
	if _, err := exec.LookPath("pandoc"); err != nil {
		t.Skip("pandoc is not installed")
	}
	pdf.SetCacheDir(t.TempDir())
	t.Cleanup(func() {
		if err := pdf.Close(); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	references := makeDocuments(t, dir)
	var out strings.Builder
	out.WriteString("| format | made by | documents | KB | words | precision | recall | lowest | ms/MB | peak heap |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, f := range formats {
		for _, maker := range []string{"pandoc", "libreoffice"} {
			s := measureReader(t, filepath.Join(dir, maker), f.ext, f.read, references)
			if s.documents == 0 {
				continue
			}
			if s.precision() < f.atLeast || s.recall() < f.atLeast {
				t.Errorf("%s by %s: precision %.3f, recall %.3f, want %.2f", f.ext, maker, s.precision(), s.recall(), f.atLeast)
			}
			fmt.Fprintf(&out, "| %s | %s | %d | %d | %d | %.3f | %.3f | %.3f / %.3f | %.0f | %d MB |\n", strings.ToUpper(f.ext), maker, s.documents, s.bytes>>10,
				s.reference, s.precision(), s.recall(), s.lowPrecision, s.lowRecall, s.took.Seconds()*1e3/(float64(s.bytes)/(1<<20)), s.peak>>20)
		}
	}
	fmt.Fprint(os.Stdout, out.String())
}

// sums are the figures of one format and maker.
type sums struct {
	documents, common, found, reference int
	bytes                               int
	lowPrecision, lowRecall             float64
	took                                time.Duration
	peak                                uint64
}

func (s sums) precision() float64 { return float64(s.common) / float64(max(s.found, 1)) }
func (s sums) recall() float64    { return float64(s.common) / float64(max(s.reference, 1)) }

func measureReader(t *testing.T, dir, ext string, read markup.Reader, references map[string]words) sums {
	t.Helper()
	total := sums{lowPrecision: 1, lowRecall: 1}
	files, err := filepath.Glob(filepath.Join(dir, "*."+ext))
	if err != nil {
		t.Fatal(err)
	}
	for i, file := range files {
		name := filepath.Base(file)
		want := references[strings.TrimSuffix(name, "."+ext)]
		if ext == "pdf" {
			if want = pdfWords(t, file); want == nil {
				continue
			}
		}
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 { // engines and tables that are made once
			_, _ = read(t.Context(), src, markup.DefaultLimits())
		}
		var res markup.Result
		took, peak := cost(func() { res, err = read(t.Context(), src, markup.DefaultLimits()) })
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := count(stripMarkdown(string(res.Markdown)))
		one := sums{common: got.common(want), found: got.size(), reference: want.size()}
		if one.precision() < 0.9 || one.recall() < 0.9 {
			t.Logf("%s: precision %.3f, recall %.3f; missing %v, surplus %v", file, one.precision(), one.recall(), want.without(got), got.without(want))
		}
		total.documents++
		total.bytes += len(src)
		total.common += one.common
		total.found += one.found
		total.reference += one.reference
		total.lowPrecision = min(total.lowPrecision, one.precision())
		total.lowRecall = min(total.lowRecall, one.recall())
		total.took += took
		total.peak = max(total.peak, peak)
	}
	return total
}

// cost is the time that fn takes, and by how much the heap, garbage included, grows at most meanwhile.
func cost(fn func()) (time.Duration, uint64) {
	heap := func() uint64 {
		s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	runtime.GC()
	base, done, peak := heap(), make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		for {
			if now := heap(); now > base {
				most = max(most, now-base)
			}
			select {
			case <-done:
				peak <- most
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	began := time.Now()
	fn()
	took := time.Since(began)
	close(done)
	return took, <-peak
}

// words are the words of a text with how often they occur.
type words map[string]int

func count(text string) words {
	text = strings.ToLower(norm.NFKC.String(strings.ReplaceAll(text, "\u00ad", "")))
	w := words{}
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		w[word]++
	}
	return w
}

func (w words) size() (n int) {
	for _, c := range w {
		n += c
	}
	return n
}

func (w words) common(other words) (n int) {
	for word, c := range w {
		n += min(c, other[word])
	}
	return n
}

// without are some words of w that other has less of.
func (w words) without(other words) []string {
	var some []string
	for _, word := range slices.Sorted(maps.Keys(w)) {
		if w[word] > other[word] && len(some) < 12 {
			some = append(some, word)
		}
	}
	return some
}

var (
	linkAddress = regexp.MustCompile(`\]\([^()\s]*(?:\s+"[^"\n]*")?\)`)
	fenceLine   = regexp.MustCompile("(?m)^[ \t]*(?:```+|~~~+)[^`\n]*$")
	breakTag    = regexp.MustCompile(`<br ?/?>`)
)

// stripMarkdown takes off what plain text does not have. The signs of Markdown are no words.
func stripMarkdown(md string) string {
	return breakTag.ReplaceAllString(fenceLine.ReplaceAllString(linkAddress.ReplaceAllString(md, "]"), ""), " ")
}

func pdfWords(t *testing.T, file string) words {
	t.Helper()
	if _, err := exec.LookPath("pdftotext"); err != nil {
		t.Log("pdftotext is not installed: PDF is not measured")
		return nil
	}
	return count(tool(t, nil, "pdftotext", "-enc", "UTF-8", file, "-"))
}

// tool runs a program and gives what it says.
func tool(t *testing.T, stdin []byte, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, problems.String())
	}
	return string(out)
}

// makeDocuments fills dir/pandoc and dir/libreoffice, and gives the words of the sources by name.
func makeDocuments(t *testing.T, dir string) map[string]words {
	t.Helper()
	byPandoc, byOffice := filepath.Join(dir, "pandoc"), filepath.Join(dir, "libreoffice")
	for _, d := range []string{byPandoc, byOffice} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	references := map[string]words{}
	for _, s := range documentSources(t) {
		parsed := tool(t, s.text, "pandoc", "-f", s.format, "-t", "json", "--metadata", "title="+s.name)
		references[s.name] = count(tool(t, []byte(parsed), "pandoc", "-s", "-f", "json", "-t", "plain", "--wrap=none"))
		for _, f := range formats {
			if f.ext != "pdf" {
				// Pictures are left out: some sources name ones that are not there.
				tool(t, []byte(parsed), "pandoc", "-s", "-f", "json", "--lua-filter", noPictures(t, dir), "-o", filepath.Join(byPandoc, s.name+"."+f.ext))
			}
		}
	}
	if _, err := exec.LookPath("soffice"); err != nil {
		t.Log("soffice is not installed: what LibreOffice makes is not measured, nor is PDF")
		return references
	}
	for _, c := range [][2]string{{"docx", "odt"}, {"odt", "docx"}, {"docx", "rtf"}, {"docx", "pdf"}, {"pptx", "pptx"}} {
		files, err := filepath.Glob(filepath.Join(byPandoc, "*."+c[0]))
		if err != nil {
			t.Fatal(err)
		}
		args := []string{"-env:UserInstallation=file://" + filepath.Join(dir, "profile"), "--headless", "--convert-to", c[1], "--outdir", byOffice}
		tool(t, nil, "soffice", append(args, files...)...)
	}
	return references
}

// noPictures is a filter for pandoc that leaves of a picture its description.
func noPictures(t *testing.T, dir string) string {
	t.Helper()
	file := filepath.Join(dir, "pictures.lua")
	if err := os.WriteFile(file, []byte("function Image(i) return i.caption end\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

type documentSource struct {
	name, format string
	text         []byte
}

// documentSources are the same on machines with the same modules and packages; what is not there is left out.
func documentSources(t *testing.T) []documentSource {
	t.Helper()
	sources := []documentSource{{"handbook", "markdown", []byte(handbook)}}
	add := func(name, format, file string) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Logf("%s is left out: %v", name, err)
			return
		}
		if strings.HasSuffix(file, ".gz") {
			text = []byte(tool(t, text, "gzip", "-dc"))
		}
		sources = append(sources, documentSource{name, format, text})
	}
	root := strings.TrimSpace(tool(t, nil, "go", "env", "GOROOT"))
	add("go-memory-model", "html", filepath.Join(root, "doc", "go_mem.html"))
	add("go-specification", "html", filepath.Join(root, "doc", "go_spec.html"))
	for _, m := range [][3]string{
		{"bbolt", "go.etcd.io/bbolt", "README.md"},
		{"wazero", "github.com/tetratelabs/wazero", "RATIONALE.md"},
		{"openapi", "github.com/getkin/kin-openapi", "README.md"},
		{"cobra", "github.com/spf13/cobra", "site/content/user_guide.md"},
		{"toml", "github.com/BurntSushi/toml", "internal/toml-test/specs/v1.0.0.md"},
	} {
		module := strings.TrimSpace(tool(t, nil, "go", "list", "-m", "-f", "{{.Dir}}", m[1]))
		add(m[0], "gfm", filepath.Join(module, m[2]))
	}
	for _, language := range []string{"de", "es", "fr", "it", "ja", "pl"} {
		add("apt-get-"+language, "man", filepath.Join("/usr/share/man", language, "man8", "apt-get.8.gz"))
	}
	return sources
}

// handbook has what the others lack: right-to-left text, notes, lists in lists, a table with pipes.
const handbook = `# Installing the pump

Before you start, read the *safety* notes and the **warranty** terms.[^1] The [manual](https://example.com/manual) has more.

- A wrench
    - size 12
    - size 14
        1. metric
        2. imperial
- A screwdriver

1. Open the box.

    Keep the box for returns.

2. Take the pump out.

| Part | Quantity | Note           |
|------|---------:|----------------|
| Pump | 1        | heavy, 12 kg   |
| Hose | 2        | 3 m \| 5 m     |
| الخرطوم | 10    | مطاط           |

## Français

Le débit est réglé à l'aide de la molette ; vérifiez « l'étanchéité » avant chaque utilisation. Le prix est de 1 234,50 €.[^2]

## العربية

اقرأ تعليمات السلامة قبل تشغيل المضخة. لا تشغّل المضخة بدون ماء. يجب فحص الخرطوم كل ستة أشهر، واستبداله عند ظهور أي تشقق.

1. افتح الصندوق.
2. أخرج المضخة.

## 日本語

ポンプを始動する前に安全上の注意をお読みください。水なしで運転しないでください。ホースは六か月ごとに点検してください。

## Deutsch

Größe und Gewicht stehen auf dem Typenschild. Überprüfen Sie die Schläuche, und ziehen Sie die Schellen mit 2 Nm an.

` + "```sh\npumpctl set speed=3   # fast\npumpctl start\n```" + `

[^1]: The warranty lasts two years.

    It does not cover hoses.

[^2]: Hors taxes.
`
