package simulator

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// uploadFile is one file of an upload request.
type uploadFile struct {
	name    string
	content []byte
}

func (s *Starleads) upload(c *call) answer {
	s.lock()
	known := s.findDataset(c.args[0]) != nil
	s.mu.Unlock()
	if !known {
		return s.unknown("dataset", c.args[0])
	}
	files, bad, ok := s.readFiles(c)
	if !ok {
		return bad
	}
	hooks := s.hooks()

	s.lock()
	defer s.mu.Unlock()
	ds := s.findDataset(c.args[0])
	if ds == nil {
		return s.unknown("dataset", c.args[0])
	}
	var good []uploadFile
	var refused []string
	for _, f := range files {
		if reason := checkFile(c, f, hooks); reason != "" {
			refused = append(refused, fmt.Sprintf("%s: %s", f.name, reason))
			continue
		}
		good = append(good, f)
	}
	if len(refused) > 0 && (len(good) == 0 || !s.opts.MixedBatch500) {
		return invalid("files", "%s", strings.Join(refused, "\n"))
	}
	items, bad, ok := s.store(ds, good)
	switch {
	case !ok:
		return bad
	case len(refused) > 0:
		return problem(http.StatusInternalServerError, "%s", strings.Join(refused, "\n"))
	}
	return jsonAnswer(http.StatusOK, items)
}

// store keeps the files of one upload. The lock must be held.
func (s *Starleads) store(ds *dataset, files []uploadFile) (items []wireDocument, bad answer, ok bool) {
	for _, f := range files {
		name, ok := uniqueName(f.name, ds.hasDocument)
		if !ok {
			return nil, problem(http.StatusBadRequest, "%s: there are too many files of this name", f.name), false
		}
		item := s.wireDocument(s.addDocument(ds, name, f.content))
		if s.opts.NoStatus {
			item.Status = nil
		}
		items = append(items, item)
	}
	if n := len(items); s.opts.ShuffledUpload && n > 1 {
		turn := 1 + s.rng.IntN(n-1)
		items = append(items[turn:], items[:turn]...)
	}
	return items, answer{}, true
}

// readFiles reads an upload and applies the checks of the gateway, which come before anything is stored.
func (s *Starleads) readFiles(c *call) (files []uploadFile, bad answer, ok bool) {
	media, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	switch {
	case err != nil || media != "multipart/form-data":
		c.violate("Content-Type %q instead of multipart/form-data", c.r.Header.Get("Content-Type"))
		return nil, problem(http.StatusUnsupportedMediaType, "The body must be multipart/form-data."), false
	case params["boundary"] == "":
		c.violate("multipart without a boundary")
		return nil, problem(http.StatusBadRequest, "Missing content-type boundary."), false
	}
	tooLarge := func() ([]uploadFile, answer, bool) {
		c.violate("a request above %d bytes", s.opts.MaxBody)
		return nil, problem(http.StatusRequestEntityTooLarge, "Request body too large."), false
	}
	if c.r.ContentLength > s.opts.MaxBody {
		return tooLarge()
	}
	reader := multipart.NewReader(http.MaxBytesReader(nil, c.r.Body, s.opts.MaxBody), params["boundary"])
	var sum int
	for {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		var f uploadFile
		var isFile bool
		if err == nil {
			f, isFile, err = readPart(c, part)
		}
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return tooLarge()
		}
		if err != nil {
			return nil, problem(http.StatusBadRequest, "The multipart body could not be read."), false
		}
		if !isFile {
			continue
		}
		c.files++
		sum += len(f.content)
		if c.files <= maxFiles {
			files = append(files, f)
		}
	}
	if sum > maxPolite {
		c.violate("%d bytes of files in one request, above %d", sum, maxPolite)
	}
	if bad, ok := checkBatch(c, files); !ok {
		return nil, bad, false
	}
	return files, answer{}, true
}

// checkBatch applies the documented limits on the number and size of files.
func checkBatch(c *call, files []uploadFile) (bad answer, ok bool) {
	switch {
	case c.files == 0:
		c.violate("an upload without files")
		return invalid("files", "The files field is required."), false
	case c.files > maxFiles:
		c.violate("%d files in one request, above %d", c.files, maxFiles)
		return invalid("files", "At most %d files can be uploaded at once.", maxFiles), false
	}
	for _, f := range files {
		if len(f.content) > maxFileSize {
			c.violate("a file above %d bytes: %s", maxFileSize, f.name)
			return invalid("files", "%s: the file is larger than 5 MB", f.name), false
		}
	}
	return answer{}, true
}

// checkFile returns the reason why the store behind the gateway refuses a file, or nothing.
func checkFile(c *call, f uploadFile, hooks Faults) string {
	if reason := checkName(c, f.name); reason != "" {
		return reason
	}
	if !uploadable(extension(f.name)) {
		return "This type of file has not been supported yet!"
	}
	if hooks.Reject != nil && hooks.Reject(f.name) {
		return "The file was rejected."
	}
	return ""
}

// checkName returns the reason why a document cannot have this name, or nothing.
func checkName(c *call, name string) string {
	switch {
	case name == "":
		c.violate("an empty file name")
		return "No file selected!"
	case len(name) > maxNameBytes:
		c.violate("a file name of %d bytes", len(name))
		return "File name must be 255 bytes or less."
	case strings.ContainsAny(name, `/\\`):
		c.violate("a slash in the file name %q", name)
		return "The file name must not contain slashes."
	case !utf8.ValidString(name), strings.ContainsFunc(name, unicode.IsControl):
		c.violate("a bad character in the file name %q", name)
		return "The file name is not valid."
	}
	return ""
}

// readPart reads one part. A file longer than the limit is cut just above it.
func readPart(c *call, part *multipart.Part) (f uploadFile, isFile bool, err error) {
	// Part.FileName would hide folders in the name.
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil {
		return f, false, err
	}
	name, isFile := params["filename"]
	switch {
	case params["name"] != "files":
		c.violate("multipart field %q instead of files", params["name"])
		return f, false, nil
	case !isFile:
		c.violate("a part without a file name")
		return f, false, nil
	}
	content, err := io.ReadAll(io.LimitReader(part, maxFileSize+1))
	return uploadFile{name: name, content: content}, true, err
}
