package contract

import (
	"slices"
	"strings"
	"unicode"
)

// segment is one part of a path: a literal or a placeholder.
type segment struct {
	text  string
	place bool
}

// split cuts a path into segments; ok is false when it holds anything but plain words and whole placeholders.
func split(path string) (out []segment, ok bool) {
	rest, rooted := strings.CutPrefix(path, "/")
	if !rooted || rest == "" {
		return nil, false
	}
	for s := range strings.SplitSeq(strings.TrimSuffix(rest, "/"), "/") {
		inner, open := strings.CutPrefix(s, "{")
		inner, closed := strings.CutSuffix(inner, "}")
		if open != closed || !plain(inner) {
			return nil, false
		}
		out = append(out, segment{inner, open})
	}
	return out, true
}

func plain(s string) bool {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-~", r)
	}
	return s != "" && strings.Trim(s, ".") != "" && !strings.ContainsFunc(s, odd)
}

// sameShape tells whether two paths differ in the names of placeholders and the case of letters only.
func sameShape(a, b []segment) bool {
	return slices.EqualFunc(a, b, func(x, y segment) bool {
		return x.place == y.place && (x.place || strings.EqualFold(x.text, y.text))
	})
}

func places(path []segment) (n int) {
	for _, s := range path {
		if s.place {
			n++
		}
	}
	return n
}

// literals are the stems of all words of a path that are no placeholders.
func literals(path []segment) (out []string) {
	for _, s := range path {
		if !s.place {
			out = append(out, stems(s.text)...)
		}
	}
	return out
}

// lastLiteral are the stems of the last segment that is no placeholder.
func lastLiteral(path []segment) []string {
	for _, s := range slices.Backward(path) {
		if !s.place {
			return stems(s.text)
		}
	}
	return nil
}

// stems cuts a text into words, also where camelCase begins one, and takes endings away, so that parse, parses and
// parsing are one word.
func stems(text string) (out []string) {
	var word []rune
	flush := func() {
		if len(word) > 0 {
			out = append(out, stem(strings.ToLower(string(word))))
		}
		word = word[:0]
	}
	before := ' '
	for _, r := range text {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) || unicode.IsUpper(r) && unicode.IsLower(before) {
			flush()
		}
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			word = append(word, r)
		}
		before = r
	}
	flush()
	return out
}

var endings = []string{"ing", "ies", "es", "ed", "s", "e", "y"}

func stem(word string) string {
	for _, end := range endings {
		if short, ok := strings.CutSuffix(word, end); ok && len(short) >= 3 {
			word = short
			break
		}
	}
	if n := len(word); n > 3 && word[n-1] == word[n-2] { // stopping
		word = word[:n-1]
	}
	return word
}

// alike is the share of words that two lists have in common, 0 to 1.
func alike(a, b []string) float64 {
	if len(a)+len(b) == 0 {
		return 0
	}
	rest, common := slices.Clone(b), 0
	for _, w := range a {
		if i := slices.Index(rest, w); i >= 0 {
			rest, common = slices.Delete(rest, i, i+1), common+1
		}
	}
	return 2 * float64(common) / float64(len(a)+len(b))
}

// found is the share of words that are in the other list, 0 to 1.
func found(words, in []string) float64 {
	if len(words) == 0 {
		return 0
	}
	n := 0
	for _, w := range words {
		if slices.Contains(in, w) {
			n++
		}
	}
	return float64(n) / float64(len(words))
}
