package htmlmd

import (
	"bytes"
	"context"
	"io"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"kbsyncd/internal/convert/markup"
)

const (
	maxNodes   = 1 << 20 // about 200 MB of tree
	maxIndents = 12      // lists and quotations within each other: each one indents every line in it
	maxAttr    = 4 << 10 // bytes of an attribute that count
)

// page is what a file of HTML holds.
type page struct {
	root    *html.Node // a div
	title   string     // of <title>
	ogTitle string     // of the Open Graph
}

// What a start tag does to the elements that are open. Elements that are in none of these sets have no meaning for
// the text: their content stands for itself.
var (
	void = set("br hr img wbr input")
	// blocks end an open paragraph.
	blocks = set("address article aside blockquote center details dialog dir div dl dt dd fieldset figcaption figure footer form header hgroup " +
		"main menu nav ol p pre section summary ul li h1 h2 h3 h4 h5 h6 table caption thead tbody tfoot tr td th")
	inlines   = set("a abbr b button code del em i kbd label q s samp span strike strong sub sup tt var")
	tableRows = set("thead tbody tfoot tr")
	tablePart = set("caption thead tbody tfoot tr td th")
	headings  = set("h1 h2 h3 h4 h5 h6")
	lists     = set("ul ol menu dir")
	indents   = set("ul ol menu dir blockquote")
	// barriers are what an end tag does not reach through.
	barriers = set("table td th caption")
	// skipped elements are left out with all they hold.
	skipped = set("script style template noscript iframe noembed noframes textarea select datalist svg canvas audio video object applet " +
		"annotation annotation-xml")
	// attributes that the text or the choice of what to keep depends on.
	kept = set("href src alt title class id role hidden style start align colspan rowspan aria-hidden aria-label aria-modal")
	// renamed elements mean the same.
	renamed = map[string]string{"image": "img", "menu": "ul", "dir": "ul", "xmp": "pre", "listing": "pre", "plaintext": "pre"}
)

func set(names string) map[string]bool {
	m := make(map[string]bool)
	for n := range strings.FieldsSeq(names) {
		m[n] = true
	}
	return m
}

// builder makes the tree from tokens. Its stack holds the open elements, the root first.
type builder struct {
	page
	z       *html.Tokenizer
	xml     bool // <x/> is a whole element
	stack   []*html.Node
	text    strings.Builder // not yet in the tree
	open    map[string]int  // how many elements of each name are on the stack
	nodes   int
	bytes   int64          // of text, but for blanks between elements
	indents int            // open elements of indents
	depth   int            // the most open elements
	beyond  map[string]int // open elements that are too deep to be in the tree
	fixed   bool           // within pre
	full    bool           // every element and attribute is kept: see Tree
	body    bool           // full, and the body has begun
}

// parse builds the tree of src, which is UTF-8.
func parse(ctx context.Context, src []byte, l markup.Limits) (*page, error) {
	return newBuilder(src, l).build(ctx, l)
}

func newBuilder(src []byte, l markup.Limits) *builder {
	root := &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div}
	head := src[:min(len(src), 1024)]
	b := &builder{
		page: page{root: root}, z: html.NewTokenizer(bytes.NewReader(src)), stack: []*html.Node{root},
		xml:   bytes.Contains(head, []byte("<?xml")) || bytes.Contains(head, []byte("http://www.w3.org/1999/xhtml")),
		depth: max(l.Depth, 8), beyond: make(map[string]int), open: make(map[string]int),
	}
	b.z.SetMaxBuf(int(l.Output)) // of one token, which it copies
	return b
}

func (b *builder) build(ctx context.Context, l markup.Limits) (*page, error) {
	for i := 0; ; i++ {
		if i%4096 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		switch b.z.Next() {
		case html.ErrorToken:
			if err := b.z.Err(); err != io.EOF { //nolint:errorlint // the tokenizer gives io.EOF itself
				return nil, tooLarge("the page cannot be read: %v", err)
			}
			b.flush()
			return &b.page, nil
		case html.TextToken:
			text := b.z.Text()
			if b.bytes += int64(len(bytes.TrimSpace(text))); b.bytes > l.Output {
				return nil, tooLarge("its text is larger than %d MB", l.Output>>20)
			}
			b.text.Write(text)
		case html.StartTagToken:
			b.start(b.tag(false))
		case html.SelfClosingTagToken:
			b.start(b.tag(true))
		case html.EndTagToken:
			name, _ := b.z.TagName()
			b.end(rename(string(name)))
		}
		if b.nodes > maxNodes {
			return nil, tooLarge("the page has more than %d elements", maxNodes)
		}
	}
}

