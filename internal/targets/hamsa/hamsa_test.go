package hamsa

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
	"kbsyncd/internal/targets/targettest"
)

// doc is a rendition as the engine makes it.
func doc(key, content string) targets.Rendition {
	k, sum := kb.Key("src/"+key), kb.Sum([]byte(content))
	m := kb.Mark{Scope: kb.NewScope("test", "hamsa"), Key: k.Hash(), Hash: sum.Short()}
	return targets.Rendition{
		Document: k, Name: kb.RemoteName(k, m, ".md", nameChars), Size: int64(len(content)), Digest: sum, MediaType: "text/markdown",
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
	}
}

// bubble runs a test in a bubble with a connected target and the fake behind it.
func bubble(t *testing.T, change func(*Config), fn func(*testing.T, *Target, *fake, *targettest.Logs)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		target, logs := open(t, f, change)
		if _, err := target.Connect(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		fn(t, target, f, logs)
	})
}

// in is bubble that also looks at the log.
func in(t *testing.T, change func(*Config), fn func(t *testing.T, target *Target, f *fake)) {
	t.Helper()
	bubble(t, change, func(t *testing.T, target *Target, f *fake, logs *targettest.Logs) {
		fn(t, target, f)
		if s := logs.String(); strings.Contains(s, testKey) || strings.Contains(s, foreignKey) {
			t.Errorf("a key shows in the log:\n%s", s)
		}
	})
}

func send(t *testing.T, target *Target, all ...targets.Rendition) (ids []targets.RemoteID) {
	t.Helper()
	for _, r := range all {
		res, err := target.Upload(t.Context(), []targets.Rendition{r})
		if err != nil || res[0].Err != nil {
			t.Fatalf("upload: %v, %v", err, res[0].Err)
		}
		ids = append(ids, res[0].ID)
	}
	return ids
}

func listed(t *testing.T, target *Target) map[targets.RemoteID]targets.Remote {
	t.Helper()
	out := map[targets.RemoteID]targets.Remote{}
	if err := target.List(t.Context(), func(r targets.Remote) error {
		out[r.ID] = r
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func remove(t *testing.T, target *Target, ids ...targets.RemoteID) []targets.Result {
	t.Helper()
	res, err := target.Delete(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range res {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	return res
}

func TestUpload(t *testing.T) {
	in(t, nil, func(t *testing.T, target *Target, f *fake) {
		r := doc("guide.md", "# Grüße\n<b>&\n")
		id := send(t, target, r)[0]
		if got := listed(t, target)[id]; got.Name != r.Name || got.Status != targets.StatusDone || got.Size != -1 {
			t.Errorf("listed as %+v", got)
		}
		if f.items[0]["content"] != "# Grüße\n<b>&\n" || f.items[0]["type"] != "TEXT" {
			t.Errorf("stored as %v", f.items[0])
		}
		if n := f.count("POST " + itemsPath); n != 1 {
			t.Errorf("%d requests for one item", n)
		}
		if again := send(t, target, r)[0]; again != id || len(f.names()) != 1 {
			t.Errorf("the same again became %s, and there are %q", again, f.names())
		}
	})
}

func TestConnectWithoutProjectRoute(t *testing.T) {
	for _, status := range []int{404, 405} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			f.hook = func(w http.ResponseWriter, r *http.Request, _ string) bool {
				if strings.HasPrefix(r.URL.Path, "/v1/projects") {
					reply(w, status, map[string]any{"statusCode": status, "message": "Cannot GET"})
					return true
				}
				return false
			}
			target, _ := open(t, f, nil)
			st, err := target.Connect(t.Context(), true)
			if err != nil || st.ID != projectID || st.Created {
				t.Errorf("%d: %+v, %v", status, st, err)
			}
			f.hook = func(w http.ResponseWriter, _ *http.Request, _ string) bool {
				reply(w, 404, nil)
				return true
			}
			if _, err := target.Connect(t.Context(), true); !errors.Is(err, fault.ErrSetup) {
				t.Errorf("nothing there: %v", err)
			}
		})
	}
}

func TestRetire(t *testing.T) {
	in(t, nil, func(t *testing.T, target *Target, f *fake) {
		long := doc(strings.Repeat("long-", 80)+".md", "text")
		short := doc("short.md", "text")
		ids := send(t, target, long, short)
		if err := target.Assign(t.Context(), agent1, ids, nil); err != nil {
			t.Fatal(err)
		}
		if err := target.Assign(t.Context(), agent1, nil, ids[1:]); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			for _, r := range remove(t, target, ids...) {
				if !r.Left {
					t.Errorf("%s is not said to be left", r.ID)
				}
			}
		}
		if n := f.count("DELETE"); n != 0 {
			t.Errorf("%d deletions that nobody asked for", n)
		}
		for _, name := range f.names() {
			if _, _, ours := kb.ParseName(name); ours || len(name) > nameChars || !strings.HasSuffix(name, retiredMark) {
				t.Errorf("%q is taken for one in use", name)
			}
		}
		all := listed(t, target)
		for i, r := range []targets.Rendition{long, short} {
			got := all[ids[i]]
			if !got.Retired || !adapter.SameDocument(r.Name, got.Name) || !kb.NamedFor(r.Document, got.Name) {
				t.Errorf("%q is listed as %+v", r.Name, got)
			}
		}
		if all[ids[1]].Name != short.Name {
			t.Errorf("%q came back as %q", short.Name, all[ids[1]].Name)
		}
		toggles := slices.DeleteFunc(f.bodies, func(b string) bool { return !strings.Contains(b, "isActive") })
		want := `{"voiceAgentId":"agent-1","knowledgeBaseItemId":"` + string(ids[1]) + `","isActive":false}`
		if !slices.Equal(toggles, []string{want}) {
			t.Errorf("toggled %q, want %q", toggles, want)
		}
		if f.held(agent1) != `["`+string(ids[0])+`"]` {
			t.Errorf("a deletion changed the agent: %s", f.held(agent1))
		}
		// What is out of use is not there any more for anything else.
		if _, err := target.Rename(t.Context(), ids[1], short.Name); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("renamed: %v", err)
		}
		if again := send(t, target, short)[0]; again == ids[1] {
			t.Error("an item that is out of use was taken for a new one")
		}
	})
}

