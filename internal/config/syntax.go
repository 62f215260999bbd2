package config

import (
	"bytes"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

var (
	yamlLine   = regexp.MustCompile(`^line (\d+): `)
	yamlQuoted = regexp.MustCompile(`'[^']{2,}'`)
)

// syntaxHints say what usually lies behind the parser's words.
var syntaxHints = []struct{ words, hint string }{
	{"unknown anchor", "quote a value that begins with *"},
	{"cannot start any token", "indent with spaces, not tabs; quote a value that begins with @, ` or %"},
	{"mapping values are not allowed", "check the indentation, and quote a value that contains \": \""},
	{"could not find expected ':'", "check the indentation and the quotes above this line"},
	{"did not find expected key", "check the indentation and the quotes above this line"},
	{"did not find expected ',' or", "close the bracket, and quote ${VARIABLES} inside [ ] and { }"},
	{"block sequence entries are not allowed", "begin the list on a line of its own"},
	{"unexpected end of stream", "close the quote"},
	{"control characters are not allowed", "remove the control character"},
	{"invalid", "save the file as UTF-8"},
}

// syntax adds the parser's error. Quoted parts of it can be text of the file and so a secret.
func (d *decoder) syntax(err error, data []byte) {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	line := syntaxLine(msg, data)
	if m := yamlLine.FindString(msg); m != "" {
		msg = msg[len(m):]
	}
	hint := ""
	for _, h := range syntaxHints {
		if strings.Contains(msg, h.words) {
			hint = h.hint
			break
		}
	}
	if strings.Contains(msg, "unknown anchor") {
		msg = yamlQuoted.ReplaceAllString(msg, "(…)")
	}
	column := 1
	if lines := bytes.SplitN(data, []byte("\n"), line+1); line >= 1 && line <= len(lines) {
		text := lines[line-1]
		column += len(text) - len(bytes.TrimLeft(text, " \t"))
	}
	d.add(place{line, column}, "", hint, "not valid YAML: %s", msg)
}

// oneBefore are the words of errors whose line the parser counts from 0, unlike that of others.
var oneBefore = []string{
	"did not find expected <", "did not find expected node content", "did not find expected '-' indicator", "did not find expected key",
	"did not find expected ',' or", "found undefined tag handle", "found duplicate %", "found incompatible YAML document",
}

// syntaxLine is the line that an error of the parser is about, as far as that can be found out.
func syntaxLine(msg string, data []byte) int {
	m := yamlLine.FindStringSubmatch(msg)
	words := msg
	line := 1
	if m != nil {
		line, _ = strconv.Atoi(m[1]) // digits only
		words = msg[len(m[0]):]
		if slices.ContainsFunc(oneBefore, func(s string) bool { return strings.HasPrefix(words, s) }) {
			line = min(line+1, lineAt(data, len(bytes.TrimRight(data, " \t\r\n")))) // not after the end of the text
		}
	}
	switch {
	case strings.HasPrefix(words, "did not find expected key"), strings.HasPrefix(words, "did not find expected '-'"):
		return firstLine(words, data) // the parser names the line where the mapping or list begins
	case m != nil:
		return line
	}
	if anchor := yamlQuoted.FindString(words); strings.HasPrefix(words, "unknown anchor") && len(anchor) > 2 {
		return lineAt(data, bytes.Index(data, []byte("*"+strings.Trim(anchor, "'"))))
	}
	return lineAt(data, badByte(data))
}

// firstLine is the last line of the shortest beginning of data that gives an error of these words.
func firstLine(words string, data []byte) int {
	lines := bytes.SplitAfter(data, []byte("\n"))
	ends := make([]int, len(lines))
	for i, l := range lines {
		ends[i] = len(l)
		if i > 0 {
			ends[i] += ends[i-1]
		}
	}
	return 1 + sort.Search(len(lines)-1, func(i int) bool {
		dec := yaml.NewDecoder(bytes.NewReader(data[:ends[i]]))
		for {
			if _, err := next(dec); err != nil {
				return strings.HasSuffix(err.Error(), words)
			}
		}
	})
}

// lineAt is the line of an offset, and the first one when there is no such offset.
func lineAt(data []byte, offset int) int {
	return 1 + bytes.Count(data[:max(offset, 0)], []byte("\n"))
}

// badByte is the offset of the first byte that no YAML file holds, or -1.
func badByte(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 || r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r >= 0x7f && r < 0xa0 && r != 0x85 {
			return i
		}
		i += size
	}
	return -1
}
