package sync_test

import (
	"os"
	"path/filepath"
)

func removeState(w *world) {
	if err := os.Remove(filepath.Join(w.dir, "state.db")); err != nil && !os.IsNotExist(err) {
		w.fatalf("%v", err)
	}
}
