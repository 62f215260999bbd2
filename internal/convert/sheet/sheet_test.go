package sheet_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/convert/readertest"
	"kbsyncd/internal/convert/sheet"
	"kbsyncd/internal/fault"
)

// book makes a workbook.
func book(t testing.TB, fill func(f *excelize.File), opts ...excelize.Options) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	fill(f)
	var b bytes.Buffer
	if err := f.Write(&b, opts...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func sample(t testing.TB) []byte {
	return book(t, func(f *excelize.File) {
		date, err1 := f.NewStyle(&excelize.Style{NumFmt: 14})
		money := "#,##0.00 €"
		euro, err2 := f.NewStyle(&excelize.Style{CustomNumFmt: &money})
		percent, err3 := f.NewStyle(&excelize.Style{NumFmt: 9})
		must(t, err1, err2, err3,
			f.SetSheetName("Sheet1", "Prices"),
			f.SetSheetRow("Prices", "B2", &[]any{"Item", "Price", "Since", "Share"}),
			f.SetSheetRow("Prices", "B4", &[]any{"A|B", 1234.5, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), 0.25}),
			f.SetCellValue("Prices", "B5", "two\nlines"), f.SetCellValue("Prices", "F5", true),
			f.SetCellStyle("Prices", "C4", "C4", euro), f.SetCellStyle("Prices", "D4", "D4", date), f.SetCellStyle("Prices", "E4", "E4", percent),
			f.SetCellValue("Prices", "B6", "merged"), f.MergeCell("Prices", "B6", "C6"),
			f.SetDocProps(&excelize.DocProperties{Title: "Price list"}),
		)
		_, err := f.NewSheet("Secret")
		must(t, err, f.SetCellValue("Secret", "A1", "no"), f.SetSheetVisible("Secret", false))
		_, err = f.NewSheet("Empty")
		must(t, err)
		_, err = f.NewSheet("Sums")
		must(t, err, f.SetCellValue("Sums", "A1", 6), f.SetCellFormula("Sums", "A1", "1+2+3"))
	})
}

func TestXLSX(t *testing.T) {
	got, err := sheet.XLSX(t.Context(), sample(t), markup.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := "## Prices\n\n| Item | Price | Since | Share | |\n| --- | --- | --- | --- | --- |\n| A\\|B | 1,234.50 € | 2026-03-02 | 25% |\n" +
		"| two lines |  |  |  | TRUE |\n| merged |\n\n## Sums\n\n| 6 |\n| --- |\n"
	if got.Title != "Price list" || string(got.Markdown) != strings.ReplaceAll(want, "Share | |", "Share |  |") {
		t.Errorf("got %q\n%s", got.Title, got.Markdown)
	}
}

func TestRefusals(t *testing.T) {
	small := markup.DefaultLimits()
	small.Output = 30
	few := markup.DefaultLimits()
	few.Members = 3
	encrypted := book(t, func(f *excelize.File) { must(t, f.SetCellValue("Sheet1", "A1", "x")) }, excelize.Options{Password: "p"})
	var bomb bytes.Buffer
	z := zip.NewWriter(&bomb)
	w, err := z.Create("xl/sharedStrings.xml")
	must(t, err)
	_, err = w.Write(bytes.Repeat([]byte(" "), 8<<20))
	must(t, err, z.Close())
	for _, c := range []struct {
		name string
		src  []byte
		l    markup.Limits
		want string
	}{
		{"no archive", []byte("hello"), small, "damaged"},
		{"nothing", nil, small, "damaged"},
		{"encrypted", encrypted, small, "password"},
		{"an empty workbook", book(t, func(*excelize.File) {}), small, "no visible sheet"},
		{"too many members", sample(t), few, "more than 3"},
		{"too much text", sample(t), small, "too many cells"},
		{"a bomb", bomb.Bytes(), markup.DefaultLimits(), "more than is safe"},
	} {
		_, err := sheet.XLSX(t.Context(), c.src, c.l)
		f, ok := errors.AsType[*fault.Error](err)
		if !errors.Is(err, fault.ErrUnsupported) || !ok || f.Hint == "" || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	many := book(t, func(f *excelize.File) { must(t, f.SetCellValue("Sheet1", "A1048576", "x")) })
	if _, err := sheet.XLSX(ctx, many, markup.DefaultLimits()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestFarCorner: one value at the last place of a sheet that claims to be full costs no more than that value.
func TestFarCorner(t *testing.T) {
	src := book(t, func(f *excelize.File) {
		must(t, f.SetCellValue("Sheet1", "XFD1048576", "far"), f.SetSheetDimension("Sheet1", "A1:XFD1048576"))
	})
	got, err := sheet.XLSX(t.Context(), src, markup.DefaultLimits())
	if err != nil || string(got.Markdown) != "## Sheet1\n\n| far |\n| --- |\n" {
		t.Errorf("got %q, %v", got.Markdown, err)
	}
}

func TestDamagedWorkbooks(t *testing.T) {
	readertest.Mutate(t, [][]byte{sample(t)}, sheet.XLSX)
}

func FuzzXLSX(f *testing.F) {
	f.Add(sample(f))
	f.Fuzz(func(t *testing.T, src []byte) {
		a, err := sheet.XLSX(t.Context(), src, markup.DefaultLimits())
		if err != nil && !errors.Is(err, fault.ErrUnsupported) {
			t.Fatal(err)
		}
		if b, _ := sheet.XLSX(t.Context(), src, markup.DefaultLimits()); !bytes.Equal(a.Markdown, b.Markdown) {
			t.Fatal("the second time is different")
		}
	})
}

// TestTextsTogether refuses what the library would read as a whole, however little of it is used.
func TestTextsTogether(t *testing.T) {
	for _, c := range []struct {
		name    string
		unit    string
		size    int
		refused bool
	}{
		{"xl/sharedStrings.xml", "<si><t>text of a place</t></si>", 13 << 20, true},
		{"xl/Styles.xml", "<xf/>", 3 << 20, true},
		{`xl\sharedStrings.xml`, "<si/>", 3 << 20, true},
		{"xl/sharedStrings.xml", "<si><t>text of a place</t></si>", 6 << 20, false},
		{"xl/worksheets/sheet1.xml", "<c/>", 13 << 20, false},
	} {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, err := z.CreateHeader(&zip.FileHeader{Name: c.name, Method: zip.Store})
		must(t, err)
		_, err = w.Write(bytes.Repeat([]byte(c.unit), c.size/len(c.unit)))
		must(t, err, z.Close())
		_, err = sheet.XLSX(t.Context(), b.Bytes(), markup.DefaultLimits())
		if !errors.Is(err, fault.ErrUnsupported) || strings.Contains(err.Error(), "texts or styles") != c.refused {
			t.Errorf("%s of %d bytes: %v", c.name, c.size, err)
		}
	}
}
