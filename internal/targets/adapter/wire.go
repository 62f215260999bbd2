package adapter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"kbsyncd/internal/kb"
)

// Text is a string that may come as a number or as true or false; everything else is empty.
type Text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *Text) UnmarshalJSON(b []byte) error {
	*t = Text(Scalar(b))
	if s := string(b); s == "true" || s == "false" {
		*t = Text(s)
	}
	return nil
}

// Scalar is a JSON string or number as text; "" for everything else.
func Scalar(b json.RawMessage) string {
	if len(b) == 0 {
		return ""
	}
	switch c := b[0]; {
	case c == '"':
		var s string
		_ = json.Unmarshal(b, &s) // a raw message is valid
		return s
	case c == '-' || c >= '0' && c <= '9':
		return string(b)
	}
	return ""
}

// ErrNoList is the error of an answer that should hold a list and does not. It is no empty list.
var ErrNoList = errors.New("the answer holds no list")

// Rows reads a list one by one, so that a long one takes little memory. It ends with the first error of fn.
func Rows[T any](list json.RawMessage, fn func(T) error) error {
	if list = bytes.TrimSpace(list); len(list) == 0 || list[0] != '[' {
		return ErrNoList
	}
	dec := json.NewDecoder(bytes.NewReader(list))
	_, err := dec.Token()
	for err == nil && dec.More() {
		var row T
		if err = dec.Decode(&row); err != nil {
			break
		}
		if err := fn(row); err != nil {
			return err
		}
	}
	if err == nil {
		_, err = dec.Token()
	}
	if err != nil {
		return fmt.Errorf("the list cannot be read: %w", err)
	}
	return nil
}

// Items reads a list that may have so many items, each with an id.
func Items[T any](list json.RawMessage, most int, id func(T) string) (out []T, err error) {
	err = Rows(list, func(item T) error {
		switch {
		case len(out) == most:
			return fmt.Errorf("a page of the list has more than %d items", most)
		case id(item) == "":
			return errors.New("an item of the list has no id")
		}
		out = append(out, item)
		return nil
	})
	return out, err
}

// OneLine is the beginning of a longer text on one line that may be shown.
func OneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "…"
	}
	return kb.Printable(s)
}
