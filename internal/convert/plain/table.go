package plain

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"strings"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

const (
	maxColumns    = 2000    // of a table: more is no table for people
	maxDelimiters = 1 << 18 // of a row, those in its values too
	maxRow        = 8 << 20 // bytes of a row
)

// CSV is the reader of tables whose values are parted by commas, semicolons, tabs or bars, whichever parts the first lines most
// evenly. The first row is the table's head. Rows may be of different lengths; line breaks within a value become blanks.
func CSV(ctx context.Context, src []byte, l markup.Limits) (markup.Result, error) {
	text, err := decodeLines(ctx, src, l)
	if err != nil {
		return markup.Result{}, err
	}
	if rest, ok := bytes.CutPrefix(text, []byte("sep=")); ok && len(rest) > 1 && (rest[1] == '\n' || rest[1] == '\r') { // as Excel writes it
		if c := rest[0]; strings.IndexByte(",;\t|", c) >= 0 {
			return table(ctx, bytes.TrimLeft(rest[1:], "\r\n"), rune(c), l)
		}
	}
	return table(ctx, text, delimiter(text), l)
}

// TSV is the reader of tables whose values are parted by tabs; without any tab, as CSV.
func TSV(ctx context.Context, src []byte, l markup.Limits) (markup.Result, error) {
	text, err := decodeLines(ctx, src, l)
	if err != nil {
		return markup.Result{}, err
	}
	if bytes.IndexByte(text, '\t') < 0 {
		return table(ctx, text, delimiter(text), l)
	}
	return table(ctx, text, '\t', l)
}

// decodeLines is decode with lines that end in LF where they ended in CR alone, as on old Macs.
func decodeLines(ctx context.Context, src []byte, l markup.Limits) ([]byte, error) {
	text, err := decode(ctx, src, l)
	return fromCR(text), err
}

// fromCR makes LF of the line ends of a text that knows only CR.
func fromCR(text []byte) []byte {
	if bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') < 0 {
		return text
	}
	return bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
}

// delimiter is the sign that divides most of the first rows into the same number of values, at least two.
func delimiter(text []byte) rune {
	const sample = 100
	best, bestRows, bestColumns := ',', 0, 0
	head := text[:min(len(text), 64<<10)]
	for _, d := range ",;\t|" {
		r := rows(bytes.NewReader(head), d)
		counts := make(map[int]int)
		for range sample {
			record, err := r.Read()
			if err != nil {
				break
			}
			counts[len(record)]++
		}
		for columns, n := range counts {
			if columns > 1 && (n > bestRows || n == bestRows && columns > bestColumns) {
				best, bestRows, bestColumns = d, n, columns
			}
		}
	}
	return best
}

func rows(text io.Reader, delimiter rune) *csv.Reader {
	r := csv.NewReader(text)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord, r.ReuseRecord = delimiter, true, -1, true
	return r
}

// table writes the rows one by one, so that a large file costs no more than its text. Only the head is as wide as the widest row:
// values that a row lacks need no sign, values that the head lacks would not be shown.
func table(ctx context.Context, text []byte, delimiter rune, l markup.Limits) (markup.Result, error) {
	width := 0
	err := each(ctx, text, delimiter, func(record []string) error {
		for len(record) > width && strings.TrimSpace(record[len(record)-1]) == "" {
			record = record[:len(record)-1]
		}
		if width = max(width, len(record)); width > maxColumns {
			return fault.New(fault.ErrUnsupported, "it has %d columns, above the limit of %d", width, maxColumns).WithHint("divide it into narrower tables")
		}
		return nil
	})
	if err != nil {
		return markup.Result{}, err
	}
	var out bytes.Buffer
	head := true
	err = each(ctx, text, delimiter, func(record []string) error {
		if blank(record) {
			return nil
		}
		out.WriteByte('|')
		for i := range width {
			if i < len(record) {
				out.WriteByte(' ')
				cell(&out, record[i])
			} else if !head {
				break
			}
			out.WriteString(" |")
		}
		out.WriteByte('\n')
		if head {
			out.WriteString("|" + strings.Repeat(" --- |", width) + "\n")
			head = false
		}
		if int64(out.Len()) > l.Output {
			return fault.New(fault.ErrUnsupported, "it gives more than %d bytes of text", l.Output).WithHint("divide it into smaller files")
		}
		return nil
	})
	if err != nil {
		return markup.Result{}, err
	}
	if out.Len() == 0 {
		return markup.Result{}, fault.New(fault.ErrUnsupported, "the table is empty").WithHint("fill it, or exclude it")
	}
	return markup.Result{Markdown: out.Bytes()}, nil
}

// feed gives a table to the reader of its rows, which takes as much memory as a row asks for, and stops at a row that is none.
type feed struct {
	text       []byte
	delimiter  byte
	bytes      int // since the last row ended, as are the delimiters
	delimiters int
}

// Read implements io.Reader.
func (f *feed) Read(p []byte) (int, error) {
	if f.bytes > maxRow || f.delimiters > maxDelimiters {
		return 0, fault.New(fault.ErrUnsupported, "a row of it has more than %d MB or %d values", maxRow>>20, maxDelimiters).
			WithHint("see whether a quotation mark is missing, and save it again as CSV")
	}
	if len(f.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.text)
	f.text = f.text[n:]
	f.bytes += n
	f.delimiters += bytes.Count(p[:n], []byte{f.delimiter})
	return n, nil
}

// each calls fn with every row.
func each(ctx context.Context, text []byte, delimiter rune, fn func([]string) error) error {
	in := &feed{text: text, delimiter: byte(delimiter)} // all delimiters are ASCII
	r := rows(in, delimiter)
	for n := 0; ; n++ {
		if n%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		record, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, fault.ErrUnsupported):
			return err
		case err != nil:
			return fault.New(fault.ErrUnsupported, "the table cannot be read").Because(err).WithHint("save it again as CSV")
		}
		in.bytes, in.delimiters = 0, 0
		if err := fn(record); err != nil {
			return err
		}
	}
}

func blank(record []string) bool {
	for _, v := range record {
		if strings.TrimSpace(v) != "" {
			return false
		}
	}
	return true
}

// cell writes a value on one line. Only what would end the cell or begin a tag is escaped: values are searched for as they are.
func cell(out *bytes.Buffer, v string) {
	v = oneLine(v)
	for i := range len(v) {
		switch c := v[i]; {
		case c == '|', c == '`', c == '\\' && i+1 < len(v) && v[i+1] == '|', c == '<' && i+1 < len(v) && (v[i+1] == '/' || v[i+1] == '!' || 'a' <= v[i+1]|0x20 && v[i+1]|0x20 <= 'z'):
			out.WriteByte('\\')
		}
		out.WriteByte(v[i])
	}
}

// oneLine is a text with one blank for each run of white space. It is done word by word, for a value may have millions of them.
func oneLine(s string) string {
	var b strings.Builder
	for word := range strings.FieldsSeq(markup.Clean(s)) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word)
	}
	return b.String()
}
