package kb

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A remote name is readable first and carries a mark at its end, before the extension:
//
//	install-guide.kb7f3aq3v7x2mh4kd-a9c1d22e04.md
//	              ^ ^    ^          ^
//	              | |    |          10 hex digits of the rendition's digest
//	              | |    10 base32 digits of the key's hash
//	              | 5 base32 digits of the scope: owner and sync
//	              "kb"
//
// A part of a split document has "-p0002" before the digest's digits, so that parts sort.
// Listing a store is enough to know which documents are ours, which version each is, and
// which part.
const (
	scopeDigits = 5
	keyDigits   = 10
	hashDigits  = 10
	markPrefix  = "kb"
	maxParts    = 9999
)

var b32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Scope tells the documents of one owner and sync from everybody else's.
type Scope string

// NewScope derives the scope of a sync.
func NewScope(owner, sync string) Scope {
	sum := sha256.Sum256([]byte("scope\x00" + owner + "\x00" + sync))
	return Scope(b32.EncodeToString(sum[:5])[:scopeDigits])
}

// KeyHash is the part of a mark that stands for the key: the lowest 50 bits.
type KeyHash uint64

// Hash is the key's hash as marks carry it.
func (k Key) Hash() KeyHash {
	sum := sha256.Sum256([]byte(k))
	return KeyHash(binary.BigEndian.Uint64(sum[:8]) >> (64 - 5*keyDigits))
}

func (h KeyHash) digits() string {
	var b [keyDigits]byte
	for i := keyDigits - 1; i >= 0; i-- {
		b[i] = "abcdefghijklmnopqrstuvwxyz234567"[h&31]
		h >>= 5
	}
	return string(b[:])
}

// PartHash is the beginning of a part's digest, as marks and records carry it: 40 bits.
type PartHash [hashDigits / 2]byte

// Short is the beginning of the digest that marks carry.
func (d Digest) Short() PartHash { return PartHash(d[:hashDigits/2]) }

// String is the hash in hexadecimal.
func (h PartHash) String() string { return hex.EncodeToString(h[:]) }

// Mark is what a remote name says about the document behind it.
type Mark struct {
	Scope Scope
	Key   KeyHash
	Part  int // 0 for a document in one piece, else 1, 2, …
	Hash  PartHash
}

// String is the mark as it stands in a name.
func (m Mark) String() string {
	part := ""
	if m.Part > 0 {
		part = "-p" + pad(m.Part)
	}
	return markPrefix + string(m.Scope) + m.Key.digits() + part + "-" + m.Hash.String()
}

func pad(n int) string {
	s := strconv.Itoa(n)
	if len(s) < 4 {
		s = "0000"[len(s):] + s
	}
	return s
}

// RemoteName builds the name of a part at a vendor: a readable stem taken from the
// document's base name, the mark, and ext (with its dot, or empty). It is valid UTF-8, has no
// control, quoting or path characters and is at most max bytes long. An extension that
// ParseName would not know for one is left out.
func RemoteName(k Key, m Mark, ext string, max int) string {
	if copied, ok := parseTail(strings.ToLower(ext)); copied || !ok {
		ext = ""
	}
	tail := "." + m.String() + ext
	stem := clip(k.stem(), max-len(tail))
	if stem == "" {
		stem = clip(noStem, max-len(tail))
	}
	return stem + tail
}

// noStem is the stem of a document whose name has nothing readable.
const noStem = "document"

// stem is the readable part of a document's remote names at its full length; "" when there is none.
func (k Key) stem() string {
	base := k.Base()
	if stem := readable(strings.TrimSuffix(base, path.Ext(base))); stem != "" {
		return stem
	}
	return readable(base)
}

