package sync_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	gosync "sync"
	"testing"
	"testing/synctest"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources/sourcetest"
	"kbsyncd/internal/state"
	"kbsyncd/internal/sync"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/targettest"
)

var (
	modelSeed = flag.Uint64("model.seed", 0, "run the model test with this seed only")
	modelRuns = flag.Int("model.runs", 16, "how many seeds the model test runs")
)

// world is a source of truth, a vendor, and the engine between them.
type world struct {
	t       *testing.T
	seed    uint64
	rng     *rand.Rand
	dir     string
	sources []*sourcetest.Memory
	far     *sourcetest.Far // the second source, whose content must be fetched
	vendor  *targettest.Memory
	truth   map[kb.Key]string // what the sources hold
	foreign map[string]string
	lines   []string
	agents  []string
	match   map[string]string // the beginning of the keys that an agent should have; all when absent
	to      targets.Target    // the vendor as its client shows it; nil: as it is
	// forgotten are agents that left the configuration after the state was lost and before a pass saw them: nobody knows any more
	// that they were ours.
	forgotten map[string]bool
}

// shapes are the ways in which vendors differ.
var shapes = []struct {
	name  string
	of    func(*targettest.Memory) targets.Target
	links bool // the vendor fetches the pages of the second source itself
	bare  bool // and knows them by their address only: one is deleted before it is made anew, and without state its version is unknown
}{
	{name: "plain", of: func(m *targettest.Memory) targets.Target { return m }},
	{name: "replacer", of: (*targettest.Memory).AsReplacer},
	{name: "assigner", of: (*targettest.Memory).AsAssigner},
	{name: "leaving assigner", of: func(m *targettest.Memory) targets.Target { m.AsLeaving(); return m.AsAssigner() }},
	{name: "links", of: func(m *targettest.Memory) targets.Target { m.AsLinks(); return m.AsAssigner() }, links: true},
	{name: "bare links", of: (*targettest.Memory).AsBareLinks, links: true, bare: true},
}

var names = []string{"a.md", "b.md", "c.md", "d/e.md", "d/f.md", "d/g/h.md", "i.txt", "j.rst", "k.yaml", "Ünï.md", "l m.md", "README"}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), dir: t.TempDir(),
		truth: map[kb.Key]string{}, foreign: map[string]string{},
		sources: []*sourcetest.Memory{sourcetest.NewMemory("docs"), sourcetest.NewMemory("site")},
	}
	w.far = w.sources[1].AsFar()
	w.vendor = targettest.NewMemory(targettest.MemoryOptions{
		ParseLooks: w.rng.IntN(3), Fresh: w.rng.IntN(2) == 0, Missing: w.rng.IntN(2) == 0,
		Limits: targets.Limits{BatchFiles: 1 + w.rng.IntN(4), MaxBytes: 600, SettleTimeout: time.Minute},
	})
	for i := range 3 {
		name := []string{"handbook.md", "guide.kbabcdefghijklmno-0123456789.md", "x.kb.md"}[i]
		w.foreign[name] = fmt.Sprintf("foreign %d", i)
		w.vendor.Put(name, []byte(w.foreign[name]))
	}
	return w
}

func (w *world) logf(format string, args ...any) {
	w.lines = append(w.lines, fmt.Sprintf(format, args...))
}

func (w *world) fatalf(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("seed %d: %s\n%s", w.seed, fmt.Sprintf(format, args...), strings.Join(w.lines, "\n"))
}

// edit changes the sources a little.
func (w *world) edit() {
	for range w.rng.IntN(5) {
		src := w.sources[w.rng.IntN(2)]
		name := names[w.rng.IntN(len(names))]
		k := kb.NewKey(w.nameOf(src), name)
		switch w.rng.IntN(6) {
		case 0:
			src.Remove(name)
			delete(w.truth, k)
			w.logf("  remove %s", k)
		case 1:
			to := kb.NewKey(w.nameOf(src), names[w.rng.IntN(len(names))])
			if text, ok := w.truth[k]; ok && w.truth[to] == "" && k != to {
				src.Rename(name, to.Path())
				delete(w.truth, k)
				w.truth[to] = text
				w.logf("  rename %s to %s", k, to)
			}
		case 2:
			if text, ok := w.truth[k]; ok {
				// A small edit moves parts of a long text.
				lines := strings.SplitAfter(text, "\n\n")
				at := 1 + w.rng.IntN(len(lines))
				lines = slices.Insert(lines, min(at, len(lines)), fmt.Sprintf("an insertion of %d\n\n", w.rng.IntN(1000)))
				text = strings.Join(lines, "")
				src.Put(name, []byte(text))
				w.truth[k] = text
				w.logf("  insert into %s, %d bytes", k, len(text))
			}
		default:
			text := fmt.Sprintf("# %s %d\n\n", k, w.rng.IntN(1000))
			if w.rng.IntN(3) == 0 {
				text = "# the same everywhere\n"
			}
			for range w.rng.IntN(40) {
				text += fmt.Sprintf("line %d of the text, neither long nor short\n\n", w.rng.IntN(100))
			}
			src.Put(name, []byte(text))
			w.truth[k] = text
			w.logf("  put %s, %d bytes", k, len(text))
		}
	}
}

