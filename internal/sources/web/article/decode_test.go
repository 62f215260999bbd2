package article_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"kbsyncd/internal/sources/web/article"
)

func encode(t *testing.T, e encoding.Encoding, s string) string {
	t.Helper()
	out, err := e.NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestEncodings reads pages whose encoding is named by one, by several that differ, by a wrong one, or by none.
func TestEncodings(t *testing.T) {
	german, japan, chinese, russian := "<main><p>Größe – „Überdruck“</p>", "<main><p>ポンプを始動する前に</p>", "<main><p>水泵启动之前请阅读说明</p>", "<main><p>Инструкция по насосу</p>"
	utf16 := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	for _, c := range []struct {
		name, contentType, src, want string
	}{
		{"UTF-8 by the server", "text/html; charset=utf-8", german, "Größe – „Überdruck“"},
		{"UTF-8 by none", "", german, "Größe – „Überdruck“"},
		{"UTF-8, the server lies", "text/html; charset=ISO-8859-1", german, "Größe – „Überdruck“"},
		{"UTF-8, the page lies", "text/html", "<meta charset=windows-1252>" + german, "Größe – „Überdruck“"},
		{"UTF-8 with a mark, all lie", "text/html; charset=shift_jis", "\ufeff<meta charset=euc-kr>" + german, "Größe – „Überdruck“"},
		{"Windows-1252 by the server", "text/html; charset=windows-1252", encode(t, charmap.Windows1252, german), "Größe – „Überdruck“"},
		{"Windows-1252, the server lies", "text/html; charset=UTF-8", encode(t, charmap.Windows1252, german), "Größe – „Überdruck“"},
		{"Windows-1252, the page lies", "", "<meta charset=utf-8>" + encode(t, charmap.Windows1252, german), "Größe – „Überdruck“"},
		{"Windows-1252 by none", "", encode(t, charmap.Windows1252, german), "Größe – „Überdruck“"},
		{"Shift_JIS by the page", "text/html", `<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS">` + encode(t, japanese.ShiftJIS, japan), "ポンプを始動する前に"},
		{"EUC-JP, the server lies", "text/html; charset=utf-8", "<meta charset=euc-jp>" + encode(t, japanese.EUCJP, japan), "ポンプを始動する前に"},
		{"ISO-2022-JP by the server", "text/html; charset=iso-2022-jp", encode(t, japanese.ISO2022JP, japan), "ポンプを始動する前に"},
		{"GB18030 by its language", "", "<html lang=zh-CN>" + encode(t, simplifiedchinese.GB18030, chinese), "水泵启动之前请阅读说明"},
		{"Windows-1251 by its language", "text/html; charset=utf-8", "<html lang=ru>" + encode(t, charmap.Windows1251, russian), "Инструкция по насосу"},
		{"KOI8-R by the XML declaration", "", `<?xml version="1.0" encoding="koi8-r"?>` + encode(t, charmap.KOI8R, russian), "Инструкция по насосу"},
		{"UTF-16 with a mark", "", "\xff\xfe" + encode(t, utf16, german), "Größe – „Überdruck“"},
		{"UTF-16 without one", "", encode(t, utf16, "<html><head><title>x</title></head>"+german), "Größe – „Überdruck“"},
		{"an encoding that is none", "text/html; charset=klingon", german, "Größe – „Überdruck“"},
		{"UTF-8 that is cut", "text/html; charset=utf-8", strings.Repeat(german, 20) + "\xc3", "Größe – „Überdruck“"},
	} {
		p, err := article.Read(t.Context(), []byte(c.src), c.contentType, address(t, "https://docs.example.com/"), article.Options{})
		if err != nil || !strings.Contains(string(p.Markdown), c.want) || !utf8.Valid(p.Markdown) {
			t.Errorf("%s: %q, %v", c.name, p.Markdown, err)
		}
	}
}
