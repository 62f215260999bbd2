package state

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"

	"kbsyncd/internal/kb"
)

// Record is what is known of one document at one target.
type Record struct {
	Fingerprint kb.Fingerprint
	Content     kb.Digest
	Convert     uint8  // version of the converters that made the parts
	Doubtful    bool   // the fingerprint could hide a change: read the document again
	Settled     bool   // the vendor said that every part is searchable
	Whole       bool   // one part that is the whole document; else the parts are numbered from 1
	Skipped     string // why the target does not take this version; what is below is of the version before, if there was one
	// Narrowed: the document itself says that, of the agents that could have it, only those named in Agents do.
	Narrowed bool
	Agents   []string
	Parts    []Part
	Retire   []string // remote ids of older versions, to be deleted once the parts are searchable
}

// Part is one remote document.
type Part struct {
	ID   string // "" while the part is missing
	N    int    // the number in its remote name, from 1; 0 when the part is the whole document
	Hash kb.PartHash
	Ext  string // extension of the remote name, with its dot
}

// Held tells whether the target holds anything of the document, as far as the record knows.
func (r Record) Held() bool { return len(r.Parts)+len(r.Retire) > 0 }

// A record's value:
//
//	0     format (high nibble) and flags (low nibble)
//	1     converter version
//	2     length of the fingerprint, then the fingerprint
//	      skipped: length of the reason, the reason; nothing more when the target holds nothing
//	      (in format 1: the reason, and never more)
//	      32 bytes of content digest, number of parts ·4 + narrowed ·2 + whole, parts (number unless whole, 5 bytes hash, ext, id),
//	      number of ids to retire, ids; when narrowed, number of agents, ids
//	      (in format 1: number of parts ·2 + whole, and parts are numbered in their order)
//	-4    CRC-32C of the key and of all before
const (
	format       = 2 << 4
	format1      = 1 << 4
	flagSettled  = 1
	flagDoubtful = 2
	flagSkipped  = 4
	flagRetiring = 8
	crcLen       = 4
	// maxPartNumber is above every number that a remote name can have.
	maxPartNumber = 1 << 20
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errRecord  = errors.New("unreadable record")
)

// Same tells, without decoding, that a stored value describes this very version, that nothing about it is
// left to do, and that today's converters made it.
func Same(value []byte, fp kb.Fingerprint, convert uint8) bool {
	n := len(fp)
	return len(value) > 3+n && value[0] == format|flagSettled && value[1] == convert &&
		int(value[2]) == n && string(value[3:3+n]) == string(fp)
}

// AppendRecord encodes the record of a document. Its checksum covers the key, so that no other document can pass
// the record for its own.
func AppendRecord(b []byte, k kb.Key, r Record) []byte {
	start := len(b)
	flags := byte(format)
	if r.Settled {
		flags |= flagSettled
	}
	if r.Doubtful {
		flags |= flagDoubtful
	}
	if r.Skipped != "" {
		flags |= flagSkipped
	}
	if len(r.Retire) > 0 {
		flags |= flagRetiring
	}
	b = append(b, flags, r.Convert, byte(len(r.Fingerprint)))
	b = append(b, r.Fingerprint...)
	if r.Skipped != "" {
		b = binary.AppendUvarint(b, uint64(len(r.Skipped)))
		b = append(b, r.Skipped...)
	}
	if r.Skipped == "" || r.Held() {
		b = append(b, r.Content[:]...)
		n := uint64(len(r.Parts)) << 2
		if r.Narrowed {
			n |= 2
		}
		if r.Whole {
			n |= 1
		}
		b = binary.AppendUvarint(b, n)
		for _, p := range r.Parts {
			if !r.Whole {
				b = binary.AppendUvarint(b, uint64(p.N))
			}
			b = append(b, p.Hash[:]...)
			b = append(b, byte(len(p.Ext)))
			b = append(b, p.Ext...)
			b = appendID(b, p.ID)
		}
		b = binary.AppendUvarint(b, uint64(len(r.Retire)))
		for _, id := range r.Retire {
			b = appendID(b, id)
		}
		if r.Narrowed {
			b = binary.AppendUvarint(b, uint64(len(r.Agents)))
			for _, a := range r.Agents {
				b = appendID(b, a)
			}
		}
	}
	return binary.LittleEndian.AppendUint32(b, checksum(string(k), b[start:]))
}

