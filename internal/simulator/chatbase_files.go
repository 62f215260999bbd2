package simulator

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
)

const cbMaxUpload = cbMaxFile + 1<<20 // bytes of an upload with its form

var cbExtensions = set("pdf doc docx txt json") // .json was observed, the others are documented

// cbForm is the body of an upload; what is absent is nil.
type cbForm struct {
	name     *string
	filename string
	content  []byte
}

// size of the text in a file, which is what the vendor counts: the whole of a plain one, a part of the others.
func (f cbForm) size() int64 {
	switch extension(f.filename) {
	case "txt", "json":
		return int64(len(f.content))
	}
	return int64(len(f.content))/4 + 1
}

func (s *Chatbase) createFile(c *call) answer {
	form, bad, ok := readCBForm(c)
	switch {
	case !ok:
		return bad
	case form.name == nil:
		return cbFormError(c, "name", "Required")
	case form.content == nil:
		return cbFormError(c, "file", "Required")
	}
	s.lock()
	defer s.mu.Unlock()
	a := s.byID[c.args[0]]
	switch {
	case a == nil && s.opts.StrictAgents:
		return cbNoAgent()
	case a == nil:
		return cbNoSource()
	case s.rejected(*form.name):
		return cbInvalid("file", "The file was rejected")
	case !s.fits(a, nil, form.size()):
		return cbTooLarge()
	}
	v := cbVersion{name: *form.name, content: form.content}
	src := s.addSource(a, "file", v)
	src.size = form.size()
	s.change(src, v)
	return s.showSource(http.StatusCreated, src)
}

func (s *Chatbase) updateFile(c *call) answer {
	form, bad, ok := readCBForm(c)
	switch {
	case !ok:
		return bad
	case form.name == nil && form.content == nil:
		return cbFormError(c, "body", "At least one of name and file is required")
	}
	s.lock()
	defer s.mu.Unlock()
	src, bad, ok := s.updatable(c)
	switch {
	case !ok && s.byID[c.args[0]] == nil && !s.opts.StrictAgents:
		return cbNoSource()
	case !ok:
		return bad
	case src.kind != "file":
		return cbFormError(c, "type", "Only file sources are updated here")
	case form.content != nil && !s.fits(src.agent, src, form.size()):
		return cbTooLarge()
	}
	v := src.now
	if form.name != nil {
		v.name = *form.name
	}
	if s.rejected(v.name) {
		return cbInvalid("file", "The file was rejected")
	}
	if form.content != nil {
		v.content, src.size, src.original = form.content, form.size(), int64(len(form.content))
	}
	s.change(src, v)
	return s.showSource(http.StatusOK, src)
}

// cbFormError is the answer to a bad upload, which a careful client does not send.
func cbFormError(c *call, field, text string) answer {
	c.violate("%s: %s", field, text)
	return cbInvalid(field, text)
}

// readCBForm reads an upload: the fields name and file, each at most once.
func readCBForm(c *call) (form cbForm, bad answer, ok bool) {
	media, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || media != "multipart/form-data" {
		c.violate("Content-Type %q on the files host", c.r.Header.Get("Content-Type"))
		return form, cbError(http.StatusNotFound, "NOT_FOUND", "Not found"), false
	}
	reader := multipart.NewReader(http.MaxBytesReader(nil, c.r.Body, cbMaxUpload), params["boundary"])
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = form.take(c, part)
		}
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return form, cbFormError(c, "file", "Must be between 50 bytes and 20 MB"), false
		}
		if err != nil {
			return form, cbInvalid("body", "The form could not be read"), false
		}
	}
	if form.name != nil {
		if field, text := checkCBName(*form.name, 1<<20); field != "" {
			return form, cbFormError(c, field, text), false
		}
	}
	switch {
	case form.content == nil:
	case !cbExtensions[extension(form.filename)]:
		return form, cbFormError(c, "file", "Unsupported file type; supported are .pdf, .doc, .docx, .txt"), false
	case len(form.content) < cbMinFile, len(form.content) > cbMaxFile:
		return form, cbFormError(c, "file", "Must be between 50 bytes and 20 MB"), false
	}
	return form, answer{}, true
}

// take reads one part. A file longer than the limit is cut just above it.
func (f *cbForm) take(c *call, part *multipart.Part) error {
	switch field := part.FormName(); {
	case field == "name" && part.FileName() == "" && f.name == nil:
		b, err := io.ReadAll(part)
		name := string(b)
		f.name = &name
		return err
	case field == "file" && part.FileName() != "" && f.content == nil:
		c.files++
		b, err := io.ReadAll(io.LimitReader(part, cbMaxFile+1))
		f.filename, f.content = part.FileName(), append([]byte{}, b...)
		return err
	default:
		c.violate("multipart field %q", field)
		return nil
	}
}
