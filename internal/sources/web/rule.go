package web

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
