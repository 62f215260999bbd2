package convert

import (
	"context"
	"testing"

	"kbsyncd/internal/convert/markup"
)

// SetReader lets a test stand in for the reader of an extension.
func SetReader(t *testing.T, ext string, read markup.Reader) {
	old, had := conversions[ext]
	conversions[ext] = conversion{read: read}
	t.Cleanup(func() {
		delete(conversions, ext)
		if had {
			conversions[ext] = old
		}
	})
}

// SetPDFSplitter lets a test stand in for what divides PDF files.
func SetPDFSplitter(t *testing.T, split func(context.Context, []byte, int64, markup.Limits) ([][]byte, error)) {
	old := splitPDF
	splitPDF = split
	t.Cleanup(func() { splitPDF = old })
}

// Evict empties the cache of what was made.
func Evict() { products.clear() }

// Cached tells how many bytes of how many products are kept.
func Cached() (bytes int64, n int) { return products.size, products.order.Len() }

// CacheBytes is the bound of what is kept.
const CacheBytes = cacheBytes
