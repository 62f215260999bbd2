//go:build !unix

package folder

const (
	openFlags    = 0
	openDirFlags = 0
)
