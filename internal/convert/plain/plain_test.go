package plain_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/convert/plain"
	"kbsyncd/internal/convert/readertest"
	"kbsyncd/internal/fault"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestUTF8(t *testing.T) {
	const (
		french  = "Où est passé l'été ? Un café, s'il vous plaît.\r\nÇa va.\n"
		russian = "Установите программу и перезапустите компьютер, чтобы изменения вступили в силу."
		arabic  = "يجب تثبيت البرنامج وإعادة تشغيل الحاسوب حتى تدخل التغييرات حيز التنفيذ في النظام"
	)
	enc := func(e interface{ Bytes([]byte) ([]byte, error) }, s string) []byte {
		b, err := e.Bytes([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	le := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder()
	be := unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewEncoder()
	for _, c := range []struct {
		name string
		src  []byte
		want string
	}{
		{"UTF-8", []byte(french), french},
		{"UTF-8 with mark", []byte("\xef\xbb\xbf" + french), french},
		{"UTF-16 LE with mark", append([]byte("\xff\xfe"), enc(le, russian)...), russian},
		{"UTF-16 BE with mark", append([]byte("\xfe\xff"), enc(be, russian)...), russian},
		{"UTF-16 LE without mark", enc(le, french), french},
		{"UTF-16 BE without mark", enc(be, french), french},
		{"UTF-32", enc(utf32.UTF32(utf32.LittleEndian, utf32.UseBOM).NewEncoder(), french), french},
		{"Windows-1252", enc(charmap.Windows1252.NewEncoder(), french), french},
		{"Windows-1251", enc(charmap.Windows1251.NewEncoder(), russian), russian},
		{"Windows-1256", enc(charmap.Windows1256.NewEncoder(), arabic), arabic},
		{"nothing", nil, ""},
	} {
		got, err := plain.UTF8(c.src)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %q, %v", c.name, got, err)
		}
	}
	for _, src := range []string{"\x00\x01\x02", "a\x00b\xff", "PK\x03\x04\x00\x00\xff"} {
		if _, err := plain.UTF8([]byte(src)); !errors.Is(err, fault.ErrUnsupported) {
			t.Errorf("%q: %v", src, err)
		}
	}
}

func TestTables(t *testing.T) {
	for _, c := range []struct {
		name string
		read markup.Reader
		src  string
		want string
	}{
		{"commas", plain.CSV, "a,b\n1,2\n", "| a | b |\n| --- | --- |\n| 1 | 2 |\n"},
		{"semicolons", plain.CSV, "a;b;c\r\n1,5;2,5;3\r\n", "| a | b | c |\n| --- | --- | --- |\n| 1,5 | 2,5 | 3 |\n"},
		{"tabs", plain.CSV, "a\tb, c\n1\t2\n", "| a | b, c |\n| --- | --- |\n| 1 | 2 |\n"},
		{"bars", plain.CSV, "a|b\n1|2\n", "| a | b |\n| --- | --- |\n| 1 | 2 |\n"},
		{"told by Excel", plain.CSV, "sep=;\na;b,c\n1;2,3\n", "| a | b,c |\n| --- | --- |\n| 1 | 2,3 |\n"},
		{"quotes and line breaks", plain.CSV, "a,b\n\"x, y\",\"l1\nl2\"\n", "| a | b |\n| --- | --- |\n| x, y | l1 l2 |\n"},
		{"bare quotes", plain.CSV, "size,b\n5\" pipe,\"say \"hi\" now\"\n", "| size | b |\n| --- | --- |\n| 5\" pipe | say \"hi\" now |\n"},
		{"ragged rows", plain.CSV, "a,b\n1\n1,2,3\n", "| a | b | |\n| --- | --- | --- |\n| 1 |\n| 1 | 2 | 3 |\n"},
		{"empty rows and columns", plain.CSV, "a,b,,\n,,,\n1,2,,\n", "| a | b |\n| --- | --- |\n| 1 | 2 |\n"},
		{"signs of Markdown", plain.CSV, "a,b\nx|y,<b>\n", "| a | b |\n| --- | --- |\n| x\\|y | \\<b> |\n"},
		{"lines of old Macs", plain.CSV, "a;b\r1;2\r", "| a | b |\n| --- | --- |\n| 1 | 2 |\n"},
		{"TSV with lines of old Macs", plain.TSV, "a\tb\r1\t2\r", "| a | b |\n| --- | --- |\n| 1 | 2 |\n"},
		{"mail with lines of old Macs", plain.Mail, "From: a@b.c\rSubject: S\r\rhello\r\rnext\r", "**From:** a@b.c  \n**Subject:** S\n\nhello\n\nnext\n"},
		{"one column", plain.CSV, "name\nAnn\n", "| name |\n| --- |\n| Ann |\n"},
		{"TSV", plain.TSV, "a\tb;c\n1\t2\n", "| a | b;c |\n| --- | --- |\n| 1 | 2 |\n"},
		{"TSV without a tab", plain.TSV, "a;b\n1;2\n", "| a | b |\n| --- | --- |\n| 1 | 2 |\n"},
		{"JSON", plain.JSON, "{\"a\":  1}\r\n", "```json\n{\"a\":  1}\n```\n"},
		{"JSONL", plain.JSONL, "{}\n[]\n", "```jsonl\n{}\n[]\n```\n"},
		{"YAML", plain.YAML, "a:\n  - b\n", "```yaml\na:\n  - b\n```\n"},
		{"XML", plain.XML, "<a>```</a>\n", "````xml\n<a>```</a>\n````\n"},
		{
			"SRT", plain.Subtitles, "1\r\n00:00:01,000 --> 00:00:02,000\r\nHello <i>there</i>,\r\nfriend.\r\n\r\n2\r\n00:00:02,100 --> 00:00:03,000\r\n2024 was good.\r\n\r\n3\r\n00:01:00,000 --> 00:01:01,000\r\nLater.\r\n",
			"Hello there, friend. 2024 was good.\n\nLater.\n",
		},
		{
			"WebVTT", plain.Subtitles, "WEBVTT\n\nNOTE no text\n\nSTYLE\n::cue {}\n\nid\n00:01.000 --> 00:02.000 align:start\n<v Ann>Hi &amp; hello\n\n00:02.000 --> 00:03.000\n<v Bob>Hi\n",
			"Ann: Hi & hello\n\nBob: Hi\n",
		},
		{
			"captions that roll", plain.Subtitles, "WEBVTT\n\n00:01.000 --> 00:02.000\n \nfirst line\n\n00:02.000 --> 00:03.000\nfirst line\n\n00:03.000 --> 00:04.000\nfirst line\nsecond line\n\n00:04.000 --> 00:05.000\nsecond line\nthird\n",
			"first line second line third\n",
		},
		{"SBV", plain.Subtitles, "0:00:01.000,0:00:02.000\n>> Hi\n\n0:00:02.000,0:00:03.000\n: x\n", "\\>> Hi : x\n"},
		{
			"notebook of format 3", plain.Notebook, `{"nbformat":3,"worksheets":[{"cells":[{"cell_type":"heading","level":2,"source":"H"},{"cell_type":"code","language":"Julia","input":["1+1"],"outputs":[{"output_type":"pyout","text":["2"]}]}]}]}`,
			"## H\n\n```julia\n1+1\n```\n\n```\n2\n```\n",
		},
		{"mail without parts", plain.Mail, "Subject: S\n\nline one\nline two\n\nnext\n", "**Subject:** S\n\nline one  \nline two\n\nnext\n"},
	} {
		got, err := c.read(t.Context(), []byte(c.src), markup.DefaultLimits())
		if err != nil || string(got.Markdown) != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.name, got.Markdown, err, c.want)
		}
	}
}

