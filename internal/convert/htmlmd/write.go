package htmlmd

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"

	"kbsyncd/internal/convert/markup"
)

// maxRuns bounds the product of the runs of a paragraph and its bytes; a paragraph above it goes on as a new one. Joining runs
// costs that product, and nothing written for people comes near it.
const maxRuns = 4 << 20

// walker writes a tree. Its inline part is the paragraph that is being read.
type walker struct {
	out   markup.Blocks
	limit int64 // of bytes, also of each quotation
	cells int   // that tables may still add by spans and by short rows

	text   strings.Builder // of the run that is being read
	run    markup.Run      // its style and link
	inline markup.Inline   // the runs before it
	runs   int             // how many they were before they were joined
	size   int             // their bytes
	space  bool            // a blank is due before the next word
	some   bool            // the paragraph has text

	level int   // of the heading that is being read; 0 for none
	item  *item // whose text has not begun
	depth int   // of lists
	title bool  // blocks become blanks
	quote int   // how many quotations this one is in
}

// item is one of a list.
type item struct{ depth, number int }

func (w *walker) children(n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch c.Type {
		case html.TextNode:
			w.words(c.Data)
		case html.ElementNode:
			w.element(c)
		}
	}
}

func (w *walker) element(n *html.Node) {
	switch n.Data {
	case "br":
		w.space = false
		w.write("\n")
	case "img":
		w.raw("![" + altText(attr(n, "alt")) + "](" + destination(attr(n, "src")) + ")")
	case "a":
		w.link(n)
	case "math":
		w.formula(n)
	case "b", "strong":
		w.styled(n, w.run.Style|markup.Bold)
	case "em", "i", "var":
		w.styled(n, w.run.Style|markup.Italic)
	case "del", "s", "strike":
		w.styled(n, w.run.Style|markup.Strike)
	case "code", "kbd", "samp", "tt":
		w.styled(n, markup.Code)
	default:
		switch {
		case !blocks[n.Data] && n.Data != "hr":
			w.children(n)
		case w.title:
			w.space = true
			w.children(n)
			w.space = true
		default:
			w.flush()
			w.block(n)
			w.flush()
		}
	}
}

// block writes what stands for itself.
func (w *walker) block(n *html.Node) {
	style := w.run.Style
	w.run.Style = 0
	defer func() { w.run.Style = style }()
	switch n.Data {
	case "h1", "h2", "h3", "h4", "h5", "h6":
		w.level, w.title, w.item = int(n.Data[1]-'0'), true, nil
		w.children(n)
		w.flush()
		w.level, w.title = 0, false
	case "ul", "ol":
		w.list(n)
	case "pre":
		w.out.Code(language(n), codeOf(n))
	case "table":
		w.table(n)
	case "blockquote":
		w.quotation(n)
	case "dt":
		w.run.Style = markup.Bold
		w.children(n)
		w.flush()
	default:
		w.children(n)
	}
}

// list writes the items of a list. What is in no item is written as a paragraph of the list.
func (w *walker) list(n *html.Node) {
	number := -1
	if n.Data == "ol" {
		number = 1
		if start, err := strconv.Atoi(attr(n, "start")); err == nil && 0 <= start && start < 1_000_000 {
			number = start
		}
	}
	w.item = nil
	depth := w.depth
	w.depth++
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch {
		case c.Type == html.TextNode:
			w.words(c.Data)
		case c.Data == "li":
			w.flush()
			w.item = &item{depth, number}
			w.children(c)
			w.flush()
			w.item = nil
			if number >= 0 {
				number++
			}
		default:
			w.element(c)
		}
	}
	w.flush()
	w.out.Leave(depth)
	w.depth = depth
}

// quotation writes a quotation with its mark before each line. Within a list or a cell it is written as text.
func (w *walker) quotation(n *html.Node) {
	to, ok := w.out.(*markup.Writer)
	if !ok || w.depth > 0 || w.quote >= maxIndents {
		w.children(n)
		return
	}
	inner := markup.NewWriter(w.limit)
	sub := &walker{out: inner, limit: w.limit, cells: w.cells, quote: w.quote + 1}
	sub.children(n)
	sub.flush()
	w.cells = sub.cells
	r, err := inner.Result("")
	if err != nil && !inner.Full() {
		return // nothing is quoted
	}
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimSuffix(string(r.Markdown), "\n"), "\n") {
		b.WriteString(strings.TrimRight("> "+line, " ") + "\n")
	}
	if inner.Full() {
		b.WriteString(strings.Repeat(" ", int(w.limit)+1)) // so that the limit is seen to be reached
	}
	to.Markdown([]byte(b.String()))
}

