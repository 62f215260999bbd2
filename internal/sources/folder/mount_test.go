//go:build linux

package folder

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/sourcetest"
)

// An empty folder that is a mount point is a share that is not there yet, as far as anybody can tell.
func TestEmptyMountPoint(t *testing.T) {
	tr := newTree(t)
	tr.mkdir("mnt")
	tr.conf.Path = tr.at("mnt")
	plain := tr.open()
	before := sourcetest.Scan(t, plain)
	was := plain.Identity()
	if err := unix.Mount("none", tr.at("mnt"), "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("mounting is not allowed here: ", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(tr.at("mnt"), 0); err != nil && !errors.Is(err, unix.EINVAL) {
			t.Errorf("the source keeps the file system busy: %v", err)
		}
	})
	f := tr.open()
	scan := func(k sources.Known) error { return f.Scan(t.Context(), k, &sourcetest.Listing{}) }
	incomplete(t, scan(sources.Known{}), "is an empty mount point")
	if err := scan(before.Known(was)); err == nil {
		t.Error("an empty mount point without known documents is complete")
	}
	tr.put("mnt/a.md", "x")
	l := sourcetest.Scan(t, f)
	if f.Identity() == was {
		t.Error("the same identity on another file system")
	}
	if err := unix.Unmount(tr.at("mnt"), 0); err != nil {
		t.Fatalf("the source keeps the file system busy: %v", err)
	}
	incomplete(t, scan(l.Known(f.Identity())), "is an empty mount point", "1 document)")
}
