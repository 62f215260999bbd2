package links

import (
	"bytes"
	"regexp"
	"strings"
)

func never([]byte) bool { return false }

// verbatim are the elements in which nothing is a link.
var verbatim = map[string]bool{"pre": true, "code": true, "script": true, "style": true, "textarea": true}

// leads are the attributes with a destination, by element.
var leads = map[string]string{"a": "href", "area": "href", "img": "src", "source": "src", "video": "src", "audio": "src"}

// maxName is more than the bytes of any name that matters.
const maxName = 20

// blockNames are the elements that begin a block of HTML on any line.
var blockNames = func() map[string]bool {
	m := map[string]bool{}
	for name := range strings.FieldsSeq("address article aside base basefont blockquote body caption center col colgroup dd details dialog " +
		"dir div dl dt fieldset figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head header hr html iframe legend li link main " +
		"menu menuitem nav noframes ol optgroup option p param search section summary table tbody td tfoot th thead title tr track ul") {
		m[name] = true
	}
	return m
}()

var (
	rawBegin = regexp.MustCompile(`^(?i:<(?:pre|script|style|textarea)(?:[ \t>]|$))`)
	rawEnd   = regexp.MustCompile(`(?i:</(?:pre|script|style|textarea)>)`)
)

// rawBlock tells a line that begins HTML in which nothing is a link, and gives what tells the last line of it.
func rawBlock(line []byte) (until func([]byte) bool) {
	ends := func(with string) func([]byte) bool {
		return func(line []byte) bool { return bytes.Contains(line, []byte(with)) }
	}
	switch {
	case bytes.HasPrefix(line, []byte("<!--")):
		return ends("-->")
	case bytes.HasPrefix(line, []byte("<![CDATA[")):
		return ends("]]>")
	case bytes.HasPrefix(line, []byte("<?")):
		return ends("?>")
	case len(line) > 2 && line[1] == '!' && letter(line[2]):
		return ends(">")
	case rawBegin.Match(line):
		return rawEnd.Match
	}
	return nil
}

// htmlBlock tells a line that begins HTML which goes on to the next blank line, and in which nothing is Markdown.
func htmlBlock(line []byte, interrupts bool) bool {
	at := 1
	if len(line) > 1 && line[1] == '/' {
		at = 2
	}
	if at == len(line) || !letter(line[at]) {
		return false
	}
	end := nameEnd(line, at)
	rest := line[end:]
	name := strings.ToLower(string(line[at:min(end, at+maxName)]))
	if blockNames[name] {
		return len(rest) == 0 || space(rest[0]) || rest[0] == '>' || bytes.HasPrefix(rest, []byte("/>"))
	}
	if interrupts {
		return false
	}
	if at == 2 {
		if verbatim[name] && name != "code" {
			return false
		}
		end = blanks(line, end)
		return end < len(line) && line[end] == '>' && len(bytes.TrimLeft(line[end+1:], " \t")) == 0
	}
	t, ok := openingTag(line, 0)
	return ok && len(bytes.TrimLeft(line[t.end:], " \t")) == 0
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// angle goes behind what begins with a <: an address, a comment, a tag, or that sign alone.
func (in *inline) angle(at int) int {
	b := in.b
	if end := autolink(b, at); end > 0 {
		return end
	}
	for _, m := range [...][2]string{{"<!--", "-->"}, {"<![CDATA[", "]]>"}, {"<?", "?>"}} {
		if bytes.HasPrefix(b[at:], []byte(m[0])) {
			return in.behind(at, at+2, m[1])
		}
	}
	switch {
	case at+2 < len(b) && b[at+1] == '!' && letter(b[at+2]):
		return in.behind(at, at+2, ">")
	case at+1 < len(b) && b[at+1] == '/':
		return in.behindEndTag(at)
	case at+1 < len(b) && letter(b[at+1]):
		return in.tag(at)
	}
	return at + 1
}

// behind goes behind the end of a construct that begins at a place, or of its < when it has none.
func (in *inline) behind(at, from int, end string) int {
	if i := in.find(from, end); i >= 0 {
		return i + len(end)
	}
	return at + 1
}

// find looks for a sign. One that does not come any more is not looked for again.
func (in *inline) find(from int, sign string) int {
	if in.absent[sign] {
		return -1
	}
	i := bytes.Index(in.b[from:], []byte(sign))
	if i < 0 {
		in.lacks(sign)
		return -1
	}
	return from + i
}

func (in *inline) lacks(sign string) {
	if in.absent == nil {
		in.absent = map[string]bool{}
	}
	in.absent[sign] = true
}

// autolink goes behind an address in angle brackets; 0 is none.
func autolink(b []byte, at int) int {
	named := false
	for i := at + 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '>':
			if named {
				return i + 1
			}
			return 0
		case c <= ' ' || c == '<' || c == '"' || c == '\'':
			return 0
		case c == '@' || c == ':':
			named = true
		}
	}
	return 0
}

