package folder

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// place names the device that the folder is on, with the type of its file system where it is a usual one, and tells whether
// something is mounted at the folder itself.
func (h *handle) place() (identity string, mount bool) {
	root, err := h.root.Open(".")
	if err != nil {
		return "", false
	}
	defer func() { _ = root.Close() }()
	info, err := root.Stat()
	if err != nil {
		return "", false
	}
	dev := infoStat(info).dev
	identity = fmt.Sprintf("dev %d:%d", unix.Major(dev), unix.Minor(dev))
	var fs unix.Statfs_t
	fd := int(root.Fd())
	if unix.Fstatfs(fd, &fs) == nil {
		if name := fsNames[int64(fs.Type)&0xffffffff]; name != "" { //nolint:unconvert // the type differs between architectures
			identity += " " + name
		}
	}
	var stx unix.Statx_t
	if unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_TYPE, &stx) == nil && stx.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 {
		return identity, stx.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
	}
	above, err := os.Stat(filepath.Dir(h.path))
	if err != nil {
		return identity, false
	}
	sys, ok := above.Sys().(*syscall.Stat_t)
	return identity, ok && uint64(sys.Dev) != dev //nolint:unconvert // the type differs between architectures
}

// fsNames are the file systems that are worth naming: device numbers are given out again, and a share that comes back with
// another number is still a share.
var fsNames = map[int64]string{
	unix.NFS_SUPER_MAGIC:                 "nfs",
	unix.SMB_SUPER_MAGIC:                 "smb",
	unix.SMB2_SUPER_MAGIC & (1<<32 - 1):  "smb",
	unix.CIFS_SUPER_MAGIC & (1<<32 - 1):  "smb",
	unix.FUSE_SUPER_MAGIC:                "fuse",
	unix.TMPFS_MAGIC:                     "tmpfs",
	unix.EXT4_SUPER_MAGIC:                "ext4",
	unix.XFS_SUPER_MAGIC:                 "xfs",
	unix.BTRFS_SUPER_MAGIC & (1<<32 - 1): "btrfs",
	unix.OVERLAYFS_SUPER_MAGIC:           "overlay",
	unix.V9FS_MAGIC:                      "9p",
}
