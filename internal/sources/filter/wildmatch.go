package filter

// The outcomes of dowild. The two aborts bound the backtracking: once the text has run out, or a single star would have to
// cross a slash, trying further positions of an inner star cannot help.
const (
	wildMatch = iota
	wildNoMatch
	wildAbortAll
	wildAbortToStarStar
)

// wildmatch matches a path against a gitignore pattern exactly as git does: a star and a question mark stop at slashes, two
// stars as a whole element cross them, classes are POSIX ones, and bytes are compared. Globs of the configuration
// differ (they know braces, and their ** matches the directory itself), which is why they have another matcher.
func wildmatch(pattern, text string) bool { return dowild(pattern, text) == wildMatch }

// at is the byte at i, or 0 past the end; neither patterns nor paths contain NUL.
func at(s string, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 0
}

func dowild(pattern, text string) int {
	p, t := 0, 0
	for ; p < len(pattern); p, t = p+1, t+1 {
		pc, tc := pattern[p], at(text, t)
		if tc == 0 && pc != '*' {
			return wildAbortAll
		}
		switch pc {
		case '?':
			if tc == '/' {
				return wildNoMatch
			}
		case '*':
			next, pos, done, outcome := wildStar(pattern, text, p, t)
			if done {
				return outcome
			}
			p, t = next, pos
		case '[':
			matched, end := wildClass(pattern, p, tc)
			if end < 0 {
				return wildAbortAll
			}
			if !matched || tc == '/' {
				return wildNoMatch
			}
			p = end
		case '\\':
			p++
			if tc != at(pattern, p) {
				return wildNoMatch
			}
		default:
			if tc != pc {
				return wildNoMatch
			}
		}
	}
	if t < len(text) {
		return wildNoMatch
	}
	return wildMatch
}

// wildStar matches from the star at p. Unless it is done, matching goes on after the slashes at the positions returned.
func wildStar(pattern, text string, p, t int) (next, pos int, done bool, outcome int) {
	first := p
	p++
	crossing := false
	if at(pattern, p) == '*' {
		for at(pattern, p) == '*' {
			p++
		}
		c := at(pattern, p)
		whole := (first == 0 || pattern[first-1] == '/') &&
			(c == 0 || c == '/' || c == '\\' && at(pattern, p+1) == '/')
		if whole {
			if c == '/' && dowild(pattern[p+1:], text[t:]) == wildMatch {
				return 0, 0, true, wildMatch
			}
			crossing = true
		}
	}
	rest := text[t:]
	switch {
	case p == len(pattern):
		if !crossing && indexByte(rest, '/') >= 0 {
			return 0, 0, true, wildNoMatch
		}
		return 0, 0, true, wildMatch
	case !crossing && pattern[p] == '/':
		i := indexByte(rest, '/')
		if i < 0 {
			return 0, 0, true, wildNoMatch
		}
		return p, t + i, false, 0
	}
	return 0, 0, true, wildTryEach(pattern[p:], rest, crossing)
}

// wildTryEach tries the rest of the pattern at every position that a star may reach.
func wildTryEach(pattern, text string, crossing bool) int {
	literal := indexByte(`*?[\`, pattern[0]) < 0
	for t := 0; t < len(text); t++ {
		if literal {
			for t < len(text) && text[t] != pattern[0] && (crossing || text[t] != '/') {
				t++
			}
			if at(text, t) != pattern[0] {
				return wildNoMatch
			}
		}
		switch m := dowild(pattern, text[t:]); {
		case m != wildNoMatch:
			if !crossing || m != wildAbortToStarStar {
				return m
			}
		case !crossing && text[t] == '/':
			return wildAbortToStarStar
		}
	}
	return wildAbortAll
}

// wildClass matches one byte against the class that opens at p; end is the index of its closing bracket, -1 when it
// has none or names an unknown class.
func wildClass(pattern string, p int, tc byte) (matched bool, end int) {
	p++
	negated := at(pattern, p) == '!' || at(pattern, p) == '^'
	if negated {
		p++
	}
	var prev byte
	for first := true; ; first = false {
		pc := at(pattern, p)
		switch {
		case pc == 0:
			return false, -1
		case pc == ']' && !first:
			return matched != negated, p
		case pc == '\\':
			p++
			pc = at(pattern, p)
			if pc == 0 {
				return false, -1
			}
			matched = matched || tc == pc
		case pc == '-' && prev != 0 && at(pattern, p+1) != 0 && at(pattern, p+1) != ']':
			p++
			if pc = at(pattern, p); pc == '\\' {
				p++
				if pc = at(pattern, p); pc == 0 {
					return false, -1
				}
			}
			matched = matched || tc >= prev && tc <= pc
			pc = 0
		case pc == '[' && at(pattern, p+1) == ':':
			i := indexByte(pattern[p+2:], ']')
			if i < 0 {
				return false, -1
			}
			name := pattern[p+2 : p+2+i]
			if i == 0 || name[i-1] != ':' {
				matched = matched || tc == '['
				break
			}
			in, known := posixClass(name[:i-1], tc)
			if !known {
				return false, -1
			}
			matched = matched || in
			p += 2 + i
			pc = 0
		default:
			matched = matched || tc == pc
		}
		prev = pc
		p++
	}
}

func posixClass(name string, c byte) (in, known bool) {
	lower, upper, digit := c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9'
	graph := c > 0x20 && c < 0x7f
	switch name {
	case "alnum":
		return lower || upper || digit, true
	case "alpha":
		return lower || upper, true
	case "blank":
		return c == ' ' || c == '\t', true
	case "cntrl":
		return c < 0x20 || c == 0x7f, true
	case "digit":
		return digit, true
	case "graph":
		return graph, true
	case "lower":
		return lower, true
	case "print":
		return graph || c == ' ', true
	case "punct":
		return graph && !lower && !upper && !digit, true
	case "space":
		return c == ' ' || c >= '\t' && c <= '\r', true
	case "upper":
		return upper, true
	case "xdigit":
		return digit || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F', true
	}
	return false, false
}

func indexByte(s string, c byte) int {
	for i := 0; i < len(s); i++ {
		if s[i] == c {
			return i
		}
	}
	return -1
}
