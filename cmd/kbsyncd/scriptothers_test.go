package main

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"kbsyncd/internal/simulator"
)

// limitSpeed is how much faster than real the clock of Chatbase's limits runs: ten uploads in 100 ms.
const limitSpeed = 600

// otherVendor is a simulated vendor whose agents can be asked what they find.
type otherVendor interface {
	http.Handler
	Close()
	SetFaults(simulator.Faults)
	Requests() []simulator.Request
	ResetRequests()
	Violations() []string
	Retrieve(agent, marker string) []string

	// stored is everything that it holds: by id, a name and a description in which nothing may change when it is foreign.
	stored() map[string]storedDocument
	// put stores a document as a human does.
	put(agent, name, text string) (id string)
}

// storedDocument is one document at a vendor.
type storedDocument struct{ name, state string }

type (
	chatbaseVendor struct{ *simulator.Chatbase }
	hamsaVendor    struct{ *simulator.Hamsa }
	converseVendor struct{ *simulator.Converse }
)

func (v chatbaseVendor) put(agent, name, text string) string { return v.Put(agent, name, []byte(text)) }

func (v chatbaseVendor) stored() map[string]storedDocument {
	out := map[string]storedDocument{}
	for _, d := range v.Documents() {
		out[d.ID] = storedDocument{d.Name, fmt.Sprintf("%s %s %t %s", d.Agent, d.Status, d.IsLive, d.Content)}
	}
	return out
}

func (v hamsaVendor) put(agent, name, text string) string {
	id := v.Put(name, []byte(text))
	v.Give(agent, id)
	return id
}

func (v hamsaVendor) stored() map[string]storedDocument {
	return storedBy(v.Documents(), v.Agents(), v.Held)
}

func (v converseVendor) put(agent, name, text string) string {
	id := v.Put(name, []byte(text))
	v.Give(agent, id)
	return id
}

func (v converseVendor) stored() map[string]storedDocument {
	return storedBy(v.Documents(), v.Agents(), v.Held)
}

// storedBy describes documents with the agents that hold them.
func storedBy(docs []simulator.Document, agents []string, held func(string) []string) map[string]storedDocument {
	out := map[string]storedDocument{}
	for _, d := range docs {
		state := fmt.Sprintf("%s %t %s", d.Status, d.Searchable, d.Content)
		for _, a := range agents {
			if slices.Contains(held(a), d.ID) {
				state += " " + a
			}
		}
		out[d.ID] = storedDocument{d.Name, state}
	}
	return out
}

// serveOthers serves the other vendors, and holds them and the documents of humans to account when the script is over.
func (w *world) serveOthers(env *testscript.Env) {
	const delay = 20 * time.Millisecond
	chatbase := simulator.NewChatbase(simulator.ChatbaseOptions{Key: vendorKey, TrainDelay: delay, Speed: limitSpeed, FetchPages: true})
	hamsa := simulator.NewHamsa(simulator.HamsaOptions{Key: vendorKey, ProcessDelay: delay, FetchPages: true})
	converse := simulator.NewConverse(simulator.ConverseOptions{Key: vendorKey, IndexDelay: delay, FetchPages: true})
	for _, agent := range []string{"agt_1", "agt_2"} {
		chatbase.AddAgent(agent, "Bot "+agent)
		hamsa.AddAgent(agent)
		converse.AddAgent(agent)
	}
	w.others = map[string]otherVendor{"chatbase": chatbaseVendor{chatbase}, "hamsa": hamsaVendor{hamsa}, "converse": converseVendor{converse}}
	w.strangers = map[string]map[string]storedDocument{}
	for name, v := range w.others {
		srv := httptest.NewServer(v)
		env.Setenv(strings.ToUpper(name)+"_URL", srv.URL)
		w.strangers[name] = map[string]storedDocument{}
		env.Defer(func() {
			now := v.stored()
			v.Close()
			srv.Close()
			for id, was := range w.strangers[name] {
				if !reflect.DeepEqual(now[id], was) {
					env.T().Fatal(fmt.Sprintf("%s: the document %q, which is not ours, was touched: %+v", name, was.name, now[id]))
				}
			}
			for _, broken := range v.Violations() {
				env.T().Fatal("a rule of " + name + " was broken: " + broken)
			}
		})
	}
}

