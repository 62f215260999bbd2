package starleads

import (
	"context"

	"kbsyncd/internal/targets"
)

var _ targets.Reindexer = (*Target)(nil)

// Reindex implements targets.Reindexer: parsing a document once more replaces its chunks (RAG guide).
func (t *Target) Reindex(ctx context.Context, ids []targets.RemoteID) ([]targets.Result, error) {
	return t.Start(ctx, ids)
}