func rename(name string) string {
	if to, ok := renamed[name]; ok {
		return to
	}
	return name
}

// tag is a start tag.
type tag struct {
	name   string
	attrs  []html.Attribute
	closed bool // it is the whole element
}

func (b *builder) tag(closed bool) tag {
	raw, more := b.z.TagName()
	t := tag{name: string(raw), closed: closed && b.xml}
	meta := t.name == "meta"
	for n := 0; more && n < 100; n++ {
		var k, v []byte
		k, v, more = b.z.TagAttr()
		if len(v) <= maxAttr && (b.full || kept[string(k)] || meta && (string(k) == "property" || string(k) == "content")) {
			t.attrs = append(t.attrs, html.Attribute{Key: string(k), Val: cleanText(string(v))})
		}
	}
	if t.closed {
		b.z.NextIsNotRawText()
	}
	b.nodes += len(t.attrs) / 4 // an attribute is a quarter of an element
	return t
}

// start takes a start tag.
func (b *builder) start(t tag) {
	if b.full && b.startFull(t) {
		return
	}
	switch {
	case t.name == "title" && b.title == "" && !t.closed:
		if b.z.Next() == html.TextToken {
			b.title = string(b.z.Text())
		}
		return
	case t.name == "meta":
		if b.ogTitle == "" && strings.EqualFold(attrOf(t.attrs, "property"), "og:title") {
			b.ogTitle = attrOf(t.attrs, "content")
		}
		return
	case skipped[t.name]:
		if !t.closed {
			b.skip(t.name)
		}
		return
	}
	t.name = rename(t.name)
	if !b.known(t.name) || tablePart[t.name] && b.open["table"] == 0 {
		return
	}
	b.flush()
	b.imply(t.name)
	if void[t.name] {
		if t.name != "wbr" && (t.name != "input" || b.full) {
			b.put(t.node())
		}
		return
	}
	if len(b.stack) >= b.depth || indents[t.name] && b.indents >= maxIndents {
		if !t.closed && len(b.beyond) < 1000 {
			b.beyond[t.name]++
		}
		return
	}
	if (t.name == "td" || t.name == "th") && b.top().Data != "tr" {
		b.push((&tag{name: "tr"}).node())
	}
	b.push(t.node())
	if t.closed {
		b.pop(len(b.stack) - 1)
	}
	if t.name == "pre" {
		b.fixed = true
	}
}

// skip reads on until the element ends.
func (b *builder) skip(name string) {
	for open := 1; open > 0; {
		switch b.z.Next() {
		case html.ErrorToken:
			return
		case html.StartTagToken:
			if n, _ := b.z.TagName(); string(n) == name {
				open++
			}
		case html.EndTagToken:
			if n, _ := b.z.TagName(); string(n) == name {
				open--
			}
		}
	}
}

// imply closes what a start tag ends without saying so.
func (b *builder) imply(name string) {
	if blocks[name] || name == "hr" {
		b.close(singles["p"], barriers)
	}
	switch {
	case headings[name] && headings[b.top().Data]:
		b.pop(len(b.stack) - 1)
	case name == "li":
		b.close(singles["li"], stopsItem)
	case name == "dt" || name == "dd":
		b.close(terms, stopsTerm)
	case name == "td" || name == "th":
		b.close(cells, tableOnly)
	case name == "tr":
		b.close(singles["tr"], tableOnly)
	case name == "thead" || name == "tbody" || name == "tfoot" || name == "caption":
		for i := len(b.stack) - 1; i > 0 && b.stack[i].Data != "table"; i-- {
			b.pop(i)
		}
	case name == "a" || name == "button":
		b.close(singles[name], barriers)
	}
}

var (
	singles   = map[string]map[string]bool{"p": set("p"), "li": set("li"), "tr": set("tr"), "a": set("a"), "button": set("button")}
	stopsItem = set("ul ol table td th caption blockquote")
	stopsTerm = set("dl table td th caption blockquote")
	terms     = set("dt dd")
	cells     = set("td th")
	tableOnly = set("table")
)

