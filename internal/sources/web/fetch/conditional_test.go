package fetch

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"kbsyncd/internal/fault"
)

func TestConditionalRequests(t *testing.T) {
	var inm, ims []string
	at, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		inm, ims = r.Header["If-None-Match"], r.Header["If-Modified-Since"]
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/page", http.StatusMovedPermanently)
			return
		case "/always304":
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", `W/"1"`)
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
		w.Header().Set("Cache-Control", "max-age=60")
		if len(inm) > 0 || len(ims) > 0 {
			w.WriteHeader(http.StatusNotModified)
		}
	})
	c := client(t, Options{Hosts: []string{host}})

	p, _ := read(t, c, Request{URL: at + "/page"})
	if p.Status != http.StatusOK || p.ETag != `W/"1"` || p.LastModified != "Mon, 02 Jan 2006 15:04:05 GMT" {
		t.Fatalf("first: %+v", p)
	}
	if len(inm)+len(ims) > 0 {
		t.Errorf("conditions without validators: %q %q", inm, ims)
	}
	again, _ := read(t, c, Request{URL: at + "/moved", ETag: p.ETag, LastModified: p.LastModified})
	if again.Status != http.StatusNotModified || again.Body != nil || again.ETag != p.ETag || again.LastModified != p.LastModified {
		t.Errorf("again: %+v", again)
	}
	if again.Moved != at+"/page" || again.URL != at+"/page" || again.Requests != 2 || again.Fresh.IsZero() {
		t.Errorf("after a redirect: %+v", again)
	}
	if strings.Join(inm, "") != p.ETag || strings.Join(ims, "") != p.LastModified {
		t.Errorf("sent %q %q", inm, ims)
	}
	wantErr(t, readErr(t, c, Request{URL: at + "/always304"}), fault.ErrIncomplete, "answers 304 without being asked")
	wantErr(t, readErr(t, c, Request{URL: at + "/always304", ETag: "a\x00b", LastModified: "yesterday"}), fault.ErrIncomplete, "304 without being asked")
	if requests, notModified, _ := c.Traffic(); requests != 5 || notModified != 1 {
		t.Errorf("traffic: %d requests, %d not modified", requests, notModified)
	}
}

func TestUsableETag(t *testing.T) {
	for tag, want := range map[string]string{
		`"abc"`: `"abc"`, `W/"abc"`: `W/"abc"`, ` "abc" `: `"abc"`, `abc`: `abc`, `"a b"`: `"a b"`, `W/abc`: `W/abc`,
		``: "", `""`: "", `W/""`: "", `W/`: "", `*`: "", `"a", "b"`: "", `a,b`: "", `"abc`: "", `"`: "", "\"a\x01\"": "", "a\r\nb": "",
		`"` + strings.Repeat("a", 254) + `"`: `"` + strings.Repeat("a", 254) + `"`,
		`"` + strings.Repeat("a", 255) + `"`: "",
	} {
		if got := usableETag(tag); got != want {
			t.Errorf("usableETag(%q) = %q, want %q", tag, got, want)
		}
	}
}

func TestUsableLastModified(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for _, tt := range []struct {
		name, modified, date string
		kept                 bool
	}{
		{"long ago", at(-time.Hour), at(0), true},
		{"two seconds before the answer", at(-2 * time.Second), at(0), true},
		{"one second before the answer", at(-time.Second), at(0), false},
		{"in the second of the answer", at(0), at(0), false},
		{"after the answer", at(time.Hour), at(0), false},
		{"after the answer of a clock that is slow", at(-time.Minute), at(-time.Hour), false},
		{"without a date", at(-time.Hour), "", true},
		{"without a date, just now", at(0), "", false},
		{"no date", "yesterday", at(0), false},
		{"too long", strings.Repeat("a", 300), at(0), false},
		{"none", "", at(0), false},
	} {
		if got := usableLastModified(tt.modified, tt.date, now); (got != "") != tt.kept || tt.kept && got != tt.modified {
			t.Errorf("%s: got %q", tt.name, got)
		}
	}
}

func TestFresh(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	date := now.Format(http.TimeFormat)
	for _, tt := range []struct {
		header string // name: value lines
		want   time.Duration
	}{
		{"", 0},
		{"Cache-Control: max-age=60", time.Minute},
		{"Cache-Control: public, Max-Age=60", time.Minute},
		{`Cache-Control: max-age="60"`, time.Minute},
		{"Cache-Control: max-age=60\nCache-Control: no-cache", 0},
		{"Cache-Control: no-store, max-age=60", 0},
		{`Cache-Control: no-cache="Set-Cookie", max-age=60`, time.Minute},
		{"Cache-Control: max-age=60, max-age=30", 30 * time.Second},
		{"Cache-Control: max-age=-1", 0},
		{"Cache-Control: max-age=soon", 0},
		{"Cache-Control: s-maxage=60", 0},
		{"Cache-Control: max-age=99999999999999999999", maxLifetime},
		{"Cache-Control: max-age=60\nAge: 20", 40 * time.Second},
		{"Cache-Control: max-age=60\nAge: 61", 0},
		{"Cache-Control: max-age=60\nDate: " + now.Add(-50*time.Second).Format(http.TimeFormat), 10 * time.Second},
		{"Cache-Control: max-age=60\nVary: *", 0},
		{"Cache-Control: max-age=60\nExpires: 0", time.Minute},
		{"Expires: " + now.Add(time.Hour).Format(http.TimeFormat) + "\nDate: " + date, time.Hour},
		{"Expires: 0", 0},
		{"Expires: " + now.Add(-time.Hour).Format(http.TimeFormat), 0},
		{"Pragma: no-cache\nExpires: " + now.Add(time.Hour).Format(http.TimeFormat), 0},
	} {
		h := http.Header{}
		for line := range strings.SplitSeq(tt.header, "\n") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				h.Add(name, value)
			}
		}
		var want time.Time
		if tt.want > 0 {
			want = now.Add(tt.want)
		}
		if got := freshUntil(h, now); !got.Equal(want) {
			t.Errorf("%q: fresh until %v, want %v", tt.header, got, want)
		}
	}
}

// TestFreshBehindRedirects holds that a redirect that may change is asked again although the page behind it is fresh.
func TestFreshBehindRedirects(t *testing.T) {
	at, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", map[string]string{"/fresh": "max-age=60", "/end": "max-age=3600"}[r.URL.Path])
		switch r.URL.Path {
		case "/temporary", "/fresh":
			http.Redirect(w, r, "/end", http.StatusFound)
		case "/permanent":
			http.Redirect(w, r, "/end", http.StatusMovedPermanently)
		}
	})
	c := client(t, Options{Hosts: []string{host}})
	for path, want := range map[string]time.Duration{"/temporary": 0, "/fresh": time.Minute, "/permanent": time.Hour, "/end": time.Hour} {
		p, _ := read(t, c, Request{URL: at + path})
		left := time.Until(p.Fresh)
		if want == 0 && !p.Fresh.IsZero() || want > 0 && (left > want || left < want-10*time.Second) {
			t.Errorf("%s: fresh for %v, want %v", path, left, want)
		}
	}
}
