package filter

import (
	"slices"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/text/unicode/norm"
)

// Filter decides which files are documents and which directories are worth reading. It is immutable.
type Filter struct {
	include []glob
	exclude []glob
	marker  string // "" without one
	// dotted are the elements of include patterns that spell out a hidden name.
	dotted []string
	// suffixes are the ends of names that include patterns spell out, so that they are wanted even when they
	// look like an editor's temporary file.
	suffixes []string
}

// glob is one pattern of the configuration. The usual patterns are taken apart, because matching is done for
// every file: "docs/**/*.md" is the literal directory docs and an element that ends in .md; "drafts/**" is everything in drafts.
type glob struct {
	text  string
	elems []string // the elements before the first "**"
	deep  bool     // there is a "**", so that directories of any depth below may match

	form int
	dir  string  // the literal directory; for formBelow with its slash, "" for the root
	elem element // for formBelow
}

// The forms of a glob.
const (
	formOther = iota // doublestar decides
	formAll          // everything
	formBelow        // dir/**/elem
	formTree         // dir/**
	formExact        // dir alone
)

// element is a pattern for the last element of a path.
type element struct {
	text     string
	suffixes []string // for a star and literal ends; nil when doublestar decides
}

// New takes the globs of the configuration and the path of a marker, which is no document; "" without one.
func New(include, exclude []string, marker string) *Filter {
	f := &Filter{marker: norm.NFC.String(marker)}
	for _, p := range include {
		p = norm.NFC.String(p)
		f.include = append(f.include, newGlob(p))
		last := p[strings.LastIndexByte(p, '/')+1:]
		if i := strings.LastIndexByte(last, '.'); i >= 0 && !special(last[i:]) {
			f.suffixes = append(f.suffixes, last[i:])
		}
		for elem := range strings.SplitSeq(p, "/") {
			if strings.HasPrefix(elem, ".") {
				f.dotted = append(f.dotted, elem)
			}
		}
	}
	for _, p := range exclude {
		p = norm.NFC.String(p)
		g := newGlob(p)
		// A walk that comes from above has left out what is below X before it meets it, so for "X/**" only X
		// itself is left to compare with, which is the faster pattern.
		if x, ok := strings.CutSuffix(p, "/**"); ok && x != "" && x != "**" {
			g = newGlob(x)
			g.text = p
		}
		f.exclude = append(f.exclude, g)
	}
	return f
}

