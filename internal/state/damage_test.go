package state_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/state"
)

// replaceInFile replaces the bytes old wherever they stand in the file.
func replaceInFile(t *testing.T, path, old, with string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(old)) {
		t.Fatalf("%s does not hold %q", path, old)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(b, []byte(old), []byte(with)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// written makes a state file with three records and facts, closed.
func written(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.db")
	db := open(t, path)
	err := db.Update(flow, func(w *state.Writer) error {
		return errors.Join(w.Put("a/doc-b", record(1)), w.Put("a/doc-d", record(2)), w.Put("a/doc-f", record(3)), w.SetFacts(state.Facts{Store: "ds_one"}))
	})
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// A record never speaks for another document, even when its key is damaged and its value is not.
func TestRecordIsBoundToItsKey(t *testing.T) {
	v := state.AppendRecord(nil, "a/b.md", record(1))
	if _, err := state.DecodeRecord("a/b.md", v); err != nil {
		t.Fatal(err)
	}
	for _, k := range []kb.Key{"a/c.md", "", "a/b.md2", "a/b.m"} {
		if _, err := state.DecodeRecord(k, v); err == nil {
			t.Errorf("the record of a/b.md passes for that of %q", k)
		}
	}
	path := written(t)
	replaceInFile(t, path, "a/doc-d", "a/doc-e")
	if _, _, err := open(t, path).Record(flow, "a/doc-e"); !errors.Is(err, state.ErrDamaged) {
		t.Errorf("a key with a flipped bit: %v", err)
	}
}

func TestReaderNoticesKeysOutOfOrder(t *testing.T) {
	for name, key := range map[string]string{"below": "a/doc-a", "twice": "a/doc-b", "above": "a/doc-z"} {
		path := written(t)
		replaceInFile(t, path, "a/doc-d", key)
		r := open(t, path).Records(flow, "")
		var err error
		for ok := true; ok && err == nil; {
			_, _, ok, err = r.Next()
		}
		if !errors.Is(err, state.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFactsHaveAChecksum(t *testing.T) {
	path := written(t)
	replaceInFile(t, path, "ds_one", "ds_two")
	if _, _, err := open(t, path).Facts(flow); !errors.Is(err, state.ErrDamaged) {
		t.Errorf("facts that were changed: %v", err)
	}
}

// A document that `state:` names by mistake is neither renamed nor written to.
func TestForeignFileIsRefusedAndLeftAlone(t *testing.T) {
	for name, content := range map[string]string{
		"short": "x", "text": "# My notes\n", "long": strings.Repeat("not a database\n", 1000), "late": strings.Repeat("\x00", 10_000) + "end",
	} {
		for _, readOnly := range []bool{false, true} {
			path := filepath.Join(t.TempDir(), "notes.md")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, aside, err := state.Open(path, state.Options{ReadOnly: readOnly})
			want := "state: " + path + " is not a state file; set state: to another path"
			if err == nil || err.Error() != want || aside != "" {
				t.Errorf("%s: %v, set aside as %q", name, err, aside)
			}
			if b, err := os.ReadFile(path); err != nil || string(b) != content {
				t.Errorf("%s: the file was changed: %v", name, err)
			}
			if all, _ := os.ReadDir(filepath.Dir(path)); len(all) != 1 {
				t.Errorf("%s: left %v", name, all)
			}
		}
	}
}
