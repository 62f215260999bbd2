// Package pdf reads the text of PDF files and divides large ones, by PDFium in a sandbox of WebAssembly: no file, no network, no
// more memory than its limit. The engine starts with the first document, not with the program.
package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/klippa-app/go-pdfium"
	pdfiumerr "github.com/klippa-app/go-pdfium/errors"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

// Read is the markup.Reader of PDF files: their text line by line in the order of reading, a blank line between pages. Calls wait
// for each other. Ligatures become letters, and words that were divided at the end of a line are joined.
func Read(ctx context.Context, src []byte, l markup.Limits) (markup.Result, error) {
	if err := check(src, l); err != nil {
		return markup.Result{}, err
	}
	var pages []string
	var title string
	err := shared.do(ctx, func(p pdfium.Pdfium) error {
		doc, n, err := open(p, src, l)
		if err != nil {
			return err
		}
		if meta, err := p.FPDF_GetMetaText(&requests.FPDF_GetMetaText{Document: doc, Tag: "Title"}); err == nil {
			title = meta.Value
		}
		var size int64
		for i := range n {
			text, err := pageText(p, doc, i)
			if err != nil {
				if ctx.Err() != nil || errors.Is(err, errBroken) {
					return err
				}
				continue // one page that cannot be read is no reason to lose the others
			}
			if size += int64(len(text)); size > l.Output {
				return tooMuch(l)
			}
			pages = append(pages, text)
		}
		return nil
	})
	if err != nil {
		return markup.Result{}, err
	}
	md, err := join(ctx, pages, l)
	if err != nil {
		return markup.Result{}, err
	}
	return markup.Result{Title: goodTitle(title), Markdown: md}, nil
}

// check refuses what is no PDF file before the engine is started for it.
func check(src []byte, l markup.Limits) error {
	if int64(len(src)) > l.Unpacked {
		return fault.New(fault.ErrUnsupported, "it has %d bytes, above the limit of %d", len(src), l.Unpacked).WithHint("divide it into smaller files")
	}
	if !bytes.Contains(src[:min(len(src), 1024)], []byte("%PDF-")) {
		return fault.New(fault.ErrUnsupported, "it is no PDF file, whatever its name says").WithHint("save it again, or give it the extension of what it is")
	}
	return nil
}

// open opens the document and counts its pages.
func open(p pdfium.Pdfium, src []byte, l markup.Limits) (references.FPDF_DOCUMENT, int, error) {
	doc, err := p.OpenDocument(&requests.OpenDocument{File: &src})
	switch {
	case errors.Is(err, pdfiumerr.ErrPassword), errors.Is(err, pdfiumerr.ErrSecurity):
		return "", 0, fault.New(fault.ErrUnsupported, "it is encrypted").WithHint("save it without a password")
	case err != nil:
		return "", 0, damaged(err)
	}
	count, err := p.FPDF_GetPageCount(&requests.FPDF_GetPageCount{Document: doc.Document})
	if err != nil {
		return "", 0, damaged(err)
	}
	if count.PageCount <= 0 {
		return "", 0, damaged(errors.New("no pages"))
	}
	if count.PageCount > l.Members {
		return "", 0, fault.New(fault.ErrUnsupported, "it has %d pages, above the limit of %d", count.PageCount, l.Members).WithHint("divide it into smaller files")
	}
	return doc.Document, count.PageCount, nil
}

// brief is an error without the trace of the engine's own calls.
type brief struct{ error }

func (b brief) Error() string {
	s, _, _ := strings.Cut(b.error.Error(), "\n")
	return s
}

func (b brief) Unwrap() error { return b.error }

func damaged(err error) error {
	return fault.New(fault.ErrUnsupported, "the PDF file is damaged").Because(brief{err}).WithHint("open it and save or print it as a new PDF file")
}

// errBroken says that the instance does not work any more.
var errBroken = errors.New("the engine broke off")

// pageText is the text of page i, as the engine gives it.
func pageText(p pdfium.Pdfium, doc references.FPDF_DOCUMENT, i int) (string, error) {
	page := requests.Page{ByIndex: &requests.PageByIndex{Document: doc, Index: i}}
	text, err := p.FPDFText_LoadPage(&requests.FPDFText_LoadPage{Page: page})
	if err != nil {
		return "", broken(err)
	}
	count, err := p.FPDFText_CountChars(&requests.FPDFText_CountChars{TextPage: text.TextPage})
	if err != nil {
		return "", broken(err)
	}
	var s string
	if count.Count > 0 {
		got, err := p.FPDFText_GetText(&requests.FPDFText_GetText{TextPage: text.TextPage, Count: count.Count})
		if err != nil {
			return "", broken(err)
		}
		s = got.Text
	}
	if _, err := p.FPDFText_ClosePage(&requests.FPDFText_ClosePage{TextPage: text.TextPage}); err != nil {
		return "", broken(err)
	}
	return s, nil
}

// broken tells a failure of the engine from a page that cannot be loaded.
func broken(err error) error {
	if errors.Is(err, pdfiumerr.ErrPage) {
		return err
	}
	return damaged(fmt.Errorf("%w: %w", errBroken, err))
}