func special(s string) bool { return strings.ContainsAny(s, `*?[]{}\`) }

func newGlob(p string) glob {
	g := glob{text: p}
	dir, elem, below := cutBelow(p)
	tree, isTree := strings.CutSuffix(p, "/**")
	switch {
	case p == "**" || p == "**/*":
		g.form = formAll
	case below:
		g.form, g.dir, g.elem = formBelow, dir, newElement(elem)
	case isTree && !special(tree):
		g.form, g.dir = formTree, tree
	case !special(p):
		g.form, g.dir = formExact, p
	}
	for elem := range strings.SplitSeq(p, "/") {
		// A brace group may hold slashes, so nothing can be said about depth from there on.
		if elem == "**" || strings.ContainsAny(elem, "{}") {
			g.deep = true
			break
		}
		g.elems = append(g.elems, elem)
	}
	return g
}

// cutBelow takes "dir/**/elem" apart, where dir is literal or missing and elem is one element.
func cutBelow(p string) (dir, elem string, ok bool) {
	switch i := strings.Index(p, "**/"); {
	case i < 0, i > 0 && p[i-1] != '/':
		return "", "", false
	default:
		dir, elem = p[:i], p[i+len("**/"):]
	}
	return dir, elem, !special(dir) && elem != "**" && !strings.Contains(elem, "/")
}

func newElement(p string) element {
	e := element{text: p}
	rest, ok := strings.CutPrefix(p, "*")
	if !ok {
		return e
	}
	if !special(rest) {
		e.suffixes = []string{rest}
		return e
	}
	// *.{md,pdf}
	head, alternatives, ok := strings.Cut(rest, "{")
	alternatives, closed := strings.CutSuffix(alternatives, "}")
	if ok && closed && !special(head) && !special(alternatives) {
		for a := range strings.SplitSeq(alternatives, ",") {
			e.suffixes = append(e.suffixes, head+a)
		}
	}
	return e
}

func (e *element) match(name string) bool {
	for _, s := range e.suffixes {
		if strings.HasSuffix(name, s) {
			return true
		}
	}
	return e.suffixes == nil && matchGlob(e.text, name)
}

func matchGlob(pattern, path string) bool {
	ok, err := doublestar.Match(pattern, path)
	return ok && err == nil
}

func (g *glob) match(path string) bool {
	switch g.form {
	case formAll:
		return true
	case formBelow:
		return strings.HasPrefix(path, g.dir) && g.elem.match(path[strings.LastIndexByte(path, '/')+1:])
	case formExact:
		return path == g.dir
	case formTree:
		rest, ok := strings.CutPrefix(path, g.dir)
		return ok && (rest == "" || rest[0] == '/')
	}
	return matchGlob(g.text, path)
}

// mayHold tells whether something below a directory can match.
func (g *glob) mayHold(dir string) bool {
	elems := g.elems
	for dir != "" {
		if len(elems) == 0 {
			return g.deep
		}
		var elem string
		elem, dir, _ = strings.Cut(dir, "/")
		if !matchGlob(elems[0], elem) {
			return false
		}
		elems = elems[1:]
	}
	return len(elems) > 0 || g.deep
}

// Open tells that the configuration leaves every file in.
func (f *Filter) Open() bool { return len(f.include) == 0 && len(f.exclude) == 0 && f.marker == "" }

// WantsFile tells whether a file is a document; WantsName has been asked about every element.
func (f *Filter) WantsFile(path string) bool {
	if path == f.marker {
		return false
	}
	if g := f.excluded(path); g != nil {
		return false
	}
	return len(f.include) == 0 || f.included(path) != nil
}

// WantsDir tells whether a directory may hold documents.
func (f *Filter) WantsDir(path string) bool {
	if f.excluded(path) != nil {
		return false
	}
	if len(f.include) == 0 {
		return true
	}
	for i := range f.include {
		if f.include[i].mayHold(path) {
			return true
		}
	}
	return false
}

func (f *Filter) excluded(path string) *glob { return firstMatch(f.exclude, path) }
func (f *Filter) included(path string) *glob { return firstMatch(f.include, path) }

func firstMatch(globs []glob, path string) *glob {
	for i := range globs {
		if globs[i].match(path) {
			return &globs[i]
		}
	}
	return nil
}

// WantsName tells whether a name is left in by default: it is neither hidden nor a temporary
// or service file. It is asked first, about every name of the tree. The name is not empty.
func (f *Filter) WantsName(name string) bool { return f.unwanted(name) == "" }

// unwanted says why a name is left out by default; "" when it is not.
func (f *Filter) unwanted(name string) string {
	switch name[0] {
	case '.':
		if name == IgnoreName {
			return "it holds ignore rules"
		}
		for _, p := range f.dotted {
			if matchGlob(p, name) {
				return ""
			}
		}
		return "hidden names are left out unless an include pattern spells out a name that begins with a dot"
	case '~':
		if strings.HasPrefix(name, "~$") {
			return "it is a lock file of an office program"
		}
	case '#':
		if len(name) > 1 && name[len(name)-1] == '#' {
			return "it is an editor's temporary file"
		}
	}
	switch last := len(name) - 1; name[last] {
	case '~':
		return "it is an editor's backup"
	case 't', 'd', 'p': // .part, .crdownload, lost+found, .swp, .tmp; and much else, .md and .txt among it
		if last > 0 && name[last-1] != 'm' || name[last] == 'p' {
			return f.temporary(name)
		}
	case 'b', 'i', 'B', 'I':
		if strings.EqualFold(name, "Thumbs.db") || strings.EqualFold(name, "desktop.ini") {
			return "it is a service file of the file manager"
		}
	}
	return ""
}

func (f *Filter) temporary(name string) string {
	if name == "lost+found" {
		return "it belongs to the file system"
	}
	for _, suffix := range [...]string{".part", ".crdownload", ".tmp", ".swp"} {
		if !strings.HasSuffix(name, suffix) {
			continue
		}
		if slices.Contains(f.suffixes, suffix) {
			return ""
		}
		return "it is a temporary file or an unfinished download (" + suffix + ")"
	}
	return ""
}

// quote shows a name in a message.
func quote(s string) string { return strconv.Quote(s) }
