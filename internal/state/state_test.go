package state_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/state"
)

var flow = state.Flow{Sync: "support", Target: "bot"}

func open(t *testing.T, path string) *state.DB {
	t.Helper()
	db, aside, err := state.Open(path, state.Options{})
	if err != nil || aside != "" {
		t.Fatalf("open: %v, set aside as %q", err, aside)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func record(i int) state.Record {
	return state.Record{
		Fingerprint: kb.Fingerprint(fmt.Sprintf("fp-%026d", i)), Content: kb.Sum([]byte{byte(i)}), Convert: 1, Settled: true, Whole: true,
		Parts: []state.Part{{ID: fmt.Sprintf("%032x", i*7919), Hash: kb.Sum([]byte{byte(i)}).Short(), Ext: ".md"}},
	}
}

func TestRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.OneOf(rapid.StringMatching(`[0-9a-f]{32}`), rapid.StringN(1, 40, 200))
		r := state.Record{
			Fingerprint: kb.Fingerprint(rapid.StringN(0, 30, 64).Draw(t, "fp")), Convert: rapid.Uint8().Draw(t, "v"),
			Doubtful: rapid.Bool().Draw(t, "doubt"), Settled: rapid.Bool().Draw(t, "settled"),
		}
		if rapid.Bool().Draw(t, "skipped") {
			r.Skipped = rapid.StringN(1, 50, 300).Draw(t, "why")
		} else {
			r.Content = kb.Sum([]byte(rapid.String().Draw(t, "content")))
			r.Whole = rapid.Bool().Draw(t, "whole")
			for range rapid.IntRange(0, 5).Draw(t, "parts") {
				r.Parts = append(r.Parts, state.Part{ID: id.Draw(t, "id"), Hash: r.Content.Short(), Ext: ".txt"})
			}
			for range rapid.IntRange(0, 3).Draw(t, "retire") {
				r.Retire = append(r.Retire, id.Draw(t, "id"))
			}
		}
		got, err := state.DecodeRecord("a/b.md", state.AppendRecord(nil, "a/b.md", r))
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Fatalf("got %+v, %v; want %+v", got, err, r)
		}
	})
}

func TestSameNeedsEverythingInPlace(t *testing.T) {
	base := record(1)
	same := func(r state.Record) bool {
		return state.Same(state.AppendRecord(nil, "a/b.md", r), base.Fingerprint, 1)
	}
	if !same(base) {
		t.Fatal("the very version is not the same")
	}
	for name, change := range map[string]func(*state.Record){
		"fingerprint": func(r *state.Record) { r.Fingerprint = "other" },
		"unsettled":   func(r *state.Record) { r.Settled = false },
		"doubtful":    func(r *state.Record) { r.Doubtful = true },
		"retiring":    func(r *state.Record) { r.Retire = []string{"x"} },
		"converter":   func(r *state.Record) { r.Convert = 2 },
		"skipped":     func(r *state.Record) { r.Skipped = "video" },
	} {
		r := base
		change(&r)
		if same(r) {
			t.Errorf("%s: passes for the same", name)
		}
	}
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(state.AppendRecord(nil, "a/b.md", record(1)))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, v []byte) {
		r, err := state.DecodeRecord("a/b.md", v)
		if err == nil {
			if _, err := state.DecodeRecord("a/b.md", state.AppendRecord(nil, "a/b.md", r)); err != nil {
				t.Fatalf("what was read cannot be written: %v", err)
			}
		}
	})
}

