// Package kb is the vocabulary of kbsyncd: documents, keys, digests and the
// names that documents carry at a vendor. It sits on the ground floor, uses the
// standard library and Unicode normalisation only, and does no I/O of its own.
package kb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"path"
	"strings"
	"time"
)

// Key names a document for its whole life: "source/path", slash-separated, NFC.
// Keys are ordered by their bytes.
type Key string

// NewKey joins a source's name and a slash-separated NFC path.
func NewKey(source, path string) Key { return Key(source + "/" + path) }

// Source is the name of the source that the document belongs to.
func (k Key) Source() string {
	s, _, _ := strings.Cut(string(k), "/")
	return s
}

// Path is the document's path inside its source.
func (k Key) Path() string {
	_, p, _ := strings.Cut(string(k), "/")
	return p
}

// Base is the last element of the path.
func (k Key) Base() string { return path.Base(string(k)) }

// Digest is a SHA-256 of a document's or a rendition's bytes.
type Digest [sha256.Size]byte

// Sum is the digest of b.
func Sum(b []byte) Digest { return sha256.Sum256(b) }

// String is the digest in lower-case hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// IsZero tells a digest that was never computed.
func (d Digest) IsZero() bool { return d == Digest{} }

// Fingerprint is cheap evidence of one version of a document, made by its source
// and compared only for equality: size, times and inode of a file, a validator of a
// page, a blob id. It is a string of bytes, not text, of at most 64 bytes.
type Fingerprint string

// Opener gives the content of a document that its source has listed.
type Opener interface {
	// Open starts reading a version. It may be called many times, also
	// concurrently, because uploads are retried. It fails with
	// fault.ErrNotFound when the document is gone, and with fault.ErrChanged when
	// it is no longer the version that the fingerprint describes.
	Open(ctx context.Context, d Document) (Content, error)
}

// Content is the open content of one version.
type Content interface {
	io.ReadCloser
	// Verify is called after the last byte was read. It returns
	// fault.ErrChanged when the document changed while it was read, so that what was read
	// must not be used. Doubtful says that a later change could hide behind
	// the same fingerprint (it was modified within the clock tick of the reading), so that
	// the next pass must read the document again.
	Verify() (doubtful bool, err error)
}

// Document is one file, page or blob as its source lists it. It is a value: copies
// are independent, and methods may be called concurrently.
type Document struct {
	Key         Key
	Raw         string // the name as the source knows it, for opening; may differ from the path in Key (NFC)
	Fingerprint Fingerprint
	Size        int64     // bytes; -1 when the source cannot tell
	Modified    time.Time // zero when the source cannot tell
	From        Opener
	// Type is the extension, with its dot, that tells what the bytes are where the key does not: a page that its source gives
	// as Markdown is ".md" whatever its address ends in. "" leaves it to the key.
	Type string
	// Public is where readers find the documents of its source; "" when that is nowhere, or when no link in it is relative.
	Public PublicURL
	// Link is the address to hand to vendors that fetch pages themselves, in place of the content; "" when the content is to go.
	Link string
}

// Open starts reading the document; see Opener.
func (d Document) Open(ctx context.Context) (Content, error) { return d.From.Open(ctx, d) }

// Problem is something that a source found but cannot give as a document.
type Problem struct {
	Key Key // the key that it would have had, escaped where its name is not text
	Err error
	// Present means that a document is there but cannot be had now (no
	// permission, too slow): what the targets hold of it stays. Without it the entry is no document
	// at all (a pipe, a link that leaves the folder) and is only reported.
	Present bool
}

// Accepts tells which renditions a vendor takes. Extensions are lower case with their dot.
type Accepts struct {
	// Native extensions go as they are.
	Native map[string]bool
	// Text is the extension that other text takes; Markdown the one for Markdown flavours. "" refuses.
	Text, Markdown string
	// TextBytes is the most bytes of a rendition with the extension Text or Markdown, where that is less than for others; 0: no less.
	TextBytes int64
}
