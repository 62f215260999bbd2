package convert

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/leak"
)

// ErrLeak says that a document seems to hold a secret and is not sent for that; it is of class fault.ErrRejected as well.
var ErrLeak = errors.New("it seems to hold a secret")

// textCheck looks at the bytes of a text as they stream by: they must be UTF-8, and they may hold secrets.
type textCheck struct {
	utf8, secrets bool
	lines         int     // of the source before the first byte taken
	cut           [4]byte // a character that the last bytes began
	cutLen        int
	scan          *leak.Scanner // made when a document first needs it
}

// reset begins a text; lines were passed over already.
func (c *textCheck) reset(utf8, secrets bool, lines int) {
	c.utf8, c.secrets, c.lines, c.cutLen = utf8, secrets, lines, 0
	if !secrets {
		return
	}
	if c.scan == nil {
		c.scan = leak.New()
	}
	c.scan.Reset()
}

// take goes on with b; with last set nothing follows. errEncoding says that it is not UTF-8.
func (c *textCheck) take(b []byte, last bool) error {
	if c.secrets {
		c.look(b)
	}
	if !c.utf8 {
		return nil
	}
	for c.cutLen > 0 && len(b) > 0 && !utf8.FullRune(c.cut[:c.cutLen]) {
		c.cut[c.cutLen] = b[0]
		c.cutLen++
		b = b[1:]
	}
	if c.cutLen > 0 && utf8.FullRune(c.cut[:c.cutLen]) {
		if !utf8.Valid(c.cut[:c.cutLen]) {
			return errEncoding
		}
		c.cutLen = 0
	}
	if !last && len(b) > 0 {
		whole := wholeRunes(b)
		c.cutLen = copy(c.cut[:], b[len(whole):])
		b = whole
	}
	if !utf8.Valid(b) || last && c.cutLen > 0 {
		return errEncoding
	}
	return nil
}

// title looks for secrets in what is sent in front of the text, in place of front matter that was passed over.
func (c *textCheck) title(s string) {
	if c.secrets && s != "" {
		c.look([]byte(s))
		c.lines -= strings.Count(s, "\n")
	}
}

// look goes on looking for secrets. Text that goes as it is may be UTF-16, in which all but the zeros of a secret is as in UTF-8.
func (c *textCheck) look(b []byte) {
	if bytes.IndexByte(b, 0) >= 0 {
		b = bytes.ReplaceAll(b, []byte{0}, nil)
	}
	_, _ = c.scan.Write(b) // documented never to fail
}

// leaks tells what looked like a secret, as an error when that keeps the document from being sent.
func (c *textCheck) leaks(secrets string) ([]leak.Finding, error) {
	if !c.secrets {
		return nil, nil
	}
	found := append([]leak.Finding(nil), c.scan.Findings()...)
	for i := range found {
		found[i].Line += c.lines
	}
	if len(found) == 0 || secrets != "block" {
		return found, nil
	}
	what := fmt.Sprintf("it seems to hold %s (line %d)", found[0].Rule, found[0].Line)
	if more := len(found) - 1; more > 0 {
		what += fmt.Sprintf(" and %d more of its kind", more)
	}
	err := fault.New(fault.ErrRejected, "%s", what).
		WithHint("take it out, exclude the document, or set `secrets: warn` when it is meant to be known")
	return nil, marked{err, ErrLeak}
}

// marked is an error that is also another one, without a word more.
type marked struct {
	error
	mark error
}

// Unwrap gives both.
func (m marked) Unwrap() []error { return []error{m.error, m.mark} }
