package web

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"kbsyncd/internal/sources"
)

// The signature of an address that a redirect leads to is neither kept nor handed on, and the page is the same with another one.
func TestSignedRedirect(t *testing.T) {
	for _, status := range []int{http.StatusFound, http.StatusMovedPermanently} {
		srv := newServer(t)
		blob := article0("the blob")
		blob.body = strings.Replace(blob.body, "</article>", `<p>See <a href="#part">below</a>.</p></article>`, 1)
		blob.listed = false
		n := 0
		srv.set("/a", answer{listed: true, handle: func(w http.ResponseWriter, r *http.Request) {
			n++
			at := fmt.Sprintf("/blob?signature=SECRET%d", n)
			srv.set(at, blob)
			w.Header().Set("Cache-Control", "no-store")
			http.Redirect(w, r, at, status)
		}})
		srv.html("/b", "bananas")
		m := newSpy()
		s := open(t, opening{memory: m}, fromSitemap(srv))
		first := want(t, s, "a b", "")
		saves := m.saves
		second := want(t, open(t, opening{memory: m}, fromSitemap(srv)), "a b", "")
		if m.saves != saves || first.Documents[0].Fingerprint != second.Documents[0].Fingerprint {
			t.Errorf("%d: the same page under another signature is another one, with %d writes", status, m.saves-saves)
		}
		if got := read(t, first, "a"); strings.Contains(got, "SECRET") || !strings.Contains(got, "/blob#part") {
			t.Errorf("%d: the document reads %s", status, got)
		}
		for key, value := range m.values {
			if strings.Contains(key, "SECRET") || bytes.Contains(value, []byte("SECRET")) {
				t.Errorf("%d: the signature is remembered under %s", status, key)
			}
		}
		if got := strings.Join(s.Explain("a"), "\n"); strings.Contains(got, "SECRET") || strings.Contains(got, "sha256") {
			t.Errorf("%d: %s", status, got)
		}
	}
}

// A redirect that leads to a page with a query that is listed makes it an address of that page.
func TestRedirectToListedQuery(t *testing.T) {
	srv := newServer(t)
	srv.html("/view?id=1", "one")
	srv.html("/view?id=2", "two")
	srv.set("/one", redirect(http.StatusMovedPermanently, "/view?id=1"))
	s := open(t, opening{}, fromSitemap(srv))
	for range 2 {
		want(t, s, "view?id=1 view?id=2", "")
	}
}

// A permanent redirect that was undone is noticed by the next process, by a scan that asks anew, and after a day.
func TestMoveIsUndone(t *testing.T) {
	for name, again := range map[string]func(*Site, *spy, func(*Config)) (*Site, sources.Known){
		"process": func(_ *Site, m *spy, how func(*Config)) (*Site, sources.Known) {
			return open(t, opening{memory: m}, how), sources.Known{}
		},
		"anew": func(s *Site, _ *spy, _ func(*Config)) (*Site, sources.Known) { return s, sources.Known{Anew: true} },
		"day": func(s *Site, _ *spy, _ func(*Config)) (*Site, sources.Known) {
			for a, m := range s.moves {
				s.moves[a] = move{m.to, m.asked.Add(-25 * time.Hour)}
			}
			return s, sources.Known{}
		},
	} {
		for _, to := range []string{"/b", "/elsewhere"} {
			srv := newServer(t)
			srv.html("/b", "bananas")
			srv.html("/elsewhere", "elsewhere")
			srv.with("/elsewhere", func(a *answer) { a.listed = false })
			srv.set("/a", redirect(http.StatusPermanentRedirect, to))
			m := newSpy()
			s := open(t, opening{memory: m}, fromSitemap(srv))
			for range 2 {
				want(t, s, map[string]string{"/b": "b", "/elsewhere": "a b"}[to], "")
			}
			if n := srv.askedFor("/a"); n != 1 {
				t.Errorf("%s: a page that has moved was asked for %d times at its old address", name, n)
			}
			srv.html("/a", "apples")
			s, known := again(s, m, fromSitemap(srv))
			docs, problems, l, err := scan(t, s, known)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, docs, problems, "a b", "")
			if got := read(t, l, "a"); !strings.HasPrefix(got, "# apples\n") {
				t.Errorf("%s: it reads %q", name, got)
			}
		}
	}
}

// A server whose validators lie is found out by a scan that asks anew.
func TestAnewSendsNoValidators(t *testing.T) {
	srv := newServer(t)
	text := "apples"
	srv.set("/a", answer{listed: true, handle: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"always"`)
		if r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Modified-Since") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, article0(text).body)
	}})
	m := newSpy()
	s := open(t, opening{memory: m}, fromSitemap(srv))
	want(t, s, "a", "")
	saves := m.saves
	if _, _, _, err := scan(t, s, sources.Known{Anew: true}); err != nil || m.saves != saves {
		t.Errorf("an unchanged page that is asked for anew: %d writes, %v", m.saves-saves, err)
	}
	text = "pears"
	if got := read(t, want(t, s, "a", ""), "a"); !strings.HasPrefix(got, "# apples\n") {
		t.Errorf("it reads %q", got)
	}
	_, _, l, err := scan(t, s, sources.Known{Anew: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, l, "a"); !strings.HasPrefix(got, "# pears\n") {
		t.Errorf("after it was asked for anew it reads %q", got)
	}
}
