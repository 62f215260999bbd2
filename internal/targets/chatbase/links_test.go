package chatbase

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
)

const (
	pageAt   = "https://site.example/a?x=1"
	linkName = "a.kbaaaaaaaaaaaaaaa-1111111111.url"
)

// link is a rendition that is an address.
func link(address string) targets.Rendition {
	return targets.Rendition{Document: "site/a", Name: linkName, Digest: kb.Sum([]byte(address)), Link: address}
}

func linkSource(id, address, status, kind string) string {
	return fmt.Sprintf(`{"id":%q,"type":"link","name":%q,"status":%q,"metadata":{"type":%q}}`, id, address, status, kind)
}

// pages is a vendor that holds link sources, as the dossier has it: an address is taken once, and a deleted source keeps its own
// until it is purged.
type pages struct {
	mu    sync.Mutex
	held  []*held
	next  int
	purge time.Duration // how long a deletion takes
	// before and after may take the answer to a request over, ahead of its effect or behind it, by giving a status.
	before, after func(r *http.Request) int
}

type held struct {
	id, address string
	goes        time.Time // when it is purged; zero unless it was deleted
}

func (p *pages) add(address string) string {
	p.next++
	id := fmt.Sprintf("s%d", p.next)
	p.held = append(p.held, &held{id: id, address: address})
	return id
}

func (h *held) json() string {
	status := "trained"
	if !h.goes.IsZero() {
		status = "toBeDeleted"
	}
	return linkSource(h.id, h.address, status, individual)
}

func (p *pages) handle(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.before != nil {
		if status := p.before(r); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	answer := p.answer(r)
	if p.after != nil {
		if status := p.after(r); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	status, body, _ := strings.Cut(answer, " ")
	var code int
	_, _ = fmt.Sscan(status, &code)
	w.WriteHeader(code)
	_, _ = io.WriteString(w, body)
}

func (p *pages) answer(r *http.Request) string {
	p.held = slices.DeleteFunc(p.held, func(h *held) bool { return !h.goes.IsZero() && !time.Now().Before(h.goes) })
	_, id, _ := strings.Cut(r.URL.Path, "/sources/")
	at := slices.IndexFunc(p.held, func(h *held) bool { return h.id == id })
	switch {
	case id == "" && r.Method == http.MethodPost:
		var in linkFields
		_ = json.NewDecoder(r.Body).Decode(&in)
		// This vendor makes no difference of a slash at the end.
		if slices.ContainsFunc(p.held, func(h *held) bool { return strings.TrimSuffix(h.address, "/") == strings.TrimSuffix(in.URL, "/") }) {
			return refusal(409, "SOURCE_DUPLICATE")
		}
		id := p.add(in.URL)
		return "201 " + linkSource(id, in.URL, "untrained", in.LinkType)
	case id == "":
		var items []string
		for _, h := range p.held {
			if strings.Contains(h.address, r.URL.Query().Get("name")) {
				items = append(items, h.json())
			}
		}
		return listOf(items...)
	case at < 0:
		return refusal(404, "SOURCE_NOT_FOUND")
	case r.Method == http.MethodDelete:
		p.held[at].goes = time.Now().Add(p.purge)
	}
	return "200 " + p.held[at].json()
}

func (p *pages) ids() (out []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.held {
		if h.goes.IsZero() {
			out = append(out, h.id)
		}
	}
	return out
}

// once gives a status to the first request with a verb.
func once(method string, status int) func(*http.Request) int {
	done := false
	return func(r *http.Request) int {
		if done || r.Method != method {
			return 0
		}
		done = true
		return status
	}
}

func TestLinkIsSentAsAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		target, v := fake(t, nil, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			sent = append(sent, strings.TrimSpace(string(b)))
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, linkSource("s1", pageAt, "untrained", individual))
		})
		if !target.Limits().Links {
			t.Error("the vendor fetches pages")
		}
		res := upload(t, target, link(pageAt))
		if res.Err != nil || res.ID != "s1" || res.Status != targets.StatusWorking || res.Name != "" {
			t.Errorf("%+v", res)
		}
		if want := `{"type":"link","url":"` + pageAt + `","linkType":"individual"}`; len(sent) != 1 || sent[0] != want || v.count("POST /sources") != 1 {
			t.Errorf("sent %q", sent)
		}
		for _, bad := range []string{"ftp://site.example/a", "/a", "https://user:secret@site.example/a", "https:///a", "not an address"} {
			for _, res := range []targets.Result{upload(t, target, link(bad)), target.Replace(t.Context(), "s1", link(bad))} {
				if !errors.Is(res.Err, fault.ErrRejected) || strings.Contains(res.Err.Error(), "secret") {
					t.Errorf("%s: %v", bad, res.Err)
				}
			}
		}
		if n := len(v.requests()); n != 2 {
			t.Errorf("%q", v.requests())
		}
	})
}

