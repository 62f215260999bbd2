package convert

import (
	"bytes"

	"kbsyncd/internal/fault"
)

// begin looks at the head of a text and tells what of it is sent. end says that buf is the whole text.
func (p plan) begin(buf []byte, end bool, to Target) (body, error) {
	if p.made == (recipe{}) {
		if err := p.inspect(buf, end); err != nil {
			return body{}, err
		}
	}
	var b body
	if p.utf8 && bytes.HasPrefix(buf, bomUTF8) {
		b.offset = len(bomUTF8)
	}
	if p.front {
		var err error
		if b.front, err = readFront(buf[b.offset:]); err != nil {
			return body{}, err
		}
		if b.front.skip {
			return body{}, ErrSkip
		}
		if b.front.size > 0 && !to.KeepFrontMatter {
			b.offset += b.front.size
			b.offset += emptyLines(buf[b.offset:]) // they belong to the block
			b.title = heading(b.front.title, buf[b.offset:], p.limit)
		}
	}
	if end && len(bytes.TrimSpace(bytes.TrimPrefix(buf[b.offset:], bomUTF8))) == 0 {
		what := "white space"
		if b.front.size > 0 {
			what = "front matter"
		}
		return body{}, blankError(what)
	}
	return b, nil
}

// emptyLines is the bytes of the empty lines that a text begins with, when more follows.
func emptyLines(text []byte) int {
	at := 0
	for {
		line, rest, _ := bytes.Cut(text[at:], []byte("\n"))
		if len(rest) == 0 || len(bytes.TrimSpace(line)) > 0 {
			return at
		}
		at += len(line) + 1
	}
}

// blank tells white space alone.
func blank(b []byte) bool { return len(bytes.TrimSpace(b)) == 0 }

func blankError(what string) error {
	return fault.New(fault.ErrUnsupported, "it holds nothing but %s", what).
		WithHint("write something into it, or exclude it to silence this")
}

// heading is what to put in front of a Markdown text for it to carry its title: nothing when it begins with a heading of
// the first level or when the limit of a part leaves no room.
func heading(title string, text []byte, limit int64) string {
	line := titleLine(title)
	if line == "" || limit > 0 && int64(len(line)+2) > limit/4 || beginsWithHeading(text) {
		return ""
	}
	return line + "\n\n"
}

// beginsWithHeading tells a Markdown text whose first line that is not empty is a heading of the first level.
func beginsWithHeading(text []byte) bool {
	text = text[:min(len(text), frontLimit)]
	for {
		line, rest, found := bytes.Cut(text, []byte("\n"))
		if !found || len(bytes.TrimSpace(line)) > 0 {
			return headingLevel(line, '#') == 1 || underline(rest) == 1
		}
		text = rest
	}
}

// inspect tells by its head whether a document that is taken for text is one.
func (p plan) inspect(buf []byte, end bool) error {
	head := buf[:min(len(buf), headSize)]
	found := sniff(head, end && len(head) == len(buf))
	if found.binary {
		if p.guess {
			return fault.New(fault.ErrUnsupported, "the vendor takes no %s; it looks like %s", describe(p.key), found.what).
				WithHint("exclude it to silence this")
		}
		return fault.New(fault.ErrUnsupported, "it looks like %s, not text", found.what).
			WithHint("give it the extension of what it is, or exclude it to silence this")
	}
	if privateKey(head) {
		return fault.New(fault.ErrUnsupported, "it holds a private key").WithHint("exclude it to silence this")
	}
	if found.utf16 && p.utf8 {
		return errEncoding
	}
	return nil
}
