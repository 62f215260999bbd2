package folder

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
)

// kind is what an entry of a directory is.
type kind uint8

const (
	kindUnknown kind = iota
	kindFile
	kindDir
	kindLink
	kindPipe
	kindSocket
	kindDevice
	kindOther
)

// stat is what of a file's metadata matters here. Times are in nanoseconds; ctime and ino are 0 where the system has none.
type stat struct {
	size, mtime, ctime int64
	ino, dev           uint64
	kind               kind
}

// dirReader is one open directory. It is used by one goroutine.
type dirReader interface {
	// read calls fn for every entry but . and .., in no order; name is valid during the call only.
	read(fn func(name []byte, k kind)) error
	// stat looks at an entry itself, not through a link. A NUL byte follows the name in memory.
	stat(name []byte) (stat, error)
	// self looks at the directory.
	self() (stat, error)
	close()
}

// handle is the open folder. Everything below it is reached through it, so that no name can lead out of it.
type handle struct {
	path string // as configured, absolute
	real string // path without symbolic links
	root *os.Root
	fast *fastDir // nil where only the portable calls can be used
	refs int      // owned by Folder.mu
}

// openHandle opens the folder. A pipe in its place must not block, so it looks before it opens.
func openHandle(dir string, portable bool) (*handle, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	h := &handle{path: dir, root: root}
	// A real path that cannot be had only means that absolute links by that path are refused.
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		h.real = real
	}
	if !portable {
		h.fast = openFast(root)
	}
	return h, nil
}

func (h *handle) close() {
	if h.fast != nil {
		h.fast.close()
	}
	_ = h.root.Close()
}

// openDir opens a directory by its path without links, "" being the folder itself.
func (h *handle) openDir(real string, buf []byte) (dirReader, error) {
	if real == "" {
		real = "."
	}
	if h.fast != nil {
		return h.fast.openDir(h.root, real, buf)
	}
	return openPortable(h.root, real)
}

// lookup looks at one entry by its path without links; it does not follow one.
func (h *handle) lookup(real string) (stat, error) {
	if real == "" {
		real = "."
	}
	info, err := h.root.Lstat(filepath.FromSlash(real))
	if err != nil {
		return stat{}, err
	}
	return infoStat(info), nil
}

// openFile opens a file for reading, never blocking on a pipe. Links are followed inside the folder only.
func (h *handle) openFile(raw string) (*os.File, error) {
	if h.fast != nil {
		if f := h.fast.openFile(raw); f != nil {
			return f, nil
		}
	}
	f, err := h.root.OpenFile(filepath.FromSlash(raw), os.O_RDONLY|openFlags, 0)
	if err == nil || isGone(err) || errors.Is(err, fs.ErrPermission) {
		return f, err
	}
	// os.Root refuses absolute links, even into the folder.
	real, rerr := h.resolve(raw)
	if rerr != nil || real == path.Clean(raw) {
		return nil, err
	}
	return h.root.OpenFile(filepath.FromSlash(real), os.O_RDONLY|openFlags, 0)
}

// isGone tells that a name leads nowhere any more.
func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// portableDir reads a directory with the standard library alone.
type portableDir struct {
	root *os.Root
	real string
	file *os.File
}

func openPortable(root *os.Root, real string) (dirReader, error) {
	f, err := root.OpenFile(filepath.FromSlash(real), os.O_RDONLY|openDirFlags, 0)
	if err != nil {
		return nil, err
	}
	return &portableDir{root: root, real: real, file: f}, nil
}

func (d *portableDir) close() { _ = d.file.Close() }

func (d *portableDir) read(fn func(name []byte, k kind)) error {
	for {
		entries, err := d.file.ReadDir(512)
		for _, e := range entries {
			fn([]byte(e.Name()), modeKind(e.Type()))
		}
		if len(entries) == 0 || err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

func (d *portableDir) stat(name []byte) (stat, error) {
	info, err := d.root.Lstat(filepath.FromSlash(path.Join(d.real, string(name))))
	if err != nil {
		return stat{}, err
	}
	return infoStat(info), nil
}

func (d *portableDir) self() (stat, error) {
	info, err := d.file.Stat()
	if err != nil {
		return stat{}, err
	}
	return infoStat(info), nil
}

func modeKind(m fs.FileMode) kind {
	switch m.Type() {
	case 0:
		return kindFile
	case fs.ModeDir:
		return kindDir
	case fs.ModeSymlink:
		return kindLink
	case fs.ModeNamedPipe:
		return kindPipe
	case fs.ModeSocket:
		return kindSocket
	}
	if m&fs.ModeDevice != 0 {
		return kindDevice
	}
	return kindOther
}

// infoStat takes over a portable result; what the system knows beyond it is added by sysStat.
func infoStat(info fs.FileInfo) stat {
	st := stat{size: info.Size(), mtime: info.ModTime().UnixNano(), kind: modeKind(info.Mode())}
	sysStat(info, &st)
	return st
}
