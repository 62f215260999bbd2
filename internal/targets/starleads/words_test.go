package starleads

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"kbsyncd/internal/fault"
)

// A listing that fails says once what was done, what came and what to look at.
func TestWordsOfAListingThatFails(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc // nil: nobody listens
		want   string
	}{
		{"nobody", nil, "dial: connection refused; check base_url, the network and the proxy"},
		{"page", answer(200, "<html><title>Welcome</title></html>"), "200 OK: a web page instead of an answer: Welcome; check base_url"},
		{"bare page", answer(200, "<html></html>"), "200 OK: a web page instead of an answer; check base_url"},
		{"empty", answer(200, " "), "an empty answer instead of a list; check base_url, or set routes.dataset_list"},
		{"no content", answer(204, ""), "an empty answer instead of a list; check base_url, or set routes.dataset_list"},
		{"no list", answer(200, `{"ok":true}`), "the answer holds no list; check base_url, or set routes.dataset_list"},
		{"full stop", answer(400, `{"title":"Page is out of range.","traceId":"x1"}`), "400 Bad Request: Page is out of range; trace x1"},
	} {
		synctest.Test(t, func(t *testing.T) {
			change := func(c *Config) { c.Dataset, c.DatasetID = "d", "" }
			target := fake(t, change, tt.answer)
			if tt.answer == nil {
				target = reach(t, change, &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
					return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
				}})
			}
			_, err := target.Connect(t.Context(), true)
			if !errors.Is(err, fault.ErrIncomplete) || err.Error() != "starleads: list datasets: "+tt.want {
				t.Errorf("%s: %v", tt.name, err)
			}
			if strings.Contains(err.Error(), ".;") {
				t.Errorf("%s: %v", tt.name, err)
			}
		})
	}
}
