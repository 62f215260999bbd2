package htmlmd

import (
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// tidy rewrites the tree below n, so that what is left in it is to be written as it stands.
func tidy(n *html.Node) {
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		if c.Type == html.ElementNode {
			tidyElement(c)
		}
		c = next
	}
}

func tidyElement(n *html.Node) {
	if isGutter(n) {
		n.Parent.RemoveChild(n)
		return
	}
	if n.Data == "pre" {
		return
	}
	tidy(n)
	switch n.Data {
	case "a":
		tidyLink(n)
	case "img":
		tidyImage(n)
	case "sup", "sub":
		tidyScript(n)
	case "q":
		n.InsertBefore(&html.Node{Type: html.TextNode, Data: "“"}, n.FirstChild)
		n.AppendChild(&html.Node{Type: html.TextNode, Data: "”"})
		retag(n, "span")
	}
}

func retag(n *html.Node, name string) {
	n.Data, n.DataAtom, n.Attr = name, atom.Lookup([]byte(name)), nil
}

func hasBlock(n *html.Node) bool {
	return first(n, func(e *html.Node) bool { return blocks[e.Data] }) != nil
}

// isGutter tells the line numbers beside a listing.
func isGutter(n *html.Node) bool {
	for c := range strings.FieldsSeq(attr(n, "class")) {
		switch c {
		case "linenos", "lineno", "linenodiv", "gutter", "line-numbers-rows", "headerlink", "anchorjs-link":
			return true
		}
	}
	return false
}

// tidyLink drops links that say nothing, such as the sign beside a heading that links to it, and keeps of those that
// lead nowhere only the text. A link around blocks moves to the first of them that has text.
func tidyLink(a *html.Node) {
	href := strings.TrimSpace(attr(a, "href"))
	text := strings.TrimSpace(textOf(a))
	hasImage := first(a, func(n *html.Node) bool { return n.Data == "img" }) != nil
	switch lower := strings.ToLower(href); {
	case !hasImage && strings.Trim(text, "¶§#🔗 ") == "" && (text == "" || strings.Contains(href, "#")):
		retag(a, "span")
		for a.FirstChild != nil {
			a.RemoveChild(a.FirstChild)
		}
	case href == "" || href == "#" || strings.HasPrefix(lower, "javascript:") || strings.HasPrefix(lower, "data:"):
		retag(a, "span")
		if hasBlock(a) {
			retag(a, "div")
		}
	case hasBlock(a):
		link := &html.Node{Type: html.ElementNode, Data: "a", DataAtom: atom.A, Attr: []html.Attribute{{Key: "href", Val: href}}}
		retag(a, "div")
		at := a
		for next := a; next != nil; {
			at = next
			next = first(at, func(n *html.Node) bool { return blocks[n.Data] && strings.TrimSpace(textOf(n)) != "" })
		}
		if at == a || at.Data == "pre" || tablePart[at.Data] || lists[at.Data] || hasBlock(at) {
			return
		}
		for at.FirstChild != nil {
			c := at.FirstChild
			at.RemoveChild(c)
			link.AppendChild(c)
		}
		at.AppendChild(link)
	default:
		a.Attr = []html.Attribute{{Key: "href", Val: href}}
	}
}

// tidyImage keeps images that say what they show. Those that are in the page itself leave only what is said.
func tidyImage(img *html.Node) {
	alt, src := oneLine(attr(img, "alt")), strings.TrimSpace(attr(img, "src"))
	switch {
	case alt == "":
		replace(img, &html.Node{Type: html.TextNode, Data: ""})
	case src == "" || strings.HasPrefix(strings.ToLower(src), "data:"):
		replace(img, &html.Node{Type: html.TextNode, Data: alt})
	default:
		img.Attr = []html.Attribute{{Key: "alt", Val: alt}, {Key: "src", Val: src}}
	}
}

// raised and lowered are the digits and signs that Unicode has above and below the line.
var (
	raised = strings.NewReplacer("0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴", "5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹",
		"+", "⁺", "-", "⁻", "−", "⁻", "=", "⁼", "(", "⁽", ")", "⁾", "n", "ⁿ", "i", "ⁱ")
	lowered = strings.NewReplacer("0", "₀", "1", "₁", "2", "₂", "3", "₃", "4", "₄", "5", "₅", "6", "₆", "7", "₇", "8", "₈", "9", "₉",
		"+", "₊", "-", "₋", "−", "₋", "=", "₌", "(", "₍", ")", "₎")
)

// tidyScript keeps 10² and 102 apart.
func tidyScript(n *html.Node) {
	sup := n.Data == "sup"
	text := strings.TrimSpace(textOf(n))
	retag(n, "span")
	if text == "" || len(text) > 12 || first(n, func(*html.Node) bool { return true }) != nil {
		return
	}
	by := lowered.Replace(text)
	if sup {
		by = raised.Replace(text)
	}
	if strings.ContainsFunc(by, func(r rune) bool { return r < 0x80 }) {
		return
	}
	replace(n, &html.Node{Type: html.TextNode, Data: by})
}

// languageName is how a language may be written behind a fence.
var languageName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+#._-]{0,19}$`)

// languageClass is what generators of pages put before the name of a language.
var languageClass = []string{"language-", "lang-", "highlight-source-", "highlight-text-", "highlight-", "brush:"}

// language is the language of a listing, as the classes of it, of its code or of the box around it tell.
func language(pre *html.Node) string {
	candidates := []*html.Node{pre}
	if c := first(pre, func(n *html.Node) bool { return n.Data == "code" }); c != nil {
		candidates = append(candidates, c)
	}
	for p, up := pre.Parent, 0; p != nil && up < 2; p, up = p.Parent, up+1 {
		candidates = append(candidates, p)
	}
	for i, n := range candidates {
		class := strings.ReplaceAll(attr(n, "class"), "brush: ", "brush:")
		fields := strings.Fields(class)
		for j, f := range fields {
			for _, prefix := range languageClass {
				if name, ok := strings.CutPrefix(f, prefix); ok && languageName.MatchString(name) && name != "default" && name != "none" && name != "notranslate" {
					return name
				}
			}
			if f == "sourceCode" && i < 2 && j+1 < len(fields) && languageName.MatchString(fields[j+1]) { // pandoc
				return fields[j+1]
			}
		}
	}
	return ""
}

// codeOf is the text of a listing.
func codeOf(pre *html.Node) string {
	var b strings.Builder
	writeCode(&b, pre)
	return strings.TrimRight(strings.TrimPrefix(b.String(), "\n"), " \t\n")
}

func writeCode(b *strings.Builder, n *html.Node) {
	switch {
	case n.Type == html.TextNode:
		b.WriteString(n.Data)
	case n.Data == "br":
		b.WriteByte('\n')
	case isGutter(n):
		return
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		writeCode(b, c)
	}
	if (n.Data == "div" || n.Data == "p" || n.Data == "li") && b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") {
		b.WriteByte('\n')
	}
}
