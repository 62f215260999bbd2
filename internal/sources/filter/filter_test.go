package filter

import (
	"strings"
	"testing"
)

func FuzzWildmatch(f *testing.F) {
	f.Add("a*b/**/c[!x-z]", "aab/d/c1")
	f.Add("**/[[:alpha:]]?\\*", "x/y*")
	f.Add("*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaa")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 64 || len(text) > 64 {
			return
		}
		wildmatch(pattern, text)
		if literalLen(pattern) == len(pattern) && !strings.Contains(pattern+text, "\x00") && wildmatch(pattern, text) != (pattern == text) {
			t.Errorf("%q against %q", pattern, text)
		}
		rs := ParseIgnore([]byte(pattern+"\n!"+text), "", nil)
		if p := strings.Trim(text, "/"); p != "" {
			rs.Ignored(p, false)
			rs.Ignored(p, true)
		}
	})
}
