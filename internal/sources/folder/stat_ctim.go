//go:build linux || openbsd || dragonfly || solaris

package folder

import (
	"io/fs"
	"syscall"
)

func sysStat(info fs.FileInfo, st *stat) {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		st.ctime = int64(sys.Ctim.Sec)*1e9 + int64(sys.Ctim.Nsec) //nolint:unconvert // the types differ between systems
		st.ino, st.dev = uint64(sys.Ino), uint64(sys.Dev)         //nolint:unconvert // the types differ between systems
	}
}
