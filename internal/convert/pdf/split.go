package pdf

import (
	"bytes"
	"context"
	"errors"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

// Split divides a PDF file into PDF files of consecutive pages, each of at most maxBytes bytes; the same file is divided the same way
// every time. A file that is small enough is returned as it is. Errors are of class fault.ErrUnsupported, also when one
// page alone is too large, or the context's. It may be called concurrently; calls wait for each other.
func Split(ctx context.Context, src []byte, maxBytes int64, l markup.Limits) ([][]byte, error) {
	if err := check(src, l); err != nil {
		return nil, err
	}
	if int64(len(src)) <= maxBytes {
		return [][]byte{bytes.Clone(src)}, nil
	}
	var parts [][]byte
	err := shared.do(ctx, func(p pdfium.Pdfium) error {
		doc, pages, err := open(p, src, l)
		if err != nil {
			return err
		}
		var total int64
		// Pages are about equally large: the first guess is that, and each part teaches the next.
		guess := max(1, int(int64(pages)*maxBytes/int64(len(src))))
		for from := 0; from < pages; {
			part, n, err := fit(p, doc, from, min(guess, pages-from), maxBytes)
			if err != nil {
				return err
			}
			if total += int64(len(part)); total > l.Unpacked {
				return fault.New(fault.ErrUnsupported, "its parts together would be larger than %d bytes, for each repeats what its pages share", l.Unpacked).
					WithHint("save it with smaller pictures, or divide it by hand")
			}
			parts = append(parts, part)
			from += n
			guess = max(1, int(int64(n)*maxBytes/int64(len(part))))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return parts, nil
}

// fit makes a part of at most n pages beginning at from, with as many of them as fit.
func fit(p pdfium.Pdfium, doc references.FPDF_DOCUMENT, from, n int, maxBytes int64) ([]byte, int, error) {
	for {
		part, err := cut(p, doc, from, n)
		if err != nil {
			return nil, 0, damaged(err)
		}
		size := int64(len(part))
		switch {
		case size <= maxBytes:
			return part, n, nil
		case n == 1:
			return nil, 0, fault.New(fault.ErrUnsupported, "page %d alone has %d bytes, above the limit of %d", from+1, size, maxBytes).
				WithHint("save the file with smaller pictures")
		}
		// A little less than in proportion, so that it seldom takes a third try, and always fewer.
		n = max(1, min(n-1, int(int64(n)*maxBytes/size*9/10)))
	}
}

// cut saves n pages as a file of their own.
func cut(p pdfium.Pdfium, doc references.FPDF_DOCUMENT, from, n int) ([]byte, error) {
	made, err := p.FPDF_CreateNewDocument(&requests.FPDF_CreateNewDocument{})
	if err != nil {
		return nil, err
	}
	pages := make([]int, n)
	for i := range pages {
		pages[i] = from + i
	}
	if _, err := p.FPDF_ImportPagesByIndex(&requests.FPDF_ImportPagesByIndex{Source: doc, Destination: made.Document, PageIndices: pages}); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if _, err := p.FPDF_SaveAsCopy(&requests.FPDF_SaveAsCopy{Document: made.Document, FileWriter: &out}); err != nil {
		return nil, err
	}
	if _, err := p.FPDF_CloseDocument(&requests.FPDF_CloseDocument{Document: made.Document}); err != nil {
		return nil, err
	}
	if out.Len() == 0 {
		return nil, errors.New("nothing was saved")
	}
	return out.Bytes(), nil
}
