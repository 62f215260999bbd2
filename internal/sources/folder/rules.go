package folder

import (
	"errors"
	"io"

	"kbsyncd/internal/sources/filter"
)

// readRules reads the ignore file of a directory that has one.
func (h *handle) readRules(real, base string, parent *filter.Rules) (*filter.Rules, error) {
	f, err := h.openFile(real + filter.IgnoreName)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("is no regular file")
	}
	text, err := io.ReadAll(io.LimitReader(f, filter.IgnoreLimit+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > filter.IgnoreLimit:
		return nil, errors.New("is larger than 1 MiB")
	}
	return filter.ParseIgnore(text, base, parent), nil
}
