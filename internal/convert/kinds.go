package convert

import (
	"path"
	"strconv"
	"strings"

	"kbsyncd/internal/kb"
)

// The groups of extensions, without their dot.
const (
	markdownExts = "md mdx markdown mdown mkd mkdn mkdown mdwn mdtxt mdtext qmd rmd livemd"
	textExts     = "txt text csv tsv tab psv html htm xhtml shtml json jsonl ldjson ndjson json5 geojson jsonc xml xsd xsl xslt rss atom rdf ttl " +
		"yaml yml toml ini cfg conf cnf config properties editorconfig log rst rest adoc asciidoc asc org textile wiki mediawiki creole pod " +
		"tex latex ltx bib sty srt vtt sbv lrc ics vcf po pot css scss sass less styl svelte vue jsx tsx astro mjs cjs mts cts " +
		"py pyi ipynb js java c cc cxx cpp h hh hpp hxx php go ts sh bash zsh fish ksh cs fs fsx vb kt kts sql rb erb rs swift lua pl pm " +
		"r jl scala clj cljs edn ex exs erl hs elm ml mli dart groovy gradle m mm asm s f90 nim zig d v vhdl sol proto graphql gql thrift avsc tf tfvars hcl " +
		"nix cmake mk make dockerfile bat cmd ps1 psm1 awk sed diff patch http plantuml puml mmd dot j2 jinja tmpl tpl mustache hbs liquid ejs haml pug"
)

// binaryExts are the kinds of files that are not text and go as they are or not at all, by what people call them.
var binaryExts = map[string]string{
	"PDF files":             "pdf",
	"Word documents":        "doc docx docm dot dotx wps",
	"spreadsheets":          "xls xlsx xlsm xlsb ods numbers",
	"presentations":         "ppt pptx pptm pps ppsx odp",
	"OpenDocument texts":    "odt odg fodt",
	"rich text":             "rtf rtfd",
	"e-books":               "epub mobi azw azw3 djvu",
	"mail messages":         "eml msg mbox pst",
	"Apple Pages documents": "pages",
	"help files":            "hlp chm",
	"images":                "png jpg jpeg jfif gif webp bmp tif tiff ico icns heic heif avif svg svgz psd ai eps xcf raw cr2 nef dng indd sketch fig",
	"audio":                 "mp3 wav flac aac ogg oga opus m4a wma aif aiff mid midi amr ape",
	"video":                 "mp4 m4v mov avi mkv webm wmv flv mpg mpeg 3gp ogv mts m2ts vob",
	"archives":              "zip gz tgz bz2 tbz xz txz zst 7z rar tar lz lz4 br cab iso dmg img jar war ear apk aab ipa deb rpm pkg msi whl crx xpi nupkg gem vsix",
	"programs":              "exe dll so dylib o a lib obj bin class pyc pyo wasm elf com sys ko node app",
	"fonts":                 "ttf otf woff woff2 eot ttc pfb",
	"databases":             "db sqlite sqlite3 mdb accdb dbf frm ibd parquet orc avro feather arrow pkl pickle npy npz h5 hdf5 mat rds rdata sav",
	"models and drawings":   "dwg dxf stl step stp iges blend fbx glb gltf onnx pt pth safetensors gguf tflite vsd vsdx drawio",
	"temporary files":       "tmp temp swp swo part crdownload",
}

// secretExts are files that usually hold keys and passwords. They are never published by accident.
const secretExts = "env pem key p12 pfx jks keystore kdbx kdb ppk gpg pgp age"

type family uint8

const (
	famUnknown family = iota
	famMarkdown
	famText
	famBinary
	famSecret
)

type kind struct {
	family family
	noun   string
}

// kinds maps an extension with its dot to what it stands for.
var kinds = func() map[string]kind {
	m := make(map[string]kind, 512)
	add := func(exts string, k kind) {
		for e := range strings.FieldsSeq(exts) {
			m["."+e] = k
		}
	}
	for noun, exts := range binaryExts {
		add(exts, kind{famBinary, noun})
	}
	add(secretExts, kind{famSecret, ""})
	add(textExts, kind{famText, "text"})
	add(markdownExts, kind{famMarkdown, "Markdown"})
	return m
}()

// extension is the lower-case extension of a document's name, with its dot. A name that begins with
// its only dot counts as an extension, so that ".env" is known for what it is.
func extension(k kb.Key) string {
	ext := path.Ext(k.Base())
	if ext == "." {
		return ""
	}
	return strings.ToLower(ext)
}

// describe is the kind of a document in words.
func describe(k kb.Key) string {
	if ext := extension(k); ext != "" {
		return kb.Printable(ext) + " files"
	}
	return "files of this kind"
}

func firstOf(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}

// bytesText is a size for people, in decimal units as vendors count: "5 MB", "5.2 MB".
func bytesText(n int64) string {
	units := []string{"bytes", "KB", "MB", "GB", "TB"}
	f, u := float64(n), 0
	for f >= 1000 && u < len(units)-1 {
		f, u = f/1000, u+1
	}
	s := strconv.FormatFloat(f, 'f', 1, 64)
	return strings.TrimSuffix(s, ".0") + " " + units[u]
}

// mediaTypes are those that vendors tell apart; all other text is text/plain.
var mediaTypes = map[string]string{
	".pdf":   "application/pdf",
	".doc":   "application/msword",
	".docx":  "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".xls":   "application/vnd.ms-excel",
	".xlsx":  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".ppt":   "application/vnd.ms-powerpoint",
	".pptx":  "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".eml":   "message/rfc822",
	".epub":  "application/epub+zip",
	".csv":   "text/csv",
	".tsv":   "text/tab-separated-values",
	".html":  "text/html",
	".htm":   "text/html",
	".json":  "application/json",
	".jsonl": "application/jsonl",
	".xml":   "application/xml",
}

func mediaType(ext string) string {
	if t, ok := mediaTypes[ext]; ok {
		return t
	}
	switch kinds[ext].family {
	case famMarkdown:
		return "text/markdown"
	case famText:
		return "text/plain"
	default:
		return "application/octet-stream"
	}
}
