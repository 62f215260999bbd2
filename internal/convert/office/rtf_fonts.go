package office

import (
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
)

// rtfFont is a font and the code page of its characters.
type rtfFont struct {
	name    string
	charset int // as Windows counts them
	page    int // a code page that overrides the charset's
	modern  bool
}

// defineFont adds to the name of the font being defined; a semicolon ends it.
func (r *rtf) defineFont(text string) {
	name, _, _ := strings.Cut(text, ";")
	if len(r.font.name) < 64 {
		r.font.name = strings.TrimSpace(r.font.name + name)
	}
}

// mono tells whether a font is one for code, in a document that is not written in such a font as a whole.
func (r *rtf) mono(font int) bool {
	return font != r.base && r.fonts[font].mono() && !r.fonts[r.base].mono()
}

func (f *rtfFont) mono() bool {
	if f == nil {
		return false
	}
	name := strings.ToLower(f.name)
	for _, s := range []string{"courier", "consolas", "mono", "menlo", "monaco", "lucida console"} {
		if strings.Contains(name, s) {
			return true
		}
	}
	return f.modern && name == ""
}

// decode reads characters in the code page of the current font.
func (r *rtf) decode(raw []byte) string {
	enc := r.charset
	if f := r.fonts[r.state.font]; f != nil && r.state.to != toFonts && r.state.to != toStyles {
		switch {
		case symbolFont(f.name) || f.charset == 2:
			return decodeSymbols(f.name, raw)
		case f.page != 0:
			enc = codePage(f.page)
		case charsets[f.charset] != 0:
			enc = codePage(charsets[f.charset])
		}
	}
	if ascii(raw) {
		return string(raw)
	}
	text, err := enc.NewDecoder().Bytes(raw)
	if err != nil {
		return strings.ToValidUTF8(string(raw), "\uFFFD")
	}
	return string(text)
}

func decodeSymbols(font string, raw []byte) string {
	if !symbolFont(font) {
		font = "symbol"
	}
	var b strings.Builder
	for _, c := range raw {
		if c <= ' ' {
			b.WriteByte(c)
			continue
		}
		b.WriteString(symbol(font, rune(c)))
	}
	return b.String()
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// charsets are the code pages of the charsets of Windows fonts; those that are not here follow the document.
var charsets = map[int]int{
	77: 10000, 128: 932, 129: 949, 130: 949, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258, 177: 1255, 178: 1256, 186: 1257,
	204: 1251, 222: 874, 238: 1250, 255: 437,
}

// codePage is the encoding of a code page; Western European for one that is not known.
func codePage(n int) encoding.Encoding {
	if e, ok := codePages[n]; ok {
		return e
	}
	return charmap.Windows1252
}

var codePages = map[int]encoding.Encoding{
	437: charmap.CodePage437, 850: charmap.CodePage850, 852: charmap.CodePage852, 855: charmap.CodePage855, 858: charmap.CodePage858,
	860: charmap.CodePage860, 862: charmap.CodePage862, 863: charmap.CodePage863, 865: charmap.CodePage865, 866: charmap.CodePage866,
	874: charmap.Windows874, 932: japanese.ShiftJIS, 936: simplifiedchinese.GBK, 949: korean.EUCKR, 950: traditionalchinese.Big5,
	1250: charmap.Windows1250, 1251: charmap.Windows1251, 1252: charmap.Windows1252, 1253: charmap.Windows1253, 1254: charmap.Windows1254,
	1255: charmap.Windows1255, 1256: charmap.Windows1256, 1257: charmap.Windows1257, 1258: charmap.Windows1258,
	10000: charmap.Macintosh, 10007: charmap.MacintoshCyrillic, 54936: simplifiedchinese.GB18030, 65001: unicode.UTF8,
}
