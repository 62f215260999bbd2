package crashtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kbsyncd/internal/kb"
)

const (
	apiKey      = "sk-crash-Zk7Qv92XwPq4LmT8"
	owner       = "crash-docs"
	syncName    = "handbook"
	datasetName = "Crash handbook"
	chatName    = "Crash chat"
	ourAgent    = "agt_ours"
	otherAgent  = "agt_theirs"

	passTimeout = 90 * time.Second // of a pass that is left alone
	termTimeout = 20 * time.Second // from SIGTERM to the end
)

// binary is the program, built by the first test that needs it into a directory of all tests.
var binary struct {
	sync.Once

	path string
	err  error
}

// The worlds wait for their vendors most of the time, so more of them run at once than there are processors.
const parallelWorlds = "8"

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", parallelWorlds); err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "kbsyncd-crashtest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary.path = filepath.Join(dir, "kbsyncd")
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func program(t *testing.T) string {
	t.Helper()
	binary.Do(func() {
		// The build outlives the test that asks for it.
		ctx := context.WithoutCancel(t.Context())
		out, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary.path, "kbsyncd/cmd/kbsyncd").CombinedOutput()
		if err != nil {
			binary.err = fmt.Errorf("building the program: %w\n%s", err, out)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return binary.path
}

// world is one tree of files, what it is offered by, the vendors, and the passes between them.
type world struct {
	t      *testing.T
	seed   uint64
	rng    *rand.Rand
	dir    string
	gate   *gate
	vendor *vendor
	also   *vendor // a second target; may be nil
	tree   *tree
	origin origin
	scope  kb.Scope
	links  bool // the vendor fetches the documents itself
	keeps  bool // the state is never lost and the vendor never listed unasked

	round, kills int
	journal      []string // what happened since the store was last right
	logs         []string // standard error of the last passes
	stages       map[string]int
	usual        time.Duration // how long a pass takes
}

func newWorld(t *testing.T, seed uint64, m maker) *world {
	rng := rand.New(rand.NewPCG(seed, 3))
	d := dice{rng}
	w := &world{
		t: t, seed: seed, rng: rng, dir: t.TempDir(), gate: newGate(), scope: kb.NewScope(owner, syncName),
		links: m.links, stages: map[string]int{}, usual: 2 * time.Second,
	}
	w.vendor = newVendor(t, m.make(d), w.gate)
	if m.also != nil {
		w.also = newVendor(t, m.also(d), w.gate)
	}
	w.tree = newTree(t, rng, filepath.Join(w.dir, "docs"))
	w.tree.linked = m.links
	w.origin = folder{}
	if m.from != nil {
		w.origin = m.from(w, d)
	}
	w.keeps = d.chance(50)
	if d.chance(50) { // else the first pass has to make the store
		w.settleStrangers()
	}
	w.origin.publish()
	w.must(os.WriteFile(w.config(), []byte(w.yaml()), 0o600))
	return w
}

func (w *world) config() string { return filepath.Join(w.dir, "kbsync.yaml") }
func (w *world) state() string  { return filepath.Join(w.dir, "state", "kbsync.db") }
func (w *world) cache() string  { return w.state() + ".cache" }
func (w *world) report() string { return filepath.Join(w.dir, "report.json") }

// vendors are all vendors of the world, in the order of the configuration.
func (w *world) vendors() []*vendor {
	if w.also == nil {
		return []*vendor{w.vendor}
	}
	return []*vendor{w.vendor, w.also}
}

// kinds are the requests that a trap can wait for.
func (w *world) kinds() []kind { return append(slices.Clone(w.vendor.kinds), w.origin.kinds()...) }

func (w *world) yaml() string {
	var b strings.Builder
	fmt.Fprintf(&b, `state: ./state/kbsync.db
listen: ""
owner: %s
log: { level: debug }
sources:
  %s: { %s }
targets:
`, owner, sourceName, w.origin.source())
	var to []string
	for i, v := range w.vendors() {
		to = append(to, fmt.Sprintf("vendor%d", i+1))
		fmt.Fprintf(&b, `  %s:
    %s
    api_key: ${CRASH_KEY}
    rate: 1000
    timeout: 20s
    max_file_size: %d
`, to[i], v.target(v.url), vendorFile)
	}
	fmt.Fprintf(&b, `syncs:
  %s: { from: %s, to: [%s], agents: [%s] }
`, syncName, sourceName, strings.Join(to, ", "), ourAgent)
	return b.String()
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.fail("%v", err)
	}
}

// fail ends the test with everything that is needed to understand it.
func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, format, args...)
	fmt.Fprintf(&b, "\n\nKBSYNC_CRASH_SEED=%d, round %d, %d kills\nvendor: %s\n\nsince the store was last right:\n", w.seed, w.round, w.kills, w.vendor.says())
	for _, line := range tail(w.journal, 60) {
		fmt.Fprintf(&b, "  %s\n", kb.Printable(line))
	}
	for _, v := range w.vendors() {
		fmt.Fprintf(&b, "\nlast requests to the vendor at %s:\n", v.url)
		for _, r := range tail(v.Requests(), 40) {
			fmt.Fprintf(&b, "  %s %s %s?%s → %d, %d files\n", r.Time.Format("05.000"), r.Method, r.Path, r.Query, r.Status, r.Files)
		}
		b.WriteString("\nwhat it has:\n")
		all := v.documents()
		for _, id := range slices.Sorted(maps.Keys(all)) {
			fmt.Fprintf(&b, "  %s\n", all[id])
		}
	}
	b.WriteString("\nstandard error of the last passes:\n")
	for _, l := range w.logs {
		b.WriteString(l)
	}
	w.t.Fatal(b.String())
}

