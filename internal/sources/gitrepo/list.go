package gitrepo

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

// listFormat begins every listing; it changes with the format and with what the walk makes of a tree.
const listFormat = "kbsyncd git listing 2"

// The kinds of entries.
const (
	isDocument = 'd'
	isProblem  = 'p'
)

// entry is one document or problem of a commit.
type entry struct {
	path string // NFC, relative to the path of the configuration
	raw  string // in the repository, as it is spelled there
	kind byte
	rest string // the id of the blob, or what the problem is
}

// listing is what one commit gives through the filters of the configuration. It is immutable. It costs the bytes of its names and ids, about
// 120 a document; while it is made, three times as much.
type listing struct {
	commit string
	spec   string // what to fetch it by
	ref    string // for people
	root   string // the directory of the configuration, with a slash at its end; "" for the whole repository
	when   time.Time
	text   string   // the records, one after the other
	at     []uint32 // where they begin
}

// maxListing bounds a listing, so that its records can be found by four bytes.
const maxListing = 1 << 30

// encode makes the file of a listing; the entries are sorted. A sum ends it.
func encode(l *listing, entries []entry) []byte {
	size := 200
	for i := range entries {
		size += len(entries[i].path) + len(entries[i].rest) + 4
	}
	b := make([]byte, 0, size+sha256.Size)
	for _, s := range []string{listFormat, l.commit, l.spec, l.ref, l.root, strconv.FormatInt(l.when.Unix(), 10), strconv.Itoa(len(entries))} {
		b = append(append(b, s...), 0)
	}
	for i := range entries {
		e := &entries[i]
		b = append(append(b, e.path...), 0)
		if e.raw != l.root+e.path { // else it can be made of the two
			b = append(b, e.raw...)
		}
		b = append(b, 0, e.kind)
		b = append(append(b, e.rest...), 0)
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

var errListing = errors.New("not a listing")

// decode reads the file of a listing, whose bytes belong to the listing from then on.
func decode(b []byte) (*listing, error) {
	if len(b) < sha256.Size || len(b) > maxListing {
		return nil, errListing
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if got := sha256.Sum256(body); !slices.Equal(got[:], sum) {
		return nil, errListing
	}
	// The bytes are never written again, so they can become a string without a copy.
	head := strings.SplitN(unsafe.String(unsafe.SliceData(body), len(body)), "\x00", 8)
	if len(head) != 8 || head[0] != listFormat {
		return nil, errListing
	}
	seconds, err := strconv.ParseInt(head[5], 10, 64)
	n, err2 := strconv.Atoi(head[6])
	l := &listing{commit: head[1], spec: head[2], ref: head[3], root: head[4], when: time.Unix(seconds, 0), text: head[7]}
	if err != nil || err2 != nil || n < 0 || n > len(l.text) {
		return nil, errListing
	}
	l.at = make([]uint32, n)
	pos := 0
	for i := range n {
		l.at[i] = uint32(pos)
		for range 3 {
			end := strings.IndexByte(l.text[pos:], 0)
			if end < 0 {
				return nil, errListing
			}
			pos += end + 1
		}
	}
	if pos != len(l.text) {
		return nil, errListing
	}
	return l, nil
}

// entry gives one record.
func (l *listing) entry(i int) entry {
	path, rest, _ := strings.Cut(l.text[l.at[i]:], "\x00")
	raw, rest, _ := strings.Cut(rest, "\x00")
	rest, _, _ = strings.Cut(rest, "\x00")
	if raw == "" {
		raw = l.root + path
	}
	e := entry{path: path, raw: raw, kind: isProblem}
	if rest != "" {
		e.kind, e.rest = rest[0], rest[1:]
	}
	return e
}

// find gives the records of a path, the document first.
func (l *listing) find(path string) (found []entry) {
	i, _ := slices.BinarySearchFunc(l.at, path, func(at uint32, path string) int {
		p, _, _ := strings.Cut(l.text[at:], "\x00")
		return strings.Compare(p, path)
	})
	for ; i < len(l.at); i++ {
		e := l.entry(i)
		if e.path != path {
			break
		}
		found = append(found, e)
	}
	return found
}

// lfsHere marks the fingerprint of a document that was refused for want of git-lfs, as long as it is installed: it is another version then.
const lfsHere = "+lfs"

// blobID is the blob that a fingerprint stands for.
func blobID(f kb.Fingerprint) string { return strings.TrimSuffix(string(f), lfsHere) }

// document makes what a scan gives of a record; lfs tells that git-lfs is installed.
func (r *Repo) document(l *listing, e entry, lfs bool) kb.Document {
	version := e.rest
	if lfs && r.lfsLess.has(e.rest) {
		version += lfsHere
	}
	return kb.Document{
		Key: kb.NewKey(r.name, e.path), Raw: e.raw, Fingerprint: kb.Fingerprint(version), Size: -1, Modified: l.when, From: r, Public: r.public,
	}
}

func (r *Repo) problem(e entry) kb.Problem {
	return kb.Problem{Key: kb.NewKey(r.name, e.path), Err: fault.New(fault.ErrUnsupported, "%s", e.rest)}
}

// load reads the listing of a tip, or any for nil, if there is one that is whole.
func (r *Repo) load(t *tip) *listing {
	b, err := os.ReadFile(r.listFile())
	if err != nil {
		return nil
	}
	l, err := decode(b)
	if err != nil {
		r.log.Info("listing of the repository is damaged, making it anew")
		return nil
	}
	if t != nil && !t.isOf(l) {
		return nil
	}
	return l
}

// save writes a listing in one step, so that readers meet the old or the new one.
func (r *Repo) save(b []byte) error {
	f, err := os.CreateTemp(r.cache.root, "list-*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), r.listFile())
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

func (r *Repo) listFile() string { return filepath.Join(r.cache.root, "list-"+r.view) }