func TestSamples(t *testing.T) {
	readertest.Golden(t, "testdata/*.eml", *update, plain.Mail)
	readertest.Golden(t, "testdata/*.ipynb", *update, plain.Notebook)
}

func TestRefusals(t *testing.T) {
	small := markup.DefaultLimits()
	small.Output = 50
	deep := strings.Repeat("Content-Type: multipart/mixed; boundary=b\n\n--b\n", 100)
	for _, c := range []struct {
		name string
		read markup.Reader
		src  string
	}{
		{"an empty table", plain.CSV, "\n,,\n"},
		{"a table above the limit", plain.CSV, "a,b\n" + strings.Repeat("1,2\n", 100)},
		{"a table too wide", plain.CSV, strings.Repeat("a,", 5000) + "b\n"},
		{"empty JSON", plain.JSON, ""},
		{"JSON above the limit", plain.JSON, "[" + strings.Repeat("1,", 100) + "1]"},
		{"no notebook", plain.Notebook, "{"},
		{"an empty notebook", plain.Notebook, "{}"},
		{"no subtitles", plain.Subtitles, "hello"},
		{"no mail", plain.Mail, "hello"},
		{"a mail too deep", plain.Mail, deep},
	} {
		_, err := c.read(t.Context(), []byte(c.src), small)
		f, ok := errors.AsType[*fault.Error](err)
		if !errors.Is(err, fault.ErrUnsupported) || !ok || f.Hint == "" {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := plain.CSV(ctx, []byte("a,b\n"), markup.DefaultLimits()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestMailCharsets(t *testing.T) {
	head := "Subject: x\nContent-Type: text/plain; charset="
	for _, c := range []struct{ charset, body, want string }{
		{"windows-1251", "\xcf\xf0\xe8\xe2\xe5\xf2", "Привет"},
		{"utf-8", "é", "é"},
		{"no-such", "caf\xe9", "café"},
		{"us-ascii", "caf\xe9", "café"},
	} {
		got, err := plain.Mail(t.Context(), []byte(head+c.charset+"\n\n"+c.body), markup.DefaultLimits())
		if err != nil || !strings.HasSuffix(string(got.Markdown), "\n"+c.want+"\n") {
			t.Errorf("%s: got %q, %v", c.charset, got.Markdown, err)
		}
	}
}

// readers are those that are given damaged and invented bytes, with samples that they read.
var readers = map[string]struct {
	read    markup.Reader
	pattern string
	sample  string
}{
	"csv":       {plain.CSV, "", "a;b\n\"1\n\";2\n3;\"x \"y\" z\"\n"},
	"json":      {plain.JSON, "", "{\"a\": [1, 2]}\n"},
	"notebook":  {plain.Notebook, "testdata/*.ipynb", ""},
	"mail":      {plain.Mail, "testdata/*.eml", ""},
	"subtitles": {plain.Subtitles, "", "WEBVTT\n\n00:01.000 --> 00:02.000\n<v A>x\nx: y\n\n00:02.000 --> 00:03.000\nx: y\n"},
}

func samples(t testing.TB, pattern, sample string) [][]byte {
	if pattern == "" {
		return [][]byte{[]byte(sample)}
	}
	return readertest.Samples(t, pattern)
}

func TestDamaged(t *testing.T) {
	for name, r := range readers {
		t.Run(name, func(t *testing.T) { readertest.Mutate(t, samples(t, r.pattern, r.sample), r.read) })
	}
}

func FuzzReaders(f *testing.F) {
	for _, r := range readers {
		for _, s := range samples(f, r.pattern, r.sample) {
			f.Add(s)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		for name, r := range readers {
			a, err := r.read(t.Context(), src, markup.DefaultLimits())
			if err != nil && !errors.Is(err, fault.ErrUnsupported) {
				t.Fatalf("%s: %v", name, err)
			}
			if b, _ := r.read(t.Context(), src, markup.DefaultLimits()); !bytes.Equal(a.Markdown, b.Markdown) {
				t.Fatalf("%s: the second time is different", name)
			}
		}
	})
}
