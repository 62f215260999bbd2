package article

import (
	"strings"

	"golang.org/x/net/html"
)

// judgement of an element of a page that is reduced to its content.
type judgement int

const (
	keep  judgement = iota
	doubt           // goes unless it holds a good part of the content
	noise           // goes
)

var (
	// anchors stand beside headings and link to them.
	anchors = set("headerlink header-anchor hash-link anchorjs-link permalink paralink heading-anchor copiable-link copyable-link self-link " +
		"sl-anchor-link heading-link direct-link td-heading-self-link anchor-heading doc-anchor sd-octicon")
	// noisy classes are those that generators and themes give to what is never content.
	noisy = set("theme-doc-breadcrumbs theme-doc-toc-mobile theme-doc-toc-desktop theme-doc-version-badge theme-doc-footer theme-edit-this-page " +
		"pagination-nav table-of-contents md-content__button md-source-file md-feedback md-sidebar md-footer " +
		"viewcode-link viewcode-back sphinxsidebar wy-breadcrumbs rst-breadcrumbs-buttons rst-footer-buttons rst-versions prev-next-area bd-sidebar bd-sidebar-secondary " +
		"bd-header-article bd-footer-article bd-footer-content article-header-buttons content-icon-container related-information " +
		"VPDocFooter VPDocAside VPSidebar VPLocalNav VPNav page-edit page-nav page-meta " +
		"nav-wrapper nav-chapters out-of-band src srclink srcRight notable-traits-tooltip copy-path sub-nav table-tabs skip-nav " +
		"navheader navfooter spirit-nav navigation-header breadcrumb breadcrumbs breadcrumb-nav toc-macro page-metadata " +
		"td-page-meta td-toc feedback--prompt feedback--response feedback--answer feedback--link " +
		"sharedaddy jp-relatedposts post-navigation posts-navigation nav-links comments-area comment-respond wp-block-post-navigation-link entry-meta-share " +
		"article-votes article-relatives article-more-questions article-comments article-subscribe article-share article-return-to-top recent-articles related-articles " +
		"intercom-reaction-picker related_articles mw-editsection mw-jump-link navbox printfooter catlinks noprint secedit docInfo " +
		"PageThumbs rm-PageThumbs rm-Pagination UpdatedAt ttc linenos lineno linenodiv gutter line-numbers-rows lnt rouge-gutter hljs-ln-numbers " +
		"linenumber react-syntax-highlighter-line-number blob-num line-numbers-wrapper copybtn copy-button copy-btn clipboard-btn copy-code-button btn-clipboard " +
		"skip-link skiplink skip-to-content skip-nav-link footnote-backref prev-next previous-next pager dont-index api-tag edit-link edit-page edit-this-page " +
		"last-updated addthis social-share share-buttons newsletter cookie-banner modal modal-dialog lang-selector nav-panel")
	// doubtful classes are at times names of content.
	doubtful = set("toc TOC tocify table-of-content contents shortcontents related pagination nav navigation navbar menu-bar sidebar-nav feedback helpful rating share social " +
		"comments breadcrumb-container list-of-tables list-of-figures list-of-examples")
	// noisyNames are elements that are never content, whatever they are called, and noisyRoles what they may be marked as.
	noisyNames = set("nav dialog button input select datalist textarea meta link base")
	noisyRoles = set("navigation dialog alertdialog search menu menubar toolbar tablist")
	// frameNames and frameRoles are what surrounds the content of a page.
	frameNames = set("header footer aside")
	frameRoles = set("banner contentinfo complementary")
	// consents are how the common banners about cookies call themselves.
	consents = []string{"cookie-banner", "cookie-consent", "cookie-notice", "cookieconsent", "cookiebanner", "onetrust", "cybotcookiebot", "gdpr-"}
	// onlyHeard are classes of text for those who hear a page.
	onlyHeard = set("sr-only visually-hidden visuallyhidden screen-reader-text screen-reader-only assistive-text sr-hidden a11y-hidden")
	headings  = set("h1 h2 h3 h4 h5 h6")
	// notes are classes of what stands beside the text and belongs to it.
	notes = set("footnote footnotes admonition note callout alert starlight-aside sidebar topic marginnote tip warning")
)

// surrounds tells what is around the content of a page or in its way, whatever it is called.
func surrounds(n *html.Node) bool { return judge(n) == noise }

// frames tells what surrounds the content of a page that does not mark it.
func frames(n *html.Node) bool { return surrounds(n) || isFrame(n) }

func isFrame(n *html.Node) bool {
	return frameRoles[attr(n, "role")] || frameNames[n.Data] && within(n, func(p *html.Node) bool {
		return p.Data == "main" || p.Data == "article" || p.Data == "section"
	}) == nil
}

// judge judges what may stand anywhere.
func judge(n *html.Node) judgement {
	role := attr(n, "role")
	switch {
	case noisyNames[n.Data] && !isPanel(n), noisyRoles[role], attr(n, "aria-modal") == "true":
		return noise
	case unseen[n.Data]:
		return noise
	}
	name := attr(n, "class")
	switch {
	case name == "" || isHeading(n):
	case hasClass(n, noisy) || hasClass(n, anchors):
		return noise
	case hasClass(n, onlyHeard) && n.Data != "caption" && n.Data != "th":
		return noise
	case hasClass(n, doubtful):
		return doubt
	}
	return judgeHidden(n, strings.ToLower(attr(n, "id")+" "+name))
}

// judgeHidden judges what is not shown at first, what is filled in, and what asks about cookies.
func judgeHidden(n *html.Node, name string) judgement {
	style := strings.ToLower(strings.ReplaceAll(attr(n, "style"), " ", ""))
	switch {
	case isPanel(n) || n.Data == "body" || n.Data == "html":
		return keep
	case n.Data == "form", has(n, "hidden") && attr(n, "hidden") != "false", attr(n, "aria-hidden") == "true",
		strings.Contains(style, "display:none"), strings.Contains(style, "visibility:hidden"):
		return doubt
	case strings.Contains(strings.ToLower(attr(n, "aria-label")), "cookie"), strings.Contains(strings.ToLower(attr(n, "aria-label")), "breadcrumb"):
		return doubt
	}
	for _, c := range consents {
		if strings.Contains(name, c) {
			return doubt
		}
	}
	return keep
}
