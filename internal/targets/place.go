package targets

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"kbsyncd/internal/secret"
)

// Placed is a target that can tell two places apart without a request.
type Placed interface {
	// Place is a short digest of all settings that say where the documents go: the address, the account and the store.
	// It is the same as long as they are, also in another process; a change does not prove that the store is another one.
	Place() string
}

// PlaceOf is the digest for Placed: 16 hexadecimal digits that do not give the key away. Where a part begins and ends counts.
func PlaceOf(key secret.String, parts ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", key.Reveal(), parts))
	return hex.EncodeToString(sum[:8])
}
