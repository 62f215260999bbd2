package folder

import (
	"encoding/binary"

	"kbsyncd/internal/kb"
)

// maxFingerprint is four varints of at most ten bytes.
const maxFingerprint = 4 * binary.MaxVarintLen64

// appendFingerprint appends size, modification time, change time and inode. The change time stands as its distance
// from the modification time, which is mostly small, because every document's fingerprint is kept in the state.
func appendFingerprint(b []byte, st *stat) []byte {
	b = binary.AppendUvarint(b, uint64(st.size))
	b = binary.AppendVarint(b, st.mtime)
	b = binary.AppendVarint(b, st.ctime-st.mtime)
	return binary.AppendUvarint(b, st.ino)
}

func fingerprint(st *stat) kb.Fingerprint {
	return kb.Fingerprint(appendFingerprint(make([]byte, 0, maxFingerprint), st))
}

// SameVersion compares what of two fingerprints of this source survives a move of the folder to
// another disk: size and modification time. Inode and change time do not.
func SameVersion(a, b kb.Fingerprint) bool {
	sa, ma, oka := versionOf(a)
	sb, mb, okb := versionOf(b)
	return oka && okb && sa == sb && ma == mb
}

func versionOf(f kb.Fingerprint) (size uint64, mtime int64, ok bool) {
	b := []byte(f)
	size, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, 0, false
	}
	mtime, m := binary.Varint(b[n:])
	return size, mtime, m > 0
}
