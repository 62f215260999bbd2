package folder

import (
	"errors"
	"path/filepath"
	"strconv"
	"strings"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

// maxHops bounds the symbolic links on the way to one file, as kernels do.
const maxHops = 40

// maxNested bounds the links to directories inside one another, because directories that link to each other
// multiply with every level.
const maxNested = 5

var (
	errLeaves = fault.New(fault.ErrUnsupported, "the link leads out of the folder").
			WithHint("copy the file into the folder, or make its folder a source")
	errBroken = fault.New(fault.ErrUnsupported, "the link leads nowhere").WithHint("repair or remove it")
	errLoop   = fault.New(fault.ErrUnsupported, "the link leads back to a directory above it").
			WithHint("its documents are listed there already; remove the link to silence this")
	errNested = fault.New(fault.ErrUnsupported, "too many links to directories inside one another").
			WithHint("link to the files instead")
)

// resolve follows the symbolic links in a path that is relative to the folder and returns the path without any link. It
// looks at nothing outside of the folder: a link that goes there, even to come back, is refused, except by the folder's
// own absolute path. What it returns is opened through os.Root or RESOLVE_BENEATH, so a link
// that is planted in between gains nothing.
func (h *handle) resolve(path string) (string, error) {
	todo := strings.Split(path, "/")
	var done []string
	for hops := 0; len(todo) > 0; {
		elem := todo[0]
		todo = todo[1:]
		switch elem {
		case "", ".":
			continue
		case "..":
			if len(done) == 0 {
				return "", errLeaves
			}
			done = done[:len(done)-1]
			continue
		}
		here := strings.Join(append(done, elem), "/")
		target, isLink, err := h.readlink(here)
		if err != nil {
			return "", err
		}
		if !isLink {
			done = append(done, elem)
			continue
		}
		if hops++; hops > maxHops {
			return "", errLoop
		}
		if filepath.IsAbs(target) {
			inside, ok := h.inside(target)
			if !ok {
				return "", errLeaves
			}
			target, done = inside, nil
		}
		todo = append(strings.Split(filepath.ToSlash(target), "/"), todo...)
	}
	return strings.Join(done, "/"), nil
}

// readlink is the target of a link; isLink is false for everything else.
func (h *handle) readlink(path string) (target string, isLink bool, err error) {
	target, err = h.root.Readlink(filepath.FromSlash(path))
	if err == nil {
		return target, true, nil
	}
	if _, serr := h.root.Lstat(filepath.FromSlash(path)); serr != nil {
		if isGone(serr) {
			return "", false, errBroken
		}
		return "", false, serr
	}
	return "", false, nil
}

// inside turns an absolute path into one relative to the folder, when it begins with the folder's path
// as configured or with its real path.
func (h *handle) inside(target string) (string, bool) {
	target = filepath.Clean(target)
	for _, base := range []string{h.path, h.real} {
		if base == "" {
			continue
		}
		if rel, err := filepath.Rel(base, target); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel), true
		}
	}
	return "", false
}

// follow finds what a link is: a file or a directory inside the folder, or an error to report as a problem. dir is the
// directory that holds it.
func (w *lister) follow(dir *node, name string) (real string, st stat, err error) {
	link := dir.real + name
	real, err = w.scan.h.resolve(link)
	if err != nil {
		return "", st, err
	}
	st, err = w.scan.h.lookup(real)
	switch {
	case isGone(err):
		return "", st, errBroken
	case err != nil:
		return "", st, err
	case st.kind == kindDir:
		for d := dir; d != nil; d = d.parent {
			if strings.TrimSuffix(d.real, "/") == real {
				return "", st, errLoop
			}
		}
		if dir.links >= maxNested {
			return "", st, errNested
		}
	case st.kind != kindFile:
		return "", st, errKind(st.kind)
	}
	return real, st, nil
}

// errKind is the problem with an entry that is neither file nor directory.
func errKind(k kind) error {
	what := "is no regular file"
	switch k {
	case kindPipe:
		what = "is a pipe"
	case kindSocket:
		what = "is a socket"
	case kindDevice:
		what = "is a device"
	}
	return fault.New(fault.ErrUnsupported, "%s, not a document", what).WithHint("exclude it to silence this")
}

var errNotText = fault.New(fault.ErrUnsupported, "the name is not UTF-8").WithHint("rename it")

func errTwin(name string) error {
	return fault.New(fault.ErrUnsupported, "the name looks the same as another one in this directory and differs only in its bytes (Unicode normalisation)").
		WithHint("rename one of the two; the other one is the document %s", strconv.Quote(kb.Printable(name)))
}

// isProblem tells an error about an entry itself from one that cuts the listing short.
func isProblem(err error) bool { return errors.Is(err, fault.ErrUnsupported) }
