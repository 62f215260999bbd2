package web

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxAddress is the longest address that is looked at, in bytes.
const maxAddress = 2000

// parseAddress reads a listed address and gives it in the one form in which it is compared, asked for and remembered.
func parseAddress(s string) (*url.URL, bool) {
	if len(s) > maxAddress {
		return nil, false
	}
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.Opaque != "" || u.User != nil {
		return nil, false
	}
	u = cleanAddress(u)
	return u, u.Hostname() != "" && len(u.String()) <= maxAddress
}

// cleanAddress drops what does not matter to a server: fragment, default port, dot segments, doubled slashes, the case of scheme and host.
func cleanAddress(u *url.URL) *url.URL {
	c := *u
	c.Fragment, c.RawFragment, c.User, c.ForceQuery = "", "", nil, false
	c.Host = strings.TrimRight(strings.ToLower(c.Host), ".")
	if p := c.Port(); (c.Scheme == "http" && p == "80") || (c.Scheme == "https" && p == "443") || (p == "" && strings.HasSuffix(c.Host, ":")) {
		c.Host = strings.TrimSuffix(c.Host, ":"+p)
	}
	c.RawQuery = escapeRest(c.RawQuery)
	return withPath(&c, cleanPath(escapeRest(c.EscapedPath())))
}

// cleanPath resolves dots and doubled slashes in an escaped path, and keeps a slash at its end.
func cleanPath(p string) string {
	clean := path.Clean("/" + p)
	if clean != "/" && (strings.HasSuffix(p, "/") || strings.HasSuffix(p, "/.") || strings.HasSuffix(p, "/..")) {
		clean += "/"
	}
	return clean
}

// withPath sets an escaped path.
func withPath(u *url.URL, escaped string) *url.URL {
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		return u
	}
	u.Path, u.RawPath = plain, escaped
	if (&url.URL{Path: plain}).EscapedPath() == escaped {
		u.RawPath = ""
	}
	return u
}

// escapeRest writes bytes that may not stand in an address as escapes, and all escapes in capitals.
func escapeRest(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c <= ' ' || c >= 0x7f:
			fmt.Fprintf(&b, "%%%02X", c)
		case c == '%' && i+2 < len(s):
			b.WriteString(strings.ToUpper(s[i : i+3]))
			i += 2
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// shown is an address for people: without a query, which may carry a token.
func shown(address string) string {
	bare, _, _ := strings.Cut(address, "?")
	return bare
}

// keyPath is the path of the document at a clean address: what the address says, decoded where that is unambiguous. It depends on
// nothing else, so that the same site gives the same keys when everything else is forgotten. host is the one that is left out.
func keyPath(u *url.URL, host string) string {
	var segments []string
	for s := range strings.SplitSeq(strings.Trim(u.EscapedPath(), "/"), "/") {
		segments = append(segments, decodeSegment(s))
	}
	p := strings.Join(segments, "/")
	if p == "" {
		p = "index"
	}
	if u.RawQuery != "" {
		p += "?" + u.RawQuery
	}
	if u.Host != host {
		p = u.Host + "/" + p
	}
	return p
}

// decodeSegment decodes what stands between two slashes, unless it would then be no text, or look like more than one segment.
func decodeSegment(s string) string {
	d, err := url.PathUnescape(s)
	if err != nil || !utf8.ValidString(d) || strings.ContainsAny(d, "/\x00") || d == "." || d == ".." {
		return s
	}
	return norm.NFC.String(d)
}

// notPages are extensions that links lead to and that are never documents.
var notPages = func() map[string]bool {
	m := map[string]bool{}
	for e := range strings.FieldsSeq("css js mjs map png jpg jpeg gif webp svg ico bmp avif tif tiff woff woff2 ttf otf eot mp3 mp4 m4a m4v mov avi webm ogg " +
		"wav flac mkv zip gz tgz bz2 xz zst 7z rar tar exe dmg msi deb rpm apk iso img jar whl bin wasm rss atom") {
		m["."+e] = true
	}
	return m
}()

// session is an identifier of a session in a path: each visitor would see another address.
var session = regexp.MustCompile(`(?i);(jsessionid|phpsessid|sid|sessionid)=|\(S\([a-z0-9]{16,}\)\)`)

// followable tells whether a crawl looks at a clean address at all, and why it does not.
func followable(u *url.URL) (why string, ok bool) {
	switch {
	case u.RawQuery != "":
		return "a crawl follows no address with a query", false
	case session.MatchString(u.Path):
		return "its path holds the identifier of a session", false
	case notPages[strings.ToLower(path.Ext(u.Path))]:
		return "its extension says that it is no page", false
	}
	return "", true
}

// below tells whether an address is on the same host as start and in its directory or deeper.
func below(start, u *url.URL) bool {
	dir := start.EscapedPath()
	dir = dir[:strings.LastIndexByte(dir, '/')+1]
	return u.Scheme == start.Scheme && u.Host == start.Host && strings.HasPrefix(u.EscapedPath(), dir)
}

var (
	loginName = regexp.MustCompile(`(?i)^(log-?in|sign-?in|auth|authenticate|authorize|sso|saml2?|oauth2?|wp-login)(\.[a-z]+)?$`)
	loginHost = regexp.MustCompile(`(?i)^(login|signin|accounts?|auth|sso|idp|id)\.`)
)

// toLogin tells whether a redirect leads to where one signs in. Below such a name there may be articles about signing in, but hardly those
// of another host.
func toLogin(from, to *url.URL) bool {
	if from.Host != to.Host && loginHost.MatchString(to.Host) {
		return true
	}
	return signsIn(to.Path, from.Host != to.Host) && !signsIn(from.Path, false)
}

// signsIn tells whether the last name of a path, or any of them, is one of where one signs in.
func signsIn(p string, anywhere bool) bool {
	names := strings.Split(strings.Trim(p, "/"), "/")
	if !anywhere {
		names = names[len(names)-1:]
	}
	return slices.ContainsFunc(names, loginName.MatchString) || strings.HasSuffix(strings.Trim(p, "/"), "session/new")
}
