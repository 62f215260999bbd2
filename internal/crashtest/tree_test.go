package crashtest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"kbsyncd/internal/kb"
)

const (
	sourceName = "docs"
	fewest     = 20      // documents that deletions leave
	most       = 75      // documents above which none are added; more than one page of the vendor's lists
	vendorFile = 150_000 // the largest file that the configuration allows
	maxBig     = 2
)

// document is one file and what is known about its copies at the vendor.
type document struct {
	path    string // relative, slash-separated, as on disk
	content []byte
	// history is every content since the document was last known to be in sync, the present one included.
	history [][]byte
	// moved says that it was renamed since it was last searchable under its present name.
	moved bool
	live  bool // some version was searchable at the last look
	exact bool // and the present version was
}

func (d *document) key() kb.Key { return kb.NewKey(sourceName, norm.NFC.String(d.path)) }

func (d *document) big() bool { return len(d.content) > vendorFile }

// small tells that no version since it was last in sync was in parts.
func (d *document) small() bool {
	return !slices.ContainsFunc(d.history, func(version []byte) bool { return len(version) > vendorFile })
}

func (d *document) pdf() bool { return strings.HasSuffix(d.path, ".pdf") }

// file is the document as it is on disk.
func (d *document) file() []byte {
	if d.pdf() {
		return pdf(d.content)
	}
	return d.content
}

var markPattern = regexp.MustCompile(`\b[0-9a-f]{16}\b`)

// marks are what makes a text recognisable, in whatever form a vendor has it: the numbers in its lines, in their order. No
// two lines that were ever written have the same one.
func marks(content []byte) []string { return markPattern.FindAllString(string(content), -1) }

// mark makes a new one.
func (tr *tree) mark() string { return fmt.Sprintf("%016x", tr.rng.Uint64()) }

// tree is a folder of real files and its model.
type tree struct {
	t    *testing.T
	rng  *rand.Rand
	root string
	docs []*document
	dirs []string
	next int // number of the next document
	hot  []*document
	// linked: vendors know the addresses of the files and fetch them when they like. So a file never has again what it had once, because what was
	// fetched under that digest may be what came later; and a file at another address is another document.
	linked bool
}

func newTree(t *testing.T, rng *rand.Rand, root string) *tree {
	tr := &tree{t: t, rng: rng, root: root, dirs: []string{"", "guide", "guide/setup", "Über uns", "a b/c'd"}}
	for range fewest + rng.IntN(20) {
		tr.add()
	}
	return tr
}

func (tr *tree) must(err error) {
	tr.t.Helper()
	if err != nil {
		tr.t.Fatal(err)
	}
}

func (tr *tree) file(name string) string { return filepath.Join(tr.root, filepath.FromSlash(name)) }

// stems are names that file systems allow and programs stumble over.
var stems = []string{
	"install", "README", "readme", "price list", "ünïcödé", "u\u0308ber", "日本語の手引き", "emoji 🚀 rocket", "-rf", "--help", "quote\"d 'name'",
	"semi;colon&and|pipe", "percent%2Fslash%00", "back\\slash", "new\nline", "tab\there", "trailing dot.", "..double", "name(1)", "a.b.c",
	"guide.kbaaaaabbbbbbbbbb-0123456789", "guide.kbaaaaabbbbbbbbbb-p0001-0123456789", "kb", "x.kb", "<html>", "${HOME}", "$(id)", "*?[x]",
	strings.Repeat("long ", 40), strings.Repeat("ж", 100), "\u202egnp", "CON", "null", "nul.txt", "#hash", "question?q=1&r=2", "@at", "~tilde",
}

var extensions = []string{".md", ".md", ".md", ".txt", ".html", ".csv", ".json", ".yaml", ".rst", ".MD", ".py", "", ".pdf"}

// freshPath is the path of a new file. The number makes it differ from all others.
func (tr *tree) freshPath() string {
	tr.next++
	stem := stems[tr.rng.IntN(len(stems))]
	if strings.HasPrefix(stem, "..") {
		stem = "x" + stem // hidden files are no documents
	}
	name := fmt.Sprintf("%s %d", stem, tr.next)
	if tr.rng.IntN(2) == 0 {
		name = fmt.Sprintf("%d %s", tr.next, stem)
	}
	return path.Join(tr.dirs[tr.rng.IntN(len(tr.dirs))], name+extensions[tr.rng.IntN(len(extensions))])
}

// words is a small text that no other document has.
func (tr *tree) words() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# Document %d\n\nThis is version %s.\n\n", tr.next, tr.mark())
	for range tr.rng.IntN(20) {
		fmt.Fprintf(&b, "Grüße from paragraph %s.\n\n```\n# no heading\n```\n", tr.mark())
	}
	s := b.String()
	switch tr.rng.IntN(6) {
	case 0:
		s = strings.ReplaceAll(s, "\n", "\r\n")
	case 1:
		s = "\ufeff" + s
	case 2:
		s = strings.TrimSpace(s)
	}
	return []byte(s)
}

