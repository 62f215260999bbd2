package convert

import (
	"strings"

	"golang.org/x/sync/semaphore"

	"kbsyncd/internal/convert/epub"
	"kbsyncd/internal/convert/htmlmd"
	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/convert/office"
	"kbsyncd/internal/convert/pdf"
	"kbsyncd/internal/convert/plain"
	"kbsyncd/internal/convert/sheet"
)

// conversion is what can be made of a kind of document.
type conversion struct {
	read markup.Reader
	// plain: what comes out is the text itself in a code block, which says no more than the text to a vendor that reads files.
	plain bool
	// queue: only one document of the kind is read at a time, because there is one engine or because it takes much memory; waiting for
	// it takes nothing of the time that a document may take.
	queue *semaphore.Weighted
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
	add("pdf", conversion{read: pdf.Read, queue: semaphore.NewWeighted(1)})
	add("xlsx xlsm", conversion{read: sheet.XLSX, queue: semaphore.NewWeighted(1)})
	add("epub", conversion{read: epub.Read})
	add("html htm xhtml shtml", conversion{read: htmlmd.Read})
	add("csv psv", conversion{read: plain.CSV})
	add("tsv tab", conversion{read: plain.TSV})
	add("ipynb", conversion{read: plain.Notebook})
	add("eml", conversion{read: plain.Mail})
	add("srt vtt sbv", conversion{read: plain.Subtitles})
	add("json geojson json5 jsonc", conversion{read: plain.JSON, plain: true})
	add("jsonl ldjson ndjson", conversion{read: plain.JSONL, plain: true})
	add("yaml yml", conversion{read: plain.YAML, plain: true})
	add("xml xsd xsl xslt rss atom rdf", conversion{read: plain.XML, plain: true})
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

// splitPDF divides a PDF file into files of at most some bytes each.
var splitPDF = pdf.Split

// SetCacheDir names a directory, of this program alone, where what is costly to start is kept for the next start. It is to be called
// before the first document; without it the first PDF file takes some seconds longer.
func SetCacheDir(dir string) { pdf.SetCacheDir(dir) }

// Close gives back what conversions keep between documents. It waits for the one at work; another document starts them again.
func Close() error {
	products.clear()
	return pdf.Close()
}
