package targettest_test

import (
	"errors"
	"slices"
	"testing"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/targettest"
)

const address = "https://example.com/a"

// mustLink uploads and starts a document of the address.
func mustLink(t *testing.T, m *targettest.Memory, name string) targets.RemoteID {
	t.Helper()
	res, err := m.Upload(t.Context(), []targets.Rendition{{Name: name, Link: address}})
	if err != nil || res[0].Err != nil {
		t.Fatal(err, res)
	}
	start(t, m, res[0].ID)
	return res[0].ID
}

func TestMemoryTakesAddressesOnlyWhenTold(t *testing.T) {
	m := targettest.NewMemory(targettest.MemoryOptions{})
	res, err := m.Upload(t.Context(), []targets.Rendition{{Name: "a.url", Link: address}})
	if err != nil || !errors.Is(res[0].Err, fault.ErrUnsupported) || len(m.Documents()) != 0 {
		t.Errorf("%+v, %v", res, err)
	}
	m.AsLinks()
	r := rendition("a.url", "bytes")
	r.Link = address
	if _, err := m.Upload(t.Context(), []targets.Rendition{r}); err != nil || len(m.Violations()) != 1 {
		t.Errorf("an address with bytes: %v, %q", err, m.Violations())
	}
}

// A document knows what stood at its address when it was made.
func TestMemoryAsksForPagesAtTheUpload(t *testing.T) {
	m := targettest.NewMemory(targettest.MemoryOptions{})
	m.AsLinks()
	text, there := "first", true
	m.SetPages(func(a string) (string, bool) { return a + " " + text, there })
	mustLink(t, m, "a.url")
	text = "second"
	mustLink(t, m, "b.url")
	there = false
	lost := mustLink(t, m, "c.url")
	if !m.Live("a.url", address+" first") || !m.Live("b.url", address+" second") || len(m.Searchable()) != 2 {
		t.Errorf("%q", m.Searchable())
	}
	if err := m.Restart(t.Context(), lost); err != nil || len(m.Searchable()) != 2 {
		t.Errorf("after the restart: %v, %q", err, m.Searchable())
	}
}

// The hook sees both halves of a replacement, so that one can be had without the other.
func TestMemoryBareLinks(t *testing.T) {
	m := targettest.NewMemory(targettest.MemoryOptions{})
	r := m.AsBareLinks().(targets.Replacer)
	m.SetPage(address, "first")
	id := mustLink(t, m, "v1.url")
	if again := mustLink(t, m, "v2.url"); again != id || !m.Live(address, "first") {
		t.Errorf("%s, then %s, %q", id, again, m.Searchable())
	}
	var listed []targets.Remote
	_ = m.List(t.Context(), func(r targets.Remote) error {
		listed = append(listed, r)
		return nil
	})
	if len(listed) != 1 || listed[0].Name != "" || listed[0].Link != address || listed[0].Size != -1 {
		t.Errorf("%+v", listed)
	}

	m.SetPage(address, "second")
	var ops []string
	stop := true
	m.SetHook(func(c targettest.Call) (v targettest.Verdict) {
		if ops = append(ops, c.Op); stop && c.Op == targettest.OpUpload {
			v.Before = fault.ErrUnavailable
		}
		return v
	})
	now := targets.Rendition{Name: "v2.url", Link: address}
	if res := r.Replace(t.Context(), id, now); !errors.Is(res.Err, fault.ErrUnavailable) || len(m.Documents()) != 0 {
		t.Errorf("%+v, %+v", res, m.Documents())
	}
	stop = false
	if res := r.Replace(t.Context(), id, now); !errors.Is(res.Err, fault.ErrNotFound) || len(m.Documents()) != 0 {
		t.Errorf("%+v, %+v", res, m.Documents())
	}
	id = mustLink(t, m, now.Name)
	if res := r.Replace(t.Context(), id, now); res.Err != nil || res.ID == id || len(m.Documents()) != 1 {
		t.Errorf("%+v, %+v", res, m.Documents())
	}
	if want := []string{"replace", "upload", "replace", "upload", "start", "replace", "upload"}; !slices.Equal(ops, want) {
		t.Errorf("the hook saw %q", ops)
	}

	theirs := m.PutLink("not used", "https://example.com/theirs")
	if res := r.Replace(t.Context(), theirs, now); len(m.Violations()) != 1 {
		t.Errorf("%+v, %q", res, m.Violations())
	}
}
