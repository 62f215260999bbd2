package plain_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/convert/plain"
	"kbsyncd/internal/fault"
)

// TestMemory reads documents whose parts are smaller than what a program keeps of a part. What was allocated bounds what was held.
func TestMemory(t *testing.T) {
	const size = 2 << 20
	fill := func(before, unit, after string) string { return before + strings.Repeat(unit, size/len(unit)) + after }
	nested := strings.Repeat("From: a\nContent-Type: message/rfc822\n\n", 9)
	var boxes strings.Builder
	for i := range 9 {
		name := string(rune('a' + i))
		boxes.WriteString("Content-Type: multipart/mixed; boundary=" + name + "\n\n--" + name + "\n")
	}
	for _, c := range []struct {
		name    string
		read    markup.Reader
		src     string
		times   uint64 // of its bytes, allocated in the end
		refused bool
	}{
		{"elements of a list of cells", plain.Notebook, fill(`{"nbformat":4,"cells":[{"cell_type":"markdown","source":"x"}`, `,[{},{}],[{}]`, `]}`), 2, true},
		{"lines of a cell", plain.Notebook, fill(`{"nbformat":4,"cells":[{"cell_type":"markdown","source":["x"`, `,""`, `]}]}`), 120, false},
		{"a picture", plain.Notebook, fill(`{"nbformat":4,"cells":[{"cell_type":"code","source":"x","outputs":[{"data":{"image/png":"`, `abcd`, `"}}]}]}`), 2, false},
		{"values of a row", plain.CSV, fill("a,b\n1,2\n", ",", "\n"), 40, true},
		{"lines of a row", plain.CSV, fill("a,b\n1,", "\"\n\",", "\n"), 40, true},
		{"lines of a cue", plain.Subtitles, fill("00:00:01,000 --> 00:00:02,000\n", "a\n", ""), 48, true},
		{"messages in messages", plain.Mail, fill(nested+"From: a\n\n", "text\n", ""), 48, false},
		{"parts in parts", plain.Mail, fill("From: a\n"+boxes.String()+"\n", "text\n", ""), 64, false},
		{"a header", plain.Mail, fill("From: a\n", "a:\n", "\ntext\n"), 1, true},
	} {
		src := []byte(c.src)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := c.read(t.Context(), src, markup.DefaultLimits())
		runtime.ReadMemStats(&after)
		if f, ok := errors.AsType[*fault.Error](err); c.refused != ok || ok && (f.Hint == "" || !errors.Is(err, fault.ErrUnsupported)) {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := (after.TotalAlloc - before.TotalAlloc) / uint64(len(src)); !raced && got >= c.times || got >= 2*c.times {
			t.Errorf("%s: it took %d times its size", c.name, got)
		}
	}
}

func TestMemoryOfMail(t *testing.T) {
	small := markup.DefaultLimits()
	small.Unpacked = 100_000
	body := strings.Repeat("text of a part\n", 5000)
	in := "From: a\nContent-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
	if _, err := plain.Mail(t.Context(), []byte(in+"\n"+body), small); !errors.Is(err, fault.ErrUnsupported) || !strings.Contains(err.Error(), "parts within its parts") {
		t.Errorf("text: %v", err)
	}
	// What is attached is not read, and no reason to refuse the rest.
	in = "From: a\nContent-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b--\n--a\nContent-Type: image/png; name=x.png\n\n"
	got, err := plain.Mail(t.Context(), []byte(in+body+"\n--a--\n"), small)
	if err != nil || !strings.Contains(string(got.Markdown), "hello\n\n**Attachments:**\n\n- x.png") {
		t.Errorf("attachment: %q, %v", got.Markdown, err)
	}
}

func TestSubtitlesTooLong(t *testing.T) {
	if _, err := plain.Subtitles(t.Context(), make([]byte, 17<<20), markup.DefaultLimits()); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestNotebookPictures(t *testing.T) {
	cell := func(output string) string {
		return `{"nbformat":4,"cells":[{"cell_type":"code","source":["print(\"a,[\\\\\"", ")"],"outputs":[` + output + `]}]}`
	}
	for in, want := range map[string]string{
		`{"data":{"text\/plain":["<Figure>"],"image/png":"aGk="}}`:   "",
		`{"data":{"text/plain":["a]","}\""] , "x": {"y":[1,"\\"]}}}`: "\n```\na]}\"\n```\n",
		`{"text":"t","data":{"text/plain":"u"}}`:                     "\n```\nt\n```\n",
		`{"png":"aGk=","text":"<x>"}`:                                "",
		`{"ename":"E","evalue":"\u001b[31mv"}`:                       "\n```\nE: v\n```\n",
	} {
		got, err := plain.Notebook(t.Context(), []byte(cell(in)), markup.DefaultLimits())
		if head := "```python\nprint(\"a,[\\\\\")\n```\n"; err != nil || string(got.Markdown) != head+want {
			t.Errorf("%s: got %q, %v", in, got.Markdown, err)
		}
	}
}

// TestMemoryOfEncodings makes UTF-8 of a text without room to spare, for it may grow threefold.
func TestMemoryOfEncodings(t *testing.T) {
	src := []byte(strings.Repeat("\xe9 ", 1<<20))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	out, err := plain.UTF8(src)
	runtime.ReadMemStats(&after)
	if err != nil || len(out) != 3<<20 || cap(out) > 4<<20 {
		t.Fatalf("got %d of %d bytes, %v", len(out), cap(out), err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
		t.Errorf("it took %d bytes", got)
	}
	if _, err := plain.UTF8([]byte(strings.Repeat("\x80", 43<<20))); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}
