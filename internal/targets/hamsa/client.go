package hamsa

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
)

const (
	itemsPath  = "/v1/voice-agents/knowledge-base"
	agentsPath = "/v2/voice-agents"
)

// mostAnswer bounds answers that hold texts, of one item or of a page of them.
const mostAnswer = 48 << 20

// itemPath is the address of an item. An id that is empty or dots would name something else.
func itemPath(id targets.RemoteID) (string, error) {
	p, err := httpapi.Path(string(id))
	if err != nil {
		return "", fault.New(fault.ErrRejected, "hamsa: %q is no id of an item", string(id))
	}
	return itemsPath + p, nil
}

// do makes a request and gives the body of its answer.
func (t *Target) do(ctx context.Context, r httpapi.Request) ([]byte, error) {
	ans, err := t.http.Do(ctx, r, nil)
	return bytes.TrimSpace(ans.Body), err
}

// refusal finds the no in a 2xx answer, for httpapi.Options. The documented examples say success:false where all went well, so
// that alone is no refusal: it takes an error without anything else.
func refusal(body []byte) *httpapi.Refusal {
	var m map[string]json.RawMessage
	if json.Unmarshal(body, &m) != nil || m == nil {
		return nil
	}
	for _, payload := range []string{"data", "items", "id"} {
		if !blank(m[payload]) {
			return nil
		}
	}
	var w struct {
		StatusCode          text
		Message, MessageKey words
		Error               words
		Success             text
	}
	if json.Unmarshal(body, &w) != nil {
		return nil
	}
	said := wordsOf(body)
	code, _ := strconv.Atoi(string(w.StatusCode))
	switch {
	case code >= http.StatusBadRequest:
		return &httpapi.Refusal{Code: code, Text: said}
	case w.Success == "false" && saysGone(strings.ToLower(string(w.Message+" "+w.MessageKey))):
		return &httpapi.Refusal{Code: http.StatusNotFound, Text: said}
	case w.Error != "" && w.Success != "true":
		return &httpapi.Refusal{Text: said}
	}
	return nil
}

// wordsOf is what an answer says beside its data.
func wordsOf(body []byte) string {
	var w struct{ Message, MessageKey, Error words }
	if json.Unmarshal(body, &w) != nil {
		return ""
	}
	return string(cmp.Or(w.Message, w.MessageKey, w.Error))
}

func blank(v json.RawMessage) bool {
	switch string(bytes.TrimSpace(v)) {
	case "", "null", "false", `""`, "[]", "{}":
		return true
	}
	return false
}

// saysGone tells words about an object that does not exist. An id that is no UUID is the id of none.
func saysGone(lower string) bool {
	for _, w := range []string{"not found", "not_found", "notfound", "not exist", "n't exist", "no longer exist", "uuid"} {
		if strings.Contains(lower, w) {
			return true
		}
	}
	return false
}

// isGone tells refusals that speak of an object that does not exist, whatever their status.
func isGone(err error) bool {
	if errors.Is(err, fault.ErrNotFound) {
		return true
	}
	e, ok := errors.AsType[*httpapi.Error](err)
	return ok && e.Status >= 200 && e.Status < 500 && errors.Is(err, fault.ErrRejected) && saysGone(strings.ToLower(e.Said+" "+e.Code))
}

// missing gives a refusal that speaks of an unknown item its class.
func missing(err error, id targets.RemoteID) error {
	if isGone(err) {
		return fault.New(fault.ErrNotFound, "hamsa: there is no item %s", kb.Printable(string(id)))
	}
	return err
}

// waitOf is what the vendor asks to wait in a failure, bounded.
func waitOf(err error) time.Duration { return min(httpapi.WaitOf(err), maxWait) }
