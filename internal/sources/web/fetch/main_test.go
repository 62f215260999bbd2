package fetch

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client makes a client that is closed with the test.
func client(t testing.TB, o Options) *Client {
	t.Helper()
	if o.UserAgent == "" {
		o.UserAgent = "kbsyncd/test"
	}
	if o.outside.proxy == nil {
		o.outside.proxy = direct
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// serve runs a server on loopback and gives its address and its host:port.
func serve(t testing.TB, h http.HandlerFunc) (address, hostPort string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL, strings.TrimPrefix(s.URL, "http://")
}

// read gets a page that must be there and reads it.
func read(t testing.TB, c *Client, r Request) (*Page, string) {
	t.Helper()
	p, err := c.Get(t.Context(), r)
	if err != nil {
		t.Fatalf("Get %s: %v", r.URL, err)
	}
	if p.Body == nil {
		return p, ""
	}
	defer p.Body.Close()
	text, err := io.ReadAll(p.Body)
	if err != nil {
		t.Fatalf("reading %s: %v", r.URL, err)
	}
	return p, string(text)
}

// readErr gets a page and gives the error of Get or of reading.
func readErr(t testing.TB, c *Client, r Request) error {
	t.Helper()
	p, err := c.Get(t.Context(), r)
	if err != nil {
		return err
	}
	if p.Body == nil {
		return nil
	}
	defer p.Body.Close()
	_, err = io.ReadAll(p.Body)
	return err
}

func wantErr(t testing.TB, err, class error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	if class != nil && !errors.Is(err, class) {
		t.Errorf("error %q is not of class %v", err, class)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q lacks %q", err, w)
		}
	}
}

func direct(*http.Request) (*url.URL, error) { return nil, nil }

// insecure lets a test talk to a server with a certificate for other names.
func insecure(tr *http.Transport) { tr.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} }