var otherCommands = map[string]func(*testscript.TestScript, string, otherVendor, []string){
	// finds AGENT MARKER N: the agent's answers can draw on so many documents with the marker.
	"finds": func(ts *testscript.TestScript, _ string, v otherVendor, args []string) {
		need(ts, args, 3)
		if names := v.Retrieve(args[0], args[1]); len(names) != number(ts, args[2]) {
			ts.Fatalf("agent %s finds %q in %d documents: %q", args[0], args[1], len(names), names)
		}
	},
	// names: prints the readable part of every document's name, sorted.
	"names": func(ts *testscript.TestScript, _ string, v otherVendor, _ []string) {
		var names []string
		for _, d := range v.stored() {
			names = append(names, unmarked(d.name))
		}
		slices.Sort(names)
		fmt.Fprintln(ts.Stdout(), strings.Join(names, "\n"))
	},
	// requests N [REGEXP], reset, faults FILE: as those of vendor.
	"requests": func(ts *testscript.TestScript, _ string, v otherVendor, args []string) {
		countRequests(ts, v.Requests(), args)
	},
	"reset": func(_ *testscript.TestScript, _ string, v otherVendor, _ []string) { v.ResetRequests() },
	"faults": func(ts *testscript.TestScript, name string, v otherVendor, args []string) {
		need(ts, args, 1)
		setFaults(ts, ts.Getenv(strings.ToUpper(name)+"_URL"), v.SetFaults, args[0])
	},
	// foreign AGENT NAME TEXT: a human stores a document and gives it to the agent.
	"foreign": func(ts *testscript.TestScript, name string, v otherVendor, args []string) {
		need(ts, args, 3)
		id := v.put(args[0], args[1], args[2])
		worldOf(ts).strangers[name][id] = v.stored()[id]
	},
	// tested N: Converse holds so many documents in its test mode.
	"tested": func(ts *testscript.TestScript, _ string, v otherVendor, args []string) {
		need(ts, args, 1)
		if n := len(v.(converseVendor).TestDocuments()); n != number(ts, args[0]) {
			ts.Fatalf("%d documents", n)
		}
	},
}

func cmdAt(ts *testscript.TestScript, args []string) {
	need(ts, args, 2)
	others := worldOf(ts).others
	v, ok := others[args[0]]
	if !ok {
		ts.Fatalf("no vendor %s; there are %v", args[0], slices.Sorted(maps.Keys(others)))
	}
	cmd, ok := otherCommands[args[1]]
	if !ok {
		ts.Fatalf("unknown command at %s %s", args[0], args[1])
	}
	cmd(ts, args[0], v, args[2:])
}

// countRequests fails unless so many requests match.
func countRequests(ts *testscript.TestScript, requests []simulator.Request, args []string) {
	need(ts, args, 1)
	re := regexp.MustCompile(strings.Join(args[1:], " "))
	var seen []string
	for _, r := range requests {
		if line := fmt.Sprintf("%s %s %d", r.Method, r.Path, r.Status); re.MatchString(line) {
			seen = append(seen, line)
		}
	}
	limit, atMost := strings.CutPrefix(args[0], "<=")
	if n := number(ts, limit); len(seen) > n || len(seen) < n && !atMost {
		ts.Fatalf("%d requests:\n%s", len(seen), strings.Join(seen, "\n"))
	}
}

// setFaults makes a vendor misbehave as a file says, or ends it.
func setFaults(ts *testscript.TestScript, url string, set func(simulator.Faults), file string) {
	if file == "none" {
		set(simulator.Faults{})
		return
	}
	body := os.Expand(ts.ReadFile(file), ts.Getenv)
	resp, err := http.Post(url+"/_sim/faults", "application/json", strings.NewReader(body))
	ts.Check(err)
	ts.Check(resp.Body.Close())
	if resp.StatusCode != http.StatusNoContent {
		ts.Fatalf("the faults were refused: %s", resp.Status)
	}
}

func cmdMkPDFs(ts *testscript.TestScript, args []string) {
	need(ts, args, 2)
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	for i := range number(ts, args[1]) {
		name := fmt.Sprintf("%02d", i)
		ts.Check(os.WriteFile(filepath.Join(dir, name+".pdf"), smallPDF("marker-"+name), 0o644))
	}
}

// smallPDF is a PDF file of one page with one line.
func smallPDF(line string) []byte {
	page := "BT /F 12 Tf 50 750 Td (" + line + ") Tj ET"
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	var offsets []int
	for _, body := range []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Count 1 /Kids [4 0 R] >>",
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 5 0 R /Resources << /Font << /F 3 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(page), page),
	} {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(offsets), body)
	}
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, at)
	return b.Bytes()
}
