package plain

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"

	"golang.org/x/net/html/charset"

	"kbsyncd/internal/convert/htmlmd"
	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

const (
	maxMailDepth = 10   // parts within parts
	maxMailParts = 1000 // of one mail, all together

	maxMailHead = 1 << 20 // bytes of the header of a message or a part
)

// headerWords decodes the words of a header (RFC 2047).
var headerWords = mime.WordDecoder{CharsetReader: charset.NewReaderLabel}

// Mail is the reader of mail messages (EML): who wrote to whom, when and about what, then the text. Of alternatives the plain
// text is taken, else the HTML. Attachments are named, not read. The title is the subject.
func Mail(ctx context.Context, src []byte, l markup.Limits) (markup.Result, error) {
	if int64(len(src)) > l.Unpacked {
		return markup.Result{}, fault.New(fault.ErrUnsupported, "it has %d bytes, above the limit of %d", len(src), l.Unpacked).WithHint("remove its attachments")
	}
	m := &mailReader{ctx: ctx, l: l, w: markup.NewWriter(l.Output), left: l.Unpacked}
	title, err := m.message(fromCR(src), 0)
	if err != nil {
		return markup.Result{}, err
	}
	if len(m.attached) > 0 {
		m.w.Paragraph(markup.Inline{{Text: "Attachments:", Style: markup.Bold}})
		for _, name := range m.attached {
			m.w.Item(0, -1, markup.Text(name))
		}
		m.w.Leave(0)
	}
	return m.w.Result(title)
}

// mailReader reads one message and those in it.
type mailReader struct {
	ctx      context.Context // of the one call that it lives for
	l        markup.Limits
	w        *markup.Writer
	parts    int
	left     int64 // bytes that may still be copied out of parts; parts within parts are copied again
	attached []string
}

// header is what a message's and a part's header have in common.
type header interface{ Get(string) string }

// message writes a message and gives its subject.
func (m *mailReader) message(src []byte, depth int) (string, error) {
	if bytes.HasPrefix(src, []byte("From ")) { // the line that parts the messages of a mailbox
		if i := bytes.IndexByte(src, '\n'); i >= 0 {
			src = src[i+1:]
		}
	}
	src = bytes.TrimLeft(src, "\r\n")
	if headSize(src) > maxMailHead {
		return "", fault.New(fault.ErrUnsupported, "the header of the mail message is above %d MB", maxMailHead>>20).WithHint("save its text alone")
	}
	rest := bytes.NewReader(src)
	buffered := bufio.NewReader(rest)
	msg, err := mail.ReadMessage(buffered)
	if err != nil || len(msg.Header) == 0 {
		return "", fault.New(fault.ErrUnsupported, "it is no mail message").Because(err).WithHint("export it again as EML, or save it as text")
	}
	var head markup.Inline
	for _, key := range []string{"From", "To", "Cc", "Date", "Subject"} {
		value := decodeHeader(msg.Header.Get(key))
		if key == "Date" {
			if t, err := mail.ParseDate(msg.Header.Get(key)); err == nil {
				value = t.Format("2006-01-02 15:04 -0700")
			}
		}
		if value == "" {
			continue
		}
		if len(head) > 0 {
			head.Add(markup.Run{Text: "\n"})
		}
		head.Add(markup.Run{Text: key + ":", Style: markup.Bold})
		head.Add(markup.Run{Text: " " + value})
	}
	m.w.Paragraph(head)
	body := src[len(src)-rest.Len()-buffered.Buffered():] // what msg.Body would copy
	_, err = m.part(msg.Header, body, depth)
	return decodeHeader(msg.Header.Get("Subject")), err
}

// headSize is where the header of a message ends, at its first blank line.
func headSize(src []byte) int {
	for i := 0; ; {
		n := bytes.IndexByte(src[i:], '\n')
		if n < 0 {
			return len(src)
		}
		if i += n + 1; bytes.HasPrefix(src[i:], []byte("\n")) || bytes.HasPrefix(src[i:], []byte("\r\n")) {
			return i
		}
	}
}

func decodeHeader(s string) string {
	if d, err := headerWords.DecodeHeader(s); err == nil {
		s = d
	}
	if t, err := UTF8([]byte(s)); err == nil {
		s = string(t)
	}
	return markup.Text(s).Plain()
}

