package simulator

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// website serves pages for vendors to fetch.
func website(t *testing.T) (base string) {
	t.Helper()
	mux := http.NewServeMux()
	page := func(contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			_, _ = io.WriteString(w, body)
		}
	}
	mux.HandleFunc("/page", page("text/html; charset=utf-8",
		"<!doctype html><title>Shop</title><style>p{x:1}</style><script>hidden()</script><!-- no --><table><tr><td>A<b>B</b>C</td><td>2 &lt; 3</td></table>"))
	mux.HandleFunc("/text", page("text/plain", "plain <b>text</b>"))
	mux.HandleFunc("/large", page("text/plain", strings.Repeat("x", maxPage+1)))
	mux.Handle("/moved", http.RedirectHandler("/text", http.StatusMovedPermanently))
	mux.Handle("/away", http.RedirectHandler("http://192.0.2.1/", http.StatusFound))
	mux.Handle("/secure", http.RedirectHandler("https://192.0.2.1/", http.StatusFound))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func TestPagesFetched(t *testing.T) {
	base := website(t)
	p := newPages(true, false)
	p.SetPage(base+"/set", "set by the test")
	for name, tt := range map[string]struct{ address, want string }{
		"set":                 {base + "/set", "set by the test"},
		"html":                {base + "/page", "Shop\nABC\n2 < 3"},
		"text":                {base + "/text", "plain <b>text</b>"},
		"moved":               {base + "/moved", "plain <b>text</b>"},
		"missing":             {base + "/missing", ""},
		"too large":           {base + "/large", ""},
		"elsewhere":           {"http://192.0.2.1/", ""},
		"redirect elsewhere":  {base + "/away", ""},
		"https":               {"https://localhost/", ""},
		"redirect to https":   {base + "/secure", ""},
		"nobody answers":      {"http://127.0.0.1:1/", ""},
		"not even an address": {"http://[::1/", ""},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			got, err := p.at(t.Context(), tt.address)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Fatalf("%q, %v", got, err)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestPagesOff(t *testing.T) {
	address := website(t) + "/text"
	p := newPages(false, false)
	if got, err := p.at(t.Context(), address); got != address || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	p.SetPage(address, "new")
	p.BreakPage(address)
	if got, err := p.at(t.Context(), address); got != "" || err == nil {
		t.Errorf("%q, %v", got, err)
	}
	p.SetPage(address, "back")
	if got, err := p.at(t.Context(), address); got != "back" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// Every vendor's links know a page that stands on this machine, and fail when there is none.
func TestVendorsFetchPages(t *testing.T) {
	base := website(t)
	t.Run("chatbase", func(t *testing.T) {
		r := newCBRig(t, ChatbaseOptions{FetchPages: true})
		id, lost := r.link(base+"/page"), r.link(base+"/missing")
		wantList(t, r.s.Retrieve("bot", "ABC"), base+"/page")
		r.wantStatus(id, "trained")
		r.wantStatus(lost, "failed")
	})
	t.Run("hamsa", func(t *testing.T) {
		r := newHamsaRig(t, HamsaOptions{FetchPages: true})
		create := func(name, addresses string) string {
			return r.data(201, "POST", hamsaItems, `{"items":[{"itemName":"`+name+`","type":"URL",`+addresses+`}]}`)["id"].(string)
		}
		state := func(id string) (status, reason any) {
			got := r.data(200, "GET", hamsaItems+"/"+id, "")
			return got["status"], got["failureReason"]
		}
		page, lost := create("page", `"itemUrl":"`+base+`/page"`), create("lost", `"itemUrl":"`+base+`/missing"`)
		part := create("part", `"itemUrls":["`+base+`/missing","`+base+`/text"]`)
		wantList(t, r.s.Retrieve("", "ABC"), "page")
		wantList(t, r.s.Retrieve("", "plain"), "part")
		for id, want := range map[string][2]string{
			page: {"PROCESSED", "No failure"}, lost: {"FAILED", "The page could not be fetched"},
			part: {"COMPLETED_WITH_ERRORS", "Some pages could not be fetched"},
		} {
			if status, reason := state(id); status != want[0] || reason != want[1] {
				t.Errorf("%v, %v instead of %v", status, reason, want)
			}
		}
		r.wantNoViolations()
	})
	t.Run("converse", func(t *testing.T) {
		ingest := func(name, path string) string { return `{"name":"` + name + `","url":"` + base + path + `"}` }
		r := newConverseRig(t, ConverseOptions{FetchPages: true})
		r.call(201, "POST", converseDocs+"/ingest-url", ingest("page", "/page"))
		r.call(201, "POST", converseDocs+"/ingest-url", ingest("lost", "/missing"))
		wantList(t, r.s.Retrieve("", "ABC"), "page")
		if got := r.call(200, "GET", converseDocs, "").body; !strings.Contains(got, `"error":"The URL could not be fetched"`) {
			t.Error(got)
		}
		r.wantNoViolations()
		r = newConverseRig(t, ConverseOptions{FetchPages: true, RefuseUnreachable: true})
		r.call(400, "POST", converseDocs+"/ingest-url", ingest("lost", "/missing"))
		if n := len(r.s.Documents()); n != 0 {
			t.Errorf("%d documents", n)
		}
	})
}

// Reindexing embeds anew what was fetched; it does not fetch.
func TestConverseReindexDoesNotFetch(t *testing.T) {
	r := newConverseRig(t, ConverseOptions{})
	r.s.SetPage("https://example.com/a", "first text")
	r.call(201, "POST", converseDocs+"/ingest-url", `{"name":"a","url":"https://example.com/a"}`)
	r.s.SetPage("https://example.com/a", "second text")
	id := r.s.Documents()[0].ID
	r.call(200, "POST", converseDocs+"/"+id+"/reindex", "")
	wantList(t, r.s.Retrieve("", "first"), "a")
	wantList(t, r.s.Retrieve("", "second"))
}

func TestPagesAreInspectable(t *testing.T) {
	const address = "https://example.com/a"
	cb, ha, co := NewChatbase(ChatbaseOptions{}), NewHamsa(HamsaOptions{}), NewConverse(ConverseOptions{})
	for name, v := range map[string]struct {
		h http.Handler
		p *pages
	}{"chatbase": {cb, cb.pages}, "hamsa": {ha, ha.pages}, "converse": {co, co.pages}} {
		t.Run(name, func(t *testing.T) {
			for _, step := range []struct {
				body   string
				status int
				want   string // what stands at the address afterwards; "" when it cannot be fetched
			}{
				{`{"address":"https://example.com/a","text":"x"}`, 204, "x"},
				{`{"address":"https://example.com/a","broken":true}`, 204, ""},
				{`{"address":"https://example.com/a","text":"y"}`, 204, "y"},
				{`{"address":"https://example.com/a","text":"z","broken":true}`, 400, "y"},
				{`{"address":"example.com","text":"z"}`, 400, "y"},
				{`{"page":1}`, 400, "y"},
			} {
				w := httptest.NewRecorder()
				v.h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/_sim/pages", strings.NewReader(step.body)))
				if got, err := v.p.at(t.Context(), address); w.Code != step.status || got != step.want || (err != nil) != (step.want == "") {
					t.Fatalf("%s: %d, then %q, %v", step.body, w.Code, got, err)
				}
			}
		})
	}
}
