package convert

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
)

// headSize is how much of a document is looked at to tell what it is.
const headSize = 3 << 10

var (
	bomUTF8 = []byte{0xEF, 0xBB, 0xBF}
	bomLE   = []byte{0xFF, 0xFE}
	bomBE   = []byte{0xFE, 0xFF}
)

// guess is what the head of a document looks like.
type guess struct {
	binary bool
	utf16  bool
	what   string // for messages, when binary
}

// sniff tells text from everything else. Most documents are UTF-8 and are known by one look at their bytes; only what is
// odd is compared with the signatures of known formats. complete says that head is the whole document.
func sniff(head []byte, complete bool) guess {
	if bytes.HasPrefix(head, bomLE) || bytes.HasPrefix(head, bomBE) {
		return guess{utf16: true}
	}
	if !masquerades(head) && plainUTF8(head, complete) {
		return guess{}
	}
	if wide(head, 0) || wide(head, 1) {
		return guess{utf16: true}
	}
	found := mimetype.Detect(head)
	for m := found; m != nil; m = m.Parent() {
		// Text in an older encoding is no valid UTF-8 but has none of the bytes that only binary formats use.
		if m.Is("text/plain") && bytes.IndexByte(head, 0) < 0 && !masquerades(head) {
			return guess{}
		}
	}
	what := found.String()
	if found.Is("application/octet-stream") || found.Is("text/plain") {
		what = "binary data"
	}
	return guess{binary: true, what: what}
}

// wide tells UTF-16 without a byte order mark by its Latin letters: every second byte, beginning at odd, is a printable
// character, and the others are zero. A few other characters may be among them.
func wide(head []byte, odd int) bool {
	if len(head) < 8 {
		return false
	}
	latin, pairs := 0, len(head)/2
	for i := range pairs {
		c, zero := head[2*i+odd], head[2*i+1-odd]
		if zero == 0 && (c >= 0x20 && c < 0x7F || textControl(c)) {
			latin++
		}
	}
	return latin*10 >= pairs*8
}

// privateKey tells PEM files that must not be published, whatever their name.
func privateKey(head []byte) bool {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	return bytes.HasPrefix(line, []byte("-----BEGIN ")) && bytes.Contains(line, []byte("PRIVATE KEY"))
}

// masquerades tells formats whose head may be pure text.
func masquerades(head []byte) bool {
	return bytes.HasPrefix(head, []byte("%PDF-")) || bytes.HasPrefix(head, []byte(`{\rtf`)) || bytes.HasPrefix(head, []byte("%!PS"))
}

// plainUTF8 tells UTF-8 with few control characters and no NUL.
func plainUTF8(head []byte, complete bool) bool {
	odd := 0
	for i := 0; i < len(head); {
		if len(head)-i >= 8 && noControls(binary.LittleEndian.Uint64(head[i:])) {
			i += 8
			continue
		}
		for end := min(i+8, len(head)); i < end; i++ {
			switch c := head[i]; {
			case c == 0:
				return false
			case c < 0x20 && !textControl(c):
				odd++
			}
		}
	}
	if odd*20 > len(head) {
		return false
	}
	if !complete {
		head = wholeRunes(head)
	}
	return utf8.Valid(head)
}

// noControls tells that none of eight bytes is below 0x20, all at once: every document passes here.
func noControls(x uint64) bool {
	const ones = 0x0101010101010101
	return (x-ones*0x20)&^x&(ones*0x80) == 0
}

// textControl tells the control characters that texts and logs use.
func textControl(c byte) bool {
	return c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\b' || c == 0x1B
}

// wholeRunes leaves out a character that the end of b cuts.
func wholeRunes(b []byte) []byte {
	for i := 1; i <= utf8.UTFMax && i <= len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}
