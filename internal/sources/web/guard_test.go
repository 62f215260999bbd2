package web

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"kbsyncd/internal/sources"
)

// lettered puts pages on a server, and says what they are called.
func lettered(srv *server, letters string) string {
	var names []string
	for p := range strings.SplitSeq(letters, "") {
		srv.html("/"+p, "letter "+p)
		names = append(names, p)
	}
	return strings.Join(names, " ")
}

// each puts a mark before every name.
func each(mark, names string) string {
	return mark + strings.Join(strings.Fields(names), " "+mark)
}

// A site that shows the same at every address is out of order: nothing that was there is given up or replaced, until it is seen to stay so.
func TestOnePageEverywhere(t *testing.T) {
	same := article0("we will be back soon")
	same.header["Cache-Control"] = "max-age=3600"
	media := func(kind, body string) answer {
		return answer{body: body, header: map[string]string{"Content-Type": kind}}
	}
	wall := article0("cookies")
	wall.body = strings.Replace(wall.body, "<head>", "<head><meta name=robots content=noindex>", 1)
	for name, tt := range map[string]struct {
		at    func(path string) answer
		text  string
		stays string // what the documents are when it stays
	}{
		"maintenance": {at: func(string) answer { return same }, text: "have one and the same content", stays: "a b c d e"},
		"gateway":     {at: func(string) answer { return media("application/json", `{"error":"backend unavailable"}`) }, text: "have one and the same content", stays: "a b c d e"},
		"gateway with numbers": {at: func(string) answer {
			return media("application/json", fmt.Sprintf(`{"id":%d}`, rand.Uint64()))
		}, text: "are no web pages any more", stays: "a b c d e"},
		"wall without robots":    {at: func(string) answer { return wall }, text: "have one and the same content"},
		"robots only":            {at: func(p string) answer { a := wall; a.body += "<!-- -->" + p; return a }, text: "of 5 pages now"},
		"redirect to a stranger": {at: func(string) answer { return redirect(http.StatusFound, "/soon.html") }, text: "of 5 pages now", stays: "a b c d e"},
		"redirect for ever":      {at: func(string) answer { return redirect(http.StatusMovedPermanently, "/soon.html") }, text: "of 5 pages now", stays: "a b c d e"},
		"redirect to a changing stranger": {at: func(string) answer { return redirect(http.StatusFound, "/now.html") },
			text: "lead to ", stays: "a b c d e"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			names := lettered(srv, "abcde")
			srv.html("/soon.html", "we will be back soon")
			srv.set("/now.html", answer{handle: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				fmt.Fprint(w, article0(fmt.Sprint("incident ", rand.Uint64())).body)
			}})
			srv.with("/soon.html", func(a *answer) { a.listed = false })
			m := newSpy()
			s := open(t, opening{memory: m}, fromSitemap(srv))
			good := maps.Clone(srv.pages)
			before := want(t, s, names, "")
			breakdown := func() {
				for p := range strings.FieldsSeq(names) {
					a := tt.at(p)
					a.listed = true
					srv.set("/"+p, a)
				}
			}
			breakdown()
			for i := range 2 {
				if i == 1 {
					s = open(t, opening{memory: m}, fromSitemap(srv))
				}
				docs, problems, l, err := scan(t, s, sources.Known{})
				compare(t, docs, problems, "", each("!", names))
				if row := fmt.Sprintf("(%d of 3 in a row); nothing is deleted", i+1); err == nil || !strings.Contains(err.Error(), tt.text) || !strings.Contains(err.Error(), row) {
					t.Errorf("Scan: %v, want %q and %q", err, tt.text, row)
				}
				if got := problem(t, l, "a"); !strings.Contains(got, "the same as most other pages") {
					t.Errorf("the problem is %q", got)
				}
			}
			for p, a := range good {
				srv.set(p, a)
			}
			after := want(t, s, names, "")
			for i, d := range after.Documents {
				if d.Fingerprint != before.Documents[i].Fingerprint {
					t.Errorf("%s is another version than before", d.Key)
				}
			}
			breakdown()
			for range 2 {
				incomplete(t, s, "in a row")
			}
			want(t, s, tt.stays, "")
		})
	}
}

