package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/secret"
)

// A 2xx answer is a success only when it can be one, also for a request that wants no result.
func TestAnswersThatAreNoSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := Request{Op: "remove", Method: http.MethodDelete, Path: "/x"}
		for body, class := range map[string]error{
			"": nil, " \n": nil, "{}": nil, `"ok"`: nil, "null": nil, `{"id":"a","status":1,"name":"x"}`: nil,
			`{"status":404}`: nil, `{"status":"done","title":"x"}`: nil, `{"status":200,"title":"OK"}`: nil,
			"<html><title>Log in</title></html>": errors.ErrUnsupported, "Log in": errors.ErrUnsupported, `{"a":`: errors.ErrUnsupported,
			`{"status":404,"title":"Not Found"}`:      fault.ErrNotFound,
			`{"status":400,"detail":"No"}`:            fault.ErrRejected,
			`{"Status":409,"Title":"Busy","type":""}`: fault.ErrConflict,
		} {
			_, err := client(t, say(200, body), nil).Do(t.Context(), r, nil)
			switch {
			case class == nil && err != nil, class != nil && err == nil:
				t.Errorf("%s: %v", body, err)
			case class != nil && !errors.Is(class, errors.ErrUnsupported) && !errors.Is(err, class):
				t.Errorf("%s: %v is not %v", body, err, class)
			}
		}
	})
}

func TestKeyInAnAnswer(t *testing.T) {
	escaped := ""
	for _, b := range []byte(key) {
		escaped += `\u00` + "0123456789abcdef"[b>>4:b>>4+1] + "0123456789abcdef"[b&15:b&15+1]
	}
	synctest.Test(t, func(t *testing.T) {
		for _, body := range []string{
			`{"a":"bad ` + key + `.","b":"x"}`, `{"a":"bad ` + escaped + `.","b":"x"}`, `{"b":"x","a":"bad ` + key[:3] + `\u200b` + key[3:] + `."}`,
		} {
			var got struct{ A, B string }
			ans, err := client(t, say(200, body), nil).Do(t.Context(), get, &got)
			if err != nil || got.A != "bad [redacted]." || got.B != "x" || strings.Contains(string(ans.Body), key) {
				t.Errorf("%s: %+v, %v", body, got, err)
			}
		}
	})
}

func FuzzRedactJSON(f *testing.F) {
	f.Add([]byte(`{"a":"` + key + `"}`))
	f.Add([]byte(`"\"`))
	c, err := New(Options{Vendor: "acme", BaseURL: "http://fuzz.test", Key: secret.New(key)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if out := c.redactJSON(b); json.Valid(b) && (!json.Valid(out) || strings.Contains(string(out), key)) {
			t.Errorf("%q gives %q", b, out)
		}
	})
}
