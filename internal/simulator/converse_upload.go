package simulator

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
)

// converseForm is what an upload carries.
type converseForm struct {
	name     string // the field, or the name of the file
	filename string
	content  []byte
}

func (s *Converse) upload(c *call) answer {
	media, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || media != "multipart/form-data" || params["boundary"] == "" {
		return s.invalid(c, s.opts.UploadField, "the body must be multipart/form-data")
	}
	form, err := s.readForm(c, multipart.NewReader(http.MaxBytesReader(nil, c.r.Body, maxStrictBody), params["boundary"]))
	switch {
	case err != nil:
		return s.bad(c, "%v", err)
	case c.files != 1:
		return s.invalid(c, s.opts.UploadField, s.opts.UploadField+" is required: one file")
	case !slices.Contains([]string{"pdf", "docx", "txt", "csv"}, extension(form.filename)):
		return s.bad(c, "%q is not a PDF, DOCX, TXT or CSV", form.filename)
	case len(form.content) == 0:
		return s.bad(c, "%q is empty", form.filename)
	}
	return s.create(c, form.name, &converseDocument{kind: "file", content: form.content})
}

// readForm reads the parts of an upload. Unknown ones are recorded and ignored.
func (s *Converse) readForm(c *call, reader *multipart.Reader) (form converseForm, err error) {
	for {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return form, errors.New("the multipart body could not be read")
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return form, errors.New("the multipart body ends early or is too large")
		}
		filename, isFile := partFile(part)
		switch field := part.FormName(); {
		case field == s.opts.UploadField && isFile:
			c.files++
			form.filename, form.content = filename, content
		case field == "name" && !isFile:
			form.name = string(content)
		default:
			c.violate("unknown multipart field %q", field)
		}
	}
	if form.name == "" {
		form.name = form.filename
	}
	return form, nil
}

// partFile is the file name of a part; Part.FileName would hide folders in it.
func partFile(part *multipart.Part) (name string, ok bool) {
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil {
		return "", false
	}
	name, ok = params["filename"]
	return name, ok
}
