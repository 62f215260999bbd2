// Package sheet reads spreadsheets: each sheet that is shown becomes a heading and a table of the values as people see them.
// Formulas are not calculated; the value that was saved with them counts.
package sheet

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/xuri/excelize/v2"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

const (
	// maxCells bounds the places of all tables, maxSteps the rows and places that are looked at: a sheet may claim a million rows
	// of 16,384 places each and hold one value.
	maxCells = 4 << 20
	maxSteps = 64 << 20
	// maxPart is the most that one sheet may unpack to: it is read as it unpacks. All else, such as the texts that sheets share, is
	// taken to pieces as a whole, and each element of it costs up to 500 bytes.
	maxPart     = 64 << 20
	maxWhole    = 12 << 20
	maxElements = 1 << 19
)

var _ markup.Reader = XLSX

// XLSX is the reader of Excel workbooks, with macros or without; macros are not looked at. Numbers and dates are as shown, dates
// of the system's own format as year-month-day. Hidden sheets are left out, empty rows and columns too. The title is that of the
// workbook's properties.
func XLSX(ctx context.Context, src []byte, l markup.Limits) (res markup.Result, err error) {
	if err := check(src, l); err != nil {
		return markup.Result{}, err
	}
	defer func() { // the library is written for files that Excel wrote
		if p := recover(); p != nil {
			res, err = markup.Result{}, markup.Damaged(fmt.Errorf("%v", p))
		}
	}()
	f, err := excelize.OpenReader(bytes.NewReader(src), excelize.Options{
		UnzipSizeLimit:    l.Unpacked,
		UnzipXMLSizeLimit: l.Unpacked, // nothing goes to temporary files
		ShortDatePattern:  "yyyy-mm-dd",
		LongDatePattern:   "yyyy-mm-dd",
		LongTimePattern:   "hh:mm:ss",
	})
	if err != nil {
		return markup.Result{}, markup.Damaged(err)
	}
	defer func() { _ = f.Close() }() // only removes temporary files, of which there are none
	r := &reader{ctx: ctx, f: f, l: l, w: markup.NewWriter(l.Output)}
	names := f.GetSheetList()
	if len(names) > l.Members {
		return markup.Result{}, fault.New(fault.ErrUnsupported, "it has %d sheets, above the limit of %d", len(names), l.Members).WithHint("divide the workbook")
	}
	for _, name := range names {
		if err := r.sheet(name); err != nil {
			return markup.Result{}, err
		}
	}
	title := ""
	if p, err := f.GetDocProps(); err == nil {
		title = markup.Text(p.Title).Plain()
	}
	if !r.some && !r.w.Full() {
		return markup.Result{}, fault.New(fault.ErrUnsupported, "the workbook has no visible sheet with values").WithHint("fill or show a sheet, or exclude the file")
	}
	res, err = r.w.Result(title)
	res.Title = title // the first heading is only the first sheet's name
	return res, err
}

// check refuses what is no workbook, is behind a password, or unpacks to more than is safe, before the library sees it.
func check(src []byte, l markup.Limits) error {
	if _, err := markup.OpenArchive(src, l); err != nil {
		return err
	}
	z, err := zip.NewReader(bytes.NewReader(src), int64(len(src)))
	if err != nil {
		return markup.Damaged(err)
	}
	var total uint64
	for _, f := range z.File {
		size, packed := f.UncompressedSize64, f.CompressedSize64
		if total += size; size > maxPart || total > uint64(l.Unpacked) || size > 1<<20 && size/uint64(max(l.Ratio, 1)) > packed {
			return fault.New(fault.ErrUnsupported, "it unpacks to more than is safe").WithHint("save its sheets as separate workbooks")
		}
		if f.Flags&1 != 0 {
			return markup.Protected()
		}
		if err := checkWhole(f); err != nil {
			return err
		}
	}
	return nil
}

// checkWhole refuses a part that is read as a whole and costs too much.
func checkWhole(f *zip.File) error {
	if f.UncompressedSize64 < 1<<20 || !whole(f.Name) {
		return nil
	}
	tooMuch := fault.New(fault.ErrUnsupported, "it has too many texts or styles").WithHint("divide it, or save the sheet that matters as CSV")
	if f.UncompressedSize64 > maxWhole {
		return tooMuch
	}
	r, err := f.Open()
	if err != nil {
		return markup.Damaged(err)
	}
	defer func() { _ = r.Close() }() // what is only read has nothing to lose
	text, err := io.ReadAll(r)       // never more than the size that the archive tells
	if err != nil {
		return markup.Damaged(err)
	}
	if bytes.Count(text, []byte("<"))-bytes.Count(text, []byte("</")) > maxElements {
		return tooMuch
	}
	return nil
}

