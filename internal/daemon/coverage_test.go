package daemon_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kbsyncd/internal/simulator"
	kbsync "kbsyncd/internal/sync"
	"kbsyncd/internal/targets/targettest"
)

var (
	coverageSeed = flag.Uint64("coverage.seed", 0, "run the coverage proof with this seed only")
	coverageRuns = flag.Uint64("coverage.runs", 1, "how many seeds the coverage proof runs")
)

// hosts sends each request to the vendor whose host it names.
type hosts map[string]http.RoundTripper

// RoundTrip implements http.RoundTripper.
func (h hosts) RoundTrip(r *http.Request) (*http.Response, error) { return h[r.URL.Host].RoundTrip(r) }

// watched is a company whose vendors are looked at after every request.
type watched struct {
	*company
	rng    *rand.Rand
	lines  []string
	truth  map[string]int // the documents and their versions
	serial int

	mu     sync.Mutex
	before map[string]map[string]bool // by vendor: what was live when the pass began
	broken bool
}

// P2: during a hundred random edits with faults no document that was live is ever without a live version at any vendor. Every
// document has a line that all its versions have; after each request the vendors are asked for it.
func TestCoverageProof(t *testing.T) {
	for seed := uint64(1); seed <= *coverageRuns; seed++ {
		if *coverageSeed != 0 {
			seed = *coverageSeed
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runCoverage(t, seed) })
		})
		if *coverageSeed != 0 {
			return
		}
	}
}

func runCoverage(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	w := &watched{rng: rng, truth: map[string]int{}, before: map[string]map[string]bool{}}
	c := &company{
		T: t, dir: t.TempDir(),
		starleads: simulator.NewStarleads(simulator.StarleadsOptions{Key: key, ParseDelay: time.Second, RenameResets: rng.IntN(2) == 0}),
		chatbase:  simulator.NewChatbase(simulator.ChatbaseOptions{Key: key, TrainDelay: time.Second}),
		hamsa:     simulator.NewHamsa(simulator.HamsaOptions{Key: key, ProcessDelay: time.Second, AllowDelete: rng.IntN(2) == 0}),
		converse:  simulator.NewConverse(simulator.ConverseOptions{Key: key, IndexDelay: time.Second}),
	}
	w.company = c
	t.Cleanup(func() { c.starleads.Close(); c.chatbase.Close(); c.hamsa.Close(); c.converse.Close() })
	c.starleads.AddAgent("agt_sl")
	c.chatbase.AddAgent("agt_cb", "Support bot")
	c.hamsa.AddAgent("agt_ha")
	c.converse.AddAgent("agt_co")
	c.transport = hosts{
		"starleads.test": targettest.Serve(t, w.watch("starleads", c.starleads)),
		"chatbase.test":  targettest.Serve(t, w.watch("chatbase", c.chatbase)),
		"hamsa.test":     targettest.Serve(t, w.watch("hamsa", c.hamsa)),
		"converse.test":  targettest.Serve(t, w.watch("converse", c.converse)),
	}
	c.yaml = fmt.Sprintf(`sources:
  docs: { type: folder, path: docs }
targets:
  support: { type: starleads, api_key: %[1]s, base_url: "http://starleads.test", rate: 1000, dataset: Support, chat: Assistant }
  bot: { type: chatbase, api_key: %[1]s, base_url: "http://chatbase.test/api/v2", files_url: "http://chatbase.test/files/api/v2", rate: 1000 }
  voice: { type: hamsa, api_key: %[1]s, base_url: "http://hamsa.test", rate: 1000, try_delete: %[2]t, max_chars: 1500 }
  calls: { type: converse, api_key: %[1]s, base_url: "http://converse.test/api/v1", rate: 1000 }
syncs:
  all:
    from: docs
    to: [support, bot, voice, calls]
    agents: [{ id: agt_sl, to: support }, { id: agt_cb, to: bot }, { id: agt_ha, to: voice }, { id: agt_co, to: calls }]
`, key, rng.IntN(2) == 0)
	for range 8 {
		w.put(w.fresh())
	}
	w.ok(c.pass(kbsync.Options{}))
	for edit := 0; edit < 100 && !w.Failed(); {
		n := 1 + rng.IntN(5)
		edit += n
		for range n {
			w.edit()
		}
		if rng.IntN(5) == 0 {
			w.logf("the state is lost")
			w.loseState()
		}
		w.remember()
		w.trouble()
		w.report(c.pass(kbsync.Options{AllowDeletes: true, NoWait: rng.IntN(8) == 0}))
		w.calm()
		if rng.IntN(3) == 0 {
			w.remember()
			w.report(c.pass(kbsync.Options{AllowDeletes: true}))
		}
	}
	w.remember()
	for range 2 {
		w.report(c.pass(kbsync.Options{AllowDeletes: true}))
	}
	w.ok(c.pass(kbsync.Options{AllowDeletes: true}))
	w.equal()
	w.clean()
}

func (w *watched) logf(format string, args ...any) {
	w.lines = append(w.lines, fmt.Sprintf(format, args...))
}

