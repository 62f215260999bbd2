package filter

import (
	"bytes"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// IgnoreName is the file that holds ignore rules, in any directory.
const IgnoreName = ".kbsyncignore"

// IgnoreLimit bounds an ignore file; a larger one is a mistake.
const IgnoreLimit = 1 << 20

// Rules are the rules of one ignore file and, through parent, of the files above it. They are immutable.
type Rules struct {
	parent *Rules
	base   string // the directory of the file, relative to the root, with a trailing slash; "" for the root itself
	list   []rule
}

// rule is one line of an ignore file.
type rule struct {
	line    int
	text    string // as written
	pattern string // without ! and the slashes at its ends
	literal int    // how many leading bytes of pattern have no special meaning
	keep    bool   // begins with !
	dirOnly bool
	name    bool // matches the last element only
	suffix  bool // a star and then literal text
}

// ParseIgnore reads gitignore syntax; base is the directory of the file, with a slash at its end, "" for the root. parent may be nil. No line is an error: as with git, a malformed pattern matches nothing.
func ParseIgnore(text []byte, base string, parent *Rules) *Rules {
	rs := &Rules{parent: parent, base: base}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	n := 0
	for line := range strings.SplitSeq(string(text), "\n") {
		n++
		line = strings.TrimSuffix(line, "\r")
		line, _, _ = strings.Cut(line, "\x00")
		if line == "" || line[0] == '#' {
			continue
		}
		if r, ok := parseRule(norm.NFC.String(trimSpaces(line))); ok {
			r.line = n
			rs.list = append(rs.list, r)
		}
	}
	if len(rs.list) == 0 {
		return parent
	}
	return rs
}

func parseRule(s string) (rule, bool) {
	r := rule{text: s}
	if strings.HasPrefix(s, "!") {
		r.keep, s = true, s[1:]
	}
	if strings.HasSuffix(s, "/") {
		r.dirOnly, s = true, s[:len(s)-1]
	}
	r.name = !strings.Contains(s, "/")
	r.suffix = r.name && strings.HasPrefix(s, "*") && literalLen(s[1:]) == len(s)-1
	r.pattern = strings.TrimPrefix(s, "/")
	r.literal = literalLen(r.pattern)
	return r, r.pattern != ""
}

// literalLen is the length of the beginning that has no special characters.
func literalLen(s string) int {
	if i := strings.IndexAny(s, `*?[\`); i >= 0 {
		return i
	}
	return len(s)
}

// trimSpaces removes trailing spaces that no backslash protects.
func trimSpaces(s string) string {
	end := -1
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ' ':
			if end < 0 {
				end = i
			}
		case '\\':
			i++
			if i == len(s) {
				return s
			}
			end = -1
		default:
			end = -1
		}
	}
	if end < 0 {
		return s
	}
	return s[:end]
}

// match tells whether the rule is about an entry: rel is its path below the directory of the ignore file, base its last element.
func (r *rule) match(rel, base string, dir bool) bool {
	if r.dirOnly && !dir {
		return false
	}
	if r.name {
		switch {
		case r.literal == len(r.pattern):
			return r.pattern == base
		case r.suffix:
			return strings.HasSuffix(base, r.pattern[1:])
		}
		return wildmatch(r.pattern, base)
	}
	// The literal beginning is cut off before the rest is matched, so that "a/b**/c" means
	// the same as for git.
	if !strings.HasPrefix(rel, r.pattern[:r.literal]) {
		return false
	}
	return wildmatch(r.pattern[r.literal:], rel[r.literal:])
}

// decide finds the rule that decides about a path, if any: the last match in the deepest file. The
// caller has made sure that no directory above the path is ignored.
func (rs *Rules) decide(path string, dir bool) (*Rules, *rule) {
	base := path[strings.LastIndexByte(path, '/')+1:]
	for ; rs != nil; rs = rs.parent {
		rel := path[len(rs.base):]
		for i := len(rs.list) - 1; i >= 0; i-- {
			if rs.list[i].match(rel, base, dir) {
				return rs, &rs.list[i]
			}
		}
	}
	return nil, nil
}

// Ignored tells whether a path is left out. The caller has made sure that no directory above it is.
func (rs *Rules) Ignored(path string, dir bool) bool {
	if rs == nil {
		return false
	}
	_, r := rs.decide(path, dir)
	return r != nil && !r.keep
}
