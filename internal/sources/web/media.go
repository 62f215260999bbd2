package web

import (
	"bytes"
	"mime"
	"path"
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// sniffed is how many bytes of a body its kind is told from.
const sniffed = 3072

// mediaOf is the media type of a body: what the server says, or what the bytes look like when it says nothing useful.
func mediaOf(header string, head []byte) string {
	media, _, _ := mime.ParseMediaType(header)
	switch media {
	case "", "application/octet-stream", "binary/octet-stream", "application/x-download", "application/force-download":
		media, _, _ = mime.ParseMediaType(mimetype.Detect(head).String())
	case "application/pdf", "application/zip":
	case "text/plain":
		// Servers call text what they do not know; a page that is sent so is shown as text on purpose.
		if bytes.HasPrefix(head, []byte("%PDF-")) {
			return "application/pdf"
		}
	}
	return media
}

func isHTML(media string) bool { return media == "text/html" || media == "application/xhtml+xml" }

// extensions are those that say of what kind the bytes of a media type are, the usual one first.
var extensions = map[string][]string{
	"text/html":             {".html", ".htm", ".xhtml"},
	"application/xhtml+xml": {".xhtml", ".html", ".htm"},
	"text/markdown":         {".md", ".markdown", ".mdx"},
	"text/x-markdown":       {".md", ".markdown", ".mdx"},
	"text/csv":              {".csv"},
	"application/json":      {".json", ".ipynb", ".geojson"},
	"application/xml":       {".xml", ".xsd", ".xsl", ".rss", ".atom"},
	"text/xml":              {".xml", ".xsd", ".xsl", ".rss", ".atom"},
	"application/yaml":      {".yaml", ".yml"},
	"application/x-yaml":    {".yaml", ".yml"},
	"text/yaml":             {".yaml", ".yml"},
	"application/pdf":       {".pdf"},
	"application/msword":    {".doc", ".dot"},
	"application/rtf":       {".rtf"},
	"text/rtf":              {".rtf"},
	"application/epub+zip":  {".epub"},
}

// webPages are extensions of programs that make pages; they say nothing about the bytes.
var webPages = map[string]bool{".php": true, ".asp": true, ".aspx": true, ".jsp": true, ".cgi": true, ".do": true, ".cfm": true}

// extensionFor is the extension that tells what the bytes at a path are; "" when that of the path does.
func extensionFor(keyPath, media string, head []byte) string {
	have := strings.ToLower(path.Ext(keyPath))
	if strings.Contains(keyPath, "?") || len(have) > 12 || webPages[have] {
		have = ""
	}
	known := extensions[media]
	switch {
	case slices.Contains(known, have):
		return ""
	case have != "" && (media == "text/plain" || known == nil):
		return "" // most servers know fewer kinds of text than there are extensions
	case known != nil:
		return known[0]
	case strings.HasPrefix(media, "text/"):
		return ".txt"
	}
	if m := mimetype.Lookup(media); m != nil && m.Extension() != "" {
		return m.Extension()
	}
	return mimetype.Detect(head).Extension()
}
