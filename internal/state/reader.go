package state

import (
	"bytes"
	"fmt"

	"go.etcd.io/bbolt"

	"kbsyncd/internal/kb"
)

// chunk is how many bytes of records are copied out of one read transaction. A transaction that stayed open
// through a pass would keep bbolt from reusing pages, and the file would grow with every commit.
const chunk = 256 << 10

// Reader gives the records of a flow in the order of their keys. It is for one goroutine. Records written during
// the reading may or may not be seen.
type Reader struct {
	db   *DB
	flow Flow
	from []byte // where the next chunk starts
	end  bool
	buf  []byte
	recs []span
	next int
}

type span struct{ key, val, end int }

// Records reads the records of a flow whose keys are not below from.
func (db *DB) Records(f Flow, from kb.Key) *Reader {
	return &Reader{db: db, flow: f, from: []byte(from)}
}

// Next gives the next record as stored; see Same and DecodeRecord. Key and value are valid until the
// next call. ok is false at the end. Keys that do not ascend are ErrDamaged: a merge with them would take documents
// for gone.
func (r *Reader) Next() (key, value []byte, ok bool, err error) {
	if r.next == len(r.recs) {
		if r.end {
			return nil, nil, false, nil
		}
		if err := r.fill(); err != nil {
			return nil, nil, false, err
		}
		if len(r.recs) == 0 {
			return nil, nil, false, nil
		}
	}
	s := r.recs[r.next]
	r.next++
	return r.buf[s.key:s.val], r.buf[s.val:s.end], true, nil
}

func (r *Reader) fill() error {
	r.buf, r.recs, r.next, r.end = r.buf[:0], r.recs[:0], 0, true
	return r.db.flow(r.flow, func(b *bbolt.Bucket) error {
		recs := b.Bucket(bucketRecords)
		if recs == nil {
			return nil
		}
		c := recs.Cursor()
		least := r.from
		for k, v := c.Seek(r.from); k != nil; k, v = c.Next() {
			if cmp := bytes.Compare(k, least); cmp < 0 || cmp == 0 && len(r.recs) > 0 {
				return fmt.Errorf("%w: record of %s is out of order", ErrDamaged, kb.Printable(string(k)))
			}
			least = k
			if len(r.buf) > chunk {
				r.from = append(bytes.Clone(r.buf[r.recs[len(r.recs)-1].key:r.recs[len(r.recs)-1].val]), 0)
				r.end = false
				return nil
			}
			s := span{key: len(r.buf)}
			r.buf = append(r.buf, k...)
			s.val = len(r.buf)
			r.buf = append(r.buf, v...)
			s.end = len(r.buf)
			r.recs = append(r.recs, s)
		}
		return nil
	})
}