func (in *inline) behindEndTag(at int) int {
	end := nameEnd(in.b, at+2)
	if end == at+2 {
		return at + 1
	}
	if end = blanks(in.b, end); end < len(in.b) && in.b[end] == '>' {
		return end + 1
	}
	return at + 1
}

func nameEnd(b []byte, at int) int {
	for at < len(b) && (letter(b[at]) || b[at] >= '0' && b[at] <= '9' || b[at] == '-') {
		at++
	}
	return at
}

// tag goes behind an opening tag, and behind what is in the element when nothing there is a link.
func (in *inline) tag(at int) int {
	t, ok := openingTag(in.b, at)
	if !ok {
		return at + 1
	}
	if t.lead.end > 0 {
		in.leadAttribute(t.lead)
	}
	if !verbatim[t.name] || t.closed {
		return t.end
	}
	end := in.behindElement(t.end, t.name)
	if end > t.end {
		in.dead = len(in.brackets) // what was passed over may be a link, in which case nothing around it is
	}
	return end
}

// tag is an opening tag.
type tag struct {
	name   string
	lead   attribute // the one with a destination; its end is 0 without one
	closed bool      // it is an end tag as well
	end    int
}

// openingTag reads the tag that begins at a place.
func openingTag(b []byte, at int) (t tag, ok bool) {
	i := nameEnd(b, at+1)
	t.name = strings.ToLower(string(b[at+1 : min(i, at+maxName)]))
	want := leads[t.name]
	for {
		after := blanks(b, i)
		switch {
		case after == len(b):
			return t, false
		case b[after] == '>':
			t.end = after + 1
			return t, true
		case b[after] == '/':
			t.closed, t.end = true, after+2
			return t, after+1 < len(b) && b[after+1] == '>'
		case after == i:
			return t, false
		}
		a, ok := readAttribute(b, after)
		if !ok {
			return t, false
		}
		if want != "" && t.lead.end == 0 && strings.EqualFold(string(b[a.name:min(a.nameEnd, a.name+maxName)]), want) {
			t.lead = a
		}
		i = a.end
	}
}

// attribute is one in a tag.
type attribute struct {
	name, nameEnd int
	from, to      int // the value
	end           int
	bare          bool
}

func readAttribute(b []byte, at int) (a attribute, ok bool) {
	a.name = at
	for at < len(b) && (letter(b[at]) || b[at] >= '0' && b[at] <= '9' || strings.IndexByte("_:.-@", b[at]) >= 0) {
		at++
	}
	a.nameEnd, a.end = at, at
	if at == a.name {
		return a, false
	}
	if at = blanks(b, at); at == len(b) || b[at] != '=' {
		return a, true
	}
	if at = blanks(b, at+1); at == len(b) {
		return a, false
	}
	if quote := b[at]; quote == '"' || quote == '\'' {
		n := bytes.IndexByte(b[at+1:], quote)
		a.from, a.to, a.end = at+1, at+1+n, at+n+2
		return a, n >= 0
	}
	a.from, a.bare = at, true
	for at < len(b) && b[at] > ' ' && strings.IndexByte("\"'=<>`", b[at]) < 0 {
		at++
	}
	a.to, a.end = at, at
	return a, at > a.from
}

// leadAttribute has the value of an attribute lead elsewhere; one in braces is a program.
func (in *inline) leadAttribute(a attribute) {
	for a.from < a.to && (in.b[a.from] <= ' ') {
		a.from++
	}
	for a.from < a.to && in.b[a.to-1] <= ' ' {
		a.to--
	}
	if a.from < a.to && in.b[a.from] != '{' {
		in.s.lead(in.b, a.from, a.to, true, a.bare)
	}
}

// behindElement goes to the end tag of an element, or stays when it has none.
func (in *inline) behindElement(at int, name string) int {
	if in.absent[name] {
		return at
	}
	for i := at; ; i++ {
		n := bytes.Index(in.b[i:], []byte("</"))
		if n < 0 {
			in.lacks(name)
			return at
		}
		i += n
		end := i + 2 + len(name)
		if end <= len(in.b) && strings.EqualFold(string(in.b[i+2:end]), name) && (end == len(in.b) || !letter(in.b[end])) {
			return i
		}
	}
}