// styled writes an inline element in its style.
func (w *walker) styled(n *html.Node, s markup.Style) {
	before := w.run.Style
	if before == markup.Code {
		s = markup.Code
	}
	w.look(s, w.run.Link)
	w.children(n)
	w.look(before, w.run.Link)
}

// link writes a link. One that depends on where the page is stays as it is written.
func (w *walker) link(a *html.Node) {
	href := strings.TrimSpace(attr(a, "href"))
	switch {
	case href == "" || w.run.Link != "":
		w.children(a)
	case isAbsolute(href):
		w.blank()
		w.look(w.run.Style, href)
		w.children(a)
		w.look(w.run.Style, "")
	default:
		w.raw("[")
		w.children(a)
		due := w.space
		w.space = false
		w.raw("](" + destination(href) + ")")
		w.space = due
	}
}

// formula writes the source of a formula where it is known, as most readers of Markdown take it.
func (w *walker) formula(n *html.Node) {
	tex := strings.Join(strings.Fields(attr(n, "alttext")), " ")
	switch {
	case tex == "":
		w.children(n)
	case attr(n, "display") == "block":
		w.raw("$$" + tex + "$$")
	default:
		w.raw("$" + tex + "$")
	}
}

func isAbsolute(href string) bool {
	scheme, _, ok := strings.Cut(strings.ToLower(href), ":")
	return ok && (scheme == "http" || scheme == "https" || scheme == "ftp" || scheme == "mailto" || scheme == "tel")
}

// destination is an address as it may stand between parentheses.
func destination(s string) string {
	return strings.NewReplacer(" ", "%20", "\n", "", "\t", "", "(", "%28", ")", "%29", "<", "%3C", ">", "%3E", `\`, "%5C", "|", "%7C").Replace(s)
}

func altText(s string) string {
	return strings.NewReplacer("[", `\[`, "]", `\]`, "\n", " ").Replace(s)
}

// words writes text, of which the blanks only part words.
func (w *walker) words(s string) {
	for s != "" {
		i := strings.IndexAny(s, " \t\n\f")
		if i < 0 {
			i = len(s)
		}
		if i > 0 {
			w.write(s[:i])
		}
		if i < len(s) {
			w.space = true
			s = strings.TrimLeft(s[i:], " \t\n\f")
			continue
		}
		return
	}
}

// blank writes the blank that is due.
func (w *walker) blank() {
	if w.space && w.some {
		w.text.WriteByte(' ')
	}
	w.space = false
}

func (w *walker) write(s string) {
	w.blank()
	w.text.WriteString(s)
	w.some = w.some || s != "\n"
	if s == "\n" && !w.some { // a break before anything
		w.text.Reset()
	}
}

// raw writes what is Markdown already.
func (w *walker) raw(s string) {
	w.blank()
	style, link := w.run.Style, w.run.Link
	w.look(markup.Raw, link)
	w.text.WriteString(s)
	w.some = true
	w.look(style, link)
}

// look begins a run when its style or link is another.
func (w *walker) look(s markup.Style, link string) {
	if s == w.run.Style && link == w.run.Link {
		return
	}
	if w.text.Len() > 0 {
		w.endRun()
		if w.runs*w.size > maxRuns {
			style, link := w.run.Style, w.run.Link
			w.flush()
			w.run.Style, w.run.Link = style, link
		}
	}
	w.run.Style, w.run.Link = s, link
}

func (w *walker) endRun() {
	r := w.run
	r.Text = w.text.String()
	w.size += len(r.Text)
	w.runs++
	w.inline.Add(r)
	w.text.Reset()
}

// flush ends the paragraph that is being read.
func (w *walker) flush() {
	w.endRun()
	p := w.inline
	some := w.some
	w.inline, w.runs, w.size, w.space, w.some = nil, 0, 0, false, false
	if !some {
		return
	}
	switch {
	case w.level > 0:
		w.out.Heading(w.level, p)
		w.level = 0
	case w.item != nil:
		w.out.Item(w.item.depth, w.item.number, p)
		w.item = nil
	default:
		w.out.Paragraph(p)
	}
}
