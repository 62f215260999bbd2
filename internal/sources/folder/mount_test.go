//go:build linux

package folder

import (
	"errors"
	"os"
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
	// Another file system at the same place, which may get the same device number at once.
	if err := os.Remove(tr.at("mnt/a.md")); err != nil {
		t.Fatal(err)
	}
	id := f.Identity()
	incomplete(t, scan(l.Known(id)), "is an empty mount point", "1 document)")
	if err := errors.Join(unix.Unmount(tr.at("mnt"), 0), unix.Mount("none", tr.at("mnt"), "tmpfs", 0, "size=1m")); err != nil {
		t.Fatal(err)
	}
	tr.put("mnt/b.md", "x")
	incomplete(t, scan(l.Known(id)), "is on another device", "1 document)")
	if err := unix.Unmount(tr.at("mnt"), 0); err != nil {
		t.Fatalf("the source keeps the file system busy: %v", err)
	}
	incomplete(t, scan(l.Known(f.Identity())), "is an empty mount point", "1 document)")
}

// A folder that a deployment deletes and makes again is the same place.
func TestFolderMadeAgain(t *testing.T) {
	tr := newTree(t)
	tr.put("docs/a.md", "x")
	tr.conf.Path = tr.at("docs")
	f := tr.open()
	l := sourcetest.Scan(t, f)
	was := f.Identity()
	var fs unix.Statfs_t
	if err := unix.Statfs(tr.dir, &fs); err != nil || fs.Fsid.Val == [2]int32{} {
		t.Skip("the file system has no id here")
	}
	if err := os.Rename(tr.at("docs"), tr.at("old")); err != nil {
		t.Fatal(err)
	}
	tr.put("docs/b.md", "y")
	if err := tr.open().Scan(t.Context(), l.Known(was), &sourcetest.Listing{}); err != nil {
		t.Errorf("a folder that was made again: %v", err)
	}
}

// A link that leads to another disk is another place, though the documents are the same.
func TestLinkToAnotherDevice(t *testing.T) {
	tr := newTree(t)
	shm, err := os.MkdirTemp("/dev/shm", "kbsyncd-test-") //nolint:usetesting // it has to be on another device
	if err != nil {
		t.Skip("no second device here: ", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(shm) })
	tr.put("disk/a.md", "x")
	tr.put("disk/b.md", "x")
	info, err := os.Stat(tr.at("disk/a.md"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(shm+"/a.md", []byte("x"), 0o600), os.Chtimes(shm+"/a.md", info.ModTime(), info.ModTime())); err != nil {
		t.Fatal(err)
	}
	link := func(to string) {
		_ = os.Remove(tr.at("root"))
		if err := os.Symlink(to, tr.at("root")); err != nil {
			t.Fatal(err)
		}
	}
	link(tr.at("disk"))
	tr.conf.Path = tr.at("root")
	f := tr.open()
	l := sourcetest.Scan(t, f)
	was := f.Identity()
	link(shm)
	incomplete(t, f.Scan(t.Context(), l.Known(was), &sourcetest.Listing{}), "is another place than before", "nothing is deleted in this pass")
	if f.Identity() == was {
		t.Skip("the temporary files are on the same device")
	}
	if err := f.Scan(t.Context(), l.Known(f.Identity()), &sourcetest.Listing{}); err != nil {
		t.Errorf("the scan after: %v", err)
	}
}
