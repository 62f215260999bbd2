// Package convert turns a document into the rendition that a target accepts: the same bytes under an extension that the
// vendor takes, or, where it does not take them, Markdown that a reader makes of them; in one piece or in parts within the
// vendor's limit. It decides by name, size and the head of the content what a document is.
//
// Bytes that go as they are stream by once and are never held in memory; the parts of such a rendition are ranges of
// the source. What must be converted is read into memory within bounds, and the parts are ranges of what came out of it, which is made
// again when it is opened later and is no longer in the cache. Parts hold every line of the text exactly once; only the headings that a part
// stands under are repeated in front of it. It knows no vendor: what one takes comes in as a Target.
package convert

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/leak"
)

// Version is part of what records remember: it is raised when the same bytes give another rendition.
const Version = 2

// Target is what a vendor takes.
type Target struct {
	Accepts  kb.Accepts
	MaxBytes int64 // of one part; 0 means no limit
	// KeepFrontMatter sends the front matter of Markdown with the rest.
	KeepFrontMatter bool
	// Secrets is what happens to a document that seems to hold one: "block", "warn" (also "") or "off".
	Secrets string
	// Links: the vendor fetches pages itself, so a document with a Link goes as that.
	Links bool
}

// Part is one piece of a rendition: a prefix and a range of the source's bytes, or of what the source was converted to.
type Part struct {
	Index  int    // 0 for a document in one piece, else 1, 2, …
	Prefix string // what is sent in front of the range: the document's title, or the headings that it stands under
	Offset int64  // where the range begins
	Size   int64  // bytes that are sent: the prefix and the range
	Digest kb.Digest
	Ext    string // the extension to send it under, with its dot
	// MediaType is the one of Ext.
	MediaType string
	// Link is the address that is sent in place of bytes; "" where bytes are sent.
	Link string

	made recipe
}

// Converted tells that the range is not one of the source's bytes but of what was made of them.
func (p Part) Converted() bool { return p.made != recipe{} }

// Rendition is a document in the form that a target takes.
type Rendition struct {
	Digest   kb.Digest // of the source's bytes
	Parts    []Part    // in order
	Doubtful bool      // see kb.Content
	// Narrowed: the document's front matter names, in Agents, those that may have it; all others may not.
	Narrowed bool
	Agents   []string
	Leaks    []leak.Finding // what looks like a secret, when that is only to be told
}

// LinkExt stands in remote names of documents that are sent as an address.
const LinkExt = ".url"

// Choose decides from the name, the kind and the size alone, without reading. The error is of class fault.ErrUnsupported when it is
// already clear that the document will be skipped. A size of -1 is unknown.
func Choose(d kb.Document, to Target) error {
	if to.Links && d.Link != "" {
		return nil
	}
	_, err := choose(kindKey(d), d.Size, to)
	return err
}

// kindKey is the key with an extension that tells what the document is.
func kindKey(d kb.Document) kb.Key {
	if d.Type == "" || strings.EqualFold(path.Ext(string(d.Key)), d.Type) {
		return d.Key
	}
	return d.Key + kb.Key(d.Type)
}

// Render reads the document and decides how it is sent. What opening and reading it gives (fault.ErrChanged,
// fault.ErrNotFound, …) is passed on wrapped; fault.ErrUnsupported says that it is to be skipped, ErrSkip that its own
// front matter wants it so, and ErrLeak that it seems to hold a secret.
func Render(ctx context.Context, d kb.Document, to Target) (_ Rendition, err error) {
	defer recovered(&err)
	if to.Links && d.Link != "" {
		return renderLink(d), nil
	}
	how, err := choose(kindKey(d), d.Size, to)
	if err != nil {
		return Rendition{}, err
	}
	how = how.linked(d)
	if how.made.way == wayAsIs {
		out, err := renderAsIs(ctx, d, how, to)
		switch {
		case errors.Is(err, errEncoding):
			how = how.decoded(to).linked(d)
		case errors.Is(err, errAboveLimit):
			how = how.above(to).linked(d)
		default:
			return out, err
		}
	}
	out, err := renderMade(ctx, d, how, to)
	if how.made.way == wayPages && errors.Is(err, fault.ErrUnsupported) {
		// A page alone is above the limit, or the pages cannot be told apart; its text may still be had.
		if text := how.read(to).linked(d); text.ext != "" {
			if out, err := renderMade(ctx, d, text, to); err == nil {
				return out, nil
			}
		}
	}
	return out, err
}

// renderLink is the rendition of a page that the vendor fetches itself. Nothing is read: that its source gives another fingerprint is
// what makes another version of it.
func renderLink(d kb.Document) Rendition {
	seen := kb.Sum([]byte(d.Fingerprint))
	return Rendition{
		Digest: seen,
		Parts:  []Part{{Digest: kb.Sum([]byte("link\n" + d.Link + "\n" + seen.String())), Ext: LinkExt, Link: d.Link}},
	}
}

// renderAsIs renders a document that goes as it is, but for where its links lead. One that is too long for that goes with its links as
// they are.
func renderAsIs(ctx context.Context, d kb.Document, how plan, to Target) (Rendition, error) {
	if how.made.public != "" {
		out, err := renderMade(ctx, d, how, to)
		if !errors.Is(err, errTooLong) {
			return out, err
		}
		how.made = recipe{}
	}
	return stream(ctx, d, how, to)
}

// stream renders a document that goes as it is.
func stream(ctx context.Context, d kb.Document, how plan, to Target) (Rendition, error) {
	src, err := d.Open(ctx)
	if err != nil {
		return Rendition{}, fmt.Errorf("open: %w", err)
	}
	r := workers.Get().(*worker)
	out, err := r.render(ctx, src, d.Size, how, to)
	workers.Put(r)
	if err == nil {
		if out.Doubtful, err = src.Verify(); err != nil {
			err = fmt.Errorf("read: %w", err)
		}
	}
	// A document that is only read has nothing to lose when it is closed.
	_ = src.Close()
	if err != nil {
		return Rendition{}, err
	}
	return out, nil
}

// renderMade renders a document that must be converted.
func renderMade(ctx context.Context, d kb.Document, how plan, to Target) (Rendition, error) {
	p, err := produce(ctx, d, how)
	if err != nil {
		return Rendition{}, err
	}
	if how.made.way == wayAsIs && !p.linked {
		how.made = recipe{} // what was read is what goes, and can be streamed when it is opened
	}
	var out Rendition
	if how.made.way == wayPages {
		out.Parts, err = p.pages(how)
	} else {
		r := workers.Get().(*worker)
		out, err = r.render(ctx, p.reader(), int64(len(p.data)), how, to)
		workers.Put(r)
	}
	if err != nil {
		return Rendition{}, err
	}
	out.Digest, out.Doubtful = p.source, p.doubtful
	for i := range out.Parts {
		out.Parts[i].made = how.made
	}
	return out, nil
}
