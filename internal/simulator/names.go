package simulator

import (
	"path"
	"regexp"
	"strconv"
	"strings"
)

const maxNameTries = 1000 // numbers tried for a taken name

var (
	chunkMethods = strings.Fields("naive manual qa table paper book laws presentation picture one email tag")

	// What an upload accepts, by extension.
	documentExtensions = set("pdf msg eml doc docx ppt pptx yml xml htm html json jsonl ldjson csv txt ini xls xlsx " +
		"wps rtf hlp pages numbers key md mdx py js java c cpp h php go ts sh cs kt sql")
	audioExtensions  = set("wav flac mp3 aac ogg opus")
	visualExtensions = set("jpg jpeg png tif gif svg webp mp4 avi mov")

	// What each chunk method can parse. Methods that are not here parse everything that was routed to them.
	parsable = map[string]map[string]bool{
		"naive": set("docx pdf csv xls xlsx txt py js java c cpp h php go ts sh cs kt sql md markdown mdx htm html json " +
			"jsonl ldjson doc"),
		"qa":           set("xlsx xls csv txt"),
		"table":        set("xlsx xls csv txt"),
		"manual":       set("pdf"),
		"paper":        set("pdf"),
		"book":         set("docx pdf txt"),
		"laws":         set("docx pdf txt"),
		"presentation": set("pdf ppt pptx pages"),
		"one":          set("docx xlsx xls pdf txt"),
		"tag":          set("xlsx csv txt"),
		"email":        set("msg eml"),
		"picture":      visualExtensions,
		"audio":        audioExtensions,
	}

	numbered = regexp.MustCompile(`^(.*?)\((\d+)\)$`)
)

func set(words string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		out[w] = true
	}
	return out
}

// extension is the lower-case extension of a name without its dot.
func extension(name string) string { return strings.TrimPrefix(strings.ToLower(path.Ext(name)), ".") }

func uploadable(ext string) bool {
	return documentExtensions[ext] || audioExtensions[ext] || visualExtensions[ext]
}

// routedMethod is the chunk method that a new document gets in a dataset with that method.
func routedMethod(ext, method string) string {
	switch {
	case visualExtensions[ext]:
		return "picture"
	case audioExtensions[ext]:
		return "audio"
	case ext == "ppt" || ext == "pptx" || ext == "pages":
		return "presentation"
	case ext == "msg" || ext == "eml":
		return "email"
	}
	return method
}

// fixedMethod tells whether the chunk method of a document cannot be changed.
func fixedMethod(ext string) bool {
	return visualExtensions[ext] || ext == "ppt" || ext == "pptx" || ext == "pages"
}

// uniqueName numbers a taken name: a.txt becomes a(1).txt, and a(1).txt becomes a(2).txt. It gives up after a thousand
// tries.
func uniqueName(name string, taken func(string) bool) (unique string, ok bool) {
	for range maxNameTries {
		if !taken(name) {
			return name, true
		}
		ext := path.Ext(name)
		stem, n := strings.TrimSuffix(name, ext), 0
		if m := numbered.FindStringSubmatch(stem); m != nil {
			stem = m[1]
			n, _ = strconv.Atoi(m[2])
		}
		name = stem + "(" + strconv.Itoa(n+1) + ")" + ext
	}
	return name, false
}
