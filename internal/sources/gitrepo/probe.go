package gitrepo

import (
	"context"

	"kbsyncd/internal/sources"
)

var _ sources.Prober = (*Repo)(nil)

// Probe implements sources.Prober: it asks the server for the tip.
func (r *Repo) Probe(ctx context.Context) error {
	if err := r.ready(ctx); err != nil {
		return err
	}
	_, err := r.findTip(ctx)
	return err
}
