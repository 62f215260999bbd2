package epub

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
)

// void are the elements of HTML that have no end.
var void = map[string]bool{
	"area": true, "base": true, "br": true, "col": true, "embed": true, "hr": true, "img": true, "input": true, "link": true, "meta": true,
	"param": true, "source": true, "track": true, "wbr": true,
}

// detach makes a chapter, which is XHTML, stand alone as HTML: an element that is closed where it opens is written out, for HTML would leave it open
// and lose what follows; links within the book lose their address; pictures, which stay behind in the book, leave their description.
func detach(chapter []byte) []byte {
	if utf16(chapter) {
		return chapter // the parser decodes it
	}
	var out bytes.Buffer
	z := html.NewTokenizer(bytes.NewReader(chapter))
	z.SetMaxBuf(len(chapter) + 1)
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return out.Bytes()
		}
		if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
			out.Write(z.Raw())
			continue
		}
		name, _ := z.TagName()
		tag := string(name)
		closed := kind == html.SelfClosingTagToken && !void[tag]
		if closed {
			z.NextIsNotRawText()
		}
		switch tag {
		case "a":
			t := html.Token{Type: html.StartTagToken, Data: tag}
			if href := attribute(z, "href"); outside(href) {
				t.Attr = []html.Attribute{{Key: "href", Val: href}}
			}
			out.WriteString(t.String())
		case "img":
			if alt := attribute(z, "alt"); strings.TrimSpace(alt) != "" {
				out.WriteString("[" + html.EscapeString(alt) + "]")
			}
		default:
			out.Write(bytes.TrimSuffix(bytes.TrimSuffix(z.Raw(), []byte(">")), []byte("/")))
			out.WriteByte('>')
		}
		if closed {
			out.WriteString("</" + tag + ">")
		}
	}
}

// attribute is the value of an attribute of the tag that is being read.
func attribute(z *html.Tokenizer, name string) string {
	for {
		key, value, more := z.TagAttr()
		if string(key) == name {
			return string(value)
		}
		if !more {
			return ""
		}
	}
}

// utf16 tells whether a text is UTF-16, by its mark or by its first sign, which is ASCII.
func utf16(b []byte) bool {
	return bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) || bytes.IndexByte(b[:min(len(b), 2)], 0) >= 0
}

// outside tells whether an address leads out of the book.
func outside(address string) bool {
	scheme, _, ok := strings.Cut(strings.TrimSpace(address), ":")
	return ok && !strings.ContainsAny(scheme, "/?#. ")
}
