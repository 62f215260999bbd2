package office

import (
	"context"

	"kbsyncd/internal/convert/markup"
)

func PPTX(ctx context.Context, src []byte, l markup.Limits) (markup.Result, error) {
	return markup.Result{}, nil
}
func RTF(ctx context.Context, src []byte, l markup.Limits) (markup.Result, error) {
	return markup.Result{}, nil
}
