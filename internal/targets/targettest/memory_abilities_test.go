package targettest_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/targettest"
)

func rendition(name, content string) targets.Rendition {
	return targets.Rendition{
		Name: name, Size: int64(len(content)), Digest: kb.Sum([]byte(content)),
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
	}
}

// must uploads and starts one document.
func must(t *testing.T, m *targettest.Memory, name, content string) targets.RemoteID {
	t.Helper()
	res, err := m.Upload(t.Context(), []targets.Rendition{rendition(name, content)})
	if err != nil || res[0].Err != nil {
		t.Fatal(err, res)
	}
	start(t, m, res[0].ID)
	return res[0].ID
}

func start(t *testing.T, m *targettest.Memory, id targets.RemoteID) {
	t.Helper()
	if _, err := m.Start(t.Context(), []targets.RemoteID{id}); err != nil {
		t.Fatal(err)
	}
}

// The engine's tests ask which versions are live; a replacement must not make the answer wrong at any moment.
func TestMemoryKeepsTheOldVersionLive(t *testing.T) {
	for name, v := range map[string]targettest.Verdict{"fails": {ParseFails: true}, "stalls": {ParseStalls: true}, "works": {}} {
		t.Run(name, func(t *testing.T) {
			m := targettest.NewMemory(targettest.MemoryOptions{})
			id := must(t, m, "old.md", "old")
			m.SetHook(func(targettest.Call) targettest.Verdict { return v })
			watched := 0
			m.SetWatch(func() {
				if watched++; len(m.Searchable()) != 1 {
					t.Errorf("%v is searchable", m.Searchable())
				}
			})
			r := m.AsReplacer().(targets.Replacer)
			if res := r.Replace(t.Context(), id, rendition("new.md", "new")); res.Err != nil || res.ID != id || !m.Live("old.md", "old") {
				t.Fatalf("%+v, %v", res, m.Searchable())
			}
			start(t, m, id)
			if live := m.Live("new.md", "new"); live != (name == "works") || live == m.Live("old.md", "old") {
				t.Errorf("after it %s: %v", name, m.Searchable())
			}
			m.SetHook(nil)
			if err := m.Restart(t.Context(), id); err != nil || !m.Live("new.md", "new") {
				t.Errorf("after the restart: %v, %v", m.Searchable(), err)
			}
			if watched == 0 {
				t.Error("the watch saw nothing")
			}
		})
	}
}

func TestMemoryAssigner(t *testing.T) {
	m := targettest.NewMemory(targettest.MemoryOptions{})
	m.AddAgent("ann", "")
	a, b := must(t, m, "a.md", "a"), must(t, m, "b.md", "b")
	var ops []string
	m.SetHook(func(c targettest.Call) targettest.Verdict {
		ops = append(ops, c.Op+" "+string(c.ID)+" "+c.Name)
		return targettest.Verdict{}
	})
	var seen [][]targets.RemoteID
	m.SetWatch(func() { seen = append(seen, m.Held("ann")) })
	as := m.AsAssigner().(targets.Assigner)
	if err := as.Assign(t.Context(), "ann", []targets.RemoteID{a}, nil); err != nil {
		t.Fatal(err)
	}
	if err := as.Assign(t.Context(), "ann", []targets.RemoteID{b}, []targets.RemoteID{a}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"assign mem-1 ann", "assign mem-2 ann", "unassign mem-1 ann"}; !slices.Equal(ops, want) {
		t.Errorf("the hook saw %q", ops)
	}
	if len(seen) != 3 || len(seen[0]) != 1 || len(seen[1]) != 2 || len(seen[2]) != 1 {
		t.Errorf("the watch saw %v", seen)
	}
	if got := m.Finds("ann"); len(got) != 1 || got["b.md"] != "b" {
		t.Errorf("the agent finds %v", got)
	}
	if _, err := m.Delete(t.Context(), []targets.RemoteID{b}); err != nil || len(m.Held("ann")) != 0 {
		t.Errorf("a deleted document is still held: %v, %v", m.Held("ann"), err)
	}
}

func TestMemoryLeavesWhatIsDeleted(t *testing.T) {
	m := targettest.NewMemory(targettest.MemoryOptions{})
	id := must(t, m, "a.md", "a")
	res, err := m.AsLeaving().Delete(t.Context(), []targets.RemoteID{id})
	if err != nil || !res[0].Left || len(m.Searchable()) != 0 || !m.Documents()[0].Retired {
		t.Errorf("%+v, %v, %+v", res, err, m.Documents())
	}
	if again := must(t, m, "a.md", "a"); again == id || len(m.Searchable()) != 1 {
		t.Errorf("%s again, %v", again, m.Searchable())
	}
}

func TestShapesHideWhatTheirVendorsLack(t *testing.T) {
	m := targettest.NewMemory(targettest.MemoryOptions{})
	for name, shape := range map[string]targets.Target{"replacer": m.AsReplacer(), "assigner": m.AsAssigner(), "bare links": m.AsBareLinks()} {
		if _, ok := shape.(targets.Linker); ok {
			t.Errorf("the %s is a Linker", name)
		}
		if _, ok := shape.(targets.Renamer); ok {
			t.Errorf("the %s is a Renamer", name)
		}
		_, replaces := shape.(targets.Replacer)
		_, assigns := shape.(targets.Assigner)
		if replaces == assigns {
			t.Errorf("the %s replaces %v and assigns %v", name, replaces, assigns)
		}
	}
}
