package folder

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// direntBuffer is the size of the buffer for getdents: large enough that a usual directory takes one call.
const direntBuffer = 64 << 10

// beneath keeps the kernel from leaving the folder: what os.Root does name by name, in one call.
const beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS

// fastDir is the folder as the fast calls of Linux take it.
type fastDir struct {
	file *os.File // owns fd
	fd   int
}

// openFast gives nil when the kernel, or a sandbox around this process, lacks the calls.
func openFast(root *os.Root) *fastDir {
	f, err := root.Open(".")
	if err != nil {
		return nil
	}
	d := &linuxDir{fd: int(f.Fd())}
	if _, err := d.self(); err != nil {
		_ = f.Close()
		return nil
	}
	return &fastDir{file: f, fd: d.fd}
}

func (f *fastDir) close() { _ = f.file.Close() }

// openDir opens a directory. Whatever openat2 cannot do (an old kernel, a very long path) os.Root does.
func (f *fastDir) openDir(root *os.Root, real string, buf []byte) (dirReader, error) {
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK,
		Resolve: beneath | unix.RESOLVE_NO_SYMLINKS,
	}
	fd, err := openat2(f.fd, real, &how)
	if err == nil {
		return &linuxDir{fd: fd, buf: buf}, nil
	}
	file, err := root.OpenFile(filepath.FromSlash(real), os.O_RDONLY|openDirFlags, 0)
	if err != nil {
		return nil, err
	}
	return &linuxDir{fd: int(file.Fd()), file: file, buf: buf}, nil
}

// openFile gives nil on any failure: os.Root then says what is wrong.
func (f *fastDir) openFile(raw string) *os.File {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY, Resolve: beneath}
	fd, err := openat2(f.fd, raw, &how)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), raw)
}

func openat2(dir int, path string, how *unix.OpenHow) (int, error) {
	for {
		fd, err := unix.Openat2(dir, path, how)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// linuxDir reads a directory with getdents and statx, which saves the standard library's
// allocations and its second look-up by path.
type linuxDir struct {
	fd   int
	file *os.File // owns fd when not nil
	buf  []byte
}

func (d *linuxDir) close() {
	if d.file != nil {
		_ = d.file.Close()
		return
	}
	_ = unix.Close(d.fd)
}

func (d *linuxDir) read(fn func(name []byte, k kind)) error {
	for {
		n, err := unix.Getdents(d.fd, d.buf)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return os.NewSyscallError("getdents", err)
		case n <= 0:
			return nil
		}
		parseDirents(d.buf[:n], fn)
	}
}

// parseDirents walks through struct linux_dirent64: inode and offset of 8 bytes each, the record's length in 2, the type in 1, and the
// name up to a NUL byte.
func parseDirents(b []byte, fn func(name []byte, k kind)) {
	const nameAt = 19
	for len(b) > nameAt {
		size := int(binary.NativeEndian.Uint16(b[16:18]))
		if size <= nameAt || size > len(b) {
			return
		}
		name := b[nameAt:size]
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		k := direntKind(b[18])
		b = b[size:]
		if len(name) == 0 || name[0] == '.' && (len(name) == 1 || len(name) == 2 && name[1] == '.') {
			continue
		}
		fn(name, k)
	}
}

func direntKind(t byte) kind {
	switch t {
	case unix.DT_REG:
		return kindFile
	case unix.DT_DIR:
		return kindDir
	case unix.DT_LNK:
		return kindLink
	case unix.DT_FIFO:
		return kindPipe
	case unix.DT_SOCK:
		return kindSocket
	case unix.DT_CHR, unix.DT_BLK:
		return kindDevice
	}
	return kindUnknown
}

func (d *linuxDir) stat(name []byte) (stat, error) { return d.statx(name, unix.AT_SYMLINK_NOFOLLOW) }

func (d *linuxDir) self() (stat, error) { return d.statx([]byte{0}[:0], unix.AT_EMPTY_PATH) }

// statx passes the name where it lies, which the NUL byte behind it allows: a copy for each
// file would cost as much as half of the call.
func (d *linuxDir) statx(name []byte, flags int) (stat, error) {
	const mask = unix.STATX_TYPE | unix.STATX_SIZE | unix.STATX_MTIME | unix.STATX_CTIME | unix.STATX_INO
	var stx unix.Statx_t
	for {
		_, _, errno := syscall.Syscall6(unix.SYS_STATX, uintptr(d.fd), uintptr(unsafe.Pointer(unsafe.SliceData(name))),
			uintptr(flags), mask, uintptr(unsafe.Pointer(&stx)), 0)
		switch errno {
		case 0:
			return stat{
				size:  int64(stx.Size),
				mtime: stx.Mtime.Sec*1e9 + int64(stx.Mtime.Nsec),
				ctime: stx.Ctime.Sec*1e9 + int64(stx.Ctime.Nsec),
				ino:   stx.Ino,
				dev:   unix.Mkdev(stx.Dev_major, stx.Dev_minor),
				kind:  modeBitsKind(stx.Mode),
			}, nil
		case syscall.EINTR:
		default:
			return stat{}, errno
		}
	}
}

func modeBitsKind(mode uint16) kind {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return kindFile
	case unix.S_IFDIR:
		return kindDir
	case unix.S_IFLNK:
		return kindLink
	case unix.S_IFIFO:
		return kindPipe
	case unix.S_IFSOCK:
		return kindSocket
	case unix.S_IFCHR, unix.S_IFBLK:
		return kindDevice
	}
	return kindOther
}
