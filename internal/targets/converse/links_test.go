package converse

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
)

const (
	pageAt   = "https://site.example/a?x=1"
	linkName = "a.kbaaaaaaaaaaaaaaa-1111111111.url"
)

// link is a rendition that is an address.
func link(name, address string) targets.Rendition {
	return targets.Rendition{Document: "site/a", Name: name, Digest: kb.Sum([]byte(address)), Link: address}
}

func TestLinkIsIngestedByItsAddress(t *testing.T) {
	ingest := func(w http.ResponseWriter, r *http.Request) {
		var in map[string]string
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in["url"] != pageAt || in["name"] != linkName || len(in) != 2 {
			t.Errorf("%v, %v", in, err)
		}
		fmt.Fprintf(w, `{"document":{"id":"u","name":%q,"status":"processing"}}`, linkName)
	}
	listing := `[{"id":"u","name":"` + linkName + `","status":"ready","chunk_count":3}]`
	play(t, map[string]any{"POST /knowledge/ingest-url": ingest, "GET /knowledge": listing}, func(t *testing.T, target *Target, s *script) {
		if !target.Limits().Links {
			t.Error("the vendor fetches pages")
		}
		if res := upload(t, target, link(linkName, pageAt)); res.ID != "u" || res.Err != nil || res.Name != "" || res.Status != targets.StatusWorking {
			t.Errorf("%+v", res)
		}
		if n := len(s.routes()); n != 1 {
			t.Errorf("%q", s.routes())
		}
		// It carries our mark, so it is listed like any other document.
		if err := target.List(t.Context(), func(r targets.Remote) error {
			if r.Name != linkName || r.Link != "" || r.Status != targets.StatusDone {
				t.Errorf("%+v", r)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
}

func TestLinksThatAreNotSent(t *testing.T) {
	play(t, nil, func(t *testing.T, target *Target, s *script) {
		for _, r := range []targets.Rendition{
			link(linkName, "ftp://site.example/a"), link(linkName, "/a"), link(linkName, "https://user:secret@site.example/a?x"), link(linkName, "https:///a"),
			link("a/b.url", pageAt), link(marked, pageAt),
		} {
			if res := upload(t, target, r); !errors.Is(res.Err, fault.ErrRejected) || strings.Contains(res.Err.Error(), "secret") {
				t.Errorf("%s: %v", r.Link, res.Err)
			}
		}
		if len(s.routes()) > 0 {
			t.Errorf("%q", s.routes())
		}
	})
}

func TestLinksInDoubt(t *testing.T) {
	there := `[{"id":"other","name":"other.url"},{"id":"ours","name":"` + linkName + `","status":"ready"}]`
	old := `[{"id":"old","name":"a.kbaaaaaaaaaaaaaaa-0000000000.url","status":"ready"}]`
	for name, c := range map[string]struct {
		answer  any    // to the ingestion
		listing string // of the store afterwards
		id      targets.RemoteID
		class   error
		posts   int
	}{
		"taken by ours":         {http.StatusConflict, there, "ours", nil, 1},
		"taken by an older one": {http.StatusConflict, old, "", fault.ErrConflict, 1},
		"no id, there":          {`{"message":"accepted"}`, there, "ours", nil, 1},
		"broken, there":         {http.StatusInternalServerError, there, "ours", nil, 1},
		"broken, an older one":  {http.StatusInternalServerError, old, "", nil, maxTries},
		"broken, no look":       {http.StatusBadGateway, `{}`, "", fault.ErrUnknown, 1},
		"cannot be fetched":     {http.StatusUnprocessableEntity, `[]`, "", fault.ErrRejected, 1},
		"named by its title":    {`{"id":"n","name":"Welcome!"}`, `[{"id":"n","name":"Welcome!"}]`, "", fault.ErrRejected, 1},
		"a page of nonsense":    {`<html>`, there, "ours", nil, 1},
		"no such route":         {http.StatusNotFound, `[]`, "", fault.ErrSetup, 1},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, map[string]any{"POST /knowledge/ingest-url": c.answer, "GET /knowledge": c.listing}, func(t *testing.T, target *Target, s *script) {
				res := upload(t, target, link(linkName, pageAt))
				_, passing := errors.AsType[*fault.RetryAfter](res.Err)
				if res.ID != c.id || c.class != nil && !errors.Is(res.Err, c.class) || passing != (c.id == "" && c.class == nil) || c.id != "" && res.Err != nil {
					t.Errorf("%+v", res)
				}
				posts := 0
				for _, r := range s.routes() {
					if strings.HasPrefix(r, "POST") {
						posts++
					}
				}
				if posts != c.posts {
					t.Errorf("%q", s.routes())
				}
			})
		})
	}
}

// Embedding anew does not fetch anew, so a page of which nothing was indexed is left to the next pass, which sends it again.
func TestLinkWithoutChunks(t *testing.T) {
	list := `[{"id":"empty","name":"` + linkName + `","status":"ready","chunk_count":0},{"id":"failed","name":"b.kbaaaaaaaaaaaaaab-1111111111.url","status":"failed","error":"timeout"},` +
		`{"id":"full","name":"c.kbaaaaaaaaaaaaaac-1111111111.url","status":"failed","chunk_count":2},{"id":"text","name":"` + marked + `","status":"ready","chunk_count":0},` +
		`{"id":"theirs","name":"their.url","status":"failed"}]`
	answers := map[string]any{"GET /knowledge": list}
	for _, id := range []string{"empty", "failed", "full", "text"} {
		answers["POST /knowledge/"+id+"/reindex"] = `{}`
	}
	play(t, answers, func(t *testing.T, target *Target, s *script) {
		seen := map[targets.RemoteID]targets.Remote{}
		if err := target.Statuses(t.Context(), map[targets.RemoteID]string{"empty": linkName, "failed": "b.kbaaaaaaaaaaaaaab-1111111111.url"}, func(r targets.Remote) { seen[r.ID] = r }); err != nil {
			t.Fatal(err)
		}
		if seen["empty"].Status != targets.StatusFailed || seen["empty"].Detail == "" || seen["failed"].Status != targets.StatusFailed || seen["failed"].Detail != "timeout" {
			t.Errorf("%+v", seen)
		}
		for id, unsupported := range map[targets.RemoteID]bool{"empty": true, "failed": true, "full": false, "text": false} {
			if err := target.Restart(t.Context(), id); errors.Is(err, fault.ErrUnsupported) != unsupported || !unsupported && err != nil {
				t.Errorf("restart of %s: %v", id, err)
			}
		}
		res, err := target.Reindex(t.Context(), []targets.RemoteID{"empty", "full"})
		if err != nil || !errors.Is(res[0].Err, fault.ErrUnsupported) || res[1].Err != nil {
			t.Errorf("%+v, %v", res, err)
		}
		if routes := strings.Join(s.routes(), "\n"); strings.Contains(routes, "empty/reindex") || strings.Contains(routes, "failed/reindex") {
			t.Errorf("%s", routes)
		}
	})
}
