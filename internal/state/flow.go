package state

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"go.etcd.io/bbolt"

	"kbsyncd/internal/kb"
)

// Flow is one sync at one target: the unit that has records of its own. Side tells apart what has records of its own
// below that: the copy of each agent, or a vendor's test mode; it is "" for most.
type Flow struct{ Sync, Target, Side string }

func (f Flow) name() []byte {
	if f.Side != "" {
		return []byte(f.Sync + "\x00" + f.Target + "\x00" + f.Side)
	}
	return []byte(f.Sync + "\x00" + f.Target)
}

var (
	bucketMemory  = []byte("memory")
	bucketRecords = []byte("records")
	bucketHeld    = []byte("held")
	keyFacts      = []byte("facts")
	keyRun        = []byte("run")
)

// Facts are what is remembered of a flow besides its records.
type Facts struct {
	Dirty      bool       `json:"dirty,omitempty"`      // a pass began to change the store and its outcomes are not all known
	Place      string     `json:"place,omitempty"`      // digest of the settings that say where the store is
	Store      string     `json:"store,omitempty"`      // id of the store that the records speak of
	StoreName  string     `json:"store_name,omitempty"` // the same for people
	Reconciled time.Time  `json:"reconciled,omitzero"`  // when the records were last compared with the listing
	Render     string     `json:"render,omitempty"`     // digest of the settings that shape renditions
	Link       string     `json:"link,omitempty"`       // digest of the agents as last linked; "" means link again
	Linked     []string   `json:"linked,omitempty"`     // agents that we connected or gave documents
	Missing    []string   `json:"missing,omitempty"`    // agents that the vendor did not know in the last pass that asked
	Orphans    int        `json:"orphans,omitempty"`    // older versions that the vendor cannot delete
	Bundle     string     `json:"bundle,omitempty"`     // digest of all documents as one text, where a vendor takes only that
	Finish     bool       `json:"finish,omitempty"`     // a change settled and the work after it is still to do
	Deleted    []Deletion `json:"deleted,omitempty"`    // of the last 24 hours, for the guard
	Approved   bool       `json:"approved,omitempty"`   // someone let the held deletions go ahead
}

// Deletion counts documents deleted at one time.
type Deletion struct {
	At time.Time `json:"at"`
	N  int       `json:"n"`
}

// Facts reads the facts of a flow; ok is false when the flow was never recorded.
func (db *DB) Facts(f Flow) (facts Facts, ok bool, err error) {
	err = db.flow(f, func(b *bbolt.Bucket) error {
		v := b.Get(keyFacts)
		if v == nil {
			return nil
		}
		ok = true
		if err := decodeFacts(v, &facts); err != nil {
			return fmt.Errorf("%w: facts of %s: %w", ErrDamaged, f.Sync, err)
		}
		return nil
	})
	return facts, ok, err
}

// decodeFacts reads what SetFacts stores: the CRC-32C of the JSON that follows it.
func decodeFacts(v []byte, facts *Facts) error {
	if len(v) < crcLen || binary.LittleEndian.Uint32(v) != crc32.Checksum(v[crcLen:], castagnoli) {
		return errors.New("wrong checksum")
	}
	return json.Unmarshal(v[crcLen:], facts)
}

// flow runs fn on the flow's bucket, when there is one.
func (db *DB) flow(f Flow, fn func(*bbolt.Bucket) error) error {
	return db.view(func(tx *bbolt.Tx) error {
		flows := tx.Bucket(bucketFlows)
		if flows == nil {
			return nil
		}
		if b := flows.Bucket(f.name()); b != nil {
			return fn(b)
		}
		return nil
	})
}

// Flows lists the flows that have been recorded.
func (db *DB) Flows() ([]Flow, error) {
	var out []Flow
	err := db.view(func(tx *bbolt.Tx) error {
		flows := tx.Bucket(bucketFlows)
		if flows == nil {
			return nil
		}
		return flows.ForEachBucket(func(k []byte) error {
			s, t, _ := bytes.Cut(k, []byte{0})
			t, side, _ := bytes.Cut(t, []byte{0})
			out = append(out, Flow{string(s), string(t), string(side)})
			return nil
		})
	})
	return out, err
}