func (w *watched) report(r *kbsync.Report) {
	for _, e := range r.Syncs {
		w.logf("  %s %s: up %d rep %d ren %d del %d adopt %d same %d failed %v pending %v %s", e.Target, e.Outcome, e.Uploaded, e.Replaced, e.Renamed,
			e.Deleted, e.Adopted, e.Unchanged, e.Failed, e.Pending, e.Error)
	}
}

func ident(name string) string { return "ident-" + name + "-end" }

func (w *watched) fresh() string {
	w.serial++
	return fmt.Sprintf("page-%03d", w.serial)
}

// put writes a version of a document.
func (w *watched) put(name string) {
	w.truth[name]++
	text := fmt.Sprintf("# %s\n\n%s version-%d-of-%s\n\n", name, ident(name), w.truth[name], name)
	for i := range w.rng.IntN(60) {
		text += fmt.Sprintf("Sentence %d of version %d, of no interest.\n\n", i, w.truth[name])
	}
	w.write(name+".md", text)
}

func (w *watched) edit() {
	names := make([]string, 0, len(w.truth))
	for n := range w.truth {
		names = append(names, n)
	}
	slices.Sort(names)
	name := names[w.rng.IntN(len(names))]
	switch k := w.rng.IntN(10); {
	case k == 0 && len(names) > 4:
		w.logf("remove %s", name)
		w.remove(name + ".md")
		delete(w.truth, name)
	case k <= 2 && len(names) < 20:
		name = w.fresh()
		w.logf("add %s", name)
		w.put(name)
	default:
		w.logf("edit %s", name)
		w.put(name)
	}
}

// watch looks at the vendor after each request.
func (w *watched) watch(vendor string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		defer func() {
			w.check(vendor, r.Method+" "+r.URL.Path)
			if p := recover(); p != nil {
				panic(p)
			}
		}()
		h.ServeHTTP(rw, r)
	})
}

func (w *watched) finds(vendor, marker string) bool {
	switch vendor {
	case "chatbase":
		return len(w.chatbase.Retrieve("agt_cb", marker)) > 0
	case "hamsa":
		return len(w.hamsa.Retrieve("agt_ha", marker)) > 0
	case "converse":
		return len(w.converse.Retrieve("agt_co", marker)) > 0
	}
	for _, d := range w.starleads.Documents() {
		if d.Searchable && bytes.Contains(d.Content, []byte(marker)) {
			return true
		}
	}
	return false
}

func (w *watched) remember() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, vendor := range []string{"starleads", "chatbase", "hamsa", "converse"} {
		w.before[vendor] = map[string]bool{}
		for name := range w.truth {
			w.before[vendor][name] = w.finds(vendor, ident(name))
		}
	}
}

func (w *watched) check(vendor, request string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, was := range w.before[vendor] {
		if was && !w.broken && !w.finds(vendor, ident(name)) {
			w.broken = true
			w.Errorf("P2: after %s, %s has no live version of %s\n%s", request, vendor, name, strings.Join(w.lines, "\n"))
		}
	}
}

// trouble makes every vendor fail now and then.
func (w *watched) trouble() {
	share := []float64{0, 0.03, 0.1}[w.rng.IntN(3)]
	all := map[string]float64{"*": share}
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(w.rng.Uint64(), 3))
	now := func(string) bool {
		mu.Lock()
		defer mu.Unlock()
		return rng.Float64() < share
	}
	f := simulator.Faults{
		Before: all, After: all, Cut: map[string]float64{"*": share / 3}, Slow: all, SlowBy: 5 * time.Second,
		ParseFail: now, TrainFail: now, Reject: now,
	}
	w.starleads.SetFaults(f)
	w.chatbase.SetFaults(f)
	w.hamsa.SetFaults(f)
	w.converse.SetFaults(f)
}

func (w *watched) calm() {
	w.starleads.SetFaults(simulator.Faults{})
	w.chatbase.SetFaults(simulator.Faults{})
	w.hamsa.SetFaults(simulator.Faults{})
	w.converse.SetFaults(simulator.Faults{})
}

// equal is P1: the present version of every document is found, and no other.
func (w *watched) equal() {
	w.Helper()
	for _, vendor := range []string{"starleads", "chatbase", "hamsa", "converse"} {
		for i := range w.serial {
			name := fmt.Sprintf("page-%03d", i+1)
			want := w.truth[name] > 0
			if got := w.finds(vendor, ident(name)); got != want {
				w.Errorf("%s finds %s: %t, want %t\n%s", vendor, name, got, want, strings.Join(w.lines, "\n"))
			}
			for v := 1; v <= w.truth[name]; v++ {
				if got := w.finds(vendor, fmt.Sprintf("version-%d-of-%s", v, name)); got != (v == w.truth[name]) {
					w.Errorf("%s finds version %d of %d of %s: %t\n%s", vendor, v, w.truth[name], name, got, strings.Join(w.lines, "\n"))
				}
			}
		}
	}
}