// whole tells a part that is read as a whole.
func whole(name string) bool {
	name = strings.ToLower(strings.ReplaceAll(name, `\`, "/"))
	return (strings.HasSuffix(name, ".xml") || strings.HasSuffix(name, ".rels")) && !strings.HasPrefix(name, "xl/worksheets/sheet")
}

// reader reads one workbook.
type reader struct {
	ctx   context.Context // of the one call that it lives for
	f     *excelize.File
	l     markup.Limits
	w     *markup.Writer
	cells int
	steps int
	bytes int64
	some  bool // a sheet had values
}

// sheet writes one sheet. What is no sheet of values, such as a chart, has no rows.
func (r *reader) sheet(name string) error {
	if visible, err := r.f.GetSheetVisible(name); err != nil || !visible {
		return r.ctx.Err()
	}
	rows, err := r.f.Rows(name)
	if err != nil {
		return r.ctx.Err()
	}
	table, err := r.rows(rows)
	if closed := rows.Close(); err == nil && closed != nil {
		err = markup.Damaged(closed)
	}
	if err != nil || len(table) == 0 {
		return err
	}
	r.some = true
	r.w.Heading(2, markup.Text(name))
	r.w.Markdown(write(table))
	return nil
}

// rows reads the rows that have values.
func (r *reader) rows(rows *excelize.Rows) ([][]string, error) {
	var table [][]string
	for rows.Next() {
		if r.steps++; r.steps%1024 == 0 && r.ctx.Err() != nil {
			return nil, r.ctx.Err()
		}
		row, err := rows.Columns()
		if err != nil {
			return nil, markup.Damaged(err)
		}
		r.steps += len(row)
		if row = trim(row); len(row) > 0 {
			table = append(table, row)
		}
		r.cells += len(row)
		for i, v := range row {
			row[i] = strings.Join(strings.Fields(markup.Clean(v)), " ")
			r.bytes += int64(len(v))
		}
		if r.cells > maxCells || r.steps > maxSteps || r.bytes > r.l.Output {
			return nil, fault.New(fault.ErrUnsupported, "the workbook has too many cells").WithHint("divide it, or save the sheet that matters as CSV")
		}
	}
	if err := rows.Error(); err != nil {
		return nil, markup.Damaged(err)
	}
	return table, nil
}

// trim drops the empty places at the end.
func trim(row []string) []string {
	for len(row) > 0 && strings.TrimSpace(row[len(row)-1]) == "" {
		row = row[:len(row)-1]
	}
	return row
}

// write makes the Markdown of a table without its empty columns. Its first row is the head.
func write(table [][]string) []byte {
	var used []bool
	for _, row := range table {
		for i, v := range row {
			for len(used) <= i {
				used = append(used, false)
			}
			used[i] = used[i] || v != ""
		}
	}
	var out bytes.Buffer
	for n, row := range table {
		out.WriteByte('|')
		for i, show := range used {
			if i >= len(row) && n > 0 { // places that a row lacks need no sign
				break
			}
			if !show {
				continue
			}
			out.WriteByte(' ')
			if i < len(row) {
				cell(&out, row[i])
			}
			out.WriteString(" |")
		}
		out.WriteByte('\n')
		if n == 0 {
			out.WriteByte('|')
			for _, show := range used {
				if show {
					out.WriteString(" --- |")
				}
			}
			out.WriteByte('\n')
		}
	}
	return out.Bytes()
}

// cell writes a value on one line. Only what would end the cell or begin a tag or code is escaped: values are searched for as they are.
func cell(out *bytes.Buffer, v string) {
	for i := range len(v) {
		next := byte(0)
		if i+1 < len(v) {
			next = v[i+1]
		}
		switch c := v[i]; {
		case c == '|', c == '`', c == '\\' && next == '|', c == '<' && (next == '/' || next == '!' || 'a' <= next|0x20 && next|0x20 <= 'z'):
			out.WriteByte('\\')
		}
		out.WriteByte(v[i])
	}
}
