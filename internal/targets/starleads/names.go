package starleads

import (
	"path"
	"strings"

	"kbsyncd/internal/kb"
)

// sameDocument tells whether a listed name stands for the rendition that was sent under a name: the marks are equal. Without a
// mark only the same name will do.
func sameDocument(sent, listed string) bool {
	m, _, marked := kb.ParseName(sent)
	if !marked {
		return listed == sent
	}
	other, _, ok := kb.ParseName(listed)
	return ok && other == m
}

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
