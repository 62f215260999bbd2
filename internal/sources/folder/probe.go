package folder

import (
	"context"

	"kbsyncd/internal/sources"
)

var _ sources.Prober = (*Folder)(nil)

// Probe implements sources.Prober: it opens the folder.
func (f *Folder) Probe(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	h, err := f.acquire(true)
	if err != nil {
		return f.rootError(err)
	}
	f.release(h)
	return nil
}
