package folder

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources/filter"
)

func normal(s string) string { return norm.NFC.String(s) }

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// Explain implements sources.Explainer.
func (f *Folder) Explain(path string) []string {
	h, err := f.acquire(false)
	if err != nil {
		return []string{f.rootError(err).Error()}
	}
	defer f.release(h)
	path = normal(strings.Trim(path, "/"))
	if path == "" {
		return []string{"it is the folder " + f.path}
	}
	raw, st, err := h.locate(path)
	t := tracer{f: f, h: h}
	kept, terr := t.path(path, err == nil && st.kind == kindDir)
	switch {
	case terr != nil:
		t.say("%s", terr)
	case !kept:
	case isGone(err), errors.Is(err, errBroken):
		t.say("there is no such file in %s", f.path)
	case err != nil:
		t.say("%s", plain(err))
	case st.kind == kindDir:
		t.say("it is a directory that is searched for documents")
	case st.kind != kindFile:
		t.say("%s", errKind(st.kind))
	default:
		if raw != path {
			t.say("its name on disk is written %+q", raw)
		}
		if c, err := f.open(kb.Document{Key: kb.NewKey(f.name, path), Raw: raw, Fingerprint: fingerprint(&st)}); err != nil {
			t.say("%s", err)
		} else {
			_ = c.Close()
			t.say("it is a document")
		}
	}
	return t.lines
}

// tracer applies the filters of a scan to one path, from the folder downwards, and remembers what they said.
type tracer struct {
	f     *Folder
	h     *handle
	lines []string
	rules *filter.Rules
}

func (t *tracer) say(format string, args ...any) {
	t.lines = append(t.lines, kb.Printable(fmt.Sprintf(format, args...)))
}

// path tells whether the filters keep a path. An error is an ignore file that cannot be read.
func (t *tracer) path(path string, dir bool) (bool, error) {
	for end := 0; end < len(path); {
		base := path[:end]
		rest := strings.IndexByte(path[end:], '/')
		name, here, inner := path[end:], path, false
		if rest >= 0 {
			name, here, inner = path[end:end+rest], path[:end+rest], true
		}
		if name == "" {
			return false, nil
		}
		if err := t.load(base); err != nil {
			return false, err
		}
		lines, kept := t.f.filter.Explain(name, here, inner || dir, t.rules)
		t.lines = append(t.lines, lines...)
		if !kept {
			return false, nil
		}
		end = len(here) + 1
	}
	return true, nil
}

// load reads the ignore file of a directory, if it has one; base is its path with a slash at the end.
func (t *tracer) load(base string) error {
	raw := base
	if !isASCII(base) {
		found, err := t.h.respell(strings.TrimSuffix(base, "/"))
		if err != nil {
			return nil // no such directory; the caller finds out
		}
		raw = found + "/"
	}
	if _, err := t.h.root.Lstat(raw + filter.IgnoreName); err != nil {
		if isGone(err) {
			return nil
		}
		// A directory behind an absolute link is looked up by its real path.
		real, rerr := t.h.resolve(strings.TrimSuffix(raw, "/"))
		if rerr != nil {
			return nil
		}
		if raw = real + "/"; real == "" {
			raw = ""
		}
		if _, err := t.h.root.Lstat(raw + filter.IgnoreName); err != nil {
			return nil
		}
	}
	rs, err := t.h.readRules(raw, base, t.rules)
	if err != nil {
		return fmt.Errorf("%s%s: %s", base, filter.IgnoreName, plain(err))
	}
	t.rules = rs
	return nil
}
