package folder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

// A change within one tick of the clock can leave the same times behind. Where times have fractions of a second, ticks are
// those of the kernel (4 to 10 ms); elsewhere, as on FAT, up to two seconds.
const (
	fineTick   = 20 * time.Millisecond
	coarseTick = 2 * time.Second
)

// content is a document being read.
type content struct {
	doc     kb.Document
	file    *os.File
	size    int64
	read    int64
	started time.Time
}

// Open implements kb.Opener. What it returns for a file that may not be read is an ordinary error: the
// document is at fault, not a target.
func (f *Folder) Open(ctx context.Context, d kb.Document) (kb.Content, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return f.open(d)
}

func (f *Folder) open(d kb.Document) (kb.Content, error) {
	f.opens.Add(1)
	h, err := f.acquire(false)
	if err != nil {
		return nil, f.rootError(err)
	}
	defer f.release(h)
	started := time.Now()
	file, err := h.openFile(d.Raw)
	switch {
	case err == nil:
	case isGone(err):
		return nil, f.notHere(h, d)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("permission denied; let the user kbsyncd runs as read %s", kb.Printable(d.Raw))
	default:
		// A pipe or a link that leaves the folder may have taken the file's place.
		if real, rerr := h.resolve(d.Raw); isProblem(rerr) {
			return nil, changed(d)
		} else if st, serr := h.lookup(real); rerr == nil && serr == nil && st.kind != kindFile {
			return nil, changed(d)
		}
		return nil, errors.New(plain(err))
	}
	st, err := fileStat(file)
	if err == nil && (st.kind != kindFile || fingerprint(&st) != d.Fingerprint) {
		err = changed(d)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &content{doc: d, file: file, size: st.size, started: started}, nil
}

func changed(d kb.Document) error {
	return fault.New(fault.ErrChanged, "%s is not the version that was listed", kb.Printable(string(d.Key)))
}

func fileStat(f *os.File) (stat, error) {
	info, err := f.Stat()
	if err != nil {
		return stat{}, err
	}
	return infoStat(info), nil
}

// Read implements io.Reader. It ends after the bytes that were listed, also when the file grows.
func (c *content) Read(p []byte) (int, error) {
	left := c.size - c.read
	if left <= 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > left {
		p = p[:left]
	}
	n, err := c.file.Read(p)
	c.read += int64(n)
	return n, err
}

// Close implements io.Closer.
func (c *content) Close() error { return c.file.Close() }

// Verify implements kb.Content.
func (c *content) Verify() (doubtful bool, err error) {
	st, err := fileStat(c.file)
	if err != nil {
		return false, err
	}
	if c.read != c.size || fingerprint(&st) != c.doc.Fingerprint {
		return false, fault.New(fault.ErrChanged, "%s changed while it was read", kb.Printable(string(c.doc.Key)))
	}
	return fresh(&st, c.started), nil
}

// fresh tells whether a file was changed so shortly before the reading started that a later change could leave the
// same times. It goes by the change time, which nobody can set; a clock that went back makes it lie in the future, which is doubtful too.
func fresh(st *stat, started time.Time) bool {
	last, tick := st.ctime, coarseTick
	if last == 0 {
		last = st.mtime
	}
	if st.mtime%int64(time.Second) != 0 || st.ctime%int64(time.Second) != 0 {
		tick = fineTick
	}
	return last >= started.Add(-tick).UnixNano()
}
