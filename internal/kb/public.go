package kb

import (
	"net/url"
	"path"
	"strings"
)

// PublicURL says where readers find the documents of a source: an http or https address that the path of a document is
// added to, or one with {path}, or {page}, in the place of the path. {page} is the path as most site generators publish
// it: without the extension of a text, and without a last element index or README.
type PublicURL string

// textPages are the extensions that {page} leaves out.
var textPages = map[string]bool{".md": true, ".markdown": true, ".mdx": true, ".rst": true, ".adoc": true, ".asciidoc": true, ".org": true, ".html": true, ".htm": true}

// Of is the public address of the document with a path inside the source; "" without a public address.
func (p PublicURL) Of(docPath string) string {
	if p == "" {
		return ""
	}
	s := string(p)
	switch {
	case strings.Contains(s, "{path}"):
		return strings.Replace(s, "{path}", escapePath(docPath), 1)
	case strings.Contains(s, "{page}"):
		return strings.Replace(s, "{page}", escapePath(page(docPath)), 1)
	}
	return strings.TrimSuffix(s, "/") + "/" + escapePath(docPath)
}

// Resolve makes a reference that stands in a document absolute. What is no relative reference, a mere fragment and what
// leaves the source stay as they are.
func (p PublicURL) Resolve(docPath, ref string) string {
	if p == "" || ref == "" || ref[0] == '#' || ref[0] == '?' {
		return ref
	}
	u, err := url.Parse(ref)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || u.Path == "" {
		return ref
	}
	at := u.Path
	if strings.HasPrefix(at, "/") {
		at = strings.TrimLeft(path.Clean(at), "/")
	} else {
		at = path.Join(path.Dir(docPath), at)
	}
	if at == ".." || strings.HasPrefix(at, "../") {
		return ref
	}
	if at == "." {
		at = ""
	}
	to := p.Of(at)
	if strings.HasSuffix(u.Path, "/") && !strings.HasSuffix(to, "/") {
		to += "/"
	}
	if u.RawQuery != "" {
		to += "?" + u.RawQuery
	}
	if u.Fragment != "" {
		to += "#" + u.EscapedFragment()
	}
	return to
}

// page is the path under which a site generator publishes a text; other files keep theirs.
func page(docPath string) string {
	ext := path.Ext(docPath)
	if !textPages[strings.ToLower(ext)] {
		return docPath
	}
	docPath = strings.TrimSuffix(docPath, ext)
	dir, last := path.Split(docPath)
	if l := strings.ToLower(last); l == "index" || l == "readme" {
		return dir
	}
	return docPath
}

func escapePath(s string) string { return (&url.URL{Path: s}).EscapedPath() }
