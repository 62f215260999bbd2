package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/text/unicode/norm"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/simulator"
)

var vendorCommands = map[string]func(*testscript.TestScript, *world, []string){
	// documents: prints "DATASET: STEM.EXT SIZE STATUS" of each document, sorted.
	"documents": vendorDocuments,
	// requests N [REGEXP]: as many requests "METHOD /path STATUS" that match were made since the last reset; "<=N": at most.
	"requests": vendorRequests,
	// await REGEXP: waits for such a request.
	"await": func(ts *testscript.TestScript, _ *world, args []string) {
		need(ts, args, 1)
		ts.Check(awaitRequest(ts, args[0], nil))
	},
	// reset: forgets the requests.
	"reset": func(_ *testscript.TestScript, w *world, _ []string) { w.vendor.ResetRequests() },
	// faults FILE: misbehaves as the JSON says, in which variables are expanded; "none" ends it.
	"faults": vendorFaults,
	// foreign DATASET NAME TEXT: a human uploads a document.
	"foreign": vendorForeign,
	// connect AGENT CHAT: a human connects an agent.
	"connect": func(ts *testscript.TestScript, w *world, args []string) {
		need(ts, args, 2)
		w.chats[w.vendor.Connect(args[0], args[1])] = args[1]
	},
	// agents: prints "AGENT: DATASET…", or the chat that a human connected.
	"agents": vendorAgents,
	// equals [-in DATASET] [SOURCE=]DIR…: the dataset holds every file of the folders exactly once, searchable, byte by
	// byte and under its mark, and nothing else of ours; what humans uploaded is as it was. Without a folder: nothing.
	"equals": vendorEquals,
	// content NAME: prints the document with this readable name.
	"content": func(ts *testscript.TestScript, w *world, args []string) {
		need(ts, args, 1)
		for _, d := range w.vendor.Documents() {
			if unmarked(d.Name) == args[0] {
				fmt.Fprintf(ts.Stdout(), "%s", d.Content)
				return
			}
		}
		ts.Fatalf("no document is called %s", args[0])
	},
	// lines FILE: the vendor's documents together hold every line of the file exactly once, and their names sort.
	"lines": vendorLines,
}

func cmdVendor(ts *testscript.TestScript, args []string) {
	need(ts, args, 1)
	cmd, ok := vendorCommands[args[0]]
	if !ok {
		ts.Fatalf("unknown command vendor %s", args[0])
	}
	cmd(ts, worldOf(ts), args[1:])
}

// unmarked is the readable part of a remote name.
func unmarked(name string) string {
	if i := strings.LastIndex(name, ".kb"); i >= 0 {
		return name[:i] + filepath.Ext(name)
	}
	return name
}

func vendorDocuments(ts *testscript.TestScript, w *world, _ []string) {
	datasets := w.vendor.Datasets()
	var lines []string
	for _, d := range w.vendor.Documents() {
		lines = append(lines, fmt.Sprintf("%s: %s %d %s\n", datasets[d.Dataset], unmarked(d.Name), len(d.Content), d.Status))
	}
	slices.Sort(lines)
	fmt.Fprint(ts.Stdout(), strings.Join(lines, ""))
}

func vendorRequests(ts *testscript.TestScript, w *world, args []string) {
	countRequests(ts, w.vendor.Requests(), args)
}

func vendorFaults(ts *testscript.TestScript, w *world, args []string) {
	need(ts, args, 1)
	setFaults(ts, ts.Getenv("VENDOR_URL"), w.vendor.SetFaults, args[0])
}

func vendorForeign(ts *testscript.TestScript, w *world, args []string) {
	need(ts, args, 3)
	id := w.vendor.Put(args[0], args[1], []byte(args[2]), simulator.StatusPending)
	for _, d := range w.vendor.Documents() {
		if d.ID == id {
			w.foreign = append(w.foreign, d)
		}
	}
}

func vendorAgents(ts *testscript.TestScript, w *world, _ []string) {
	datasets := w.vendor.Datasets()
	for _, agent := range []string{"agt_1", "agt_2"} {
		chat, ids := w.vendor.AgentChat(agent)
		uses := "nothing"
		if chat != "" {
			var names []string
			for _, id := range ids {
				names = append(names, datasets[id])
			}
			uses = strings.Join(names, ", ")
		}
		if w.chats[chat] != "" && len(ids) == 0 {
			uses = w.chats[chat]
		}
		fmt.Fprintf(ts.Stdout(), "%s: %s\n", agent, uses)
	}
}

func vendorEquals(ts *testscript.TestScript, w *world, args []string) {
	dataset := "Support handbook"
	if len(args) > 1 && args[0] == "-in" {
		dataset, args = args[1], args[2:]
	}
	want := map[kb.KeyHash]wantedFile{}
	for _, a := range args {
		source, dir, ok := strings.Cut(a, "=")
		if !ok {
			source, dir = "handbook", a
		}
		readFolder(ts, want, source, ts.MkAbs(dir))
	}
	foreign := slices.Clone(w.foreign)
	var bad []string
	datasets := w.vendor.Datasets()
	for _, d := range w.vendor.Documents() {
		if i := slices.IndexFunc(foreign, func(f simulator.Document) bool { return sameDocument(f, d) }); i >= 0 {
			foreign = slices.Delete(foreign, i, i+1)
			continue
		}
		if datasets[d.Dataset] != dataset {
			continue
		}
		m, _, ok := kb.ParseName(d.Name)
		f, wanted := want[m.Key]
		switch {
		case !ok || !wanted:
			bad = append(bad, d.Name+" has no file, or is there twice")
			continue
		case !bytes.Equal(f.content, d.Content):
			bad = append(bad, d.Name+" differs from "+f.name)
		case !d.Searchable:
			bad = append(bad, d.Name+" is "+d.Status)
		}
		delete(want, m.Key)
	}
	for _, f := range want {
		bad = append(bad, f.name+" is not at the vendor")
	}
	for _, f := range foreign {
		bad = append(bad, f.Name+", which is not ours, was touched")
	}
	if len(bad) > 0 {
		ts.Fatalf("%s", strings.Join(bad, "\n"))
	}
}

type wantedFile struct {
	name    string
	content []byte
}

func readFolder(ts *testscript.TestScript, want map[kb.KeyHash]wantedFile, source, dir string) {
	ts.Check(filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == ".kbsyncignore" {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(name)
		want[kb.NewKey(source, norm.NFC.String(filepath.ToSlash(rel))).Hash()] = wantedFile{rel, content}
		return err
	}))
}

func sameDocument(a, b simulator.Document) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Dataset == b.Dataset && a.Status == b.Status && bytes.Equal(a.Content, b.Content)
}

func vendorLines(ts *testscript.TestScript, w *world, args []string) {
	need(ts, args, 1)
	docs := w.vendor.Documents()
	slices.SortFunc(docs, func(a, b simulator.Document) int { return strings.Compare(a.Name, b.Name) })
	var got []string
	for _, d := range docs {
		if !d.Searchable {
			ts.Fatalf("%s is %s", d.Name, d.Status)
		}
		for line := range strings.Lines(string(d.Content)) {
			if strings.Contains(line, "is the number of") {
				got = append(got, line)
			}
		}
	}
	var want []string
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if strings.Contains(line, "is the number of") {
			want = append(want, line)
		}
	}
	if !slices.Equal(got, want) {
		ts.Fatalf("%d lines in %d parts, instead of %d lines of the file in their order", len(got), len(docs), len(want))
	}
}
