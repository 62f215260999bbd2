package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"kbsyncd/internal/state"
)

func cmdRemember(ts *testscript.TestScript, args []string) {
	for _, name := range args {
		worldOf(ts).saved[name] = imprint(ts, name)
	}
}

func cmdUnchanged(ts *testscript.TestScript, args []string) {
	for _, name := range args {
		was, ok := worldOf(ts).saved[name]
		if !ok {
			ts.Fatalf("%s was not remembered", name)
		}
		if imprint(ts, name) != was {
			ts.Fatalf("%s was written to", name)
		}
	}
}

func imprint(ts *testscript.TestScript, name string) string {
	st, err := os.Stat(ts.MkAbs(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "absent"
	}
	ts.Check(err)
	return st.ModTime().String() + ts.ReadFile(name)
}

func cmdMkfile(ts *testscript.TestScript, args []string) {
	need(ts, args, 2)
	size := number(ts, args[1])
	text := []byte("# Numbers\n\n")
	if strings.HasSuffix(args[0], ".pdf") {
		text = []byte("%PDF-1.7\n")
	}
	for i := 0; len(text) < size; i++ {
		if i%5000 == 0 {
			text = fmt.Appendf(text, "\n## Chapter %d\n\n", i/5000)
		}
		text = fmt.Appendf(text, "%d is the number of this line.\n", i)
	}
	if size > 0 {
		text = append(text[:size-1], '\n')
	}
	name := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(name), 0o755))
	ts.Check(os.WriteFile(name, text[:size], 0o644))
}

// oddNames are names of files as they turn up. The last two are one name in two normal forms; the one with two dots in front is hidden.
var oddNames = []string{
	"new\nline.md", "it's \"quoted\".md", "--leading-dashes.md", "-", "a b\tc.md", "$(reboot);`id`.md", `back\slash.md`,
	"right-to-left\u202etxt.md", "100% ~ #1?.md", "no extension", "UPPER.MD", "..dots..md", "a..md", " .md", "!.md",
	"emoji 🎉.md", "zero\u200bwidth.md",
	strings.Repeat("x", 252) + ".md", strings.Repeat("é", 126) + ".md", "日本語の文書.md", "café.md", "cafe\u0301.md",
}

func cmdOddNames(ts *testscript.TestScript, args []string) {
	need(ts, args, 1)
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	for i, name := range oddNames {
		ts.Check(os.WriteFile(filepath.Join(dir, name), fmt.Appendf(nil, "Document %d.\n", i), 0o644))
	}
}

func cmdNewerState(ts *testscript.TestScript, args []string) {
	need(ts, args, 1)
	name := ts.MkAbs(args[0])
	data, err := os.ReadFile(name)
	ts.Check(err)
	schema := func(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte("schema"), n) }
	if !bytes.Contains(data, schema(1)) {
		ts.Fatalf("%s has no schema 1", name)
	}
	ts.Check(os.WriteFile(name, bytes.ReplaceAll(data, schema(1), schema(99)), 0o600))
}

func cmdClockBack(ts *testscript.TestScript, args []string) {
	need(ts, args, 1)
	db, _, err := state.Open(ts.MkAbs(args[0]), state.Options{})
	ts.Check(err)
	defer func() { ts.Check(db.Close()) }()
	flows, err := db.Flows()
	ts.Check(err)
	for _, f := range flows {
		facts, _, err := db.Facts(f)
		ts.Check(err)
		const day = 24 * time.Hour
		facts.Reconciled = facts.Reconciled.Add(day)
		for i := range facts.Deleted {
			facts.Deleted[i].At = facts.Deleted[i].At.Add(day)
		}
		ts.Check(db.Update(f, func(w *state.Writer) error { return w.SetFacts(facts) }))
	}
}

func cmdDamage(ts *testscript.TestScript, args []string) {
	need(ts, args, 1)
	n := 0
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(name)
		if err != nil || len(b) == 0 {
			return err
		}
		n++
		b[len(b)/2] ^= 0xff
		if err := os.Chmod(name, 0o600); err != nil {
			return err
		}
		return os.WriteFile(name, b, 0o600)
	}))
	if n == 0 {
		ts.Fatalf("%s has no files", args[0])
	}
}
