package daemon_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"kbsyncd/internal/simulator"
	kbsync "kbsyncd/internal/sync"
	"kbsyncd/internal/targets/targettest"
)

// filesOnly is a company with one vendor, whose limits run at their real pace, and the given syncs to its target.
func filesOnly(t *testing.T, host, syncs string) *company {
	c := &company{T: t, dir: t.TempDir(), chatbase: simulator.NewChatbase(simulator.ChatbaseOptions{Key: key, TrainDelay: 2 * time.Second})}
	t.Cleanup(c.chatbase.Close)
	c.chatbase.AddAgent("agt_a", "First")
	c.chatbase.AddAgent("agt_b", "Second")
	c.transport = hosts{host: targettest.Serve(t, c.chatbase)}
	target := fmt.Sprintf(`{ type: chatbase, api_key: %s, base_url: "http://%s/api/v2", files_url: "http://%s/files/api/v2" }`, key, host, host)
	c.yaml = fmt.Sprintf("sources:\n  docs: { type: folder, path: docs }\ntargets:\n  bot: %s\n  same: %s\nsyncs:\n%s", target, target, syncs)
	return c
}

// writePDFs writes small PDF files.
func (c *company) writePDFs(n int) {
	c.Helper()
	for i := range n {
		page := fmt.Sprintf("BT /F 12 Tf 50 750 Td (marker-%02d) Tj ET", i)
		c.write(fmt.Sprintf("%02d.pdf", i), fmt.Sprintf("%%PDF-1.4\n1 0 obj\n<< /Length %d >>\nstream\n%s\nendstream\nendobj\n%%%%EOF\n", len(page), page))
	}
}

// polite checks that no upload was refused and gives how many there were.
func (c *company) polite() (uploads int) {
	c.Helper()
	for _, r := range c.chatbase.Requests() {
		if r.Status == http.StatusTooManyRequests {
			c.Fatalf("P9: %s %s was refused at %v", r.Method, r.Path, r.Time)
		}
		uploads += r.Files
	}
	if v := c.chatbase.Violations(); len(v) > 0 {
		c.Fatalf("P9: %q", v)
	}
	return uploads
}

// P9: the files of one sync go at the pace that the vendor documents, and no slower; texts do not wait for them.
func TestFilesKeepTheVendorsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := filesOnly(t, "pace.test", "  all: { from: docs, to: bot, agents: [agt_a] }\n")
		c.writePDFs(25)
		c.write("text.md", "marker-text\n")
		started := time.Now()
		c.ok(c.passes(kbsync.Options{}))
		if took := time.Since(started); took < 24*6*time.Second || took > 26*6*time.Second {
			t.Errorf("25 files took %v", took)
		}
		if n := c.polite(); n != 25 {
			t.Errorf("%d uploads", n)
		}
		if n := len(c.chatbase.Retrieve("agt_a", "marker-")); n != 26 {
			t.Errorf("the agent finds %d documents", n)
		}
		// The state is lost, and some files change: the next pass goes on at the same pace.
		if err := os.RemoveAll(filepath.Join(c.dir, ".kbsync")); err != nil {
			t.Fatal(err)
		}
		for i := range 12 {
			c.write(fmt.Sprintf("%02d.pdf", i), "%PDF-1.4\nmarker-edited, which is long enough to be a file for this vendor\n%%EOF\n")
		}
		c.ok(c.passes(kbsync.Options{}))
		if n := c.polite(); n != 37 {
			t.Errorf("%d uploads", n)
		}
		if n := len(c.chatbase.Retrieve("agt_a", "marker-edited")); n != 12 {
			t.Errorf("the agent finds %d edited documents", n)
		}
	})
}

// P9: the limit is the account's: two targets, two syncs and two agents share it.
func TestSyncsOfOneAccountShareThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := filesOnly(t, "shared-pace.test", "  one: { from: docs, to: bot, agents: [agt_a, agt_b] }\n  two: { from: docs, to: same, agents: [agt_b] }\n")
		c.writePDFs(8)
		started := time.Now()
		c.ok(c.passes(kbsync.Options{}))
		if took := time.Since(started); took < 23*6*time.Second || took > 26*6*time.Second {
			t.Errorf("24 files took %v", took)
		}
		if n := c.polite(); n != 24 {
			t.Errorf("%d uploads", n)
		}
		if a, b := len(c.chatbase.Retrieve("agt_a", "marker-")), len(c.chatbase.Retrieve("agt_b", "marker-")); a != 8 || b != 16 {
			t.Errorf("the agents find %d and %d documents", a, b)
		}
	})
}