// volume is a text that is too large for one file at the vendor.
func (tr *tree) volume() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Volume %d\n", tr.rng.Uint32())
	size := vendorFile + 1 + tr.rng.IntN(vendorFile/4)
	if tr.rng.IntN(4) == 0 {
		size += vendorFile
	}
	for n := 0; b.Len() < size; n++ {
		if n%50 == 0 {
			fmt.Fprintf(&b, "\n## Chapter %d\n\n", n/50)
		}
		fmt.Fprintf(&b, "Line %08d of a long text that says nothing, but says it in an orderly way: %s\n", n, tr.mark())
	}
	return b.Bytes()
}

func (tr *tree) write(d *document, content []byte) {
	name := tr.file(d.path)
	d.content = content
	tr.must(os.MkdirAll(filepath.Dir(name), 0o755))
	if tr.rng.IntN(2) == 0 {
		tr.must(os.WriteFile(name, d.file(), 0o644))
	} else { // as editors save: a new file in the place of the old one
		tr.must(os.WriteFile(name+".tmp", d.file(), 0o644))
		tr.must(os.Rename(name+".tmp", name))
	}
	d.history = append(d.history, content)
	d.exact = false
	tr.heat(d)
}

func (tr *tree) create(content []byte) *document {
	d := &document{path: tr.freshPath()}
	if len(content) > vendorFile/2 { // not every kind can be divided, or is as small as its text
		d.path = strings.TrimSuffix(d.path, ".pdf") + ".md"
	}
	tr.write(d, content)
	tr.docs = append(tr.docs, d)
	return d
}

// pick chooses a document, often one that was edited lately: edits of what a dead pass was busy with are the hard ones.
func (tr *tree) pick() *document {
	if d := tr.hot[tr.rng.IntN(len(tr.hot))]; tr.rng.IntN(3) > 0 && slices.Contains(tr.docs, d) {
		return d
	}
	return tr.docs[tr.rng.IntN(len(tr.docs))]
}

func (tr *tree) heat(d *document) {
	const few = 4
	tr.hot = append(slices.Clone(tr.hot[max(0, len(tr.hot)-few+1):]), d)
}

// edit makes one random edit and says which.
func (tr *tree) edit() string {
	return tr.oneOf(
		tr.add, tr.add, tr.add, tr.change, tr.change, tr.change, tr.change, tr.stealth, tr.revert, tr.rename, tr.rename, tr.moveDir,
		tr.remove, tr.remove, tr.twin, tr.swap, tr.grow, tr.touch, tr.touchUp,
	)
}

// disturb makes an edit that may fall into the middle of a pass. Renames are not among them: a scan can miss both names.
func (tr *tree) disturb() string {
	return tr.oneOf(tr.add, tr.change, tr.change, tr.stealth, tr.revert, tr.remove, tr.touch)
}

// oneOf makes one of the edits; one that is not possible now returns "".
func (tr *tree) oneOf(edits ...func() string) string {
	for {
		if what := edits[tr.rng.IntN(len(edits))](); what != "" {
			return what
		}
	}
}

func (tr *tree) add() string {
	if len(tr.docs) >= most {
		return ""
	}
	return "add " + tr.create(tr.words()).path
}

// grow makes a large document: a new one, or a small one that becomes large; or a large one becomes small.
func (tr *tree) grow() string {
	if tr.rng.IntN(2) == 0 {
		return ""
	}
	var big []*document
	for _, d := range tr.docs {
		if d.big() {
			big = append(big, d)
		}
	}
	switch d := tr.pick(); {
	case len(big) >= maxBig:
		tr.rewrite(big[0], tr.words())
		return "shrink " + big[0].path
	case tr.rng.IntN(2) == 0 && strings.HasSuffix(d.path, ".md"):
		tr.rewrite(d, tr.volume())
		return "grow " + d.path
	}
	return "add large " + tr.create(tr.volume()).path
}

// rewrite gives a document another content. One that was renamed and then edited is a new document to everybody.
func (tr *tree) rewrite(d *document, content []byte) {
	if d.moved {
		d.moved, d.live, d.history = false, false, nil
	}
	tr.write(d, content)
}

func (tr *tree) change() string {
	d := tr.pick()
	switch {
	case d.big(): // an edit in one place, so that most parts stay what they were
		c := slices.Clone(d.content)
		at := tr.rng.IntN(len(c) - 100)
		i := at + bytes.IndexByte(c[at:], '\n') + 1
		c = slices.Insert(c, min(i, len(c)), fmt.Appendf(nil, "A line put in between: %s\n", tr.mark())...)
		tr.rewrite(d, c)
	case tr.rng.IntN(2) == 0:
		tr.rewrite(d, append(slices.Clone(d.content), fmt.Sprintf("\nOne line more: %s\n", tr.mark())...))
	default:
		tr.rewrite(d, tr.words())
	}
	return "change " + d.path
}

