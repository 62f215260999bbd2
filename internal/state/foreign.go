package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
)

// metaMagic stands behind the header of a page of bbolt's meta data.
var metaMagic = binary.NativeEndian.AppendUint32(nil, 0xED0CDAED)

const metaMagicAt = 16

// foreign tells that a file which cannot be opened never was a database: neither of the two pages of meta data begins
// as one, and it is not what a crash leaves of a new file, which is nothing or zeros. A file that cannot be looked at
// counts as foreign.
func foreign(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return true
	}
	defer func() { _ = f.Close() }()
	for _, page := range []int64{0, 4096, int64(os.Getpagesize())} {
		var b [metaMagicAt + 4]byte
		n, err := f.ReadAt(b[:], page)
		if err != nil && !errors.Is(err, io.EOF) {
			return true
		}
		// A page that is cut within the magic still counts; one that is cut before it has only zeros to show, which is
		// asked below.
		if n > metaMagicAt && bytes.Equal(b[metaMagicAt:n], metaMagic[:n-metaMagicAt]) {
			return false
		}
	}
	return !isBlank(f)
}

// isBlank tells whether there are only zeros in what is left of a reader, besides the flag that the header of a page of meta
// data has in a file cut within that header.
func isBlank(r io.Reader) bool {
	buf := make([]byte, 64<<10)
	for first := true; ; first = false {
		n, err := io.ReadFull(r, buf)
		b := buf[:n]
		const flagAt, flag = 8, 4
		if first && n > flagAt && n <= metaMagicAt && b[flagAt] == flag {
			b[flagAt] = 0
		}
		if len(bytes.Trim(b, "\x00")) > 0 {
			return false
		}
		if err != nil {
			return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		}
	}
}
