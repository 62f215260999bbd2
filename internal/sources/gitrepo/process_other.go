//go:build !linux

package gitrepo

import (
	"syscall"
	"time"
)

// leashed tells that commands end with this process, even when it is killed.
const leashed = false

func leash(*syscall.SysProcAttr) {}

// usage is not known here.
func usage(int) (processor time.Duration, memory int64) { return 0, 0 }