func (w *world) nameOf(s *sourcetest.Memory) string {
	if s == w.sources[0] {
		return "docs"
	}
	return "site"
}

// trouble makes the vendor and the sources fail now and then.
func (w *world) trouble(cancel func()) {
	rng := rand.New(rand.NewPCG(w.rng.Uint64(), 2))
	stop := -1
	if rng.IntN(4) == 0 {
		stop = rng.IntN(30)
	}
	var mu gosync.Mutex // the hook runs in every worker
	calls := 0
	share := []float64{0, 0.05, 0.1, 0.3}[rng.IntN(4)]
	w.vendor.SetHook(func(c targettest.Call) (v targettest.Verdict) {
		mu.Lock()
		defer mu.Unlock()
		if calls++; calls == stop {
			w.logf("  interrupted at %s", c.Op)
			cancel()
		}
		if rng.Float64() >= share {
			return v
		}
		w.logf("  trouble at %s %s %s", c.Op, c.ID, c.Name)
		switch rng.IntN(6) {
		case 0:
			v.After = fault.New(fault.ErrUnknown, "lost answer")
		case 1:
			v.Before = fault.New(fault.ErrRejected, "refused")
		case 2:
			v.Before = fault.New(fault.ErrUnknown, "broken connection")
		case 3:
			v.ParseFails = true
		case 4:
			v.ParseStalls = true
		case 5:
			v.Before = &fault.RetryAfter{Err: errors.New("busy")}
		}
		if c.Op == targettest.OpList {
			v.Cut = rng.IntN(5)
		}
		return v
	})
	w.far.FailFetch(nil)
	if rng.IntN(8) == 0 {
		w.logf("  nothing can be fetched from site")
		w.far.FailFetch(fault.New(fault.ErrIncomplete, "the line is dead"))
	}
	for _, s := range w.sources {
		s.FailScan(0, nil)
		if rng.IntN(6) == 0 {
			w.logf("  scan of %s fails", w.nameOf(s))
			s.FailScan(rng.IntN(5), fault.New(fault.ErrIncomplete, "cut short"))
		}
	}
}

func (w *world) calm() {
	w.vendor.SetHook(nil)
	w.far.FailFetch(nil)
	for _, s := range w.sources {
		s.FailScan(0, nil)
	}
}

// pass runs the engine once, as a fresh process would.
func (w *world) pass(ctx context.Context, o sync.Options) *sync.Entry {
	w.t.Helper()
	db, _, err := state.Open(filepath.Join(w.dir, "state.db"), state.Options{})
	if err != nil {
		w.fatalf("state: %v", err)
	}
	defer db.Close()
	e := &sync.Engine{DB: db, Log: slog.New(slog.DiscardHandler)}
	f := sync.Flow{
		Sync: "support", Target: "memory", Owner: "test", To: w.client(), Agents: w.flowAgents(), Delete: true, MaxDelete: sync.DefaultLimit(), Reconcile: 24 * time.Hour,
		Sources: []sync.Source{{Name: "site", Source: w.far}, {Name: "docs", Source: w.sources[0]}},
	}
	entry := e.Run(ctx, f, o, nil)
	w.logf("pass %+v: %s up %d rep %d ren %d del %d adopt %d same %d fail %v pend %v held %d err %q", o, entry.Outcome, entry.Uploaded,
		entry.Replaced, entry.Renamed, entry.Deleted, entry.Adopted, entry.Unchanged, entry.Failed, entry.Pending, len(entry.Held), entry.Error)
	if entry.Outcome != sync.OutcomeError {
		for _, id := range w.agents {
			delete(w.forgotten, id)
		}
	}
	return entry
}

// stored gathers what the vendor holds of ours, by key hash.
func (w *world) stored(scope kb.Scope) map[kb.KeyHash][]targettest.Stored {
	out := map[kb.KeyHash][]targettest.Stored{}
	for _, d := range w.vendor.Documents() {
		if d.Foreign || d.Retired {
			continue
		}
		if path, ok := strings.CutPrefix(d.Link, siteAddress); ok && d.Name == "" {
			h := kb.NewKey("site", path).Hash()
			out[h] = append(out[h], d)
		}
		if m, _, ok := kb.ParseName(d.Name); ok && m.Scope == scope {
			out[m.Key] = append(out[m.Key], d)
		}
	}
	return out
}

// live is the documents that have a complete searchable version.
func (w *world) live(scope kb.Scope) map[kb.KeyHash]bool {
	out := map[kb.KeyHash]bool{}
	for h, ds := range w.stored(scope) {
		for _, d := range ds {
			if d.Live != nil {
				out[h] = true
			}
		}
	}
	return out
}

