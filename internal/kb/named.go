package kb

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// NamedFor tells whether RemoteName could have given this name to the document, as far as a vendor lets names be: the mark is
// of the key, and the readable stem is that of the document or a clipped beginning of it. Letter case and normal form do
// not count, and characters beyond ASCII may be missing, because some vendors drop them. A name that somebody made by
// writing something before one of ours ("Re: install-guide.kb….md") carries the mark and is not named for the document.
func NamedFor(k Key, remoteName string) bool {
	m, have, _, ok := findMark(remoteName)
	if !ok || m.Key != k.Hash() {
		return false
	}
	full := k.stem()
	if full == "" {
		full = noStem
	}
	return dropsTo([]rune(norm.NFC.String(full)), []rune(norm.NFC.String(have)))
}

// dropsTo tells whether a beginning of full becomes have when some of its characters beyond ASCII are dropped.
func dropsTo(full, have []rune) bool {
	// Nothing at all is left only of a beginning without ASCII.
	if len(have) == 0 {
		return full[0] >= utf8.RuneSelf
	}
	beyond := func(r rune) bool { return r >= utf8.RuneSelf }
	// A dropped character can look like the one behind it ("İi"): it is looked for as well as if all were dropped.
	return begins(full, have, beyond) || begins(slices.DeleteFunc(full, beyond), have, beyond)
}

// begins compares have with the beginning of full, passing over characters of full that differ and may be missing.
func begins(full, have []rune, mayMiss func(rune) bool) bool {
	for _, r := range full {
		switch {
		case len(have) == 0:
			return true
		case sameLetter(r, have[0]):
			have = have[1:]
		case !mayMiss(r):
			return false
		}
	}
	return len(have) == 0
}

// sameLetter compares without case.
func sameLetter(a, b rune) bool {
	return unicode.ToLower(unicode.ToUpper(a)) == unicode.ToLower(unicode.ToUpper(b))
}
