package htmlmd

import (
	"bytes"
	"regexp"
	"unicode/utf8"

	"golang.org/x/net/html/charset"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

// xmlEncoding is the encoding that an XML declaration names.
var xmlEncoding = regexp.MustCompile(`^\s*<\?xml[^>]{0,200}\bencoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']`)

// decode gives the text as UTF-8: by its byte order mark, else as UTF-8 when it is that, else as it declares, else as Windows-1252.
func decode(src []byte, l markup.Limits) ([]byte, error) {
	if int64(len(src)) > l.Unpacked {
		return nil, tooLarge("the page has %d bytes, above the limit of %d", len(src), l.Unpacked)
	}
	head := src[:min(len(src), 1024)]
	enc, name, certain := charset.DetermineEncoding(head, "")
	if !certain {
		if m := xmlEncoding.FindSubmatch(head); m != nil {
			if e, n := charset.Lookup(string(m[1])); e != nil {
				enc, name = e, n
			}
		}
		// Valid sequences of many bytes are no accident, whatever is declared; and 7-bit encodings have no high bytes.
		if utf8.Valid(src) && (hasHighByte(src) || name == "windows-1252") {
			name = "utf-8"
		}
	}
	if name == "utf-8" {
		return bytes.ToValidUTF8(bytes.TrimPrefix(src, []byte("\xef\xbb\xbf")), []byte("\uFFFD")), nil
	}
	text, err := enc.NewDecoder().Bytes(src)
	if err != nil {
		return nil, fault.New(fault.ErrUnsupported, "its text is not in the encoding that it declares, %s", name).
			Because(err).WithHint("save it as UTF-8")
	}
	return bytes.TrimPrefix(text, []byte("\uFEFF")), nil
}

func hasHighByte(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return true
		}
	}
	return false
}
