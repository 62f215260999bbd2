package converse

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/targettest"
)

func rowsJSON(from, to int) string {
	var all []string
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprintf(`{"id":%d}`, i))
	}
	return "[" + strings.Join(all, ",") + "]"
}

// Whatever a vendor says of pages is followed to the end, and what cannot be followed is no listing.
func TestPages(t *testing.T) {
	for name, c := range map[string]struct {
		pages map[string]string // query → answer
		want  int               // documents; -1: incomplete
	}{
		"one":             {map[string]string{"": rowsJSON(0, 3)}, 3},
		"numbers":         {map[string]string{"": `{"items":` + rowsJSON(0, 2) + `,"page":1,"total_pages":2}`, "page=2": `{"items":` + rowsJSON(2, 3) + `,"page":2,"total_pages":2}`}, 3},
		"numbers from 0":  {map[string]string{"": `{"items":[{"id":0}],"page":0,"total_pages":3}`, "page=1": `{"items":[{"id":1}],"page":1,"total_pages":3}`, "page=2": `{"items":[{"id":2}],"page":2,"total_pages":3}`}, 3},
		"in meta":         {map[string]string{"": `{"data":[{"id":0}],"meta":{"page":1,"total_pages":2}}`, "page=2": `{"data":[{"id":1}],"meta":{"page":2,"total_pages":2}}`}, 2},
		"around":          {map[string]string{"": `{"data":{"items":[{"id":0}]},"next_cursor":"a b"}`, "cursor=a+b": `{"data":{"items":[{"id":1}]},"next_cursor":null}`}, 2},
		"address":         {map[string]string{"": `{"items":[{"id":0}],"next":"https://elsewhere.test/api/v1/knowledge?offset=1&limit=1&mode=test"}`, "limit=1&offset=1": `{"items":[{"id":1}],"next":null}`}, 2},
		"path":            {map[string]string{"": `{"items":[{"id":0}],"next":"/knowledge?page=2"}`, "page=2": `{"items":[{"id":1}]}`}, 2},
		"number":          {map[string]string{"": `{"items":[{"id":0}],"next":2}`, "page=2": `{"items":[{"id":1}],"next":null}`}, 2},
		"word":            {map[string]string{"": `{"items":[{"id":0}],"next":"abc"}`, "cursor=abc": `{"items":[{"id":1}],"next":""}`}, 2},
		"empty last page": {map[string]string{"": `{"items":[{"id":0}],"next":2}`, "page=2": `{"items":[],"next":3}`}, 1},
		"ignored":         {map[string]string{"": `{"items":[{"id":0}],"page":1,"total_pages":2}`, "page=2": `{"items":[{"id":0}],"page":1,"total_pages":2}`}, -1},
		"for ever":        {map[string]string{"": `{"items":[{"id":0}],"next":"x"}`, "cursor=x": `{"items":[{"id":0}],"next":"x"}`}, -1},
		"more than given": {map[string]string{"": `{"items":[{"id":0}],"total":2}`}, -1},
		"all given":       {map[string]string{"": `{"items":[{"id":0}],"total":1}`}, 1},
		"twice":           {map[string]string{"": `[{"id":0},{"id":0}]`}, 1},
		"no id":           {map[string]string{"": `[{"id":0},{"name":"x"}]`}, -1},
		"no list":         {map[string]string{"": `{"detail":"hello"}`}, -1},
		"nothing":         {map[string]string{"": ``}, -1},
		"a page is gone":  {map[string]string{"": `{"items":[{"id":0}],"next":2}`}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			list := func(w http.ResponseWriter, r *http.Request) {
				page, ok := c.pages[r.URL.RawQuery]
				if !ok {
					w.WriteHeader(http.StatusBadRequest)
				}
				fmt.Fprint(w, page)
			}
			play(t, map[string]any{"GET /knowledge": list}, func(t *testing.T, target *Target, _ *script) {
				n := 0
				err := target.List(t.Context(), func(targets.Remote) error { n++; return nil })
				if c.want < 0 {
					if !errors.Is(err, fault.ErrIncomplete) {
						t.Errorf("%d documents, %v", n, err)
					}
				} else if err != nil || n != c.want {
					t.Errorf("%d documents, %v", n, err)
				}
			})
		})
	}
}

// A round number of items may be a page of which nothing is said; that is worth one line in the log.
func TestRoundNumbers(t *testing.T) {
	for n, want := range map[int]int{9: 0, 10: 1, 20: 1, 25: 1, 50: 1, 100: 1, 101: 0} {
		for _, form := range []string{"%s", `{"items":%s,"next":null}`, `{"items":%s,"total_pages":1}`} {
			if form != "%s" {
				want = 0
			}
			play(t, map[string]any{"GET /knowledge": fmt.Sprintf(form, rowsJSON(0, n))}, func(t *testing.T, target *Target, _ *script) {
				logs := &targettest.Logs{}
				target.log = logs.Logger()
				for range 2 {
					if err := target.List(t.Context(), func(targets.Remote) error { return nil }); err != nil {
						t.Fatal(err)
					}
				}
				if got := strings.Count(logs.String(), "cut short"); got != want {
					t.Errorf("%d items as %s: %d warnings", n, form, got)
				}
			})
		}
	}
}

// A store that cannot be listed must not look empty.
func TestListOfNothing(t *testing.T) {
	for answer, class := range map[any]error{
		http.StatusNotFound: fault.ErrSetup, http.StatusMethodNotAllowed: fault.ErrSetup, http.StatusUnauthorized: fault.ErrDenied, http.StatusForbidden: fault.ErrDenied,
		http.StatusUnprocessableEntity: fault.ErrIncomplete, http.StatusInternalServerError: fault.ErrIncomplete, "<html>": fault.ErrIncomplete,
		`{"success":false}`: fault.ErrIncomplete,
	} {
		play(t, map[string]any{"GET /knowledge": answer}, func(t *testing.T, target *Target, _ *script) {
			err := target.List(t.Context(), func(targets.Remote) error { return nil })
			if !errors.Is(err, class) {
				t.Errorf("%v: %v", answer, err)
			}
		})
	}
}

// An id that is listed under the name of another document is not the document that was asked for.
func TestStatusesOfAnotherDocument(t *testing.T) {
	const ours, theirs = "mine.kbaaaaaaaaaaaaaaa-0000000000.md", "theirs.kbaaaaaaaaaaaaaab-0000000000.md"
	list := fmt.Sprintf(`[{"id":"a","name":%q,"status":"ready"},{"id":"b","name":%q,"status":"ready"},{"id":"c","name":%q},{"id":"d","name":%q},{"id":"e","name":"x"}]`,
		ours, theirs, ours, ours)
	play(t, map[string]any{
		"GET /knowledge": list, "GET /knowledge/c/chunks": `{"chunks":[{"text":"t"}]}`,
	}, func(t *testing.T, target *Target, s *script) {
		var got []targets.RemoteID
		err := target.Statuses(t.Context(), map[targets.RemoteID]string{"a": ours, "b": ours, "c": ours, "d": ours, "gone": ours}, func(r targets.Remote) {
			if r.Status == targets.StatusDone {
				got = append(got, r.ID)
			}
		})
		if err != nil || !slices.Equal(got, []targets.RemoteID{"a", "c"}) {
			t.Errorf("%v, %v", got, err)
		}
		if n := len(s.routes()); n != 3 {
			t.Errorf("%d requests: %v", n, s.routes())
		}
	})
}
