package web

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"

	"kbsyncd/internal/kb"
)

// entry is what is remembered of one address, so that the next look costs one conditional request, or none.
type entry struct {
	settings       uint64 // of what was taken from the page; with others its validators are of no use
	etag, modified string // validators
	fresh          int64  // until when the site said that it need not be asked again; seconds since 1970
	print          kb.Digest
	size           int64
	typ            string // extension of the document; "" leaves it to the key
	final          string // where the content was, when redirects led elsewhere; as look.noted gives it
	moved          string // where a permanent redirect led
	canonical      string // "" when the page names none, or itself
	refresh        string // where the page sends its readers at once; "" when it does not
	noIndex        bool
	links          []string // in the scope of the crawl
	way            string   // how the content was found in the page
	gone           int      // looks in a row at which it was not there, or could not be had and never was
	changed        int64    // when the content last was another one; seconds since 1970
	rule           rule     // what listed it
	from           string   // over which page or sitemap
	stored         stamp    // of what it was read from; not stored itself
}

// held tells whether the content of the page was had once.
func (e *entry) held() bool { return e != nil && !e.print.IsZero() }

// at is where the content of an address is.
func (e *entry) at(address string) string {
	if e.final != "" {
		return e.final
	}
	return address
}

const (
	entryVersion = 1
	maxLinks     = 10_000   // a page
	maxText      = 64 << 10 // bytes of one remembered text
)

var (
	errDamaged = errors.New("damaged entry")
	crcTable   = crc32.MakeTable(crc32.Castagnoli)
)

// encode writes an entry: a version, the fields, and a checksum. Of links only what differs from the one before is written.
func (e *entry) encode() []byte {
	b := []byte{entryVersion}
	b = binary.LittleEndian.AppendUint64(b, e.settings)
	for _, n := range []int64{e.fresh, e.size, int64(e.gone), e.changed} {
		b = binary.AppendVarint(b, n)
	}
	b = append(b, e.print[:]...)
	flag := byte(0)
	if e.noIndex {
		flag = 1
	}
	b = append(b, flag, byte(e.rule))
	for _, s := range []string{e.etag, e.modified, e.typ, e.final, e.moved, e.canonical, e.refresh, e.way, e.from} {
		b = appendText(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(e.links)))
	last := ""
	for _, l := range e.links {
		n := sharedPrefix(last, l)
		b = binary.AppendUvarint(b, uint64(n))
		b = appendText(b, l[n:])
		last = l
	}
	return seal(b)
}

// seal adds the checksum.
func seal(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crcTable))
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func sharedPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// decodeEntry reads what encode wrote, and refuses everything else.
func decodeEntry(b []byte) (*entry, error) {
	if len(b) < 5 || b[0] != entryVersion {
		return nil, errDamaged
	}
	body, sum := b[1:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(b[:len(b)-4], crcTable) != sum {
		return nil, errDamaged
	}
	r := reader{rest: body}
	e := &entry{settings: binary.LittleEndian.Uint64(pad8(r.bytes(8)))}
	e.fresh, e.size, e.gone, e.changed = r.number(), r.number(), int(r.number()), r.number()
	copy(e.print[:], r.bytes(len(e.print)))
	e.noIndex = r.byte() == 1
	e.rule = rule(r.byte())
	for _, s := range []*string{&e.etag, &e.modified, &e.typ, &e.final, &e.moved, &e.canonical, &e.refresh, &e.way, &e.from} {
		*s = r.text()
	}
	e.links = r.links()
	if r.bad || len(r.rest) > 0 || e.gone < 0 || e.rule > byLink || e.size < 0 {
		return nil, errDamaged
	}
	return e, nil
}

func pad8(b []byte) []byte {
	if len(b) == 8 {
		return b
	}
	return make([]byte, 8)
}

// reader takes fields off the front; once something is missing it gives zeros and is bad.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) bytes(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.bad, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) number() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) length(most int) int {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > uint64(most) {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return int(v)
}

func (r *reader) text() string { return string(r.bytes(r.length(maxText))) }

func (r *reader) links() []string {
	var links []string
	last := ""
	for range r.length(maxLinks) {
		n := r.length(maxAddress)
		rest := r.text()
		if r.bad || n > len(last) || n+len(rest) > maxAddress+maxText {
			r.bad = true
			return nil
		}
		last = strings.Clone(last[:n] + rest)
		links = append(links, last)
	}
	return links
}