func TestLinkCreationsThatAnswerOddly(t *testing.T) {
	ok := "201 " + linkSource("s9", pageAt, "untrained", individual)
	there := linkSource("s7", pageAt, "trained", individual)
	slash := linkSource("s6", "HTTPS://Site.Example:443/a/?x=1#top", "trained", individual)
	duplicate := refusal(409, "SOURCE_DUPLICATE")
	for name, c := range map[string]struct {
		create, list []string
		class        error // nil: success
		id           targets.RemoteID
		creates      int
	}{
		"taken":                   {create: []string{duplicate}, list: []string{listOf(slash, there)}, id: "s7", creates: 1},
		"taken, spelt otherwise":  {create: []string{duplicate}, list: []string{listOf(slash)}, id: "s6", creates: 1},
		"taken by another query":  {create: []string{duplicate}, list: []string{listOf(linkSource("s5", "https://site.example/a?x=2", "trained", individual))}, class: fault.ErrConflict, creates: 1},
		"taken by a whole site":   {create: []string{duplicate}, list: []string{listOf(linkSource("s5", pageAt, "trained", "crawl"))}, class: fault.ErrConflict, creates: 1},
		"taken by nobody":         {create: []string{duplicate}, list: []string{listOf(`{"id":"s5","type":"text","name":"` + pageAt + `"}`)}, class: fault.ErrConflict, creates: 1},
		"taken, nobody can look":  {create: []string{duplicate}, list: []string{`500 `}, class: fault.ErrUnknown, creates: 1},
		"taken until it is gone":  {create: []string{duplicate, ok}, list: []string{listOf(linkSource("s5", pageAt, "toBeDeleted", individual))}, id: "s9", creates: 2},
		"pending until it is":     {create: []string{refusal(409, "SOURCE_PENDING_DELETION"), ok}, list: []string{listOf(linkSource("s5", pageAt, "toBeDeleted", individual))}, id: "s9", creates: 2},
		"no metadata":             {create: []string{duplicate}, list: []string{listOf(`{"id":"s4","type":"link","name":"` + pageAt + `","metadata":null}`)}, id: "s4", creates: 1},
		"failed and coming":       {create: []string{`503 `}, list: []string{listOf(linkSource("s5", pageAt, "failed", individual), linkSource("s7", pageAt, "untrained", individual))}, id: "s7", creates: 1},
		"lost, landed":            {create: []string{`503 `}, list: []string{listOf(slash, there)}, id: "s7", creates: 1},
		"lost, another page":      {create: []string{`503 `, ok}, list: []string{listOf(slash)}, id: "s9", creates: 2},
		"lost, spelt otherwise":   {create: []string{`503 `, duplicate}, list: []string{listOf(slash)}, id: "s6", creates: 2},
		"lost, not landed":        {create: []string{`502 `, ok}, list: []string{listOf()}, id: "s9", creates: 2},
		"lost, nobody can look":   {create: []string{`503 `}, list: []string{`500 `}, class: fault.ErrUnknown, creates: 1},
		"no id, landed":           {create: []string{`201 {"type":"link"}`}, list: []string{listOf(there)}, id: "s7", creates: 1},
		"nothing, not landed":     {create: []string{`201 `, ok}, list: []string{listOf()}, id: "s9", creates: 2},
		"wrapped":                 {create: []string{`201 {"data":` + there + `}`}, id: "s7", creates: 1},
		"its own spelling":        {create: []string{"201 " + slash}, id: "s6", creates: 1},
		"no type, no name":        {create: []string{`201 {"id":"s9","name":null}`}, id: "s9", creates: 1},
		"metadata of nonsense":    {create: []string{`201 {"id":"s9","type":"link","metadata":[7]}`}, id: "s9", creates: 1},
		"about another page":      {create: []string{"201 " + linkSource("s9", "https://evil.example/", "trained", individual)}, list: []string{listOf()}, class: fault.ErrRejected, creates: 1},
		"about a text":            {create: []string{`201 {"id":"s9","type":"text","name":"` + pageAt + `"}`}, list: []string{listOf()}, class: fault.ErrRejected, creates: 1},
		"about a whole site":      {create: []string{"201 " + linkSource("s9", pageAt, "trained", "sitemap")}, list: []string{listOf()}, class: fault.ErrRejected, creates: 1},
		"refused":                 {create: []string{refusal(400, "VALIDATION_INVALID_BODY")}, class: fault.ErrRejected, creates: 1},
		"too many links":          {create: []string{refusal(422, "SOURCE_LINK_LIMIT_EXCEEDED")}, class: fault.ErrQuota, creates: 1},
		"too many links, a 403":   {create: []string{refusal(403, "SOURCE_LINK_LIMIT_EXCEEDED")}, class: fault.ErrQuota, creates: 1},
		"not an agent any more":   {create: []string{refusal(404, "AGENT_NOT_FOUND")}, class: fault.ErrSetup, creates: 1},
		"key may not look closer": {create: []string{duplicate}, list: []string{refusal(401, "AUTH_INVALID_API_KEY")}, class: fault.ErrDenied, creates: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := script{"POST /sources": c.create}
				if c.list != nil {
					s["GET /sources"] = c.list
				}
				target, v := fake(t, nil, s.handler())
				res := upload(t, target, link(pageAt))
				if c.class == nil && (res.Err != nil || res.ID != c.id || res.Name != "") || !errors.Is(res.Err, c.class) {
					t.Errorf("%+v", res)
				}
				if n := v.count("POST /sources"); n != c.creates {
					t.Errorf("%d creations", n)
				}
				if v.count("DELETE /sources/s7")+v.count("DELETE /sources/s5") != 0 {
					t.Errorf("deleted: %q", v.requests())
				}
			})
		})
	}
}

func TestLinkSentTwiceIsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, v := fake(t, nil, (&pages{}).handle)
		first, again := upload(t, target, link(pageAt)), upload(t, target, link(pageAt))
		if first.Err != nil || again.Err != nil || first.ID != again.ID || v.count("POST /sources") != 1 {
			t.Errorf("%+v, %+v, %q", first, again, v.requests())
		}
	})
}

// That the agent takes no more links says nothing about texts.
func TestTextsAfterTooManyLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, _ := fake(t, nil, script{"POST /sources": {refusal(422, "SOURCE_LINK_LIMIT_EXCEEDED"), `201 {"id":"s9"}`}}.handler())
		if res := upload(t, target, link(pageAt)); !errors.Is(res.Err, fault.ErrQuota) || !strings.Contains(res.Err.Error(), "fewer links") {
			t.Errorf("%v", res.Err)
		}
		if res := upload(t, target, rendition(newName, "text")); res.Err != nil {
			t.Errorf("a text: %v", res.Err)
		}
	})
}

// What is listed: pages by their address, which may look like a name of ours and is none; whole sites as before.
func TestLinksInTheListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trap := "https://site.example/" + oldName
		failed := `{"id":"s4","type":"link","name":"https://site.example/b","status":"untrained","metadata":{"type":"individual","crawlStatus":"failed"}}`
		target, v := fake(t, nil, script{
			"GET /sources": {listOf(linkSource("s1", trap, "trained", individual), linkSource("s2", "https://site.example", "trained", "crawl"),
				linkSource("s3", "https://site.example/c", "failed", individual), failed, linkSource("s5", "https://site.example/d", "toBeDeleted", individual))},
			"GET /sources/s1":    {"200 " + linkSource("s1", trap, "trained", individual)},
			"GET /sources/s2":    {"200 " + linkSource("s2", "https://site.example", "trained", "crawl")},
			"DELETE /sources/s1": {`200 {"id":"s1","status":"deleted"}`},
		}.handler())
		got := map[targets.RemoteID]targets.Remote{}
		if err := target.List(t.Context(), func(r targets.Remote) error { got[r.ID] = r; return nil }); err != nil {
			t.Fatal(err)
		}
		if r := got["s1"]; r.Link != trap || r.Name != "" || r.Status != targets.StatusDone {
			t.Errorf("a page: %+v", r)
		}
		if r := got["s2"]; r.Link != "" || r.Name != "https://site.example" {
			t.Errorf("a whole site: %+v", r)
		}
		for _, id := range []targets.RemoteID{"s3", "s4"} {
			if r := got[id]; r.Status != targets.StatusFailed || !strings.Contains(r.Detail, "could not fetch the page") || r.Link == "" {
				t.Errorf("a page that cannot be had: %+v", r)
			}
		}
		if len(got) != 4 {
			t.Errorf("%+v", got)
		}
		few := map[targets.RemoteID]string{"s1": linkName, "s2": linkName}
		many := map[targets.RemoteID]string{"s1": linkName, "s2": linkName, "s3": linkName, "s5": linkName}
		for asked, want := range map[*map[targets.RemoteID]string]int{&few: 1, &many: 2} {
			if st := statusOf(t, target, *asked); len(st) != want || st["s1"].Status != targets.StatusDone || want == 2 && st["s3"].Status != targets.StatusFailed {
				t.Errorf("statuses of %v: %+v", *asked, st)
			}
		}
		if r, err := target.Rename(t.Context(), "s1", linkName); err != nil || r.ID != "s1" || r.Status != targets.StatusDone {
			t.Errorf("rename: %+v, %v", r, err)
		}
		if _, err := target.Rename(t.Context(), "s2", linkName); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("rename of a whole site: %v", err)
		}
		res, err := target.Delete(t.Context(), []targets.RemoteID{"s1", "s2"})
		if err != nil || res[0].Err != nil || res[1].Err != nil {
			t.Errorf("delete: %+v, %v", res, err)
		}
		if v.count("DELETE /sources/s1") != 1 || v.count("DELETE /sources/s2") != 0 || v.count("PUT /sources/s1") != 0 {
			t.Errorf("%q", v.requests())
		}
	})
}

