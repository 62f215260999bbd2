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

const (
	placePath = "{path}"
	placePage = "{page}"

	// maxPublic bounds an address that is repeated in every link.
	maxPublic = 1000
)

// textPages are the extensions that {page} leaves out.
var textPages = map[string]bool{
	".md": true, ".markdown": true, ".mdx": true, ".mkd": true, ".mdown": true, ".qmd": true, ".rmd": true, ".ipynb": true,
	".rst": true, ".adoc": true, ".asciidoc": true, ".org": true, ".html": true, ".htm": true,
}

// CheckPublicURL tells what is wrong with an address from a configuration and what to write instead; "" when nothing is. None of its
// words repeat the address, which may hold a password by mistake.
func CheckPublicURL(s string) (msg, hint string) {
	const example = "write, for example, https://docs.example.com/ or https://docs.example.com/{page}"
	bare := strings.Replace(s, placePath, "path", 1)
	if bare == s {
		bare = strings.Replace(s, placePage, "path", 1)
	}
	switch {
	case s == "":
		return "", ""
	case len(s) > maxPublic:
		return "is longer than any address of documents", example
	case strings.ContainsAny(bare, "{}"):
		return "may hold {path} or {page}, once, and no other braces", example
	case strings.ContainsFunc(bare, notInAddress):
		return "holds a character that no address has", "write it with %, for example %20 for a space"
	}
	u, err := url.Parse(bare)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return "must be an http or https address", example
	case u.User != nil:
		return "must not hold a user or a password", "agents would tell them to everybody; write the address that readers use"
	case strings.Contains(s, "#"):
		return "must not hold a fragment", "leave out # and what follows it"
	case strings.ContainsAny(hostOf(s), "{}"):
		return "holds {path} or {page} in the name of the host", "put it behind the host: " + example
	case u.RawQuery != "" && bare == s:
		return "has a query, behind which no path can be added", "put {path} in the place of the path"
	}
	return "", ""
}

// hostOf is what stands between the scheme and the path.
func hostOf(s string) string {
	_, rest, _ := strings.Cut(s, "://")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	return rest[:end]
}

// notInAddress tells what stands in no address and could end one in a text.
func notInAddress(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"'<>\\^`|()", r)
}

// Of is the public address of the document with a path inside the source; "" without a public address.
func (p PublicURL) Of(docPath string) string {
	if p == "" {
		return ""
	}
	s := string(p)
	if before, after, ok := strings.Cut(s, placePath); ok {
		return place(before, docPath, after)
	}
	if before, after, ok := strings.Cut(s, placePage); ok {
		at := page(docPath)
		if strings.HasPrefix(after, ".") && (at == "" || strings.HasSuffix(at, "/")) {
			at += "index" // of a directory, where pages are files
		}
		return place(before, at, after)
	}
	return place(strings.TrimSuffix(s, "/")+"/", docPath, "")
}

// place puts a path between the ends of an address. Where that is a query, what divides values there is escaped as well.
func place(before, docPath, after string) string {
	docPath = escapePath(docPath)
	if strings.Contains(before, "?") {
		docPath = inQuery.Replace(docPath)
	} else if docPath == "" || strings.HasSuffix(docPath, "/") {
		after = strings.TrimPrefix(after, "/")
	}
	return before + docPath + after
}

var inQuery = strings.NewReplacer("&", "%26", "+", "%2B", ";", "%3B", "=", "%3D")

// Resolve makes a reference that stands in a document absolute: it is relative to the document, and with a slash in front to the
// root of the source. What is no relative reference, a mere fragment, what a site generator is still to fill in (it has braces), and what
// leaves the source stay as they are.
func (p PublicURL) Resolve(docPath, ref string) string {
	at, query, fragment := splitRef(ref)
	if p == "" || at == "" || !relative(at) || strings.ContainsAny(ref, "{}") {
		return ref
	}
	if plain, err := url.PathUnescape(at); err == nil {
		at = plain
	}
	dir := strings.HasSuffix(at, "/") || strings.HasSuffix(at, "/.") || strings.HasSuffix(at, "/..") || at == "." || at == ".."
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
	if dir && at != "" {
		at += "/"
	}
	to := p.Of(at)
	if query != "" {
		if strings.Contains(to, "?") {
			query = "&" + query[1:]
		}
		to += escapeRest(query)
	}
	return to + escapeRest(fragment)
}

// splitRef divides a reference into its path, its query with the question mark, and its fragment with the number sign.
func splitRef(ref string) (at, query, fragment string) {
	if i := strings.IndexByte(ref, '#'); i >= 0 {
		ref, fragment = ref[:i], ref[i:]
	}
	if i := strings.IndexByte(ref, '?'); i >= 0 {
		ref, query = ref[:i], ref[i:]
	}
	return ref, query, fragment
}

// relative tells a path without scheme and host. A backslash makes it a path of another system, which means no address.
func relative(at string) bool {
	if strings.HasPrefix(at, "//") || strings.ContainsAny(at, "\\\x00") {
		return false
	}
	first, _, _ := strings.Cut(at, "/")
	return !strings.Contains(first, ":")
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

// escapeRest writes what stands in no address with %; what is written so already stays.
func escapeRest(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || notInAddress(rune(c)) || c == '%' && !escaped(s[i:]) {
			const digits = "0123456789ABCDEF"
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// escaped tells a character that is written with %.
func escaped(s string) bool {
	const hex = "0123456789abcdefABCDEF"
	return len(s) > 2 && strings.IndexByte(hex, s[1]) >= 0 && strings.IndexByte(hex, s[2]) >= 0
}
