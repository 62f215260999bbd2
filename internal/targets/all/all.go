// Package all lists the vendors. A new vendor is one package and one line here; nothing registers itself.
package all

import (
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/chatbase"
	"kbsyncd/internal/targets/converse"
	"kbsyncd/internal/targets/hamsa"
	"kbsyncd/internal/targets/starleads"
)

// Kinds are the vendors in the order of the documentation.
func Kinds() []targets.Kind {
	return []targets.Kind{starleads.Kind, chatbase.Kind, hamsa.Kind, converse.Kind}
}