// stealth changes a document's bytes but neither its size nor its modification time.
func (tr *tree) stealth() string {
	d := tr.pick()
	at := markPattern.FindIndex(d.content)
	i := at[0] + bytes.IndexAny(d.content[at[0]:at[1]], "0123456789")
	if i < at[0] || d.big() {
		return ""
	}
	info, err := os.Stat(tr.file(d.path))
	tr.must(err)
	c := slices.Clone(d.content)
	c[i] = '0' + (c[i]-'0'+1)%10
	tr.rewrite(d, c)
	tr.must(os.Chtimes(tr.file(d.path), info.ModTime(), info.ModTime()))
	return "change with the same size and time " + d.path
}

// revert takes a document back to what it was.
func (tr *tree) revert() string {
	d := tr.pick()
	if len(d.history) < 2 || d.moved || tr.linked {
		return ""
	}
	tr.rewrite(d, d.history[0])
	return "revert " + d.path
}

// touch changes the times of a file only.
func (tr *tree) touch() string {
	d := tr.pick()
	info, err := os.Stat(tr.file(d.path))
	tr.must(err)
	later := info.ModTime().Add(1e9)
	tr.must(os.Chtimes(tr.file(d.path), later, later))
	return "touch " + d.path
}

// touchUp writes the same bytes again.
func (tr *tree) touchUp() string {
	d := tr.pick()
	tr.must(os.WriteFile(tr.file(d.path), d.file(), 0o644))
	return "write again " + d.path
}

// relocate notes that a file has another path.
func (tr *tree) relocate(d *document, to string) {
	if d.exact && !tr.linked && strings.EqualFold(path.Ext(d.path), path.Ext(to)) {
		d.moved = true
	} else { // the vendor has another version, or perhaps the same in another form, under the old name: no link between the two
		d.live, d.moved = false, false
	}
	d.path, d.history = to, [][]byte{d.content}
	tr.heat(d)
}

func (tr *tree) rename() string {
	d := tr.pick()
	from, to := d.path, tr.freshPath()
	switch {
	case d.pdf():
		to += ".pdf"
	case tr.rng.IntN(3) > 0, d.big():
		to += path.Ext(from)
	}
	if !d.pdf() { // only its name would be one
		to = strings.TrimSuffix(to, ".pdf")
	}
	tr.must(os.MkdirAll(filepath.Dir(tr.file(to)), 0o755))
	tr.must(os.Rename(tr.file(from), tr.file(to)))
	tr.relocate(d, to)
	return "rename " + from + " to " + to
}

func (tr *tree) moveDir() string {
	i := 1 + tr.rng.IntN(len(tr.dirs)-1) // not the folder itself
	from := tr.dirs[i]
	if tr.rng.IntN(3) > 0 {
		return ""
	}
	if _, err := os.Stat(tr.file(from)); err != nil {
		return ""
	}
	tr.next++
	to := fmt.Sprintf("moved %d", tr.next)
	tr.must(os.Rename(tr.file(from), tr.file(to)))
	n := 0
	for _, d := range tr.docs {
		if rest, ok := strings.CutPrefix(d.path, from+"/"); ok {
			tr.relocate(d, to+"/"+rest)
			n++
		}
	}
	for j, dir := range tr.dirs {
		if dir == from || strings.HasPrefix(dir, from+"/") {
			tr.dirs[j] = to + strings.TrimPrefix(dir, from)
		}
	}
	return fmt.Sprintf("move directory %s to %s with %d documents", from, to, n)
}

func (tr *tree) remove() string {
	if len(tr.docs) <= fewest {
		return ""
	}
	d := tr.pick()
	i := slices.Index(tr.docs, d)
	tr.must(os.Remove(tr.file(d.path)))
	tr.docs = slices.Delete(tr.docs, i, i+1)
	if tr.rng.IntN(4) > 0 {
		return "delete " + d.path
	}
	// A directory takes the place of the file.
	inner := &document{path: d.path + "/inner.md"}
	tr.write(inner, tr.words())
	tr.docs = append(tr.docs, inner)
	return "a directory in the place of " + d.path
}

// twin makes a second document with the same bytes.
func (tr *tree) twin() string {
	d := tr.pick()
	if d.big() || len(tr.docs) >= most {
		return ""
	}
	return "twin of " + d.path + ": " + tr.create(d.content).path
}

// swap exchanges two files. By their keys both were edited.
func (tr *tree) swap() string {
	a, b := tr.pick(), tr.pick()
	if a == b || tr.linked || a.big() || b.big() || a.pdf() || b.pdf() {
		return ""
	}
	ca, cb := a.content, b.content
	hold := tr.file("swap.tmp")
	tr.must(os.Rename(tr.file(a.path), hold))
	tr.must(os.Rename(tr.file(b.path), tr.file(a.path)))
	tr.must(os.Rename(hold, tr.file(b.path)))
	for _, d := range []*document{a, b} {
		if d.moved {
			d.moved, d.live, d.history = false, false, nil
		}
		d.exact = false
	}
	a.content, b.content = cb, ca
	a.history, b.history = append(a.history, cb), append(b.history, ca)
	return "swap " + a.path + " and " + b.path
}