// LastRun is the report entry of the flow's last pass that had something to say, as JSON; nil when there is none.
func (db *DB) LastRun(f Flow) (run []byte, err error) {
	err = db.flow(f, func(b *bbolt.Bucket) error {
		run = bytes.Clone(b.Get(keyRun))
		return nil
	})
	return run, err
}

// Held gives the keys whose deletion the guard holds.
func (db *DB) Held(f Flow) (held []kb.Key, err error) {
	err = db.flow(f, func(b *bbolt.Bucket) error {
		h := b.Bucket(bucketHeld)
		if h == nil {
			return nil
		}
		return h.ForEach(func(k, _ []byte) error {
			held = append(held, kb.Key(k))
			return nil
		})
	})
	return held, err
}

// Record reads one record.
func (db *DB) Record(f Flow, k kb.Key) (r Record, ok bool, err error) {
	err = db.flow(f, func(b *bbolt.Bucket) error {
		recs := b.Bucket(bucketRecords)
		if recs == nil {
			return nil
		}
		v := recs.Get([]byte(k))
		if v == nil {
			return nil
		}
		ok = true
		r, err = decode(v, k)
		return err
	})
	return r, ok, err
}

func decode(v []byte, k kb.Key) (Record, error) {
	r, err := DecodeRecord(k, v)
	if err != nil {
		return r, fmt.Errorf("%w: record of %s: %w", ErrDamaged, kb.Printable(string(k)), err)
	}
	return r, nil
}

// Writer changes one flow inside one durable commit.
type Writer struct {
	b       *bbolt.Bucket
	scratch []byte
}

// Update runs fn and commits what it wrote, durably and at once: all of it or nothing. fn must not keep the
// Writer.
func (db *DB) Update(f Flow, fn func(*Writer) error) error {
	return db.update(func(tx *bbolt.Tx) error {
		flows, err := tx.CreateBucketIfNotExists(bucketFlows)
		if err != nil {
			return err
		}
		b, err := flows.CreateBucketIfNotExists(f.name())
		if err != nil {
			return err
		}
		return fn(&Writer{b: b})
	})
}

// Put stores a record.
func (w *Writer) Put(k kb.Key, r Record) error {
	recs, err := w.b.CreateBucketIfNotExists(bucketRecords)
	if err != nil {
		return err
	}
	// Documents come in the order of their keys, so pages fill from the left.
	recs.FillPercent = 0.9
	w.scratch = AppendRecord(w.scratch[:0], k, r)
	return recs.Put([]byte(k), bytes.Clone(w.scratch))
}

// Delete forgets a record.
func (w *Writer) Delete(k kb.Key) error {
	if recs := w.b.Bucket(bucketRecords); recs != nil {
		return recs.Delete([]byte(k))
	}
	return nil
}

// SetFacts stores the facts.
func (w *Writer) SetFacts(f Facts) error {
	v, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return w.b.Put(keyFacts, append(binary.LittleEndian.AppendUint32(nil, crc32.Checksum(v, castagnoli)), v...))
}

// SetRun stores the report entry of a pass.
func (w *Writer) SetRun(run []byte) error { return w.b.Put(keyRun, run) }

// SetHeld replaces the held keys.
func (w *Writer) SetHeld(keys []kb.Key) error {
	if w.b.Bucket(bucketHeld) != nil {
		if err := w.b.DeleteBucket(bucketHeld); err != nil {
			return err
		}
	}
	if len(keys) == 0 {
		return nil
	}
	h, err := w.b.CreateBucket(bucketHeld)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := h.Put([]byte(k), []byte{}); err != nil {
			return err
		}
	}
	return nil
}

// Forget drops everything about a flow.
func (db *DB) Forget(f Flow) error {
	return db.update(func(tx *bbolt.Tx) error {
		flows := tx.Bucket(bucketFlows)
		if flows == nil || flows.Bucket(f.name()) == nil {
			return nil
		}
		return flows.DeleteBucket(f.name())
	})
}

// Recall gives what Remember stored under the key, also in an earlier process; nil when there is nothing.
func (db *DB) Recall(key string) (value []byte, err error) {
	err = db.view(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(bucketMemory); b != nil {
			value = bytes.Clone(b.Get([]byte(key)))
		}
		return nil
	})
	return value, err
}

// Remember stores a small value under a key, durably.
func (db *DB) Remember(key string, value []byte) error {
	return db.update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucketMemory)
		if err != nil {
			return err
		}
		return b.Put([]byte(key), value)
	})
}
