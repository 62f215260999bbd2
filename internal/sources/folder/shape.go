package folder

import "kbsyncd/internal/sources"

var _ sources.Shaped = (*Folder)(nil)

// Shape implements sources.Shaped: another public address changes the links of documents.
func (f *Folder) Shape() string { return string(f.public) }
