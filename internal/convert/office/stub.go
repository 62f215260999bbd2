package office

import (
	"context"

	"kbsyncd/internal/convert/markup"
)

// RTF reads rich text.
func RTF(ctx context.Context, src []byte, l markup.Limits) (markup.Result, error) {
	return markup.Result{}, nil
}