func TestRetireLeavesNamesOfOthers(t *testing.T) {
	in(t, nil, func(t *testing.T, target *Target, f *fake) {
		theirs := f.put("prices (retired)", "PROCESSED")
		got := listed(t, target)[targets.RemoteID(theirs)]
		if got.Retired || got.Name != "prices (retired)" {
			t.Errorf("listed as %+v", got)
		}
		id := send(t, target, doc("a.md", "a"))[0]
		f.items[1]["itemName"] = "mine now"
		if res := remove(t, target, id); !res[0].Left || f.names()[1] != "mine now" {
			t.Errorf("%+v, %q", res, f.names())
		}
		if res := remove(t, target, "item-9999"); res[0].Left {
			t.Errorf("what is not there is left: %+v", res)
		}
	})
}

// An item without our mark is neither deleted nor renamed, whatever the records say.
func TestDeleteLeavesWhatIsNotOurs(t *testing.T) {
	for _, try := range []bool{true, false} {
		in(t, func(c *Config) { c.TryDelete = try }, func(t *testing.T, target *Target, f *fake) {
			f.deletes = true
			id := targets.RemoteID(f.put("My notes", "PROCESSED"))
			if res := remove(t, target, id); !res[0].Left {
				t.Errorf("%+v", res)
			}
			if _, err := target.Rename(t.Context(), id, doc("a.md", "text").Name); !errors.Is(err, fault.ErrNotFound) {
				t.Errorf("renamed: %v", err)
			}
			if got := f.names(); !slices.Equal(got, []string{"My notes"}) || f.count("DELETE")+f.count("PATCH") != 0 {
				t.Errorf("%q, %q", got, f.requests)
			}
		})
	}
}

func TestTryDelete(t *testing.T) {
	try := func(c *Config) { c.TryDelete = true }
	in(t, try, func(t *testing.T, target *Target, f *fake) {
		f.deletes = true
		r := doc("old.md", "text")
		ids := send(t, target, r, doc("b.md", "b"))
		f.items[0]["itemName"] = retiredName(r.Name)
		got := listed(t, target)[ids[0]]
		if m, _, ok := kb.ParseName(got.Name); !ok || m.Key != r.Document.Hash() || got.Retired || !kb.NamedFor(r.Document, got.Name) {
			t.Errorf("listed as %+v", got)
		}
		if adapter.SameDocument(r.Name, got.Name) {
			t.Error("an item that is out of use would be taken for the present version")
		}
		for _, res := range remove(t, target, ids[0], ids[1], "item-9999") {
			if res.Left {
				t.Errorf("left: %+v", res)
			}
		}
		if len(f.names()) != 0 {
			t.Errorf("still there: %q", f.names())
		}
	})
	for name, refuse := range map[string]int{"no route": 0, "405": 405, "501": 501, "200 without effect": 200} {
		t.Run(name, func(t *testing.T) {
			in(t, try, func(t *testing.T, target *Target, f *fake) {
				f.hook = func(w http.ResponseWriter, r *http.Request, _ string) bool {
					if r.Method != http.MethodDelete || refuse == 0 {
						return false
					}
					reply(w, refuse, map[string]any{"success": true, "message": "Deleted"})
					return true
				}
				ids := send(t, target, doc("a.md", "a"), doc("b.md", "b"))
				if res := remove(t, target, ids[0]); !res[0].Left {
					t.Errorf("%+v", res)
				}
				tried := f.count("DELETE")
				if res := remove(t, target, ids[1]); !res[0].Left || tried == 0 || f.count("DELETE") != tried {
					t.Errorf("%+v, tried %d times and then %d", res, tried, f.count("DELETE"))
				}
				if got := listed(t, target)[ids[0]]; !got.Retired {
					t.Errorf("listed as %+v", got)
				}
			})
		})
	}
	t.Run("one refused", func(t *testing.T) {
		in(t, try, func(t *testing.T, target *Target, f *fake) {
			f.deletes = true
			ids := send(t, target, doc("a.md", "a"), doc("b.md", "b"))
			f.hook = func(w http.ResponseWriter, r *http.Request, _ string) bool {
				if r.Method != http.MethodDelete || !strings.HasSuffix(r.URL.Path, string(ids[0])) {
					return false
				}
				reply(w, 400, map[string]any{"statusCode": 400, "message": "item is in use"})
				return true
			}
			if res := remove(t, target, ids...); !res[0].Left || res[1].Left {
				t.Errorf("%+v", res)
			}
		})
	})
}

