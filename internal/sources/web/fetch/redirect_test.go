package fetch

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/secret"
)

// redirecting answers /STATUS/rest with a redirect to /rest, and everything else with its path.
func redirecting(w http.ResponseWriter, r *http.Request) {
	first, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if status, err := strconv.Atoi(first); err == nil {
		w.Header().Set("Location", "/"+rest)
		w.WriteHeader(status)
		return
	}
	_, _ = w.Write([]byte(r.URL.Path))
}

func TestRedirects(t *testing.T) {
	at, host := serve(t, redirecting)
	c := client(t, Options{Hosts: []string{host}})
	for _, tt := range []struct{ path, moved string }{
		{"/end", ""},
		{"/301/end", "/end"},
		{"/308/301/end", "/end"},
		{"/302/end", ""},
		{"/303/307/end", ""},
		{"/301/302/end", "/302/end"},
		{"/302/301/end", ""},
		{"/301/302/301/end", "/302/301/end"},
	} {
		p, text := read(t, c, Request{URL: at + tt.path + "#part"})
		if text != "/end" || p.URL != at+"/end" {
			t.Errorf("%s: got %q from %s", tt.path, text, p.URL)
		}
		want := tt.moved
		if want != "" {
			want = at + want
		}
		if p.Moved != want {
			t.Errorf("%s: moved to %q, want %q", tt.path, p.Moved, want)
		}
		if hops := strings.Count(tt.path, "/"); p.Requests != hops {
			t.Errorf("%s: %d requests, want %d", tt.path, p.Requests, hops)
		}
	}
}

func TestRedirectsThatEndNowhere(t *testing.T) {
	forbidden, port := forbiddenServer(t)
	at, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		to := r.URL.Query().Get("to")
		if n, err := strconv.Atoi(to); err == nil {
			to = "/?to=" + strconv.Itoa(n+1)
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	})
	c := client(t, Options{Hosts: []string{host, "far.test:" + port}, outside: outside{
		resolver: resolver(t, map[string][]string{"evil.test": {"127.0.0.1"}}),
	}})
	for to, want := range map[string][]string{
		"/?to=1":                            {"more than 10 times"},
		"":                                  {"missing"},
		"file:///etc/passwd":                {"https://"},
		"gopher://" + host + "/":            {"https://"},
		"https://me:hush@docs.example.com/": {"user name"},
		forbidden:                           {"127.0.0.1", "allow_private"},
		"http://[::1]:" + port:              {"::1", "allow_private"},
		"http://169.254.169.254/latest":     {"169.254.169.254", "allow_private"},
		"http://evil.test:" + port:          {"evil.test leads to 127.0.0.1", "allow_private"},
	} {
		err := readErr(t, c, Request{URL: at + "/?to=" + strings.ReplaceAll(strings.ReplaceAll(to, "?", "%3F"), "=", "%3D")})
		wantErr(t, err, fault.ErrIncomplete, append(want, "redirects")...)
		if strings.Contains(err.Error(), "hush") {
			t.Errorf("the error holds a secret: %v", err)
		}
	}
}

func TestRedirectInACircle(t *testing.T) {
	at, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		to := map[string]string{"/a": "/b", "/b": "/c", "/c": "/b", "/self": "/self"}[r.URL.Path]
		http.Redirect(w, r, to, http.StatusFound)
	})
	c := client(t, Options{Hosts: []string{host}})
	wantErr(t, readErr(t, c, Request{URL: at + "/a"}), fault.ErrIncomplete, "/a redirects in a circle, by way of", "/b")
	wantErr(t, readErr(t, c, Request{URL: at + "/self"}), fault.ErrIncomplete, "in a circle", "cookies")
}

func TestHeadersGoToNamedHostsOnly(t *testing.T) {
	var got []string
	other, otherHost := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, "other:"+r.Header.Get("Authorization"))
	})
	at, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, "named:"+r.Header.Get("Authorization"))
		http.Redirect(w, r, other, http.StatusFound)
	})
	c := client(t, Options{
		Hosts: []string{host, "https://" + otherHost}, AllowPrivate: true,
		Headers: map[string]secret.String{"authorization": secret.New("Bearer hush")},
	})
	read(t, c, Request{URL: at})
	if strings.Join(got, " ") != "named:Bearer hush other:" {
		t.Errorf("headers: %q", got)
	}
}

func TestDowngrade(t *testing.T) {
	plain, plainHost := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header["Authorization"]) > 0 {
			t.Error("headers went over an open line")
		}
		_, _ = w.Write([]byte("plain"))
	})
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain, http.StatusFound)
	}))
	t.Cleanup(s.Close)
	secure := strings.TrimPrefix(s.URL, "https://")
	headers := map[string]secret.String{"Authorization": secret.New("Bearer hush")}

	c := client(t, Options{Hosts: []string{secure, plainHost}, Headers: headers, outside: outside{tweak: insecure}})
	err := readErr(t, c, Request{URL: s.URL})
	wantErr(t, err, fault.ErrIncomplete, "readable on the way")
	if strings.Contains(err.Error(), "hush") {
		t.Errorf("the error holds a secret: %v", err)
	}
	c = client(t, Options{Hosts: []string{secure, plainHost}, outside: outside{tweak: insecure}})
	if _, text := read(t, c, Request{URL: s.URL}); text != "plain" {
		t.Errorf("without headers: got %q", text)
	}
}

func TestHeadersThatCannotBe(t *testing.T) {
	for name, value := range map[string]string{"Host": "a", "If-None-Match": "a", "a b": "c", "": "a", "X-Token": "hush\r\nX-Other: 1"} {
		_, err := New(Options{Headers: map[string]secret.String{name: secret.New(value)}})
		wantErr(t, err, fault.ErrSetup, "headers")
		if strings.Contains(err.Error(), "hush") {
			t.Errorf("the error holds a secret: %v", err)
		}
	}
	if _, err := New(Options{Hosts: []string{"a/b"}}); err == nil {
		t.Error("a host with a path is accepted")
	}
}
