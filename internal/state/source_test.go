package state_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kbsyncd/internal/state"
)

func kept(t *testing.T, db *state.DB, source string) map[string]string {
	t.Helper()
	out := map[string]string{}
	last := ""
	err := db.LoadSource(source, func(k string, v []byte) error {
		if k <= last {
			t.Errorf("%q after %q", k, last)
		}
		last, out[k] = k, string(v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSourceMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	db, _, err := state.Open(path, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := kept(t, db, "site"); len(got) != 0 {
		t.Errorf("new: %q", got)
	}
	for _, step := range []struct {
		source  string
		changes map[string][]byte
	}{
		{"site", nil},
		{"site", map[string][]byte{"b": []byte("2"), "a": []byte("1"), "c": {}}},
		{"other", map[string][]byte{"a": []byte("x")}},
		{"site", map[string][]byte{"a": nil, "b": []byte("3"), "never": nil}},
	} {
		if err := db.SaveSource(step.source, step.changes); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{"b": "3", "c": ""}
	if diff := cmp.Diff(want, kept(t, db, "site")); diff != "" {
		t.Error(diff)
	}
	stop := errors.New("stop")
	if err := db.LoadSource("site", func(string, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the error of the caller became %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, _, err = state.Open(path, state.Options{ReadOnly: true}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if diff := cmp.Diff(want, kept(t, db, "site")); diff != "" {
		t.Error(diff)
	}
	if err := db.SaveSource("site", map[string][]byte{"b": nil}); !errors.Is(err, state.ErrReadOnly) {
		t.Errorf("read-only: %v", err)
	}
}
