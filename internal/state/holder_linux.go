package state

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// holder says which process locks the file, from the kernel's own table.
func holder(path string) string {
	const unknown = "another kbsyncd"
	st, err := os.Stat(path)
	if err != nil {
		return unknown
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return unknown
	}
	f, err := os.Open("/proc/locks")
	if err != nil {
		return unknown
	}
	defer func() { _ = f.Close() }()
	suffix := fmt.Sprintf(":%d", sys.Ino)
	for sc := bufio.NewScanner(f); sc.Scan(); {
		// 1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF
		w := strings.Fields(sc.Text())
		if len(w) < 6 || w[1] != "FLOCK" || !strings.HasSuffix(w[5], suffix) {
			continue
		}
		name, _ := os.ReadFile("/proc/" + w[4] + "/comm")
		return fmt.Sprintf("process %s (%s)", w[4], strings.TrimSpace(string(name)))
	}
	return unknown
}
