package article

import (
	"strings"
	"sync"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"
)

// generator is a program that makes websites, and where it puts the content of a page.
type generator struct {
	name    string
	meta    string // what the words that name it in the page's head begin with, in lower case, each of which tells it
	signs   string // classes and ids of which each alone tells it
	content string // selectors of the container of the content, the best first, parted by ";"
	title   string // selector of the title where that is outside of the content
	drop    string // classes and names of elements in the content that are none of it, for names too common for every page
}

// generators are tried in this order, so that those come first whose pages may look like those of another.
var generators = []generator{
	{"Docusaurus", "docusaurus", "#__docusaurus .theme-doc-markdown", "article .theme-doc-markdown; main article; main", "article header h1", ""},
	{"MkDocs Material", "", ".md-content__inner", "article.md-content__inner; .md-content", "", ""},
	{"VitePress", "vitepress", ".VPDoc .vp-doc", ".VPDoc .vp-doc; main .vp-doc; .VPContent main", "", "lang"},
	{"VuePress", "vuepress", ".theme-default-content", ".theme-default-content; [vp-content]", "", ""},
	{"Starlight", "starlight", ".sl-markdown-content", "main .sl-markdown-content", "main h1", ""},
	{"Sphinx", "", ".documentwrapper .wy-nav-content #furo-main-content .bd-article-container .bd-article",
		"#furo-main-content; article.bd-article; .bd-article; [itemprop=articleBody]; .rst-content [role=main]; .documentwrapper div.body; .rst-content", "", ""},
	{"MkDocs", "mkdocs", ".wm-page-content", ".wm-page-content; .rst-content .section; [role=main]", "", ""},
	{"mdBook", "", "#menu-bar-hover-placeholder #menu-bar_hover_placeholder #menu-bar-sticky-container", "#content main; #content", "", ""},
	{"rustdoc", "rustdoc", ".rustdoc", "#main-content; main", "", "hideme test-arrow"},
	{"Javadoc", "javadoc", ".class-declaration-page .package-declaration-page .contentContainer .module-declaration-page", "main; .contentContainer", ".header .title", ""},
	{"Doxygen", "doxygen", ".headertitle", "#doc-content .contents; div.contents", ".headertitle .title", ""},
	{"DocBook", "docbook", ".navheader .refentry", "#docContent; body", "", ""},
	{"Antora", "antora", ".toc-menu .nav-panel-explore", "article.doc", "", ""},
	{"AsciiDoc", "asciidoc", "", "body", "", "footer footer-text"},
	{"Texinfo", "texi2any makeinfo texinfo", "", "body", "", "header nav-panel node"},
	{"pkgdown", "pkgdown", ".template-article .template-reference-topic .template-home", "main#main; .contents; #main", "", ""},
	{"TypeDoc", "typedoc", ".tsd-page-title", ".col-content; .col-8", "", ""},
	{"GitBook", "gitbook", ".book-summary", ".page-inner section.normal; .markdown-section; main", "", ""},
	{"Zendesk", "", ".article-votes .article-relatives .article-info .hc-article", "article .article-body; .article-body", "h1.article-title; .article-title; .article-header h1", ""},
	{"Intercom", "intercom", ".intercom-force-break .intercom-interblocks", ".intercom-force-break article; article .article_body; article; .article_body", "h1", ""},
	{"Help Scout", "", "#fullArticle", "#fullArticle", "#fullArticle h1", ""},
	{"Confluence", "", ".wiki-content #com-atlassian-confluence", "#main-content.wiki-content; .wiki-content; #main-content", "#title-text", ""},
	{"ReadMe", "readme", ".rm-Article .rm-Markdown", ".rm-Article .rm-Markdown; .rm-Markdown; .rm-Article", ".rm-Article h1", ""},
	{"MediaWiki", "mediawiki", ".mw-parser-output", "#mw-content-text .mw-parser-output; #mw-content-text", "#firstHeading", ""},
	{"DokuWiki", "dokuwiki", "#dokuwiki__content", "#dokuwiki__content .page; #dokuwiki__content", "", ""},
	{"Docsy", "", ".td-content", ".td-content", "", ""},
	{"Hugo", "hugo", "#R-body-inner .book-page", ".book-page article; #R-body-inner article; #body-inner; article; main", "", ""},
	{"Just the Docs", "", "#main-content-wrap", "#main-content; .main-content", "", ""},
	{"WordPress", "wordpress", ".wp-block-post-content .entry-content", "article .entry-content; .entry-content; .wp-block-post-content", "h1.entry-title; .wp-block-post-title", ""},
	{"GitHub", "", ".markdown-body", ".markdown-body", "", ""},
	{"Mintlify", "mintlify", ".mdx-content", ".mdx-content; #content-area", "#page-title", ""},
}

// compiled are the selectors of the generators.
var compiled = sync.OnceValue(func() [][2][]cascadia.Sel {
	all := make([][2][]cascadia.Sel, len(generators))
	for i, g := range generators {
		for j, list := range []string{g.content, g.title} {
			for s := range strings.SplitSeq(list, ";") {
				if s = strings.TrimSpace(s); s != "" {
					sel, err := cascadia.Parse(s)
					if err != nil {
						panic("article: the selector " + s + " of " + g.name + ": " + err.Error()) // a test compiles them all
					}
					all[i][j] = append(all[i][j], sel)
				}
			}
		}
	}
	return all
})

// made finds what made a page and where in it the content is.
func (h *head) made(root *html.Node) (c content) {
	for i, g := range generators {
		if !h.madeBy(g) {
			continue
		}
		for _, s := range compiled()[i][0] {
			if found := outermost(root, s.Match); len(found) == 1 && letters(found[0], nil) > 0 {
				return content{node: found[0], title: titleBy(root, compiled()[i][1]), way: g.name, drop: set(g.drop)}
			}
		}
	}
	return content{}
}

func titleBy(root *html.Node, selectors []cascadia.Sel) *html.Node {
	for _, s := range selectors {
		if n := first(root, s.Match); n != nil {
			return n
		}
	}
	return nil
}

func (h *head) madeBy(g generator) bool {
	for name := range strings.FieldsSeq(g.meta) {
		if strings.Contains(h.generator, " "+name) {
			return true
		}
	}
	for sign := range strings.FieldsSeq(g.signs) {
		if h.classes[sign] {
			return true
		}
	}
	return false
}
