// Package markup is what the readers of foreign formats have in common: what a reader is, what it may cost, and how Markdown is written.
//
// A reader is a pure function of the bytes: the same bytes give the same Markdown on every machine and in every run. The bytes are
// hostile: a reader stays within its Limits, never panics, and refuses with fault.ErrUnsupported what it cannot read.
package markup

import "context"

// Reader turns the bytes of a document into Markdown. It may be called concurrently and does not keep or change src.
// Errors are of class fault.ErrUnsupported (damaged, encrypted, nothing but pictures, above a limit; with a hint what to do) or the context's.
type Reader func(ctx context.Context, src []byte, l Limits) (Result, error)

// Result is a document in Markdown.
type Result struct {
	Title    string // from the metadata or the first heading, one line; "" when the document does not tell
	Markdown []byte // UTF-8, lines end in LF, ends in one LF; without the title unless the body has it
}

// Limits bound what a document may cost.
type Limits struct {
	Output   int64 // bytes of Markdown
	Unpacked int64 // bytes that come out of an archive, all members together
	Ratio    int64 // unpacked bytes for each packed byte of a member, above the first megabyte
	Members  int   // members of an archive, pages, sheets
	Depth    int   // of nested elements
}

// DefaultLimits are generous for documents and small against bombs.
func DefaultLimits() Limits {
	return Limits{Output: 32 << 20, Unpacked: 64 << 20, Ratio: 200, Members: 20_000, Depth: 200}
}
