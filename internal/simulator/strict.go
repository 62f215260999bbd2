package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
)

const maxStrictBody = 64 << 20

// strictJSON reads the JSON object in a request's body into dst. Unlike decode it refuses unknown fields, and whatever is
// wrong is a violation, because nothing in these requests depends on what a human typed. The reason is for the answer.
func (c *call) strictJSON(dst any) (reason string, ok bool) {
	err := readStrictObject(c.r, dst)
	if err == nil {
		return "", true
	}
	c.violate("%v", err)
	return err.Error(), false
}

func readStrictObject(r *http.Request, dst any) error {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return fmt.Errorf("a body of type %q instead of application/json", r.Header.Get("Content-Type"))
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxStrictBody))
	if err != nil {
		return errors.New("the body ends early or is too large")
	}
	if !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) || !json.Valid(body) {
		return errors.New("a JSON object is expected")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(dst); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// checkQuery records parameters that are not among the known ones. They are ignored otherwise.
func (c *call) checkQuery(known []string) {
	for name := range c.r.URL.Query() {
		if !slices.Contains(known, name) {
			c.violate("unknown query parameter %q", name)
		}
	}
}