func TestReplaceLink(t *testing.T) {
	for name, c := range map[string]struct {
		purge         time.Duration
		before, after func(*http.Request) int
		gone          bool // it was deleted before
		other         string
		ids           string // afterwards
		deletes       int
	}{
		"at once":                 {ids: "s2", deletes: 1},
		"after a while":           {purge: 5 * time.Second, ids: "s2", deletes: 1},
		"deleted before":          {gone: true, ids: "s2"},
		"deletion lost":           {before: once(http.MethodDelete, 503), ids: "s2", deletes: 2},
		"answer to deletion lost": {after: once(http.MethodDelete, 502), ids: "s2", deletes: 2},
		"creation lost":           {before: once(http.MethodPost, 503), ids: "s2", deletes: 1},
		"answer to creation lost": {after: once(http.MethodPost, 502), ids: "s2", deletes: 1},
		"another spelling there":  {other: pageAt + "/", gone: true, ids: "s2"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &pages{purge: c.purge, before: c.before, after: c.after}
				old := p.add("https://site.example/a")
				if c.gone {
					p.held = nil
				}
				if c.other != "" {
					p.add("https://site.example/a/")
				}
				target, v := fake(t, nil, p.handle)
				res := target.Replace(t.Context(), targets.RemoteID(old), link("https://site.example/a"))
				if res.Err != nil || res.ID != "s2" || res.Name != "" || res.Status == targets.StatusUnknown {
					t.Errorf("%+v", res)
				}
				if ids := strings.Join(p.ids(), " "); ids != c.ids || v.count("DELETE /sources/s1") != c.deletes {
					t.Errorf("%s, %q", ids, v.requests())
				}
				if n := v.count("POST /sources"); c.purge > 0 && n != 1 {
					t.Errorf("sent %d times, and not once the old one was gone", n)
				}
			})
		})
	}
}