// close ends the innermost open element of names, unless one of stops is inside it.
func (b *builder) close(names, stops map[string]bool) {
	open := 0
	for n := range names {
		open += b.open[n]
	}
	if open == 0 {
		return
	}
	for i := len(b.stack) - 1; i > 0; i-- {
		switch n := b.stack[i].Data; {
		case names[n]:
			b.pop(i)
			return
		case stops[n]:
			return
		}
	}
}

// end takes an end tag.
func (b *builder) end(name string) {
	if name == "br" { // browsers take it for a start tag
		b.start(tag{name: "br"})
		return
	}
	if !b.known(name) || void[name] || b.full && (name == "html" || name == "body") {
		return
	}
	if b.full && !b.body {
		b.flush() // text begins the body, which closes what was open
	}
	if b.beyond[name] > 0 {
		b.flush()
		b.beyond[name]--
		return
	}
	if b.open[name] == 0 && !headings[name] {
		return
	}
	crossed := false
	for i := len(b.stack) - 1; i > 0; i-- {
		n := b.stack[i].Data
		if n == name || headings[n] && headings[name] {
			b.flush()
			if crossed && !blocks[name] {
				// The element ends in the middle of a block that it began outside of: its meaning is lost, its text is not.
				b.open[n]--
				b.stack[i].Data, b.stack[i].DataAtom, b.stack[i].Attr = "span", atom.Span, nil
				return
			}
			b.pop(i)
			return
		}
		if barriers[n] && !tablePart[name] && name != "table" || n == "table" {
			return
		}
		crossed = crossed || blocks[n]
	}
}

func (b *builder) top() *html.Node { return b.stack[len(b.stack)-1] }

// flush puts the text that was read since the last element into the tree.
func (b *builder) flush() {
	if b.text.Len() == 0 {
		return
	}
	s := cleanText(b.text.String())
	b.text.Reset()
	if !b.fixed && strings.TrimSpace(s) == "" {
		if b.full && !b.body {
			return
		}
		s = " "
	}
	b.needBody()
	b.put(&html.Node{Type: html.TextNode, Data: s})
}

// put adds a node to the innermost open element; what stands in a table but in no cell goes before it.
func (b *builder) put(n *html.Node) {
	b.nodes++
	at := b.top()
	if (tableRows[at.Data] || at.Data == "table") && (n.Type == html.TextNode || !tablePart[n.Data]) {
		if n.Type == html.TextNode && strings.TrimSpace(n.Data) == "" {
			return
		}
		for at.Parent != nil && at.Data != "table" {
			at = at.Parent
		}
		if at.Parent != nil {
			at.Parent.InsertBefore(n, at)
			return
		}
	}
	at.AppendChild(n)
}

func (b *builder) push(n *html.Node) {
	b.put(n)
	b.stack = append(b.stack, n)
	b.open[n.Data]++
	if indents[n.Data] {
		b.indents++
	}
}

// pop closes the element at index i of the stack and all in it.
func (b *builder) pop(i int) {
	b.flush()
	for _, n := range b.stack[i:] {
		if b.open[n.Data]--; b.open[n.Data] == 0 {
			delete(b.open, n.Data)
		}
		if indents[n.Data] {
			b.indents--
		}
		if n.Data == "pre" {
			b.fixed = false
		}
	}
	b.stack = b.stack[:i]
}

func (t *tag) node() *html.Node {
	return &html.Node{Type: html.ElementNode, Data: t.name, DataAtom: atom.Lookup([]byte(t.name)), Attr: t.attrs}
}

// cleanText drops what is invisible: control characters, byte order marks, optional hyphens and breaks, and the signs that the
// Markdown writer marks its own work with. Spaces that do not break become plain ones.
func cleanText(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return r
		case r == '\r':
			return '\n'
		case r == '\u00A0' || r == '\u202F':
			return ' '
		case r < ' ' || r == 0x7F, r == '\u00AD', r == '\u200B', r == '\u2060', r == '\uFEFF', 0xF000 <= r && r <= 0xF002:
			return -1
		}
		return r
	}, s)
}

func attrOf(attrs []html.Attribute, key string) string {
	for _, a := range attrs {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}
