//go:build !linux

package folder

import (
	"fmt"
	"os"
	"path/filepath"
)

// place names the device that the folder is on, and tells whether it is another one than that of the directory above it; ""
// where the system has no device numbers.
func (h *handle) place() (identity string, mount bool) {
	here, err := h.lookup("")
	if err != nil || here.dev == 0 {
		return "", false
	}
	identity = fmt.Sprintf("dev %d", here.dev)
	info, err := os.Stat(filepath.Dir(h.path))
	if err != nil {
		return identity, false
	}
	return identity, infoStat(info).dev != here.dev
}
