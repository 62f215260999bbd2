package article

import (
	"bytes"
	"mime"
	"regexp"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// declared are how a page names its encoding and its language in its first bytes.
var (
	declared = regexp.MustCompile(`(?i)<meta[^>]{0,300}?charset\s*=\s*["']?\s*([A-Za-z0-9._:-]{1,40})`)
	xmlNamed = regexp.MustCompile(`^\s*<\?xml[^>]{0,200}\bencoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']`)
	language = regexp.MustCompile(`(?i)<html[^>]{0,500}?\blang\s*=\s*["']?([A-Za-z]{2,3})`)
)

// byLanguage are the encodings that pages of a language were written in before UTF-8, for those that name none or a wrong one.
var byLanguage = map[string][]string{
	"ar": {"windows-1256"}, "fa": {"windows-1256"}, "he": {"windows-1255"}, "el": {"windows-1253"}, "tr": {"windows-1254"},
	"ru": {"windows-1251"}, "uk": {"windows-1251"}, "be": {"windows-1251"}, "bg": {"windows-1251"}, "mk": {"windows-1251"},
	"cs": {"windows-1250"}, "sk": {"windows-1250"}, "pl": {"windows-1250"}, "hu": {"windows-1250"}, "sl": {"windows-1250"}, "hr": {"windows-1250"},
	"ja": {"shift_jis", "euc-jp"}, "zh": {"gb18030", "big5"}, "ko": {"euc-kr"}, "th": {"windows-874"}, "vi": {"windows-1258"},
}

// decode gives the text of a page as valid UTF-8. A byte order mark decides; bytes above 0x7f that are UTF-8 are no accident,
// whatever is declared. Otherwise the first encoding of those that the server, the page and its language name that the bytes
// fit is taken, and Windows-1252 when they fit none.
func decode(src []byte, contentType string) []byte {
	if e := byMark(src); e != nil {
		return convert(src, e)
	}
	head := src[:min(len(src), 4096)]
	if e := byZeros(head); e != nil {
		return convert(src, e)
	}
	names := candidates(head, contentType)
	valid := utf8.Valid(src)
	if valid && (hasHighByte(src) || len(names) == 0 || !sevenBit(names[0])) || !valid && nearlyUTF8(src) {
		return bytes.ToValidUTF8(bytes.TrimPrefix(src, []byte("\xef\xbb\xbf")), []byte("\uFFFD"))
	}
	for _, name := range names {
		e, canonical := charset.Lookup(name)
		if e == nil || canonical == "utf-8" || canonical == "replacement" {
			continue
		}
		if text, err := e.NewDecoder().Bytes(src); err == nil && !bytes.ContainsRune(text, utf8.RuneError) {
			return text
		}
	}
	e, _ := charset.Lookup("windows-1252")
	return convert(src, e)
}

// candidates are the encodings that may be meant, the likeliest first.
func candidates(head []byte, contentType string) (names []string) {
	if _, params, err := mime.ParseMediaType(contentType); err == nil && params["charset"] != "" {
		names = append(names, params["charset"])
	}
	for _, r := range []*regexp.Regexp{declared, xmlNamed} {
		if m := r.FindSubmatch(head); m != nil {
			names = append(names, string(m[1]))
		}
	}
	if m := language.FindSubmatch(head); m != nil {
		names = append(names, byLanguage[string(bytes.ToLower(m[1]))]...)
	}
	return names
}

func byMark(src []byte) encoding.Encoding {
	switch {
	case bytes.HasPrefix(src, []byte("\xef\xbb\xbf")):
		return unicode.UTF8BOM
	case bytes.HasPrefix(src, []byte("\xff\xfe")):
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	case bytes.HasPrefix(src, []byte("\xfe\xff")):
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	}
	return nil
}

// byZeros tells UTF-16 without a mark: every second byte of markup is zero.
func byZeros(head []byte) encoding.Encoding {
	var zeros [2]int
	for i, c := range head {
		if c == 0 {
			zeros[i%2]++
		}
	}
	switch half := len(head) / 2; {
	case half < 8:
	case zeros[1] > half*3/4 && zeros[0] < half/4:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case zeros[0] > half*3/4 && zeros[1] < half/4:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	}
	return nil
}

// sevenBit tells encodings whose bytes are all those of ASCII.
func sevenBit(name string) bool {
	_, canonical := charset.Lookup(name)
	return canonical == "iso-2022-jp"
}

// nearlyUTF8 tells UTF-8 that was cut or damaged at a few places.
func nearlyUTF8(src []byte) bool {
	good, bad := 0, 0
	for i := 0; i < len(src); {
		if src[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && size == 1 {
			bad++
		} else {
			good++
		}
		i += size
	}
	return good > 10*bad
}

func hasHighByte(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return true
		}
	}
	return false
}

// convert decodes as well as it can be done.
func convert(src []byte, e encoding.Encoding) []byte {
	text, _, err := transform.Bytes(e.NewDecoder(), src)
	if err != nil {
		return bytes.ToValidUTF8(src, []byte("\uFFFD"))
	}
	return bytes.ToValidUTF8(bytes.TrimPrefix(text, []byte("\uFEFF")), []byte("\uFFFD"))
}