// notes is a targets.Memory.
type notes map[string]string

func (n notes) Recall(key string) ([]byte, error) { return []byte(n[key]), nil }
func (n notes) Remember(key string, value []byte) error {
	n[key] = string(value)
	return nil
}

func TestRefusedDeletionIsRemembered(t *testing.T) {
	memory := notes{}
	try := func(t *testing.T, wait time.Duration, path string) (tried int) {
		bubble(t, func(c *Config) {
			c.TryDelete = true
			if path != "" {
				c.Routes = map[string]string{"item_delete": path}
			}
		}, func(t *testing.T, target *Target, f *fake, _ *targettest.Logs) {
			if err := httpapi.Pause(t.Context(), wait); err != nil {
				t.Fatal(err)
			}
			target.memory = memory
			if _, err := target.Connect(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			if res := remove(t, target, send(t, target, doc("a.md", "a"))...); !res[0].Left {
				t.Errorf("%+v", res)
			}
			tried = f.count("DELETE") + f.count("POST "+itemsPath+"/item-0001/delete")
		})
		return tried
	}
	for _, c := range []struct {
		wait time.Duration
		path string
		want int
	}{{0, "", 1}, {time.Hour, "", 0}, {time.Hour, "POST " + itemsPath + "/{id}/delete", 1}, {askAgain + time.Hour, "", 1}} {
		if tried := try(t, c.wait, c.path); tried != c.want {
			t.Errorf("after %v by %q: tried %d times", c.wait, c.path, tried)
		}
	}
}

func TestStatusWords(t *testing.T) {
	in(t, nil, func(t *testing.T, target *Target, f *fake) {
		for word, want := range map[string]targets.Status{
			"PROCESSED": targets.StatusDone, "processed": targets.StatusDone, "COMPLETED_WITH_ERRORS": targets.StatusDone,
			"FAILED": targets.StatusFailed, "UPLOAD_FAILURE": targets.StatusFailed, "READING_FAILURE": targets.StatusFailed,
			"INGESTION_FAILURE": targets.StatusFailed, "PENDING": targets.StatusWorking, "": targets.StatusWorking, "FAILING?": targets.StatusWorking,
		} {
			id := targets.RemoteID(f.put("x "+word, word))
			got := listed(t, target)[id]
			bad := want == targets.StatusFailed || word == "COMPLETED_WITH_ERRORS"
			if got.Status != want || (got.Detail == "none") != bad {
				t.Errorf("%q is %s with the reason %q", word, got.Status, got.Detail)
			}
		}
	})
}

func TestSettle(t *testing.T) {
	in(t, nil, func(t *testing.T, target *Target, f *fake) {
		f.status = "QUEUED"
		var all []targets.Rendition
		for _, k := range []string{"a", "b", "c", "d", "e", "f", "g"} {
			all = append(all, doc(k+".md", k))
		}
		ids := send(t, target, all...)
		f.items[0]["status"] = "PROCESSED"
		for n, path := range map[int]string{2: "GET " + itemsPath + "/item", len(ids): "GET " + itemsPath + "/list"} {
			before := f.count(path)
			asked := map[targets.RemoteID]string{"item-9999": doc("gone.md", "").Name}
			for i, id := range ids[:n] {
				asked[id] = all[i].Name
			}
			asked[ids[1]] = doc("another.md", "x").Name
			got := map[targets.RemoteID]targets.Status{}
			if err := target.Statuses(t.Context(), asked, func(r targets.Remote) { got[r.ID] = r.Status }); err != nil {
				t.Fatal(err)
			}
			if len(got) != n-1 || got[ids[0]] != targets.StatusDone || n > 2 && got[ids[2]] != targets.StatusWorking {
				t.Errorf("of %d: %v", n, got)
			}
			if f.count(path) == before {
				t.Errorf("of %d: not asked by %s", n, path)
			}
		}
		res, err := target.Start(t.Context(), []targets.RemoteID{ids[0], "item-9999", ""})
		if err != nil || res[0].Err != nil || !errors.Is(res[1].Err, fault.ErrNotFound) || res[2].Err == nil {
			t.Errorf("start: %+v, %v", res, err)
		}
		if err := target.Restart(t.Context(), ids[0]); !errors.Is(err, fault.ErrUnsupported) {
			t.Errorf("restart: %v", err)
		}
	})
}
