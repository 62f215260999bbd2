package gitrepo

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// leashed tells that commands end with this process, even when it is killed.
const leashed = true

// leash lets a command be killed when the thread that starts it ends, which therefore has to stay.
func leash(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

// tick is the unit of time in /proc.
const tick = 10 * time.Millisecond

// usage is what the living processes of a group use: processor time, and bytes of memory.
func usage(group int) (processor time.Duration, memory int64) {
	found, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, at := range found {
		text, err := os.ReadFile(at)
		if err != nil {
			continue
		}
		// The name, in parentheses, may hold anything: what counts comes after it.
		f := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if len(f) < 22 || string(f[2]) != strconv.Itoa(group) {
			continue
		}
		number := func(i int) int64 {
			n, _ := strconv.ParseInt(string(f[i]), 10, 64)
			return n
		}
		processor += time.Duration(number(11)+number(12)) * tick
		memory += number(21) * int64(os.Getpagesize())
	}
	return processor, memory
}
