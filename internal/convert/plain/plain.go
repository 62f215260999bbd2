// Package plain reads what is text already: it finds out the encoding, and gives tables, data, notebooks, mails and subtitles the
// form that people read. It guesses only where the bytes leave no reasonable doubt.
package plain

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
	"golang.org/x/text/transform"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

var (
	_ markup.Reader = CSV
	_ markup.Reader = TSV
	_ markup.Reader = JSON
	_ markup.Reader = JSONL
	_ markup.Reader = YAML
	_ markup.Reader = XML
	_ markup.Reader = Notebook
	_ markup.Reader = Mail
	_ markup.Reader = Subtitles
)

// UTF8 gives a text as UTF-8 without a byte order mark; its line ends stay. It goes by the byte order mark, else by the pattern of zero bytes
// (UTF-16), else takes it for UTF-8 when it is that, else for Windows-1251 or Windows-1256 when nearly all its letters are theirs, else
// for Windows-1252. The result may be src itself. The error is of class fault.ErrUnsupported: it is no text.
func UTF8(src []byte) ([]byte, error) {
	enc := byMark(src)
	if enc == nil {
		enc = byZeros(src)
	}
	if enc == nil && utf8.Valid(src) {
		if bytes.IndexByte(src, 0) >= 0 {
			return nil, noText()
		}
		return bytes.TrimPrefix(src, []byte("\xef\xbb\xbf")), nil
	}
	if enc == nil {
		if bytes.IndexByte(src, 0) >= 0 {
			return nil, noText()
		}
		enc = byLetters(src)
	}
	out, err := decoded(enc, src)
	return bytes.TrimPrefix(out, []byte("\uFEFF")), err
}

// maxText is the most bytes that a text may have as UTF-8; a byte may become three.
const maxText = 128 << 20

// decoded decodes a text twice, so that it takes no more memory than what comes out of it.
func decoded(enc encoding.Encoding, src []byte) ([]byte, error) {
	stream := func() io.Reader { return transform.NewReader(bytes.NewReader(src), enc.NewDecoder()) }
	n, err := io.Copy(io.Discard, stream())
	if err != nil {
		return nil, noText()
	}
	if n > maxText {
		return nil, fault.New(fault.ErrUnsupported, "as UTF-8 it has more than %d MB", maxText>>20).WithHint("divide it into smaller files")
	}
	out := make([]byte, n)
	if _, err := io.ReadFull(stream(), out); err != nil {
		return nil, noText()
	}
	return out, nil
}

func noText() error {
	return fault.New(fault.ErrUnsupported, "it is no text, whatever its name says").WithHint("save it as UTF-8 text, or give it the extension of what it is")
}

// byMark is the encoding that the byte order mark tells; nil without one, and for that of UTF-8.
func byMark(src []byte) encoding.Encoding {
	switch {
	case bytes.HasPrefix(src, []byte{0xff, 0xfe, 0, 0}):
		return utf32.UTF32(utf32.LittleEndian, utf32.ExpectBOM)
	case bytes.HasPrefix(src, []byte{0, 0, 0xfe, 0xff}):
		return utf32.UTF32(utf32.BigEndian, utf32.ExpectBOM)
	case bytes.HasPrefix(src, []byte{0xff, 0xfe}):
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case bytes.HasPrefix(src, []byte{0xfe, 0xff}):
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	}
	return nil
}

// byZeros tells UTF-16 without a mark: nearly every other byte of most languages' texts is zero, and never two together.
func byZeros(src []byte) encoding.Encoding {
	head := src[:min(len(src), 8<<10)&^1]
	if len(head) < 8 {
		return nil
	}
	var even, odd int
	for i := 0; i < len(head); i += 2 {
		if binary.NativeEndian.Uint16(head[i:]) == 0 {
			return nil
		}
		if head[i] == 0 {
			even++
		}
		if head[i+1] == 0 {
			odd++
		}
	}
	switch half := len(head) / 2; {
	case odd*10 > half*6 && even == 0:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case even*10 > half*6 && odd == 0:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	}
	return nil
}

// byLetters tells by the letters which encoding of one byte for each a text is in. Cyrillic and Arabic texts have words
// of high bytes alone; in the languages of Windows-1252 those stand among ASCII letters.
func byLetters(src []byte) encoding.Encoding {
	var ascii, high, runs, lower, article int
	var before byte
	for _, c := range src[:min(len(src), 256<<10)] {
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z':
			ascii++
		case c >= 0xC0:
			high++
			if before < 0xC0 {
				runs++
			}
			if c >= 0xE0 {
				lower++
			}
			if before == 0xC7 && c == 0xE1 { // al-, the article
				article++
			}
		}
		before = c
	}
	switch {
	case high < 20 || high < 3*ascii || high < 3*runs:
	case article*12 > runs:
		return charmap.Windows1256
	case lower*10 > high*8:
		return charmap.Windows1251
	}
	return charmap.Windows1252
}

// fenced is the reader of data that is shown as it is.
func fenced(ctx context.Context, lang string, src []byte, l markup.Limits) (markup.Result, error) {
	text, err := decode(ctx, src, l)
	if err != nil {
		return markup.Result{}, err
	}
	w := markup.NewWriter(l.Output)
	w.Code(lang, string(text))
	return w.Result("")
}

// decode is UTF8 within the limits.
func decode(ctx context.Context, src []byte, l markup.Limits) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if int64(len(src)) > l.Unpacked {
		return nil, fault.New(fault.ErrUnsupported, "it has %d bytes, above the limit of %d", len(src), l.Unpacked).WithHint("divide it into smaller files")
	}
	return UTF8(src)
}

// JSON is the reader of JSON files: as they are, within a fence.
func JSON(ctx context.Context, src []byte, l markup.Limits) (markup.Result, error) {
	return fenced(ctx, "json", src, l)
}

// JSONL is the reader of files with one JSON value a line: as they are, within a fence.
func JSONL(ctx context.Context, src []byte, l markup.Limits) (markup.Result, error) {
	return fenced(ctx, "jsonl", src, l)
}

// YAML is the reader of YAML files: as they are, within a fence.
func YAML(ctx context.Context, src []byte, l markup.Limits) (markup.Result, error) {
	return fenced(ctx, "yaml", src, l)
}

// XML is the reader of XML files: as they are, within a fence.
func XML(ctx context.Context, src []byte, l markup.Limits) (markup.Result, error) {
	return fenced(ctx, "xml", src, l)
}
