package crashtest

import (
	"bytes"
	"errors"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/simulator"
)

// clockTick is more than what the times of files are exact to.
const clockTick = 100 * time.Millisecond

// TestCrashShort is TestCrash for every day.
func TestCrashShort(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts the program some fifty times")
	}
	seed := number(t, "KBSYNC_CRASH_SEED", uint64(time.Now().UnixNano()))
	for _, m := range append(slices.Clone(makers[:4]), gitMakers[0]) {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			t.Logf("KBSYNC_CRASH_SEED=%d", seed)
			newWorld(t, seed, m).endure(1, 1)
		})
	}
}

// number reads a setting of the tests.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// endure kills the program so many times; every few kills, and at the end, the store must become right.
func (w *world) endure(kills, every int) {
	for checked := 0; w.kills < kills; {
		w.strike()
		if w.kills-checked >= every {
			w.converge()
			checked = w.kills
		}
	}
	w.converge()
	w.holdDeletions()
}

// strike is one round: edits, faults, and a pass that is killed.
func (w *world) strike() {
	w.round++
	w.edit(1 + w.rng.IntN(5))
	if len(w.vendor.foreign) == 0 && w.rng.IntN(5) == 0 {
		w.settleStrangers()
	}
	w.loseState()
	w.loseCache()
	for _, v := range w.vendors() {
		v.SetFaults(w.faults())
	}
	u := w.origin.upset()
	if u.what != "" {
		w.note("meanwhile %s %s", u.what, u.where)
		w.stages["while "+u.what]++
	}
	a := w.plan(u)
	before := w.census()
	out := w.run(a)
	w.judge(a, out)
	w.hold(u, out, before)
	w.lookAround()
}

// edit makes so many random edits, and the source has them.
func (w *world) edit(n int) {
	for range n {
		w.note("%s", w.tree.edit())
	}
	w.origin.publish()
}

// judge looks at how a pass ended.
func (w *world) judge(a attempt, out outcome) {
	switch {
	case out.code == -1 && a.signal == syscall.SIGKILL && out.struck != "":
		w.kills++
		w.stages[out.struck]++
	case out.code == -1:
		w.fail("the program died by a signal that nobody sent, or did not wait for SIGTERM")
	case !slices.Contains([]int{0, 1, 3, 130}, out.code), out.code == 130 && out.struck == "":
		w.fail("exit code %d", out.code)
	case out.struck == "":
		w.usual = (3*w.usual + out.took) / 4
	default:
		w.stages["ended by itself or by SIGTERM"]++
	}
}

// loseState mimics fresh CI runners and full disks.
func (w *world) loseState() {
	info, err := os.Stat(w.state())
	if err != nil || w.keeps {
		return
	}
	switch n := w.rng.IntN(100); {
	case n < 12:
		w.note("the state file is deleted")
		w.must(os.RemoveAll(w.state()))
	case n < 20:
		size := w.rng.Int64N(info.Size() + 1)
		w.note("the state file is cut to %d of %d bytes", size, info.Size())
		w.must(os.Truncate(w.state(), size))
	}
}

// loseCache loses or damages what sources keep beside the state.
func (w *world) loseCache() {
	dir := w.cache()
	var files []string
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error { // commands of a dead program may still be at work there
		if err == nil && d.Type().IsRegular() {
			files = append(files, name)
		}
		return nil
	})
	n := w.rng.IntN(100)
	if len(files) == 0 || n >= 24 {
		return
	}
	if n < 6 {
		w.note("the cache is deleted")
		w.must(removed(dir))
		return
	}
	w.must(ignoring(w.damage(n, files[w.rng.IntN(len(files))]), fs.ErrNotExist)) // a dead program's commands may have removed it
}

// damage deletes, cuts or spoils a file.
func (w *world) damage(n int, name string) error {
	content, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	at := w.rng.IntN(len(content) + 1)
	switch {
	case n < 12:
		w.note("the cache loses %s", name)
		return os.Remove(name)
	case n < 17:
		w.note("%s is cut to %d of %d bytes", name, at, len(content))
		content = content[:at]
	default:
		w.note("in %s bytes from %d of %d on are damaged", name, at, len(content))
		for i := at; i < min(at+1+w.rng.IntN(8), len(content)); i++ {
			content[i] ^= byte(1 + w.rng.IntN(255))
		}
	}
	spoilt := name + ".spoilt" // the file itself may not be writable
	if err := os.WriteFile(spoilt, content, 0o600); err != nil {
		return err
	}
	return os.Rename(spoilt, name)
}

// ignoring drops an error that does not matter.
func ignoring(err, unimportant error) error {
	if errors.Is(err, unimportant) {
		return nil
	}
	return err
}

// removed deletes a directory in which somebody may still be at work.
func removed(dir string) (err error) {
	for range 100 {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
		<-time.After(20 * time.Millisecond)
	}
	return err
}

// faults are about one request in ten, in most rounds.
func (w *world) faults() simulator.Faults {
	if w.rng.IntN(4) == 0 {
		return simulator.Faults{}
	}
	all := func(p float64) map[string]float64 { return map[string]float64{"*": p} }
	f := simulator.Faults{
		Before: all(0.03), After: all(0.03), Cut: all(0.02), Slow: all(0.02), SlowBy: time.Duration(w.rng.IntN(400)) * time.Millisecond,
	}
	// Which documents are at fault depends on their names, so that a second try of the same round changes nothing.
	salt := byte(w.rng.IntN(256))
	one := func(in uint32, what byte) func(string) bool {
		return func(name string) bool {
			h := fnv.New32a()
			_, _ = h.Write([]byte{salt, what})
			_, _ = h.Write([]byte(name))
			return h.Sum32()%in == 0
		}
	}
	switch w.rng.IntN(8) {
	case 0, 1:
		f.ParseFail, f.TrainFail = one(5, 'f'), one(5, 'f')
	case 2:
		f.ParseStall, f.TrainStall = one(8, 's'), one(8, 's')
	case 3, 4:
		f.Reject = one(6, 'r')
	}
	return f
}

