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

// busy is how much processor time the living processes of a group have used.
func busy(group int) (used time.Duration) {
	found, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, at := range found {
		text, err := os.ReadFile(at)
		if err != nil {
			continue
		}
		// The name, in parentheses, may hold anything: what counts comes after it.
		f := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if len(f) < 13 || string(f[2]) != strconv.Itoa(group) {
			continue
		}
		user, _ := strconv.ParseInt(string(f[11]), 10, 64)
		system, _ := strconv.ParseInt(string(f[12]), 10, 64)
		used += time.Duration(user+system) * tick
	}
	return used
}
