package starleads

import (
	"path"
	"strings"
)

// original is the name without the counter that the vendor adds to a name that is taken ("name(1).md"); other names
// give themselves.
func original(name string) string {
	ext := path.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	open := strings.LastIndexByte(stem, '(')
	if open < 1 || !strings.HasSuffix(stem, ")") {
		return name
	}
	digits := stem[open+1 : len(stem)-1]
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return name
	}
	return strings.TrimRight(stem[:open], " ") + ext
}
