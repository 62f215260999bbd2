package convert

import (
	"strconv"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

// maxParts is the most that a remote name can count.
const maxParts = 9999

// plan is how a document is to be sent, as far as its name and size tell.
type plan struct {
	layout
	key      kb.Key
	made     recipe // how the bytes to send are made of the source's; zero: they are the source's
	ext      string // to send it under; "": nobody takes it
	splitExt string // to send its parts under, when that is another
	limit    int64  // bytes of a part; 0: none
	noun     string // what it is, for messages
	fromText bool   // the source must look like text
	text     bool   // what is sent is text
	utf8     bool   // what is sent must be UTF-8 and has no byte order mark
	guess    bool   // only its content tells what it is
	splits   bool   // may be cut into parts
	instead  bool   // above the limit it is sent in another form
	front    bool   // it may have front matter
}

// choose decides by name and size.
func choose(k kb.Key, size int64, to Target) (plan, error) {
	if size == 0 {
		return plan{}, emptyError()
	}
	p := choosePlain(k, to)
	is := kinds[extension(k)]
	switch {
	case is.family == famSecret && p.ext == "":
		return p, fault.New(fault.ErrUnsupported, "%s files may hold secrets and are not published", extension(k)).
			WithHint("exclude it to silence this, or rename it to .txt when an agent may read it")
	case p.ext == "":
		return p, fault.New(fault.ErrUnsupported, "the vendor takes no %s", firstOf(is.noun, describe(k))).
			WithHint("exclude it to silence this")
	}
	if p.made == (recipe{}) && !p.splits && p.limit > 0 && size > p.limit {
		if !p.instead {
			return p, p.tooLarge(size)
		}
		p = p.above(to)
	}
	if p.made != (recipe{}) && size > maxSource {
		if !p.fromText || to.Accepts.Text == "" {
			return p, p.tooLong(size)
		}
		p = p.plain(to)
	}
	return p, nil
}

// choosePlain finds the best form by the name alone: the file as it is, Markdown, text.
func choosePlain(k kb.Key, to Target) plan {
	ext := extension(k)
	is := kinds[ext]
	native := ext != "" && to.Accepts.Native[ext]
	p := plan{key: k, ext: ext, noun: is.noun, layout: layouts[ext]}
	conv, readable := conversions[ext]
	p.fromText = is.family != famBinary && is.family != famSecret
	p.text = p.fromText
	switch {
	case native && p.text && is.family != famUnknown:
		p.splits, p.utf8 = true, !tellsEncoding(ext)
		if ext == ".json" {
			p.splitExt = to.Accepts.Text
			p.splits = p.splitExt != ""
		}
	case native: // not ours to open or cut; a kind that only the vendor knows as well
		p.text, p.fromText, p.noun = false, false, firstOf(p.noun, ext+" files")
		p.instead = readable && firstOf(to.Accepts.Markdown, to.Accepts.Text) != ""
		p.instead = p.instead || ext == ".pdf"
	case readable && conv.suits(to):
		p = p.read(to)
	case is.family == famMarkdown:
		p.ext, p.splits, p.utf8 = firstOf(to.Accepts.Markdown, to.Accepts.Text), true, true
	case p.text:
		p = p.plain(to)
		if is.family == famUnknown {
			p.guess, p.layout = true, markdownLayout
		}
	default:
		p.ext = ""
	}
	p.front = is.family == famMarkdown
	p.limit = limitOf(p.ext, to)
	return p
}

// limitOf is the most bytes of a part with an extension; 0 is no limit.
func limitOf(ext string, to Target) int64 {
	most := to.Accepts.TextBytes
	if ext != to.Accepts.Text && ext != to.Accepts.Markdown || most <= 0 {
		return to.MaxBytes
	}
	if to.MaxBytes > 0 {
		most = min(most, to.MaxBytes)
	}
	return most
}

// plain is the plan to send a text as it is.
func (p plan) plain(to Target) plan {
	p.made, p.ext, p.layout = recipe{}, to.Accepts.Text, layouts[extension(p.key)]
	p.splits, p.utf8 = true, true
	p.limit = limitOf(p.ext, to)
	return p
}

// read is the plan to send what a reader makes of the document.
func (p plan) read(to Target) plan {
	p.made = recipe{way: wayRead, ext: extension(p.key)}
	p.ext, p.splitExt = firstOf(to.Accepts.Markdown, to.Accepts.Text), ""
	p.text, p.splits, p.utf8, p.instead, p.layout = true, true, true, false, markdownLayout
	p.limit = limitOf(p.ext, to)
	return p
}

// decoded is the plan to send a text that turned out not to be UTF-8.
func (p plan) decoded(to Target) plan {
	ext := extension(p.key)
	if tellsEncoding(ext) && to.Accepts.Native[ext] && conversions[ext].read != nil && firstOf(to.Accepts.Markdown, to.Accepts.Text) != "" {
		return p.read(to) // it says in its head how it is encoded, and would say it of UTF-8 as well
	}
	p.made, p.utf8 = recipe{way: wayDecode}, true
	return p
}

// above is the plan to send a native document that is above the limit.
func (p plan) above(to Target) plan {
	if p.ext == ".pdf" {
		p.made = recipe{way: wayPages, ext: p.ext, max: p.limit}
		return p
	}
	return p.read(to)
}

func emptyError() error {
	return fault.New(fault.ErrUnsupported, "it is empty").WithHint("write something into it, or exclude it to silence this")
}

func (p plan) tooLarge(size int64) error {
	have, most := bytesText(size), bytesText(p.limit)
	if have == most {
		have, most = strconv.FormatInt(size, 10)+" bytes", strconv.FormatInt(p.limit, 10)
	}
	return fault.New(fault.ErrUnsupported, "%s is above the vendor's limit of %s per file, and %s cannot be cut into parts",
		have, most, firstOf(p.noun, "such files")).WithHint("divide it into smaller files, or exclude it to silence this")
}

// tooLong refuses to convert.
func (p plan) tooLong(size int64) error {
	return fault.New(fault.ErrUnsupported, "it must be converted for this vendor, and %s is above the %s that can be",
		bytesText(size), bytesText(maxSource)).WithHint("divide it into smaller files, or exclude it to silence this")
}
