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

	"github.com/JohannesKaufmann/html-to-markdown/v2/converter"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/base"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/commonmark"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/strikethrough"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/table"
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

// render writes the tree as Markdown.
func render(ctx context.Context, root *html.Node, l markup.Limits) ([]byte, error) {
	if err := tidy(root, l); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	conv := converter.NewConverter(converter.WithPlugins(
		base.NewBasePlugin(),
		commonmark.NewCommonmarkPlugin(commonmark.WithListEndComment(false)),
		strikethrough.NewStrikethroughPlugin(),
		table.NewTablePlugin(
			table.WithCellPaddingBehavior(table.CellPaddingBehaviorMinimal),
			table.WithNewlineBehavior(table.NewlineBehaviorPreserve),
		),
	))
	conv.Register.TextTransformer(plainSigns, converter.PriorityLate)
	// Addresses are kept as they are written: what they are relative to is known to the caller alone.
	md, err := conv.ConvertNode(root, converter.WithContext(ctx))
	if err != nil {
		return nil, fault.New(fault.ErrUnsupported, "the page cannot be written as Markdown").Because(err).WithHint("exclude it, or save it as text")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	md = bytes.TrimSpace(md)
	if len(md) == 0 {
		return nil, nil
	}
	md = trimBlankLines(md)
	if int64(len(md)) > l.Output {
		return nil, tooLarge("the page gives more than %d bytes of text", l.Output)
	}
	return md, nil
}

// mark is what the Markdown writer puts before a sign that it may have to escape.
const mark = '\a'

// plainSigns takes back escapes that Markdown does not need: of signs that cannot be taken for a tag or for a quotation,
// and of underscores within a word.
func plainSigns(_ converter.Context, s string) string {
	if !strings.ContainsAny(s, "&\a") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		rest := s[i:]
		switch {
		case strings.HasPrefix(rest, "&gt;") && i > 0:
			b.WriteByte('>')
			i += 3
		case strings.HasPrefix(rest, "&lt;") && len(rest) > 4 && strings.IndexByte(" =-0123456789", rest[4]) >= 0:
			b.WriteByte('<')
			i += 3
		case s[i] == mark && 0 < i && len(rest) > 2 && rest[1] == '_' && isWord(s[i-1]) && isWord(rest[2]):
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func isWord(c byte) bool {
	return c >= utf8.RuneSelf || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// trimBlankLines empties lines that only indent or quote.
func trimBlankLines(md []byte) []byte {
	out := make([]byte, 0, len(md)+1)
	for line := range bytes.SplitSeq(md, []byte("\n")) {
		if t := bytes.TrimRight(line, " "); len(bytes.Trim(t, " >")) == 0 {
			line = t
		}
		out = append(append(out, line...), '\n')
	}
	return out
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
