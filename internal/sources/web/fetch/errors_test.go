package fetch

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/secret"
)

// secureServer runs a server whose certificate is for a name and was valid until some time from now.
func secureServer(t *testing.T, name string, left time.Duration) (port string, authority *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(left),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.StartTLS()
	t.Cleanup(s.Close)
	authority = x509.NewCertPool()
	authority.AddCert(leaf)
	return s.URL[strings.LastIndexByte(s.URL, ':'):], authority
}

func TestCertificates(t *testing.T) {
	for _, tt := range []struct {
		name, certified string
		left            time.Duration
		known           bool
		want            string // "": it is accepted
	}{
		{"good", "site.test", time.Hour, true, ""},
		{"expired", "site.test", -time.Hour, true, "expired"},
		{"another name", "other.test", time.Hour, true, "a certificate for another name"},
		{"unknown authority", "site.test", time.Hour, false, "SSL_CERT_FILE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			port, authority := secureServer(t, tt.certified, tt.left)
			if !tt.known {
				authority = x509.NewCertPool()
			}
			c := client(t, Options{Hosts: []string{"site.test" + port}, outside: outside{
				resolver: resolver(t, map[string][]string{"site.test": {"127.0.0.1"}}),
				tweak:    func(tr *http.Transport) { tr.TLSClientConfig = &tls.Config{RootCAs: authority} },
			}})
			err := readErr(t, c, Request{URL: "https://site.test" + port + "/a"})
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantErr(t, err, fault.ErrIncomplete, "https://site.test"+port+"/a has a certificate", tt.want)
			if requests, _, _ := c.Traffic(); requests != 1 {
				t.Errorf("%d tries, want one", requests)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	_ = l.Close()
	plain, plainHost := serve(t, func(http.ResponseWriter, *http.Request) {})
	odd, oddHost := raw(t, func(conn net.Conn) { _, _ = conn.Write([]byte("SSH-2.0 hush-hush\r\n\r\n")) })
	mute, muteHost := raw(t, func(net.Conn) {})
	long, longHost := raw(t, func(conn net.Conn) {
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nX-Long: %s\r\n\r\n", strings.Repeat("a", 2*maxHeader))
	})
	c := client(t, Options{
		Hosts:   []string{nobody, plainHost, oddHost, muteHost, longHost, "gone.test"},
		Headers: map[string]secret.String{"X-Token": secret.New("hush-hush")},
		outside: outside{resolver: resolver(t, nil)},
	})
	for address, want := range map[string]string{
		"http://" + nobody + "/":                     "the connection is refused (tried 3 times); check that the server is up",
		"http://gone.test/":                          "there is no host of this name; check the address",
		strings.Replace(plain, "http:", "https:", 1): "does not speak TLS; is http:// meant?",
		odd:  "gives no answer that can be read",
		mute: "broke the connection before it answered (tried 3 times)",
		long: "gives no answer that can be read",
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			err := readErr(t, c, Request{URL: address})
			wantErr(t, err, fault.ErrIncomplete, want)
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("the error holds a secret: %v", err)
			}
			if fault.StopsTarget(err) {
				t.Errorf("%v stops targets", err)
			}
		})
	}
}

func TestShow(t *testing.T) {
	for address, want := range map[string]string{
		"https://docs.example.com/a/b":                         "https://docs.example.com/a/b",
		"https://docs.example.com/a?token=hush":                "https://docs.example.com/a?…",
		"https://me:hush@docs.example.com/a":                   "https://docs.example.com/a",
		"https://me:hush@docs.example.com/%zz?token=hush":      "…@docs.example.com/%zz",
		"https://docs.example.com/a#part":                      "https://docs.example.com/a",
		"/a?token=hush":                                        "/a",
		"https://docs.example.com/" + strings.Repeat("a", 300): "https://docs.example.com/" + strings.Repeat("a", 175) + "…",
	} {
		if got := showText(address); got != want {
			t.Errorf("showText(%q) = %q, want %q", address, got, want)
		}
	}
}

// TestLog holds that a log has every request and no query and no value of a header.
func TestLog(t *testing.T) {
	var log bytes.Buffer
	at, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/old" {
			http.Redirect(w, r, "/new?token=hush", http.StatusFound)
		}
	})
	c := client(t, Options{
		Hosts: []string{host}, Headers: map[string]secret.String{"X-Token": secret.New("hush")},
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	read(t, c, Request{URL: at + "/old?token=hush"})
	if strings.Count(log.String(), "\n") != 2 || !strings.Contains(log.String(), "/new?…") || strings.Contains(log.String(), "hush") {
		t.Errorf("log:\n%s", log.String())
	}
}

// TestHTTP2 asks for many pages at once over one connection.
func TestHTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(gzipped([]byte(r.Proto)))
	}))
	s.EnableHTTP2 = true
	s.Config.Handler = packed(s.Config.Handler)
	s.StartTLS()
	t.Cleanup(s.Close)
	c := client(t, Options{Hosts: []string{strings.TrimPrefix(s.URL, "https://")}, Concurrency: 3, outside: outside{tweak: insecure}})
	t.Run("pages", func(t *testing.T) {
		for i := range 30 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				if _, text := read(t, c, Request{URL: s.URL}); text != "HTTP/2.0" {
					t.Errorf("got %q", text)
				}
			})
		}
	})
}

func packed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		next.ServeHTTP(w, r)
	})
}
