package markup

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding/unicode"

	"kbsyncd/internal/fault"
)

// XML reads XML element by element, without building a tree. There are no entities but the predefined ones and HTML's, nothing outside of the bytes is ever
// opened, and nesting is bounded. It is for one goroutine.
type XML struct {
	d        *xml.Decoder
	cancel   func() error
	depth    int
	maxDepth int
	refused  error // what was wrong before the first token
	tokens   int
}

// Element is a start tag.
type Element struct {
	Space string // the namespace's address
	Name  string // without its prefix
	attrs []xml.Attr
}

// Attr is the value of the attribute of this local name, in whatever namespace; "" when there is none.
func (e Element) Attr(local string) string {
	for _, a := range e.attrs {
		if a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}

// AttrNS is the value of the attribute of this local name in a namespace whose address ends so; "" when there is none.
func (e Element) AttrNS(spaceEnd, local string) string {
	for _, a := range e.attrs {
		if a.Name.Local == local && strings.HasSuffix(a.Name.Space, spaceEnd) {
			return a.Value
		}
	}
	return ""
}

// NewXML reads src, which may be in any charset that it declares or that its byte order mark tells. A cancelled context ends it.
func NewXML(ctx context.Context, src []byte, l Limits) *XML {
	wide := len(src) >= 2 && (src[0] == 0xfe && src[1] == 0xff || src[0] == 0xff && src[1] == 0xfe || src[0] == '<' && src[1] == 0 || src[0] == 0 && src[1] == '<')
	if wide {
		order := unicode.LittleEndian
		if src[0] == 0xfe || src[0] == 0 {
			order = unicode.BigEndian
		}
		// Where it is damaged, the decoder puts a sign that says so.
		src, _ = unicode.UTF16(order, unicode.UseBOM).NewDecoder().Bytes(src)
	}
	d := xml.NewDecoder(bytes.NewReader(src))
	d.Entity = xml.HTMLEntity
	d.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		if wide {
			return in, nil
		}
		return charset.NewReaderLabel(label, in)
	}
	return &XML{d: d, cancel: ctx.Err, maxDepth: l.Depth, refused: refuse(src, l)}
}

// maxAttributes is far above what any element needs.
const maxAttributes = 1000

// refuse looks for single tokens that would take much more memory than they are long, or hold more text than may come out: the
// decoder makes one value of each.
func refuse(src []byte, l Limits) error {
	skip := func(end string) int {
		if at := bytes.Index(src, []byte(end)); at >= 0 {
			return at
		}
		return len(src)
	}
	for len(src) > 0 {
		n := 0
		switch {
		case src[0] != '<':
			n = skip("<")
		case bytes.HasPrefix(src, []byte("<!--")):
			n = skip("-->")
		case bytes.HasPrefix(src, []byte("<![CDATA[")):
			n = skip("]]>")
		case bytes.HasPrefix(src, []byte("<?")):
			n = skip("?>")
		default:
			if n = 1 + bytes.IndexByte(src[1:], '<'); n == 0 { // there is none within a tag; the text after it may count along
				n = len(src)
			}
			if n > 4*maxAttributes && attributes(src[:n]) > maxAttributes {
				return fault.New(fault.ErrUnsupported, "it has an element of more than %d attributes", maxAttributes).WithHint("save it again in a simpler form")
			}
		}
		if int64(n) > l.Output {
			return fault.New(fault.ErrUnsupported, "its text is larger than %d MB", l.Output>>20).WithHint("divide the document")
		}
		src = src[max(n, 1):]
	}
	return nil
}

// Each calls element for every child element of the innermost open one, and text, unless it is nil, for the text between them. element may read the child's own children
// with Each or Text; what it leaves is skipped. At the top there is one child, the root.
func (x *XML) Each(element func(Element) error, text func(string)) error {
	inside := x.depth
	for {
		t, err := x.token()
		if errors.Is(err, io.EOF) && inside == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if err := element(Element{t.Name.Space, t.Name.Local, t.Attr}); err != nil {
				return err
			}
			if err := x.skipTo(inside); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		case xml.CharData:
			if text != nil {
				text(string(t))
			}
		}
	}
}

// Text is all the text within the innermost open element, also that of its children.
func (x *XML) Text() (string, error) {
	var b strings.Builder
	inside := x.depth
	for x.depth >= inside && inside > 0 {
		t, err := x.token()
		if err != nil {
			return "", err
		}
		if c, ok := t.(xml.CharData); ok {
			b.Write(c)
		}
	}
	return b.String(), nil
}

// attributes counts those of the tag that src begins with.
func attributes(src []byte) (n int) {
	quote := byte(0)
	for _, c := range src {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
				n++
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return n
		}
	}
	return n
}

// skipTo reads up to the end of the element that was opened at this depth.
func (x *XML) skipTo(depth int) error {
	for x.depth > depth {
		if _, err := x.token(); err != nil {
			return err
		}
	}
	return nil
}

func (x *XML) token() (xml.Token, error) {
	if x.refused != nil {
		return nil, x.refused
	}
	if x.tokens++; x.tokens%1024 == 0 {
		if err := x.cancel(); err != nil {
			return nil, err
		}
	}
	t, err := x.d.Token()
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	if err != nil {
		return nil, Damaged(err)
	}
	switch t.(type) {
	case xml.StartElement:
		if x.depth++; x.depth > x.maxDepth {
			return nil, fault.New(fault.ErrUnsupported, "its parts are nested more than %d deep", x.maxDepth).WithHint("save it again in a simpler form")
		}
	case xml.EndElement:
		x.depth--
	}
	return t, nil
}
