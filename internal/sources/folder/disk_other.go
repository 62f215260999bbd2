//go:build !linux

package folder

import "os"

const direntBuffer = 0

// fastDir has no counterpart here: the standard library does everything.
type fastDir struct{}

func openFast(*os.Root) *fastDir { return nil }

func (*fastDir) close() {}

func (*fastDir) openDir(root *os.Root, real string, _ []byte) (dirReader, error) {
	return openPortable(root, real)
}

func (*fastDir) openFile(string) *os.File { return nil }
