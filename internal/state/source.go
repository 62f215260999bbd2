package state

import (
	"maps"
	"slices"

	"go.etcd.io/bbolt"
)

// SourceIdentity is where a source was at its last complete scan; "" when unknown.
func (db *DB) SourceIdentity(source string) (id string, err error) {
	err = db.view(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(bucketSources); b != nil {
			id = string(b.Get([]byte(source)))
		}
		return nil
	})
	return id, err
}

// SetSourceIdentity remembers where a source is.
func (db *DB) SetSourceIdentity(source, id string) error {
	return db.update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucketSources)
		if err != nil {
			return err
		}
		return b.Put([]byte(source), []byte(id))
	})
}

// LoadSource calls fn for everything that a source keeps, in order of the keys. The value is only valid during the call.
func (db *DB) LoadSource(source string, fn func(key string, value []byte) error) error {
	return db.view(func(tx *bbolt.Tx) error {
		top := tx.Bucket(bucketPages)
		if top == nil {
			return nil
		}
		b := top.Bucket([]byte(source))
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, v []byte) error { return fn(string(k), v) })
	})
}

// SaveSource stores what a source keeps and removes what is nil, durably.
func (db *DB) SaveSource(source string, changes map[string][]byte) error {
	if len(changes) == 0 {
		return nil
	}
	return db.update(func(tx *bbolt.Tx) error {
		top, err := tx.CreateBucketIfNotExists(bucketPages)
		if err != nil {
			return err
		}
		b, err := top.CreateBucketIfNotExists([]byte(source))
		if err != nil {
			return err
		}
		for _, k := range slices.Sorted(maps.Keys(changes)) {
			v := changes[k]
			if v == nil {
				err = b.Delete([]byte(k))
			} else {
				err = b.Put([]byte(k), v)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
