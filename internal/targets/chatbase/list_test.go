package chatbase

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/targets"
)

func pageOf(total int, cursor string, ids ...string) string {
	var items []string
	for _, id := range ids {
		items = append(items, fmt.Sprintf(`{"id":%q,"name":"n","status":"trained"}`, id))
	}
	return fmt.Sprintf(`{"data":[%s],"pagination":{"cursor":%s,"hasMore":%t,"total":%d}}`, strings.Join(items, ","), cursor, cursor != "null", total)
}

func TestListings(t *testing.T) {
	for name, c := range map[string]struct {
		pages []string // one after the other; the last one stays
		want  int      // -1: an error
	}{
		"empty":                        {[]string{pageOf(0, "null")}, 0},
		"two pages":                    {[]string{pageOf(3, `"c1"`, "a", "b"), pageOf(3, "null", "c")}, 3},
		"a number for a cursor":        {[]string{pageOf(3, `7`, "a", "b"), pageOf(3, "null", "c")}, 3},
		"an empty page in between":     {[]string{pageOf(2, `"c1"`, "a"), pageOf(2, `"c2"`), pageOf(2, "null", "b")}, 2},
		"no count":                     {[]string{`{"data":[{"id":"a"}],"pagination":{"hasMore":false}}`}, 1},
		"no pagination":                {[]string{`{"data":[{"id":"a"}]}`}, 1},
		"the same cursor again":        {[]string{pageOf(9, `"c1"`, "a", "b")}, -1},
		"more, but no cursor":          {[]string{`{"data":[{"id":"a"}],"pagination":{"cursor":null,"hasMore":true,"total":1}}`}, -1},
		"fewer than counted":           {[]string{pageOf(5, "null", "a", "b")}, -1},
		"grows while it is read":       {[]string{pageOf(3, `"c1"`, "a", "b"), pageOf(4, "null", "c")}, 3},
		"purged while it is read":      {[]string{pageOf(3, `"c1"`, "a", "b"), pageOf(2, "null", "c")}, 3},
		"lost one, then whole":         {[]string{pageOf(4, `"c1"`, "a", "b"), pageOf(3, "null", "d"), pageOf(3, `"c1"`, "b", "c"), pageOf(3, "null", "d")}, 4},
		"grew, then lost one":          {[]string{pageOf(2, `"c1"`, "a"), pageOf(4, `"c2"`, "b"), pageOf(3, "null", "d"), pageOf(3, `"c1"`, "b", "c"), pageOf(3, "null", "d")}, 4},
		"the same one twice":           {[]string{pageOf(2, `"c1"`, "a"), pageOf(2, "null", "a")}, -1},
		"an item without an id":        {[]string{`{"data":[{"id":"","name":"x"}],"pagination":{"hasMore":false}}`}, -1},
		"items that are none":          {[]string{`{"data":[1,2]}`}, -1},
		"no list":                      {[]string{`{}`}, -1},
		"null":                         {[]string{`{"data":null}`}, -1},
		"an array":                     {[]string{`[]`}, -1},
		"nothing":                      {[]string{``}, -1},
		"an error":                     {[]string{`{"error":{"code":"X_Y","message":"no"}}`}, -1},
		"full, and nothing about more": {[]string{`{"data":[` + strings.TrimSuffix(strings.Repeat(`{"id":"a"},`, 100), ",") + `]}`}, -1},
		"on their way out": {[]string{`{"data":[{"id":"a","status":"toBeDeleted"},{"id":"b","status":"tobedeletedted"},{"id":"c","status":"deleted"},` +
			`{"id":"d","name":null,"status":"trained","type":"link"}],"pagination":{"cursor":null,"hasMore":false,"total":4}}`}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				target, _ := fake(t, nil, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Query().Get("limit") != "100" || r.URL.Path != "/api/v2/agents/agt_1/sources" {
						t.Errorf("%s", r.URL)
					}
					_, _ = io.WriteString(w, c.pages[min(n, len(c.pages)-1)])
					n++
				})
				defer func() {
					if n > 2*maxReadings {
						t.Errorf("%d pages", n)
					}
				}()
				got := map[targets.RemoteID]bool{}
				err := target.List(t.Context(), func(r targets.Remote) error {
					got[r.ID] = true
					if r.Size != -1 {
						t.Errorf("the size of extracted text counts as one of the document: %+v", r)
					}
					return nil
				})
				switch {
				case c.want < 0 && !errors.Is(err, fault.ErrIncomplete) && !errors.Is(err, fault.ErrRejected):
					t.Errorf("%d given, %v", len(got), err)
				case c.want >= 0 && (err != nil || len(got) != c.want):
					t.Errorf("%d given, %v", len(got), err)
				}
			})
		})
	}
}

// A vendor that never comes to an end does not keep the client for ever.
func TestEndlessList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		target, _ := fake(t, func(c *Config) { c.Rate = 0 }, func(w http.ResponseWriter, _ *http.Request) {
			n++
			_, _ = io.WriteString(w, pageOf(7, fmt.Sprintf(`"c%d"`, n), "a"))
		})
		err := target.List(t.Context(), func(targets.Remote) error { return nil })
		if !errors.Is(err, fault.ErrIncomplete) || n > 2*maxBarren {
			t.Errorf("%d pages, %v", n, err)
		}
	})
}

func TestStopInAList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, _ := fake(t, nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, pageOf(1, "null", "a")) })
		enough := errors.New("enough")
		if err := target.List(t.Context(), func(targets.Remote) error { return enough }); !errors.Is(err, enough) {
			t.Error(err)
		}
	})
}
