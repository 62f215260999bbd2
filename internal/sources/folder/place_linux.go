package folder

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// place names the file system that the folder is on, and tells whether something is mounted at the folder itself. The name is
// made of the device, the type where it is a usual one, and the file system's own id: numbers of devices that are no
// disks are given out again at once. Where there is no such id, the folder's inode and birth stand for it; else a folder
// that is deleted and made again stays the same place.
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
	var stx unix.Statx_t
	fd := int(root.Fd())
	stated := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_TYPE|unix.STATX_INO|unix.STATX_BTIME, &stx) == nil
	if unix.Fstatfs(fd, &fs) == nil {
		if name := fsNames[int64(fs.Type)&0xffffffff]; name != "" { //nolint:unconvert // the type differs between architectures
			identity += " " + name
		}
		identity += fsIdentity(&fs, &stx)
	}
	if stated && stx.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 {
		return identity, stx.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
	}
	above, err := os.Stat(filepath.Dir(h.path))
	if err != nil {
		return identity, false
	}
	sys, ok := above.Sys().(*syscall.Stat_t)
	return identity, ok && uint64(sys.Dev) != dev //nolint:unconvert // the type differs between architectures
}

// fsIdentity tells file systems apart that had the same device number one after the other.
func fsIdentity(fs *unix.Statfs_t, stx *unix.Statx_t) string {
	if id := fs.Fsid.Val; id != [2]int32{} {
		return fmt.Sprintf(" fsid %08x%08x", uint32(id[0]), uint32(id[1]))
	}
	s := ""
	if stx.Mask&unix.STATX_INO != 0 {
		s += fmt.Sprintf(" ino %d", stx.Ino)
	}
	if stx.Mask&unix.STATX_BTIME != 0 {
		s += fmt.Sprintf(" born %d.%09d", stx.Btime.Sec, stx.Btime.Nsec)
	}
	return s
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
