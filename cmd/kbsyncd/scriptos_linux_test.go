package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// unprivileged is a program that runs another one without the right to read every file, which root has.
func unprivileged() {
	const (
		dropFromBoundingSet = 24 // PR_CAPBSET_DROP
		dacOverride         = 1
		dacReadSearch       = 2
	)
	runtime.LockOSThread()
	for _, capability := range []uintptr{dacOverride, dacReadSearch} {
		// Who has no rights to drop needs none.
		_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, dropFromBoundingSet, capability, 0)
	}
	path, err := exec.LookPath(os.Args[1])
	if err == nil {
		err = syscall.Exec(path, os.Args[1:], os.Environ())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(127)
}

func cmdUnread(ts *testscript.TestScript, args []string) {
	need(ts, args, 2)
	watch, err := syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	ts.Check(err)
	defer syscall.Close(watch)
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			_, err = syscall.InotifyAddWatch(watch, path, syscall.IN_OPEN)
		}
		return err
	}))
	exits(ts, exitOK, args[1:])
	var events [4096]byte
	if n, err := syscall.Read(watch, events[:]); n > 0 {
		ts.Fatalf("files were opened")
	} else if err != syscall.EAGAIN {
		ts.Check(err)
	}
}

func mount(dir, size string, flags uintptr) error {
	return syscall.Mount("tmpfs", dir, "tmpfs", flags, "size="+size)
}

// canMount tells whether file systems can be mounted here.
var canMount = sync.OnceValue(func() bool {
	dir, err := os.MkdirTemp("", "kbsyncd-mount-")
	if err != nil {
		return false
	}
	defer func() { _ = os.Remove(dir) }()
	if mount(dir, "64k", 0) != nil {
		return false
	}
	return syscall.Unmount(dir, 0) == nil
})

func cmdTmpfs(ts *testscript.TestScript, args []string) {
	need(ts, args, 2)
	dir := ts.MkAbs(args[0])
	if os.Mkdir(dir, 0o755) != nil {
		ts.Check(mount(dir, args[1], syscall.MS_REMOUNT))
		return
	}
	ts.Check(mount(dir, args[1], 0))
	ts.Defer(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }) // the script may have done it already
}
