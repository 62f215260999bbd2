package convert

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"unicode/utf16"

	"kbsyncd/internal/convert/epub"
	"kbsyncd/internal/convert/htmlmd"
	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/convert/office"
	"kbsyncd/internal/fault"
)

// conversion is what can be made of a kind of document.
type conversion struct {
	read markup.Reader
	// plain: what comes out is the text itself in a code block, which says no more than the text to a vendor that reads files.
	plain bool
}

// suits tells whether a target that does not take the kind of document itself is better off with what the reader makes of it.
func (c conversion) suits(to Target) bool {
	if firstOf(to.Accepts.Markdown, to.Accepts.Text) == "" {
		return false
	}
	return !c.plain || to.Accepts.Text == "" || !to.Accepts.Native[to.Accepts.Markdown]
}

// conversions are the readers by extension, with its dot.
var conversions = func() map[string]conversion {
	m := map[string]conversion{}
	add := func(exts string, c conversion) {
		for e := range strings.FieldsSeq(exts) {
			m["."+e] = c
		}
	}
	add("docx docm dotx dotm", conversion{read: office.DOCX})
	add("pptx pptm ppsx", conversion{read: office.PPTX})
	add("odt ott", conversion{read: office.ODT})
	add("rtf", conversion{read: office.RTF})
	add("epub", conversion{read: epub.Read})
	add("html htm xhtml shtml", conversion{read: htmlmd.Read})
	return m
}()

// markdownLayout is the layout of Markdown.
var markdownLayout = layout{heading: '#', prose: true}

// layouts are those of texts by extension; others consist of lines.
var layouts = func() map[string]layout {
	m := map[string]layout{}
	add := func(exts string, l layout) {
		for e := range strings.FieldsSeq(exts) {
			m["."+e] = l
		}
	}
	add(markdownExts+" txt text", markdownLayout)
	add("adoc asciidoc asc", layout{heading: '=', prose: true})
	add("org", layout{heading: '*', prose: true})
	add("rst rest textile wiki mediawiki creole pod tex latex ltx html htm xhtml shtml", layout{prose: true})
	return m
}()

// tellsEncoding tells kinds of text that say in their head how they are encoded.
func tellsEncoding(ext string) bool {
	switch ext {
	case ".html", ".htm", ".xhtml", ".shtml", ".xml", ".xsd", ".xsl", ".xslt", ".rss", ".atom", ".rdf":
		return true
	default:
		return false
	}
}

// decode makes a text UTF-8: UTF-16 with a byte order mark, else Latin-1.
func decode(src []byte) ([]byte, error) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(src, bomLE):
		order = binary.LittleEndian
	case bytes.HasPrefix(src, bomBE):
		order = binary.BigEndian
	default:
		out := make([]rune, len(src))
		for i, c := range src {
			out[i] = rune(c)
		}
		return []byte(string(out)), nil
	}
	units := make([]uint16, len(src)/2-1)
	for i := range units {
		units[i] = order.Uint16(src[2*i+2:])
	}
	return []byte(string(utf16.Decode(units))), nil
}

// splitPDF divides a PDF file into files of at most some bytes each.
var splitPDF = func(_ context.Context, _ []byte, _ int64, _ markup.Limits) ([][]byte, error) {
	return nil, fault.New(fault.ErrUnsupported, "PDF files cannot be divided yet").WithHint("divide it into smaller files")
}