// Where nothing is remembered, a larger site with one text for most pages is not believed at once either.
func TestOnePageEverywhereWithoutMemory(t *testing.T) {
	srv := newServer(t)
	names := lettered(srv, "abcdefghijkl")
	for p := range strings.FieldsSeq(names) {
		if p != "l" {
			srv.html("/"+p, "we will be back soon")
		}
	}
	m := newSpy()
	for range 2 {
		l := incomplete(t, open(t, opening{memory: m}, fromSitemap(srv)), "11 of 12 pages now have one and the same content")
		compare(t, l.Paths(), nil, "l", "")
		incomplete(t, open(t, opening{}, fromSitemap(srv)), "leave these pages out with exclude")
	}
	s := open(t, opening{memory: m}, fromSitemap(srv))
	want(t, s, names, "")
	saves := m.saves
	if want(t, s, names, ""); m.saves != saves {
		t.Error("what is believed is written again")
	}
}

// What is sent to another listed page for the time being is not given up at once, alone or with all others.
func TestMovedForNow(t *testing.T) {
	srv := newServer(t)
	names := lettered(srv, "abcdefg")
	s := open(t, opening{}, fromSitemap(srv))
	good := maps.Clone(srv.pages)
	want(t, s, names, "")
	srv.set("/b", redirect(http.StatusFound, "/a"))
	srv.set("/c", redirect(http.StatusMovedPermanently, "/a"))
	for i := range 2 {
		l := want(t, s, "a d e f g", "!b")
		if got := problem(t, l, "b"); !strings.Contains(got, fmt.Sprintf("for now (%d of 3 in a row)", i+1)) {
			t.Error(got)
		}
	}
	for range 2 {
		want(t, s, "a d e f g", "")
	}
	for p, a := range good {
		srv.set(p, a)
	}
	want(t, s, "a b d e f g", "") // the permanent redirect is taken at its word for a day
	_, _, _, err := scan(t, s, sources.Known{Anew: true})
	if err != nil {
		t.Fatal(err)
	}
	want(t, s, names, "")
	for _, p := range []string{"/b", "/c", "/d", "/e", "/f", "/g"} {
		srv.set(p, redirect(http.StatusMovedPermanently, "/a"))
	}
	for range 2 {
		incomplete(t, s, "6 of 7 pages now ")
	}
	want(t, s, "a", "")
}

// A section page that leads elsewhere for now leads the crawl to what it led to.
func TestCrawlOverMovedPage(t *testing.T) {
	srv := newServer(t)
	srv.html("/", "start", "/hub", "/x")
	srv.html("/hub", "hub", "/1", "/2")
	for _, p := range []string{"/x", "/1", "/2"} {
		srv.html(p, "page "+p)
	}
	s := open(t, opening{}, crawling(srv, "/"))
	want(t, s, "1 2 hub index x", "")
	srv.set("/hub", redirect(http.StatusFound, "/"))
	for range 2 {
		want(t, s, "1 2 index x", "!hub")
	}
	comesTo(t, s, "index x")
}

// comesTo scans until a complete listing has these documents.
func comesTo(t *testing.T, s *Site, docs string) {
	t.Helper()
	var got []string
	for range 6 {
		var err error
		if got, _, _, err = scan(t, s, sources.Known{}); err == nil && strings.Join(got, " ") == docs {
			return
		}
	}
	t.Errorf("in the end the documents are %q, want %q", got, docs)
}

// A page that has become empty keeps what it held; many of them are the fault of the site.
func TestEmptyAnswers(t *testing.T) {
	srv := newServer(t)
	names := lettered(srv, "abcd")
	s := open(t, opening{}, fromSitemap(srv))
	want(t, s, names, "")
	srv.set("/a", answer{listed: true})
	for range 4 {
		l := want(t, s, "b c d", "!a")
		if got := problem(t, l, "a"); !strings.Contains(got, "answers 200 with nothing in it") {
			t.Error(got)
		}
	}
	for p := range strings.FieldsSeq(names) {
		srv.set("/"+p, answer{listed: true})
	}
	for range 4 {
		incomplete(t, s, "4 of 4 pages cannot be had")
		incomplete(t, open(t, opening{}, fromSitemap(srv)), "4 of 4 pages cannot be had")
	}
}
