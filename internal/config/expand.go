package config

import (
	"regexp"
	"strings"
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expansion is the outcome of replacing the variables in one value.
type expansion struct {
	text string
	used []hidden // values that came from the environment, and how the file spells them
}

// expand replaces ${VAR} and ${VAR:-default}; $${ stands for a literal ${. A default counts
// when the variable is unset or empty, as in a shell. The messages never contain text
// of the value: it may be a secret with a typing error.
func expand(s string, env func(string) (string, bool)) (expansion, error) {
	var out expansion
	var b strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			b.WriteString(s)
			out.text = b.String()
			return out, nil
		}
		if i > 0 && s[i-1] == '$' {
			b.WriteString(s[:i-1] + "${")
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		inner, rest, ok := strings.Cut(s[i+2:], "}")
		if !ok {
			return out, &valueError{"a ${ lacks its }", "write ${VARIABLE}, or $${ for a literal ${"}
		}
		name, fallback, hasDefault := strings.Cut(inner, ":-")
		if !variableName.MatchString(name) {
			return out, &valueError{"what stands between ${ and } is not the name of a variable", "use letters, digits and _, or write $${ for a literal ${"}
		}
		if strings.Contains(fallback, "${") {
			return out, &valueError{"a default cannot contain another ${", "write its value"}
		}
		value, set := env(name)
		switch {
		case hasDefault && value == "":
			value = fallback
		case !set:
			return out, &valueError{"the environment variable " + name + " is not set", "set it, or write ${" + name + ":-default}"}
		default:
			out.used = append(out.used, hidden{value, "${" + name + "}"})
		}
		b.WriteString(value)
		s = rest
	}
}

// expands tells whether expand would look at the environment.
func expands(s string) bool {
	return strings.Contains(strings.ReplaceAll(s, "$${", ""), "${")
}