// part writes a part and tells whether it had text.
func (m *mailReader) part(h header, body []byte, depth int) (bool, error) {
	if err := m.ctx.Err(); err != nil {
		return false, err
	}
	if m.parts++; m.parts > maxMailParts || depth > maxMailDepth {
		return false, fault.New(fault.ErrUnsupported, "the mail message has too many parts").WithHint("save its text alone")
	}
	kind, params := mediaType(h)
	if name, ok := attachment(h, kind, params); ok {
		m.attached = append(m.attached, name)
		return false, nil
	}
	if strings.HasPrefix(kind, "multipart/") {
		return m.multi(kind, params["boundary"], body, depth)
	}
	body, err := m.transfer(h, body)
	if err != nil {
		return false, err
	}
	switch kind {
	case "message/rfc822":
		_, err := m.message(body, depth+1)
		return true, err
	case "text/html":
		md, err := htmlmd.Fragment(m.ctx, text(body, params["charset"]), m.l)
		m.w.Markdown(md)
		return len(md) > 0, err
	}
	if int64(len(body)) > m.l.Output {
		return false, fault.New(fault.ErrUnsupported, "its text is larger than %d MB", m.l.Output>>20).WithHint("divide it")
	}
	return m.plain(text(body, params["charset"])), nil
}

func mediaType(h header) (string, map[string]string) {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return "text/plain", nil
	}
	return kind, params
}

// attached tells that a part is an attachment, whose bytes nobody asks for.
func attached(h header) bool {
	kind, params := mediaType(h)
	_, ok := attachment(h, kind, params)
	return ok
}

// attachment tells that a part is one, and its name.
func attachment(h header, kind string, params map[string]string) (string, bool) {
	how, more, _ := mime.ParseMediaType(h.Get("Content-Disposition"))
	name := decodeHeader(more["filename"])
	if name == "" {
		name = decodeHeader(params["name"])
	}
	readable := kind == "text/plain" || kind == "text/html" || kind == "message/rfc822" || strings.HasPrefix(kind, "multipart/")
	if readable && how != "attachment" {
		return "", false
	}
	if name == "" {
		name = kind
	}
	return name, true
}

// copied reads a part. What is damaged is read as far as it goes.
func (m *mailReader) copied(r io.Reader) ([]byte, error) {
	b, _ := io.ReadAll(io.LimitReader(r, m.left+1))
	if m.left -= int64(len(b)); m.left < 0 {
		return nil, fault.New(fault.ErrUnsupported, "the parts within its parts have more than %d MB", m.l.Unpacked>>20).WithHint("remove its attachments, or save its text alone")
	}
	return b, nil
}

// multi writes the parts of a part: of alternatives the best, else all.
func (m *mailReader) multi(kind, boundary string, body []byte, depth int) (bool, error) {
	type piece struct {
		h    header
		body []byte
	}
	var pieces []piece
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for boundary != "" && len(pieces) <= maxMailParts {
		p, err := r.NextRawPart()
		if err != nil {
			break // its end, or what cannot be read behind what could
		}
		var b []byte
		if !attached(p.Header) {
			if b, err = m.copied(p); err != nil {
				return false, err
			}
		}
		pieces = append(pieces, piece{p.Header, b})
	}
	some := false
	for _, plainFirst := range []bool{true, false} {
		for _, p := range pieces {
			isPlain := strings.HasPrefix(strings.ToLower(p.h.Get("Content-Type")), "text/plain")
			if kind == "multipart/alternative" && (isPlain != plainFirst || some) || kind != "multipart/alternative" && !plainFirst {
				continue
			}
			ok, err := m.part(p.h, p.body, depth+1)
			if err != nil {
				return some, err
			}
			some = some || ok
		}
	}
	return some, nil
}

// transfer undoes the transfer encoding.
func (m *mailReader) transfer(h header, body []byte) ([]byte, error) {
	switch strings.ToLower(strings.TrimSpace(h.Get("Content-Transfer-Encoding"))) {
	case "base64":
		return m.copied(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(body)))
	case "quoted-printable":
		return m.copied(quotedprintable.NewReader(bytes.NewReader(body)))
	default:
		return body, nil
	}
}

// text decodes the characters of a part.
func text(body []byte, label string) []byte {
	if label != "" && !strings.EqualFold(label, "us-ascii") {
		if e, _ := charset.Lookup(label); e != nil {
			if out, err := e.NewDecoder().Bytes(body); err == nil {
				return out
			}
		}
	}
	if out, err := UTF8(body); err == nil {
		return out
	}
	return bytes.ToValidUTF8(body, []byte("\uFFFD"))
}

// plain writes plain text by its paragraphs; quotations stay such.
func (m *mailReader) plain(body []byte) bool {
	some := false
	s := strings.ReplaceAll(string(body), "\r\n", "\n")
	for p := range strings.SplitSeq(s, "\n\n") {
		p = strings.Trim(p, "\n")
		if strings.TrimSpace(p) == "" {
			continue
		}
		some = true
		if strings.HasPrefix(p, ">") {
			m.w.Markdown([]byte(markup.Clean(p)))
		} else {
			m.w.Paragraph(markup.Text(p))
		}
	}
	return some
}