func TestReaderGivesKeysInOrderWhileOthersWrite(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "s.db"))
	const n = 20_000
	err := db.Update(flow, func(w *state.Writer) error {
		for i := range n {
			if err := w.Put(kb.Key(fmt.Sprintf("a/%06d", i)), record(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r := db.Records(flow, "")
	seen, last := 0, ""
	for {
		k, _, ok, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		if string(k) <= last {
			t.Fatalf("%s after %s", k, last)
		}
		last = string(k)
		if seen++; seen%1000 == 0 {
			if err := db.Update(flow, func(w *state.Writer) error { return w.Put(kb.Key(last), record(seen)) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	if seen != n {
		t.Fatalf("%d of %d records", seen, n)
	}
}

// State file ≤ 250 bytes a document and target.
func TestFileStaysCompact(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	db := open(t, path)
	const n = 20_000
	for i := 0; i < n; i += 10 { // one commit for each vendor batch
		err := db.Update(flow, func(w *state.Writer) error {
			for k := i; k < i+10; k++ {
				if err := w.Put(kb.Key(fmt.Sprintf("handbook/section-%03d/page-%06d.md", k/100, k)), record(k)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if per := float64(st.Size()) / n; per > 250 {
		t.Fatalf("%.0f bytes a document", per)
	}
}

func TestSecondInstanceIsToldWhoHoldsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	open(t, path)
	_, _, err := state.Open(path, state.Options{Wait: time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "in use by") {
		t.Fatalf("got %v", err)
	}
	if _, serr := os.Stat("/proc/locks"); serr == nil && !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("does not name process %d: %v", os.Getpid(), err)
	}
}

func TestNewerFileIsRefusedAndLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	b, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = b.Update(func(tx *bbolt.Tx) error {
		m, err := tx.CreateBucket([]byte("meta"))
		if err != nil {
			return err
		}
		return m.Put([]byte("schema"), binary.BigEndian.AppendUint64(nil, 99))
	})
	if err = errors.Join(err, b.Close()); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	_, aside, err := state.Open(path, state.Options{})
	if err == nil || !strings.Contains(err.Error(), "newer kbsyncd") || aside != "" {
		t.Fatalf("got %v, aside %q", err, aside)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("the file was changed")
	}
}

func TestDamagedFileIsSetAside(t *testing.T) {
	fill := func(path string) {
		db := open(t, path)
		err := db.Update(flow, func(w *state.Writer) error {
			for i := range 2000 {
				if err := w.Put(kb.Key(fmt.Sprintf("a/%06d", i)), record(i)); err != nil {
					return err
				}
			}
			return w.SetFacts(state.Facts{Store: "x"})
		})
		if err = errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for name, damage := range map[string]func(b []byte) []byte{
		"cut":      func(b []byte) []byte { return b[:len(b)/2] },
		"cut tiny": func(b []byte) []byte { return b[:100] },
		"in magic": func(b []byte) []byte { return b[:18] },
		"in head":  func(b []byte) []byte { return b[:12] },
		"page 0": func(b []byte) []byte {
			copy(b, strings.Repeat("torn", 1024))
			return b[:len(b)/2]
		},
		"zeros": func(b []byte) []byte { return make([]byte, len(b)) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s.db")
			fill(path)
			b, _ := os.ReadFile(path)
			if err := os.WriteFile(path, damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			db, aside, err := state.Open(path, state.Options{})
			if err != nil || aside == "" {
				t.Fatalf("got %v, aside %q", err, aside)
			}
			defer db.Close()
			if _, err := os.Stat(aside); err != nil {
				t.Error(err)
			}
			if _, ok, err := db.Facts(flow); ok || err != nil {
				t.Errorf("the new file is not empty: %v %v", ok, err)
			}
		})
	}
	t.Run("inside", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s.db")
		fill(path)
		b, _ := os.ReadFile(path)
		for i := 4 * 4096; i < len(b); i++ {
			b[i] ^= 0x5a
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		db, aside, err := state.Open(path, state.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for r := db.Records(flow, ""); aside == ""; {
			k, v, ok, err := r.Next()
			if errors.Is(err, state.ErrDamaged) {
				return
			}
			if err != nil || !ok {
				t.Fatalf("the damage was not noticed: %v", err)
			}
			if _, err := state.DecodeRecord(kb.Key(k), v); err != nil {
				return
			}
		}
	})
}

func TestReadOnlyCreatesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "s.db")
	db, _, err := state.Open(path, state.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, _, ok, err := db.Records(flow, "").Next(); ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
	if err := db.Update(flow, func(*state.Writer) error { return nil }); !errors.Is(err, state.ErrReadOnly) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Dir(path)); err == nil {
		t.Error("a directory was made")
	}
}

func TestFactsHeldAndRun(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "s.db"))
	facts := state.Facts{Dirty: true, Store: "ds_1", Linked: []string{"a"}, Deleted: []state.Deletion{{At: time.Unix(1e9, 0).UTC(), N: 3}}}
	held := []kb.Key{"a/1", "a/2"}
	err := db.Update(flow, func(w *state.Writer) error {
		return errors.Join(w.SetFacts(facts), w.SetHeld(held), w.SetRun([]byte(`{}`)), w.Put("a/1", record(1)))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, ok, err := db.Facts(flow); !ok || err != nil || !reflect.DeepEqual(got, facts) {
		t.Errorf("facts %+v %v %v", got, ok, err)
	}
	if got, err := db.Held(flow); err != nil || !reflect.DeepEqual(got, held) {
		t.Errorf("held %v %v", got, err)
	}
	if got, err := db.Flows(); err != nil || !reflect.DeepEqual(got, []state.Flow{flow}) {
		t.Errorf("flows %v %v", got, err)
	}
	if _, ok, err := db.Record(flow, "a/1"); !ok || err != nil {
		t.Errorf("record %v %v", ok, err)
	}
	if err := db.Update(flow, func(w *state.Writer) error { return w.SetHeld(nil) }); err != nil {
		t.Fatal(err)
	}
	if got, err := db.Held(flow); err != nil || len(got) != 0 {
		t.Errorf("held %v %v", got, err)
	}
}
