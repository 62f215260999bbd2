package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources/filter"
)

// Bounds of a walk. A repository can hold one tree a million times; whoever walks it must count.
const (
	maxEntries = 2_000_000 // kept
	maxVisited = 10_000_000
	maxTree    = 64 << 20  // bytes of one tree
	maxOpen    = 256 << 20 // bytes of the trees on the way to the one that is listed
	maxRead    = 2 << 30   // bytes of all trees that are read
	maxNames   = 512 << 20 // bytes of what is kept of entries
	maxDeep    = 500       // directories below each other
	keptTrees  = 32 << 20  // bytes
	keptBlobs  = 32 << 20  // bytes
	maxLink    = 4 << 10   // bytes of the target of a link
	maxKey     = 16 << 10
	maxNested  = 8  // links to directories below each other
	maxHops    = 40 // links on the way to one entry
	maxRounds  = 50 // fetches for what decides about the tree
)

// Modes of entries, as git writes them.
const (
	modeTree   = "40000"
	modeLink   = "120000"
	modeModule = "160000"
)

// What a link can be besides a file or a directory.
var (
	errBroken  = errors.New("is a link to something that is not there")
	errLeaves  = errors.New("is a link that leaves the repository")
	errLoop    = errors.New("is a link that leads back to itself")
	errNested  = errors.New("is a link to a directory below too many others")
	errToThere = errors.New("is a link into a submodule")
)

// walker lists one commit. Blobs that decide about the tree, ignore files and links, may be missing; then they are in need afterwards, the
// outcome is to be thrown away, and the walk is to be made again when they are there.
type walker struct {
	r       *Repo
	root    string // the tree of the commit
	out     []entry
	need    map[string]bool
	visited int
	names   int64            // bytes of out
	read    int64            // bytes of trees
	open    int64            // bytes of the trees that are being listed
	looked  func(n int)      // told how far the walk is; may be nil
	listing map[string]*tree // those of open
	trees   kept[*tree]
	blobs   kept[[]byte]
}

// place is a directory on the way of the walk.
type place struct {
	tree  string
	real  string // in the repository, with a slash at its end; "" for the root
	path  string // in keys, likewise
	rules *filter.Rules
	links int
	deep  int
	above []string // the real paths of the directories above, through links too
}

// list gives the entries of a commit in order, and what blobs are needed to know them.
func (w *walker) list(ctx context.Context, path string) error {
	w.out, w.need, w.listing = nil, map[string]bool{}, map[string]*tree{}
	w.visited, w.names, w.read, w.open = 0, 0, 0, 0
	start := place{tree: w.root}
	if path != "" {
		t, err := w.resolve(ctx, "", path, 0)
		switch {
		case errors.Is(err, errNeed):
			return nil
		case final(ctx, err):
			return err
		case err != nil:
			return fault.New(fault.ErrIncomplete, "%s: there is no directory %s", w.r.shown, kb.Printable(path)).WithHint("correct `path`, or remove the source")
		case t.mode != modeTree:
			return fault.New(fault.ErrIncomplete, "%s: %s is not a directory", w.r.shown, kb.Printable(path)).WithHint("name its directory as `path` and the file under `include`")
		}
		start.tree, start.real = t.id, slashed(t.real)
	}
	if err := w.dir(ctx, start); err != nil {
		return err
	}
	slices.SortFunc(w.out, func(a, b entry) int {
		if c := strings.Compare(a.path, b.path); c != 0 {
			return c
		}
		if a.kind != b.kind {
			return int(a.kind) - int(b.kind) // documents first
		}
		return strings.Compare(a.raw, b.raw)
	})
	w.twins()
	return nil
}

// twins leaves one document of those that share a key: the one that is spelled like its key, or else the first.
func (w *walker) twins() {
	for i := 0; i < len(w.out); {
		end := i + 1
		for end < len(w.out) && w.out[end].path == w.out[i].path {
			end++
		}
		if end > i+1 {
			group := w.out[i:end]
			for j := range group {
				if group[j].kind == isDocument && strings.HasSuffix(group[j].raw, group[j].path) {
					group[0], group[j] = group[j], group[0]
					break
				}
			}
			for j := range group[1:] {
				if e := &group[1+j]; e.kind == isDocument {
					e.kind, e.rest = isProblem, fmt.Sprintf("the name %+q looks the same as another one and differs only in its bytes (Unicode normalisation); rename one of the two", e.raw)
				}
			}
		}
		i = end
	}
}