// checksum is the CRC-32C of a key and its value.
func checksum(key string, value []byte) uint32 {
	var buf [128]byte // keys are usually short: no allocation
	return crc32.Update(crc32.Checksum(append(buf[:0], key...), castagnoli), castagnoli, value)
}

// packed marks an id of lower-case hexadecimal, stored in half the bytes.
const packed = 0xff

func appendID(b []byte, id string) []byte {
	if len(id)%2 == 0 && len(id) > 0 && len(id) < 256 {
		var raw [128]byte
		if n, err := hex.Decode(raw[:], []byte(id)); err == nil && hex.EncodeToString(raw[:n]) == id {
			b = append(b, packed, byte(n))
			return append(b, raw[:n]...)
		}
	}
	b = binary.AppendUvarint(append(b, 0), uint64(len(id)))
	return append(b, id...)
}

// DecodeRecord reads the value that is stored under a key; it copies what it keeps. The error is ErrDamaged's cause.
func DecodeRecord(k kb.Key, v []byte) (Record, error) {
	var r Record
	if len(v) < 3+crcLen || v[0]&0xf0 != format && v[0]&0xf0 != format1 {
		return r, errRecord
	}
	body := v[:len(v)-crcLen]
	if checksum(string(k), body) != binary.LittleEndian.Uint32(v[len(body):]) {
		return r, errRecord
	}
	d := decoder{b: body[3:]}
	r.Settled, r.Doubtful, r.Convert = v[0]&flagSettled != 0, v[0]&flagDoubtful != 0, v[1]
	r.Fingerprint = kb.Fingerprint(d.take(int(v[2])))
	if v[0]&flagSkipped != 0 {
		if v[0]&0xf0 == format1 {
			r.Skipped = string(d.b)
			return r, d.result()
		}
		r.Skipped = string(d.take(int(min(d.uvarint(), uint64(len(d.b))))))
		if len(d.b) == 0 {
			return r, d.result()
		}
	}
	copy(r.Content[:], d.take(len(r.Content)))
	n := d.uvarint()
	r.Whole = n&1 != 0
	n >>= 1
	if v[0]&0xf0 == format {
		r.Narrowed = n&1 != 0
		n >>= 1
	}
	for ; n > 0 && !d.bad; n-- {
		p := Part{N: len(r.Parts) + 1}
		switch {
		case r.Whole:
			p.N = 0
		case v[0]&0xf0 == format:
			p.N = int(min(d.uvarint(), maxPartNumber))
		}
		copy(p.Hash[:], d.take(len(p.Hash)))
		p.Ext = string(d.take(int(d.byte())))
		p.ID = d.id()
		r.Parts = append(r.Parts, p)
	}
	for n = d.uvarint(); n > 0 && !d.bad; n-- {
		r.Retire = append(r.Retire, d.id())
	}
	if r.Narrowed {
		for n = d.uvarint(); n > 0 && !d.bad; n-- {
			r.Agents = append(r.Agents, d.id())
		}
	}
	if len(d.b) > 0 {
		d.bad = true
	}
	return r, d.result()
}

type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) result() error {
	if d.bad {
		return errRecord
	}
	return nil
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.bad = true
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) byte() byte {
	if b := d.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) id() string {
	if d.byte() == packed {
		return hex.EncodeToString(d.take(int(d.byte())))
	}
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.bad = true
		return ""
	}
	return string(d.take(int(n)))
}

// Equal tells whether two records say the same.
func (r Record) Equal(o Record) bool {
	return bytes.Equal(AppendRecord(nil, "", r), AppendRecord(nil, "", o))
}
