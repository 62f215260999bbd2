package crashtest

import (
	"bytes"
	"fmt"
	"strings"
)

// pdf is a PDF file of one page that says what the text says, one line for each of its lines.
func pdf(text []byte) []byte {
	var page strings.Builder
	page.WriteString("BT /F 8 Tf 9 TL 40 780 Td\n")
	for line := range strings.Lines(string(text)) {
		ascii := strings.Map(func(r rune) rune {
			if r < ' ' || r > '~' || strings.ContainsRune(`()\`, r) {
				return -1
			}
			return r
		}, line)
		fmt.Fprintf(&page, "(%s) Tj T*\n", ascii)
	}
	page.WriteString("ET")
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	var offsets []int
	for _, body := range []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Count 1 /Kids [4 0 R] >>",
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 5 0 R /Resources << /Font << /F 3 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", page.Len(), page.String()),
	} {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(offsets), body)
	}
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, at)
	return b.Bytes()
}
