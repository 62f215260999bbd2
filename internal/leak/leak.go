// Package leak finds what looks like a secret in a text: private keys, keys of clouds and access tokens of common services. It
// knows formats that a service made so that they can be recognised, and nothing that merely looks random, so that it is
// seldom wrong. It looks only at text that streams by, and tells where something is, never what.
package leak

import "bytes"

// Finding is one thing that looks like a secret. It does not hold the secret.
type Finding struct {
	Rule string // what it looks like, for people: "an AWS access key"
	Line int    // from 1
}

const (
	// longest is the most bytes of a token that are looked at.
	longest = 256
	window  = 32 << 10
	// maxFindings is how many findings of one text are kept.
	maxFindings   = 5
	longestPrefix = 32
)

// Scanner looks through one text after the other. It is not safe for concurrent use.
type Scanner struct {
	buf   []byte // what was written and not looked at yet, behind one byte that was
	begun bool   // buf[0] was looked at
	lines int    // line feeds before buf
	found []Finding
}

// New makes a Scanner at the beginning of a text.
func New() *Scanner { return &Scanner{buf: make([]byte, 0, window)} }

// Reset begins another text.
func (s *Scanner) Reset() { *s = Scanner{buf: s.buf[:0]} }

// Write takes the next bytes of the text. It never fails.
func (s *Scanner) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		k := min(len(p), window-len(s.buf))
		s.buf = append(s.buf, p[:k]...)
		p = p[k:]
		if len(s.buf) == window {
			s.look(window - longest)
			// One byte more stays: whether a token begins is decided by what is before it.
			cut := window - longest - 1
			s.lines += bytes.Count(s.buf[:cut], []byte{'\n'})
			s.buf = s.buf[:copy(s.buf, s.buf[cut:])]
			s.begun = true
		}
	}
	return n, nil
}

// Findings ends the text and gives what was found in it, at most a few.
func (s *Scanner) Findings() []Finding {
	s.look(len(s.buf))
	s.buf = s.buf[:0]
	return s.found
}

// look judges every token that begins before buf[end]. Every second pair of bytes is compared with those of the
// tokens' beginnings: most of a text is passed over without a closer look.
func (s *Scanner) look(end int) {
	from := 0
	if s.begun {
		from = 1
	}
	last := from - 1 // where the last token was looked for
	buf := s.buf[:min(len(s.buf), end+longestPrefix)]
	for i := from; i+1 < len(buf); i += 2 {
		k := uint16(buf[i])<<8 | uint16(buf[i+1])
		if known[k/64]&(1<<(k%64)) == 0 {
			continue
		}
		for _, c := range pairs[k] {
			at := i - int(c.offset)
			if at >= from && at < end && at != last && bytes.HasPrefix(s.buf[at:], rules[c.rule].prefix) {
				s.judge(&rules[c.rule], at)
				last = at
			}
		}
	}
}

func (s *Scanner) judge(r *rule, at int) {
	if len(s.found) == maxFindings || at > 0 && word(s.buf[at-1]) && word(r.prefix[0]) {
		return
	}
	rest := s.buf[at+len(r.prefix):]
	rest = rest[:min(len(rest), longest-len(r.prefix))]
	n := 0
	for n < len(rest) && r.class(rest[n]) {
		n++
	}
	if n < r.least || r.most > 0 && n > r.most || r.sure != nil && !r.sure(rest) || distinct(rest[:n]) < r.distinct {
		return
	}
	s.found = append(s.found, Finding{Rule: r.name, Line: 1 + s.lines + bytes.Count(s.buf[:at], []byte{'\n'})})
}

func word(c byte) bool { return alnum(c) || c == '_' }

// distinct counts different bytes: a row of x is a placeholder.
func distinct(b []byte) (n int) {
	var seen [256]bool
	for _, c := range b {
		if !seen[c] {
			seen[c] = true
			n++
		}
	}
	return n
}
