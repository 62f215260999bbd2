package crashtest

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kbsyncd/internal/simulator"
)

// P9: the vendor takes ten files a minute of an account, and what it refuses counts as well. Processes that follow one another
// closely keep its pace together, because the state remembers when the last file was sent; here a minute lasts 1.2 s.
func TestManyProcessesShareTheUploads(t *testing.T) {
	if !long {
		t.Skip("make crash runs it")
	}
	t.Parallel()
	const speed, every, files = 50, 125 * time.Millisecond, 12
	sim := simulator.NewChatbase(simulator.ChatbaseOptions{Key: apiKey, Speed: speed, TrainDelay: 5 * time.Millisecond})
	sim.AddAgent(ourAgent, "Our bot")
	g := newGate()
	w := &world{t: t, dir: t.TempDir(), gate: g, vendor: newVendor(t, chatbase{Chatbase: sim}, g), origin: folder{}, stages: map[string]int{}}
	yaml := strings.Replace(w.yaml(), fmt.Sprintf("upload_every: %v", uploadEvery), fmt.Sprintf("upload_every: %v", every), 1)
	w.must(os.WriteFile(w.config(), []byte(yaml), 0o600))
	w.must(os.Mkdir(filepath.Join(w.dir, sourceName), 0o755))
	started := time.Now()
	for i := range files {
		w.must(os.WriteFile(filepath.Join(w.dir, sourceName, fmt.Sprintf("%02d.pdf", i)), pdf(fmt.Appendf(nil, "marker %d", i)), 0o644))
		if out := w.pass("--no-wait"); out.code != 1 {
			w.fail("exit code %d", out.code)
		}
	}
	if took := time.Since(started); took < (files-1)*every {
		w.fail("%d files were sent within %v", files, took)
	}
	for _, r := range sim.Requests() {
		if r.Status == http.StatusTooManyRequests {
			w.fail("an upload was refused")
		}
	}
	if out := w.pass(); out.code != 0 {
		w.fail("exit code %d", out.code)
	}
	if n := len(sim.Retrieve(ourAgent, "marker ")); n != files {
		w.fail("the agent finds %d files", n)
	}
	if v := w.vendor.Violations(); len(v) > 0 {
		w.fail("P9: %q", v)
	}
}
