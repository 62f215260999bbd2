// Package state keeps what kbsyncd remembers between passes: one bbolt file with a record for each document and
// target, and a few facts about each sync.
//
// The file is a cache. The vendor's listing is the truth of what is there, so losing the file costs time and never
// a document: a damaged file is set aside under another name and a new one is begun. Nothing here is a secret, and
// nothing here talks to a network. No transaction is held open between calls.
package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// schema is raised when an older program could misread the file; see migrate.
const schema = 1

var (
	bucketMeta    = []byte("meta")
	bucketFlows   = []byte("flows")
	bucketSources = []byte("sources")
	bucketPages   = []byte("pages") // what sources keep themselves, by source
	keySchema     = []byte("schema")
)

// ErrDamaged tells that the file is not what this package wrote. Open sets such a file aside; when a pass meets the damage
// later, SetAside does.
var ErrDamaged = errors.New("state file is damaged")

// ErrReadOnly tells that a read-only state was asked to write.
var ErrReadOnly = errors.New("state is read-only")

// DB is an open state file. Its methods may be called concurrently.
type DB struct {
	path     string
	bolt     *bbolt.DB // nil: an empty state that only reads
	readOnly bool
}

// Options for Open.
type Options struct {
	// ReadOnly opens for a dry run: nothing is created, locked for writing or set aside. A file that does not exist
	// reads as empty.
	ReadOnly bool
	// Wait is how long to wait for another process to let go of the file; default half a second.
	Wait time.Duration
}

// Open opens or creates the state file. A damaged file is renamed first; aside is its new name then, for the user
// to know. A file that never was a state file is somebody's own and stays as it is. Errors say what to do: another process
// holds the file, a newer program wrote it, the disk is full.
func Open(path string, o Options) (db *DB, aside string, err error) {
	if o.Wait == 0 {
		o.Wait = 500 * time.Millisecond
	}
	if o.ReadOnly {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return &DB{path: path, readOnly: true}, "", nil
		}
	} else if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, "", fmt.Errorf("state: %w; set `state:` to a place that kbsyncd may write", err)
	}
	db, err = open(path, o)
	if errors.Is(err, ErrDamaged) && foreign(path) {
		return nil, "", fmt.Errorf("state: %s is not a state file; set state: to another path", path)
	}
	if errors.Is(err, ErrDamaged) && !o.ReadOnly {
		if aside, err = SetAside(path); err != nil {
			return nil, "", err
		}
		db, err = open(path, o)
	}
	if errors.Is(err, ErrDamaged) {
		return &DB{path: path, readOnly: true}, "", nil
	}
	return db, aside, err
}

// SetAside renames a damaged file so that the next Open begins a new one, and returns the new name.
func SetAside(path string) (string, error) {
	aside := path + ".damaged-" + time.Now().UTC().Format("20060102T150405")
	for i := 2; ; i++ {
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
		aside = fmt.Sprintf("%s.damaged-%s-%d", path, time.Now().UTC().Format("20060102T150405"), i)
	}
	if err := os.Rename(path, aside); err != nil {
		return "", fmt.Errorf("state: the file is damaged and cannot be set aside: %w", err)
	}
	return aside, nil
}

func open(path string, o Options) (db *DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer guard(&err)
	b, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: o.Wait, ReadOnly: o.ReadOnly, FreelistType: bbolt.FreelistMapType,
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("state: %s is in use by %s; a pass is running, try again when it is done", path, holder(path))
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("state: %w; run as the user that owns the file, or set `state:`", err)
	case isIO(err):
		return nil, fmt.Errorf("state: %w", err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	b.AllocSize = 1 << 20 // how much the file grows at a time
	db = &DB{path: path, bolt: b, readOnly: o.ReadOnly}
	if err := db.prepare(); err != nil {
		_ = b.Close()
		return nil, err
	}
	return db, nil
}

// isIO tells errors of the system from errors about the content.
func isIO(err error) bool {
	_, ok := errors.AsType[*fs.PathError](err)
	_, sys := errors.AsType[*os.SyscallError](err)
	return ok || sys
}

// prepare checks that the whole file is there and that its schema is ours.
func (db *DB) prepare() error {
	var have uint64
	err := db.view(func(tx *bbolt.Tx) error {
		if st, err := os.Stat(db.path); err == nil && st.Size() < tx.Size() {
			return fmt.Errorf("%w: cut short at %d of %d bytes", ErrDamaged, st.Size(), tx.Size())
		}
		if b := tx.Bucket(bucketMeta); b != nil {
			v := b.Get(keySchema)
			if len(v) != 8 {
				return fmt.Errorf("%w: no schema version", ErrDamaged)
			}
			have = binary.BigEndian.Uint64(v)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case have == schema || have == 0 && db.readOnly:
		return nil
	case have > schema:
		return fmt.Errorf("state: %s was written by a newer kbsyncd (schema %d, this one knows %d); upgrade this program, or set `state:` to another file",
			db.path, have, schema)
	}
	return db.update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucketMeta)
		if err != nil {
			return err
		}
		return b.Put(keySchema, binary.BigEndian.AppendUint64(nil, schema))
	})
}

// Path is the file's name.
func (db *DB) Path() string { return db.path }

// ReadOnly tells whether writes are refused.
func (db *DB) ReadOnly() bool { return db.readOnly }

// Close releases the file. It may be called twice.
func (db *DB) Close() error {
	if db.bolt == nil {
		return nil
	}
	return db.bolt.Close()
}

// guard turns the panics and memory faults that a damaged file causes in bbolt into ErrDamaged.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %v", ErrDamaged, r)
	}
}

func (db *DB) view(fn func(*bbolt.Tx) error) (err error) {
	if db.bolt == nil {
		return nil
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer guard(&err)
	return db.bolt.View(fn)
}

func (db *DB) update(fn func(*bbolt.Tx) error) (err error) {
	if db.readOnly {
		return ErrReadOnly
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer guard(&err)
	if err := db.bolt.Update(fn); err != nil {
		if errors.Is(err, ErrDamaged) {
			return err
		}
		return fmt.Errorf("state: cannot write %s: %w; free some space or set `state:` to another place, then run again", db.path, err)
	}
	return nil
}
