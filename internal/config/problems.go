package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/suggest"
)

// Problem is one thing that is wrong in a configuration file.
type Problem struct {
	File         string // as the user named it
	Line, Column int    // from 1; never 0
	Path         string // the key, for example "targets.support.dataset"; "" for the file as a whole
	Msg          string // what is wrong
	Hint         string // what to write instead; may be empty
}

// String is the problem on one line: `file:line:column: path: what is wrong; what to write instead`.
func (p Problem) String() string {
	s := fmt.Sprintf("%s:%d:%d: ", p.File, p.Line, p.Column)
	if p.Path != "" {
		s += p.Path + ": "
	}
	s += p.Msg
	if p.Hint != "" {
		s += "; " + p.Hint
	}
	return s
}

// Problems is the error for a configuration that cannot be used. It holds everything that is wrong, in the order of the file.
type Problems struct {
	List []Problem
}

// Error is one line for each problem.
func (p *Problems) Error() string {
	lines := make([]string, len(p.List))
	for i, q := range p.List {
		lines[i] = q.String()
	}
	return strings.Join(lines, "\n")
}

// place is where something stands in the file.
type place struct{ line, column int }

// collector gathers problems and takes out of their text what must not be printed.
type collector struct {
	file   string
	list   []Problem
	more   int // problems beyond maxProblems, which are only counted
	hidden []hidden
}

// maxProblems keeps a file that is no configuration at all from filling the terminal.
const maxProblems = 100

// hidden is a value that messages must not show, and what they show in its place.
type hidden struct{ value, shown string }

// minHidden keeps the redaction from eating harmless text: shorter values ("1", "prod") are no keys.
const minHidden = 6

func (c *collector) hide(value, shown string) {
	if len(value) >= minHidden && !slices.Contains(c.hidden, hidden{value, shown}) {
		c.hidden = append(c.hidden, hidden{value, shown})
	}
}

func (c *collector) add(at place, path, hint, format string, args ...any) {
	if len(c.list) >= maxProblems {
		c.more++
		return
	}
	c.list = append(c.list, Problem{
		File: c.file, Line: max(at.line, 1), Column: max(at.column, 1),
		Path: path, Msg: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// has tells whether there is a problem at path or below it.
func (c *collector) has(path string) bool {
	return slices.ContainsFunc(c.list, func(p Problem) bool { return within(p.Path, path) })
}

// hasExactly tells whether there is a problem at path itself.
func (c *collector) hasExactly(path string) bool {
	return slices.ContainsFunc(c.list, func(p Problem) bool { return p.Path == path })
}

// within tells whether path is parent or lies below it.
func within(path, parent string) bool {
	rest, ok := strings.CutPrefix(path, parent)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// err is all that was gathered, or nil. Secrets are taken out only here, when all of them are known.
func (c *collector) err() error {
	if len(c.list) == 0 {
		return nil
	}
	// Longest first: one value may be part of another.
	slices.SortFunc(c.hidden, func(a, b hidden) int { return cmp.Compare(len(b.value), len(a.value)) })
	var redact []string
	for _, h := range c.hidden {
		redact = append(redact, h.value, h.shown)
	}
	r := strings.NewReplacer(redact...)
	for i, p := range c.list {
		p.Path, p.Msg, p.Hint = kb.Printable(p.Path), kb.Printable(r.Replace(p.Msg)), kb.Printable(r.Replace(p.Hint))
		c.list[i] = p
	}
	slices.SortStableFunc(c.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	c.list = slices.Compact(c.list)
	if c.more > 0 {
		last := c.list[len(c.list)-1]
		c.list = append(c.list, Problem{File: c.file, Line: last.Line, Column: last.Column, Msg: fmt.Sprintf("%d more problems are not shown", c.more)})
	}
	return &Problems{List: c.list}
}

// didYouMean is the hint for a name that is not known. What begins the list of the known ones.
func didYouMean(name string, known []string, what string) string {
	otherwise := what + strings.Join(slices.Sorted(slices.Values(known)), ", ")
	switch {
	case len(known) == 0:
		otherwise = ""
	case len(known) > 12:
		otherwise = "see docs/configuration.md"
	}
	return suggest.Hint(name, known, otherwise)
}