// plan decides how the program is called and when it dies.
func (w *world) plan(u upset) attempt {
	a := attempt{signal: syscall.SIGKILL}
	for flag, percent := range map[string]int{"--reconcile": 15, "--allow-deletes": 60, "--no-wait": 8} {
		if w.dice(flag) < percent && !(w.keeps && flag == "--reconcile") && !(u.held && flag == "--allow-deletes") {
			a.args = append(a.args, flag)
		}
	}
	slices.Sort(a.args)
	switch n := w.rng.IntN(20); {
	case n == 0: // while it starts and opens its files
		a.after = time.Duration(w.rng.IntN(12_000)) * time.Microsecond
	case n < 6: // anywhere between the start and the end
		a.after = time.Duration(w.rng.Int64N(int64(w.usual)))
	default:
		a.after = 4 * w.usual
		a.trap = &trap{n: 1 + w.rng.IntN(3), phase: phase(w.rng.IntN(3)), linger: time.Duration(w.rng.IntN(4000)) * time.Microsecond}
		if w.rng.IntN(4) == 0 { // what commands of the program make of an answer takes longer
			a.trap.linger *= 10
		}
		if kinds := w.kinds(); w.rng.IntN(4) > 0 {
			a.trap.kind = kinds[w.rng.IntN(len(kinds))].name
		} else {
			a.trap.n = 1 + w.rng.IntN(25)
		}
		if w.rng.IntN(8) == 0 {
			a.signal = syscall.SIGTERM
		}
	}
	if w.rng.IntN(4) == 0 && !u.fails && !u.held && !w.links {
		a.during = func() {
			w.note("meanwhile: %s", w.tree.disturb())
			w.origin.publish()
		}
		a.when = time.Duration(w.rng.Int64N(int64(w.usual)))
	}
	return a
}

// converge holds P1, P6 and P7: faults off, two passes, and the third has nothing to do.
func (w *world) converge() {
	w.t.Helper()
	for _, v := range w.vendors() {
		v.SetFaults(simulator.Faults{})
		v.heal()
	}
	w.origin.settle()
	if w.rng.IntN(3) == 0 { // somebody in a hurry was here before
		w.pass("--no-wait")
		w.edit(1)
	}
	w.loseCache()
	edited := time.Now()
	w.pass("--allow-deletes")
	// What is read within the clock's tick of its last change is read again by the next pass, so the second pass must come later.
	<-time.After(time.Until(edited.Add(clockTick)))
	second := w.pass("--allow-deletes")
	for i, v := range w.vendors() {
		s := second.report.Syncs[i]
		w.converged(v, s.Orphans)
		if second.code != 0 || s.Documents != len(w.tree.docs) || len(s.Skipped)+len(s.Pending)+len(s.Failed)+len(s.Held) > 0 {
			w.fail("P7: the store is equal to the folder with %d documents, but the second pass ended with %d and says %+v", len(w.tree.docs), second.code, s)
		}
	}
	w.settled()
	w.idle()
}

// idle holds P6: no request and no write.
func (w *world) idle() {
	w.t.Helper()
	before, err := os.ReadFile(w.state())
	w.must(err)
	w.origin.excess()
	for _, v := range w.vendors() {
		v.ResetRequests()
	}
	if out := w.pass(); out.code != 0 {
		w.fail("P6: a pass with nothing to do ended with %d", out.code)
	}
	for _, v := range w.vendors() {
		if n := len(v.Requests()); n > 0 {
			w.fail("P6: a pass with nothing to do made %d requests", n)
		}
	}
	if what := w.origin.excess(); what != "" {
		w.fail("P6: a pass with nothing to do %s", what)
	}
	after, err := os.ReadFile(w.state())
	w.must(err)
	if !bytes.Equal(before, after) {
		w.fail("P6: a pass with nothing to do wrote to the state file")
	}
}

// holdDeletions holds P4: what is more than the guard allows stays, everything else goes on, until someone consents.
func (w *world) holdDeletions() {
	w.t.Helper()
	if w.rng.IntN(2) == 0 {
		w.must(os.Remove(w.state()))
	}
	for len(w.tree.docs) < 2*fewest {
		w.tree.add()
	}
	w.origin.publish()
	w.pass("--allow-deletes")
	gone := map[kb.KeyHash]bool{}
	for range max(10, len(w.tree.docs)/4) + 1 {
		d := w.tree.docs[0]
		w.tree.docs = w.tree.docs[1:]
		w.must(os.Remove(w.tree.file(d.path)))
		gone[d.key().Hash()] = true
	}
	w.note("delete %d documents, %s", len(gone), w.tree.add())
	w.origin.publish()
	out := w.pass()
	for i, v := range w.vendors() {
		ours, held := w.look(v), out.report.Syncs[i].Held
		if out.code != 3 || len(held) != len(gone) {
			w.fail("P4: %d deletions are more than the guard allows; exit code %d, held: %v", len(gone), out.code, held)
		}
		for h := range gone {
			if len(ours[h]) == 0 {
				w.fail("P4: the held document %v was deleted", h)
			}
		}
	}
	w.converge()
}

// dice is a number below 100 that depends on the round and a name, not on what was drawn before.
func (w *world) dice(name string) int {
	h := fnv.New64a()
	_, _ = h.Write([]byte(strings.Join([]string{name, strconv.FormatUint(w.seed, 10), strconv.Itoa(w.round)}, "/")))
	return int(h.Sum64() % 100)
}
