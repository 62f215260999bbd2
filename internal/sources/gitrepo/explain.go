package gitrepo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/filter"
)

// explainLimit bounds the look that Explain takes when nothing is known.
const explainLimit = 2 * time.Minute

// Explain implements sources.Explainer. It goes by what the cache holds of the last scan, and looks at the server only without that.
func (r *Repo) Explain(path string) []string {
	ctx, stop := context.WithTimeout(context.Background(), explainLimit)
	defer stop()
	var lines []string
	say := func(format string, args ...any) {
		lines = append(lines, kb.Printable(fmt.Sprintf(format, args...)))
	}
	l, err := r.lastListing(ctx)
	if err != nil {
		return []string{err.Error()}
	}
	say("%s, commit %s of %s", l.ref, l.commit, l.when.UTC().Format(time.RFC3339))
	path = norm.NFC.String(strings.Trim(path, "/"))
	if path == "" {
		say("it is the directory /%s of %s", r.path, r.shown)
		return lines
	}
	why, kept := r.rules(ctx, l, path)
	lines = append(lines, why...)
	found := l.find(path)
	switch {
	case len(found) > 0 && found[0].kind == isDocument:
		say("it is a document: %s in the repository, blob %s", found[0].raw, found[0].rest)
	case len(found) > 0:
		say("%s", found[0].rest)
	case kept && l.below(path):
		say("it is a directory that is searched for documents")
	case kept:
		say("there is no such file in this commit")
	}
	return lines
}

// lastListing is what the last scan left, in this process or another one.
func (r *Repo) lastListing(ctx context.Context) (*listing, error) {
	if l := r.listing(); l != nil {
		return l, nil
	}
	if err := r.open(); err != nil {
		return nil, err
	}
	if l := r.load(nil); l != nil {
		return l, nil
	}
	return r.look(ctx, sources.Known{})
}

// below tells whether anything lies in a directory.
func (l *listing) below(dir string) bool {
	for i := range l.at {
		if strings.HasPrefix(l.text[l.at[i]:], dir+"/") {
			return true
		}
	}
	return false
}

// rules applies the filters to each element of a path, with the ignore files of the commit.
func (r *Repo) rules(ctx context.Context, l *listing, path string) (lines []string, kept bool) {
	isDir := l.below(path)
	w := &walker{r: r, need: map[string]bool{}}
	if text, err := r.objects.read(ctx, l.commit, "commit", 1<<20); err == nil {
		w.root, _ = parseCommit(text)
	}
	at := place{real: slashed(r.path)}
	for end := 0; end < len(path); {
		rest := strings.IndexByte(path[end:], '/')
		name, here, dir := path[end:], path, isDir
		if rest >= 0 {
			name, here, dir = path[end:end+rest], path[:end+rest], true
		}
		if name == "" {
			return lines, false
		}
		at.rules = w.rulesOf(ctx, at)
		more, ok := r.filter.Explain(name, here, dir, at.rules)
		lines = append(lines, more...)
		if !ok {
			return lines, false
		}
		at.real, at.path = at.real+name+"/", here+"/"
		end = len(here) + 1
	}
	return lines, true
}

// rulesOf reads the ignore file of a directory as far as the cache has it.
func (w *walker) rulesOf(ctx context.Context, p place) *filter.Rules {
	if w.root == "" {
		return p.rules
	}
	t, err := w.resolve(ctx, "", p.real, 0)
	if err != nil || t.mode != modeTree {
		return p.rules
	}
	entries, err := w.tree(ctx, t.id)
	if err != nil {
		return p.rules
	}
	rules, err := w.ignore(ctx, p, entries)
	if err != nil {
		return p.rules
	}
	return rules
}
