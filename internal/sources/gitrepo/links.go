package gitrepo

import (
	"context"
	"errors"
	"strings"
)

// errNeed: a blob must be fetched before anything can be said.
var errNeed = errors.New("a blob is needed")

// target is where a path leads in the tree.
type target struct {
	mode string // modeTree or "file"
	id   string
	real string // without links, in the repository
}

// follow finds what a link is that stands in a directory.
func (w *walker) follow(ctx context.Context, p place, e *treeEntry) (target, error) {
	t, err := w.resolve(ctx, p.real, e.name, 0)
	if err != nil || t.mode != modeTree {
		return t, err
	}
	for _, above := range p.above {
		if strings.HasPrefix(above, slashed(t.real)) {
			return t, errLoop
		}
	}
	if p.links >= maxNested {
		return t, errNested
	}
	return t, nil
}

// resolve walks a path from a directory of the repository, which has a slash at its end or is "", through all links. Nothing but the
// tree of the commit is looked at.
func (w *walker) resolve(ctx context.Context, from, path string, hops int) (target, error) {
	if strings.HasPrefix(path, "/") || strings.ContainsRune(path, 0) {
		return target{}, errLeaves
	}
	at := []target{{mode: modeTree, id: w.root}}
	elems := strings.Split(from+path, "/")
	for i, elem := range elems {
		here := at[len(at)-1]
		switch elem {
		case "", ".":
			continue
		case "..":
			if len(at) == 1 {
				return target{}, errLeaves
			}
			at = at[:len(at)-1]
			continue
		}
		if here.mode != modeTree {
			return target{}, errBroken
		}
		if err := w.count(ctx, 1+len(here.real)/256); err != nil {
			return target{}, err
		}
		next, err := w.step(ctx, here, elem)
		if err != nil {
			return target{}, err
		}
		if next.mode != modeLink {
			at = append(at, next)
			continue
		}
		if hops >= maxHops {
			return target{}, errLoop
		}
		to, err := w.blob(ctx, next.id, maxLink)
		switch {
		case errors.Is(err, errBig):
			return target{}, errBroken
		case err != nil:
			return target{}, err
		case strings.HasPrefix(string(to), "/"):
			return target{}, errLeaves
		}
		rest := strings.Join(append([]string{string(to)}, elems[i+1:]...), "/")
		return w.resolve(ctx, slashed(here.real), rest, hops+1)
	}
	return at[len(at)-1], nil
}

// step finds a name in a directory.
func (w *walker) step(ctx context.Context, in target, name string) (target, error) {
	entries, err := w.tree(ctx, in.id)
	if err != nil {
		return target{}, err
	}
	e := entries.find(name)
	if e == nil {
		return target{}, errBroken
	}
	t := target{mode: kind(e.mode), id: e.id, real: slashed(in.real) + name}
	if t.mode == modeModule {
		return t, errToThere
	}
	return t, nil
}