// A listing may show the deleted source for a while as if nothing had happened. It is not taken for the new one.
func TestReplaceLinkBeforeAStaleListing(t *testing.T) {
	for _, create := range []string{"503 ", refusal(409, "SOURCE_DUPLICATE")} {
		synctest.Test(t, func(t *testing.T) {
			old := linkSource("s1", pageAt, "trained", individual)
			target, v := fake(t, nil, script{
				"GET /sources/s1": {"200 " + old, refusal(404, "SOURCE_NOT_FOUND")}, "DELETE /sources/s1": {`200 {"id":"s1","status":"deleted"}`},
				"GET /sources": {listOf(old)}, "POST /sources": {create, "201 " + linkSource("s2", pageAt, "untrained", individual)},
			}.handler())
			if res := target.Replace(t.Context(), "s1", link(pageAt)); res.Err != nil || res.ID != "s2" || v.count("POST /sources") != 2 {
				t.Errorf("%s: %+v, %q", create, res, v.requests())
			}
		})
	}
}

// A process that dies at any point leaves what the next one makes whole: one source, and not the old one.
func TestReplaceLinkThatDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for point := 1; ; point++ {
			p := &pages{purge: 2 * time.Second}
			old := targets.RemoteID(p.add(pageAt))
			ctx, die := context.WithCancel(t.Context())
			seen := 0
			p.after = func(*http.Request) int {
				if seen++; seen == point {
					die()
				}
				return 0
			}
			first, _ := fake(t, nil, p.handle)
			res := first.Replace(ctx, old, link(pageAt))
			if seen < point {
				die()
				if point < 5 || res.Err != nil {
					t.Errorf("after %d requests: %+v", seen, res)
				}
				return
			}
			p.mu.Lock()
			p.after = nil
			p.mu.Unlock()
			if res.Err == nil {
				if ids := p.ids(); len(ids) != 1 || ids[0] != string(res.ID) {
					t.Errorf("point %d: %+v, %q", point, res, ids)
				}
				die()
				continue
			}
			next, _ := fake(t, nil, p.handle)
			res = next.Replace(t.Context(), old, link(pageAt))
			if ids := p.ids(); res.Err != nil || res.ID == old || len(ids) != 1 || ids[0] != string(res.ID) {
				t.Errorf("point %d: %+v, %q", point, res, ids)
			}
			die()
		}
	})
}

