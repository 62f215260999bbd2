package web

import (
	"regexp"
	"strings"
)

// rule is what lists an address. Where several do, the first one counts.
type rule uint8

const (
	byURLs rule = iota
	bySitemap
	byLink
)

func (r rule) String() string {
	switch r {
	case byURLs:
		return "urls"
	case bySitemap:
		return "sitemap"
	default:
		return "crawl"
	}
}

// crawler is the name of one that a directive of robots may begin with.
var crawler = regexp.MustCompile(`^[a-z0-9_*-]+$`)

// robotsForbid tells whether an X-Robots-Tag forbids to index. What follows the name of a crawler is for that one only.
func robotsForbid(tag string) bool {
	others := false
	for directive := range strings.SplitSeq(strings.ToLower(tag), ",") {
		directive = strings.TrimSpace(directive)
		name, rest, named := strings.Cut(directive, ":")
		switch {
		case named && (strings.HasPrefix(name, "max-") || name == "unavailable_after"):
			continue
		case named && crawler.MatchString(name):
			others, directive = name != "*" && name != "kbsyncd", strings.TrimSpace(rest)
		}
		if !others && (directive == "noindex" || directive == "none") {
			return true
		}
	}
	return false
}
