//go:build unix

package folder

import "syscall"

// Opening must not wait for the other end of a pipe.
const (
	openFlags    = syscall.O_NONBLOCK | syscall.O_NOCTTY
	openDirFlags = syscall.O_DIRECTORY | syscall.O_NONBLOCK
)
