package contract_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"kbsyncd/internal/contract"
	"kbsyncd/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const small = `{"openapi":"3.0.0","paths":{"/Room":{"get":{}}}}`

// place is a web server of this machine that has what a test puts there.
func place(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	web := place(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || len(r.Cookies()) > 0 || r.UserAgent() != "kbsyncd/test" {
			t.Errorf("headers %v", r.Header)
		}
		switch r.URL.Path {
		case "/openapi.json":
			_, _ = io.WriteString(w, small)
		case "/moved":
			http.Redirect(w, r, "/openapi.json", http.StatusFound)
		case "/circle":
			http.Redirect(w, r, "/circle", http.StatusFound)
		case "/elsewhere":
			http.Redirect(w, r, "http://192.0.2.1/openapi.json", http.StatusFound)
		case "/scheme":
			http.Redirect(w, r, "https://127.0.0.1:1/openapi.json", http.StatusFound)
		case "/endless":
			for range 400 {
				_, _ = io.WriteString(w, strings.Repeat("x", 1<<16))
			}
		case "/page":
			_, _ = io.WriteString(w, "<html>Please log in</html>")
		default:
			http.NotFound(w, r)
		}
	})
	for where, want := range map[string]string{
		write("good.json", small): "",
		write("good.yaml", "openapi: 3.0.0\npaths: { /a: { get: {} } }\n"): "",
		web + "/openapi.json":                  "",
		web + "/moved":                         "",
		filepath.Join(dir, "absent"):           "no such file",
		dir:                                    "no file",
		write("empty", ""):                     "not an OpenAPI 3 document",
		write("page.json", "<html>"):           "not an OpenAPI 3 document",
		web + "/absent":                        "404 Not Found",
		web + "/page":                          "not an OpenAPI 3 document",
		web + "/circle":                        "redirects",
		web + "/elsewhere":                     "redirects",
		web + "/scheme":                        "redirects",
		web + "/endless":                       "larger than 10 MB",
		"http://192.0.2.1/openapi.json":        "must be an https address or a file",
		"ftp://127.0.0.1/openapi.json":         "must be an https address or a file",
		"http://user:pw@127.0.0.1/x":           "must not contain a user name",
		"http://127.0.0.1/x?token=pw":          "must not have a query",
		"http://127.0.0.1:1/openapi.json":      "refused",
		"file:///etc/passwd":                   "must be an https address or a file",
		"https://%zz":                          "not an address",
		"http://127.0.0.1.example.com/openapi": "must be an https address or a file",
	} {
		doc, err := contract.Load(t.Context(), where, "kbsyncd/test")
		if want == "" {
			if err != nil || doc == nil {
				t.Errorf("%s: %v", where, err)
			}
			continue
		}
		if err == nil || !errors.Is(err, fault.ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", where, err, want)
		}
		if strings.Contains(want, "must") != (contract.CheckWhere(where) != "") && want != "not an address" {
			t.Errorf("%s: CheckWhere says %q", where, contract.CheckWhere(where))
		}
	}
}
