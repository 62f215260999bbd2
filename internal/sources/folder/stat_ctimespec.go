//go:build darwin || freebsd || netbsd

package folder

import (
	"io/fs"
	"syscall"
)

func sysStat(info fs.FileInfo, st *stat) {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		st.ctime = int64(sys.Ctimespec.Sec)*1e9 + int64(sys.Ctimespec.Nsec)
		st.ino, st.dev = uint64(sys.Ino), uint64(sys.Dev)
	}
}