// A vendor of an older generation deletes with the next training: that is waited for once, and no other page is given up for it.
func TestReplaceLinkWhereDeletionsLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pages{purge: time.Hour}
		old, other := p.add(pageAt), p.add("https://site.example/b")
		target, _ := fake(t, nil, p.handle)
		start := time.Now()
		res := target.Replace(t.Context(), targets.RemoteID(old), link(pageAt))
		if !errors.Is(res.Err, fault.ErrUnknown) || errors.Is(res.Err, fault.ErrConflict) || !strings.Contains(res.Err.Error(), "dashboard") || res.ID != targets.RemoteID(old) {
			t.Errorf("%+v", res)
		}
		if took := time.Since(start); took < purgeWait || took > 2*purgeWait {
			t.Errorf("waited %s", took)
		}
		res = target.Replace(t.Context(), targets.RemoteID(other), link("https://site.example/b"))
		if !errors.Is(res.Err, fault.ErrUnknown) || len(p.ids()) != 1 || p.ids()[0] != other {
			t.Errorf("%+v, %q", res, p.ids())
		}
		time.Sleep(time.Hour)
		mustConnect(t, target)
		if res := target.Replace(t.Context(), targets.RemoteID(old), link(pageAt)); res.Err != nil || res.ID == targets.RemoteID(old) {
			t.Errorf("in the next pass: %+v", res)
		}
	})
}

// What is not the page of the document, or cannot be made again, is not deleted.
func TestReplaceLinkThatMustNot(t *testing.T) {
	for name, c := range map[string]struct {
		source, deletion string
		full             bool
		class            error
		deletes          int
	}{
		"a text":          {source: `200 {"id":"s1","type":"text","name":"` + oldName + `"}`, class: fault.ErrNotFound},
		"a whole site":    {source: "200 " + linkSource("s1", pageAt, "trained", "crawl"), class: fault.ErrNotFound},
		"another source":  {source: "200 " + linkSource("s2", pageAt, "trained", individual), class: fault.ErrUnknown},
		"a full agent":    {source: "200 " + linkSource("s1", pageAt, "trained", individual), full: true, class: fault.ErrQuota},
		"being trained":   {source: "200 " + linkSource("s1", pageAt, "updated", individual), deletion: refusal(409, "SOURCE_IS_TRAINING"), class: fault.ErrUnknown, deletes: 1},
		"still there":     {source: "200 " + linkSource("s1", pageAt, "trained", individual), deletion: `200 {"id":"s1","status":"trained"}`, class: fault.ErrUnknown, deletes: 1},
		"no right to":     {source: "200 " + linkSource("s1", pageAt, "trained", individual), deletion: refusal(403, "AUTH_INSUFFICIENT_PERMISSIONS"), class: fault.ErrDenied, deletes: 1},
		"agent vanishing": {source: refusal(404, "AGENT_NOT_FOUND"), class: fault.ErrSetup},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				target, v := fake(t, nil, script{
					"GET /sources/s1": {c.source}, "DELETE /sources/s1": {c.deletion + " "}, "POST /sources": {refusal(422, "SOURCE_SIZE_LIMIT_EXCEEDED")},
				}.handler())
				if c.full {
					upload(t, target, rendition(newName, "text"))
				}
				before := v.count("POST /sources")
				res := target.Replace(t.Context(), "s1", link(pageAt))
				if !errors.Is(res.Err, c.class) || errors.Is(res.Err, fault.ErrConflict) || res.ID != "s1" {
					t.Errorf("%+v", res)
				}
				if v.count("DELETE /sources/s1") != c.deletes || v.count("POST /sources") != before {
					t.Errorf("%q", v.requests())
				}
			})
		})
	}
}

func TestPlainAddress(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"https://a.example/x", "https://A.EXAMPLE:443/x/#y", true},
		{"http://a.example", "http://a.example:80/", true},
		{"https://a.example/%61?q=%62", "https://a.example/a?q=b", true},
		{"https://a.example/x", "https://a.example/X", false},
		{"https://a.example/x", "http://a.example/x", false},
		{"https://a.example/x", "https://a.example:8443/x", false},
		{"https://a.example/x?p=1", "https://a.example/x?p=2", false},
		{"%", "%", true},
		{"", "https://a.example/", false},
	} {
		if got := plainAddress(c.a) == plainAddress(c.b); got != c.same {
			t.Errorf("%q and %q: %v", c.a, c.b, got)
		}
	}
}
