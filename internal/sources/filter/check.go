package filter

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"kbsyncd/internal/fault"
)

// CheckGlob says what is wrong with a glob of the configuration; field is the key that it stands under.
func CheckGlob(field, p string) []fault.Invalid {
	one := func(msg, hint string) []fault.Invalid {
		return []fault.Invalid{{Field: field, Msg: quote(p) + " " + msg, Hint: hint}}
	}
	switch {
	case p == "":
		return one("is empty", "")
	case !doublestar.ValidatePattern(p):
		return one("is no valid glob", "close every [ and {, and write \\[ for the character itself")
	case strings.HasPrefix(p, "!"):
		return one("begins with !", "list what to leave out under exclude")
	case strings.HasPrefix(p, "/"):
		return one("begins with a slash", "globs are relative to path: "+quote(strings.TrimLeft(p, "/")))
	case strings.HasSuffix(p, "/"):
		return one("ends with a slash", "write "+quote(p+"**")+" for everything in a directory")
	}
	for elem := range strings.SplitSeq(p, "/") {
		if elem == "." || elem == ".." || elem == "" {
			return one("has an element "+quote(elem)+", which no path has", "write it relative to path, without . and ..")
		}
	}
	return nil
}
