package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"strings"

	"kbsyncd/internal/secret"
)

// maxSecret bounds a file that is said to hold a secret.
const maxSecret = 64 << 10

// secrets fills secret fields from the files named by their neighbours: `token_file` belongs to `token`. An api_key
// must come from one of the two.
func (d *decoder) secrets(v reflect.Value, fields []field, path string, seen map[string]bool) {
	for _, f := range fields {
		if f.typ != secretType {
			continue
		}
		at, file := join(path, f.name), ""
		fileAt := at + "_file"
		for _, g := range fields {
			if g.name == f.name+"_file" {
				file = v.FieldByIndex(g.index).String()
			}
		}
		value := v.FieldByIndex(f.index)
		switch {
		case file != "" && !value.IsZero():
			d.problem(fileAt, "keep one of them", "given together with %s", f.name)
		case file != "":
			text, err := readSecret(file)
			if err != nil {
				msg, hint := explain(err)
				d.problem(fileAt, hint, "%s", msg)
				continue
			}
			d.hide(text, "[redacted]")
			value.Set(reflect.ValueOf(secret.New(text)))
		case f.name == "api_key" && value.IsZero() && !d.has(at) && !d.has(fileAt) && !d.excused[at] && !d.excused[fileAt]:
			if seen[f.name] {
				d.problem(at, "check that the variable holds the key", "empty")
				continue
			}
			d.add(d.where(path), at, "write api_key: ${NAME_OF_A_VARIABLE}, or api_key_file: with a file that holds it", "missing")
		}
	}
}

// readSecret reads a file that holds one secret on one line. Its errors never contain any of the content.
func readSecret(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", &valueError{"cannot read the file: " + plainCause(err), "check the path; it is relative to the configuration file"}
	}
	// A pipe or a device could block for ever.
	if !info.Mode().IsRegular() {
		return "", &valueError{"not a regular file", ""}
	}
	f, err := os.Open(name)
	if err != nil {
		return "", &valueError{"cannot read the file: " + plainCause(err), "check who owns it and its mode"}
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", &valueError{"cannot read the file: " + plainCause(err), ""}
	}
	text := strings.TrimRight(string(b), "\r\n")
	switch {
	case len(b) > maxSecret:
		return "", &valueError{fmt.Sprintf("the file is larger than %d bytes", maxSecret), "it must hold the secret alone"}
	case strings.TrimSpace(text) == "":
		return "", &valueError{"the file is empty", "it must hold the secret alone"}
	case strings.ContainsFunc(text, isControl):
		return "", &valueError{"the file holds more than one line or control characters", "it must hold the secret alone"}
	}
	return text, nil
}

// plainCause is the reason of a failed file operation without the path, which may be long and is in the file anyway.
func plainCause(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}
