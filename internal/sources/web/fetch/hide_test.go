package fetch

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/secret"
)

// What a server repeats of the headers that it was sent comes into no error and into no log, in whatever place and case.
func TestEchoedHeaders(t *testing.T) {
	const value = "Top-Secret-4711"
	for name, answer := range map[string]http.HandlerFunc{
		"packing": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "x-"+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		},
		"host": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://"+value+".invalid/a")
			w.WriteHeader(http.StatusFound)
		},
		"path": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			w.Header().Set("Location", "/"+url.PathEscape(r.Header.Get("Authorization"))+"/"+strings.Repeat("x", 300))
			w.WriteHeader(http.StatusFound)
		},
		"circle": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/"+strings.Repeat("x", maxShown-len("http://127.0.0.1:12345/")-7)+strings.ToUpper(value))
			w.WriteHeader(http.StatusFound)
		},
		"private host": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://"+value+".localhost/a")
			w.WriteHeader(http.StatusFound)
		},
		"status line": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = conn.Write([]byte("HTTP/9.9 " + strings.ToLower(value) + "\r\n\r\n"))
				_ = conn.Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			at, host := serve(t, answer)
			var log bytes.Buffer
			c := client(t, Options{
				Hosts: []string{host}, Headers: map[string]secret.String{"Authorization": secret.New("Bearer " + value)},
				Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			})
			err := readErr(t, c, Request{URL: at + "/"})
			wantErr(t, err, fault.ErrIncomplete)
			for _, said := range []string{err.Error(), log.String()} {
				if strings.Contains(strings.ToLower(said), "top-sec") {
					t.Errorf("a secret is told: %s", said)
				}
			}
		})
	}
}

func TestHide(t *testing.T) {
	for _, tt := range []struct{ value, said, want string }{
		{"hush-hush", "it says HUSH-hush, hush-Hush", "it says …, …"},
		{"abc", "abc", "abc"}, // would be found in half of all words
		{"Bearer abcdefgh", "token abcdefgh, bearer abcdefgh", "token …, …"},
		{"session=abcdefgh; lang=en", "a=ABCDEFGH lang=en", "a=… lang=en"},
		{"Basic " + base64.StdEncoding.EncodeToString([]byte("user:long password")), "user and long password, long%20password", "user and …, …"},
		{"a/b c+d", "x/a%2Fb%20c+d", "x/…"},
		{"a/b c+d", "x?a%2Fb+c%2Bd", "x?…"},
		{"söme value", "the söme VALUE", "the …"},
	} {
		c := client(t, Options{Headers: map[string]secret.String{"X-Token": secret.New(tt.value)}})
		if got := c.hide(tt.said); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.value, got, tt.want)
		}
	}
}