func tail[T any](s []T, n int) []T { return s[max(0, len(s)-n):] }

func (w *world) note(format string, args ...any) {
	w.journal = append(w.journal, fmt.Sprintf("%d: ", w.round)+fmt.Sprintf(format, args...))
}

// attempt is one start of the program.
type attempt struct {
	args   []string
	signal syscall.Signal // 0: it is left alone
	trap   *trap          // strikes with the signal
	after  time.Duration  // the signal comes at the latest then
	during func()         // happens while the program runs
	when   time.Duration
}

// outcome is how it ended.
type outcome struct {
	code   int    // -1: died by a signal
	struck string // where the signal came; "" when it never did
	took   time.Duration
	report report
}

// report is the part of the program's report that is compared with its exit code and with the truth.
type report struct {
	Outcome  string `json:"outcome"`
	ExitCode int    `json:"exit_code"`
	Syncs    []struct {
		Documents int   `json:"documents"`
		Orphans   int   `json:"orphans"`
		Skipped   []any `json:"skipped"`
		Pending   []any `json:"pending"`
		Failed    []any `json:"failed"`
		Held      []struct {
			Document string `json:"document"`
		} `json:"held"`
	} `json:"syncs"`
}

// run starts the program and waits until it has ended and the vendor is idle.
func (w *world) run(a attempt) outcome {
	ctx, cancel := context.WithTimeout(w.t.Context(), passTimeout)
	defer cancel()
	args := append([]string{"--config", w.config(), "--once"}, a.args...)
	cmd := exec.CommandContext(ctx, program(w.t), args...)
	cmd.Env = append(w.origin.environment(), "CRASH_KEY="+apiKey, "HOME="+w.dir, "PATH="+os.Getenv("PATH"), "TMPDIR="+os.TempDir())
	var stderr bytes.Buffer // and what is meant for people
	cmd.Stdout, cmd.Stderr = &stderr, &stderr
	struck := make(chan string, 1)
	strike := func(where string) {
		select {
		case struck <- where:
			_ = cmd.Process.Signal(a.signal)
		default:
		}
	}
	started := time.Now()
	w.must(cmd.Start())
	if a.trap != nil {
		a.trap.strike = strike
	}
	w.gate.set(a.trap)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var timer, during <-chan time.Time
	if a.signal != 0 {
		timer = time.After(a.after)
	}
	if a.during != nil {
		during = time.After(a.when)
	}
	for waiting := true; waiting; {
		select {
		case <-during:
			a.during()
		case <-timer:
			strike("at any time, " + w.gate.moment())
		case err := <-ended:
			if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
				w.must(err)
			}
			waiting = false
		}
	}
	out := outcome{code: cmd.ProcessState.ExitCode(), took: time.Since(started)}
	select {
	case out.struck = <-struck:
	default:
	}
	w.logs = tail(append(w.logs, fmt.Sprintf("--- round %d: kbsyncd %v: code %d after %v, struck: %s\n%s\n",
		w.round, a.args, out.code, out.took, out.struck, lastLines(stderr.String(), 80))), 4)
	w.note("kbsyncd %v: code %d, struck: %s", a.args, out.code, out.struck)
	if ctx.Err() != nil {
		w.fail("a pass did not end within %v", passTimeout)
	}
	if file, leaked := w.leaked(stderr.Bytes()); leaked {
		w.fail("P8: the key is in %s", file)
	}
	w.gate.set(nil)
	idle, stop := context.WithTimeout(w.t.Context(), passTimeout)
	defer stop()
	w.must(w.gate.idle(idle))
	return out
}

// leaked tells where the key is, of what a pass said and wrote.
func (w *world) leaked(said []byte) (where string, leaked bool) {
	if w.isSecret(said) {
		return "what the program says", true
	}
	for _, file := range []string{w.state(), w.report()} {
		b, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.must(err)
		}
		if w.isSecret(b) {
			return file, true
		}
	}
	return "", false
}

// isSecret tells whether one of the secrets that the program was given is in what it wrote.
func (w *world) isSecret(b []byte) bool {
	return slices.ContainsFunc(append(w.origin.secrets(), apiKey), func(s string) bool { return bytes.Contains(b, []byte(s)) })
}

func lastLines(s string, n int) string {
	return strings.Join(tail(strings.Split(s, "\n"), n), "\n")
}

// pass runs the program to its end and holds its report against its exit code.
func (w *world) pass(args ...string) outcome {
	file := w.report()
	out := w.run(attempt{args: append([]string{"--report", file}, args...)})
	raw, err := os.ReadFile(file)
	w.must(err)
	w.must(json.Unmarshal(raw, &out.report))
	w.must(os.Remove(file))
	if out.report.ExitCode != out.code || len(out.report.Syncs) != len(w.vendors()) {
		w.fail("the report says exit code %d and has %d syncs; the program ended with %d", out.report.ExitCode, len(out.report.Syncs), out.code)
	}
	return out
}