// P3: what is not ours stays as it is.
func (w *world) checkForeign() {
	w.t.Helper()
	left := 0
	for _, d := range w.vendor.Documents() {
		if d.Foreign {
			left++
			if w.foreign[d.Name] != string(d.Content) {
				w.fatalf("foreign document %s was changed", d.Name)
			}
		}
	}
	if left != len(w.foreign) {
		w.fatalf("%d of %d foreign documents left", left, len(w.foreign))
	}
}

// P1: exactly the current version of every document, and nothing else of ours.
func (w *world) checkEqual(scope kb.Scope) {
	w.t.Helper()
	stored := w.stored(scope)
	for k, text := range w.truth {
		ds := stored[k.Hash()]
		delete(stored, k.Hash())
		slices.SortFunc(ds, func(a, b targettest.Stored) int { return strings.Compare(a.Name, b.Name) })
		got := ""
		for _, d := range ds {
			if d.Status != targets.StatusDone {
				w.fatalf("%s is %s", d.Name, d.Status)
			}
			got += string(d.Content)
		}
		if linesOf(got) != linesOf(text) {
			for _, c := range w.vendor.Calls() {
				if m, _, ok := kb.ParseName(c.Name); ok && m.Key == k.Hash() {
					w.logf("  %s %s %s", c.Op, c.ID, c.Name)
				}
			}
			for _, d := range ds {
				w.logf("  %s %s %d bytes, live %t: %.30q", d.ID, d.Name, len(d.Content), d.Live != nil, d.Content)
			}
			w.fatalf("%s: the vendor holds %d bytes in %d documents, the source %d bytes", k, len(got), len(ds), len(text))
		}
	}
	for _, ds := range stored {
		w.fatalf("%s should be gone", ds[0].Name)
	}
}

// linesOf are the lines of a text or of its parts, in no order: parts repeat the heading, and one that moved keeps its number.
func linesOf(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		if line != "\n" && (!strings.HasPrefix(line, "#") || !slices.Contains(out, line)) {
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return strings.Join(out, "")
}

// Whatever happens to the vendor, the sources and the state: nothing foreign is touched, no document that stays is ever without a
// searchable version, failed scans delete nothing, and two calm passes make the vendor equal to the sources.
func TestModel(t *testing.T) {
	for i := range *modelRuns {
		seed := uint64(i) + 1
		if *modelSeed != 0 {
			seed = *modelSeed
		}
		for shape := range shapes {
			t.Run(fmt.Sprint(shapes[shape].name, " ", seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { runModel(t, seed, shape) })
			})
		}
		if *modelSeed != 0 {
			return
		}
	}
}

func runModel(t *testing.T, seed uint64, shape int) {
	w := newWorld(t, seed)
	is := shapes[shape]
	w.to = is.of(w.vendor)
	if is.links {
		w.linking()
	}
	w.populate()
	scope := kb.NewScope("test", "support")
	for round := range 8 {
		w.logf("round %d", round)
		w.edit()
		if w.rng.IntN(6) == 0 && !is.bare {
			w.logf("  state lost")
			removeState(w)
			w.forgotten = map[string]bool{}
			for _, id := range everyone {
				w.forgotten[id] = true
			}
		}
		w.shuffleAgents()
		before, held := w.live(scope), w.heldLive(scope)
		w.vendor.SetWatch(func() {
			w.checkHeld(held, w.heldLive(scope))
			now := w.live(scope)
			for k := range w.truth {
				if before[k.Hash()] && !now[k.Hash()] && !(is.bare && k.Source() == "site") {
					w.t.Errorf("seed %d: P2: %s has no searchable version\n%s", w.seed, k, strings.Join(w.lines, "\n"))
					w.vendor.SetWatch(nil)
					return
				}
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		w.trouble(cancel)
		w.pass(ctx, sync.Options{AllowDeletes: w.rng.IntN(3) == 0, NoWait: w.rng.IntN(8) == 0, Reconcile: w.rng.IntN(8) == 0})
		cancel()
		w.checkForeign()
		if w.t.Failed() {
			return
		}
		if w.rng.IntN(3) > 0 {
			continue
		}
		w.calm()
		w.logf("calm")
		w.pass(t.Context(), sync.Options{AllowDeletes: true})
		w.pass(t.Context(), sync.Options{AllowDeletes: true})
		w.checkForeign()
		w.checkEqual(scope)
		w.checkAgents(scope)
		calls := len(w.vendor.Calls())
		if e := w.pass(t.Context(), sync.Options{}); e.Outcome != sync.OutcomeOK || e.Unchanged != len(w.truth) {
			w.fatalf("the third pass says %s, %d of %d unchanged", e.Outcome, e.Unchanged, len(w.truth))
		}
		if n := len(w.vendor.Calls()) - calls; n > 0 {
			w.fatalf("P6: %d calls in an unchanged pass: %+v", n, w.vendor.Calls()[calls:])
		}
	}
}
