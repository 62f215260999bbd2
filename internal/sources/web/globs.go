package web

import (
	"net/url"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// globs are include and exclude.
type globs struct {
	include, exclude []string
}

// decide applies the globs to the path of an address and names the one that decided.
func (g globs) decide(u *url.URL) (keep bool, rule string) {
	p := u.Path
	for _, e := range g.exclude {
		if matches(e, p) {
			return false, "exclude " + e
		}
	}
	if len(g.include) == 0 {
		return true, ""
	}
	for _, i := range g.include {
		if matches(i, p) {
			return true, "include " + i
		}
	}
	return false, "no glob of include"
}

func (g globs) keeps(u *url.URL) bool {
	keep, _ := g.decide(u)
	return keep
}

// matches takes /a and /a/ for the same path: sites write both for one page.
func matches(glob, p string) bool {
	if doublestar.MatchUnvalidated(glob, p) {
		return true
	}
	return p != "/" && strings.HasSuffix(p, "/") && doublestar.MatchUnvalidated(glob, strings.TrimSuffix(p, "/"))
}
