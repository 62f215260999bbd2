package filter

import (
	"fmt"

	"kbsyncd/internal/kb"
)

// Explain applies the filters to one element of a path: name is the element, here the path up to and with it, rules those of the
// directory that it is in. The lines say what decided; without any the element is kept by default. The directories above have been kept.
func (f *Filter) Explain(name, here string, dir bool, rules *Rules) (lines []string, kept bool) {
	say := func(format string, args ...any) { lines = append(lines, kb.Printable(fmt.Sprintf(format, args...))) }
	if why := f.unwanted(name); why != "" {
		say("%s is left out: %s", here, why)
		return lines, false
	}
	if here == f.marker {
		say("%s is left out: it is the marker", here)
		return lines, false
	}
	if g := f.excluded(here); g != nil {
		say("exclude %q leaves out %s", g.text, here)
		return lines, false
	}
	if rs, r := rules.decide(here, dir); r != nil {
		verb := "leaves out"
		if r.keep {
			verb = "keeps"
		}
		say("%s%s line %d, %q, %s %s", rs.base, IgnoreName, r.line, r.text, verb, here)
		if !r.keep {
			return lines, false
		}
	}
	switch {
	case len(f.include) == 0:
	case dir:
		if !f.WantsDir(here) {
			say("no include pattern can match anything in %s", here)
			return lines, false
		}
	default:
		g := f.included(here)
		if g == nil {
			say("no include pattern matches %s", here)
			return lines, false
		}
		say("include %q matches %s", g.text, here)
	}
	return lines, true
}
