// Package all lists the kinds of sources. A new kind is one package and one line here; nothing registers itself.
package all

import (
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/folder"
	"kbsyncd/internal/sources/gitrepo"
	"kbsyncd/internal/sources/web"
)

// Kinds are the kinds of sources in the order of the documentation.
func Kinds() []sources.Kind {
	return []sources.Kind{folder.Kind, web.Kind, gitrepo.Kind}
}
