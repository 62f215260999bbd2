package httpapi

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"kbsyncd/internal/fault"
)

// What an answer to a Private request holds shows neither in errors nor in the log, in whatever form it comes; what to do
// about the failure does, and the client may still decide by what was said.
func TestPrivate(t *testing.T) {
	const theirs = "key-of-somebody-else"
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		class  error
		shows  string
		said   bool
	}{
		"object":     {say(400, `{"id":"1","llm":{"apiKey":"`+theirs+`"}}`), fault.ErrRejected, "400 Bad Request", true},
		"message":    {say(422, `{"message":"no such model for `+theirs+`"}`), fault.ErrRejected, "422", true},
		"fields":     {say(400, `{"errors":{"llm.apiKey":"`+theirs+` is old"}}`), fault.ErrRejected, "400", true},
		"denied":     {say(401, theirs), fault.ErrDenied, "check the API key", true},
		"repeated":   {say(503, `{"llm":"`+theirs+`"}`), nil, "503", true},
		"must wait":  {say(429, `{"llm":"`+theirs+`"}`, "Retry-After", "900"), nil, "asks to wait 15m0s", true},
		"refusal":    {say(200, `{"success":false,"code":102,"message":"`+theirs+`"}`), fault.ErrRejected, "code 102", true},
		"web page":   {say(200, `<html><title>`+theirs+`</title>`), nil, "a web page instead of an answer; check base_url", false},
		"not JSON":   {say(200, theirs), nil, "not JSON", false},
		"other type": {say(200, `{"id":123456789012345678901}`), nil, "not what was expected", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b bytes.Buffer
				cl := client(t, c.answer, func(o *Options) {
					o.Logger = slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))
				})
				r := get
				r.Private = true
				_, err := cl.Do(t.Context(), r, &struct{ ID string }{})
				e, ok := errors.AsType[*Error](err)
				if !ok || c.class != nil && !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.shows) {
					t.Fatalf("%v", err)
				}
				if all := err.Error() + b.String(); strings.Contains(all, "somebody") || strings.Contains(all, "8901") {
					t.Errorf("the answer shows: %s", all)
				}
				if strings.Contains(e.Said, theirs) != c.said {
					t.Errorf("said %q", e.Said)
				}
			})
		})
	}
}