// dir lists one directory and what is below it.
func (w *walker) dir(ctx context.Context, p place) error {
	t, err := w.tree(ctx, p.tree)
	if err != nil {
		return err
	}
	if w.listing[p.tree] == nil {
		w.listing[p.tree] = t
		w.open += t.bytes
		defer func() {
			delete(w.listing, p.tree)
			w.open -= t.bytes
		}()
	}
	if w.open > w.r.bounds.open {
		return w.tooMuch("directories that are too large stand below each other")
	}
	if p.rules, err = w.ignore(ctx, p, t); err != nil {
		return err
	}
	p.above = append(slices.Clip(p.above), p.real)
	for i := range t.entries {
		if err := w.count(ctx, 1); err != nil {
			return err
		}
		if err := w.entry(ctx, p, &t.entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// count counts entries that are looked at, and ends a walk that goes on for too long.
func (w *walker) count(ctx context.Context, n int) error {
	if w.visited&255 == 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if w.looked != nil {
			w.looked(len(w.out))
		}
	}
	if w.visited += n; w.visited > w.r.bounds.visited {
		return w.tooMuch(fmt.Sprintf("more than %d entries to look at", w.r.bounds.visited))
	}
	return nil
}

// keep takes an entry into the listing.
func (w *walker) keep(e entry) error {
	w.names += int64(len(e.path) + len(e.raw) + len(e.rest))
	switch {
	case len(w.out) >= w.r.most:
		return w.tooMuch(fmt.Sprintf("more than %d files", w.r.most))
	case w.names > w.r.bounds.names:
		return w.tooMuch(fmt.Sprintf("the names of the files take more than %d MiB", max(1, w.r.bounds.names>>20)))
	}
	w.out = append(w.out, e)
	return nil
}

func (w *walker) tooMuch(what string) error {
	return fault.New(fault.ErrIncomplete, "%s: %s", w.r.shown, what).WithHint("name a smaller directory as `path`, or give several sources")
}

func (w *walker) entry(ctx context.Context, p place, e *treeEntry) error {
	if e.name == "" || e.name == "." || e.name == ".." {
		return nil // no name at all; git itself makes no such trees
	}
	name := norm.NFC.String(e.name)
	if !w.r.filter.WantsName(name) {
		return nil
	}
	path, real := p.path+name, p.real+e.name
	say := func(format string, args ...any) error {
		return w.keep(entry{path: path, raw: real, kind: isProblem, rest: fmt.Sprintf(format, args...)})
	}
	if !utf8.ValidString(e.name) || strings.Contains(e.name, "/") {
		path = p.path + escapeName(e.name)
		return say("the name is no name for a file; rename it")
	}
	if len(path) > maxKey {
		path = path[:100] + "…"
		return say("the path is too long")
	}
	asFile := func() bool { return w.r.filter.WantsFile(path) && !p.rules.Ignored(path, false) }
	asDir := func() bool { return w.r.filter.WantsDir(path) && !p.rules.Ignored(path, true) }
	switch kind(e.mode) {
	case modeTree:
		if !asDir() {
			return nil
		}
		if p.deep >= w.r.bounds.deep {
			return say("lies below more than %d directories, which is too deep; exclude it to silence this", w.r.bounds.deep)
		}
		return w.dir(ctx, place{tree: e.id, real: real + "/", path: path + "/", rules: p.rules, links: p.links, deep: p.deep + 1, above: p.above})
	case modeModule:
		if asDir() {
			return say("is a submodule, which is not followed; make its repository a source of its own, or exclude it to silence this")
		}
	case modeLink:
		if !asDir() && !asFile() {
			return nil
		}
		t, err := w.follow(ctx, p, e)
		switch {
		case errors.Is(err, errNeed):
		case final(ctx, err):
			return err
		case err != nil:
			return say("%s; exclude it to silence this", err)
		case t.mode == modeTree && asDir():
			return w.dir(ctx, place{tree: t.id, real: slashed(t.real), path: path + "/", rules: p.rules, links: p.links + 1, deep: p.deep + 1, above: p.above})
		case t.mode != modeTree && asFile():
			return w.keep(entry{path: path, raw: t.real, kind: isDocument, rest: t.id})
		}
	default:
		if asFile() {
			if strings.HasSuffix(real, path) {
				path = real[len(real)-len(path):] // the same bytes, once in memory
			}
			return w.keep(entry{path: path, raw: real, kind: isDocument, rest: e.id})
		}
	}
	return nil
}

// final tells an error that ends the walk, whatever it was met at.
func final(ctx context.Context, err error) bool {
	return errors.Is(err, errDamaged) || errors.Is(err, errMissing) || errors.Is(err, fault.ErrIncomplete) || ctx.Err() != nil
}

// kind is the mode without what does not matter here: the rights of a file, and zeros that some programs write in front.
func kind(mode string) string {
	switch mode = strings.TrimLeft(mode, "0"); mode {
	case modeTree, modeLink, modeModule:
		return mode
	}
	return "file"
}

// slashed is a directory as the beginning of paths.
func slashed(dir string) string {
	if dir == "" {
		return ""
	}
	return dir + "/"
}

// escapeName makes a part of a key of a name that is none.
func escapeName(name string) string { return strings.ReplaceAll(kb.Printable(name), "/", `\x2f`) }

// ignore reads the ignore file of a directory, if it has one.
func (w *walker) ignore(ctx context.Context, p place, t *tree) (*filter.Rules, error) {
	e := t.find(filter.IgnoreName)
	if e == nil {
		return p.rules, nil
	}
	bad := func(what string) error {
		return fault.New(fault.ErrIncomplete, "%s: %s%s %s", w.r.shown, kb.Printable(p.real), filter.IgnoreName, what)
	}
	id := e.id
	switch kind(e.mode) {
	case modeTree, modeModule:
		return nil, bad("is no regular file")
	case modeLink:
		t, err := w.resolve(ctx, p.real, e.name, 0)
		switch {
		case errors.Is(err, errNeed):
			return p.rules, nil
		case final(ctx, err):
			return nil, err
		case err != nil:
			return nil, bad(err.Error())
		case t.mode == modeTree:
			return nil, bad("is no regular file")
		}
		id = t.id
	}
	text, err := w.blob(ctx, id, filter.IgnoreLimit)
	switch {
	case errors.Is(err, errNeed):
		return p.rules, nil
	case errors.Is(err, errBig):
		return nil, bad("is larger than 1 MiB")
	case err != nil:
		return nil, err
	}
	return filter.ParseIgnore(text, p.path, p.rules), nil
}

// tree reads a tree. Some are kept, because links tend to lead to the same ones.
func (w *walker) tree(ctx context.Context, id string) (*tree, error) {
	if t := w.listing[id]; t != nil {
		return t, nil
	}
	if t, ok := w.trees.get(id); ok {
		return t, nil
	}
	data, err := w.r.objects.read(ctx, id, "tree", maxTree)
	if errors.Is(err, errBig) {
		return nil, fault.New(fault.ErrIncomplete, "%s: a directory is too large to be read", w.r.shown)
	}
	if err != nil {
		return nil, err
	}
	if w.read += int64(len(data)); w.read > w.r.bounds.read {
		return nil, w.tooMuch("too many large directories, or links into them")
	}
	entries, err := parseTree(data, len(w.root))
	if err != nil {
		return nil, fault.New(fault.ErrIncomplete, "%s: %s", w.r.shown, err)
	}
	t := &tree{entries: entries, bytes: int64(len(data))}
	w.trees.put(id, t, t.bytes, keptTrees)
	return t, nil
}

// blob reads what decides about the tree.
func (w *walker) blob(ctx context.Context, id string, most int64) ([]byte, error) {
	if b, ok := w.blobs.get(id); ok {
		return b, nil
	}
	if w.r.large.has(id) {
		return nil, errBig
	}
	b, err := w.r.objects.read(ctx, id, "blob", most)
	if errors.Is(err, errMissing) {
		w.need[id] = true
		return nil, errNeed
	}
	if err == nil {
		w.blobs.put(id, b, int64(len(b)), keptBlobs)
	}
	return b, err
}
