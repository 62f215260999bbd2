// Package htmlmd turns HTML into Markdown: whole pages, of which only the content is wanted, and fragments, of which everything is.
//
// The bytes are hostile. The tree is built in one pass over the tokens, never deeper and never larger than its limits, so that
// neither nesting nor unclosed elements cost more than their length; what the tree builder of a browser would repair by repeating
// elements is repaired by closing them. Nothing is fetched, and no script is run.
package htmlmd

import (
	"bytes"
	"context"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

// Read is the markup.Reader of HTML files. It keeps the content and drops what surrounds it on a page: navigation, page headers and
// footers, forms, hidden elements, scripts. Where one main region holds a good share of the text, only that region is kept.
// Links stay as they are written. The title is that of the page's head, else its first heading.
func Read(ctx context.Context, src []byte, l markup.Limits) (markup.Result, error) {
	text, err := decode(src, l)
	if err != nil {
		return markup.Result{}, err
	}
	d, err := parse(ctx, text, l)
	if err != nil {
		return markup.Result{}, err
	}
	content := mainContent(d.root)
	title := d.heading(content)
	md, err := render(ctx, content, l)
	if err != nil {
		return markup.Result{}, err
	}
	if len(bytes.TrimSpace(md)) == 0 {
		return markup.Result{}, fault.New(fault.ErrUnsupported, "the page holds no text").
			WithHint("when scripts write the page in the browser, save it as a PDF file or as text instead; else exclude it")
	}
	return markup.Result{Title: title, Markdown: md}, nil
}

// Fragment turns a piece of HTML, such as a chapter of a book or the body of a mail, into Markdown. Everything is kept but scripts,
// styles and the controls of forms. Empty text gives no bytes and no error. It may be called concurrently.
func Fragment(ctx context.Context, src []byte, l markup.Limits) ([]byte, error) {
	text, err := decode(src, l)
	if err != nil {
		return nil, err
	}
	d, err := parse(ctx, text, l)
	if err != nil {
		return nil, err
	}
	return render(ctx, d.root, l)
}

// render writes the tree below root as Markdown; nothing when it has no text.
func render(ctx context.Context, root *html.Node, l markup.Limits) ([]byte, error) {
	tidy(root)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := markup.NewWriter(l.Output)
	w := &walker{out: out, limit: l.Output, cells: int(min(l.Output/64, maxNodes))}
	w.children(root)
	w.flush()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r, err := out.Result("")
	if err != nil && !out.Full() {
		return nil, nil
	}
	return r.Markdown, err
}

func tooLarge(format string, args ...any) error {
	return fault.New(fault.ErrUnsupported, format, args...).WithHint("divide it into smaller pages, or exclude it")
}

// oneLine is s without line breaks and runs of spaces, cut to what a title may be.
func oneLine(s string) string {
	const most = 300
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	if len(s) <= most {
		return s
	}
	end := most
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return strings.TrimSpace(s[:end]) + "…"
}
