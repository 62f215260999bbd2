package gitrepo

import "kbsyncd/internal/sources"

var _ sources.Shaped = (*Repo)(nil)

// Shape implements sources.Shaped: another public address changes the links of documents.
func (r *Repo) Shape() string { return string(r.public) }