// readable keeps letters, digits and a few safe characters of a name; every run of
// anything else becomes one dash. What could be taken for the beginning of a mark loses its dot, so that a
// vendor that cuts a name short cannot make it the name of another document.
func readable(s string) string {
	var b strings.Builder
	dash := false
	s = norm.NFC.String(s)
	for i, r := range s {
		if r == '.' && len(s) > i+len(markPrefix) && strings.EqualFold(s[i+1:i+1+len(markPrefix)], markPrefix) {
			dash = true
			continue
		}
		if r != utf8.RuneError && keepRune(r) {
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			dash = false
			b.WriteRune(r)
			continue
		}
		dash = true
	}
	return strings.Trim(b.String(), ".-_")
}

func clip(s string, max int) string {
	if len(s) <= max {
		return s
	}
	if max <= 0 {
		return ""
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return strings.TrimRight(s[:max], ".-_")
}

// ParseName finds the mark at the end of a remote name. It tolerates what vendors do to names: another
// or no extension, one more extension, upper case, and a counter before the extensions
// ("name(1).md", "name (1).md"). Anything else behind the mark is somebody's own name for something.
// Copied says that there was such a counter.
func ParseName(name string) (m Mark, copied bool, ok bool) {
	m, _, copied, ok = findMark(name)
	return m, copied, ok
}

// findMark is ParseName that also gives the readable stem, which ends before the mark's dot.
func findMark(name string) (m Mark, stem string, copied, ok bool) {
	lower := lowerASCII(name)
	for end := len(lower); ; {
		i := strings.LastIndex(lower[:end], "."+markPrefix)
		if i < 0 {
			return Mark{}, "", false, false
		}
		if m, rest, found := parseMark(lower[i+1:]); found {
			if copied, ok = parseTail(rest); !ok {
				return Mark{}, "", false, false
			}
			return m, name[:i], copied, true
		}
		end = i
	}
}

// lowerASCII leaves every byte where it is.
func lowerASCII(s string) string {
	if !strings.ContainsAny(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

const alphabet = "abcdefghijklmnopqrstuvwxyz234567"

// parseMark reads the mark that s begins with; rest is what follows the digest's digits.
func parseMark(s string) (m Mark, rest string, ok bool) {
	const head = len(markPrefix) + scopeDigits + keyDigits
	if len(s) < head+1+hashDigits || s[head] != '-' {
		return m, "", false
	}
	m.Scope = Scope(s[len(markPrefix) : len(markPrefix)+scopeDigits])
	for i := len(markPrefix); i < head; i++ {
		v := strings.IndexByte(alphabet, s[i])
		if v < 0 {
			return m, "", false
		}
		if i >= len(markPrefix)+scopeDigits {
			m.Key = m.Key<<5 | KeyHash(v)
		}
	}
	s = s[head+1:]
	if s[0] == 'p' {
		num, rest, found := strings.Cut(s[1:], "-")
		n, err := strconv.Atoi(num)
		if !found || err != nil || n < 1 || n > maxParts || num != pad(n) || len(rest) < hashDigits {
			return m, "", false
		}
		m.Part, s = n, rest
	}
	if _, err := hex.Decode(m.Hash[:], []byte(s[:hashDigits])); err != nil {
		return m, "", false
	}
	return m, s[hashDigits:], true
}

const (
	maxCounter    = 4 // digits of a counter that a vendor puts behind the mark
	maxExtensions = 2
	maxExtension  = 8 // characters of an extension, without its dot
)

// parseTail reads what may follow a mark: a counter, with or without a space before it, and extensions.
func parseTail(s string) (copied, ok bool) {
	if c := strings.TrimPrefix(s, " "); c != "" && c[0] == '(' {
		num, rest, found := strings.Cut(c[1:], ")")
		if !found || num == "" || len(num) > maxCounter || strings.Trim(num, "0123456789") != "" {
			return false, false
		}
		copied, s = true, rest
	}
	for range maxExtensions {
		if s == "" {
			break
		}
		n := 1
		for n < len(s) && ('0' <= s[n] && s[n] <= '9' || 'a' <= s[n] && s[n] <= 'z') {
			n++
		}
		if s[0] != '.' || n == 1 || n > 1+maxExtension {
			return false, false
		}
		s = s[n:]
	}
	return copied, s == ""
}
